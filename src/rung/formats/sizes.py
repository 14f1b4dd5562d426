"""The most that a file may say of a model's shape: far above any model there is.

So low that nothing large is made for a wrong number before the weights are seen.
"""

MOST_CONTEXT = 1 << 24
MOST = {
    "dim": 1 << 20,
    "hidden_dim": 1 << 22,
    "n_layers": 1 << 10,
    "n_heads": 1 << 16,
    "n_kv_heads": 1 << 16,
    "head_dim": 1 << 16,
    "vocab_size": 1 << 24,
    "context_length": MOST_CONTEXT,
}
