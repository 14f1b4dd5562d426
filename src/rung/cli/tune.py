"""`rung tune`: measure what decides where and how things run on this machine."""

from __future__ import annotations

import json as json_format
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rung.cli import options
from rung.cli.streams import note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rung.backends.cpu.backend import TeamBackend
    from rung.backends.webgpu.backend import WebGpuBackend
    from rung.schedule.rates import Rates
    from rung.tuning.tune import Tuned
    from rung.tuning.workgroups import Swept

_SHAPE = {"N": 2048, "K": 2048}


def tune(
    types: Annotated[
        str | None,
        typer.Option(
            "--types",
            metavar="TYPE,TYPE…",
            help="Types of weights to measure; without it, all that have kernels.",
            show_default=False,
        ),
    ] = None,
    seconds: Annotated[
        float,
        typer.Option(
            "--seconds", min=1, help="Begin nothing after so long; the rest is told and left."
        ),
    ] = 50,
    device: Annotated[
        str,
        typer.Option(
            "--device",
            metavar="NAME",
            help="What to measure: cpu, with a BLAS library if there is one, or a GPU, as webgpu, "
            "webgpu:1, vulkan, metal, dx12.",
        ),
    ] = "cpu",
    threads: options.Threads = None,
    blas: options.Blas = None,
    json: options.Json = False,
) -> None:
    """Measure this machine, so that Rung chooses well: threads, parts, kernels, BLAS or not.

    Takes a minute at most; on a machine where kernels must still be compiled, several runs may be
    needed. What is found is kept in the cache folder and used by every command from then on. Of a
    GPU it is its speeds, and how many threads a workgroup has in the kernels that leave it open.
    """
    if device != "cpu":
        _tune_device(device, types, seconds, threads=threads, blas=blas, json=json)
        return
    from rung.backends.choose import Devices, open_backends
    from rung.backends.cpu.backend import TeamBackend
    from rung.cli.loading import StepProgress
    from rung.tuning.file import keep_rates, load_rates, path
    from rung.tuning.kernels import WEIGHT_TYPES, check_types
    from rung.tuning.tune import tune as measure

    wanted = WEIGHT_TYPES if types is None else check_types(types.split(","))
    backends = open_backends(Devices(threads=threads, blas=blas))
    host = [backend for backend in backends if isinstance(backend, TeamBackend)]
    progress = StepProgress("measuring this machine", quiet=json)
    try:
        tuned = measure(
            host, load_rates(backends), types=wanted, budget_s=seconds, progress=progress
        )
        keep_rates(backends, tuned.rates)
        progress.stop()
        if json:
            print(json_format.dumps(tuned.rates.to_json(), indent=2))
        else:
            _show(tuned, host, wanted)
            note(f"kept in {path()}")
    finally:
        progress.stop()
        for backend in backends:
            backend.close()
    _tell_left_out(tuned.left_out)


def _tell_left_out(names: Sequence[str]) -> None:
    if names:
        print(
            f"no time was left for {len(names)}: {', '.join(names)}; "
            "run rung tune again, or give it more --seconds",
            file=sys.stderr,
        )


