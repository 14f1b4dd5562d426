"""The CPU backend: threads that sleep, its cache on disk, what it finds out about the machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from rung import ops
from rung.backends.base import Step
from rung.backends.cpu import cache, machine
from rung.backends.cpu.backend import CpuBackend
from rung.backends.cpu.program import CpuProgram, waits
from rung.backends.cpu.team import Team
from rung.engine.batch import Batch
from rung.engine.runner import plan_model
from rung.errors import BackendError, UsageError
from rung.graph.ir import Graph
from rung.registry import select
from rung.storage import stored
from support import tiny_checkpoint


def test_idle_threads_sleep() -> None:
    runner = plan_model(tiny_checkpoint(), threads=3)
    runner.forward(Batch.one([1, 2, 3]))
    time.sleep(0.1)
    before = time.process_time()
    time.sleep(0.5)
    used = time.process_time() - before
    runner.close()
    assert used < 0.1


def test_work_after_sleep_is_done_by_all_and_right() -> None:
    checkpoint = tiny_checkpoint()
    runner = plan_model(checkpoint, threads=3)
    first = runner.forward(Batch.one([1, 2, 3])).copy()
    for _ in range(3):
        time.sleep(0.05)
        assert np.array_equal(runner.forward(Batch.one([1, 2, 3])), first)
    runner.close()


def test_closing_ends_the_threads() -> None:
    before = threading.active_count()
    team = Team(4)
    assert threading.active_count() == before + 3
    team.close()
    assert threading.active_count() == before


def test_many_small_programs() -> None:
    """Two thousand runs of one sum, so that threads come late, leave early and fall asleep."""
    graph = Graph("sum")
    a, b = (graph.tensor(name, (3000, 7), "input") for name in "ab")
    graph.outputs.append(graph.add(ops.add, a, b, name="sum"))
    backend = CpuBackend(threads=4)
    values = np.arange(21000, dtype=np.float32).reshape(3000, 7)
    memory = {a: stored(values), b: stored(values.copy()), graph.outputs[0]: stored(values * 0)}
    program = backend.compile([Step(node, backend) for node in graph.nodes], memory)
    result = memory[graph.outputs[0]].planes[0]
    for _ in range(2000):
        result.fill(np.nan)
        program.submit({})
        assert np.array_equal(result, values + values)
    backend.close()


def test_nodes_wait_for_what_they_read_and_for_memory_they_take_over() -> None:
    graph = Graph("waits")
    x = graph.tensor("x", (1, 16), "input")
    a = graph.add(ops.add, x, x, name="a")
    b = graph.add(ops.add, x, x, name="b")  # independent of a
    c = graph.add(ops.add, a, a, name="c")  # reads a
    d = graph.add(ops.add, b, b, name="d")  # takes over a's memory
    graph.outputs += [c, d]
    arrays = [np.zeros((1, 16), np.float32) for _ in range(4)]
    memory = dict(zip((x, a, b, c), map(stored, arrays), strict=True))
    memory[d] = memory[a]
    assert waits(graph.nodes, memory) == [-1, -1, 0, 2]


def test_nodes_wait_for_weights_whose_memory_they_take_over() -> None:
    graph = Graph("weights")
    x = graph.tensor("x", (1, 16), "input")
    w = graph.tensor("w", (16, 16), "weight")
    a = graph.add(ops.linear, x, w, name="a")
    b = graph.add(ops.add, x, x, name="b")  # lies where the weight was
    graph.outputs += [a, b]
    arena = np.zeros((16, 16), np.float32)
    memory = {x: stored(np.zeros((1, 16), np.float32)), w: stored(arena), b: stored(arena[:1])}
    memory[a] = stored(np.zeros((1, 16), np.float32))
    assert waits(graph.nodes, memory) == [-1, 0]


def test_a_model_does_not_survive_a_fork() -> None:
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    code = (
        "import os, sys\n"
        "from support import tiny_checkpoint\n"
        "from rung.engine.batch import Batch\n"
        "from rung.engine.runner import plan_model\n"
        "runner = plan_model(tiny_checkpoint(), threads=1)\n"
        "if os.fork() == 0:\n"
        "    runner.forward(Batch.one([1]))\n"
        "os.wait()\n"
    )
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
    )
    assert "does not survive a fork" in done.stderr


def test_an_unwritable_cache_folder_is_one_clear_error(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    code = "from rung.backends.cpu.cache import folder; folder()"
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "RUNG_CACHE": str(blocked)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.returncode != 0
    assert "set RUNG_CACHE to a folder that can be written" in done.stderr


@pytest.mark.parametrize("threads", [0, -1, 10**6])
def test_impossible_thread_counts(threads: int) -> None:
    with pytest.raises(UsageError, match="expected 1 to"):
        Team(threads)


def test_threads_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNG_THREADS", "3")
    assert machine.default_threads() == 3
    monkeypatch.setenv("RUNG_THREADS", "many")
    with pytest.raises(UsageError, match="RUNG_THREADS is 'many'"):
        machine.default_threads()


def test_affinity_limits_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNG_THREADS", raising=False)
    monkeypatch.setattr(machine, "allowed_cpus", lambda: {0})
    assert machine.default_threads() == 1


def test_control_group_limits(tmp_path: Path) -> None:
    own = tmp_path / "cgroup"
    own.write_text("0::/parent/child\n")
    child = tmp_path / "root" / "parent" / "child"
    child.mkdir(parents=True)
    (child / "cpu.max").write_text("max 100000\n")
    (child.parent / "cpu.max").write_text("150000 100000\n")
    assert machine.cgroup_cpus(tmp_path / "root", own) == 1.5
    (child / "cpu.max").write_text("50000 100000\n")
    assert machine.cgroup_cpus(tmp_path / "root", own) == 0.5
    own.write_text("4:memory:/m\n3:cpu,cpuacct:/box\n")
    box = tmp_path / "root" / "cpu" / "box"
    box.mkdir(parents=True)
    (box / "cpu.cfs_quota_us").write_text("200000\n")
    (box / "cpu.cfs_period_us").write_text("100000\n")
    assert machine.cgroup_cpus(tmp_path / "root", own) == 2
    assert machine.cgroup_cpus(tmp_path / "root", tmp_path / "none") == float("inf")


def test_memory_that_there_is_not() -> None:
    from rung.storage import F32

    backend = CpuBackend(threads=1)
    with pytest.raises(BackendError, match="not enough memory for"):
        backend.allocate(F32, (2**40, 2**10))
    backend.close()


def test_describe_names_processor_threads_and_features() -> None:
    backend = CpuBackend(threads=1)
    facts = backend.describe()
    backend.close()
    assert facts["threads"] == 1
    assert facts["cores"] >= 1
    assert isinstance(facts["features"], list)


def test_kernels_of_a_program_are_what_was_selected() -> None:
    graph = Graph("norm")
    x, w = graph.tensor("x", (2, 8), "input"), graph.tensor("w", (8,), "weight")
    graph.outputs.append(graph.add(ops.rms_norm, x, w, name="y", eps=1e-5))
    backend = CpuBackend(threads=1)
    node = graph.nodes[0]
    assert backend.supports(node)
    first = next(k for k in ops.rms_norm.kernels if (k.backend, k.version) == ("cpu", 1))
    newest = select(ops.rms_norm, "cpu", node.specs, node.attributes)
    results = []
    for kernel in (first, newest):
        memory = {
            t: stored(np.arange(1, 1 + int(np.prod(t.shape)), dtype=np.float32).reshape(t.shape))
            for t in graph.tensors.values()
        }
        program = CpuProgram(backend.team, graph.nodes, [kernel], memory, None)
        program.submit({})
        results.append(memory[graph.outputs[0]].planes[0])
    backend.close()
    assert first is not newest
    np.testing.assert_allclose(*results, rtol=1e-6)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_signals_wait_until_a_kernel_is_compiled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)
    source = f"import os, signal\nos.kill(os.getpid(), signal.{name})\nfinished = True\n"
    module = cache.CachedModule("interrupted", source, ())
    number = signal.Signals[name]
    before = signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            module.load()
    finally:
        signal.signal(number, before)
    assert module.load().finished


def second_compiler(tmp_path: Path, module: cache.CachedModule) -> subprocess.Popen[bytes]:
    """The helper of a load that has this module to compile."""
    claims = tmp_path / "claims"
    claims.mkdir()
    (claims / "modules.json").write_text(json.dumps([(module.name, module.recipe)]))
    return subprocess.Popen(
        [sys.executable, "-m", "rung.backends.cpu.compiling", str(claims)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"RUNG_CACHE": str(tmp_path / "cache")},
    )


def test_the_second_compiler_ends_when_all_is_done(tmp_path: Path) -> None:
    module = cache.CachedModule("short", "done = True\n", ())
    with second_compiler(tmp_path, module) as helper:
        assert helper.wait(timeout=60) == 0
        assert helper.stderr.read() == b""
    assert (tmp_path / "cache" / "kernels" / f"{module.name}.py").exists()


def test_the_second_compiler_ends_with_the_first(tmp_path: Path) -> None:
    module = cache.CachedModule("endless", "import time\ntime.sleep(600)\n", ())
    claims = tmp_path / "claims"
    with second_compiler(tmp_path, module) as helper:
        deadline = time.monotonic() + 60
        while not (claims / module.name).exists():
            assert time.monotonic() < deadline
            assert helper.poll() is None
            time.sleep(0.02)
        helper.stdin.close()
        assert helper.wait(timeout=60) == 1
    assert not claims.exists()


def test_batches_may_have_other_threads_and_the_same_bits() -> None:
    checkpoint = tiny_checkpoint()
    results = []
    for threads, batch in ((1, 3), (3, 1), (2, None)):
        runner = plan_model(checkpoint, threads=threads, threads_batch=batch)
        whole = runner.forward(Batch.one([1, 2, 3, 4])).copy()
        for _ in range(20):  # by turns, so that threads are left out and come back
            step = runner.forward(Batch.one([5], start=4)).copy()
            again = runner.forward(Batch.one([1, 2, 3, 4]))
            assert np.array_equal(again, whole)
        results.append((whole, step))
        runner.close()
    for whole, step in results[1:]:
        assert np.array_equal(whole, results[0][0])
        assert np.array_equal(step, results[0][1])
