"""Decides what a run has to do on a target: all rows, the rows that lack a vector, the index, or nothing."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.encode.embedder import Embedder, ModelSignature
from vestige_sql.encode.told import notes_of, told
from vestige_sql.errors import CheckFailed, DimensionMismatch, FilesChanged, IndexInvalid, StagedForAnother
from vestige_sql.plan import ReembedPlan
from vestige_sql.reembed.encoder import no_way_back, rows_unregistered
from vestige_sql.reembed.functions import left_behind
from vestige_sql.reembed.indexes import index_notes, lacks_index
from vestige_sql.reembed.names import check_not_renamed
from vestige_sql.reembed.refusals import ask
from vestige_sql.reembed.rows import IN_PLACE, check_rows_named, check_same_rows, fits_column
from vestige_sql.reembed.run import Run, Work, written_in_place
from vestige_sql.reembed.target import MAX_DIMENSION, Probed
from vestige_sql.steps.releases import is_unedited
from vestige_sql.terminal import some_of


def check_embedder(embedder: Embedder) -> ModelSignature:
    """Return the embedder's signature.

    Raises :class:`DimensionMismatch` if it has another dimension than the embedder, or more than pgvector stores.
    """
    signature = embedder.signature()
    if signature.dimension != embedder.dimension:
        raise DimensionMismatch(
            f"the embedder {embedder.model_name} has {embedder.dimension} dimensions, but its signature says "
            f"{signature.dimension}",
            "nothing was written",
        )
    check_dimension(signature)
    return signature


def check_dimension(signature: ModelSignature) -> None:
    if signature.dimension > MAX_DIMENSION:
        raise DimensionMismatch(
            f"{signature} has more dimensions than pgvector stores, {MAX_DIMENSION:,}", "nothing was written"
        )


def warning(run: Run) -> str:
    """Return the text that tells people what readers and writers of the table will notice."""
    probed, signature, work, plan, way = run.probed, run.model, run.work, run.plan, run.way
    lines = [f"About to re-embed {work.rows:,} rows of {probed.rows_meant} with {signature}."]
    if work.scope == "index":
        lines = [f"About to build the missing index of {probed.column}."]
    elif work.scope == "missing":
        lines = [f"About to embed the {work.rows:,} rows of {probed.rows_meant} that lack a vector."]
    if run.encoding and work.scope != "index":
        lines.append(f"The model: {told(run.encoding)}.")
    if work.scope != "index":
        lines.append("While rows are encoded, readers and writers notice nothing, and search works as before.")
    if work.scope == "all" and plan.online:
        lines.append(
            "Then a second column is added, filled in short batches, and indexed, while readers and writers continue. "
            "At the end the columns change names under a lock of some milliseconds. Once the second column is added, "
            "SELECT * and COPY without a list of columns see one more column."
        )
        lines.append(
            "After the switch, clients' prepared statements that select the column fail until the clients reconnect, "
            "and queries must be encoded with the new model. The former vectors are kept until vestige-sql migrate "
            "finalize."
        )
    elif work.scope == "all":
        if plan.concurrent_index:
            lines.append(
                f"Then the table is locked for everybody while the vectors are put in place ({way}). After that the "
                "index is built while readers and writers continue. Until it is there, searches scan the table."
            )
        else:
            lines.append(f"Then the table is locked for everybody until vectors ({way}) and index are in place.")
        lines.append(
            "A transaction that began before, and first reads the table afterwards, sees it empty. Clients' prepared "
            "statements on the column fail until the clients reconnect. From then on, queries must be encoded with "
            "the new model."
        )
    elif work.scope == "missing":
        lines.append("Then writers wait while those vectors are written; readers continue.")
    elif plan.concurrent_index or plan.online:
        lines.append("Readers and writers continue.")
    else:
        lines.append("Writers wait while it is built; readers continue.")
    said = notes(run)
    if plan.online and probed.table["publications"]:
        column = f"{probed.table['new_column']} {probed.table['vector_type']}({signature.dimension})"
        said.append(
            f"Before the run, add the column on each subscriber, or its replication stops: ALTER TABLE {probed.name} "
            f"ADD COLUMN {column}"
        )
    return "\n".join(lines + said)


def notes(run: Run) -> list[str]:
    """Return the notes that people read before and after a run."""
    probed, work = run.probed, run.work
    said = []
    if work.scope == "all":
        said += [
            f"{row['message']}: from this run on they are made from the latter."
            for row in probed.refused
            if row["what"] == "another_text"
        ]
    if work.scope == "all" and probed.table["publications"]:
        said.append(
            f"The table is published by {probed.table['publications']}: logical replication does not carry the change "
            "of the column, so the subscribers must be changed too."
        )
    said += run.left_behind
    said += index_notes(run)
    if run.views:
        said.append(views_note(run))
    if run.encoding and work.scope != "index":
        said += notes_of(run.encoding)
    if run.shortening:
        said.append(run.shortening)
    if run.former is not None and run.former == probed.model and work.scope == "all":
        said.append(
            f"The registered model is this one, truncated where vestige-sql before 0.2.0 did: {run.former}. "
            "vestige-sql migrate register with the same options finds out whether any text is longer. If none is, it "
            "changes the registry alone, and nothing has to be encoded."
        )
    said += no_way_back(run)
    if work.rows_blank:
        said.append(f"{work.rows_blank:,} rows have no text: their embedding will be NULL.")
    if faults := pgvector_faults(run.conn):
        without = any(fault["without_workers"] for fault in faults)
        said.append(
            f"The installed pgvector {faults[0]['installed']} has known faults: "
            f"{'; '.join(fault['what'] for fault in faults)}. "
            f"{'Indexes are built without parallel workers for that reason. ' if without else ''}"
            f"All are fixed in {faults[-1]['fixed_in']}: "
            f"{faults[-1]['hint'].partition(';')[0]}. See vestige-sql migrate probe."
        )
    return said


def views_note(run: Run) -> str:
    return (
        f"In the transaction that puts the vectors in place these are dropped and made again: {some_of(run.views)}. "
        "Materialized ones are filled again there, while everybody waits."
    )


def pgvector_faults(conn: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    """Return the known faults of the installed pgvector, those that were fixed first come first."""
    return steps.query(conn, "probe/pgvector_faults.sql", {})


def staged_for(probed: Probed) -> ModelSignature | None:
    """Return the model that the open run stages vectors for, or None if nothing is being staged."""
    run = probed.open_run
    return run.model if run is not None and run.stages else None


def in_space_of(probed: Probed, expect: ModelSignature) -> bool:
    """Whether the column is in the space of ``expect`` and nothing is staged for it."""
    return probed.model == expect and probed.typmod in (expect.dimension, None) and staged_for(probed) is None


def find_work(conn: psycopg.Connection[Any], probed: Probed, signature: ModelSignature, plan: ReembedPlan) -> Work:
    """Return what there is to do. If a first look finds nothing to do, rows are not counted."""
    check_not_renamed(conn, probed)
    probed.check_known()
    check_rows_named(probed)
    check_same_rows(probed)
    fits = fits_column(probed, signature.dimension, in_place=written_in_place(probed, plan))
    in_space = probed.model == signature and fits
    index_missing = lacks_index(probed, signature.dimension, plan)
    if in_space and not index_missing and staged_for(probed) != signature and not _any_missing(conn, probed):
        probed.check_known("another_text")
        return Work(None)

    counts = count_rows(conn, probed)
    total, with_text = counts["rows_total"], counts["rows_with_text"]
    blank = total - with_text
    scope: str | None
    if not in_space:
        scope, rows = "all", with_text
    elif counts["rows_missing"] or staged_for(probed) == signature:
        # Also if somebody else has filled these rows since: the open run must still come to its end.
        scope, rows = "missing", counts["rows_missing"]
    elif index_missing:
        scope, rows = "index", 0
    else:
        probed.check_known("another_text")
        return Work(None, 0, blank, total)

    if probed.open_run and staged_for(probed):
        check_staged_for(probed, signature)
        check_goes_on(conn, probed, plan)
        if scope == "all" and probed.open_run.only_missing:
            raise StagedForAnother(
                f"vectors of {signature} are staged for the rows of {probed.column} that lack one, and now "
                f"{probed.model or 'no model'} is registered",
                "the table is as it was; the staged vectors would be mixed with vectors of another model; run "
                "vestige-sql migrate abort, then run again",
            )
        scope = probed.open_run.scope
    if scope != "all":
        probed.check_known("another_text")
    if plan.concurrent_index and probed.invalid_indexes:
        drops = " ".join(
            psycopg.sql.SQL("DROP INDEX CONCURRENTLY {};")
            .format(psycopg.sql.Identifier(probed.table["schema"], name))
            .as_string(conn)
            for name in probed.invalid_indexes
        )
        raise IndexInvalid(
            f"{probed.name} has an INVALID index, left by a build that failed: {', '.join(probed.invalid_indexes)}",
            f"drop it and run again: {drops}  (nothing was written; without --concurrent-index a run drops it itself)",
        )
    return Work(scope, rows, blank, total, rows_unregistered(probed, counts))


def _any_missing(conn: psycopg.Connection[Any], probed: Probed) -> bool:
    """Whether any row has text and no vector. This takes a tenth of the time of counting them."""
    return bool(steps.query(conn, "probe/missing.sql", probed.values)[0]["any_missing"])


def count_rows(conn: psycopg.Connection[Any], probed: Probed) -> dict[str, int]:
    return steps.query(conn, "probe/rows.sql", probed.values)[0]


def check_staged_for(probed: Probed, signature: ModelSignature) -> None:
    staged = staged_for(probed)
    if staged is not None and staged != signature:
        raise StagedForAnother(
            f"vectors are staged for {probed.column} with {staged}, and this run is for {signature}: "
            f"{difference(staged, signature)}",
            "the table is as it was, and the staged vectors stay; continue with the model that they are staged for, "
            "or drop them with vestige-sql migrate abort",
        )


def check_goes_on(conn: psycopg.Connection[Any], probed: Probed, plan: ReembedPlan) -> None:
    """Check that this command may continue the open run.

    Raises :class:`StagedForAnother` for other columns or another mode, :class:`FilesChanged` for other step files.
    """
    run = probed.open_run
    if run is None or not run.under_way:
        return
    state = "the column is in the space of the registered model, and the staged vectors stay"
    run.check_nothing_gone(probed.column)
    text = str(probed.values["content_name"])
    for option, column, begun_with in (
        ("--id-column", probed.target.id_column, run.id_column),
        ("--content-expression", text, run.content_expression or None),
        ("--content-column", text, run.content_expression or run.content_column),
    ):
        if begun_with not in (None, column):
            raise StagedForAnother(
                f"run {run.id} on {probed.column} was begun with {option} {begun_with}, and this command has {column}",
                f"{state}; continue with {option} {shlex.quote(begun_with)}, or drop the staged vectors with "
                "vestige-sql migrate abort; if a column was renamed, give it its name back until the run is over",
            )
    if run.filling and not plan.online:
        raise StagedForAnother(
            f"run {run.id} on {probed.column} is changing the model online: its second column is there",
            "search goes on in the former vectors; continue with --online, or undo the run with vestige-sql migrate "
            "abort",
        )
    if not plan.accept_edited_files and (edited := _edited_files(conn, run.id, run.package_version)):
        raise FilesChanged(
            f"run {run.id} on {probed.column} was brought this far by other step files: {', '.join(edited)}",
            f"{state}; put back the files of vestige-sql {run.package_version}, whose SHA-256 are in vestige_sql.step, "
            "or undo what was done with vestige-sql migrate abort; if the edit makes no difference to what was done, "
            "continue with --accept-edited-files",
        )


def _edited_files(conn: psycopg.Connection[Any], run_id: int, version: str) -> list[str]:
    """Return the step files that the run has run, and that were edited or deleted since.

    ``version`` is the version of this package that the run was begun with. What a release changed is no edit.
    """
    return [
        f"sql/{row['file']}"
        for row in steps.query(conn, "probe/run_steps.sql", {"run_id": run_id})
        if not is_unedited(row["file"], row["sha256"], version)
    ]


def difference(one: ModelSignature, other: ModelSignature) -> str:
    differing = [
        f"{field} {getattr(one, field)} and {getattr(other, field)}"
        for field in ("name", "dimension", "hash")
        if getattr(one, field) != getattr(other, field)
    ]
    return "they differ in " + ", ".join(differing)


def kept_model(probed: Probed) -> ModelSignature | None:
    """Return the model whose former vectors are kept, or None if none are or their model was not registered."""
    return probed.kept.model if probed.kept else None


def keeps_triggers_quiet(conn: psycopg.Connection[Any], probed: Probed) -> bool:
    """Whether the filling has to suppress the target's own triggers, and this role may."""
    return _triggers(conn, probed)[0]


