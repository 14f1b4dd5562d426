"""Write docs/scheduler/*.svg and the example in docs/scheduler.md, from plans of a known shape.

python tools/scheduler_pictures.py            writes them
python tools/scheduler_pictures.py --check    exit status 1 where something is not up to date

Predicted times are those of plain assumptions, not of the machine at hand: so they are the same
everywhere.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src")]

from rung.backends.base import Backend  # noqa: E402
from rung.backends.cpu.backend import CpuBackend  # noqa: E402
from rung.backends.sim.backend import SimBackend  # noqa: E402
from rung.backends.sim.spec import SimSpec  # noqa: E402
from rung.bench.models.shapes import shape_named  # noqa: E402
from rung.draw.layer_picture import layer_picture  # noqa: E402
from rung.draw.layers import layer_drawings  # noqa: E402
from rung.draw.page import overview_sheet, sheet  # noqa: E402
from rung.draw.svg import svg  # noqa: E402
from rung.engine.runner import build_graph  # noqa: E402
from rung.models.config import weight_shapes  # noqa: E402
from rung.models.decoder import Decoder  # noqa: E402
from rung.schedule.costs import MachineCosts, batch_sizes  # noqa: E402
from rung.schedule.homes import Override, Wishes, find_homes  # noqa: E402
from rung.schedule.plan import Plan, make_plan  # noqa: E402
from rung.schedule.problem import Problem  # noqa: E402
from rung.schedule.show import lines  # noqa: E402
from rung.storage import F32, storage_type  # noqa: E402

SHAPE, MATRICES, CACHE = "tinyllama-1.1b", "q8_0", "f16"
PAGE, FOLDER = Path("docs/scheduler.md"), Path("docs/scheduler")
BEGIN, END = "<!-- plan: begin -->", "<!-- plan: end -->"

SHOWN = ("l_out-11", "attn_norm-12 rounded", "Qcur-12", "Qrope-12", "cache_k-12", "kqv-12")
"""Outputs of the nodes in the example."""

HALF = Wishes(gpu_layers=11)
CACHE_ON_HOST = Wishes(gpu_layers=11, cache_on="host")
OVERRIDE = Wishes(gpu_layers="all", overrides=(Override.parse("ffn_(up|gate|down)=cpu"),))


def plan_for(backends: Sequence[Backend], wishes: Wishes, *, tokens: int = 1) -> Plan:
    """A plan of the shape: no weight of it is ever made."""
    config = shape_named(SHAPE)
    types = {
        name: storage_type(MATRICES) if len(shape) > 1 else F32
        for name, shape in weight_shapes(config).items()
    }
    decoder = Decoder(
        config,
        types,
        n_slots=1,
        context_length=config.context_length,
        cache_type=storage_type(CACHE),
    )
    graph = build_graph(decoder, "int8")
    homes = find_homes(graph, backends, wishes, frozenset(decoder.constants))
    return make_plan(Problem(graph, backends, homes, batch_sizes(tokens), MachineCosts()))


def pictures(backends: Sequence[Backend]) -> dict[str, str]:
    """Files by name."""
    host = backends[-1:]
    half, cache = plan_for(backends, HALF), plan_for(backends, CACHE_ON_HOST)
    alone = plan_for(host, Wishes())
    found = {
        "half.svg": (sheet(overview_sheet(half)), "Half of the layers on a device"),
        "cache-on-host.svg": (sheet(overview_sheet(cache)), "Keys and values stay on the host"),
        "override.svg": (
            sheet(overview_sheet(plan_for(backends, OVERRIDE))),
            "Feed-forward weights on the host",
        ),
    }
    for name, plan, title in (
        ("layer.svg", alone, "A layer of a Llama on the CPU"),
        ("layer-cache-on-host.svg", cache, "A layer on a device, its cache on the host"),
    ):
        found[name] = (sheet(layer_picture(layer_drawings(plan)[-1])), title)
    return {name: svg(picture, title) for name, (picture, title) in found.items()}


def example(backends: Sequence[Backend]) -> str:
    """What `rung plan` prints, without most of the nodes."""
    kept: list[str] = []
    for line in lines(plan_for(backends, HALF)):
        output = line.partition("): ")[2].partition(" (")[0]
        if line.startswith("##") or not kept or output in SHOWN:
            kept.append(line)
        elif kept[-1] != "…":
            kept.append("…")
    return "\n".join([BEGIN, "```", *kept, "```", END])


def page_with(text: str, part: str) -> str:
    """The page with the part between its marks replaced. Raises ValueError without marks."""
    if BEGIN not in text or END not in text:
        raise ValueError(f"{PAGE} has no lines {BEGIN} and {END}")
    return text[: text.index(BEGIN)] + part + text[text.index(END) + len(END) :]


def files(root: Path) -> dict[Path, str]:
    """Everything that is made, by path below the root."""
    cpu = CpuBackend(threads=1)
    try:
        backends = [SimBackend(cpu, SimSpec()), cpu]
        text = (root / PAGE).read_text(encoding="utf-8")
        made = {PAGE: page_with(text, example(backends))}
        made |= {FOLDER / name: picture for name, picture in pictures(backends).items()}
    finally:
        cpu.close()
    return made


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository (this one)")
    options = parser.parse_args(arguments)
    made = files(options.root)
    there = {path.relative_to(options.root) for path in (options.root / FOLDER).glob("*")}
    stale = sorted(there - set(made))
    for path, text in made.items():
        file = options.root / path
        if options.check:
            if not file.is_file() or file.read_text(encoding="utf-8") != text:
                stale.append(path)
        else:
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, encoding="utf-8", newline="\n")
    if not options.check:
        for path in stale:
            (options.root / path).unlink()
        return 0
    for name in sorted(path.as_posix() for path in stale):
        print(f"{name} is not up to date: run python tools/scheduler_pictures.py")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
