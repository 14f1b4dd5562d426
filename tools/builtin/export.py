"""Writes a checkpoint as the package ships it: python export.py OUT_DIR [PACKAGE_DIR].

model.bin is llama2.c's version 2: a header of 256 bytes, the norms in float32, and then each matrix
as int8 values followed by one float32 scale for each group of 64. Beside it come tokenizer.bin,
loss.jsonl and the picture loss.png.
"""

from __future__ import annotations

import argparse
import json
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from model import GROUP, Config, quantize

MAGIC = 0x616B3432
VERSION = 2
HEADER_BYTES = 256
PACKAGE_DIR = Path(__file__).parents[2] / "src" / "rung" / "builtin"
Weights = dict[str, np.ndarray]


def header(config: Config) -> bytes:
    """The header: magic, version, seven sizes, the shared-classifier flag and the group size.

    Nothing is aligned: the flag is the single byte 36, and the group size begins at byte 37.
    """
    sizes = (config.dim, config.hidden_dim, config.n_layers, config.n_heads, config.n_kv_heads)
    sizes += (config.vocab_size, config.seq_len)
    packed = struct.pack("<Ii7iBi", MAGIC, VERSION, *sizes, 1, GROUP)
    return packed.ljust(HEADER_BYTES, b"\0")


def norm_names(config: Config) -> Iterator[str]:
    """The norms in the order of the file."""
    for kind in ("attention_norm", "ffn_norm"):
        yield from (f"blocks.{layer}.{kind}.weight" for layer in range(config.n_layers))
    yield "norm.weight"


def matrix_names(config: Config) -> Iterator[str]:
    """The matrices in the order of the file: the embedding, and then each kind, layer by layer."""
    yield "embedding.weight"
    for kind in ("wq", "wk", "wv", "wo", "w1", "w2", "w3"):
        yield from (f"blocks.{layer}.{kind}.weight" for layer in range(config.n_layers))


def write_model(config: Config, weights: Weights, path: Path) -> None:
    """Write model.bin. Raises ValueError where a weight is left over or has an unfit width."""
    order = [*norm_names(config), *matrix_names(config)]
    if sorted(order) != sorted(weights):
        raise ValueError(f"weights and file order differ: {sorted(set(order) ^ set(weights))}")
    with path.open("wb") as file:
        file.write(header(config))
        for name in norm_names(config):
            file.write(weights[name].astype("<f4").tobytes())
        for name in matrix_names(config):
            if weights[name].shape[1] % GROUP:
                raise ValueError(f"{name} is {weights[name].shape}, not in whole groups of {GROUP}")
            values, scales = quantize(torch.from_numpy(weights[name]))
            file.write(values.numpy().tobytes())
            file.write(scales.numpy().astype("<f4").tobytes())


def draw_loss(rows: list[dict[str, float]], path: Path) -> None:
    """The loss curves as a small picture."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 3.6))
    tokens = [row["tokens"] / 1e6 for row in rows]
    axes.plot(tokens, [row["loss"] for row in rows], linewidth=1, label="training")
    held_out = [row for row in rows if "validation_loss" in row]
    axes.plot(
        [row["tokens"] / 1e6 for row in held_out],
        [row["validation_loss"] for row in held_out],
        marker="o",
        markersize=3,
        linewidth=1,
        label="validation",
    )
    floor = min(row["loss"] for row in rows)
    axes.set(xlabel="million tokens", ylabel="nats a token", ylim=(floor * 0.9, floor * 2.2))
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, dpi=90)


def main() -> None:
    """Export everything that the package ships."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("package_dir", type=Path, nargs="?", default=PACKAGE_DIR)
    options = parser.parse_args()
    out_dir, package_dir = options.out_dir, options.package_dir
    summary = json.loads((out_dir / "summary.json").read_text())
    config = Config(**{name: summary[name] for name in Config.__dataclass_fields__})
    with np.load(out_dir / "weights.npz") as weights:
        write_model(config, dict(weights), package_dir / "model.bin")
    shutil.copyfile(out_dir / "tokenizer.bin", package_dir / "tokenizer.bin")
    shutil.copyfile(out_dir / "loss.jsonl", package_dir / "loss.jsonl")
    rows = [json.loads(line) for line in (out_dir / "loss.jsonl").read_text().splitlines()]
    draw_loss(rows, package_dir / "loss.png")
    for name in ("model.bin", "tokenizer.bin", "loss.png"):
        print(f"{(package_dir / name).stat().st_size:>9,} bytes  {name}")


if __name__ == "__main__":
    main()
