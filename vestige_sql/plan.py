"""What a caller may name and choose, besides how to re-embed.

Nothing here, nor in ``report``, takes time to import: the command line's help is made from both.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from vestige_sql.checks import MOST, check_flag, check_number, check_text
from vestige_sql.errors import UsageError

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


WAYS = ("auto", "rewrite", "widen", "swap")

_MOST_PAUSE_SECS = 24 * 60 * 60


@dataclass(frozen=True)
class ReembedPlan:
    """How to re-embed.

    ``batch_size``: most rows in one ``embed_batch`` call. ``drop_hnsw_first``: drop the column's vector indexes
    before the vectors change. ``concurrent_index``: build them afterwards with CREATE INDEX CONCURRENTLY, in
    autocommit. ``apply``: "auto", "rewrite", "widen" or "swap". ``lock_timeout_secs`` is how long one attempt
    waits for the table's lock (2 s by default, 0.1 s online, for all others wait behind it), and ``lock_attempts``
    how many there are, with growing pauses in between.

    ``online``: fill a second column while search goes on in the first, and switch in milliseconds. Between its
    batches the filling pauses for ``pause_secs``, and as long as a replica is more than ``max_lag_bytes`` of WAL
    behind. The switch is refused where a new index has a recall@10 below ``min_recall``, measured on
    ``recall_sample`` rows; 0 of them measures nothing. ``fire_triggers`` goes on where the role cannot keep the table's
    own triggers from firing on each row that is filled. ``keep_old`` keeps the former vectors of an offline run for a
    rollback; online they are always kept. ``accept_edited_files`` goes on with a run that was brought this far by step
    files of another text. ``index_memory_bytes`` is the most memory that an index build may take, by default a quarter
    of the server's effective_cache_size.

    Raises :class:`UsageError` for a value out of range.
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
    min_recall: float = 0.9
    recall_sample: int = 30
    fire_triggers: bool = False
    keep_old: bool = False
    accept_edited_files: bool = False
    index_memory_bytes: int | None = None

    def __post_init__(self) -> None:
        check_number("batch_size", self.batch_size, 1)
        if self.apply not in WAYS:
            raise UsageError(f"apply is one of {', '.join(WAYS)}, not {self.apply!r}")
        if self.online and self.apply not in ("auto", "swap"):
            raise UsageError(f"online is a way of its own, it does not go with apply {self.apply!r}")
        check_number("pause_secs", self.pause_secs, 0, _MOST_PAUSE_SECS, whole=False)
        check_number("max_lag_bytes", self.max_lag_bytes, 0, 2**63 - 1)
        check_number("min_recall", self.min_recall, 0, 1, whole=False)
        check_number("recall_sample", self.recall_sample, 0)
        if self.lock_timeout_secs is not None:
            # PostgreSQL counts it in whole milliseconds, and takes none for no limit at all.
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
        ):
            check_flag(flag, getattr(self, flag))

    @property
    def lock_wait_secs(self) -> float:
        """How long one attempt waits for the table's lock, in seconds."""
        if self.lock_timeout_secs is not None:
            return self.lock_timeout_secs
        return 0.1 if self.online else 2.0
