"""From a kernel's `.wgsl` file to what the GPU compiles.

A file is WGSL with five liberties:
- `var<storage, read> x_TK: …` at the beginning of a line needs no @group and @binding: variables
  are numbered in order. A variable has the name of a tensor of the op, or `NAME_PLANE` for another
  than its first plane.
- Dimensions, attributes and the kernel's constants are there as constants; a constant that is a
  type is an alias.
- `#if NAME`, `#if !NAME`, `#else`, `#endif` keep lines where NAME is true: an optional input that
  is there, a feature of the GPU (f16, subgroups), or a constant.
- `#include "file.wgsl" NAME=text …` puts a file in place, from the kernel's folder or from
  rung/wgsl, with each word NAME in it replaced, alone or before an underscore; in the file's own
  conditions too, so that one file serves tensors of several types in one shader.
- `#repeat i COUNT`, `#end` put lines COUNT times, a number or a constant, with each word i replaced
  by 0u, 1u, …, and each i after an underscore (sum_i) by 0, 1, …. Drivers do not unroll every loop,
  and what is indexed in a loop may then lie in memory instead of registers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from rung.errors import KernelError
from rung.wgsl.call import Constant

_VARIABLE = re.compile(r"^var<(storage, read|storage, read_write|storage|uniform)> *(\w+)")
_SIZES = """\
struct Sizes { T: u32, R: u32 }
var<uniform> sizes: Sizes;
"""
SIZES = "sizes"
"""The uniform that holds the run-time sizes."""
GIVEN = "given"
"""The uniform that holds what a dispatch gives."""


@dataclass(frozen=True)
class Source:
    """Text to compile, and its variables in the order of their bindings."""

    text: str
    variables: tuple[tuple[str, str], ...]  # name, and read, read_write or uniform


def expand(
    path: Path,
    constants: Mapping[str, Constant],
    conditions: Mapping[str, bool],
    tokens: str,
    given: Iterable[str] = (),
) -> Source:
    """The source of a file.

    tokens: an expression for the number of tokens: a number, or a field of `sizes`. given: names of
    the fields of `given`, in their order. Raises KernelError for conditions that do not match and
    files that are not there.
    """
    typed = tuple((name, type(value), value) for name, value in constants.items())
    return _expanded(path, typed, tuple(conditions.items()), tokens, tuple(given))


# Layers are alike, and prompts come in all lengths: without this a program of 124 commands takes
# 240 ms for each new length, of which expanding takes 200 (one x86 core).
@lru_cache(maxsize=1024)
def _expanded(
    path: Path,
    typed: tuple[tuple[str, type, Constant], ...],  # 1, 1.0 and True are equal as keys
    conditions: tuple[tuple[str, bool], ...],
    tokens: str,
    given: tuple[str, ...],
) -> Source:
    constants = {name: value for name, _, value in typed}
    known: dict[str, int] = dict(conditions)
    known |= {name: value for name, value in constants.items() if isinstance(value, int)}
    body = _kept(path, _text(path), known)
    head = [_constant(name, value) for name, value in constants.items()]
    if known.get("matrices") and "coop_mat" in body:
        head.insert(0, "enable wgpu_cooperative_matrix;")
    if known.get("f16") and re.search(r"\bf16\b|\d+h\b", "\n".join([*head, body])):
        head.insert(0, "enable f16;")
    if re.search(r"\btokens\(\)", body):
        if not tokens.isdecimal():
            body = _SIZES + body
        head.append(f"fn tokens() -> u32 {{ return {tokens}{'u' * tokens.isdecimal()}; }}")
    if fields := ", ".join(f"{name}: u32" for name in given):
        body = f"struct Given {{ {fields} }}\nvar<uniform> {GIVEN}: Given;\n{body}"
    variables: list[tuple[str, str]] = []
    lines = []
    for line in body.split("\n"):
        match = _VARIABLE.match(line)
        if match:
            kind = match[1].removeprefix("storage").removeprefix(", ") or "read"
            lines.append(f"@group(0) @binding({len(variables)}) {line}")
            variables.append((match[2], kind))
        else:
            lines.append(line)
    return Source("\n".join([*head, *lines]), tuple(variables))


def _constant(name: str, value: Constant) -> str:
    if isinstance(value, bool):
        return f"const {name}: bool = {str(value).lower()};"
    if isinstance(value, int):
        kind, text = ("u32", f"{value}u") if value >= 0 else ("i32", f"{value}i")
        return f"const {name}: {kind} = {text};"
    if isinstance(value, float):
        return f"const {name}: f32 = {value!r};"
    return f"alias {name} = {value};"


@cache
def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise KernelError(f"{path}: {error.strerror}") from None


def _kept(path: Path, text: str, known: Mapping[str, int]) -> str:
    """The lines of a file that conditions leave, with those of the files that it includes."""
    kept: list[str] = []
    open_conditions: list[bool] = []
    lines = enumerate(text.split("\n"), 1)
    for number, line in lines:
        word, _, rest = line.strip().partition(" ")
        if word == "#if":
            name = rest.strip()
            value = bool(known.get(name.lstrip("!"), False))
            open_conditions.append(value != name.startswith("!"))
        elif word in ("#else", "#endif") and not open_conditions:
            raise KernelError(f"{path}:{number}: {word} without #if")
        elif word == "#else":
            open_conditions[-1] = not open_conditions[-1]
        elif word == "#endif":
            open_conditions.pop()
        elif not all(open_conditions):
            continue
        elif word == "#include":
            kept.append(_included(path, rest.split(), known))
        elif word == "#repeat":
            kept.append(_repeated(path, number, rest.split(), _block(path, number, lines), known))
        elif word == "#end":
            raise KernelError(f"{path}:{number}: #end without #repeat")
        else:
            kept.append(line)
    if open_conditions:
        raise KernelError(f"{path}: #if without #endif")
    return "\n".join(kept)


def _block(path: Path, number: int, lines: Iterator[tuple[int, str]]) -> str:
    """The lines up to the #end of a #repeat."""
    block: list[str] = []
    depth = 1
    for _, line in lines:
        word = line.strip().partition(" ")[0]
        depth += (word == "#repeat") - (word == "#end")
        if not depth:
            return "\n".join(block)
        block.append(line)
    raise KernelError(f"{path}:{number}: #repeat without #end")


def _repeated(
    path: Path, number: int, words: list[str], block: str, known: Mapping[str, int]
) -> str:
    name, count = words
    times = int(count) if count.isdecimal() else known.get(count)
    if times is None:
        raise KernelError(f"{path}:{number}: {count} is neither a number nor a constant")
    kept = []
    for i in range(times):
        text = re.sub(rf"(?<=_){re.escape(name)}(?=\b|_)", str(i), block)
        kept.append(_kept(path, re.sub(rf"\b{re.escape(name)}\b", f"{i}u", text), known))
    return "\n".join(kept)


def _included(path: Path, words: list[str], known: Mapping[str, int]) -> str:
    name = words[0].strip('"')
    beside = path.parent / name
    found = beside if beside.exists() else Path(__file__).parent / name
    text = _text(found)
    for word in words[1:]:
        old, _, new = word.partition("=")
        text = re.sub(rf"\b{re.escape(old)}(?=\b|_)", new, text)
    return _kept(found, text, known)
