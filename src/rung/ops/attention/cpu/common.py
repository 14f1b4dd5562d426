"""What the kernels of attention on the CPU share."""

import numpy as np
from numba.extending import register_jitable

from rung.registry import Split
from rung.storage import F16, F32

# A head is long work, and there are few: small parts keep the threads equally busy.
HEADS = Split("TH", per_thread=8)


# Types of a cache; others cannot be written.
KEPT_AS = (F32, F16)


def is_cache(k_SGPDL, v_SGCD):
    """Whether keys and values are of types that kernels read."""
    return k_SGPDL.type in KEPT_AS and v_SGCD.type in KEPT_AS


@register_jitable
def first_seen(pos, window):
    """The first position that a token at `pos` sees; window 0 is none."""
    return max(np.int64(0), pos + 1 - window) if window > 0 else np.int64(0)
