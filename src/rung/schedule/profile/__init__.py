"""What runs take: records of them, a summary, and a trace for a viewer.

runs.py      what is recorded while a graph runs
phases.py    runs and the engine's steps, prompts and decoding apart
summary.py   times by kernel and by layer
table.py     the summary as text
trace.py     everything as a trace file
"""
