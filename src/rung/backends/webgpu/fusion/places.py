"""Memory as fusion sees it: which tensors share some, and which shall have their own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from rung.graph.ir import Tensor


class Places:
    """What memory tensors lie in, and which of them shall have some of their own.

    of: what a tensor lies in; two that have something in common share it. free: roots that may be
    moved to other memory. moved: those that shall be.
    """

    def __init__(
        self, of: Callable[[Tensor], frozenset[int]], free: Collection[Tensor] = ()
    ) -> None:
        self._of = of
        self._free = free
        self.moved: set[Tensor] = set()

    def of(self, roots: Iterable[Tensor]) -> frozenset[int]:
        """The memory of all of these."""
        found = ((-id(root),) if root in self.moved else self._of(root) for root in roots)
        return frozenset(place for places in found for place in places)

    def separate(self, roots: Collection[Tensor]) -> bool:
        """Whether none of these shares memory with another, with some of them moved if need be."""
        if self._are_apart(roots):
            return True
        self.moved.update(root for root in roots if root in self._free)
        return self._are_apart(roots)

    def _are_apart(self, roots: Collection[Tensor]) -> bool:
        return sum(len(self.of([root])) for root in roots) == len(self.of(roots))
