"""Op, Kernel and selection: what an op means, which numbered kernels compute it, which one runs.

An op is declared once, by its float64 reference:

    @op(out="y_TD", cases=[dict(T=1, D=64), dict(T=0, D=8)])
    def rms_norm(x_TD, w_D, *, eps):
        "y = x / sqrt(mean_D(x²) + eps) · w"

Parameter names carry the shape rule: the letters after the last underscore are the dimensions.
Keyword-only parameters are attributes. Kernels add themselves with `@rms_norm.kernel("cpu", 1, …)`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from rung import env
from rung.errors import KernelError
from rung.simd.target import host
from rung.storage import F32, StorageType

Attributes = Mapping[str, Any]
Dims = dict[str, Any]


@dataclass(frozen=True)
class TensorSpec:
    """Shape and storage type of an argument; a shape may hold symbols for run-time sizes."""

    shape: tuple[Any, ...]
    type: StorageType


Specs = Mapping[str, "TensorSpec | None"]


@dataclass(frozen=True)
class Cost:
    """Arithmetic and traffic of one run: floating-point operations, bytes read and written."""

    flops: float
    bytes: float


PARTS = 2
"""Parts for each thread: one that was held up at the start leaves work for the others."""


@dataclass(frozen=True)
class Split:
    """How a kernel's work divides: units of `grain` along the product of some dimensions.

    per_thread: how many parts for each thread at most; 0 is what is best on this machine.
    """

    dims: str  # letters of the op's shapes, such as "N" or "TH"; "" for work that cannot be cut
    grain: int = 1
    per_thread: int = 0

    def parts(self, sizes: Mapping[str, int], threads: int, per_thread: int = 0) -> int:
        """Number of parts for these sizes, 0 when there is nothing to do.

        per_thread: what is best on this machine, for splits that leave it open.
        """
        each = self.per_thread or per_thread or PARTS
        most = 1 if threads == 1 else threads * each
        units = 1
        for letter in self.dims:
            units *= sizes[letter]
        return max(min(most, -(-units // self.grain)), 1 if units else 0)


@dataclass(frozen=True)
class Kernel:
    """One rung of a ladder: a numbered way for a backend to compute an op.

    `form` names the ladder when an op has several on one backend (one a weight type, say).
    `when(**specs)` tells whether it accepts these inputs on this machine; None accepts all.
    """

    op: Op
    backend: str
    version: int
    function: Callable[..., Any]
    why: str
    form: str
    when: Callable[..., bool] | None
    options: Mapping[str, Any]
    needs: tuple[str, ...] = ()  # features of the processor, by their LLVM names

    @property
    def name(self) -> str:
        """Such as linear:i8/cpu=3."""
        form = f":{self.form}" if self.form else ""
        return f"{self.op.name}{form}/{self.backend}={self.version}"

    @property
    def missing(self) -> tuple[str, ...]:
        """The features it needs that this processor does not have, or may not use."""
        return tuple(name for name in self.needs if not host().has(name))

    def accepts(self, specs: Specs, attributes: Attributes) -> bool:
        """Whether this kernel can compute the op for these inputs here."""
        if self.missing:
            return False
        if self.when is None:
            return True
        known = {**specs, **attributes}
        return self.when(**{name: known[name] for name in parameter_names(self.when)})


@dataclass(eq=False)
class Op:
    """A layer function: its reference, shape rule, cost, test cases and kernels."""

    name: str
    reference: Callable[..., Any]
    inputs: tuple[str, ...]
    optional: frozenset[str]
    attributes: tuple[str, ...]
    out: str
    out_type: Callable[[Attributes], StorageType]
    derived: Callable[[Dims], Dims] | None
    inplace: str | None
    types: Mapping[str, StorageType]
    cases: Sequence[Mapping[str, Any]]
    flops: Callable[..., float]
    make: Callable[..., Mapping[str, Any]] | None
    touched: Mapping[str, str]
    writes: tuple[str, ...] = ()
    kernels: list[Kernel] = field(default_factory=list)
    rule: Callable[..., None] | None = None

    def __repr__(self) -> str:
        return f"Op({self.name})"

    @property
    def formula(self) -> str:
        """The first line of the reference's docstring."""
        return (inspect.getdoc(self.reference) or "").partition("\n")[0]

    def kernel(
        self,
        backend: str,
        version: int,
        *,
        why: str,
        form: str = "",
        when: Callable[..., bool] | None = None,
        needs: Sequence[str] = (),
        **options: Any,
    ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Registers the decorated function as a numbered kernel of this op.

        `why` says in a phrase what this rung does better than the one below; `needs` are features
        without which it never runs, such as avx512vnni; `options` belong to the backend.
        Raises KernelError when the number is taken.
        """

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            kernel = Kernel(
                self, backend, version, function, why, form, when, options, tuple(needs)
            )
            if any(known.name == kernel.name for known in self.kernels):
                raise KernelError(f"{kernel.name} is registered twice")
            self.kernels.append(kernel)
            return function

        return register

    def gradient(self, rule: Callable[..., None]) -> Callable[..., None]:
        """Registers the decorated function as this op's gradient rule.

        rule(backward, node, dy) adds the nodes that compute the gradients of the node's inputs from
        dy, that of its output (see graph/grad.py). Raises KernelError for a second one.
        """
        if self.rule is not None:
            raise KernelError(f"{self.name} has two gradient rules")
        self.rule = rule
        return rule

    def dims(self, shapes: Mapping[str, tuple[Any, ...] | None]) -> Dims:
        """Binds dimension letters to sizes.

        Raises ValueError for a wrong rank or two sizes for one letter.
        """
        bound: Dims = {}
        for name in self.inputs:
            shape = shapes.get(name)
            if shape is None:
                if name in self.optional:
                    continue
                raise ValueError(f"{self.name} needs {name}")
            letters = letters_of(name)
            if len(letters) != len(shape):
                raise ValueError(f"{self.name}: {name} has shape {shape}, expected {letters}")
            for letter, size in zip(letters, shape, strict=True):
                if bound.setdefault(letter, size) != size:
                    raise ValueError(
                        f"{self.name}: {letter} of {name} is {size}, elsewhere {bound[letter]}"
                    )
        if self.derived is not None:
            bound.update(self.derived(bound))
        return bound

    def infer(self, shapes: Mapping[str, tuple[Any, ...] | None]) -> tuple[Any, ...]:
        """The shape of the output. Raises ValueError where the inputs do not fit together."""
        bound = self.dims(shapes)
        return tuple(bound[letter] for letter in letters_of(self.out))

    def cost(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        specs: Specs,
        attributes: Attributes | None = None,
    ) -> Cost:
        """Operations and bytes for concrete shapes, every input read and output written once.

        Of inputs that are `touched` in part, only that part counts. Without the attributes, the
        output counts as float32.
        """
        bound = self.dims(shapes)
        traffic = 0.0
        for name in shapes:
            spec = specs.get(name)
            # What is overwritten in part counts where it is written.
            written = name == self.inplace and name in self.touched
            if spec is not None and not written:
                letters = self.touched.get(name, letters_of(name))
                traffic += spec.type.size_bytes(tuple(bound[letter] for letter in letters))
        updated = specs.get(self.inplace) if self.inplace is not None else None
        out_type = F32 if attributes is None else self.out_type(attributes)
        if updated is not None:
            out_type = updated.type
        letters = self.touched.get(self.out, letters_of(self.out))
        traffic += out_type.size_bytes(tuple(bound[letter] for letter in letters))
        for name in self.writes:  # read above, and written here
            spec = specs.get(name)
            if spec is not None:
                traffic += spec.type.size_bytes(tuple(bound[c] for c in letters_of(name)))
        wanted = {letter: bound[letter] for letter in parameter_names(self.flops)}
        return Cost(float(self.flops(**wanted)), traffic)


OPS: dict[str, Op] = {}


@cache
def parameter_names(function: Callable[..., Any]) -> tuple[str, ...]:
    """Names of a function's parameters, in order."""
    return tuple(inspect.signature(function).parameters)


def letters_of(name: str) -> str:
    """The dimension letters of a tensor's name: TD for x_TD, none for a name without suffix."""
    return name.rpartition("_")[2] if "_" in name else ""


def op(
    *,
    out: str,
    cases: Sequence[Mapping[str, Any]],
    flops: Callable[..., float],
    types: Mapping[str, StorageType] | None = None,
    out_type: Callable[[Attributes], StorageType] = lambda attributes: F32,
    derived: Callable[[Dims], Dims] | None = None,
    inplace: str | None = None,
    make: Callable[..., Mapping[str, Any]] | None = None,
    touched: Mapping[str, str] | None = None,
    writes: Sequence[str] = (),
) -> Callable[[Callable[..., Any]], Op]:
    """Declares an op by its float64 reference.

    out: name of the output with its dimension letters. cases: dimensions, attributes and storage
    types (`types=`) that every kernel is tested on. flops: operations as a function of dimensions.
    types: storage type of inputs that are not float (indices). derived: dimensions of the output
    that follow from others. inplace: the input that the op updates, which is then also its output.
    make(rng, **case): inputs for the cases, where random normal values will not do.
    touched: dimensions of what is read or written of tensors that a run does not go through whole,
    such as the rows of a table that are looked up. writes: inputs that the op updates besides its
    output; the reference then returns the output and, after it, each of them as it becomes.
    """

    def declare(reference: Callable[..., Any]) -> Op:
        parameters = inspect.signature(reference).parameters.values()
        inputs = tuple(p.name for p in parameters if p.kind is not p.KEYWORD_ONLY)
        declared = Op(
            name=reference.__name__,
            reference=reference,
            inputs=inputs,
            optional=frozenset(p.name for p in parameters if p.default is None),
            attributes=tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY),
            out=out,
            out_type=out_type,
            derived=derived,
            inplace=inplace,
            types=types or {},
            cases=cases,
            flops=flops,
            make=make,
            touched=touched or {},
            writes=tuple(writes),
        )
        if OPS.setdefault(declared.name, declared) is not declared:
            raise KernelError(f"op {declared.name} is declared twice")
        return declared

    return declare


