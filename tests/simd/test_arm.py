"""Products with panels on ARM: compiled for it here, run by an emulator where there is one.

Needs qemu-aarch64 and aarch64-linux-gnu-gcc (Debian: qemu-user, gcc-aarch64-linux-gnu and
libc6-dev-arm64-cross) to run; what LLVM makes of the instructions is looked at anywhere.
"""

# R tokens, N outputs (16), K values of a block (32)

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np
import pytest
from llvmlite import ir
from numpy.typing import NDArray

from rung.simd.blocks import RUN
from rung.simd.dots import _sdot
from rung.simd.emit import F32, I8, I32, I64, load_vector, store_vector
from rung.simd.lanes import LANES
from rung.simd.panel_packing import _laid_out
from rung.simd.panel_products import _block_dots
from rung.simd.panels import INT8_ROWS, Form, form_of
from rung.simd.target import Target

TOKENS = 3  # odd: smmla takes tokens by twos
TARGETS = {
    "sdot": ("neon", "dotprod"),
    "smmla": ("neon", "dotprod", "i8mm"),
    "fmla": ("neon",),
}
_TRIPLE = "aarch64-unknown-linux-gnu"
_TOOLS = ("qemu-aarch64", "aarch64-linux-gnu-gcc")
_COMPILER = ("aarch64-linux-gnu-gcc", "-O1", "-static")


def _target(name: str) -> Target:
    return Target("generic", frozenset(TARGETS[name]), is_x86=False)


def _machine(target: Target) -> llvm.TargetMachine:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return llvm.Target.from_triple(_TRIPLE).create_target_machine(
        cpu=target.cpu, features=target.llvm_features, opt=3, reloc="pic"
    )


def _module() -> ir.Module:
    module = ir.Module()
    module.triple = _TRIPLE
    return module


def _function(module: ir.Module, name: str, count: int) -> tuple[ir.IRBuilder, list[Any]]:
    """A function of so many pointers to bytes, and its arguments."""
    kind = ir.FunctionType(ir.VoidType(), [I8.as_pointer()] * count)
    function = ir.Function(module, kind, name)
    return ir.IRBuilder(function.append_basic_block()), list(function.args)


def _at(builder: ir.IRBuilder, pointer: Any, offset: int) -> Any:
    return builder.gep(pointer, [ir.Constant(I64, offset)])


def _panels_module(form: Form) -> str:
    """pack(rows, panel), then products(x, panel, y) of whole blocks and halves(x, panel, y)."""
    module = _module()
    builder, (rows, panel) = _function(module, "pack", 2)
    run = ir.VectorType(I8, RUN)
    loaded = [load_vector(builder, _at(builder, rows, n * RUN), run, 1) for n in range(LANES)]
    vectors = _laid_out(builder, form, loaded)
    size = RUN * LANES * form.size // len(vectors)
    for step, vector in enumerate(vectors):
        store_vector(builder, vector, _at(builder, panel, step * size), 1)
    builder.ret_void()
    x_size = 4 if form.name == "FLOATS" else 1
    for name, pieces in (("whole", [range(RUN)]), ("halves", [range(16), range(16, RUN)])):
        builder, (x, panel, y) = _function(module, name, 3)
        x_at = [_at(builder, x, r * RUN * x_size) for r in range(TOKENS)]
        if form.name == "FLOATS":
            x_at = [builder.bitcast(pointer, F32.as_pointer()) for pointer in x_at]
        place = 0
        for values in pieces:
            for value in _block_dots(builder, form, INT8_ROWS, x_at, [panel], [], values):
                store_vector(builder, value, _at(builder, y, place), 1)
                place += 4 * LANES
        builder.ret_void()
    return str(module)


def _sdot_module() -> str:
    """lanes(x, w, y): products of 64 bytes summed by fours, as the streams take them."""
    module = _module()
    builder, (x, w, y) = _function(module, "lanes", 3)
    a, b = (load_vector(builder, pointer, ir.VectorType(I8, 64), 1) for pointer in (x, w))
    start = ir.Constant(ir.VectorType(I32, LANES), list(range(LANES)))
    store_vector(builder, _sdot(builder, a, b, start), y, 1)
    builder.ret_void()
    return str(module)


