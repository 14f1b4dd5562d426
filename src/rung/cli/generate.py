"""`rung generate`: continue a text."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rung.backends.cpu.peak_memory import peak_memory_bytes
from rung.cli import groups, options, show
from rung.cli.errors import INTERRUPTED
from rung.cli.interrupts import Interrupts
from rung.cli.loading import Loaded, loaded
from rung.cli.profiling import ProfileWish
from rung.cli.streams import note, read_prompt, write
from rung.engine.params import DEFAULT_MAX_TOKENS

if TYPE_CHECKING:
    from rung.engine.generate import Generation

_OUTPUT = "Output"

_ENDINGS = {
    "stop": "a stop string",
    "end_of_text": "the end of the text",
    "length": "--max-tokens",
    "context": "a full context",
    "interrupted": "Ctrl-C",
}


@groups.spread
def generate(
    model: options.OptionalModel = None,
    prompt: options.Prompt = None,
    file: options.PromptFile = None,
    max_tokens: options.MaxTokens = DEFAULT_MAX_TOKENS,
    stop: Annotated[
        list[str] | None,
        typer.Option(
            "--stop",
            metavar="TEXT",
            help="End before this text; may be given several times.",
            rich_help_panel=options.PROMPT,
            show_default=False,
        ),
    ] = None,
    ignore_eos: Annotated[
        bool,
        typer.Option(
            "--ignore-eos",
            help="Go on where the model would end the text.",
            rich_help_panel=options.PROMPT,
        ),
    ] = False,
    choosing: groups.Sampling = groups.SAMPLING,
    tokenizer: options.Tokenizer = None,
    running: groups.Running = groups.RUNNING,
    echo: Annotated[
        bool,
        typer.Option(
            "--echo/--no-echo", help="Print the prompt before the text.", rich_help_panel=_OUTPUT
        ),
    ] = True,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Print no summary, no notes.", rich_help_panel=_OUTPUT),
    ] = False,
    json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print one JSON object at the end instead: text, ids, timings, memory, seed.",
            rich_help_panel=_OUTPUT,
        ),
    ] = False,
    profile: Annotated[
        list[str] | None,
        typer.Option(
            "--profile",
            metavar="FILE.json|summary",
            help="What every kernel, thread and copy takes: a trace for ui.perfetto.dev, or tables "
            "on stderr; may be given for both.",
            rich_help_panel=_OUTPUT,
            show_default=False,
        ),
    ] = None,
) -> None:
    """Continue a text, or begin a new one.

    The text goes to stdout as it is written, the summary to stderr. Ctrl-C keeps what there is.
    """
    sampling = choosing.checked()  # a wrong value is told before the model is loaded
    wish = ProfileWish.parse(profile or ())
    text = read_prompt(prompt, file)
    if model is None and not text and prompt is None:
        # The storyteller knows conversations, too; one word makes it begin a story.
        text = "Once"
    with loaded(
        model,
        tokenizer=tokenizer,
        quiet=quiet or json,
        **running.load_options(),
    ) as opened:
        ids = opened.model.prompts.encode(text)
        generation = opened.model.generate(
            ids,
            max_tokens=max_tokens,
            stop=stop or (),
            ignore_eos=ignore_eos,
            **sampling,
        )
        if json:
            with wish.of(opened.model) as profiled:
                _run(generation, show_pieces=False)
            print(json_format.dumps(_report(opened, text, ids, generation), ensure_ascii=False))
        else:
            # As the model read it, which is what it continues.
            write(opened.model.tokenizer.decode(ids) if echo else "")
            with wish.of(opened.model) as profiled:
                _run(generation, show_pieces=True)
            write("\n")
            if not quiet:
                note(_summary(opened, generation))
        wish.deliver(profiled)
    if generation.finish_reason == "interrupted":
        raise typer.Exit(INTERRUPTED)


def _run(generation: Generation, *, show_pieces: bool) -> None:
    """Runs to the end of the text or the first Ctrl-C."""
    n_shown = 0
    with Interrupts() as interrupts:
        while not generation.finished and not interrupts.requested:
            piece = generation.step()
            if show_pieces and piece:
                write(piece)
                n_shown += len(piece)
        generation.close()
    if show_pieces:
        write(generation.text[n_shown:])  # what an interrupted text held back


def _summary(opened: Loaded, generation: Generation) -> str:
    """Three lines: the prompt, the text, the process."""
    usage = generation.usage
    first_s = usage.time_to_first_token_s
    first = "no token" if first_s is None else f"first token after {show.duration(first_s)}"
    ending = _ENDINGS[str(generation.finish_reason)]
    if generation.finish_reason == "context":
        ending += f" ({opened.model.context_length} tokens)"
    return "\n".join(
        (
            "",
            f"prompt {usage.prompt_tokens:>6} tokens  {usage.prompt_tokens_per_s:>9,.1f} tok/s  "
            f"{first}",
            f"text   {usage.generated_tokens:>6} tokens  {usage.decode_tokens_per_s:>9,.1f} tok/s  "
            f"ended by {ending}",
            f"loaded in {show.duration(opened.load_s)}, peak memory "
            f"{show.size(peak_memory_bytes())}, seed {generation.seed}",
        )
    )


def _report(opened: Loaded, prompt: str, ids: list[int], generation: Generation) -> dict[str, Any]:
    """The JSON object; times in seconds, memory in bytes."""
    usage = generation.usage
    return {
        "model": str(opened.model.checkpoint.path),
        "prompt": prompt,
        "prompt_tokens": ids,
        "text": generation.text,
        "tokens": generation.tokens,
        "finish_reason": generation.finish_reason,
        "seed": generation.seed,
        "usage": {
            **asdict(usage),
            "prompt_tokens_per_s": usage.prompt_tokens_per_s,
            "decode_tokens_per_s": usage.decode_tokens_per_s,
        },
        "context_length": opened.model.context_length,
        "load_s": opened.load_s,
        "peak_memory_bytes": peak_memory_bytes(),
    }
