"""What can be benchmarked: ops with their ladders, and the storage types that each ladder is for.

Nothing here lists forms or types: a ladder's types are those of the test cases that it accepts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rung.backends import NAMES
from rung.errors import KernelError, UsageError
from rung.graph.ir import T
from rung.ops import load_kernels
from rung.registry import OPS, Kernel, Op, Specs, TensorSpec, letters_of, select
from rung.storage import F32, StorageType, storage_type

if TYPE_CHECKING:
    from rung.backends.base import KernelBackend

Case = Mapping[str, Any]
Types = Mapping[str, StorageType]

TOKENS = "T"


@dataclass(frozen=True)
class Target:
    """One ladder of an op on a backend, with storage types that its kernels take."""

    op: Op
    backend: str
    form: str
    types: Types

    @property
    def name(self) -> str:
        """Such as linear:q8_0."""
        return f"{self.op.name}:{self.form}" if self.form else self.op.name


@contextmanager
def opened(name: str, threads: int | None = None) -> Iterator[KernelBackend]:
    """A backend that runs kernels; it lives as long as the block.

    threads: of the team, for the CPU and BLAS. Raises UsageError for an unknown name, BackendError
    where the backend is not available.
    """
    load_backend(name)
    if name == "webgpu":
        from rung.backends.webgpu.backend import WebGpuBackend

        gpu = WebGpuBackend()
        try:
            yield gpu
        finally:
            gpu.close()
        return
    from rung.backends.blas.backend import BlasBackend
    from rung.backends.cpu.backend import CpuBackend

    cpu = CpuBackend(threads)
    try:
        yield cpu if name == cpu.name else BlasBackend(cpu)
    finally:
        cpu.close()


def lacks(kernel: Kernel) -> str:
    """What a kernel needs that is not there, features of the processor apart; or nothing."""
    if kernel.backend == "webgpu":
        from rung.backends.webgpu.backend import lacks_here

        return lacks_here(kernel)
    if kernel.backend != "blas":
        return ""
    from rung.backends.blas.backend import lacking
    from rung.backends.blas.library import find_library

    return lacking(find_library(), kernel)


def load_backend(name: str) -> None:
    """Registers a backend's kernels. Raises UsageError when there is no such backend."""
    if name not in NAMES:
        raise UsageError(f"no backend {name!r}; there are: {', '.join(NAMES)}")
    load_kernels(name)


def find_op(name: str) -> Op:
    """The op of this name. Raises UsageError with the known ones."""
    if name not in OPS:
        raise UsageError(f"no op {name!r}; there are: {', '.join(sorted(OPS))}")
    return OPS[name]


def ladder(op: Op, backend: str, form: str) -> list[Kernel]:
    """The kernels of one ladder, oldest first."""
    rungs = (k for k in op.kernels if k.backend == backend and k.form == form)
    return sorted(rungs, key=lambda kernel: kernel.version)


def forms(op: Op, backend: str) -> list[str]:
    """The names of an op's ladders on a backend, in order."""
    return sorted({kernel.form for kernel in op.kernels if kernel.backend == backend})


def find_form(op: Op, backend: str, form: str) -> str:
    """The form, if there is one of this name. Raises UsageError with the known ones."""
    known = forms(op, backend)
    if form not in known:
        named = ", ".join(name or '""' for name in known) or "none"
        raise UsageError(f"{op.name} has no form {form!r} on {backend}; it has: {named}")
    return form


def case_specs(op: Op, case: Case) -> tuple[dict[str, TensorSpec | None], dict[str, Any]]:
    """What a kernel is asked about a case: specs and attributes.

    Without optional inputs, but for those whose storage type the case gives.
    """
    types = case.get("types", {})
    specs: dict[str, TensorSpec | None] = {}
    for name in op.inputs:
        if name in op.optional and name not in types:
            specs[name] = None
            continue
        shape = tuple(case[letter] for letter in letters_of(name))
        specs[name] = TensorSpec(shape, types.get(name) or op.types.get(name, F32))
    return specs, {name: case[name] for name in op.attributes}


def accepts(kernel: Kernel, case: Case) -> bool:
    """Whether a kernel computes a case here; not where rows are no whole blocks."""
    specs, attributes = case_specs(kernel.op, case)
    return usable(kernel, case) and kernel.accepts(specs, attributes)


def usable(kernel: Kernel, case: Case) -> bool:
    """Whether a kernel is for a case's number of tokens, and finds here what it needs."""
    return kernel.takes(tokens_of(case)) and not lacks(kernel)


