"""Places for the nodes of a graph drawn upward, with its edges led around the nodes between.

Sugiyama, Tagawa & Toda 1981: an edge that passes rows gets a place in each of them, then every row
is ordered by the mean place of its neighbours, so that few edges cross.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Edge = tuple[str, str]
_SWEEPS = 8
_GAP = 0.55
"""Centimetres between neighbours of a row."""
_LANE = 0.25
"""The width of the place of an edge that passes a row."""


@dataclass(frozen=True)
class Layout:
    """Where things are, in centimetres and rows.

    Attributes:
        places: of each node: across, and its row.
        routes: of each edge: the places that it passes between its ends.
    """

    places: Mapping[str, tuple[float, int]]
    routes: Mapping[Edge, tuple[tuple[float, int], ...]]


def lay_out(rows: Mapping[str, int], widths: Mapping[str, float], edges: Sequence[Edge]) -> Layout:
    """The layout of a graph whose edges lead to later rows.

    Args:
        rows: the row of each node; within a row nodes begin in this order.
        widths: of the nodes, in centimetres.
        edges: from node to node.
    """
    graph = _Graph(dict(rows), dict(widths))
    routes = {edge: graph.connect(*edge) for edge in dict.fromkeys(edges)}
    graph.order()
    across = graph.across()
    return Layout(
        {node: (across[node], rows[node]) for node in rows},
        {edge: tuple((across[lane], graph.rows[lane]) for lane in lanes) for edge, lanes in routes.items()},
    )


class _Graph:
    """The nodes with lanes for long edges: every edge leads from one row to the next."""

    def __init__(self, rows: dict[str, int], widths: dict[str, float]) -> None:
        self.rows = rows
        self.widths = widths
        self.above: dict[str, list[str]] = {}
        self.below: dict[str, list[str]] = {}
        self.table: list[list[str]] = [[] for _ in range(max(rows.values()) + 1)]
        for node, row in rows.items():
            self.table[row].append(node)

    def connect(self, start: str, end: str) -> list[str]:
        """Add an edge; its lanes."""
        lanes = []
        last = start
        for row in range(self.rows[start] + 1, self.rows[end]):
            lane = f"{start}>{end}@{row}"
            self.rows[lane], self.widths[lane] = row, _LANE
            self.table[row].append(lane)
            lanes.append(lane)
            last = self._link(last, lane)
        self._link(last, end)
        return lanes

    def _link(self, low: str, high: str) -> str:
        self.above.setdefault(low, []).append(high)
        self.below.setdefault(high, []).append(low)
        return high

    def order(self) -> None:
        """Sort each row by the mean place of its neighbours, up and down again."""
        for sweep in range(_SWEEPS):
            upward = sweep % 2 == 0
            neighbours = self.below if upward else self.above
            for row in self.table if upward else reversed(self.table):
                place = {node: at for line in self.table for at, node in enumerate(line)}
                row.sort(key=lambda node: _mean([float(place[n]) for n in neighbours.get(node, [node])]))

    def across(self) -> dict[str, float]:
        """A place for every node near its neighbours, with gaps kept."""
        found: dict[str, float] = {}
        for row in self.table:
            self._pack(row, dict.fromkeys(row, 0.0), found)
        for sweep in range(_SWEEPS):
            upward = sweep % 2 == 0
            neighbours = self.below if upward else self.above
            for row in self.table if upward else reversed(self.table):
                wish = {node: _mean([found[n] for n in neighbours.get(node, [node])]) for node in row}
                self._pack(row, wish, found)
        middle = (min(found.values()) + max(found.values())) / 2
        return {node: place - middle for node, place in found.items()}

    def _pack(self, row: list[str], wish: Mapping[str, float], found: dict[str, float]) -> None:
        """Put a row's nodes as near to their wishes as the gaps allow."""
        places: list[float] = []
        for at, node in enumerate(row):
            least = places[-1] + self._distance(row[at - 1], node) if places else wish[node]
            places.append(max(wish[node], least))
        shift = _mean([wish[node] - place for node, place in zip(row, places, strict=True)])
        found.update({node: place + shift for node, place in zip(row, places, strict=True)})

    def _distance(self, left: str, right: str) -> float:
        return (self.widths[left] + self.widths[right]) / 2 + _GAP


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
