"""What a caller can choose: the table, and how to copy or re-embed it.

This module and ``report`` must be quick to import, because the command line's help is made from both.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from vestige_sql.checks import MOST, check_flag, check_number, check_text
from vestige_sql.errors import UsageError

MODES = ("hybrid", "text", "vector")
"""The ways to search."""

DEVICES = ("auto", "cpu", "cuda")
"""The devices that a model can run on."""

PRECISIONS = ("fp32", "bf16")
"""What a model can be computed in: as its graph says, or in bfloat16."""


@dataclass(frozen=True)
class Target:
    """The table to re-embed, and its columns.

    ``table`` is read as SQL reads a qualified name: ``documents``, ``app.documents``, ``"App"."My Docs"``. The
    columns are plain names, taken literally. What is None is found in the table: the primary key, the column
    ``content`` or the only column of text, and the only column of vectors. A key of several columns is a sequence of
    names, or a text with commas in between. ``where`` is an SQL condition over the table's columns: the target is then
    those rows alone, and they have a registered model of their own. ``content_expression`` is SQL over a row's columns,
    in place of ``content_column``: ``title || ' ' || body``.

    Raises :class:`UsageError` for anything but strings, for characters that PostgreSQL cannot store, and for a column
    and an expression together.
    """

    table: str = "knowledge_nodes"
    id_column: str | Sequence[str] | None = None
    content_column: str | None = None
    embedding_column: str | None = None
    where: str | None = None
    content_expression: str | None = None

    def __post_init__(self) -> None:
        check_text("table", self.table)
        if isinstance(self.id_column, (list, tuple)):
            for name in self.id_column or (None,):
                check_text("id_column", name)
            # A tuple, so that a target can be hashed.
            object.__setattr__(self, "id_column", tuple(self.id_column))
        elif self.id_column is not None:
            check_text("id_column", self.id_column)
        for part in ("content_column", "embedding_column", "where", "content_expression"):
            if getattr(self, part) is not None:
                check_text(part, getattr(self, part))
        if self.content_column is not None and self.content_expression is not None:
            raise UsageError(
                "the text is either --content-column or --content-expression, not both",
                "leave out one of them; nothing was written",
            )
        if self.content_expression is not None and not self.content_expression.strip():
            raise UsageError(
                "--content-expression is empty",
                "write SQL over a row's columns, such as title || ' ' || body; nothing was written",
            )

    def names(self) -> dict[str, str | None]:
        """Return the variables of ``sql/probe/columns.sql`` that name the columns, None for those not named.

        Several names become one text, each in double quotes.
        """
        key = self.id_column
        if key is not None and not isinstance(key, str):
            key = key[0] if len(key) == 1 else ", ".join(map(_quoted, key))
        named = {
            "id_column": key,
            "content_column": self.content_column,
            "content_expression": self.content_expression,
            "embedding_column": self.embedding_column,
        }
        # psql's empty variable names no column. A column that somebody calls "" is none of the table's.
        return {variable: '""' if name == "" else name for variable, name in named.items()}

    def as_options(self) -> str:
        """Return the options that name this target to the command line, quoted for a shell."""
        named = [("--table", self.table)] if self.table != Target.table else []
        for variable, name in self.names().items():
            if name is not None:
                named.append((f"--{variable.replace('_', '-')}", name))
        if self.where is not None:
            named.append(("--where", self.where))
        return " ".join(map(shlex.join, named))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def names_several(table: str) -> bool:
    """Whether ``table`` is a pattern that may name several tables: it has a * or a comma outside of double quotes."""
    return bool(re.search(r"[*,]", re.sub(r'"(?:[^"]|"")*"', "", table)))


VESTIGE = Target()


@dataclass(frozen=True)
class CopyPlan:
    """How to copy.

    ``batch_size``: the most rows in one transaction. ``embeddings``: whether vectors are copied. A source below
    version 15 is upgraded only with ``allow_source_upgrade``: as a temporary copy, or with ``upgrade_in_place`` the
    file itself.

    Raises :class:`UsageError` for a value out of range, and for ``upgrade_in_place`` without ``allow_source_upgrade``.
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
            raise UsageError(
                "--upgrade-in-place requires --allow-source-upgrade", "give both, or neither; nothing was written"
            )


WAYS = ("auto", "rewrite", "widen", "swap")

_MOST_PAUSE_SECS = 24 * 60 * 60


