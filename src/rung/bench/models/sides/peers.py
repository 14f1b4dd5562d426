"""The programs that a model can be measured beside."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from rung.bench.models.sides.base import Side
from rung.errors import BackendError, UsageError
from rung.models.config import Config


@dataclass(frozen=True)
class Peer:
    """A program: the package that it is called through, and the class of its side here."""

    name: str
    module: str
    package: str
    home: str
    reads_gguf: bool

    @property
    def side(self) -> type[Side]:
        """Its class. Imports nothing of the program itself."""
        module, _, name = self.home.partition(":")
        found: type[Side] = getattr(import_module(module), name)
        return found


PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            "llama.cpp",
            "llama_cpp",
            "llama-cpp-python",
            "rung.bench.models.sides.llamacpp:LlamaCppSide",
            reads_gguf=True,
        ),
        Peer(
            "torch-bf16",
            "torch",
            "torch",
            "rung.bench.models.sides.pytorch:TorchSide",
            reads_gguf=False,
        ),
    )
}


def peer_named(name: str) -> Peer:
    """The peer of this name. Raises UsageError if unknown, BackendError if not installed."""
    if name not in PEERS:
        raise UsageError(f"--versus is {name!r}, expected one of {', '.join(PEERS)}")
    peer = PEERS[name]
    if find_spec(peer.module) is None:
        raise BackendError(
            f"--versus {name} needs {peer.package}, which is not installed: "
            f"pip install {peer.package}"
        )
    return peer


def check_peer(peer: Peer, config: Config) -> None:
    """Raises UsageError where a peer has no way to run a model of this shape."""
    if peer.name == "torch-bf16":
        from rung.bench.models.sides.pytorch import check_supported

        check_supported(config)
