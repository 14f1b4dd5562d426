"""`rung bench`: the machine, and models on it."""
