"""A training step beside PyTorch's: GPT-2's shape, random weights, step by step in turns.

    python benchmarks/training.py --model gpt2-124m --sequences 4 --tokens 64 --threads 2
    python benchmarks/training.py --device webgpu --sides rung --sequences 8 --tokens 1024 --profile

Each side is a process of its own, so that its peak memory is its own. They take steps by turns, the
first two of each uncounted: forward, backward, clipping to norm 1, AdamW. The ratio of each turn is
a side's time / the first side's; the row kept has the medians. PyTorch runs eager, with packed
weights, its fused attention and its fused AdamW; `pytorch-bf16` is the same under bfloat16
autocast, and `rung-bf16` has `precision="bfloat16"`. Losses of all sides are printed: they start
from the same weights and see the same tokens.

`--llmc FOLDER` adds llm.c, whose train_gpt2 is in that folder, built with -Ofast -march=native
-fopenmp -DOMP. It does not clip, and its AdamW has other constants, so its losses are others.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from llmc import MOST_TURNS, SEQUENCES, TOKENS, LlmcSide

from rung.backends.base import KernelBackend, Origin
from rung.backends.cpu.peak_memory import peak_memory_bytes
from rung.bench.results import append_rows, origin
from rung.models.config import Config, weight_shapes

SIDES = ("rung", "rung-bf16", "pytorch", "pytorch-bf16")
RESULTS = Path(__file__).parent / "results" / "training.jsonl"

# Width, layers, heads, vocabulary.
MODELS = {
    "gpt2-124m": (768, 12, 12, 50257),
    "gpt2-tiny": (128, 2, 4, 1000),
}
RATE, BETAS, DECAY, CLIP = 1e-4, (0.9, 0.95), 0.1, 1.0

# Between turns, so that no thread of the other side still waits for work by spinning.
PAUSE_S = 0.3

Step = Callable[[], float]


def config_of(model: str) -> Config:
    """GPT-2's shape with the sizes of a model."""
    dim, layers, heads, vocabulary = MODELS[model]
    return Config(
        family="gpt2",
        dim=dim,
        hidden_dim=4 * dim,
        n_layers=layers,
        n_heads=heads,
        n_kv_heads=heads,
        head_dim=dim // heads,
        vocab_size=vocabulary,
        context_length=1024,
        norm="layer",
        mlp="gelu",
        rope=None,
        qkv_bias=True,
        output_bias=True,
        mlp_bias=True,
        bos_id=None,
        eos_ids=(),
    )


def weights_of(config: Config) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    """GPT-2's way to begin: matrices normal with deviation 0.02, norms 1, biases 0."""
    rng = np.random.default_rng(0)
    found = {}
    for name, shape in weight_shapes(config).items():
        if len(shape) > 1:
            found[name] = rng.standard_normal(shape, np.float32) * np.float32(0.02)
        else:
            found[name] = np.full(shape, "norm.weight" in name, np.float32)
    return found


