"""Write docs/performance.md, its pictures and README.md's part, from benchmarks/results/*.jsonl.

python tools/performance_page.py            writes them; needs matplotlib
python tools/performance_page.py --check    exit status 1 where something is not up to date
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from performance.page import Results, build, stale, write
from performance.rows import RowError

ROOT = Path(__file__).resolve().parents[1]


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository (this one)")
    options = parser.parse_args(arguments)
    try:
        page = build(Results.of(options.root / "benchmarks" / "results"))
        if not options.check:
            write(page, options.root)
            return 0
        found = stale(page, options.root)
    except RowError as error:
        print(error, file=sys.stderr)
        return 1
    except ImportError as error:
        print(f'drawing needs matplotlib: pip install "rung[plot]" ({error})', file=sys.stderr)
        return 1
    for what in found:
        print(f"{what} is not up to date: run python tools/performance_page.py")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
