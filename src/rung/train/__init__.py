"""Training: one step of it, and what goes around that."""
