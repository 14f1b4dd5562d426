"""Compiled shaders of a GPU: each text once, many at a time where they are known beforehand."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from rung.backends.base import Compiling
from rung.backends.webgpu.opening import trusted_module
from rung.errors import BackendError
from rung.wgsl.source import Source

# The library holds no lock while it compiles: 23 shaders take 66 ms with one thread and 35 with two
# (lavapipe, 2 cores). A driver may have threads of its own.
_MOST_THREADS = 8
# What is over by then is not worth a word.
_QUIET_S = 1.0


@dataclass(frozen=True)
class Shader:
    """What to compile, for messages with its kernel and the name of its file."""

    source: Source
    kernel: str
    file: str = ""

    @property
    def name(self) -> str:
        """Such as linear:i8/webgpu=4 subgroups.wgsl."""
        return f"{self.kernel} {self.file}".rstrip()


@dataclass(frozen=True, eq=False)
class Pipeline:
    """A compiled shader: what encodes, and the layout of its bindings."""

    handle: Any
    layout: Any
    raw: Any  # the pointer that encoding takes
    kernel: str


class Shaders:
    """The compiled shaders of one device."""

    def __init__(self, device: Any, adapter: str) -> None:
        self._device = device
        self._adapter = adapter
        self._pipelines: dict[Source, Pipeline] = {}
        self._layouts: dict[tuple[str, ...], Any] = {}

    def __len__(self) -> int:
        return len(self._pipelines)

    def get(self, shader: Shader) -> Pipeline:
        """The pipeline of a shader, compiled now if need be.

        Raises BackendError with what the compiler says.
        """
        if shader.source not in self._pipelines:
            self._pipelines[shader.source] = self._compile(shader, self._layout(shader))
        return self._pipelines[shader.source]

    def compile(self, shaders: Iterable[Shader], on_compile: Compiling | None = None) -> None:
        """Compiles those that are not yet, several at a time, and waits for all of them.

        on_compile is told how far it is when it takes over a second. Raises as `get` does.
        """
        new = {s.source: s for s in shaders if s.source not in self._pipelines}
        if not new:
            return
        threads = min(len(new), os.cpu_count() or 1, _MOST_THREADS)
        pool = ThreadPoolExecutor(threads, thread_name_prefix="rung-shaders")
        try:
            # Layouts are made here: two threads would make two of one kind.
            started = [
                pool.submit(self._compile, shader, self._layout(shader)) for shader in new.values()
            ]
            _tell(started, [shader.name for shader in new.values()], on_compile)
            self._pipelines |= {
                source: future.result() for source, future in zip(new, started, strict=True)
            }
        finally:
            pool.shutdown(cancel_futures=True)

    def _compile(self, shader: Shader, layout: Any) -> Pipeline:
        import wgpu

        try:
            module = trusted_module(self._device, shader.source.text, shader.name)
            handle = self._device.create_compute_pipeline(
                label=shader.name,
                layout=self._device.create_pipeline_layout(bind_group_layouts=[layout]),
                compute={"module": module, "entry_point": "main"},
            )
        except wgpu.GPUError as error:
            raise BackendError(
                f"{shader.name} does not compile on {self._adapter}: {error}"
            ) from None
        return Pipeline(handle, layout, handle._internal, shader.kernel)

    def _layout(self, shader: Shader) -> Any:
        kinds = tuple(kind for _, kind in shader.source.variables)
        if kinds not in self._layouts:
            types = {"read": "read-only-storage", "read_write": "storage", "uniform": "uniform"}
            self._layouts[kinds] = self._device.create_bind_group_layout(
                entries=[
                    {"binding": i, "visibility": 4, "buffer": {"type": types[kind]}}
                    for i, kind in enumerate(kinds)
                ]
            )
        return self._layouts[kinds]

    def close(self) -> None:
        """Forgets all of them."""
        self._pipelines.clear()
        self._layouts.clear()


def _tell(
    started: Sequence[Future[Pipeline]], names: Sequence[str], on_compile: Compiling | None
) -> None:
    """Waits for all, or for the first that fails; after a while tells how far it is."""
    loud = time.monotonic() + _QUIET_S
    left = set(started)
    while left:
        done, left = wait(left, timeout=_QUIET_S / 10, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()
        if on_compile is not None and time.monotonic() >= loud:
            at_work = next((n for n, f in zip(names, started, strict=True) if f in left), "")
            on_compile(len(started) - len(left), len(started), at_work)
