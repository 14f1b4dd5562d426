"""A layout for small graphs: cells in ranks from top to bottom, edges between neighboring ranks.

Ranks are longest paths from the top. An edge that a longer path also takes goes by the right side
of all ranks between, as a residual is drawn; other long edges pass through the ranks.

Source: Sugiyama, Tagawa and Toda, Methods for Visual Understanding of Hierarchical System
Structures, 1981. Places within a rank are a least-squares fit under least distances.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum

Edge = tuple[str, str]

_GAP, _LANE, _THROUGH = 18.0, 16.0, 8.0
_SWEEPS = 25  # the last one goes down, which leaves chains straight and mergers where they meet


@dataclass(frozen=True)
class Cell:
    """What takes place: how far it reaches to the left and right of where its edges are."""

    key: str
    left: float
    right: float


@dataclass(frozen=True)
class Layout:
    """ranks: keys of cells. x: of each cell. routes: x of an edge at each rank between its ends."""

    ranks: tuple[tuple[str, ...], ...]
    x: Mapping[str, float]
    routes: Mapping[Edge, tuple[float, ...]]
    width: float


def arrange(cells: Sequence[Cell], edges: Sequence[Edge]) -> Layout:
    """Cells in the order given where nothing else decides; edges lead from earlier to later."""
    cells = _as_wide_as_their_chains(cells, edges)
    rank = _ranks(cells, edges)
    around = {
        edge for edge in edges if rank[edge[1]] - rank[edge[0]] > 1 and _is_bypass(edges, edge)
    }
    entries, links, chains = _with_dummies(cells, edges, rank, around)
    _order(entries, links)
    x = _places(entries, links)
    least = min((x[cell.key] - cell.left for cell in cells), default=0.0)
    for key in x:
        x[key] -= least
    right = [max(x[cell.key] + cell.right for cell in found) for found in entries]
    routes = {edge: tuple(x[key] for key in chain) for edge, chain in chains.items()}
    width = max(right, default=0.0)
    taken: list[tuple[int, int, float]] = []
    for source, target in sorted(around, key=lambda edge: rank[edge[1]] - rank[edge[0]]):
        first, last = rank[source] + 1, rank[target] - 1
        lane = max(right[first : last + 1]) + _GAP
        lane = max(
            [lane, *(at + _LANE for low, high, at in taken if low <= last and first <= high)]
        )
        taken.append((first, last, lane))
        routes[source, target] = (lane,) * (last - first + 1)
        width = max(width, lane + _LANE)
    names = {cell.key for cell in cells}
    ranks = tuple(tuple(cell.key for cell in found if cell.key in names) for found in entries)
    return Layout(ranks, {key: x[key] for key in names}, routes, width)


def _as_wide_as_their_chains(cells: Sequence[Cell], edges: Sequence[Edge]) -> list[Cell]:
    """Cells one below the other that nothing else joins or leaves reach equally far: no jogs."""
    chain = {cell.key: [cell] for cell in cells}
    for source, target in edges:
        leaving = sum(edge[0] == source for edge in edges)
        joining = sum(edge[1] == target for edge in edges)
        if leaving == joining == 1:
            both = chain[source] + chain[target]
            chain.update(dict.fromkeys((cell.key for cell in both), both))
    return [
        Cell(
            cell.key,
            max(other.left for other in chain[cell.key]),
            max(other.right for other in chain[cell.key]),
        )
        for cell in cells
    ]


def _ranks(cells: Sequence[Cell], edges: Sequence[Edge]) -> dict[str, int]:
    rank = {cell.key: 0 for cell in cells}
    for cell in cells:
        for source, target in edges:
            if target == cell.key:
                rank[target] = max(rank[target], rank[source] + 1)
    return rank


def _is_bypass(edges: Sequence[Edge], edge: Edge) -> bool:
    """Whether a longer path leads where an edge leads."""
    seen: set[str] = set()
    ahead = [target for source, target in edges if source == edge[0] and target != edge[1]]
    while ahead:
        here = ahead.pop()
        if here == edge[1]:
            return True
        if here not in seen:
            seen.add(here)
            ahead += [target for source, target in edges if source == here]
    return False


def _with_dummies(
    cells: Sequence[Cell], edges: Sequence[Edge], rank: Mapping[str, int], around: set[Edge]
) -> tuple[list[list[Cell]], list[Edge], dict[Edge, list[str]]]:
    """Ranks with a narrow cell wherever an edge passes through, and edges of length one."""
    entries: list[list[Cell]] = [[] for _ in range(1 + max(rank.values(), default=-1))]
    for cell in cells:
        entries[rank[cell.key]].append(cell)
    links: list[Edge] = []
    chains: dict[Edge, list[str]] = {}
    for edge in edges:
        if edge in around:
            continue
        between = range(rank[edge[0]] + 1, rank[edge[1]])
        chain = [f"{edge[0]}>{edge[1]}@{at}" for at in between]
        for at, key in zip(between, chain, strict=True):
            entries[at].append(Cell(key, _THROUGH, _THROUGH))
        links += pairwise([edge[0], *chain, edge[1]])
        chains[edge] = chain
    return entries, links, chains


def _order(entries: list[list[Cell]], links: Sequence[Edge]) -> None:
    """Orders ranks by where their neighbors are: down, up, and down once more."""
    above = _neighbors(links, back=True)
    below = _neighbors(links, back=False)
    at: dict[str, float] = {}
    for found in entries:
        at.update({cell.key: (index + 0.5) / len(found) for index, cell in enumerate(found)})
    for neighbors, ranks in ((above, entries), (below, entries[::-1]), (above, entries)):
        for found in ranks:
            middle = {cell.key: _mean(at, neighbors, cell.key) for cell in found}
            found.sort(key=lambda cell: middle[cell.key])
            at.update({cell.key: (index + 0.5) / len(found) for index, cell in enumerate(found)})


def _neighbors(links: Sequence[Edge], *, back: bool) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for source, target in links:
        here, there = (target, source) if back else (source, target)
        found.setdefault(here, []).append(there)
    return found


def _mean(at: Mapping[str, float], neighbors: Mapping[str, list[str]], key: str) -> float:
    """Where a cell's neighbors are on average; where it is itself if it has none."""
    known = [at[other] for other in neighbors.get(key, [])]
    return fsum(known) / len(known) if known else at[key]


