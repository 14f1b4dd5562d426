"""Text and token shards as batches of tokens and targets.

tokens    Tokens: shards of ids, mapped or in memory; training and validation data
shuffle   a fixed permutation of windows for a seed and an epoch
loader    Loader: batches at a Position, which two integers tell
sources   files and folders as documents of text
split     which documents are for validation
encode    documents as ids, with the tokens that separate them
prepare   documents as shards in a folder, with a manifest
vocabulary  training a tokenizer
"""

from __future__ import annotations

from rung.train.data.loader import Batch, Loader, Position
from rung.train.data.tokens import DataSet, Tokens, open_data

__all__ = ["Batch", "DataSet", "Loader", "Position", "Tokens", "open_data"]
