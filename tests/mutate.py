"""Damage to a file's bytes, of the kinds that storage, networks and enemies do."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from random import Random

_EXTREMES = (0, 1, 2, 3, 7, 255, 256, 65535, 1 << 20, 1 << 24, 1 << 30, (1 << 31) - 1)
_INTEGERS = [sign * n for n in _EXTREMES for sign in (1, -1)] + [-(1 << 31)]
_HEADER_BYTES = 48  # where the fields of every format here lie


def flip_bits(random: Random, data: bytes) -> bytes:
    """One to eight bits turned over, half of the time in the header."""
    changed = bytearray(data)
    reach = len(data) if random.random() < 0.5 else min(len(data), _HEADER_BYTES)
    for _ in range(random.randint(1, 8)):
        changed[random.randrange(reach)] ^= 1 << random.randrange(8)
    return bytes(changed)


def truncate(random: Random, data: bytes) -> bytes:
    """The end cut off: anywhere, or just a little."""
    reach = len(data) if random.random() < 0.5 else min(len(data), 8)
    return data[: len(data) - random.randint(1, reach)]


def extend(random: Random, data: bytes) -> bytes:
    """Random bytes or zeros after the end."""
    extra = random.randbytes(random.choice((1, 4, 28, 256, random.randint(1, 4096))))
    return data + (extra if random.random() < 0.5 else bytes(len(extra)))


def set_integer(random: Random, data: bytes) -> bytes:
    """An int32 set to an extreme value: mostly a header's field, aligned or not."""
    reach = _HEADER_BYTES if random.random() < 0.8 else len(data)
    offset = random.randrange(max(1, min(reach, len(data)) - 3))
    if random.random() < 0.8:
        offset -= offset % 4
    value = struct.pack("<i", random.choice(_INTEGERS))
    return data[:offset] + value + data[offset + 4 :]


def set_float(random: Random, data: bytes) -> bytes:
    """A float32 set to NaN, an infinity, or a very large or small number."""
    offset = random.randrange(max(1, len(data) // 4)) * 4
    value = random.choice((float("nan"), float("inf"), float("-inf"), 3.4e38, 1e-45, -0.0))
    return data[:offset] + struct.pack("<f", value) + data[offset + 4 :]


def randomise(random: Random, data: bytes) -> bytes:
    """A stretch of random bytes, in place."""
    start = random.randrange(len(data))
    length = min(random.randint(1, 64), len(data) - start)
    return data[:start] + random.randbytes(length) + data[start + length :]


def remove(random: Random, data: bytes) -> bytes:
    """A stretch left out."""
    start = random.randrange(len(data))
    return data[:start] + data[start + random.randint(1, 64) :]


def repeat(random: Random, data: bytes) -> bytes:
    """A stretch twice."""
    start = random.randrange(len(data))
    stop = start + random.randint(1, 64)
    return data[:stop] + data[start:]


def replace_all(random: Random, data: bytes) -> bytes:
    """Random bytes, of any length up to that of the file, or zeros."""
    length = random.randint(0, len(data))
    return random.randbytes(length) if random.random() < 0.8 else bytes(length)


KINDS: tuple[Callable[[Random, bytes], bytes], ...] = (
    flip_bits,
    truncate,
    extend,
    set_integer,
    set_float,
    randomise,
    remove,
    repeat,
    replace_all,
)


def splice(random: Random, data: bytes, donors: Sequence[bytes]) -> bytes:
    """The start of one file and the end of another, cut at any place of each or at the same."""
    donor = random.choice(donors)
    start = random.randint(0, min(len(data), 4 * _HEADER_BYTES))
    stop = start if random.random() < 0.5 else random.randint(0, len(donor))
    return data[:start] + donor[stop:]


def mutate(random: Random, data: bytes, donors: Sequence[bytes]) -> tuple[str, bytes]:
    """The name of one kind of damage and `data` (not empty) after it; `donors` are to splice."""
    kind = random.choice((*KINDS, splice))
    if kind is splice:
        return "splice", splice(random, data, donors)
    return kind.__name__, kind(random, data)
