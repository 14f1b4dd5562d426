"""What the kernels of linear on the CPU share: how outputs are cut, tile sizes, the bias.

In every kernel each output has accumulators of its own, summed in an order that depends on K alone.
So a token's result is the same bits in whatever batch it stands, at any number of threads.
Outputs, not tokens, are cut among threads: each weight is read by one thread, once a block of
tokens, and that reading is what decoding waits for.
"""

# T tokens, N output width; R×C tile of tokens × outputs

from numba.extending import register_jitable

from rung.registry import Split
from rung.simd.finish import finish as finish
from rung.simd.lanes import (
    LANES,
    tile_fma,
    tile_load,
    tile_load_some,
    tile_store,
    tile_zeros,
)
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
def tile_product(x_TK, w_NK, y_TN, t, n, row, R, C):
    """y[t : t+R, n : n+C] = x · wᵀ for rows `row`… of w, by R·C vectors of sums."""
    K = x_TK.shape[1]
    whole = K // LANES * LANES
    tile = tile_zeros(R, C)
    for k in range(0, whole, LANES):
        tile = tile_fma(tile, tile_load(x_TK, t, k, R), tile_load(w_NK, row, k, C))
    if whole < K:
        x = tile_load_some(x_TK, t, whole, R, K - whole)
        tile = tile_fma(tile, x, tile_load_some(w_NK, row, whole, C, K - whole))
    tile_store(tile, y_TN, t, n, C)


@register_jitable
def _tile_of_elements(x_TK, w_NK, y_TN, t, n, R, C, _):
    tile_product(x_TK, w_NK, y_TN, t, n, n, R, C)


@register_jitable
def tiled_product(x_TK, w_NK, y_TN, start, stop):
    """y[:, start : stop] = x · wᵀ in tiles; each weight is one element."""
    T = y_TN.shape[0]
    tiled = T // ROWS * ROWS
    if tiled > 0:
        in_tiles(_tile_of_elements, x_TK[:tiled], w_NK, y_TN[:tiled], start, stop, 0)
    for t in range(tiled, T):
        streamed_token(x_TK, w_NK, y_TN, t, start, stop)


@register_jitable
def streamed_token(x_TK, w_NK, y_TN, t, start, stop):
    """y[t, start : stop] = x[t] · wᵀ, reading four quarters of the rows side by side.

    Each quarter is one long run of memory, which the processor foresees, and four sums at a time
    keep its arithmetic busy: 33 GB/s on one Zen 4 core, against 11 for four neighboring rows, 18
    for those with prefetch instructions, and 15 for one row after the other.
    """
    K = x_TK.shape[1]
    quarter = (stop - start) // COLUMNS
    end = start + quarter * COLUMNS
    w_CX = w_NK[start:end].reshape(COLUMNS, quarter * K)
    y_CX = y_TN[t, start:end].reshape(COLUMNS, quarter)
    whole = K // LANES * LANES
    for row in range(quarter):
        tile = tile_zeros(COLUMNS, 1)
        for k in range(0, whole, LANES):
            w = tile_load(w_CX, 0, row * K + k, COLUMNS)
            tile = tile_fma(tile, w, tile_load(x_TK, t, k, 1))
        if whole < K:
            w = tile_load_some(w_CX, 0, row * K + whole, COLUMNS, K - whole)
            tile = tile_fma(tile, w, tile_load_some(x_TK, t, whole, 1, K - whole))
        tile_store(tile, y_CX, 0, row, 1)
    for n in range(end, stop):
        tile_product(x_TK, w_NK, y_TN, t, n, n, 1, 1)


@register_jitable
def in_tiles(tile, x_TK, w_NK, y_TN, start, stop, constant):
    """y[:, start : stop] by calls of tile(x, w, y, t, n, R, C, constant), tokens in blocks."""
    T = y_TN.shape[0]
    whole = start + (stop - start) // COLUMNS * COLUMNS
    for block in range(0, T, BLOCK):
        end = min(block + BLOCK, T)
        tiled = block + (end - block) // ROWS * ROWS
        for n in range(start, whole, NARROW):
            for t in range(block, tiled, ROWS):
                tile(x_TK, w_NK, y_TN, t, n, ROWS, NARROW, constant)
        for n in range(start, whole, COLUMNS):
            for t in range(tiled, end):
                tile(x_TK, w_NK, y_TN, t, n, 1, COLUMNS, constant)
        for n in range(whole, stop):
            for t in range(block, end):
                tile(x_TK, w_NK, y_TN, t, n, 1, 1, constant)
