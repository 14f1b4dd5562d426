"""`rung info`: what a file holds."""
