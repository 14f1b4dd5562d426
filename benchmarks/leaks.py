"""Many generations in one process: what the process and the GPU hold on to, which should not grow.

    python benchmarks/leaks.py --device webgpu --generations 1000

Generates with a small random model, by turns greedily and drawn, to the end and interrupted, and
prints the process's memory and wgpu's objects now and then. Exits with 1 where objects became more
after the first tenth, or memory grew by more than 8 MiB.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from engine_fakes import ByteTokenizer
from rung.backends.webgpu.objects import object_counts
from rung.engine.model import Model
from rung.engine.runner import plan_model
from support import tiny_checkpoint

_MOST_GROWTH_MIB = 8.0


def resident_mib() -> float:
    """Memory of this process that is in use."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise SystemExit("this system does not tell how much memory a process has")


def generate(model: Model, number: int) -> None:
    """One text: greedy, drawn on the device, drawn on the host, or interrupted."""
    options = ({"temperature": 0}, {"top_k": 20}, {"top_p": 0.9}, {"temperature": 0})[number % 4]
    generation = model.generate("once", max_tokens=12, ignore_eos=True, seed=number, **options)
    if number % 4 == 3:
        for _ in range(4):
            generation.step()
        generation.close()
    else:
        generation.complete()


def main() -> int:
    """Runs, and tells."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--device", default="webgpu")
    parser.add_argument("--generations", type=int, default=1000)
    given = parser.parse_args()
    checkpoint = tiny_checkpoint(context_length=64)
    runner = plan_model(checkpoint, device=given.device)
    before: tuple[float, dict[str, int]] | None = None
    now = resident_mib(), object_counts()
    with Model(checkpoint, runner, ByteTokenizer()) as model:
        for number in range(given.generations):
            generate(model, number)
            if (number + 1) % max(given.generations // 10, 1) == 0:
                now = resident_mib(), object_counts()
                before = before or now
                counts = ", ".join(f"{count} {name}" for name, count in now[1].items() if count)
                print(f"{number + 1:6} generations: {now[0]:.1f} MiB; {counts}", flush=True)
    assert before is not None
    grown = now[0] - before[0]
    more = {name: n - before[1][name] for name, n in now[1].items() if n > before[1][name]}
    print(f"memory grew by {grown:.1f} MiB; objects that became more: {more or 'none'}")
    return int(bool(more) or grown > _MOST_GROWTH_MIB)


if __name__ == "__main__":
    sys.exit(main())
