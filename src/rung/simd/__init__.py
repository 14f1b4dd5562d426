"""What Numba lacks for CPU kernels: vectors of lanes, atomics, addresses, cache and thread hints.

Everything here is a small function to call inside a compiled kernel. A vector has a fixed number of
lanes whatever the processor is; LLVM splits it over the registers there are, so a kernel is written
once, gives the same bits everywhere, and is fast wherever the lanes fit.
"""