def triggers_fired_online(conn: psycopg.Connection[Any], probed: Probed) -> list[dict[str, Any]]:
    """Return the target's own triggers that this role cannot suppress while a second column is filled."""
    return _triggers(conn, probed)[1]


def _triggers(conn: psycopg.Connection[Any], probed: Probed) -> tuple[bool, list[dict[str, Any]]]:
    """Return whether the filling suppresses triggers, as a replica's session does, and those that fire even so."""
    triggers = steps.query(conn, "probe/triggers.sql", probed.values)
    # Also if there is none: one may be created while the second column is filled.
    wanted = any(t["enabled"] == "O" for t in triggers) or not any(t["enabled"] == "R" for t in triggers)
    quiet = wanted and may_suppress_triggers(conn)
    return quiet, [t for t in triggers if t["enabled"] in ("A", "R" if quiet else "O")]


def may_suppress_triggers(conn: psycopg.Connection[Any]) -> bool:
    """Whether this role may set session_replication_role. It is tried, and rolled back."""
    try:
        with conn.transaction(force_rollback=True):
            steps.run(conn, steps.load("online/quiet/10_fire_no_triggers.sql"), {})
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


def settle_way(run: Run) -> None:
    """Set the run's way of applying and the reason for it, or raise :class:`TargetError` for what cannot be kept."""
    run.way, run.reason = _way(run)
    if run.work.scope == "all":
        # Afterwards nobody knows any more what was left behind.
        run.left_behind = left_behind(run)


