"""What the kernels of linear on the CPU share: how outputs are cut, tile sizes, the bias.

In every kernel each output has accumulators of its own, summed in an order that depends on K alone.
So a token's result is the same bits in whatever batch it stands, at any number of threads.
Outputs, not tokens, are cut among threads: each weight is read by one thread, once a block of
tokens, and that reading is what decoding waits for.
"""

# T tokens, N output width; R×C tile of tokens × outputs

from numba.extending import register_jitable

from rung.registry import Split
from rung.simd.target import host

# Threads cut N at multiples of the widest tile, so that no output's code path depends on their
# number.
COLUMNS = 4
OUTPUTS = Split("N", COLUMNS)

# 4×4 accumulators and 8 operands fill 24 of the 32 registers of AVX-512: 100 GFLOP/s on one Zen 4
# core, of 118 at most. A register file of 8 such vectors holds 2×2 tiles without spilling.
ROWS = 4 if host().vector_registers >= 32 else 2
NARROW = 4 if host().vector_registers >= 32 else 2

# Tokens whose activations are kept in the second-level cache while a thread goes through its
# weights: 64 × 2048 × 4 bytes are half a megabyte.
BLOCK = 64


@register_jitable
def add_bias(y_TN, b_N, start, stop):
    """y[:, start : stop] += b, where there is a bias."""
    if b_N is not None:
        for t in range(y_TN.shape[0]):
            for n in range(start, stop):
                y_TN[t, n] += b_N[n]