def tokens_of(case: Case) -> int:
    """Tokens of a case; 1 for ops that know of none."""
    return int(case.get(TOKENS, 1))


def selected(op: Op, backend: str, case: Case) -> Kernel | None:
    """The kernel that inference runs for a case, by default or by RUNG_PIN; None for none."""
    specs, attributes = case_specs(op, case)
    try:
        return select(op, backend, planned(specs), attributes, usable=lambda k: usable(k, case))
    except KernelError:
        return None


def planned(specs: Specs) -> dict[str, TensorSpec | None]:
    """Specs as a graph for inference has them: nobody knows the number of tokens yet."""
    found: dict[str, TensorSpec | None] = dict.fromkeys(specs)
    for name, spec in specs.items():
        if spec is not None:
            sizes = zip(letters_of(name), spec.shape, strict=True)
            shape = tuple(T if letter == TOKENS else size for letter, size in sizes)
            found[name] = TensorSpec(shape, spec.type)
    return found


def targets(
    op: Op,
    backend: str,
    *,
    form: str | None = None,
    kind: str | None = None,
    activations: str | None = None,
) -> list[Target]:
    """The ladders of an op with the types to run them on.

    form: only this one. kind: only with weights of this storage type. activations: "float32" or
    "int8". Raises UsageError where nothing is left.
    """
    wanted = [find_form(op, backend, form)] if form is not None else forms(op, backend)
    weight = None if kind is None else _storage_type(kind)
    found = []
    for name in wanted:
        rungs = ladder(op, backend, name)
        candidates = [
            types
            for types in _candidates(op, rungs, weight)
            if activations is None or _has_activations(op, types, activations)
        ]
        if candidates:
            found.append(Target(op, backend, name, candidates[0]))
    if not found:
        wishes = {"form": form, "type": kind, "activations": activations}
        asked = [f"{key} {value}" for key, value in wishes.items() if value is not None]
        raise UsageError(
            f"no {backend} kernel of {op.name} runs here with {', '.join(asked) or 'any types'}; "
            f"see rung kernels list {op.name}"
        )
    return found


def example(op: Op, backend: str, form: str, *, kind: str | None = None) -> Target | None:
    """A ladder with types that its kernels take; no types where it accepts no case here.

    kind: the weights' storage type; None is returned where the ladder does not take it.
    """
    weight = None if kind is None else _storage_type(kind)
    if weight is not None and weight_name(op) is None:
        return None
    found = list(_candidates(op, ladder(op, backend, form), weight))
    if not found and weight is not None:
        return None
    return Target(op, backend, form, found[0] if found else {})


def resident(op: Op) -> tuple[str, ...]:
    """The inputs that stay while tokens come and go: weights, tables, caches."""
    return tuple(name for name in op.inputs if TOKENS not in letters_of(name))


def _storage_type(name: str) -> StorageType:
    try:
        return storage_type(name)
    except KeyError as error:
        raise UsageError(str(error.args[0])) from None


def weight_name(op: Op) -> str | None:
    """The input whose storage type --type names: the first that stays, and has one in a case."""
    typed = {name for case in op.cases for name in case.get("types", {})}
    return next((name for name in resident(op) if name in typed), None)


def _candidates(op: Op, rungs: list[Kernel], weight: StorageType | None) -> Iterator[Types]:
    """Types of cases that kernels of a ladder accept; those that most of them accept first."""
    name = weight_name(op)
    accepted: dict[tuple[tuple[str, StorageType], ...], int] = {}
    for case in op.cases:
        types = dict(case.get("types", {}))
        if weight is not None:
            if name is None:
                raise UsageError(f"{op.name} has no weights that could be {weight.name}")
            if types.get(name, F32).name != weight.name:
                types = types | {name: weight}
            case = {**case, "types": types}
        count = sum(accepts(kernel, case) for kernel in rungs)
        if count:
            key = tuple(sorted(types.items(), key=lambda item: item[0]))
            accepted[key] = max(count, accepted.get(key, 0))
    for key in sorted(accepted, key=lambda key: -accepted[key]):
        yield dict(key)


def _has_activations(op: Op, types: Types, wanted: str) -> bool:
    return activation_type(op, types).startswith("f") == (wanted == "float32")


def activation_type(op: Op, types: Types) -> str:
    """The storage type of the first input that comes with the tokens: f32, i8_g32, q8_s …"""
    for name in op.inputs:
        if TOKENS in letters_of(name) and name not in op.types:
            return types.get(name, F32).name
    return F32.name