def select(
    op: Op,
    backend: str,
    specs: Specs,
    attributes: Attributes,
    *,
    pins: str | None = None,
    usable: Callable[[Kernel], bool] = lambda kernel: True,
) -> Kernel:
    """The newest kernel of a backend that accepts these inputs, or the one that RUNG_PIN names.

    usable: whether the backend has what else a kernel calls for. Raises KernelError when none
    accepts, or when a pinned version does not exist or does not accept.
    """
    ladder = [kernel for kernel in op.kernels if kernel.backend == backend]
    accepted = [k for k in ladder if usable(k) and k.accepts(specs, attributes)]
    shapes = ", ".join(
        f"{name} {spec.type.name}{list(spec.shape)}" for name, spec in specs.items() if spec
    )
    if not accepted:
        raise KernelError(f"no {backend} kernel of {op.name} accepts {shapes}")
    best = max(accepted, key=lambda kernel: kernel.version)
    version = _pinned(op, backend, best.form, env.PIN.get() if pins is None else pins)
    if version is None:
        return best
    for kernel in accepted:
        if kernel.version == version and kernel.form == best.form:
            return kernel
    there = sorted(k.version for k in ladder if k.form == best.form)
    form = f":{best.form}" if best.form else ""
    raise KernelError(
        f"RUNG_PIN asks for {op.name}{form}/{backend}={version}, which "
        + ("does not accept " + shapes if version in there else f"is not one of {there}")
    )


