"""The reports: what a run would do, would take, and did."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from vestige_sql.encode.embedder import ModelSignature

# The fixed estimate of the contract; real speed depends on the model and the machine.
_ROWS_PER_SEC = 50.0
_INDEX_SECS = 30.0
_INDEX_ROWS = 100_000


@dataclass
class WorkerReport:
    """What one worker of many did.

    ``node`` and ``pid`` are those of its last process. ``lost`` is how many of its processes died. ``busy_secs`` is
    how long it worked on ranges of keys, in seconds. ``error`` says why it got no more work. ``device`` is what its
    model runs on, as in :class:`ReembedReport`.
    """

    worker: int
    node: str | None = None
    pid: int | None = None
    ranges: int = 0
    rows: int = 0
    busy_secs: float = 0.0
    rows_per_sec: float = 0.0
    lost: int = 0
    error: str | None = None
    device: str | None = None

    def __str__(self) -> str:
        place = f" on {self.node} (pid {self.pid})" if self.node else ""
        return f"worker {self.worker}{place}"


@dataclass(frozen=True)
class ReembedReport:
    """What a run did.

    - ``rows_updated``: rows whose embedding was written, including those that were NULL before.
    - ``duration_secs``: seconds from the first row read to the registry update, without the index build.
    - ``index_rebuild_secs``: seconds of the index build.
    - ``rows_blank``: rows without text, whose embedding is NULL.
    - ``rows_encoded``: rows that this run encoded. After a resumption, these are fewer than ``rows_updated``.
    - ``lock_held_secs``: online, seconds from the lock that keeps everybody else off the table to its commit.
    - ``recall``: the recall@10 of each index that was built, against exact search on a sample.
    - ``workers``: one entry per worker, if rows were encoded on several machines.
    - ``spent``: seconds by activity (:data:`vestige_sql.reembed.clock.ACTIVITIES`). They add up to the whole time from
      the first look at the database to this report.
    - ``device``: what the model ran on: "cpu", "cuda", or the host of an endpoint. None if no row was encoded here, or
      if the embedder does not say.
    - ``tokens_spent``, ``cost``: the tokens that an endpoint was sent by this command, and what they cost at the price
      that was given. None for a model that runs here.
    - ``encoding``: how the model makes vectors of texts: prompts, pooling, normalisation, length, dimension, file and
      precision. None if the embedder does not say, or nothing is recorded of it.
    - ``rows_shortened``: rows whose vector was made of the live one, because only the dimension of the model shrinks.
    - ``staged_by``: how vectors came into the staging table: by encoding, or by shortening. None if nothing was staged.
    - ``precision``, ``runtime``: what this command computed vectors in, such as "bf16", and with what, such as
      "OpenVINO 2026.4.1". None if it encoded no row, or if the embedder does not say.
    - ``computed``: the same for all vectors of this run, such as "fp32 by ONNX Runtime 1.32.0": several if it was
      resumed in another precision. Empty if nothing is recorded.
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
    lock_held_secs: float | None = None
    recall: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    workers: list[WorkerReport] = field(default_factory=list)
    spent: dict[str, float] = field(default_factory=dict)
    device: str | None = None
    encoding: dict[str, Any] | None = None
    tokens_spent: int | None = None
    cost: float | None = None
    rows_shortened: int = 0
    staged_by: str | None = None
    precision: str | None = None
    runtime: str | None = None
    computed: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class MeasuredPrecision:
    """What computing a model in ``precision`` with ``runtime`` takes: ``rows_per_sec``, measured on ``texts`` texts.

    ``least_cosine`` is the least of a text's vector with that in fp32. ``neighbours_kept`` is recall@10: the share of a
    text's ten nearest among these texts that are so in fp32 too. Both are None for fp32. ``refused`` says why it
    cannot be used, or is None.
    """

    precision: str
    runtime: str
    texts: int
    rows_per_sec: float = 0.0
    least_cosine: float | None = None
    neighbours_kept: float | None = None
    refused: str | None = None

    def __str__(self) -> str:
        way = f"{self.precision} by {self.runtime}"
        if self.refused is not None:
            return f"{way}: {self.refused}"
        agrees = ""
        if self.least_cosine is not None and self.neighbours_kept is not None:
            agrees = f", least cosine with fp32 {self.least_cosine:.6f}, recall@10 {self.neighbours_kept:.3f}"
        return f"{way}: {self.rows_per_sec:.1f} rows/s on {self.texts:,} texts{agrees}"


