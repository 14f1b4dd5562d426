"""Renders chat templates in a process of its own, which talks in lines of JSON.

A template comes with a model, from anyone. Jinja's sandbox keeps it from Python's objects, but not
from looping for ever or from making a text of a terabyte in one step that nothing can interrupt. So
the process has a limit of memory, and whoever started it ends it when it takes too long.

A request is {"template": str, "variables": {…}, "most": int}; the answer {"text": str} of at most
`most` characters, or {"error": kind, "message": str}. This file imports nothing of Rung.
"""

from __future__ import annotations

import json
import signal
import sys
from datetime import datetime
from typing import Any, NoReturn

_MEMORY_BYTES = 1 << 30


class RefusedError(Exception):
    """A template called raise_exception: it does not know this form of conversation."""


def _raise_exception(message: object = "") -> NoReturn:
    raise RefusedError(str(message))


def _to_json(value: Any, indent: int | None = None, **options: Any) -> str:
    """As `transformers` has it: no escapes for HTML, letters of all scripts as they are."""
    return json.dumps(value, ensure_ascii=False, indent=indent, **options)


def _now(form: str) -> str:
    return datetime.now().strftime(form)


def _environment() -> Any:
    from jinja2 import nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """{% generation %} … {% endgeneration %} marks answers for training."""

        tags = {"generation"}  # noqa: RUF012  # as Jinja declares it

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body, lineno=line)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, Generation]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _now
    return environment


def _answer(environment: Any, request: dict[str, Any]) -> dict[str, str]:
    from jinja2 import TemplateError, TemplateSyntaxError

    try:
        pieces: list[str] = []
        n_characters = 0
        template = environment.from_string(request["template"])
        for piece in template.generate(**request["variables"]):
            n_characters += len(piece)
            if n_characters > request["most"]:
                return {"error": "size", "message": ""}
            pieces.append(piece)
        return {"text": "".join(pieces)}
    except RefusedError as error:
        return {"error": "refused", "message": str(error)}
    except TemplateSyntaxError as error:
        return {"error": "failed", "message": f"line {error.lineno}: {error.message}"}
    except MemoryError:
        return {"error": "memory", "message": ""}
    except RecursionError:
        return {"error": "failed", "message": "it is nested too deeply"}
    except TemplateError as error:
        return {"error": "failed", "message": str(error)}
    except Exception as error:  # whatever a template's expressions can raise
        return {"error": "failed", "message": f"{type(error).__name__}: {error}"}


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit; the deadline holds there
        return
    try:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = _MEMORY_BYTES if hard == resource.RLIM_INFINITY else min(_MEMORY_BYTES, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    except (OSError, ValueError):  # macOS refuses some limits
        return


def main() -> None:
    """Answers requests until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program at the terminal
    environment = _environment()
    _limit_memory()
    _say({"ready": True})
    for line in sys.stdin:
        _say(_answer(environment, json.loads(line)))


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
