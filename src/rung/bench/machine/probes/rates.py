"""What a processor's arithmetic is measured by: loops registered by the type they multiply.

A rate is a probe, called as probe(part, parts, words) with words (steps, seeds, sinks): it does
`steps` steps of `operations` operations each in registers, begins with the values at `seeds`
(SEED_BYTES of small float32 numbers), and leaves something of its results in 64 bytes of its own,
at sinks + 64 · part, so that nothing may be left out. A multiplication with its addition is two
operations. Of several rates for one type the greatest is the limit, among those whose `when` holds
on this machine: another instruction is another file here, named in FILES.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module

from rung.bench.machine.probing import Probe

FILES = ("arithmetic", "tiles")
SEED_BYTES = 1 << 12
SINK_BYTES = 64


@dataclass(frozen=True)
class Rate:
    """One way to multiply and add values of a type."""

    type: str  # as storage types are named: f32, bf16; int8 for products of integers
    instruction: str
    operations: int
    probe: Probe
    when: Callable[[], bool]


RATES: list[Rate] = []


def rate(
    kind: str, *, instruction: str, operations: int, when: Callable[[], bool]
) -> Callable[[Probe], Probe]:
    """Registers the decorated probe as a rate of a type; `operations` are those of one step."""

    def register(probe: Probe) -> Probe:
        RATES.append(Rate(kind, instruction, operations, probe, when))
        return probe

    return register


def rates_here() -> Iterator[Rate]:
    """The rates that this machine can run."""
    for name in FILES:
        import_module(f"rung.bench.machine.probes.{name}")
    return (known for known in RATES if known.when())