def _way(run: Run) -> tuple[str, str]:
    if run.work.scope == "index":
        return "index", "only the index is missing"
    refusals = ask(run.conn, run.values)
    if run.work.only_missing:
        refusals.check("fill")
        return "fill", "the model is the registered one, and rows lack a vector"
    run.views = refusals.made_again
    if run.plan.online:
        refusals.check("online")
        return "online", "as asked for"
    if run.plan.apply == "auto" and run.in_place:
        refusals.check("rows")
        return "rows", IN_PLACE
    return refusals.choose(run.plan.apply)


def find_staged(
    conn: psycopg.Connection[Any], probed: Probed, plan: ReembedPlan, expect: ModelSignature | None = None
) -> tuple[ModelSignature, Work]:
    """Return the signature that the open run stages for, and what there is to apply.

    Raises :class:`CheckFailed` if nothing is staged, and :class:`StagedForAnother` if it is not for ``expect``.
    """
    check_same_rows(probed)
    if expect is not None:
        check_staged_for(probed, expect)
    check_not_renamed(conn, probed)
    probed.check_known()
    run, signature = probed.open_run, staged_for(probed)
    if run is None or signature is None or not run.staging_exists:
        raise CheckFailed(
            f"nothing is staged for {probed.column}" + (f" with {expect}" if expect else ""),
            "nothing was written; run vestige-sql migrate stage first",
        )
    check_goes_on(conn, probed, plan)
    counts = count_rows(conn, probed)
    rows = counts["rows_missing"] if run.only_missing else counts["rows_with_text"]
    blank = counts["rows_total"] - counts["rows_with_text"]
    return signature, Work(run.scope, rows, blank, counts["rows_total"], rows_unregistered(probed, counts))


def verb_of(plan: ReembedPlan) -> str:
    """Return the verb whose rights in docs/privileges.md a run by ``plan`` needs."""
    return "online" if plan.online else "keep" if plan.keep_old else "apply"


def plan_for(work: Work, plan: ReembedPlan) -> ReembedPlan:
    """Return ``plan`` as it holds for ``work``.

    If only vectors or the index are missing, there is nothing to switch. Online then means a concurrent index.
    """
    return replace(plan, online=False, concurrent_index=True) if plan.online and work.scope != "all" else plan
