"""What there is to do on a target: the decision between all rows, those that lack a vector, the index, and nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.encode.embedder import Embedder, ModelSignature
from vestige_sql.errors import CheckFailed, DimensionMismatch, FilesChanged, IndexInvalid, StagedForAnother, TargetError
from vestige_sql.plan import ReembedPlan
from vestige_sql.reembed.target import MAX_DIMENSION, VECTOR_TYPES, Blockers, Probed, blockers
from vestige_sql.steps.releases import is_unedited

_HNSW_DIMENSIONS = 2_000
_HNSW_DIMENSIONS_HALFVEC = 4_000


@dataclass(frozen=True)
class Work:
    """What there is to do: ``scope`` is "all", "missing", "index" or None for nothing."""

    scope: str | None
    rows: int
    rows_blank: int
    rows_total: int


def check_embedder(embedder: Embedder) -> ModelSignature:
    """Return the embedder's signature.

    Raises :class:`DimensionMismatch` where it is not about the dimension that the embedder has.
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


def index_possible(probed: Probed, dimension: int) -> bool:
    """Whether pgvector can build an HNSW index for ``dimension`` on this server."""
    halfvec = probed.table["halfvec_exists"]
    return dimension <= (_HNSW_DIMENSIONS_HALFVEC if halfvec else _HNSW_DIMENSIONS)


def warning(probed: Probed, signature: ModelSignature, work: Work, plan: ReembedPlan, way: str) -> str:
    """Return what readers and writers of the table will notice, for people."""
    lines = [f"About to re-embed {work.rows:,} rows of {probed.column} with {signature}."]
    if work.scope == "index":
        lines = [f"About to build the missing index of {probed.column}."]
    elif work.scope == "missing":
        lines = [f"About to embed the {work.rows:,} rows of {probed.column} that lack a vector."]
    if work.scope != "index":
        lines.append("While rows are encoded, readers and writers notice nothing; search goes on in the old space.")
    if work.scope == "all" and plan.online:
        lines.append(
            "Then a second column is added, filled in short batches, and indexed, with readers and writers going on; "
            "at last the columns change names under a lock of some milliseconds. SELECT * and COPY without a list of "
            "columns see a column more from the first of that on."
        )
        lines.append(
            "Clients' prepared statements that select the column fail after the switch until they reconnect, and "
            "queries must be encoded with the new model from then on. The former vectors are kept until vestige-sql "
            "migrate finalize."
        )
    elif work.scope == "all":
        if plan.concurrent_index:
            lines.append(
                f"Then the table is locked for everybody while the vectors are put in place ({way}); after that the "
                "index is built with readers and writers going on, and until it is there searches scan the table."
            )
        else:
            lines.append(f"Then the table is locked for everybody, until vectors ({way}) and index are in place.")
        lines.append(
            "A transaction that began before and reads the table only afterwards sees it empty; clients' prepared "
            "statements on the column fail until they reconnect, and queries must be encoded with the new model from "
            "then on."
        )
    elif work.scope == "missing":
        lines.append("Then writers wait while those vectors are written; readers go on.")
    elif plan.concurrent_index or plan.online:
        lines.append("Readers and writers go on.")
    else:
        lines.append("Writers wait while it is built; readers go on.")
    said = notes(probed, signature, work)
    if plan.online and probed.table["publications"]:
        column = f"{probed.table['new_column']} {probed.table['vector_type']}({signature.dimension})"
        said.append(
            f"Before the run give each subscriber the column, or its replication stops: ALTER TABLE {probed.name} "
            f"ADD COLUMN {column}"
        )
    return "\n".join(lines + said)


