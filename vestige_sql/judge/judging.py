"""Judges the staged vectors of a target against its live ones, by questions with known answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from vestige_sql import steps
from vestige_sql.checks import check_number, check_text
from vestige_sql.database.connection import connect
from vestige_sql.encode.embedder import Embedder, ModelSignature
from vestige_sql.encode.window import embed_queries
from vestige_sql.errors import CheckFailed, TargetError, UsageError
from vestige_sql.judge.questions import Question, question_of
from vestige_sql.judge.rules import DEFAULT, Rule
from vestige_sql.plan import VESTIGE, Target
from vestige_sql.reembed.open_run import OpenRun
from vestige_sql.reembed.rows import check_all_rows
from vestige_sql.reembed.target import VECTOR_TYPES, Probed, probe
from vestige_sql.resources import package_version
from vestige_sql.steps.files import Value
from vestige_sql.vestige.search import check_same

DEPTH = 100
"""How many of the nearest rows are looked at."""

_CALL_QUESTIONS = 64
_SEARCH_SETTINGS = {"hnsw": (10, 20, 40, 80, 160, 320), "ivfflat": (1, 2, 4, 8, 16, 32)}
_STATE = "nothing live was touched and the staged vectors stay; correct the cause, and run the same command again"


@dataclass(frozen=True)
class JudgePlan:
    """How to judge.

    - ``questions``: questions with known answers. Without them ``table`` has them, a table or view with the columns
      question, relevant and perhaps slice, by its name with the schema. Without either, ``derive`` questions are
      derived from the rows.
    - ``slice``: an SQL expression over the target's columns, by which questions without a slice get that of their
      answer.
    - ``rules``: what has to hold for GO.
    - ``seed``: for derived questions and for the resamples of the bootstrap, of which there are ``resamples``.
    - ``min_questions``: over fewer questions no rule holds or fails.
    - ``speed``: measure the indexes, with the values of ``settings`` for hnsw.ef_search or ivfflat.probes.

    Raises :class:`UsageError` for a value out of range, and for questions together with a table.
    """

    questions: Sequence[Question] = ()
    table: str | None = None
    derive: int = 200
    slice: str | None = None
    rules: Sequence[Rule] = (DEFAULT,)
    seed: int = 0
    resamples: int = 1000
    min_questions: int = 10
    speed: bool = False
    settings: Sequence[int] = ()

    def __post_init__(self) -> None:
        if self.questions and self.table is not None:
            raise UsageError(
                "questions come from a file or from a table, not from both", "give one; nothing was written"
            )
        check_number("derive", self.derive, 1, 100_000)
        check_number("seed", self.seed, 0)
        check_number("resamples", self.resamples, 100, 100_000)
        check_number("min_questions", self.min_questions, 1)
        for value in self.settings:
            check_number("a search setting", value, 1, 32_768)
        check_text("slice", self.slice or "")
        check_text("questions table", self.table or "")

    @property
    def derives(self) -> bool:
        """Whether the questions are derived from the rows."""
        return not self.questions and self.table is None

    @property
    def measures_speed(self) -> bool:
        return self.speed or bool(self.settings) or any(rule.kind == "max_p95_ms" for rule in self.rules)


@dataclass
class _Judging:
    """A judging that is under way: its connection, what was probed, and the step variables."""

    conn: psycopg.Connection[Any]
    probed: Probed
    run: OpenRun
    plan: JudgePlan
    values: dict[str, Value]
    notes: list[str] = field(default_factory=list)

    def do(self, name: str, **more: Value) -> list[dict[str, Any]]:
        """Run ``sql/judge/<name>.sql`` and return its rows."""
        return steps.query(self.conn, f"judge/{name}.sql", self.values | more)

    def count(self) -> int:
        return int(self.do("30_drop_unanswered")[0]["questions"])


def judge(
    conninfo: str,
    plan: JudgePlan = JudgePlan(),
    new: Embedder | None = None,
    old: Embedder | None = None,
    *,
    target: Target = VESTIGE,
) -> dict[str, Any]:
    """Judge what is staged for ``target`` and return what was measured, with "verdict" and "reasons".

    ``new`` is the model that vectors are staged for, ``old`` the registered one. Without ``old``, rows stand in for the
    questions in both spaces, and ``new`` is not asked: of a given question one of its answers, of derived questions
    rows whose texts are similar. Nothing live is touched or locked. Questions, measures and verdict are kept in the
    package's tables, from which the SQL in ``sql/judge`` takes them.

    Raises :class:`CheckFailed` if nothing is staged, if there is no question left to ask, or if what is staged changed
    meanwhile; :class:`ModelMismatch` if a model is not that of its space; :class:`UsageError` for a key that is none of
    the table's; and any other :class:`VestigeError`.
    """
    with steps.translated(_STATE), connect(conninfo) as conn:
        probed = probe(conn, target, verb="judge")
        check_all_rows(probed, "judging")
        run = _staged(probed)
        steps.run(conn, steps.load("judge/05_see_by_policies.sql"), {})
        asks = old is not None
        if asks and new is None:
            raise UsageError(
                "with the old model the new one is needed too", "give both models, or neither; nothing was written"
            )
        if new is not None:
            check_same(new.signature(), run.model, f"the vectors staged for {probed.column}")
        if old is not None:
            check_same(old.signature(), probed.model, f"the vectors of {probed.column}")
        at = _Judging(conn, probed, run, plan, _values(conn, probed, run, plan))
        opened = _open(at, asks)
        _ask(at)
        if new is not None and old is not None:
            _encode(at, "old", old)
            _encode(at, "new", new)
        _rank(at)
        for name in ("60_score", "62_measure"):
            at.do(name)
        if plan.measures_speed:
            _time(at)
        if at.do("70_fingerprint")[0]["fingerprint"] != opened["fingerprint"]:
            raise CheckFailed(
                f"what is staged for {probed.column} changed while it was judged",
                "there is no verdict; wait until staging is done, and judge again; nothing live was touched",
            )
        said = at.do("72_verdict", rules=json.dumps([rule.as_json() for rule in plan.rules]))[0]
        at.do("74_forget", keep_judging=opened["id"])
        return _answer(at, opened["id"], asks, said)


def _staged(probed: Probed) -> OpenRun:
    run = probed.open_run
    if run is None or not (run.stages and run.staging_exists):
        raise CheckFailed(
            f"there is nothing to judge: no vectors are staged for {probed.column}",
            "run vestige-sql migrate stage first; nothing was written",
        )
    if run.only_missing:
        raise CheckFailed(
            f"there is nothing to judge: only rows of {probed.column} that lack a vector have one staged",
            "put it in place with vestige-sql migrate apply; it needs no verdict; nothing was written",
        )
    return run


def _values(conn: psycopg.Connection[Any], probed: Probed, run: OpenRun, plan: JudgePlan) -> dict[str, Value]:
    operators = [i["operator"] for i in probed.indexes if i["key_type"] in VECTOR_TYPES]
    values: dict[str, Value] = probed.values | {
        "run_id": run.id,
        "dimension": run.dimension,
        "old_dimension": probed.typmod or (probed.model.dimension if probed.model else run.dimension),
        # Cosine, unless all of the column's indexes are for other distances.
        "operator": "<=>" if "<=>" in operators else next(iter(operators), "<=>"),
        "seed": plan.seed,
        "derive": plan.derive,
        "resamples": plan.resamples,
        "confidence": 0.95,
        "min_questions": plan.min_questions,
        "depth": DEPTH,
        "place": "staged",
    }
    indexes = steps.query(conn, "judge/50_indexes.sql", values)
    if run.filling and (new := next((i for i in indexes if i["space"] == "new"), None)):
        values |= {"place": "online", "new_index": new["oid"]}
        if new["method"] == "hnsw":
            values["depth"] = min(DEPTH, new["value"])
    return values


def _open(at: _Judging, asks: bool) -> dict[str, Any]:
    model, literal = at.probed.model, psycopg.sql.Literal
    texts = {
        "from_name": model.name if model else None,
        "from_dimension": model.dimension if model else None,
        "from_hash": model.hash if model else None,
    }
    at.values |= {name: literal(value).as_string(at.conn) for name, value in texts.items()}
    settings = {
        name: at.values[name] for name in ("seed", "resamples", "confidence", "min_questions", "depth", "operator")
    }
    kind = ("derived" if asks else "paired") if at.plan.derives else "given"
    opened = at.do(
        "10_open",
        model_name=at.run.name,
        model_hash=at.run.hash,
        questions=kind,
        asked_by="model" if asks else "row",
        settings=json.dumps(settings | {"slice": at.plan.slice, "derive": at.plan.derive if at.plan.derives else None}),
        package_version=package_version(),
    )[0]
    at.values |= {"judging": opened["id"], "asked_by": "model" if asks else "row", "questions": kind}
    return opened


def _ask(at: _Judging) -> None:
    """Bring the questions into their table, each with an answer and a slice."""
    if at.plan.derives:
        at.do("22_derive" if at.values["questions"] == "derived" else "24_pair")
    else:
        _add(at, at.plan.questions or _in_table(at))
    found = at.do("30_drop_unanswered")[0]
    if found["questions_dropped"]:
        at.notes.append(
            f"{found['questions_dropped']:,} questions were left out: no row that answers them has both vectors"
        )
    if found["answers_missing"]:
        at.notes.append(f"{found['answers_missing']:,} answers are of rows that are gone, or lack a vector in a space")
    left = int(found["questions"])
    if at.values["asked_by"] == "row" and not at.plan.derives:
        at.do("32_let_rows_stand_in")
        before, left = left, at.count()
        at.notes.append(
            "the old model is not at hand: an answer of each question stands in for it, and "
            f"{before - left:,} questions with one answer alone were left out"
        )
    if at.values["questions"] == "paired":
        at.notes.append(
            "the old model is not at hand: rows ask, and the rows of the most similar texts are the answers"
        )
    if left == 0:
        raise CheckFailed(f"there is no question to judge {at.probed.column} with", _no_question_hint(at))
    if at.plan.derives and left < at.plan.derive:
        at.notes.append(f"{left:,} questions could be derived, of {at.plan.derive:,} that were asked for")
    if at.plan.slice is not None:
        at.do("34_set_slices", slice=at.plan.slice)


def _no_question_hint(at: _Judging) -> str:
    if at.values["questions"] == "derived":
        why = "the texts of the rows with both vectors are too short or too much alike; give questions with --questions"
    elif at.values["questions"] == "paired":
        why = "no two texts share rare words; name the folder of the old model with --old-model, or give --questions"
    elif at.values["asked_by"] == "row":
        why = (
            "rows stand in for questions with two answers or more; name the folder of the old model with --old-model, "
            "so that the questions themselves are asked"
        )
    else:
        why = f"no answer is the key of a row with a vector in both spaces: compare them with {at.values['key_name']}"
    return f"{why}; there is no verdict, and nothing live was touched"


def _add(at: _Judging, questions: Sequence[Question]) -> None:
    try:
        at.do("20_add", question_list=json.dumps([question.as_json() for question in questions]))
    except psycopg.errors.DataError as error:
        kind = f"a row of {at.values['id_type_name']}" if at.values["key_type"] else at.values["id_sql_type"]
        raise UsageError(
            f"an answer is no key of {at.probed.name}: {error.diag.message_primary}",
            f"give values of {at.values['key_name']}, which is {kind}; nothing live was touched",
        ) from error


def _in_table(at: _Judging) -> list[Question]:
    try:
        rows = at.do("15_from_table", questions_table=at.plan.table)
    except psycopg.Error as error:
        raise TargetError(
            f"the questions in {at.plan.table} cannot be read: {error.diag.message_primary}",
            "name a table or view with its schema, with the columns question, relevant and perhaps slice, on which "
            "this role has SELECT; nothing live was touched",
        ) from error
    return [question_of(f"row {nr} of {at.plan.table}", row) for nr, row in enumerate(rows, 1)]


def _encode(at: _Judging, space: str, embedder: Embedder) -> None:
    asked = at.do("40_to_encode")
    for first in range(0, len(asked), _CALL_QUESTIONS):
        some = asked[first : first + _CALL_QUESTIONS]
        vectors = embed_queries(embedder, [row["question"] for row in some])
        lists = {str(row["nr"]): vector.tolist() for row, vector in zip(some, vectors, strict=True)}
        at.do("42_set_vectors", space=space, vectors=json.dumps(lists))


def _rank(at: _Judging) -> None:
    at.do("52_rank_live")
    at.do("56_rank_online" if at.values["place"] == "online" else "54_rank_staged")


def _time(at: _Judging) -> None:
    indexes = at.do("50_indexes")
    for index in indexes:
        values = sorted({*(at.plan.settings or _SEARCH_SETTINGS[index["method"]]), index["value"]})
        # pgvector's own limit of hnsw.ef_search
        values = [value for value in values if index["method"] != "hnsw" or value <= 1000]
        at.do("58_time_index", space=index["space"], index_oid=index["oid"], setting_values=", ".join(map(str, values)))
    if not any(index["space"] == "new" for index in indexes):
        at.notes.append(
            "the new vectors have no index yet, so the speed of a search in them was not measured: docs/judge.md"
        )


def _answer(at: _Judging, number: int, asks: bool, said: dict[str, Any]) -> dict[str, Any]:
    measures = at.do("80_show_measures")
    return {
        "target": at.probed.column,
        "judging": number,
        "run": at.run.id,
        "old_model": at.probed.model,
        "new_model": ModelSignature(at.run.name, at.run.dimension, at.run.hash),
        "place": at.values["place"],
        "questions": at.values["questions"],
        "asked_by": at.values["asked_by"],
        "asked": max((row["questions"] for row in measures if row["slice"] == ""), default=0),
        "seed": at.plan.seed,
        "measures": measures,
        "speed": at.do("82_show_speed"),
        "lost": at.do("84_show_lost", limit=10),
        "won": at.do("85_show_won", limit=10),
        "rules": [rule.as_json() for rule in at.plan.rules],
        "verdict": said["verdict"],
        "reasons": said["reasons"],
        "notes": at.notes,
    }
