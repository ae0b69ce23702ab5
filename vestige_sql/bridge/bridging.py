"""Fits the maps between the live space of a target and the staged one, measures them, and writes them."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg
from psycopg.rows import tuple_row

from vestige_sql import steps
from vestige_sql.bridge.fit import LinearMap, Moments, fitted
from vestige_sql.bridge.recall import K, Measured, Searches, measured
from vestige_sql.checks import check_number
from vestige_sql.database.connection import connect
from vestige_sql.encode.embedder import ModelSignature, Vectors
from vestige_sql.errors import CheckFailed, RecallTooLow, UsageError
from vestige_sql.plan import VESTIGE, Target
from vestige_sql.reembed.audit import literal, record_step
from vestige_sql.reembed.open_run import OpenRun
from vestige_sql.reembed.pgcopy import integer_field, rows, vector_field
from vestige_sql.reembed.rows import check_all_rows
from vestige_sql.reembed.target import VECTOR_TYPES, Probed, probe
from vestige_sql.resources import package_version
from vestige_sql.steps import plans
from vestige_sql.steps.files import Value
from vestige_sql.steps.running import StepRun

log = logging.getLogger("vestige_sql")

DIRECTIONS = ("both", "new-to-old", "old-to-new")
"""What may be asked for: a map each way, or one of them."""

LEAST_PAIRS = 100
MOST_DIMENSIONS = 4_096
_MOST_HELD_OUT = 1_000
_BLOCK_ROWS = 1_000
_PIECE_BLOCKS = 1_024
_STATE = "no map was written, and nothing live was touched; correct the cause, and run the same command again"


@dataclass(frozen=True)
class BridgePlan:
    """How to fit a bridge.

    - ``pairs``: the most pairs that are drawn. A fifth of them, at most 1,000, are held out to measure with.
    - ``min_recall``: the least recall@10 of each map that is written.
    - ``direction``: "both", "new-to-old" (questions of the new model before the switch) or "old-to-new" (those of the
      old model after it).
    - ``seed``: for the draw and for the resamples of the bootstrap, of which there are ``resamples``.

    Raises :class:`UsageError` for a value out of range.
    """

    pairs: int = 20_000
    min_recall: float = 0.9
    direction: str = "both"
    seed: int = 0
    resamples: int = 1_000

    def __post_init__(self) -> None:
        check_number("pairs", self.pairs, LEAST_PAIRS, 10_000_000)
        check_number("min_recall", self.min_recall, 0, 1, whole=False)
        check_number("seed", self.seed, 0)
        check_number("resamples", self.resamples, 100, 100_000)
        if self.direction not in DIRECTIONS:
            raise UsageError(
                f"the direction of a bridge is one of {', '.join(DIRECTIONS)}, not {self.direction!r}",
                "nothing was written",
            )


@dataclass
class _Way:
    """One direction: its models, the maps that were tried, and the recall@10 of each question for each of them."""

    name: str
    origin: ModelSignature
    goal: ModelSignature
    tried: list[LinearMap]
    searches: Searches
    best: LinearMap | None = None
    figures: Measured | None = None
    choices: list[dict[str, Any]] | None = None


def bridge(conninfo: str, plan: BridgePlan = BridgePlan(), *, target: Target = VESTIGE) -> dict[str, Any]:
    """Fit maps between the live space of ``target`` and the one that is staged, write them, and return the figures.

    The pairs are the live vector and the staged vector of a row. Staging may be under way. For each direction the
    best of several maps is written: :mod:`vestige_sql.bridge.fit`. Nothing live is touched.

    Raises :class:`CheckFailed` if nothing is staged, no model is registered, or there are too few pairs,
    :class:`RecallTooLow` if a map finds less than ``plan.min_recall`` of what the real vectors find, and any other
    :class:`VestigeError`. No map is written then, and those that are there stay.
    """
    with steps.translated(_STATE), connect(conninfo) as conn:
        probed = probe(conn, target, verb="bridge")
        check_all_rows(probed, "a map")
        run, live = _spaces(probed)
        values = _values(conn, probed, run, live, plan)
        counted = steps.query(conn, "bridge/10_count.sql", values)[0]
        if counted["pairs"] < LEAST_PAIRS:
            raise _too_few(probed, counted["pairs"])
        sample = _draw(conn, values, probed, min(plan.pairs, counted["pairs"]))
        ways = _ways(sample, live, run.model, plan, str(values["operator"]))
        searched = _search(conn, values, sample, ways, counted["blocks"])
        for way in ways:
            _choose(way, plan)
        _check(probed, plan, ways)
        with conn.transaction():
            for way in ways:
                _write(conn, values, sample, way, run)
        return _answer(probed, run, live, plan, sample, searched, ways)


def _spaces(probed: Probed) -> tuple[OpenRun, ModelSignature]:
    run = probed.open_run
    if run is None or not (run.stages and run.staging_exists):
        raise CheckFailed(
            f"there is nothing to bridge: no vectors are staged for {probed.column}",
            "run vestige-sql migrate stage first, and bridge before the switch; nothing was written",
        )
    if probed.model is None:
        raise CheckFailed(
            f"there is nothing to bridge: no model is registered for {probed.column}",
            "register the model of its vectors: vestige-sql migrate register, with --name NAME if it is not at hand; "
            "nothing was written",
        )
    if run.only_missing or run.model == probed.model:
        raise CheckFailed(
            f"there is nothing to bridge: the vectors staged for {probed.column} are of the registered model",
            "its questions need no map; nothing was written",
        )
    if max(run.dimension, probed.model.dimension) > MOST_DIMENSIONS:
        raise CheckFailed(
            f"a bridge of {probed.column} would be from {probed.model.dimension:,} to {run.dimension:,} dimensions, "
            f"and {MOST_DIMENSIONS:,} are the most",
            "its matrices would take gigabytes; switch applications and table together: docs/online.md; "
            "nothing was written",
        )
    return run, probed.model


def _values(
    conn: psycopg.Connection[Any], probed: Probed, run: OpenRun, live: ModelSignature, plan: BridgePlan
) -> dict[str, Value]:
    operators = [i["operator"] for i in probed.indexes if i["key_type"] in VECTOR_TYPES]
    return probed.values | {
        "run_id": run.id,
        "model_name": run.name,
        "dimension": run.dimension,
        "model_hash": run.hash,
        "from_name": literal(conn, live.name),
        "from_dimension": live.dimension,
        "from_hash": literal(conn, live.hash),
        # Cosine, unless all of the column's indexes are for other distances.
        "operator": "<=>" if "<=>" in operators else next(iter(operators), "<=>"),
        "seed": plan.seed,
        "pairs": plan.pairs,
        "package_version": package_version(),
    }


def _too_few(probed: Probed, pairs: int) -> CheckFailed:
    return CheckFailed(
        f"{pairs:,} rows of {probed.column} have a live vector and a staged one of the same text, and a bridge takes "
        f"{LEAST_PAIRS:,}",
        "stage more rows first: vestige-sql migrate stage; nothing was written",
    )


@dataclass
class _Sample:
    """What was drawn: sums of the pairs to fit on, and those that are held out, with their keys."""

    moments: Moments
    keys: list[str]
    old: Vectors
    new: Vectors

    @property
    def half(self) -> int:
        """The questions before this one choose the map, and those from it on measure it."""
        return len(self.keys) // 2


def _draw(conn: psycopg.Connection[Any], values: dict[str, Value], probed: Probed, pairs: int) -> _Sample:
    wanted = min(_MOST_HELD_OUT, pairs // 5)
    keys: list[str] = []
    moments, held = None, []
    for block_keys, old, new in _blocks(conn, "bridge/20_sample.sql", values):
        moments = moments or Moments.empty(old.shape[1], new.shape[1])
        taken = min(len(block_keys), wanted - len(keys))
        if taken:
            keys += block_keys[:taken]
            held.append((old[:taken], new[:taken]))
        if taken < len(block_keys):
            moments.add(old[taken:], new[taken:])
    # Rows whose text changed since they were staged are no pairs.
    drawn = len(keys) + (moments.pairs if moments else 0)
    if moments is None or drawn < LEAST_PAIRS:
        raise _too_few(probed, drawn)
    log.info("bridge: fitting on %s pairs, and %s are held out", f"{moments.pairs:,}", f"{len(keys):,}")
    return _Sample(moments, keys, np.concatenate([old for old, _ in held]), np.concatenate([new for _, new in held]))


def _blocks(
    conn: psycopg.Connection[Any], name: str, values: dict[str, Value]
) -> Iterator[tuple[list[str], Vectors, Vectors]]:
    """Yield what a step returns: keys, and the old and the new vectors as float32 of shape (rows, dimension)."""
    text = steps.load(name).render(values, conn)
    with conn.cursor(row_factory=tuple_row) as cursor:
        block: list[tuple[str, bytes, bytes]] = []
        for row in cursor.stream(text, binary=True):
            block.append(row)
            if len(block) == _BLOCK_ROWS:
                yield _arrays(block)
                block = []
        if block:
            yield _arrays(block)


def _arrays(block: Iterable[tuple[str, bytes, bytes]]) -> tuple[list[str], Vectors, Vectors]:
    keys, old, new = zip(*block, strict=True)
    # As pgvector's vector_send writes it: the dimension and a reserved zero, both int16, then the elements.
    return list(keys), *(
        np.stack([np.frombuffer(each, ">f4", offset=4) for each in side]).astype(np.float32) for side in (old, new)
    )  # type: ignore[return-value]


def _ways(sample: _Sample, live: ModelSignature, staged: ModelSignature, plan: BridgePlan, operator: str) -> list[_Way]:
    ways = []
    half = sample.half
    for name, moments, old, new, origin, goal in (
        ("new-to-old", sample.moments.turned(), sample.new, sample.old, staged, live),
        ("old-to-new", sample.moments, sample.old, sample.new, live, staged),
    ):
        if plan.direction in ("both", name):
            tried = list(fitted(moments, (old[:half], new[:half])))
            ways.append(_Way(name, origin, goal, tried, Searches(operator, new, [each(old) for each in tried])))
    return ways


def _search(
    conn: psycopg.Connection[Any], values: dict[str, Value], sample: _Sample, ways: list[_Way], blocks: int
) -> int:
    """Search among all rows that have both vectors, and return how many these are."""
    numbers = {key: number for number, key in enumerate(sample.keys)}
    searched = 0
    for first in range(0, blocks, _PIECE_BLOCKS):
        piece = values | {"first_block": first, "last_block": first + _PIECE_BLOCKS}
        for keys, old, new in _blocks(conn, "bridge/30_searched.sql", piece):
            themselves = np.array([numbers.get(key, -1) for key in keys])
            searched += len(keys)
            for way in ways:
                way.searches.add(old if way.name == "new-to-old" else new, themselves)
    return searched


def _choose(way: _Way, plan: BridgePlan) -> None:
    """Take the map that finds most for the first half of the questions. Its figures are those of the other half."""
    shares = way.searches.shares()
    half = len(shares[0]) // 2
    means = [float(each[:half].mean()) for each in shares]
    # Of maps that find the same the first, which is the simplest.
    first = max(range(len(means)), key=lambda number: (round(means[number], 4), -number))
    way.best = way.tried[first]
    way.figures = measured(shares[first][half:], plan.resamples, plan.seed)
    way.choices = [
        {"method": each.method, "centred": each.centred, "penalty": each.penalty, "recall": mean}
        for each, mean in zip(way.tried, means, strict=True)
    ]


def _check(probed: Probed, plan: BridgePlan, ways: list[_Way]) -> None:
    low = [way for way in ways if way.figures is not None and way.figures.recall < plan.min_recall]
    if not low:
        return
    figures = "; ".join(
        f"{way.name}: {way.figures.recall:.3f} [{way.figures.low:.3f}, {way.figures.high:.3f}] by {way.best.name}"
        for way in ways
        if way.figures is not None and way.best is not None
    )
    others = [way.name for way in ways if way not in low]
    raise RecallTooLow(
        f"a bridge of {probed.column} finds too little: recall@{K} {figures}, and {plan.min_recall:g} is asked for",
        (f"write only the map that is good enough with --direction {others[0]}; " if others else "")
        + "the two models see other texts as alike, or too few rows are staged: docs/bridge.md says what else to do; "
        "no map was written",
    )


def _write(conn: psycopg.Connection[Any], values: dict[str, Value], sample: _Sample, way: _Way, run: OpenRun) -> None:
    """Write the map of one direction, in the transaction that is open."""
    best, figures = way.best, way.figures
    assert best is not None
    assert figures is not None
    values = values | {
        "map_from_name": way.origin.name,
        "map_from_dimension": way.origin.dimension,
        "map_from_hash": way.origin.hash,
        "map_to_name": way.goal.name,
        "map_to_dimension": way.goal.dimension,
        "map_to_hash": way.goal.hash,
        "method": best.method,
        "is_centred": best.centred,
        "is_normalised": best.normalises,
        "pairs": sample.moments.pairs,
        "held_out": len(sample.keys),
        "recall": repr(figures.recall),
        "recall_low": repr(figures.low),
        "recall_high": repr(figures.high),
        "settings": json.dumps(
            {"seed": values["seed"], "operator": values["operator"], "k": K, "measured_with": figures.questions}
            | {"tried": way.choices}
        ),
    }
    for step in plans.load("bridge").steps("write"):
        done = _copy(conn, step, values, best) if "FROM STDIN" in step.text else steps.run(conn, step, values)
        if done.result and "id" in done.result[0]:
            values["bridge"] = done.result[0]["id"]
        record_step(conn, run.id, done)


def _copy(conn: psycopg.Connection[Any], step: steps.Step, values: dict[str, Value], best: LinearMap) -> StepRun:
    number = integer_field(int(str(values["bridge"])))
    fields = (
        (number, nr.to_bytes(4, "big"), np.array(bias, ">f8").tobytes(), vector_field(weights.astype(np.float32)))
        for nr, (weights, bias) in enumerate(zip(best.weights.T, best.bias, strict=True), 1)
    )
    with conn.cursor() as cursor:
        with cursor.copy(step.render(values, conn)) as copy:
            copy.write(rows(fields))
        return StepRun(step, cursor.rowcount, 0.0, [])


def _answer(
    probed: Probed,
    run: OpenRun,
    live: ModelSignature,
    plan: BridgePlan,
    sample: _Sample,
    searched: int,
    ways: list[_Way],
) -> dict[str, Any]:
    maps = [
        {
            "direction": way.name,
            "from": way.origin,
            "to": way.goal,
            "method": way.best.method,
            "centred": way.best.centred,
            "normalised": way.best.normalises,
            "recall": way.figures.recall,
            "low": way.figures.low,
            "high": way.figures.high,
            "questions": way.figures.questions,
            "tried": way.choices,
        }
        for way in ways
        if way.best is not None and way.figures is not None
    ]
    return {
        "target": probed.column,
        "run": run.id,
        "old_model": live,
        "new_model": run.model,
        "pairs": sample.moments.pairs,
        "held_out": len(sample.keys),
        "searched": searched,
        "seed": plan.seed,
        "maps": maps,
    }
