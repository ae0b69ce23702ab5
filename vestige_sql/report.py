"""What is planned, what was found, and what was done."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from .embedder import ModelSignature
from .errors import UsageError

WAYS = ("auto", "rewrite", "widen", "swap")

# The fixed estimate of the contract; real speed depends on the model and the machine.
_ROWS_PER_SEC = 50.0
_INDEX_SECS = 30.0
_INDEX_ROWS = 100_000


@dataclass(frozen=True)
class ReembedPlan:
    """How to re-embed.

    ``batch_size``: most rows in one ``embed_batch`` call. ``drop_hnsw_first``: drop the column's vector indexes
    before the vectors change. ``concurrent_index``: build them afterwards with CREATE INDEX CONCURRENTLY, in
    autocommit. ``apply``: "auto", "rewrite", "widen" or "swap". ``lock_timeout_secs`` is how long one attempt
    waits for the table's lock, and ``lock_attempts`` how many there are, with growing pauses in between.

    Raises :class:`UsageError` for a value out of range.
    """

    batch_size: int = 128
    drop_hnsw_first: bool = True
    concurrent_index: bool = False
    apply: str = "auto"
    lock_timeout_secs: float = 2.0
    lock_attempts: int = 10

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise UsageError(f"batch_size is at least 1, not {self.batch_size}")
        if self.apply not in WAYS:
            raise UsageError(f"apply is one of {', '.join(WAYS)}, not {self.apply!r}")
        if self.lock_timeout_secs <= 0:
            raise UsageError(f"lock_timeout_secs is above 0, not {self.lock_timeout_secs}")
        if self.lock_attempts < 1:
            raise UsageError(f"lock_attempts is at least 1, not {self.lock_attempts}")


@dataclass(frozen=True)
class ReembedReport:
    """What a run did.

    ``rows_updated``: rows whose embedding was written, those that were NULL before included. ``duration_secs``:
    first row read to registry update, less the index build. ``index_rebuild_secs``: the index build.
    ``rows_encoded`` counts the rows that this process encoded: fewer than ``rows_updated`` after a resumption.
    """

    rows_updated: int = 0
    duration_secs: float = 0.0
    index_rebuild_secs: float = 0.0
    nothing_to_do: bool = False
    rows_blank: int = 0
    rows_encoded: int = 0
    way: str | None = None
    way_reason: str | None = None
    model: ModelSignature | None = None
    previous_model: ModelSignature | None = None
    run_id: int | None = None
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class DryRunSummary:
    """What a run would do.

    ``embedder_batches`` is ceil(rows / batch_size). ``estimated_walltime_secs`` is the contract's fixed
    estimate: rows / 50 a second, and for the index 30 s up to 100,000 rows and in proportion above.
    """

    rows_to_update: int
    embedder_batches: int
    estimated_walltime_secs: float
    current_signature: ModelSignature | None
    target_signature: ModelSignature
    would_alter_typmod: bool
    rows_staged: int = 0
    rows_blank: int = 0
    would_build_index: bool = True
    way: str | None = None
    way_reason: str | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def nothing_to_do(self) -> bool:
        return self.rows_to_update == 0 and not self.would_build_index and not self.would_alter_typmod

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def fixed_estimate(rows: int, *, builds_index: bool) -> float:
    """Return the contract's fixed estimate in seconds."""
    index = _INDEX_SECS * max(1.0, rows / _INDEX_ROWS) if builds_index else 0.0
    return rows / _ROWS_PER_SEC + index
