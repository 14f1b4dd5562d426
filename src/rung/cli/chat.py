"""`rung chat`: talk with a model."""

from __future__ import annotations

from typing import Annotated

import typer

from rung.cli import options
from rung.cli.loading import loaded
from rung.engine.params import SamplingOptions, SamplingParams


def chat(
    model: options.OptionalModel = None,
    system: Annotated[
        str | None,
        typer.Option(
            "--system",
            "-s",
            metavar="TEXT",
            help="How the model should answer, said before the first turn.",
            show_default=False,
        ),
    ] = None,
    chat_template: Annotated[
        str | None,
        typer.Option(
            "--chat-template",
            metavar="NAME|FILE",
            help="llama2, chatml, llama3, gemma, phi3, mistral, zephyr, or a file with a Jinja "
            "template; without it, the model's own.",
            show_default=False,
        ),
    ] = None,
    max_tokens: options.MaxTokens = -1,
    temperature: options.Temperature = options.DEFAULTS.temperature,
    top_k: options.TopK = options.DEFAULTS.top_k,
    top_p: options.TopP = options.DEFAULTS.top_p,
    min_p: options.MinP = options.DEFAULTS.min_p,
    repeat_penalty: options.RepeatPenalty = options.DEFAULTS.repeat_penalty,
    repeat_last_n: options.RepeatLastN = options.DEFAULTS.repeat_last_n,
    seed: options.Seed = None,
    tokenizer: options.Tokenizer = None,
    threads: options.Threads = None,
    threads_batch: options.ThreadsBatch = None,
    context: options.Context = None,
    cache_type: options.CacheType = None,
    activations: options.Activations = None,
    device: options.Device = "cpu",
    gpu_layers: options.GpuLayers = "auto",
    override_tensor: options.OverrideTensor = None,
    cache_on: options.CacheOn = "device",
) -> None:
    """Talk with a model.

    /help lists the commands. A line that ends with a backslash goes on in the next; three double
    quotes begin a turn of several lines, and end it. Ctrl-C stops an answer, Ctrl-D ends the
    conversation. From a pipe every line is a turn; answers alone go to stdout.
    """
    sampling = SamplingOptions(
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        repeat_penalty=repeat_penalty,
        repeat_last_n=repeat_last_n,
        seed=seed,
    )
    SamplingParams(**sampling)  # a wrong value is told before the model is loaded
    with loaded(
        model,
        tokenizer=tokenizer,
        threads=threads,
        threads_batch=threads_batch,
        context_length=context,
        cache_type=cache_type,
        activations=activations,
        device=device,
        gpu_layers=gpu_layers,
        override_tensor=override_tensor or (),
        cache_on=cache_on,
    ) as opened:
        from rung.cli.conversation import Conversation

        talk = opened.model.chat(system=system, template=chat_template)
        Conversation(talk, sampling, max_tokens=max_tokens).run()
