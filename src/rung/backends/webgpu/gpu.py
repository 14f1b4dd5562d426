"""A GPU in use: its device, what kernels may use of it, compiled shaders, encoding, waiting."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rung import env
from rung.backends.webgpu.adapters import Adapter
from rung.backends.webgpu.log import log
from rung.backends.webgpu.opening import memory_limit, open_device
from rung.backends.webgpu.readback import Arriving, Readback
from rung.backends.webgpu.shaders import Pipeline, Shader, Shaders
from rung.errors import BackendError, MemoryLimitError
from rung.wgsl.source import Source

# Written at once: what staging memory holds meanwhile.
CHUNK_BYTES = 32 << 20

# A query set holds 4096 at most.
_MOST_STAMPS = 4000


Binding = tuple[Any, int, int]
"""What a variable of a shader is bound to: a buffer, an offset and bytes."""


@dataclass(frozen=True)
class Command:
    """A dispatch on memory, ready to be encoded. `owner` is the step of the program it is for."""

    pipeline: Pipeline
    group: Any
    raw_group: Any
    grid: tuple[int, int, int]
    owner: int


class Gpu:
    """An adapter's device. Raises BackendError where the driver refuses."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self._log = log()
        self._known_losses = len(self._log.losses)
        opened = open_device(adapter)
        self.device = opened.handle
        self._readback = Readback(self.device)
        self._limit_bytes = memory_limit()
        self._used_bytes = 0
        self._staged_bytes = 0  # written, and not known to be done
        self.has_timestamps = opened.has_timestamps
        self.shaders = Shaders(self.device, adapter.name)
        self.waits_for_each = env.GPU_WAIT.get() not in ("", "0")
        self.runs_ahead = env.GPU_AHEAD.get() != "0" and not self.waits_for_each
        self.features = opened.features
        if self.features.subgroups:
            self.features = replace(self.features, subgroup_size=self._subgroup_size())

    @property
    def queue(self) -> Any:
        """Where work goes, in order."""
        return self.device.queue

    def buffer(self, size_bytes: int) -> Any:
        """New memory for shaders, zeroed. Raises MemoryLimitError where there is not enough."""
        import wgpu

        usage = wgpu.BufferUsage.STORAGE | wgpu.BufferUsage.COPY_DST | wgpu.BufferUsage.COPY_SRC
        size_bytes = max(16, -(-size_bytes // 16) * 16)
        if self._limit_bytes and self._used_bytes + size_bytes > self._limit_bytes:
            raise self._no_room(size_bytes)
        try:
            buffer = self._buffer(size_bytes, usage)
        except MemoryLimitError:
            # What was given back before is free only when the GPU has been waited for.
            self.wait()
            buffer = self._buffer(size_bytes, usage)
        self._used_bytes += size_bytes
        weakref.finalize(buffer, self._give_back, size_bytes)
        return buffer

    def _give_back(self, size_bytes: int) -> None:
        self._used_bytes -= size_bytes

    @property
    def used_bytes(self) -> int:
        """What its buffers take, without those that bytes are staged in on their way."""
        return self._used_bytes

    @property
    def free_bytes(self) -> int | None:
        """What RUNG_GPU_MEMORY leaves; None without it, for WebGPU does not tell."""
        return self._limit_bytes - self._used_bytes if self._limit_bytes else None

    def _buffer(self, size_bytes: int, usage: int) -> Any:
        import wgpu

        try:
            return self.device.create_buffer(size=size_bytes, usage=usage)
        except (wgpu.GPUError, MemoryError, OverflowError) as error:
            if "device is lost" in str(error):
                raise self.told(error) from None
            raise self._no_room(size_bytes) from None

    def _no_room(self, size_bytes: int) -> MemoryLimitError:
        used = f"{self._used_bytes / 2**20:,.0f} MiB are in use"
        if self._limit_bytes:
            used += f" of the {self._limit_bytes / 2**20:,.0f} that RUNG_GPU_MEMORY allows"
        return MemoryLimitError(
            f"{self.adapter.name} has no room for {size_bytes / 2**20:,.1f} MiB more ({used}); "
            "--gpu-layers auto takes what fits, a smaller --context needs less"
        )

    def uniform(self, size_bytes: int) -> Any:
        """Memory for a few numbers that change from run to run."""
        import wgpu

        return self._buffer(size_bytes, wgpu.BufferUsage.UNIFORM | wgpu.BufferUsage.COPY_DST)

    def write(self, buffer: Any, offset: int, data: NDArray[Any]) -> None:
        """Copies bytes to a buffer, in order with submitted work; a multiple of 4 of them."""
        flat = data.reshape(-1).view(np.uint8)
        if len(flat) % 4:
            flat = np.concatenate([flat, np.zeros(-len(flat) % 4, np.uint8)])
        for start in range(0, len(flat), CHUNK_BYTES):
            chunk = flat[start : start + CHUNK_BYTES]
            with self.errors():
                self.queue.write_buffer(buffer, offset + start, chunk)
            self._staged_bytes += len(chunk)
            if self._staged_bytes >= CHUNK_BYTES:
                self.flush()

    def flush(self) -> None:
        """Submits what was written and waits, so that staging memory is free again."""
        self._start(self._encoder())
        self.wait()

    def read(self, buffer: Any, offset: int, size_bytes: int) -> NDArray[np.uint8]:
        """Bytes of a buffer, once all work before is done."""
        data = self.submit_and_read((), buffer, offset, size_bytes).get()
        self.check()
        return data

    def wait(self) -> None:
        """Waits until all submitted work is done. Raises BackendError where the GPU is lost."""
        from wgpu.backends.wgpu_native import ffi, lib

        lib.wgpuDevicePoll(self.device._internal, True, ffi.NULL)
        self.check()

    def check(self) -> None:
        """Raises BackendError where the GPU is lost, or was misused by a call that told nobody."""
        if len(self._log.losses) > self._known_losses:
            raise self._loss(self._log.losses[-1])
        if self._log.errors:
            raise BackendError(f"{self.adapter.name}: {self._log.errors.pop()}")

    def _loss(self, reason: str) -> BackendError:
        return BackendError(
            f"the GPU {self.adapter.name} was lost ({reason}); its driver may have been reset, or "
            "a kernel ran too long: start again, or use --device cpu"
        )

    def told(self, error: Exception) -> BackendError:
        """What wgpu raises, for people: its last line says what was wrong, those before where."""
        reason = str(error).strip().rpartition("\n")[2].strip() or type(error).__name__
        if "device is lost" in reason:
            return self._loss(reason)
        return BackendError(f"{self.adapter.name}: {reason}")

    def errors(self) -> _Errors:
        """Inside it, what wgpu raises becomes a BackendError."""
        return _Errors(self)

    def pipeline(self, source: Source, kernel: str, shader: str = "") -> Pipeline:
        """A compiled shader of a kernel. Raises BackendError with what the compiler says."""
        return self.shaders.get(Shader(source, kernel, shader))

    def group(self, pipeline: Pipeline, bindings: Sequence[Binding]) -> Any:
        """Memory for a shader's variables, in their order."""
        with self.errors():
            return self.device.create_bind_group(
                layout=pipeline.layout,
                entries=[
                    {"binding": i, "resource": {"buffer": buffer, "offset": offset, "size": size}}
                    for i, (buffer, offset, size) in enumerate(bindings)
                ],
            )

    def command(
        self,
        pipeline: Pipeline,
        bindings: Sequence[Binding],
        grid: tuple[int, int, int],
        owner: int,
    ) -> Command:
        """A dispatch on memory of its own."""
        group = self.group(pipeline, bindings)
        return Command(pipeline, group, group._internal, grid, owner)

    def submit(self, commands: Iterable[Command]) -> None:
        """Starts commands, in order, and does not wait."""
        encoder = self._encoder()
        self.encode(encoder, commands)
        self._start(encoder)

    def _encoder(self) -> Any:
        with self.errors():
            return self.device.create_command_encoder()

    def submit_and_read(
        self,
        commands: Sequence[Command],
        buffer: Any,
        offset: int,
        size_bytes: int,
        *,
        times: int = 1,
    ) -> Arriving:
        """Starts commands, so many times in a row; a buffer's bytes after each time will arrive.

        The bytes are a multiple of 4, or read once.
        """
        padded = -(-size_bytes // 4) * 4
        encoder = self._encoder()
        with self.errors():
            staging = self._readback.staging(times * padded)
        for time in range(times):
            if commands:
                self.encode(encoder, commands)
            encoder.copy_buffer_to_buffer(buffer, offset, staging.buffer, time * padded, padded)
        return self._readback.expect(staging, times * size_bytes, self._start(encoder))

    def _start(self, encoder: Any) -> int:
        """Submits what was encoded; the number of the submission."""
        from wgpu.backends.wgpu_native import _api

        with self.errors():
            work = encoder.finish()
            # Of `libf`, which raises what goes wrong.
            index = _api.libf.wgpuQueueSubmitForIndex(
                self.queue._internal, 1, _api.ffi.new("WGPUCommandBuffer[]", [work._internal])
            )
        self._staged_bytes = 0
        return int(index)

    def encode(self, encoder: Any, commands: Iterable[Command]) -> None:
        """Adds commands to an encoder as one compute pass.

        Through wgpu's C functions: its Python methods take 3.0 µs a dispatch, these 0.9 (H200's
        host; finishing the encoder takes 0.85 more).
        """
        from wgpu.backends.wgpu_native import ffi, lib

        set_pipeline = lib.wgpuComputePassEncoderSetPipeline
        set_group = lib.wgpuComputePassEncoderSetBindGroup
        dispatch = lib.wgpuComputePassEncoderDispatchWorkgroups
        null = ffi.NULL
        compute = encoder.begin_compute_pass()
        raw = compute._internal
        last = None
        for command in commands:
            if command.pipeline is not last:
                last = command.pipeline
                set_pipeline(raw, last.raw)
            set_group(raw, 0, command.raw_group, 0, null)
            dispatch(raw, *command.grid)
        compute.end()

    def timed(self, commands: Sequence[Command]) -> list[int]:
        """Runs commands, and the time after each in ns of the GPU's clock, after one at the start.

        Raises BackendError where the GPU cannot tell.
        """
        if not self.has_timestamps:
            raise BackendError(f"{self.adapter.name} has no timestamps")
        stamps: list[int] = []
        for start in range(0, max(len(commands), 1), _MOST_STAMPS - 1):
            part = self._stamped(commands[start : start + _MOST_STAMPS - 1])
            # A pass begins when the one before it has ended; what lies between counts as its first.
            stamps += part[1:] if stamps else part
        return stamps

    def span_ns(self, commands: Sequence[Command]) -> int:
        """Runs commands, and the time from the first to the end of the last on the GPU's clock."""
        first, last = self._stamped(commands, each=False)
        return last - first

    def _stamped(self, commands: Sequence[Command], *, each: bool = True) -> list[int]:
        """Times in ns: before the first command, and after each, or after the last alone."""
        import wgpu
        from wgpu.backends.wgpu_native import ffi, lib

        count = len(commands) + 1 if each else 2
        queries = self.device.create_query_set(type="timestamp", count=count)
        usage = wgpu.BufferUsage.QUERY_RESOLVE | wgpu.BufferUsage.COPY_SRC
        resolved = self._buffer(-(-8 * count // 256) * 256, usage)
        encoder = self._encoder()
        compute = encoder.begin_compute_pass()
        raw = compute._internal
        lib.wgpuComputePassEncoderWriteTimestamp(raw, queries._internal, 0)
        for index, command in enumerate(commands, 1):
            lib.wgpuComputePassEncoderSetPipeline(raw, command.pipeline.raw)
            lib.wgpuComputePassEncoderSetBindGroup(raw, 0, command.raw_group, 0, ffi.NULL)
            lib.wgpuComputePassEncoderDispatchWorkgroups(raw, *command.grid)
            if each:
                lib.wgpuComputePassEncoderWriteTimestamp(raw, queries._internal, index)
        if not each:
            lib.wgpuComputePassEncoderWriteTimestamp(raw, queries._internal, 1)
        compute.end()
        encoder.resolve_query_set(queries, 0, count, resolved, 0)
        self._start(encoder)
        ticks = self.read(resolved, 0, 8 * count).view(np.uint64)
        return [int(tick * self._period) for tick in ticks]

    @cached_property
    def _period(self) -> float:
        """Nanoseconds of a tick."""
        from wgpu.backends.wgpu_native import lib

        return float(lib.wgpuQueueGetTimestampPeriod(self.queue._internal))

    def _subgroup_size(self) -> int:
        """Lanes that run together in a workgroup of 256, as the GPU itself says."""
        text = (
            "@group(0) @binding(0) var<storage, read_write> found: array<u32>;\n"
            "@compute @workgroup_size(256) fn main(@builtin(subgroup_size) size: u32, "
            "@builtin(local_invocation_index) i: u32) { if (i == 0u) { found[0] = size; } }"
        )
        found = self.buffer(16)
        pipeline = self.pipeline(Source(text, (("found", "read_write"),)), "subgroup_size")
        self.submit([self.command(pipeline, [(found, 0, 16)], (1, 1, 1), 0)])
        return int(self.read(found, 0, 4).view(np.uint32)[0])

    def close(self) -> None:
        """Gives the device back."""
        self.shaders.close()
        self._readback.close()
        self.device.destroy()


class _Errors:
    """Turns what wgpu raises into errors for people."""

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        import wgpu

        self._gpu.check()
        if isinstance(error, wgpu.GPUError | RuntimeError):
            raise self._gpu.told(error) from None
