"""`rung train`: the command, its options, what it says and how it stops."""