def notes(probed: Probed, signature: ModelSignature, work: Work) -> list[str]:
    said = []
    if work.scope == "all" and probed.table["publications"]:
        said.append(
            f"The table is published by {probed.table['publications']}: logical replication does not carry the change "
            "of the column, subscribers must be changed too."
        )
    if signature.dimension > _HNSW_DIMENSIONS:
        # Those on the whole vector: one on a part of it, or on its bits, stays what it is.
        whole = [
            i for i in probed.indexes if i["key_type"] in VECTOR_TYPES and i["key_dimension"] in (-1, probed.typmod)
        ]
        names = ", ".join(i["name"] for i in whole)
        column = probed.target.embedding_column
        if not index_possible(probed, signature.dimension):
            said.append(
                f"No HNSW index can be built for {signature.dimension:,} dimensions: "
                + (f"{names} cannot be kept, and " if names else "")
                + "searches for the nearest vectors will scan the table."
            )
        elif probed.table["embedding_type"] == "vector":
            said.append(
                f"{names or 'The index'} is built on halfvec, for pgvector indexes vector up to {_HNSW_DIMENSIONS:,} "
                f"dimensions. Searches use it when they order by {column}::halfvec({signature.dimension}), and not by "
                f"{column} alone."
            )
    if work.rows_blank:
        said.append(f"{work.rows_blank:,} rows have no text: their embedding will be NULL.")
    return said


def staged_for(probed: Probed) -> ModelSignature | None:
    """Return the model that the open run stages vectors for, None where nothing is being staged."""
    run = probed.open_run
    if run is None or run["state"] not in ("staging", "filling") or run["scope"] not in ("all", "missing"):
        return None
    return ModelSignature(run["name"], run["dimension"], run["hash"])


def in_space_of(probed: Probed, expect: ModelSignature) -> bool:
    """Whether the column is in the space of ``expect`` and nothing is staged for it."""
    return probed.model == expect and probed.typmod == expect.dimension and staged_for(probed) is None


def find_work(conn: psycopg.Connection[Any], probed: Probed, signature: ModelSignature, plan: ReembedPlan) -> Work:
    """Return what there is to do. Where that is nothing, rows are not counted."""
    check_not_renamed(conn, probed)
    in_space = probed.model == signature and probed.typmod == signature.dimension
    lacks_index = not probed.index_is_there and (bool(probed.indexes) or index_possible(probed, signature.dimension))
    if in_space and not lacks_index and staged_for(probed) != signature and not _any_missing(conn, probed):
        return Work(None, 0, 0, 0)

    counts = count_rows(conn, probed)
    total, with_text = counts["rows_total"], counts["rows_with_text"]
    blank = total - with_text
    scope: str | None
    if not in_space:
        scope, rows = "all", with_text
    elif counts["rows_missing"] or staged_for(probed) == signature:
        # Also where somebody else has filled them since: the run that is open is to come to its end.
        scope, rows = "missing", counts["rows_missing"]
    elif lacks_index:
        scope, rows = "index", 0
    else:
        return Work(None, 0, blank, total)

    if probed.open_run and staged_for(probed):
        check_staged_for(probed, signature)
        check_goes_on(conn, probed, plan)
        if scope == "all" and probed.open_run["scope"] == "missing":
            raise StagedForAnother(
                f"vectors are staged for the rows of {probed.column} that lack one, and they are of {signature}, while "
                f"{probed.model or 'no model'} is registered by now",
                "they would be mixed with vectors of another model: vestige-sql migrate abort, and run again; the "
                "table is as it was",
            )
        scope = probed.open_run["scope"]
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
    return Work(scope, rows, blank, total)


def _any_missing(conn: psycopg.Connection[Any], probed: Probed) -> bool:
    """Whether any row has text and no vector: a tenth of what it takes to count them."""
    return bool(steps.query(conn, "probe/missing.sql", probed.values)[0]["any_missing"])


def count_rows(conn: psycopg.Connection[Any], probed: Probed) -> dict[str, int]:
    return steps.query(conn, "probe/rows.sql", probed.values)[0]


def check_staged_for(probed: Probed, signature: ModelSignature) -> None:
    staged = staged_for(probed)
    if staged is not None and staged != signature:
        raise StagedForAnother(
            f"vectors are staged for {probed.column} with {staged}, and this run is for {signature}: "
            f"{difference(staged, signature)}",
            "go on with the model that they are staged for, or throw them away with: vestige-sql migrate abort; "
            "the table is as it was",
        )


