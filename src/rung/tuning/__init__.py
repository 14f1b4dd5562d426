"""Measuring what the scheduler and the kernels need to choose, and keeping it.

measure  how long a node takes on a backend, for some numbers of tokens
kernels  which nodes are measured, and rates from their times
tune     all that `rung tune` measures, in a given time
probe    the few products that decide when nothing was tuned
file     rates on disk, by machine
"""
