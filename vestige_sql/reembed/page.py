"""A page of a table: the pending rows among some rows that were read."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace
from typing import TypeVar

_Column = TypeVar("_Column")


@dataclass(frozen=True)
class Page:
    """The pending rows among some rows that were read. The lists have one entry per pending row.

    ``rows`` is how many rows were read, ``last`` the place of the last one as text. ``ids`` and ``hashes`` are in the
    binary form that the server sent. ``texts`` are as long as the model needs them. ``changed`` is how many rows are
    left out because they changed while their text was read.
    """

    rows: int
    last: str
    ids: list[bytes]
    keys: list[str]
    texts: list[str]
    hashes: list[bytes]
    changed: int = 0

    def without(self, ids: Set[bytes]) -> Page:
        """Return the page without the rows that have one of ``ids``."""
        if ids.isdisjoint(self.ids):
            return self
        left = [row for row, id_ in enumerate(self.ids) if id_ not in ids]

        def those(column: list[_Column]) -> list[_Column]:
            return [column[row] for row in left]

        return replace(
            self, ids=those(self.ids), keys=those(self.keys), texts=those(self.texts), hashes=those(self.hashes)
        )