def check_goes_on(conn: psycopg.Connection[Any], probed: Probed, plan: ReembedPlan) -> None:
    """Raise :class:`StagedForAnother` where the open run is about other columns, or is an online one and this is not,
    and :class:`FilesChanged` where it was brought this far by other step files.
    """
    run = probed.open_run
    if run is None or run["state"] not in ("staging", "filling"):
        return
    state = "the column is in the space of the registered model, and what is staged stays"
    for option, column in (("id", probed.target.id_column), ("content", probed.target.content_column)):
        if run[f"{option}_column"] not in (None, column):
            raise StagedForAnother(
                f"run {run['id']} on {probed.column} was begun with --{option}-column {run[f'{option}_column']}, and "
                f"this is about {column}",
                f"go on with --{option}-column {run[f'{option}_column']}, or throw away what is staged with "
                "vestige-sql migrate abort; where the column was renamed, give it its name back until the run is over; "
                f"{state}",
            )
    if run["state"] == "filling" and not plan.online:
        raise StagedForAnother(
            f"run {run['id']} on {probed.column} is changing the model online: its second column is there",
            "go on with --online, or undo it with vestige-sql migrate abort; search goes on in the former vectors",
        )
    if not plan.accept_edited_files and (edited := _edited_files(conn, run["id"], run["package_version"])):
        raise FilesChanged(
            f"run {run['id']} on {probed.column} was brought this far by other step files: {', '.join(edited)}",
            f"put those of vestige-sql {run['package_version']} back, whose SHA-256 are in vestige_sql.step, or throw "
            "away what was done with vestige-sql migrate abort; where the edit makes no difference to what was done, "
            f"go on with --accept-edited-files; {state}",
        )


def _edited_files(conn: psycopg.Connection[Any], run_id: int, version: str) -> list[str]:
    """Return the step files that the run, begun with ``version`` of this package, has run, and that have another text
    now or are gone, though no release has changed them.
    """
    return [
        f"sql/{row['file']}"
        for row in steps.query(conn, "probe/run_steps.sql", {"run_id": run_id})
        if not is_unedited(row["file"], row["sha256"], version)
    ]


def check_not_renamed(conn: psycopg.Connection[Any], probed: Probed) -> None:
    """Raise :class:`StagedForAnother` where a run of this very table was begun under another name of it."""
    if probed.open_run is None and (run := renamed_run(conn, probed)) is not None:
        raise StagedForAnother(
            f"run {run['id']} to {run['name']} is under way on {run['column']}, a name that is gone: it was begun "
            f"before {probed.name} or its column was renamed",
            "give it its name back until the run is over, or undo the run with vestige-sql migrate abort; no vector "
            "was touched, and what is staged stays",
        )


def renamed_run(conn: psycopg.Connection[Any], probed: Probed) -> dict[str, Any] | None:
    """Return the open run that was begun under another name of the table or of its column, if there is one."""
    if not probed.server["package_functions_exist"]:
        return None
    return steps.query_one(conn, "probe/renamed_run.sql", probed.values)


def difference(one: ModelSignature, other: ModelSignature) -> str:
    differing = [
        f"{field} {getattr(one, field)} and {getattr(other, field)}"
        for field in ("name", "dimension", "hash")
        if getattr(one, field) != getattr(other, field)
    ]
    return "they differ in " + ", ".join(differing)


def kept_model(probed: Probed) -> ModelSignature | None:
    """Return the model whose former vectors are kept, None where none are or their model was not registered."""
    kept = probed.kept
    if kept is None or kept["hash"] is None:
        return None
    return ModelSignature(kept["name"], kept["dimension"], kept["hash"])