@dataclass(frozen=True)
class ReembedPlan:
    """How to re-embed.

    - ``batch_size``: the most rows in one ``embed_batch`` call.
    - ``drop_hnsw_first``: drop the column's vector indexes before the vectors change.
    - ``concurrent_index``: build them afterwards with CREATE INDEX CONCURRENTLY, in autocommit.
    - ``apply``: "auto", "rewrite", "widen" or "swap".
    - ``lock_timeout_secs``: how long one attempt waits for the table's lock, by default 2 s, online 0.1 s. Everybody
      else waits behind it.
    - ``lock_attempts``: how many attempts there are, with growing pauses in between.
    - ``online``: fill a second column while search goes on in the first, then switch in milliseconds.
    - ``pause_secs``: online, how many seconds to pause between two batches.
    - ``max_lag_bytes``: online, the filling waits while a replica is more than this much WAL behind.
    - ``min_recall``: the switch is refused if a new index has a lower recall@10. None asks for 0.9, or for about as
      much as the former index finds where that is less.
    - ``recall_sample``: how many rows the recall is measured on. 0 does not measure it.
    - ``fire_triggers``: continue even if the role cannot suppress the table's own triggers, which then fire on each
      row that is filled.
    - ``keep_old``: keep the former vectors of an offline run for a rollback. Online they are always kept.
    - ``accept_edited_files``: continue a run although the step files that it has run were edited since.
    - ``index_memory_bytes``: the most memory that an index build may take, by default a quarter of the server's
      effective_cache_size.
    - ``create_index``: build an HNSW index where the column has no vector index. Vestige's table gets its own anyway.
    - ``recreate_views``: drop views that use the column, and make them again, in the transaction that puts the vectors
      in place.
    - ``keep_untyped``: leave the column without a dimension, or take it off, so that rows of several models fit in.
    - ``require_verdict``: put nothing in place unless the last judging of exactly what is staged says GO.

    Raises :class:`UsageError` for a value out of range, and for ``online`` together with "rewrite" or "widen".
    """

    batch_size: int = 128
    drop_hnsw_first: bool = True
    concurrent_index: bool = False
    apply: str = "auto"
    lock_timeout_secs: float | None = None
    lock_attempts: int = 10
    online: bool = False
    pause_secs: float = 0.0
    max_lag_bytes: int = 64 << 20
    min_recall: float | None = None
    recall_sample: int = 30
    fire_triggers: bool = False
    keep_old: bool = False
    accept_edited_files: bool = False
    index_memory_bytes: int | None = None
    require_verdict: bool = False
    create_index: bool = False
    recreate_views: bool = False
    keep_untyped: bool = False

    def __post_init__(self) -> None:
        check_number("batch_size", self.batch_size, 1)
        if self.apply not in WAYS:
            raise UsageError(f"apply must be one of {', '.join(WAYS)}, not {self.apply!r}", "nothing was written")
        if self.online and self.apply not in ("auto", "swap"):
            raise UsageError(
                f"online does not go with apply {self.apply!r}",
                "an online run switches columns: leave out --online or --apply; nothing was written",
            )
        check_number("pause_secs", self.pause_secs, 0, _MOST_PAUSE_SECS, whole=False)
        check_number("max_lag_bytes", self.max_lag_bytes, 0, 2**63 - 1)
        if self.min_recall is not None:
            check_number("min_recall", self.min_recall, 0, 1, whole=False)
        check_number("recall_sample", self.recall_sample, 0)
        if self.lock_timeout_secs is not None:
            # PostgreSQL counts it in whole milliseconds, and 0 means no limit.
            check_number("lock_timeout_secs", self.lock_timeout_secs, 0.001, MOST // 1000, whole=False)
        check_number("lock_attempts", self.lock_attempts, 1)
        if self.index_memory_bytes is not None:
            # The bounds of maintenance_work_mem, whose unit is 1 kB.
            check_number("index_memory_bytes", self.index_memory_bytes, 1 << 20, MOST << 10)
        for flag in (
            "drop_hnsw_first",
            "concurrent_index",
            "online",
            "fire_triggers",
            "keep_old",
            "accept_edited_files",
            "require_verdict",
            "create_index",
            "recreate_views",
            "keep_untyped",
        ):
            check_flag(flag, getattr(self, flag))

    @property
    def lock_wait_secs(self) -> float:
        """How long one attempt waits for the table's lock, in seconds."""
        if self.lock_timeout_secs is not None:
            return self.lock_timeout_secs
        return 0.1 if self.online else 2.0
