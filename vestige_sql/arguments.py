"""What a caller may name and choose, besides how to re-embed.

Nothing here, nor in ``report``, takes time to import: the command line's help is made from both.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from .checks import check_flag, check_number, check_text
from .errors import UsageError

MODES = ("hybrid", "text", "vector")
"""How to search."""

DEVICES = ("auto", "cpu", "cuda")
"""What a model runs on."""


@dataclass(frozen=True)
class Target:
    """The table to re-embed, and its columns.

    ``table`` is read as SQL reads a qualified name: ``documents``, ``app.documents``, ``"App"."My Docs"``. The
    columns are plain names, taken literally. The defaults are Vestige's table.

    Raises :class:`UsageError` for what is no text, or holds what no name of PostgreSQL's can.
    """

    table: str = "knowledge_nodes"
    id_column: str = "id"
    content_column: str = "content"
    embedding_column: str = "embedding"

    def __post_init__(self) -> None:
        for part in fields(self):
            check_text(part.name, getattr(self, part.name))


VESTIGE = Target()


@dataclass(frozen=True)
class CopyPlan:
    """How to copy.

    ``batch_size``: most rows in one transaction. ``embeddings``: whether vectors are copied. A source below version 15
    is upgraded only with ``allow_source_upgrade``: on a temporary copy, or the file itself with ``upgrade_in_place``.

    Raises :class:`UsageError` for what does not fit together.
    """

    batch_size: int = 500
    embeddings: bool = True
    allow_source_upgrade: bool = False
    upgrade_in_place: bool = False

    def __post_init__(self) -> None:
        check_number("batch_size", self.batch_size, 1)
        for flag in ("embeddings", "allow_source_upgrade", "upgrade_in_place"):
            check_flag(flag, getattr(self, flag))
        if self.upgrade_in_place and not self.allow_source_upgrade:
            raise UsageError("--upgrade-in-place is a way of --allow-source-upgrade, which is to be given too")
