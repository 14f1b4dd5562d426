"""Rung: an LLM runtime in Python.

>>> import rung
>>> with rung.load() as model:
...     for piece in model.generate("Once upon a time", max_tokens=100):
...         print(piece, end="", flush=True)

Names are imported when they are first used, so `import rung` itself costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # typing's own takes 5 ms to import, in which Ctrl-C would be a traceback

if TYPE_CHECKING:
    from rung.engine.chat import Chat
    from rung.engine.generate import Generation
    from rung.engine.int8pack import int8pack_mm
    from rung.engine.model import Model, load
    from rung.engine.params import SamplingParams
    from rung.engine.sequence import Completion, Usage
    from rung.engine.session import Session
    from rung.errors import (
        BackendError,
        ContextError,
        DataError,
        FormatError,
        KernelError,
        RungError,
        TokenizerError,
        UsageError,
    )

__version__ = "0.1.0"

_HOMES = {
    "rung.engine.chat": ("Chat",),
    "rung.engine.generate": ("Generation",),
    "rung.engine.int8pack": ("int8pack_mm",),
    "rung.engine.model": ("Model", "load"),
    "rung.engine.params": ("SamplingParams",),
    "rung.engine.sequence": ("Completion", "Usage"),
    "rung.engine.session": ("Session",),
    "rung.errors": (
        "BackendError",
        "ContextError",
        "DataError",
        "FormatError",
        "KernelError",
        "RungError",
        "TokenizerError",
        "UsageError",
    ),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "BackendError",
    "Chat",
    "Completion",
    "ContextError",
    "DataError",
    "FormatError",
    "Generation",
    "KernelError",
    "Model",
    "RungError",
    "SamplingParams",
    "Session",
    "TokenizerError",
    "Usage",
    "UsageError",
    "__version__",
    "int8pack_mm",
    "load",
]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value  # so that this runs once a name
    return value


def __dir__() -> list[str]:
    return __all__