def keeps_triggers_quiet(conn: psycopg.Connection[Any], probed: Probed, plan: ReembedPlan) -> bool:
    """Whether the filling must and may keep the target's own triggers from firing.

    Raises :class:`TargetError` naming the triggers that it cannot keep from firing, unless the plan allows that.
    """
    quiet, firing = _triggers(conn, probed)
    if firing and not plan.fire_triggers:
        hints = []
        if always := ", ".join(t["name"] for t in firing if t["enabled"] != "O"):
            hints.append(
                f"{always} fire even so: ALTER TABLE {probed.name} ENABLE TRIGGER .. makes them like the others"
            )
        if not may_suppress_triggers(conn):
            role = psycopg.sql.Identifier(probed.server["role"]).as_string(conn)
            hints.append(
                f"GRANT SET ON PARAMETER session_replication_role TO {role} lets this role suppress them "
                "(PostgreSQL 15 on)"
            )
        hints.append("or let them fire, once for each row, with --fire-triggers; nothing was written")
        raise TargetError(
            f"filling the second column would fire triggers of {probed.name}: {', '.join(t['name'] for t in firing)}",
            "; ".join(hints),
        )
    return quiet


def triggers_fired_online(conn: psycopg.Connection[Any], probed: Probed) -> list[dict[str, Any]]:
    """Return the target's own triggers that this role cannot keep from firing while a second column is filled."""
    return _triggers(conn, probed)[1]


def _triggers(conn: psycopg.Connection[Any], probed: Probed) -> tuple[bool, list[dict[str, Any]]]:
    """Return whether the filling is done as a replica's session does it, and the triggers that fire all the same."""
    triggers = steps.query(conn, "probe/triggers.sql", probed.values)
    # Also where there is none: one may come while the second column is filled.
    wanted = any(t["enabled"] == "O" for t in triggers) or not any(t["enabled"] == "R" for t in triggers)
    quiet = wanted and may_suppress_triggers(conn)
    return quiet, [t for t in triggers if t["enabled"] in ("A", "R" if quiet else "O")]


def may_suppress_triggers(conn: psycopg.Connection[Any]) -> bool:
    """Whether this role may set session_replication_role, which is found out by trying."""
    try:
        with conn.transaction(force_rollback=True):
            steps.run(conn, steps.load("online/quiet/10_fire_no_triggers.sql"), {})
    except psycopg.errors.InsufficientPrivilege:
        return False
    return True


def find_way(
    conn: psycopg.Connection[Any], probed: Probed, signature: ModelSignature, work: Work, plan: ReembedPlan
) -> tuple[str, str]:
    """Return the way of applying and why, or raise :class:`TargetError` for what could not be kept."""
    if work.scope == "index":
        return "index", "only the index is missing"
    if work.scope == "missing":
        if probed.table["has_update_rule"]:
            raise TargetError(f"{probed.name} has a rule ON UPDATE, which would fire", "nothing was written")
        return "fill", "the model is the registered one, and rows lack a vector"
    if probed.kept is not None and work.scope == "all":
        raise TargetError(
            f"the former vectors of {probed.column} are still kept, those of "
            f"{kept_model(probed) or 'no registered model'}",
            "vestige-sql migrate finalize lets them go, vestige-sql migrate rollback goes back to them; nothing was "
            "written",
        )
    if plan.online and probed.table["embedding_not_null"]:
        raise TargetError(
            f"{probed.column} is NOT NULL, which a column that is filled beside it cannot be",
            "ALTER TABLE .. ALTER COLUMN .. DROP NOT NULL for the time of the run, or run without --online; "
            "nothing was written",
        )
    if work.rows_blank and probed.table["embedding_not_null"]:
        raise TargetError(
            f"{probed.column} is NOT NULL, and {work.rows_blank:,} rows have no text to embed",
            "give them text, delete them, or ALTER TABLE .. ALTER COLUMN .. DROP NOT NULL; nothing was written",
        )
    in_the_way = blockers(conn, probed, signature.dimension)
    if plan.online:
        choose_way("swap", probed, in_the_way)
        _check_names_are_free(probed, online=True)
        keeps_triggers_quiet(conn, probed, plan)
        return "online", "as asked for"
    way, reason = choose_way(plan.apply, probed, in_the_way)
    if way != "rewrite":
        # Also for widen, which falls back to swap.
        _check_names_are_free(probed, online=False)
    return way, reason


