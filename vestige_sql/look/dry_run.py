"""What a run would do, and how long it would take."""

from __future__ import annotations

import math

from vestige_sql import steps
from vestige_sql.database.connection import connect
from vestige_sql.encode.embedder import Embedder
from vestige_sql.look import outline
from vestige_sql.plan import VESTIGE, ReembedPlan, Target
from vestige_sql.reembed.decide import check_embedder, count_rows, find_work, notes, settle_way, verb_of
from vestige_sql.reembed.encoder import estimated_spending
from vestige_sql.reembed.encoding import encodes_with
from vestige_sql.reembed.indexes import gets_index, index_possible
from vestige_sql.reembed.rows import alters_column
from vestige_sql.reembed.run import Run
from vestige_sql.reembed.shorten import find_shortening
from vestige_sql.reembed.target import probe
from vestige_sql.report import DryRunSummary, fixed_estimate


def dry_run_reembed(
    conninfo: str,
    embedder: Embedder,
    plan: ReembedPlan = ReembedPlan(),  # noqa: B008
    *,
    target: Target = VESTIGE,
    calibrate: bool = False,
) -> DryRunSummary:
    """Return what :func:`run_reembed` would do. Writes nothing, and calls the encoder only to ``calibrate``.

    ``calibrate`` also predicts the run's time and disk space. It encodes some of the texts, and tries the run on a
    small copy, in a transaction that is never committed. Raises :class:`BadEmbedding` if the model returns a vector
    for one of these texts that cannot be searched.
    """
    signature = check_embedder(embedder)
    with steps.translated(), connect(conninfo, read_only=True) as conn:
        probed = probe(conn, target, needs_package=False, verb=verb_of(plan))
        work = find_work(conn, probed, signature, plan)
        run = Run(conn, probed, signature, plan, work, conninfo)
        encodes_with(run, embedder)
        find_shortening(run, embedder)
        if work.scope is not None:
            settle_way(run)
        staged = 0
        if probed.open_run and probed.open_run.staging_exists:
            staged = steps.query(conn, "probe/staged.sql", probed.values)[0]["rows_staged"]
        builds_index = (
            work.scope is not None
            and gets_index(probed, signature.dimension, plan)
            and index_possible(probed, signature.dimension)
            and (work.scope != "missing" or not probed.index_is_there)
        )
        blank = work.rows_blank
        if work.scope is None:
            # A run does not need these counts then, so they may be missing.
            counts = count_rows(conn, probed)
            blank = counts["rows_total"] - counts["rows_with_text"]
        calibrated = None
        if calibrate and run.way:
            # Imported here, because no other dry run uses it.
            from vestige_sql.predict.job import Job
            from vestige_sql.predict.prediction import predict

            calibrated = predict(conn, embedder, Job(run, max(0, work.rows - staged), builds_index))
        tokens, cost = estimated_spending(run, embedder) or (None, None)
        return DryRunSummary(
            rows_to_update=work.rows,
            embedder_batches=math.ceil(work.rows / plan.batch_size),
            estimated_walltime_secs=fixed_estimate(work.rows, builds_index=builds_index),
            current_signature=probed.model,
            target_signature=signature,
            would_alter_typmod=alters_column(run),
            rows_staged=staged,
            rows_blank=blank,
            would_build_index=builds_index,
            way=run.way or None,
            way_reason=run.reason or None,
            notes=notes(run),
            calibrated=calibrated,
            column=probed.column,
            phases=outline.phases(run, max(0, work.rows - staged), calibrated) if run.way else [],
            undo=outline.undo(run) if run.way else [],
            replicas=outline.replicas(run, calibrated) if run.way else [],
            encoding=run.encoding,
            estimated_tokens=tokens,
            estimated_cost=cost,
        )
