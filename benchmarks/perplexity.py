"""Perplexity of the built-in model by weight type, with each kind of activations.

    python benchmarks/perplexity.py [--types q4_0,q4_k] [--stories 100] [--append FILE.jsonl]

The text is stories of the built-in model's own grammar under a seed that training did not use, so
the model is a trained one and the text its own language. Every type is made from the same weights.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from dataclasses import replace
from pathlib import Path

import rung
from rung.bench.results import append_rows, commit
from rung.engine import evaluate
from rung.engine.generate import Engine
from rung.engine.runner import Activations, multiplies_bfloat16, plan_model
from rung.formats import open_checkpoint
from rung.formats.base import Checkpoint
from rung.storage import quantize, storage_type

TYPES = ("f32", "f16", "bf16", "i8", "i8_g64", "q8_0", "q6_k", "q5_k", "q4_k", "q4_0")
BUILTIN = Path(rung.__file__).parent / "builtin"


def stories(count: int) -> list[str]:
    """Stories that the model has not seen."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tools" / "builtin"))
    from grammar import generate

    rng = random.Random("perplexity by activations")
    return [generate(rng).text for _ in range(count)]


def in_type(checkpoint: Checkpoint, name: str) -> Checkpoint:
    """A checkpoint whose matrices are in another storage type."""
    weights = {
        key: quantize(w.float32(), storage_type(name if len(w.shape) == 2 else "f32"))
        for key, w in checkpoint.weights.items()
    }
    return replace(checkpoint, weights=weights)


def perplexity(checkpoint: Checkpoint, activations: Activations, texts: list[list[int]]) -> float:
    """Over all texts, each read from its own beginning and weighed by its tokens."""
    runner = plan_model(checkpoint, activations=activations)
    try:
        engine = Engine(runner)
        tokens = sum(len(ids) - 1 for ids in texts)
        nats = sum(math.log(evaluate.perplexity(engine, ids)) * (len(ids) - 1) for ids in texts)
        return math.exp(nats / tokens)
    finally:
        runner.close()


def main() -> None:
    """Measures and prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--stories", type=int, default=100, help="how many stories (100)")
    parser.add_argument("--types", default=",".join(TYPES), help="of weights (all)")
    parser.add_argument("--append", type=Path, help="add rows to this file of JSON lines")
    options = parser.parse_args()
    types = options.types.split(",")
    if unknown := set(types) - set(TYPES):
        parser.error(f"--types: no {', '.join(sorted(unknown))}; there are: {', '.join(TYPES)}")
    checkpoint = open_checkpoint(BUILTIN / "model.bin")
    with rung.load() as model:
        texts = [model.prompts.encode(text) for text in stories(options.stories)]
        texts = [ids[: model.context_length] for ids in texts]
    print("| weights | float32 activations | int8 | change | bfloat16 | change |")
    print("|---|---|---|---|---|---|")
    for name in types:
        stored = in_type(checkpoint, name)
        plain = perplexity(stored, "float32", texts)
        rounded = plain if name in ("f32", "f16", "bf16") else perplexity(stored, "int8", texts)
        change = rounded / plain - 1
        line = f"| {name} | {plain:.5f} | {rounded:.5f} | {change:+.4%} |"
        row = {
            "op": "perplexity",
            "dtype": name,
            "shape": "built-in",
            "tokens": sum(map(len, texts)),
            "float32": round(plain, 6),
            "int8": round(rounded, 6),
            "change": round(change, 7),
            "commit": commit(),
        }
        if multiplies_bfloat16() and name not in ("f32", "i8_g64"):
            tiled = perplexity(stored, "bfloat16", texts)
            row["bfloat16"] = round(tiled, 6)
            row["bfloat16_change"] = round(tiled / plain - 1, 7)
            line += f" {tiled:.5f} | {tiled / plain - 1:+.4%} |"
        print(line, flush=True)
        if options.append:
            append_rows(options.append, [row])


if __name__ == "__main__":
    main()
