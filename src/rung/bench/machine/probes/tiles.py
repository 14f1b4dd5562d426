"""Tiles of AMX multiplied in registers, with nothing loaded: bfloat16."""

from numba import int64, uint16

from rung.bench.machine.probes.rates import SEED_BYTES, SINK_BYTES, rate
from rung.simd.amx import tiles_close
from rung.simd.bfloat_tiles import BLOCK, bfloat_tiles_open, sums_again, sums_begin, sums_multiply
from rung.simd.memory import array_at
from rung.simd.panels import aligned_floats
from rung.simd.target import host


@rate(
    "bf16",
    instruction="tdpbf16ps",
    operations=4 * 2 * BLOCK * 16,
    when=lambda: host().has("amx-tile") and host().has("amx-bf16"),
)
def multiply_tiles(part, parts, words):
    values = array_at(words[1], (SEED_BYTES // 2,), uint16)
    sums = aligned_floats(1, 4 * 256).reshape(-1)
    bfloat_tiles_open()
    sums_begin(sums, 0, True)
    sums_multiply(values, 0, values, 2 * BLOCK, 3 * BLOCK, True)
    for _ in range(words[0]):
        sums_again()
    tiles_close()
    array_at(words[2] + part * SINK_BYTES, (1,), int64)[0] = words[0]
