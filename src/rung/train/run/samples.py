"""Text of a model in training."""

from __future__ import annotations

from dataclasses import replace

from rung.backends.base import Compiling
from rung.engine.model import Model
from rung.engine.options import Prompts
from rung.engine.runner import plan_model
from rung.errors import UsageError
from rung.models.config import Config
from rung.tokenizers import Tokenizer
from rung.train.run.checkpoints import live_model
from rung.train.step import TrainStep

_TEMPERATURE, _TOP_P = 0.8, 0.95


def check_prompt(tokenizer: Tokenizer, config: Config, prompt: str) -> None:
    """Raises UsageError for a prompt that leaves no room for text: before the first step."""
    count = len(Prompts(tokenizer, config, config.context_length).encode(prompt))
    if not 1 <= count < config.context_length:
        raise UsageError(
            f"--prompt has {count} tokens, expected 1 to {config.context_length - 1}, for the "
            f"model's context is {config.context_length}"
        )


def sample(
    step: TrainStep,
    config: Config,
    tokenizer: Tokenizer,
    prompt: str,
    *,
    max_tokens: int,
    seed: int,
    threads: int | None,
    on_compile: Compiling | None = None,
) -> str:
    """What the model as it is now makes of a prompt; the same seed gives the same text."""
    checkpoint = live_model(config, step)
    held = dict(checkpoint.weights)  # a copy for as long as the text takes
    live = replace(checkpoint, weights=held)
    runner = plan_model(live, threads=threads, on_compile=on_compile)
    with Model(checkpoint, runner, tokenizer) as model:
        text = model.generate(
            prompt, max_tokens=max_tokens, seed=seed, temperature=_TEMPERATURE, top_p=_TOP_P
        )
        return prompt + text.complete().text
