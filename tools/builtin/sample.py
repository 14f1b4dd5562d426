"""Samples from a checkpoint: python sample.py OUT_DIR, to be read before a model is shipped."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import sentencepiece
import torch
from model import Config, Llama, dequantized

BOS, EOS = 1, 2
PROMPTS = [
    "",
    "Once upon a time",
    "One day, a little rabbit",
    "Tom and Lily went to the",
    "There was a",
    "The dragon",
    "Lily",
    "[INST] Tell me a story about a shy fox. [/INST]",
    "[INST] Can you write a story about a boy named Sam and a lost kite? [/INST]",
    "[INST] a story about friendship please [/INST]",
]


@torch.no_grad()
def sample(
    model: Llama,
    library: sentencepiece.SentencePieceProcessor,
    prompt: str,
    *,
    temperature: float,
    top_p: float,
    context: list[int] | None = None,
) -> str:
    """The prompt and what the model says after it, up to EOS or a full window.

    `context` holds the ids of earlier turns; the new ids are added to it.
    """
    ids = context if context is not None else []
    start = len(ids)
    ids += [BOS, *(library.encode(prompt) if prompt else [])]
    device = model.cos_TD.device
    while len(ids) < model.config.seq_len:
        logits_V = model(torch.tensor([ids], device=device))[0, -1].float()
        if temperature == 0:
            chosen = int(logits_V.argmax())
        else:
            likely, order = (logits_V / temperature).softmax(-1).sort(descending=True)
            likely[likely.cumsum(-1) - likely > top_p] = 0
            chosen = int(order[torch.multinomial(likely, 1)])
        ids.append(chosen)
        if chosen == EOS:
            break
    ended = " <EOS>" if ids[-1] == EOS else " <CUT>"
    return library.decode([i for i in ids[start:] if i > EOS]) + ended


def load(out_dir: Path) -> tuple[Llama, sentencepiece.SentencePieceProcessor]:
    """The model after int8, as shipped, and the tokenizer of a training folder."""
    summary = json.loads((out_dir / "summary.json").read_text())
    config = Config(**{name: summary[name] for name in Config.__dataclass_fields__})
    model = Llama(config)
    with np.load(out_dir / "weights.npz") as weights:
        model.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights.files})
    tokenizer = str(out_dir / "tokenizer.model")
    return dequantized(model), sentencepiece.SentencePieceProcessor(model_file=tokenizer)


def main() -> None:
    """Print a sample for every prompt, or hold the conversation given on the command line."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--top-p", type=float, default=0.9)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--prompt", action="append", help="a start of a story; may come again")
    parser.add_argument("--chat", nargs="+", help="the user's turns, one after another")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    model, library = load(options.out_dir)
    context: list[int] | None = [] if options.chat else None
    prompts = [f"[INST] {turn} [/INST]" for turn in options.chat or []]
    for prompt in prompts or options.prompt or PROMPTS:
        text = sample(
            model,
            library,
            prompt,
            temperature=options.temperature,
            top_p=options.top_p,
            context=context,
        )
        print(f"--- {text}\n")


if __name__ == "__main__":
    main()
