"""Trains the built-in model: python train.py OUT_DIR, with the tokenizer in OUT_DIR already.

AdamW over generated documents in bfloat16, cosine schedule with a warm-up, one fixed seed. It
writes OUT_DIR/weights.npz (float32), loss.jsonl and summary.json, and prints samples at the end.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import sentencepiece
import torch
from corpus import make_windows
from model import Config, Llama, dequantized
from sample import PROMPTS, sample
from torch import Tensor

SEED = 20_240_817
VALIDATION_DOCUMENTS = 2_000
LOG_EVERY = 50


def learning_rate(step: int, *, steps: int, warmup: int, peak: float) -> float:
    """Up in a line over the warm-up, then down along a cosine to zero at the last step."""
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def make_optimizer(model: Llama, *, fused: bool) -> torch.optim.AdamW:
    """AdamW with weight decay on the matrices and none on the norms."""
    matrices = [weight for weight in model.parameters() if weight.dim() == 2]
    norms = [weight for weight in model.parameters() if weight.dim() != 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": norms, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, betas=(0.9, 0.95), fused=fused)


@torch.no_grad()
def mean_loss(model: Llama, windows_NS: Tensor, *, batch: int = 64) -> float:
    """The loss in float32 over all the windows, in nats a token."""
    losses = [model.loss(part).double() * len(part) for part in windows_NS.split(batch)]
    return float(torch.stack(losses).sum() / len(windows_NS))


class Trainer:
    """The loop over steps, with its log."""

    def __init__(self, options: argparse.Namespace, windows_NS: np.ndarray) -> None:
        self.options = options
        self.device = torch.device(options.device)
        torch.manual_seed(SEED)
        if self.device.type == "cuda":
            torch.set_float32_matmul_precision("high")
        self.model = Llama(Config(**json.loads(options.config))).to(self.device)
        self.loss = torch.compile(self.model.loss) if options.compile else self.model.loss
        self.optimizer = make_optimizer(self.model, fused=self.device.type == "cuda")
        # The whole corpus lies on the device: 2 bytes a token.
        self.windows_NS = torch.from_numpy(windows_NS.view(np.int16)).to(self.device)
        self.order_rng = torch.Generator().manual_seed(SEED)
        self.order = torch.empty(0, dtype=torch.int64)
        self.rows: list[dict[str, float]] = []

    def next_batch(self) -> Tensor:
        """The next windows [B, 513]; every epoch has an order of its own."""
        batch = self.options.batch
        if len(self.order) < batch:
            self.order = torch.randperm(len(self.windows_NS), generator=self.order_rng)
        chosen, self.order = self.order[:batch], self.order[batch:]
        return self.windows_NS[chosen.to(self.device)].long()

    def step(self, step: int) -> Tensor:
        """One step of the optimizer; returns the loss as a tensor, without waiting for it."""
        options = self.options
        rate = learning_rate(
            step, steps=options.steps, warmup=options.warmup, peak=options.learning_rate
        )
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with torch.autocast(self.device.type, torch.bfloat16):
            loss = self.loss(self.next_batch())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    def run(self, validation_NS: Tensor) -> float:
        """All the steps; returns the seconds that they took."""
        options = self.options
        began_s = measured_s = time.perf_counter()
        losses: list[Tensor] = []
        for step in range(options.steps):
            losses.append(self.step(step))
            if (step + 1) % LOG_EVERY and step + 1 != options.steps:
                continue
            row = {"step": step + 1, "tokens": (step + 1) * options.batch * 512}
            row["loss"] = round(float(torch.stack(losses).mean()), 5)
            losses.clear()
            if (step + 1) % (10 * LOG_EVERY) == 0 or step + 1 == options.steps:
                row["validation_loss"] = round(mean_loss(self.model, validation_NS[:256]), 5)
            self.rows.append(row)
            now_s = time.perf_counter()
            if step + 1 == 2 * LOG_EVERY and options.max_minutes:
                # The first half of these steps also compiled; only the second half is measured.
                left_s = options.max_minutes * 60 - (now_s - began_s)
                fits = step + 1 + int(left_s / ((now_s - measured_s) / LOG_EVERY))
                options.steps = min(options.steps, fits)
                print(f"{options.steps} steps are planned", flush=True)
            if len(self.rows) % 10 == 0 or len(self.rows) < 4:
                speed = LOG_EVERY * options.batch * 512 / (now_s - measured_s)
                print(f"{row} {speed / 1e6:.2f} M tokens/s", flush=True)
            measured_s = now_s
        return time.perf_counter() - began_s


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--config", default="{}", help="sizes other than the shipped model's, JSON")
    parser.add_argument("--documents", type=int, default=2_000_000)
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--steps", type=int, default=16_000)
    parser.add_argument("--max-minutes", type=float, default=0.0, help="plan fewer steps to fit")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--warmup", type=int, default=400)
    parser.add_argument("--learning-rate", type=float, default=2.5e-3)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default=True)
    return parser.parse_args()


def main() -> None:
    """Make the corpus, train, measure, save and sample."""
    options = parse_options()
    out_dir: Path = options.out_dir
    tokenizer = out_dir / "tokenizer.model"
    workers = options.workers
    held_out = make_windows(tokenizer, seed="validation", documents=VALIDATION_DOCUMENTS, workers=1)
    windows = make_windows(tokenizer, seed="train", documents=options.documents, workers=workers)
    trainer = Trainer(options, windows)
    validation_NS = torch.from_numpy(held_out.astype(np.int64)).to(trainer.device)
    parameters = sum(weight.numel() for weight in trainer.model.parameters())
    print(f"{parameters:,} parameters", flush=True)

    took_s = trainer.run(validation_NS)
    with torch.autocast(trainer.device.type, enabled=False):
        full = mean_loss(trainer.model, validation_NS)
        int8 = mean_loss(dequantized(trainer.model).to(trainer.device), validation_NS)
    summary = asdict(trainer.model.config) | {
        "parameters": parameters,
        "seed": SEED,
        "documents": options.documents,
        "corpus_tokens": windows.size,
        "steps": options.steps,
        "tokens_seen": options.steps * options.batch * 512,
        "train_seconds": round(took_s, 1),
        "train_loss": trainer.rows[-1]["loss"],
        "validation_loss_float32": full,
        "validation_loss_int8": int8,
    }
    print(json.dumps(summary, indent=2), flush=True)
    weights = {name: weight.cpu().numpy() for name, weight in trainer.model.state_dict().items()}
    np.savez(out_dir / "weights.npz", **weights)
    (out_dir / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    with (out_dir / "loss.jsonl").open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in trainer.rows)
    library = sentencepiece.SentencePieceProcessor(model_file=str(tokenizer))
    for prompt in PROMPTS:
        print(f"--- {sample(trainer.model, library, prompt, temperature=0.8, top_p=0.9)}\n")


if __name__ == "__main__":
    main()
