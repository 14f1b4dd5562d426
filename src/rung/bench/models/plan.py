"""Which prompts and which decoding are measured, as far as the context allows."""

from __future__ import annotations

from dataclasses import dataclass

from rung.bench.models.measure import Task
from rung.errors import UsageError

DEFAULT_PROMPTS = (64, 256, 512)
DEFAULT_DEPTHS = (0, 256)


@dataclass(frozen=True)
class Plan:
    """The tasks, the positions that they need, and what was left out of the defaults."""

    tasks: tuple[Task, ...]
    context_length: int
    notes: tuple[str, ...] = ()

    @property
    def longest_batch(self) -> int:
        """The most tokens that are read at once: a prompt, or what stands before decoding."""
        return max(task.tokens if task.kind == "prompt" else task.depth for task in self.tasks)


def numbers(option: str, text: str | None, *, least: int) -> tuple[int, ...] | None:
    """The whole numbers of a list such as 64,256. Raises UsageError for anything else."""
    if text is None:
        return None
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not all(word.isdecimal() and int(word) >= least for word in words):
        raise UsageError(f"{option} is {text!r}, expected numbers from {least} on, such as 64,256")
    return tuple(dict.fromkeys(map(int, words)))


def plan(
    *,
    prompts: tuple[int, ...] | None,
    depths: tuple[int, ...] | None,
    tokens: int,
    context_length: int | None,
    trained_context: int,
) -> Plan:
    """The tasks of these lists; None is the default list, without what the context has no room for.

    The cache holds what the tasks need, or `context_length` positions. Raises UsageError for a task
    that was asked for and does not fit, and where nothing is left.
    """
    if tokens < 1:
        raise UsageError(f"--tokens is {tokens}, expected at least 1")
    if context_length is not None and not 1 <= context_length <= trained_context:
        raise UsageError(f"--context is {context_length}, this model allows 1 to {trained_context}")
    most = context_length or trained_context
    asked = [Task("prompt", n) for n in (DEFAULT_PROMPTS if prompts is None else prompts)]
    asked += [
        Task("decode", tokens, depth) for depth in (DEFAULT_DEPTHS if depths is None else depths)
    ]
    tasks, notes = [], []
    for task in asked:
        given = prompts if task.kind == "prompt" else depths
        if task.positions <= most:
            tasks.append(task)
        elif given is None:
            notes.append(f"{task.label} is left out: the context holds {most} tokens")
        else:
            raise UsageError(
                f"{task.label} needs {task.positions} positions, the context holds {most}"
            )
    if not tasks:
        raise UsageError("nothing to measure: no --prompt and no --depth that fits the context")
    needed = max(task.positions for task in tasks)
    return Plan(tuple(tasks), context_length or needed, tuple(notes))
