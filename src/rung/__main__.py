"""`python -m rung` and `rung`: the command line, interruptible from its first import on."""

import sys


def main() -> None:
    """Runs the command line; Ctrl-C while it is still being imported is one line and 130."""
    try:
        from rung.cli import main as command_line
    except KeyboardInterrupt:
        print("rung: interrupted", file=sys.stderr)
        raise SystemExit(130) from None  # as a shell reports SIGINT: 128 + 2
    command_line()


if __name__ == "__main__":
    main()
