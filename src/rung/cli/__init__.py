"""The command line: `rung COMMAND`, a file a command, or a folder where it takes several.

A command's file imports typer and little else at its top (ten of them cost 5 ms); NumPy, the engine
and the kernels are imported by the command when it runs. So `rung --help` answers at once.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from rung import __version__
from rung.cli import check_gpt2, convert, data, devices, generate, plan, tokenize, tune
from rung.cli.bench import command as bench_command
from rung.cli.chat import command as chat_command
from rung.cli.errors import exit_codes
from rung.cli.info import command as info_command
from rung.cli.kernels import command as kernels_command
from rung.cli.streams import open_missing, use_utf8
from rung.cli.train import command as train_command

__all__ = ["app", "main"]


class _Group(TyperGroup):
    """Runs every command with errors as one line and an exit code.

    typer has habits of its own for Ctrl-C and broken pipes, so they are caught inside it.
    """

    def invoke(self, ctx: Any) -> Any:
        with exit_codes():
            return super().invoke(ctx)


app = typer.Typer(
    name="rung",
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["--help", "-h"], "max_content_width": 100},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"rung {__version__}")
        raise typer.Exit


@app.callback()
def rung(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version and exit.",
            callback=_print_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Run language models on this machine's processors."""


app.command("generate")(generate.generate)
app.command("chat")(chat_command.chat)
app.command("tokenize")(tokenize.tokenize)
app.command("info")(info_command.info)
app.command("convert")(convert.convert)
app.command("data")(data.data)
app.command("train")(train_command.train)
app.command("check-gpt2")(check_gpt2.check_gpt2)
app.command("devices")(devices.devices)
app.command("plan")(plan.plan)
app.command("tune")(tune.tune)
app.add_typer(kernels_command.app)
app.add_typer(bench_command.app)


def main() -> None:
    """The `rung` command."""
    open_missing()
    use_utf8()
    with exit_codes():
        # Not standalone: typer would print its own errors, in boxes of several lines.
        code = app(prog_name="rung", standalone_mode=False)
    raise SystemExit(code if isinstance(code, int) else 0)