def _places(entries: Sequence[Sequence[Cell]], links: Sequence[Edge]) -> dict[str, float]:
    """Places that keep edges straight: each rank follows its neighbors above, then below."""
    above, below = _neighbors(links, back=True), _neighbors(links, back=False)
    x: dict[str, float] = {}
    for found in entries:
        x.update(zip((cell.key for cell in found), _fitted(found, [0.0] * len(found)), strict=True))
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for found in entries if down else entries[::-1]:
            neighbors = above if down else below
            wanted = [_mean(x, neighbors, cell.key) for cell in found]
            x.update(zip((cell.key for cell in found), _fitted(found, wanted), strict=True))
    return x


def _fitted(cells: Sequence[Cell], wanted: Sequence[float]) -> list[float]:
    """Places next to those wanted, in order and apart: the mean of each group that would meet."""
    offsets = [0.0]
    for before, after in pairwise(cells):
        offsets.append(offsets[-1] + before.right + _GAP + after.left)
    groups: list[list[float]] = []  # of values wanted less offsets, which may not decrease
    for want, offset in zip(wanted, offsets, strict=False):
        groups.append([want - offset])
        while len(groups) > 1 and _average(groups[-2]) > _average(groups[-1]):
            last = groups.pop()
            groups[-1] += last
    flat = [_average(group) for group in groups for _ in group]
    return [place + offset for place, offset in zip(flat, offsets, strict=False)]


def _average(values: Sequence[float]) -> float:
    return fsum(values) / len(values)