@dataclass(frozen=True)
class Calibration:
    """What a run would take, predicted from a sample.

    ``rows_sampled`` texts were encoded in ``sample_secs``. The other seconds are those of the run by activity:
    tokenizing is part of ``encoding_secs``, reading is part of ``copying_secs``, and ``recall_secs`` is for measuring
    the new index. ``disk_peak_bytes`` is how much more disk than now the run needs at its peak, without WAL, and None
    if that could not be measured; ``staging_bytes`` and ``index_bytes`` are parts of it. ``wal_bytes`` is about how
    much WAL is written. ``index_memory_bytes`` is the memory that the index's graph needs while it is built, and
    ``index_memory_allowed_bytes`` what it may take. ``precisions`` compares fp32 and bf16 where both are on offer.
    """

    rows_sampled: int
    sample_secs: float
    encoding_secs: float
    copying_secs: float = 0.0
    gate_secs: float = 0.0
    apply_secs: float = 0.0
    index_secs: float = 0.0
    recall_secs: float = 0.0
    disk_peak_bytes: int | None = None
    staging_bytes: int | None = None
    index_bytes: int | None = None
    wal_bytes: int | None = None
    index_memory_bytes: int | None = None
    index_memory_allowed_bytes: int | None = None
    notes: list[str] = field(default_factory=list)
    precisions: list[MeasuredPrecision] = field(default_factory=list)

    @property
    def walltime_secs(self) -> float:
        """The whole run, in seconds."""
        return (
            self.encoding_secs
            + self.copying_secs
            + self.gate_secs
            + self.apply_secs
            + self.index_secs
            + self.recall_secs
        )


@dataclass(frozen=True)
class Phase:
    """A part of a run, in the order of ``sql/plans/``.

    ``what`` says what it does. ``waits`` is who waits for it: "nobody", "writers" or "everybody". ``how`` says how its
    steps share transactions. ``steps`` has a dict per step file: ``file``, ``what``, ``waits``, and ``touches_target``,
    which is False where it only reads the target, or leaves it alone. ``secs`` is the predicted time in seconds, None
    where it was not predicted by itself.
    """

    name: str
    what: str
    how: str
    waits: str
    steps: list[dict[str, Any]]
    secs: float | None = None


@dataclass(frozen=True)
class DryRunSummary:
    """What a run would do.

    ``embedder_batches`` is ceil(rows / batch_size). ``estimated_walltime_secs`` is the contract's fixed estimate:
    50 rows per second, plus 30 s for the index up to 100,000 rows and proportionally more above. ``calibrated`` is the
    measured prediction, if it was asked for and there is something to do. ``phases`` are the parts of the run in their
    order, ``undo`` says how to go back, and ``replicas`` what standbys and subscribers see.
    ``encoding`` is as in :class:`ReembedReport`. ``estimated_tokens`` and ``estimated_cost`` are about what an endpoint
    will be sent, and what that costs at the price that was given. Equal texts are sent once where they come close to
    each other, and are counted each. None for a model that runs here.
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
    calibrated: Calibration | None = None
    column: str = ""
    phases: list[Phase] = field(default_factory=list)
    undo: list[str] = field(default_factory=list)
    replicas: list[str] = field(default_factory=list)
    encoding: dict[str, Any] | None = None
    estimated_tokens: int | None = None
    estimated_cost: float | None = None

    @property
    def nothing_to_do(self) -> bool:
        return self.rows_to_update == 0 and not self.would_build_index and not self.would_alter_typmod

    def as_json(self) -> dict[str, Any]:
        answer = asdict(self)
        if self.calibrated is not None:
            answer["calibrated"]["walltime_secs"] = self.calibrated.walltime_secs
        return answer


def fixed_estimate(rows: int, *, builds_index: bool) -> float:
    """Return the contract's fixed estimate in seconds."""
    index = _INDEX_SECS * max(1.0, rows / _INDEX_ROWS) if builds_index else 0.0
    return rows / _ROWS_PER_SEC + index


@dataclass(frozen=True)
class RollbackReport:
    """What a rollback did. ``rows_missing`` rows have text, but no vector of the model that is live again."""

    model: ModelSignature
    previous_model: ModelSignature | None
    rows_missing: int
    way: str
    lock_held_secs: float
    index_rebuild_secs: float = 0.0


@dataclass(frozen=True)
class FinalizeReport:
    """What was dropped: the former model, how many vectors, and their bytes.

    ``bytes_returned`` went back to the file system at once. ``bytes_left`` stay in the table's rows until these are
    next rewritten. ``maps`` of the bridge were dropped. ``bridged_calls`` vectors had gone through a map in this
    database, None where the server does not count that.
    """

    model: ModelSignature | None
    vectors: int
    bytes_returned: int
    bytes_left: int
    maps: int = 0
    bridged_calls: int | None = None


def span(seconds: float) -> str:
    """Return a time with two digits that say something, such as "9 min 20 s"."""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"
