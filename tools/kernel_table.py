"""Write docs/kernels.md: every op, and every numbered kernel of every backend, from the registry.

python tools/kernel_table.py            writes the page
python tools/kernel_table.py --check    exit status 1 where the page is not up to date
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src")]

from rung.backends import NAMES as BACKENDS  # noqa: E402
from rung.ops import load_kernels  # noqa: E402
from rung.registry import OPS, Kernel, Op  # noqa: E402

PAGE = ROOT / "docs" / "kernels.md"

_HEAD = """\
# Kernels

Generated from the registry by `python tools/kernel_table.py`; a test keeps it up to date.

An op has one meaning and, on each backend, one or more ladders of numbered kernels. A ladder's
name, its *form*, tells what it is for, mostly a weight type. The newest version that accepts an
op's shapes and types runs. `RUNG_PIN="linear:i8/cpu=1"` takes another: op, form where there is one,
backend, version.
"""


def page() -> str:
    """The whole page as Markdown."""
    for backend in BACKENDS:
        load_kernels(backend)
    ops = sorted(OPS.values(), key=lambda op: (_home(op), op.name))
    return "\n".join([_HEAD, *_summary(ops), *(line for op in ops for line in _section(op))])


def _home(op: Op) -> str:
    """The file that declares an op, from the root of the repository."""
    return Path(inspect.getsourcefile(op.reference) or "").relative_to(ROOT).as_posix()


def _summary(ops: list[Op]) -> Iterator[str]:
    yield f"| op | meaning | {' | '.join(BACKENDS)} |"
    yield "|---|---|" + "---|" * len(BACKENDS)
    for op in ops:
        newest = (_newest(op, backend) for backend in BACKENDS)
        yield f"| [{op.name}](#{op.name}) | {_cell(op.formula)} | {' | '.join(newest)} |"
    yield ""


def _newest(op: Op, backend: str) -> str:
    """The top version of each form, as in "f32 3, i8 2"."""
    top: dict[str, int] = {}
    for kernel in _ladder(op, backend):
        top[kernel.form] = max(kernel.version, top.get(kernel.form, 0))
    return ", ".join(f"{form} {version}".strip() for form, version in top.items()) or "none"


def _section(op: Op) -> Iterator[str]:
    yield f"## {op.name}"
    yield ""
    yield f"{_cell(op.formula)}  "
    yield f"[{_home(op)}](../{_home(op)})"
    yield ""
    yield "| kernel | why |"
    yield "|---|---|"
    for backend in BACKENDS:
        for kernel in _ladder(op, backend):
            terms = f" ({kernel.terms})" if kernel.terms else ""
            yield f"| `{kernel.name}` | {_cell(kernel.why + terms)} |"
    yield ""


def _ladder(op: Op, backend: str) -> list[Kernel]:
    kernels = (kernel for kernel in op.kernels if kernel.backend == backend)
    return sorted(kernels, key=lambda kernel: (kernel.form, kernel.version))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    arguments = parser.parse_args()
    text = page()
    if not arguments.check:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == text:
        return 0
    print(f"{PAGE.relative_to(ROOT)} is not up to date: run python tools/kernel_table.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
