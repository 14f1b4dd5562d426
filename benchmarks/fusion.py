"""What each fusion is worth: the GPU's time of a decoding step, with one fusion more at a time.

    python benchmarks/fusion.py --shape llama2-7b --type i8 --kernels

Random weights of a published shape; all layers have the same values, each in memory of its own.
Times are the GPU's own, of a whole step from its first command to the end of its last, medians of
the rounds, by turns; --kernels adds the time of each kernel, with a timestamp after each dispatch,
which costs some 5 µs itself on an H200.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np

from rung import env
from rung.backends.webgpu.backend import WebGpuBackend
from rung.backends.webgpu.gpu import Command
from rung.backends.webgpu.program import GpuProgram
from rung.bench.models.random_weights import random_checkpoint
from rung.bench.models.shapes import shape_named
from rung.bench.results import append_rows, origin
from rung.engine.batch import Batch
from rung.engine.runner import ModelRunner, plan_model
from rung.formats.base import Checkpoint
from rung.models.config import Config, weight_shapes

RESULTS = Path(__file__).parent / "results" / "webgpu_decoding.jsonl"

LATER = ("norm_mlp", "norm_linear", "norm_add")
STEPS = {
    "nothing fused": "none",
    "+ norm, q, k, v, rotation, cache": ",".join(f"-{name}" for name in LATER),
    "+ norm, gate, up, activation": ",".join(f"-{name}" for name in LATER[1:]),
    "+ last norm and output": "",
}
ONE_STEP = {"T": 1, "R": 1}
WARM_UP_S = 0.15  # an idle GPU lowers its clocks within milliseconds


def repeated(config: Config, kind: str) -> Checkpoint:
    """Random weights: those of one layer for all."""
    one = random_checkpoint(replace(config, n_layers=1), kind)
    weights = {}
    for name in weight_shapes(config):
        words = name.split(".")
        if words[0] == "blk":
            words[1] = "0"
        weights[name] = one.weights[".".join(words)]
    return replace(one, config=config, weights=weights)


def fused_as(runner: ModelRunner, device: WebGpuBackend, fuse: str) -> list[Command]:
    """The commands of a decoding step with only some fusions."""
    os.environ[env.GPU_FUSE.name] = fuse
    compiled = runner.executor.compiled(1)
    assert len(compiled.stages) == 1, "some of this model is not on the device"
    kept = [tensor.root for tensor in runner.executor.graph.outputs]
    steps = compiled.plan.stages[0].steps
    program = cast(GpuProgram, device.compile(steps, compiled.memories[0], kept=kept))
    program.submit(ONE_STEP)
    return program.commands(ONE_STEP)


def busy(device: WebGpuBackend, commands: list[Command]) -> None:
    """Keeps the GPU working until its clocks are up."""
    start = time.perf_counter()
    while time.perf_counter() - start < WARM_UP_S:
        for _ in range(8):
            device.gpu.submit(commands)
        device.gpu.wait()


def show_kernels(device: WebGpuBackend, commands: list[Command]) -> None:
    """The time of each kernel in a step, the longest first."""
    busy(device, commands)
    stamps = [np.diff(device.gpu.timed(commands)) for _ in range(7)]
    each = np.median(np.array(stamps), axis=0) / 1e3
    found: dict[str, list[float]] = defaultdict(list)
    for command, microseconds in zip(commands, each, strict=True):
        found[command.pipeline.kernel].append(float(microseconds))
    for name, times in sorted(found.items(), key=lambda item: -sum(item[1])):
        median = statistics.median(times)
        print(f"  {name:32} {len(times):4} times {median:7.2f} µs, {sum(times):8.1f} in all")


def main() -> None:
    """Measures, and prints a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--device", default="webgpu")
    parser.add_argument("--shape", default="stories110M")
    parser.add_argument("--type", default="i8")
    parser.add_argument("--position", type=int, default=127)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--results", type=Path, default=RESULTS, help="append rows to this file")
    parser.add_argument("--kernels", action="store_true", help="time each kernel as well")
    given = parser.parse_args()
    config = shape_named(given.shape)
    checkpoint = repeated(config, given.type)
    runner = plan_model(
        checkpoint,
        device=given.device,
        activations="float32",
        cache_type="f16",
        context_length=min(config.context_length, given.position + 1024),
    )
    device = cast(WebGpuBackend, runner.backends[0])
    runner.forward(Batch.one([1], start=given.position))  # leaves its inputs on the device
    made = {name: fused_as(runner, device, fuse) for name, fuse in STEPS.items()}
    times: dict[str, list[int]] = defaultdict(list)
    for _ in range(given.rounds):
        for name, commands in made.items():
            busy(device, commands)
            times[name] += [device.gpu.span_ns(commands) for _ in range(3)]
    print(f"{given.shape} {given.type}, position {given.position}, {device.gpu.adapter.name}")
    rows = []
    for name, found in times.items():
        step_ms = statistics.median(found) / 1e6
        row = {"benchmark": "fusion", "model": given.shape, "dtype": given.type, "way": name}
        row |= {"commands": len(made[name]), "us": round(step_ms * 1e3)}
        rows.append(row | origin(device.origin))
        rate = 1e3 / step_ms
        print(f"{name:34} {len(made[name]):4} commands {step_ms:7.3f} ms, {rate:6.0f} steps/s")
    if given.kernels:
        show_kernels(device, made[list(STEPS)[-1]])
    append_rows(given.results, rows)
    runner.close()


if __name__ == "__main__":
    main()
