"""`rung devices`: the processors Rung finds, and the settings it reads."""

from __future__ import annotations

import json as json_format
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from rung import env
from rung.cli import options, show


def devices(
    env_only: Annotated[
        bool, typer.Option("--env", help="List the environment variables that Rung reads.")
    ] = False,
    json: options.Json = False,
) -> None:
    """List the processors that Rung can use, with what they can do."""
    if env_only:
        variables = _variables()
        print(json_format.dumps(variables, indent=2) if json else _variables_text(variables))
        return
    from rung.backends.blas import backend as blas
    from rung.backends.cpu import machine
    from rung.backends.sim.spec import SimSpec
    from rung.backends.webgpu import backend as webgpu
    from rung.tuning.file import tuned_on

    tuned = tuned_on(machine.default_threads()) or "never (rung tune)"
    facts = {
        "cpu": machine.describe() | {"tuned": tuned},
        "blas": blas.describe(),
        **webgpu.describe_all(),
        "sim": SimSpec.parse(env.SIM.get()).describe(),
    }
    print(json_format.dumps(facts, indent=2, default=str) if json else _devices_text(facts))


def _variables() -> list[dict[str, str]]:
    return [
        {
            "name": variable.name,
            "value": variable.get(),
            "default": variable.default,
            "meaning": variable.meaning,
        }
        for variable in env.VARIABLES
    ]


def _variables_text(variables: list[dict[str, str]]) -> str:
    return show.facts(
        {
            v["name"]: v["meaning"] + (f" [now: {v['value']}]" if v["value"] else "")
            for v in variables
        }
    )


def _devices_text(facts: Mapping[str, Mapping[str, Any]]) -> str:
    return "\n".join(
        f"{name}\n{show.facts(dict(_shown(*fact) for fact in values.items()), '  ')}"
        for name, values in facts.items()
    )


def _shown(name: str, value: object) -> tuple[str, str]:
    """A fact on one line: sizes in a readable unit, lists joined."""
    if name.endswith(" bytes") and isinstance(value, int):
        return name.removesuffix(" bytes"), show.size(value)
    if isinstance(value, Mapping):
        return name, ", ".join(f"{key} {item}" for key, item in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return name, " ".join(str(item) for item in value) or "none"
    return name, "unknown" if value is None or value == "" else str(value)