def _tune_device(
    device: str,
    types: str | None,
    seconds: float,
    *,
    threads: int | None,
    blas: str | None,
    json: bool,
) -> None:
    """Measures a GPU, and keeps what was found. Raises UsageError for any other device."""
    from rung.backends.choose import check_device
    from rung.backends.webgpu import adapters
    from rung.errors import UsageError

    check_device(device)
    if not adapters.is_name(device):
        raise UsageError(f"nothing of {device} can be measured; rung tune is for cpu and for GPUs")
    if threads is not None or blas is not None:
        raise UsageError("--threads and --blas are for the CPU; leave them out with a GPU")
    from rung.backends.webgpu.backend import WebGpuBackend
    from rung.cli.loading import StepProgress
    from rung.tuning.gpu import keep_workgroups, measure_speeds, workgroups_path
    from rung.tuning.kernels import WEIGHT_TYPES, check_types
    from rung.tuning.workgroups import sweep

    wanted = WEIGHT_TYPES if types is None else check_types(types.split(","))
    backend = WebGpuBackend(device)
    progress = StepProgress("measuring this GPU", quiet=json)
    try:
        speeds = measure_speeds(backend.gpu)
        swept = sweep(backend, types=wanted, budget_s=seconds, progress=progress)
        best = {name: found.best for name, found in swept.sweeps.items()}
        keep_workgroups(backend.gpu, best)
        progress.stop()
        if json:
            facts = {"speeds": asdict(speeds), "workgroups": best}
            print(json_format.dumps(facts, indent=2))
        else:
            _show_workgroups(backend, swept)
            note(f"kept in {workgroups_path()}")
    finally:
        progress.stop()
        backend.close()
    _tell_left_out(swept.left_out)


def _show_workgroups(backend: WebGpuBackend, swept: Swept) -> None:
    """For each kernel: the time at each size, and the size that it will have."""
    from rung.cli.tables import print_table
    from rung.tuning.workgroups import SIZES

    if not swept.sweeps:
        print("no kernel that runs here leaves the size of its workgroups open")
        return
    rows = []
    for name, found in swept.sweeps.items():
        times = [found.seconds.get(size) for size in SIZES]
        cells = ["" if taken is None else f"{taken * 1e6:,.1f}" for taken in times]
        rows.append([name, *cells, str(found.own), str(found.best)])
    title = f"{backend.gpu.adapter.name}: µs of two products by threads of a workgroup"
    print_table(["kernel", *map(str, SIZES), "own", "best"], rows, title=title)


def _show(tuned: Tuned, backends: Sequence[TeamBackend], types: Sequence[str]) -> None:
    rates = tuned.rates
    print(f"threads: {rates.threads} for a token, {rates.threads_batch} for prompts")
    print(f"parts for each thread: {rates.parts} for a token, {rates.parts_batch} for prompts")
    print(f"copies on the host: {rates.copy_gbs:.1f} GB/s\n")
    _show_products(rates, backends, types)


def _show_products(rates: Rates, backends: Sequence[TeamBackend], types: Sequence[str]) -> None:
    """For each type of weights: GFLOP/s by batch on every backend, and where they cross."""
    from rung.cli.tables import print_table
    from rung.schedule.costs import rates_key
    from rung.tuning.kernels import TOKENS, products
    from rung.tuning.measure import subject_node
    from rung.tuning.tune import is_rounded, least_batch

    rows, crossings = [], []
    work = 2.0 * _SHAPE["N"] * _SHAPE["K"]
    for kind in types:
        keys = {}
        node = subject_node(products(kind, rounded=is_rounded(kind)).small)
        for backend in backends:
            key = rates_key(backend, node) if backend.supports(node) else None
            if key in rates.kernels:
                keys[backend.name] = str(key)
        for name, key in keys.items():
            known = rates.kernels[key]
            speeds = [work * n / known.seconds(n, work) / 1e9 for n in TOKENS]
            rows.append([kind, name, *(f"{speed:,.0f}" for speed in speeds)])
        if {"cpu", "blas"} <= set(keys):
            since = least_batch(rates, keys["cpu"], keys["blas"], work=work)
            crossings.append(f"{kind} " + ("never" if since is None else f"from {since} tokens"))
    title = (
        f"products of {_SHAPE['N']}×{_SHAPE['K']} weights in the cache: GFLOP/s by tokens at once"
    )
    print_table(["weights", "backend", *(str(n) for n in TOKENS)], rows, title=title, left=2)
    if crossings:
        print("BLAS is faster, and takes products with weights of type: " + ", ".join(crossings))
    else:
        print("no BLAS library is in use, so the CPU's own kernels take every product")
