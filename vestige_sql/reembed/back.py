"""Goes back to the former vectors while they are kept, and drops them."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from itertools import groupby
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.encode.embedder import ModelSignature
from vestige_sql.errors import CheckFailed
from vestige_sql.plan import VESTIGE, ReembedPlan, Target
from vestige_sql.reembed.apply import Applier, conditions
from vestige_sql.reembed.audit import Applied, finish_open_run, opening_values, record_report
from vestige_sql.reembed.decide import count_rows, kept_model, settle_way, views_note
from vestige_sql.reembed.job import build_pending_indexes, index_failed
from vestige_sql.reembed.open_run import find_renamed_kept
from vestige_sql.reembed.progress import Progress
from vestige_sql.reembed.refusals import ask
from vestige_sql.reembed.run import Run, Work
from vestige_sql.reembed.session import claimed_session
from vestige_sql.reembed.target import Probed
from vestige_sql.reembed.verbs import Notice
from vestige_sql.report import FinalizeReport, RollbackReport
from vestige_sql.steps import plans

log = logging.getLogger("vestige_sql")

# The phases of a rollback, but for that of the index.
_LOCK, _PLACE = "lock the table and go back", "put the former vectors in place"
_COUNT = "count the rows that have no vector of this model"


def rollback(
    conninfo: str,
    plan: ReembedPlan = ReembedPlan(),  # noqa: B008  (frozen)
    *,
    target: Target = VESTIGE,
    progress: Progress | None = None,
    before_write: Notice | None = None,
) -> RollbackReport:
    """Make the kept vectors the live ones again, and keep those that were live. Nothing is encoded.

    After an online run this is one short transaction. After an offline run the kept vectors are applied like any
    others, by ``plan.apply``. A rollback after a rollback goes forward again.

    Raises :class:`CheckFailed` if nothing is kept or a run is under way, and :class:`TargetError` for what cannot be
    kept. Nothing is changed then.
    """
    with claimed_session(conninfo, target, "back") as (conn, probed):
        model = _check_kept(conn, probed)
        back = _Back(_run(conn, conninfo, probed, model, plan, progress or Progress()))
        if before_write is not None:
            before_write(back.warning(_without_vector(conn, probed)))
        # An earlier run may have put its vectors in place and not come to its end.
        finish_open_run(conn, build_pending_indexes(back.run))
        applied, lock_held_secs = back.carry_out()
        back.run.progress.begin(_COUNT)
        return RollbackReport(
            model=model,
            previous_model=probed.model,
            # Counted once more, because rows may have been written until the table was locked.
            rows_missing=count_rows(conn, probed)["rows_missing"],
            way=applied.way,
            lock_held_secs=lock_held_secs,
            index_rebuild_secs=applied.index_secs,
        )


def finalize(
    conninfo: str,
    plan: ReembedPlan = ReembedPlan(),  # noqa: B008
    *,
    target: Target = VESTIGE,
    before_write: Notice | None = None,
) -> FinalizeReport | None:
    """Drop the kept vectors, for good, and the maps of the bridge from and to their model.

    Returns None if nothing is kept and there is no such map.
    """
    with claimed_session(conninfo, target, "back") as (conn, probed):
        # What is kept has its names from then, and hangs on the table under the table's name of now.
        if (renamed := find_renamed_kept(conn, probed.values)) is None:
            probed.check_here("kept_of_another")
        kept, named = renamed or (probed.kept, probed.values)
        bridge = steps.query(conn, "bridge/90_usage.sql", probed.values)[0]
        if kept is None:
            return _finalize_bridge(conn, probed, plan, bridge, before_write) if bridge["maps"] else None
        in_column, model = kept.in_column, kept.model
        of_now = probed.values | named | {key: probed.values[key] for key in ("oid", "name", "schema", "table")}
        size = {"vectors": 0, "vector_bytes": 0, "index_bytes": 0}
        if kept.is_there:
            size = steps.query(conn, f"probe/kept_{kept.place}_size.sql", of_now)[0]
        if before_write is not None:
            before_write(
                f"About to drop {size['vectors']:,} former vectors of {probed.column}, "
                f"{model or 'of no registered model'}. "
                f"After that there is no way back to them.{_said_of(bridge)}"
            )
        plan = replace(plan, online=in_column, apply="auto")
        run = Run(conn, probed, model, plan, conninfo=conninfo, id=kept.run_id)
        run.values |= of_now | {"second_column": of_now["kept_column"]}
        applier = Applier(run)
        of_then = Applier(replace(run))
        of_then.run.values |= run.values | named
        applied = Applied("finalize", "")
        order = plans.load(f"finalize-{kept.place}")
        if in_column:
            log.info("finalize: dropping the former indexes as soon as the transactions that are open now have ended")
            for folder in order.folders("index"):
                applier.folder(folder, applied)

        def drop() -> Applied:
            for folder in order.folders("drop"):
                # The package's own objects and rows have the names of then.
                (of_then if folder == "finalize" else applier).folder(folder, applied)
            return applied

        applier.retrying(drop)
        return FinalizeReport(
            model=model,
            vectors=size["vectors"],
            bytes_returned=size["index_bytes"] if in_column else size["vector_bytes"],
            bytes_left=size["vector_bytes"] if in_column else 0,
            maps=bridge["maps"],
            bridged_calls=bridge["calls"],
        )


def _finalize_bridge(
    conn: psycopg.Connection[Any],
    probed: Probed,
    plan: ReembedPlan,
    bridge: dict[str, Any],
    before_write: Notice | None,
) -> FinalizeReport:
    """Drop the maps of a former model whose vectors are gone."""
    if before_write is not None:
        before_write(f"No former vectors of {probed.column} are kept.{_said_of(bridge)}")
    applier = Applier(Run(conn, probed, None, plan, id=bridge["run_id"]))
    with conn.transaction():
        applier.folder("bridge/finalize", Applied("finalize", ""))
    return FinalizeReport(None, 0, 0, 0, bridge["maps"], bridge["calls"])


def _said_of(bridge: dict[str, Any]) -> str:
    """Return what becomes of the maps of the bridge, and how much they were used, as sentences after others."""
    if not bridge["maps"]:
        return ""
    used = (
        f"In this database {bridge['calls']:,} vectors went through a map since "
        + (f"{bridge['since']:%Y-%m-%d %H:%M}" if bridge["since"] else "its statistics began")
        if bridge["is_counted"]
        else "How much they are used is not counted: track_functions is none"
    )
    return (
        f" The maps of the bridge ({bridge['maps']}) are dropped too, and questions of the former model are refused "
        f"then. {used}."
    )


def _check_kept(conn: psycopg.Connection[Any], probed: Probed) -> ModelSignature:
    probed.check_known("kept_of_another", "kept_under_another_name")
    run = probed.open_run
    if run is not None and run.under_way:
        raise CheckFailed(
            f"run {run.id} is under way on {probed.column}, to {run.name}",
            "nothing was written; end that run first: vestige-sql migrate status says how",
        )
    if probed.kept is None:
        raise CheckFailed(
            f"no former vectors of {probed.column} are kept",
            "nothing was written; only an online run and a run with --keep-old keep them; to go back, re-embed with "
            "the former model",
        )
    if not probed.kept.is_there:
        raise CheckFailed(
            f"the former vectors of {probed.column} are gone: the {probed.kept.place} that kept them was dropped by "
            "hand",
            "nothing was written; vestige-sql migrate finalize clears away what is left; to go back, re-embed with the "
            "former model",
        )
    model = kept_model(probed)
    if model is None:
        raise CheckFailed(
            f"no model was registered for {probed.column} before, so that there is none to go back to",
            "nothing was written; vestige-sql migrate finalize drops the kept vectors; next time, register the model "
            "of the vectors before: vestige-sql migrate register, with --name NAME if it is not at hand",
        )
    return model


def _without_vector(conn: psycopg.Connection[Any], probed: Probed) -> int:
    """Return the number of rows that have text and no kept vector of it."""
    assert probed.kept is not None
    missing: int = steps.query(conn, f"probe/kept_{probed.kept.place}_missing.sql", probed.values)[0]["rows_missing"]
    return missing


def _run(
    conn: psycopg.Connection[Any],
    conninfo: str,
    probed: Probed,
    model: ModelSignature,
    plan: ReembedPlan,
    progress: Progress,
) -> Run:
    """Return the run that goes back to ``model``, with its way of applying set."""
    assert probed.kept is not None
    in_column = probed.kept.in_column
    # If they are in a column, the switch is an online run's, and waits for the table's lock no longer than that does.
    plan = replace(plan, online=True, apply="auto") if in_column else replace(plan, online=False, keep_old=False)
    counts = count_rows(conn, probed)
    with_text, total = counts["rows_with_text"], counts["rows_total"]
    run = Run(conn, probed, model, plan, Work("back", with_text, total - with_text, total), conninfo, progress)
    if in_column:
        # What was hung on the live column since the switch would follow that column.
        refusals = ask(conn, run.values)
        refusals.check("back")
        run.views = refusals.made_again
        run.way, run.reason = "back", "the former vectors are in a column of the table"
    else:
        settle_way(run)
    run.values |= opening_values(run) | {"way": run.way, "second_column": run.values["kept_column"]}
    return run


class _Back:
    """One rollback, and since when the table is locked."""

    def __init__(self, run: Run) -> None:
        assert run.probed.kept is not None
        self.run = run
        when = conditions(run.plan)
        when = when & {"recreate_views"} if run.way == "back" else when | {run.way} - {"rewrite"}
        self.folders = plans.load(f"rollback-{run.probed.kept.place}").folders(when=when)
        self.applier = Applier(run)
        self.locked_at = 0.0

    def _phases(self) -> list[str]:
        """Return the phases that the way back has, in order, as people are told them."""
        builds = "build" in map(plans.role, self.folders) or self._builds_later
        return [_LOCK, *([] if self.run.way == "back" else [_PLACE]), *(["build the index"] if builds else []), _COUNT]

    @property
    def _builds_later(self) -> bool:
        return self.run.plan.concurrent_index and self.run.way != "back"

    def warning(self, missing: int) -> str:
        how = (
            "The columns change names in one short transaction."
            if self.run.way == "back"
            else f"The table is locked for everybody until vectors ({self.run.way}) and index are in place."
        )
        return (
            f"About to go back from {self.run.probed.model} to {self.run.model} on {self.run.probed.column}. {how} "
            f"{missing:,} rows written since have no kept vector: their embedding will be NULL."
        ) + (f" {views_note(self.run)}" if self.run.views else "")

    def carry_out(self) -> tuple[Applied, float]:
        """Go back. Returns what was done, and for how many seconds the table was locked."""
        self.run.progress.plan(self._phases(), "rollback")
        applied = self.applier.retrying(self._go)
        lock_held_secs = time.monotonic() - self.locked_at
        if self._builds_later:
            try:
                self.applier.build_concurrently(applied)
            except psycopg.Error as error:
                raise index_failed(error, self.run.probed) from error
            steps.run(self.run.conn, steps.load("run/close.sql"), self.run.values)
        # Recorded again, to count its COMMIT too, which waits for the disk, and so for that of lock/briefly/ before it.
        record_report(self.run.conn, self.run.id, applied, lock_held_secs)
        return applied, lock_held_secs

    def _go(self) -> Applied:
        applied = Applied(self.run.way, self.run.reason)
        progress = self.run.progress
        # Nothing is said while the table is locked for milliseconds: whoever reads it may be slow.
        progress.begin(_LOCK)
        locks = [folder for folder in self.folders if plans.role(folder) == "lock"]
        opened = [steps.run(self.run.conn, step, self.run.values) for folder in locks for step in steps.folder(folder)]
        # Nobody reads in the audit who was waited for.
        opened = [done for done in opened if not done.step.name.startswith("lock/")]
        self.locked_at = time.monotonic()
        opening, *folders = (folder for folder in self.folders if folder not in locks)
        # These steps open the run under which every step is recorded.
        opened += [steps.run(self.run.conn, step, self.run.values) for step in steps.folder(opening)]
        self.run.id = opened[-1].result[0]["id"]
        for done in opened:
            self.applier.record(done)
        progress.begin(_PLACE)
        for builds, group in groupby(folders, lambda folder: plans.role(folder) == "build"):
            if builds:
                progress.begin("build the index")
            self.applier.folders_briefly(list(group), applied)
        record_report(self.run.conn, self.run.id, applied, time.monotonic() - self.locked_at)
        return applied
