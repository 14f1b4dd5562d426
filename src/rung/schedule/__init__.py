"""From a graph to runs on several backends: homes, placement, order, splits, memory, execution.

problem  what is to be scheduled, and what things cost
place    a backend for every node, with the cause
order    nodes so that engines change rarely
split    stages, and what is copied between memories
memory   what shares bytes with what
plan     all of that together
execute  plans by size of the batch, compiled and run
"""
