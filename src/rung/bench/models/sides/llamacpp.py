"""llama.cpp's side, by the functions of its library that llama-cpp-python declares."""

from __future__ import annotations

import ctypes
import os
import time
from functools import cache
from typing import Any

from rung.bench.models.sides.base import Opened, Setup, TokenSide
from rung.errors import BackendError

_LEVEL_ERROR = 4  # GGML_LOG_LEVEL_ERROR


@cache
def _errors_of(llama_cpp: Any) -> list[str]:
    """A list that llama.cpp's errors are added to from now on.

    Its log is one for the process and keeps a pointer to our function, which therefore lives on.
    """
    messages: list[str] = []

    @llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
    def keep(level: int, text: bytes, _: object) -> None:
        if level >= _LEVEL_ERROR:
            messages.append(text.decode(errors="replace").strip())

    llama_cpp.llama_log_set(keep, ctypes.c_void_p(0))
    _KEPT.append(keep)
    return messages


_KEPT: list[Any] = []


class LlamaCppSide(TokenSide):
    """A GGUF file in llama.cpp, on the CPU, with its own defaults but threads and batch sizes.

    A prompt is one batch. No Python runs between tokens but the call itself, so it is timed as a
    program in C++ would be, to within some microseconds.
    """

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        import llama_cpp

        assert setup.path is not None
        self._lib: Any = llama_cpp
        self._messages = _errors_of(llama_cpp)
        self._messages.clear()
        llama_cpp.llama_backend_init()
        start = time.perf_counter()
        model_params = llama_cpp.llama_model_default_params()
        model_params.n_gpu_layers = 0
        self._model = llama_cpp.llama_model_load_from_file(os.fsencode(setup.path), model_params)
        if not self._model:
            raise BackendError(f"llama.cpp cannot load {setup.path}{self._last_message()}")
        params = llama_cpp.llama_context_default_params()
        params.n_ctx = setup.context_length
        params.n_batch = params.n_ubatch = max(setup.longest_batch, 1)
        params.n_threads = params.n_threads_batch = setup.threads
        self._context = llama_cpp.llama_init_from_model(self._model, params)
        if not self._context:
            raise BackendError(f"llama.cpp cannot plan {setup.path}{self._last_message()}")
        self._memory = llama_cpp.llama_get_memory(self._context)
        load_s = time.perf_counter() - start
        self._ids = (ctypes.c_int32 * len(self._tokens))(*self._tokens)
        self.opened = Opened(
            name=f"llama.cpp {llama_cpp.__version__}",
            load_s=load_s,
        )

    def _last_message(self) -> str:
        return f": {self._messages[-1]}" if self._messages else ""

    def _read(self, start: int, stop: int) -> None:
        lib = self._lib
        # Positions follow on from those in the cache, which `_forget` has cut at `start`.
        at = ctypes.cast(ctypes.byref(self._ids, 4 * start), ctypes.POINTER(ctypes.c_int32))
        failed = lib.llama_decode(self._context, lib.llama_batch_get_one(at, stop - start))
        if failed:
            raise BackendError(f"llama.cpp's llama_decode answers {failed}{self._last_message()}")
        lib.llama_get_logits(self._context)  # waits until they are there

    def _forget(self, start: int) -> None:
        self._lib.llama_memory_seq_rm(self._memory, 0, start, -1)

    def close(self) -> None:
        self._lib.llama_free(self._context)
        self._lib.llama_model_free(self._model)