def batch_of(config: Config, sequences: int, tokens: int) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Tokens and targets, [2, B, T]: each target is the next token, of the last one the first."""
    rng = np.random.default_rng(1)
    stream = rng.integers(0, config.vocab_size, sequences * tokens).astype(np.int32)
    return np.stack([stream, np.roll(stream, -1)]).reshape(2, sequences, tokens)


def rung_step(options: argparse.Namespace) -> tuple[Step, Callable[[], str], Origin]:
    """A step of ours, the table of what its kernels take, and where that holds."""
    from rung.train.step import AdamW, TrainStep

    config = config_of(options.model)
    step = TrainStep(
        config,
        weights_of(config),
        sequences=options.sequences,
        tokens=options.tokens,
        device=options.device,
        threads=options.threads,
        optimizer=AdamW(beta1=BETAS[0], beta2=BETAS[1], weight_decay=DECAY),
        recompute=options.recompute,
        precision="bfloat16" if options.side == "rung-bf16" else "float32",
    )
    tokens, targets = batch_of(config, options.sequences, options.tokens)

    def run() -> float:
        return step.train([(tokens, targets)], learning_rate=RATE, clip=CLIP)[0]

    def table() -> str:
        texts = []
        for program in ("gradients", "update"):
            profile = step.profile(program)
            for _ in range(3):
                run()
            texts.append(f"{program}\n{profile.summary()}")
        return "\n".join(texts)

    device = step.device
    assert isinstance(device, KernelBackend)
    return run, table, device.origin


def pytorch_step(options: argparse.Namespace, *, bf16: bool) -> tuple[Step, Callable[[], str]]:
    """A step of PyTorch's, on the same weights and tokens."""
    import torch
    from torch.nn import functional

    torch.set_num_threads(options.threads)
    config = config_of(options.model)
    own = {name: torch.from_numpy(values) for name, values in weights_of(config).items()}
    for layer in range(config.n_layers):
        for kind in ("weight", "bias"):
            names = [f"blk.{layer}.attn_{letter}.{kind}" for letter in "qkv"]
            own[f"blk.{layer}.attn_qkv.{kind}"] = torch.cat([own.pop(name) for name in names])
    weights = {name: values.requires_grad_() for name, values in own.items()}
    groups = [
        {"params": [w for w in weights.values() if w.ndim > 1], "weight_decay": DECAY},
        {"params": [w for w in weights.values() if w.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=BETAS, eps=1e-8, fused=True)
    tokens, targets = torch.from_numpy(batch_of(config, options.sequences, options.tokens)).long()
    B, T, D = *tokens.shape, config.dim

    def norm(name: str, x: torch.Tensor) -> torch.Tensor:
        w, b = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return functional.layer_norm(x, (D,), w, b, config.norm_eps)

    def linear(name: str, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def forward() -> torch.Tensor:
        x = functional.embedding(tokens, weights["token_embd.weight"])
        x = x + weights["position_embd.weight"][:T]
        for layer in range(config.n_layers):
            block = f"blk.{layer}"
            qkv = linear(f"{block}.attn_qkv", norm(f"{block}.attn_norm", x))
            heads = (h.view(B, T, -1, config.head_dim).transpose(1, 2) for h in qkv.split(D, 2))
            y = functional.scaled_dot_product_attention(*heads, is_causal=True)
            x = x + linear(f"{block}.attn_output", y.transpose(1, 2).reshape(B, T, D))
            up = linear(f"{block}.ffn_up", norm(f"{block}.ffn_norm", x))
            x = x + linear(f"{block}.ffn_down", functional.gelu(up, approximate="tanh"))
        logits = functional.linear(norm("output_norm", x), weights["token_embd.weight"])
        return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())

    def run() -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = forward()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights.values(), CLIP)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return run, lambda: ""


def work(options: argparse.Namespace) -> None:
    """A side's process: a line of JSON for each line on its input, then a table if asked."""
    place = None
    if options.side.startswith("rung"):
        run, table, place = rung_step(options)
    else:
        run, table = pytorch_step(options, bf16=options.side == "pytorch-bf16")
    for line in sys.stdin:
        if line.strip() in ("table", "origin"):
            answer = table() if line.strip() == "table" else origin(place)
            print(json.dumps(answer), flush=True)
            continue
        start = time.perf_counter()
        loss = run()
        seconds = time.perf_counter() - start
        facts = {"s": seconds, "loss": loss, "peak_bytes": peak_memory_bytes()}
        print(json.dumps(facts), flush=True)


class Side:
    """The process of one side."""

    def __init__(self, name: str, arguments: list[str]) -> None:
        command = [sys.executable, __file__, *arguments, "--side", name]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.seconds: list[float] = []
        self.losses: list[float] = []
        self.peak_bytes = 0

    def ask(self, what: str) -> Any:
        """The answer to a line."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def step(self) -> None:
        """One turn."""
        time.sleep(PAUSE_S)
        facts = self.ask("step")
        self.seconds.append(facts["s"])
        self.losses.append(facts["loss"])
        self.peak_bytes = facts["peak_bytes"]

    def close(self) -> None:
        """Ends it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def main() -> None:
    """Takes turns and prints medians, ratios, peak memory and losses."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", choices=MODELS, default="gpt2-124m")
    parser.add_argument("--sequences", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--device", default="cpu", help="ours: cpu, or a GPU, as webgpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--sides", default="rung,pytorch")
    parser.add_argument("--llmc", type=Path, metavar="FOLDER", help="of llm.c's train_gpt2, built")
    parser.add_argument("--recompute", action="store_true", help="ours: keep fewer activations")
    parser.add_argument("--profile", action="store_true", help="print what our kernels take")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side is not None:
        work(options)
        return
    if options.llmc is not None and (
        (options.sequences, options.tokens) != (SEQUENCES, TOKENS) or options.turns > MOST_TURNS - 2
    ):
        parser.error(
            f"--llmc takes {SEQUENCES} sequences of {TOKENS} tokens, {MOST_TURNS - 2} turns at most"
        )
    sides: dict[str, Side | LlmcSide] = {}
    for name in options.sides.split(","):
        sides[name] = Side(name, sys.argv[1:])
    if options.llmc is not None:
        config = config_of(options.model)
        tokens = batch_of(config, SEQUENCES, TOKENS)[0].reshape(-1)
        weights = weights_of(config)
        sides["llm.c"] = LlmcSide(
            options.llmc / "train_gpt2", config, weights, tokens, threads=options.threads
        )
        del weights
    for turn in range(options.turns + 2):
        for side in sides.values():
            side.step()
        if turn == 1:
            for side in sides.values():
                side.seconds.clear()
    ours = next(iter(sides.values()))
    rows = []
    for name, side in sides.items():
        ratios = [b / a for a, b in zip(ours.seconds, side.seconds, strict=True)]
        row = {
            "side": name,
            "s": statistics.median(side.seconds),
            "s_least": min(side.seconds),
            "s_most": max(side.seconds),
            "ratio": statistics.median(ratios),
            "against": next(iter(sides)),
            "tokens_per_s": options.sequences * options.tokens / statistics.median(side.seconds),
            "peak_bytes": side.peak_bytes,
        }
        rows.append(row)
        print(
            f"{name:13s} {row['s']:7.3f} s a step ({row['s_least']:.3f} to {row['s_most']:.3f}), "
            f"{row['tokens_per_s']:6.0f} tok/s, {row['ratio']:5.2f} of the first, "
            f"peak {side.peak_bytes / 2**30:.2f} GiB, "
            f"losses {side.losses[0]:.5f} … {side.losses[-1]:.5f}"
        )
        row |= {"device": options.device if name == "rung" else "cpu", **side.ask("origin")}
    if options.profile:
        for name, side in sides.items():
            if isinstance(side, Side) and name.startswith("rung"):
                print(f"{name}\n{side.ask('table')}")
    for side in sides.values():
        side.close()
    named = ("model", "sequences", "tokens", "threads")
    shape = {name: getattr(options, name) for name in named}
    append_rows(options.results, [{**shape, "turns": options.turns, **r} for r in rows])


if __name__ == "__main__":
    main()