_CALLS = {
    "panels": """
extern void pack(char *, char *), whole(char *, char *, char *), halves(char *, char *, char *);
static void run(void) { pack(w, panel); whole(x, panel, y); halves(x, panel, y + 4 * 16 * 3); }
""",
    "lanes": """
extern void lanes(char *, char *, char *);
static void run(void) { lanes(x, w, y); }
""",
}
_MAIN = """
#include <stdio.h>
static char x[3 * 32 * 4], w[16 * 32], y[4 * 16 * 9];
static char panel[16 * 32 * 4] __attribute__((aligned(64)));
%s
int main(void) {
    if (fread(x, 1, sizeof x, stdin) != sizeof x) return 1;
    if (fread(w, 1, sizeof w, stdin) != sizeof w) return 1;
    run();
    return fwrite(y, 1, sizeof y, stdout) != sizeof y;
}
"""


def _run(
    folder: Path, target: Target, text: str, calls: str, x: NDArray[Any], w: NDArray[np.int8]
) -> bytes:
    """What the emulated program writes for these inputs."""
    module = llvm.parse_assembly(text)
    module.verify()
    (folder / "kernels.o").write_bytes(_machine(target).emit_object(module))
    (folder / "main.c").write_text(_MAIN % _CALLS[calls])
    program = folder / "program"
    compiler = [*_COMPILER, "main.c", "kernels.o", "-o", str(program)]
    subprocess.run(compiler, cwd=folder, check=True, timeout=60)
    data = x.tobytes().ljust(TOKENS * RUN * 4, b"\0") + w.tobytes().ljust(LANES * RUN, b"\0")
    command = ["qemu-aarch64", "-cpu", "max", str(program)]
    return subprocess.run(
        command, input=data, stdout=subprocess.PIPE, check=True, timeout=60
    ).stdout


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> None:
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"no {' and no '.join(missing)} to run ARM programs")
    folder = tmp_path_factory.mktemp("empty")
    (folder / "main.c").write_text("#include <stdio.h>\nint main(void) { return 0; }\n")
    done = subprocess.run([*_COMPILER, "main.c"], cwd=folder, capture_output=True, timeout=60)
    if done.returncode:
        pytest.skip("no static C library of ARM (libc6-dev-arm64-cross) to run ARM programs")


def _values(rng: np.random.Generator, shape: tuple[int, ...], least: int) -> NDArray[np.int8]:
    values = rng.integers(least, 128, shape, np.int8)
    values[0] = 127
    values[1] = least
    return values


@pytest.mark.parametrize("instruction", list(TARGETS))
def test_panels_on_arm(instruction: str, emulator: None, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    x_RK, w_NK = _values(rng, (TOKENS, RUN), -127), _values(rng, (LANES, RUN), -128)
    target = _target(instruction)
    form = form_of(INT8_ROWS, target)
    given = x_RK.astype(np.float32) if form.name == "FLOATS" else x_RK
    written = _run(tmp_path, target, _panels_module(form), "panels", given, w_NK)
    whole, first, second = np.frombuffer(written, np.float32).reshape(3, TOKENS, LANES)
    x, w = x_RK.astype(np.int32), w_NK.astype(np.int32)
    assert np.array_equal(whole, x @ w.T)
    assert np.array_equal(first, x[:, :16] @ w[:, :16].T)
    assert np.array_equal(second, x[:, 16:] @ w[:, 16:].T)


def test_streams_on_arm(emulator: None, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    x, w = _values(rng, (64,), -127), _values(rng, (64,), -128)
    written = _run(tmp_path, _target("sdot"), _sdot_module(), "lanes", x, w)
    products = x.astype(np.int32) * w
    expected = products.reshape(LANES, 4).sum(axis=1) + np.arange(LANES)
    assert np.array_equal(np.frombuffer(written, np.int32)[:LANES], expected)


@pytest.mark.parametrize("instruction", list(TARGETS))
def test_instructions_for_arm(instruction: str) -> None:
    """One instruction for four outputs of a token and four values, or two by two and eight."""
    target = _target(instruction)
    module = llvm.parse_assembly(_panels_module(form_of(INT8_ROWS, target)))
    found = re.findall(r"\t(sdot|smmla|fmla)\t", _machine(target).emit_assembly(module))
    whole = {
        "sdot": TOKENS * (LANES // 4) * (RUN // 4),
        "smmla": (TOKENS + 1) // 2 * (LANES // 2) * (RUN // 8),
        "fmla": TOKENS * (LANES // 4) * RUN,
    }[instruction]
    assert found == [instruction] * (2 * whole)  # of whole blocks, and of their halves
