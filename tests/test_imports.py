"""Imports run one way: a room knows those below it, and no kernel knows another backend."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import rung

PACKAGE = Path(rung.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# From the top down. Rooms of one line stand beside each other, and do not know each other either.
ORDER = (
    ("cli",),
    ("train", "bench"),
    ("engine",),
    ("tuning", "draw"),
    ("schedule",),
    ("backends",),
    ("formats", "tokenizers"),
    ("models",),
    ("ops",),
    ("graph", "wgsl"),
    ("registry",),
    ("storage",),
    ("simd",),
    ("env", "errors", "closing"),
)
RANK = {room: rank for rank, rooms in enumerate(ORDER) for room in rooms}
# The graph itself knows no op, but what is made of graphs names those it is about.
ABOUT_OPS = ("graph/grad.py", "graph/passes/")
# A vocabulary may lie in a model's file, and a model's file beside its vocabulary.
TOGETHER = {"formats", "tokenizers"}
BACKENDS = ("blas", "cpu", "webgpu")


def _imported(path: Path) -> Iterator[tuple[str, ...]]:
    """Modules of Rung that a file imports, anywhere in it, as words after the package's name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "rung":
            names = [f"rung.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        yield from (tuple(n.split(".")[1:]) for n in names if n.startswith("rung."))


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("room", RANK)
def test_a_room_knows_those_below_it(room: str) -> None:
    files = [path for path in FILES if _room(path) == room]
    assert files
    wrong = []
    for path in files:
        name = path.relative_to(PACKAGE).as_posix()
        for words in _imported(path):
            other = words[0]
            if other not in RANK or other == room or RANK[other] > RANK[room]:
                continue
            if {room, other} == TOGETHER:
                continue
            if not (other == "ops" and name.startswith(ABOUT_OPS)):
                wrong.append(f"{name} imports rung.{'.'.join(words)}")
    assert not wrong, "\n".join(wrong)


def test_every_room_has_its_place() -> None:
    assert {_room(path) for path in FILES} - {"__init__", "__main__"} == set(RANK)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_kernel_knows_its_own_backend(backend: str) -> None:
    files = list((PACKAGE / "ops").glob(f"*/{backend}/*.py"))
    assert files
    for path in files:
        found = {word for words in _imported(path) for word in words[1:]} & {*BACKENDS} - {backend}
        assert not found, f"{path} imports from {found}"