def check_pins(ops: Iterable[Op], *, pins: str | None = None) -> None:
    """Raises KernelError when RUNG_PIN names an op, form or backend that does not exist."""
    text = env.PIN.get() if pins is None else pins
    known = {(k.op.name, k.form, k.backend) for o in ops for k in o.kernels}
    for name, form, backend, _version in _parse_pins(text):
        if not any(name == n and backend == b and form in ("", f) for n, f, b in known):
            pin = f"{name}{':' + form if form else ''}/{backend}"
            raise KernelError(f"RUNG_PIN names {pin}, which has no kernels")


def is_pinned(op: Op, backend: str) -> bool:
    """Whether RUNG_PIN names a version of an op's kernels on a backend."""
    return any(
        name == op.name and pinned == backend for name, _, pinned, _ in _parse_pins(env.PIN.get())
    )


def _pinned(op: Op, backend: str, form: str, text: str) -> int | None:
    chosen = None
    for name, pin_form, pin_backend, version in _parse_pins(text):
        if name == op.name and pin_backend == backend and pin_form in ("", form):
            chosen = version
            if pin_form:
                break
    return chosen


def _parse_pins(text: str) -> list[tuple[str, str, str, int]]:
    pins: dict[tuple[str, str, str], int] = {}
    for word in filter(None, text.replace(" ", "").split(",")):
        target, _, number = word.partition("=")
        name, _, backend = target.partition("/")
        name, _, form = name.partition(":")
        if not (name and backend and number.isdecimal()):
            raise KernelError(f"RUNG_PIN: {word!r} is not of the form op/backend=version")
        if pins.setdefault((name, form, backend), int(number)) != int(number):
            first = pins[name, form, backend]
            raise KernelError(f"RUNG_PIN: {target} is pinned twice, to {first} and to {number}")
    return [(*ladder, version) for ladder, version in pins.items()]
