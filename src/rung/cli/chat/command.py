"""`rung chat`: talk with a model."""

from __future__ import annotations

from typing import Annotated

import typer

from rung.cli import groups, options
from rung.cli.loading import loaded


@groups.spread
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
    choosing: groups.Sampling = groups.SAMPLING,
    tokenizer: options.Tokenizer = None,
    running: groups.Running = groups.RUNNING,
) -> None:
    """Talk with a model.

    /help lists the commands. A line that ends with a backslash goes on in the next; three double
    quotes begin a turn of several lines, and end it. Ctrl-C stops an answer, Ctrl-D ends the
    conversation. From a pipe every line is a turn; answers alone go to stdout.
    """
    sampling = choosing.checked()  # a wrong value is told before the model is loaded
    with loaded(model, tokenizer=tokenizer, **running.load_options()) as opened:
        from rung.cli.chat.conversation import Conversation

        talk = opened.model.chat(system=system, template=chat_template)
        Conversation(talk, sampling, max_tokens=max_tokens).run()