def _check_names_are_free(probed: Probed, *, online: bool) -> None:
    """Raise :class:`TargetError` where a column is called as one that the run is about to add."""
    filling = probed.open_run is not None and probed.open_run["state"] == "filling"
    for column, is_ours in (("new_column", filling), ("kept_column", not online)):
        if probed.table[f"{column}_exists"] and not is_ours:
            name = probed.values[column]
            raise TargetError(
                f"{probed.name} has a column {name} already, and the run is to add one of that name",
                f"rename it, or drop it where an earlier run left it: ALTER TABLE {probed.name} RENAME COLUMN {name} "
                "TO ..; nothing was written",
            )


def find_staged(
    conn: psycopg.Connection[Any], probed: Probed, plan: ReembedPlan, expect: ModelSignature | None = None
) -> tuple[ModelSignature, Work]:
    """Return the signature that the open run stages for, ``expect`` where that is given, and what there is to apply."""
    if expect is not None:
        check_staged_for(probed, expect)
    check_not_renamed(conn, probed)
    run, signature = probed.open_run, staged_for(probed)
    if run is None or signature is None or not run["staging_exists"]:
        raise CheckFailed(
            f"nothing is staged for {probed.column}" + (f" with {expect}" if expect else ""),
            "run vestige-sql migrate stage first; nothing was written",
        )
    check_goes_on(conn, probed, plan)
    counts = count_rows(conn, probed)
    rows = counts["rows_missing"] if run["scope"] == "missing" else counts["rows_with_text"]
    return signature, Work(run["scope"], rows, counts["rows_total"] - counts["rows_with_text"], counts["rows_total"])


FASTEST_FIRST = ("rewrite", "swap", "widen")
"""The ways of applying, the fastest first: docs/benchmarks.md has the figures."""


def choose_way(wanted: str, probed: Probed, blockers: Blockers) -> tuple[str, str]:
    """Return the way of applying and why it is taken.

    Raises :class:`TargetError` naming what rules the way out, or every way where ``wanted`` is "auto".
    """
    in_the_way: dict[str, list[str]] = {"rewrite": blockers.alter, "widen": blockers.alter, "swap": blockers.swap}
    if probed.table["has_update_rule"]:
        rule = [f"a rule ON UPDATE of {probed.name}"]
        in_the_way |= {way: in_the_way[way] + rule for way in ("widen", "swap")}
    if wanted != "auto":
        if in_the_way[wanted]:
            raise _refusal(probed, wanted, in_the_way[wanted], blockers)
        return wanted, "as asked for"
    for way in FASTEST_FIRST:
        if not in_the_way[way]:
            ruled_out = FASTEST_FIRST[: FASTEST_FIRST.index(way)]
            why = (
                "the fastest way"
                if not ruled_out
                else f"the fastest way possible, {' and '.join(ruled_out)} being ruled out"
            )
            return way, why
    raise _refusal(probed, "rewrite", in_the_way["rewrite"], blockers)


def _refusal(probed: Probed, way: str, objects: Sequence[str], blockers: Blockers) -> TargetError:
    hint = "drop it for the time of the run and recreate it afterwards; nothing was written"
    if blockers.drop:
        hint += "\nThis drops the views:\n" + "\n".join(blockers.drop)
        hint += "\nThis recreates them afterwards:\n" + "\n".join(blockers.recreate)
    return TargetError(f"{way} cannot keep what hangs on {probed.column}: " + "; ".join(objects), hint)


def verb_of(plan: ReembedPlan) -> str:
    """What of docs/privileges.md a run by ``plan`` needs."""
    return "online" if plan.online else "keep" if plan.keep_old else "apply"


def plan_for(work: Work, plan: ReembedPlan) -> ReembedPlan:
    """Where only vectors or the index are missing there is nothing to switch: online then means a concurrent index."""
    return replace(plan, online=False, concurrent_index=True) if plan.online and work.scope != "all" else plan
