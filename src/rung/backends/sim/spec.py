"""What a made-up device is like, as RUNG_SIM says."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from rung import env
from rung.errors import UsageError

_FLAGS = {"no": False, "yes": True}


@dataclass(frozen=True)
class SimSpec:
    """Rules and speeds of a made-up device.

    memory: bytes that it has, 0 for no limit. refuse: ops, or storage types of any input, that it
    has no kernels for. reads_host: whether it reads host memory as it is. offload_from: tokens of a
    batch from which it would take products whose weights are on the host; 0 is never. What it is
    said to do, for predictions: copy_gbs, 1e9 bytes a second between it and the host; gbs, from its
    own memory; gflops, 1e9 operations a second; latency_us, microseconds to start an op.
    """

    memory: int = 0
    refuse: frozenset[str] = frozenset()
    reads_host: bool = False
    offload_from: int = 0
    copy_gbs: float = 10.0
    gbs: float = 500.0
    gflops: float = 10_000.0
    latency_us: float = 5.0

    def describe(self) -> dict[str, Any]:
        """Its facts by name, for people."""
        return {
            "what": "a made-up device that computes on the CPU, for --device sim",
            "memory": f"{self.memory / 2**20:,.1f} MiB" if self.memory else "no limit",
            "has no kernels for": sorted(self.refuse),
            "reads host memory": "yes" if self.reads_host else "no",
        }

    @staticmethod
    def parse(text: str) -> SimSpec:
        """Such as "memory=64M,refuse=attention|q4_k". Raises UsageError for anything else."""
        spec = SimSpec()
        names = [field.name for field in fields(SimSpec)]
        for word in filter(None, text.replace(" ", "").split(",")):
            name, _, value = word.partition("=")
            if name not in names:
                raise UsageError(f"RUNG_SIM: {name!r} is not one of {', '.join(names)}")
            try:
                spec = replace(spec, **{name: _value(name, value)})
            except (KeyError, ValueError):
                raise UsageError(f"RUNG_SIM: {word!r} has no value that {name} could be") from None
        return spec


def _value(name: str, text: str) -> Any:
    if name == "refuse":
        return frozenset(filter(None, text.split("|")))
    if name == "reads_host":
        return _FLAGS[text]
    if name in ("memory", "offload_from"):
        return env.parse_bytes(text)
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(text)
    return value
