"""What is added to a product once it is there."""

# T tokens, N output width

from __future__ import annotations

from numba.extending import register_jitable


@register_jitable
def finish(y_TN, b_N, r_TN, start, stop):
    """y[:, start : stop] += b + r; arrays of no size where there is no bias or no residual."""
    if len(b_N) > 0:
        for t in range(y_TN.shape[0]):
            for n in range(start, stop):
                y_TN[t, n] += b_N[n]
    if len(r_TN) > 0:
        for t in range(y_TN.shape[0]):
            for n in range(start, stop):
                y_TN[t, n] += r_TN[t, n]
