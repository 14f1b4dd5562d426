"""Values on their way from a GPU to the host, while it works on.

Memory that the host can read is a buffer of its own; a copy into it is part of a submission. Then
`Arriving.get` waits for that submission alone. wgpu's own `read_buffer` makes a new buffer each
time and has another thread wait for all that was submitted.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rung.errors import BackendError

# Greater buffers are not kept: the logits of a prompt's every token would stay for good.
_MOST_KEPT_BYTES = 1 << 20
_PENDING = 0


class Arriving:
    """Bytes that will be on the host: `get` waits for them, `drop` gives them up."""

    def __init__(self, readback: Readback, staging: _Staging, size_bytes: int) -> None:
        self._readback = readback
        self._staging = staging
        self._size = size_bytes

    def get(self) -> NDArray[np.uint8]:
        """The bytes. Raises BackendError where the GPU is lost. To be called once."""
        return self._readback.take(self._staging, self._size)

    def drop(self) -> None:
        """Forgets them; the GPU may still be at work on them."""
        self._readback.give_up(self._staging)


class _Staging:
    """A buffer that the host can read, and how far the last copy into it is."""

    def __init__(self, buffer: Any, size: int, info: Any) -> None:
        self.buffer = buffer
        self.size = size
        self.info = info
        self.status = _PENDING
        self.submission: Any = None


class Readback:
    """The buffers of one device that the host reads."""

    def __init__(self, device: Any) -> None:
        from wgpu.backends.wgpu_native import ffi, lib

        self._ffi, self._lib = ffi, lib
        self._device = device
        self._free: dict[int, list[_Staging]] = {}
        self._known: dict[int, _Staging] = {}
        self._given_up: list[_Staging] = []
        self._index = ffi.new("WGPUSubmissionIndex *")

        self._interrupt: BaseException | None = None
        kind = "void(WGPUMapAsyncStatus, WGPUStringView, void *, void *)"
        self._mapped = ffi.callback(kind, self._note, onerror=self._interrupted)

    def _note(self, status: int, message: Any, key: Any, unused: Any) -> None:
        """Called by the library, while it polls: a buffer can be read now, or never."""
        staging = self._known.get(int(self._ffi.cast("uintptr_t", key)))
        if staging is not None:
            staging.status = status

    def _interrupted(self, kind: object, error: BaseException, trace: TracebackType) -> None:
        """Ctrl-C comes up where Python code runs next, and that may be `_note`: it is kept."""
        self._interrupt = error
        given = trace.tb_frame.f_locals
        self._note(given["status"], None, given["key"], None)

    def staging(self, size_bytes: int) -> _Staging:
        """A buffer of at least so many bytes; `take` or `give_up` gives it back."""
        self._recover()
        size = 256
        while size < size_bytes:
            size *= 2
        free = self._free.get(size)
        if free:
            return free.pop()
        return self._new(size)

    def _new(self, size: int) -> _Staging:
        import wgpu

        ffi = self._ffi
        usage = wgpu.BufferUsage.COPY_DST | wgpu.BufferUsage.MAP_READ
        buffer = self._device.create_buffer(size=size, usage=usage)
        info = ffi.new("WGPUBufferMapCallbackInfo *")
        info.mode = self._lib.WGPUCallbackMode_AllowProcessEvents
        info.callback = self._mapped
        staging = _Staging(buffer, size, info)
        key = int(ffi.cast("uintptr_t", info))
        info.userdata1 = ffi.cast("void *", key)
        self._known[key] = staging
        return staging

    def expect(self, staging: _Staging, size_bytes: int, submission: Any) -> Arriving:
        """Bytes that a submission copies to a buffer."""
        staging.status = _PENDING
        staging.submission = submission
        lib = self._lib
        lib.wgpuBufferMapAsync(
            staging.buffer._internal, lib.WGPUMapMode_Read, 0, staging.size, staging.info[0]
        )
        return Arriving(self, staging, size_bytes)

    def take(self, staging: _Staging, size_bytes: int) -> NDArray[np.uint8]:
        """What has arrived in a buffer, after waiting for its submission."""
        lib, ffi = self._lib, self._ffi
        self._index[0] = staging.submission
        if staging.status == _PENDING:
            lib.wgpuDevicePoll(self._device._internal, True, self._index)
        if self._interrupt is not None:
            self.give_up(staging)
            interrupt, self._interrupt = self._interrupt, None
            raise interrupt
        if staging.status != lib.WGPUMapAsyncStatus_Success:
            self._forget(staging)
            raise BackendError("the GPU was lost, or refuses to hand out what it has computed")
        raw = staging.buffer._internal
        address = lib.wgpuBufferGetMappedRange(raw, 0, staging.size)
        data = np.frombuffer(ffi.buffer(address, size_bytes), np.uint8).copy()
        lib.wgpuBufferUnmap(raw)
        self._give_back(staging)
        return data

    def give_up(self, staging: _Staging) -> None:
        """Frees a buffer once what is on its way to it has arrived; nobody waits for that.

        Not before: mapped anew for a later copy, it would be handed out after the earlier one.
        """
        self._given_up.append(staging)

    def _recover(self) -> None:
        waiting = []
        for staging in self._given_up:
            if staging.status == _PENDING:
                waiting.append(staging)
            else:
                self._lib.wgpuBufferUnmap(staging.buffer._internal)
                self._give_back(staging)
        self._given_up = waiting

    def close(self) -> None:
        """Gives all buffers back."""
        for staging in list(self._known.values()):
            self._forget(staging)
        self._free.clear()
        self._given_up.clear()

    def _give_back(self, staging: _Staging) -> None:
        if staging.size <= _MOST_KEPT_BYTES:
            self._free.setdefault(staging.size, []).append(staging)
        else:
            self._forget(staging)

    def _forget(self, staging: _Staging) -> None:
        del self._known[int(self._ffi.cast("uintptr_t", staging.info))]
        staging.buffer.destroy()
