"""A run: options, data and model that fit, the loop, what it saves and tells."""
