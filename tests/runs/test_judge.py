"""Judge: the measures are those of others, a damaged model is never let through, and who may not read sees nothing."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
import random
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from demo.minilm import build_tiny
from psycopg.conninfo import make_conninfo
from support import Conn, FakeEmbedder, Points, check_space, literal, seed

from vestige_sql import (
    ReembedPlan,
    abort_reembed,
    apply_staged,
    register_model,
    run_reembed,
    stage_reembed,
    steps,
)
from vestige_sql.encode.embedder import Vectors
from vestige_sql.encode.onnx import load_embedder
from vestige_sql.errors import CheckFailed, ModelMismatch, TargetError, UsageError
from vestige_sql.judge.judging import JudgePlan, judge
from vestige_sql.judge.questions import Question
from vestige_sql.judge.rules import Rule
from vestige_sql.look.target import ask_gate
from vestige_sql.plan import VESTIGE
from vestige_sql.reembed.target import probe
from vestige_sql.resources import resource_dir

SQL = resource_dir("sql")
SEEDS = 50
WORDS = [
    f"{a}{b}" for a in ("ka", "lo", "mi", "ne", "pu", "ra", "si", "to") for b in ("den", "fal", "gor", "hun", "jex")
]
_numbers = itertools.count(1)


class Words(FakeEmbedder):
    """A model that sees which words two texts share: the sum of a vector a word.

    ``noise`` is how much of a vector is that of the whole text, which is like no other's. ``query_prompt`` is put
    before a question.
    """

    def __init__(self, dimension: int, *, noise: float = 0, query_prompt: str = "", salt: str = "") -> None:
        super().__init__(f"words-{dimension}", dimension)
        self.noise, self.query_prompt, self.noise_salt = noise, query_prompt, salt

    def vector(self, text: str) -> Vectors:
        found = np.zeros(self.dimension, np.float32)
        for word in text.split():
            found += self._hashed(word)
        if self.noise:
            other = self._hashed(f"{self.noise_salt}\0{text}")
            found += other * np.float32(self.noise * np.linalg.norm(found) / np.linalg.norm(other))
        return found

    def _hashed(self, text: str) -> Vectors:
        raw = np.frombuffer(hashlib.shake_256(text.encode()).digest(self.dimension), np.int8)
        return (raw.astype(np.float32) + np.float32(0.5)) / np.float32(128)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self.embed_batch([f"{self.query_prompt} {text}".strip() for text in texts])


OLD, NEW = Words(48), Words(64)


def corpus(rows: int = 60, of: int = 0) -> list[str]:
    dice = random.Random(of)
    return [" ".join(dice.choices(WORDS, k=14)) for _ in range(rows)]


@pytest.fixture
def staged(db: str, conn: Conn) -> str:
    """60 rows in the old space, with the new model's vectors staged."""
    seed(conn, embedder=OLD, texts=corpus())
    stage_reembed(db, NEW)
    return db


def measure(found: dict[str, Any], name: str, slice_: str = "") -> dict[str, Any]:
    (row,) = (row for row in found["measures"] if (row["measure"], row["slice"]) == (name, slice_))
    return dict(row)


def keys_of(conn: Conn) -> dict[str, str]:
    return dict(conn.execute("SELECT id::text, content FROM knowledge_nodes").fetchall())


def questions_of(conn: Conn, count: int = 30) -> list[Question]:
    """Questions that are words of a row, each with that row as its answer."""
    dice = random.Random(1)
    rows = sorted(keys_of(conn).items(), key=lambda row: row[1])[:count]
    return [Question(" ".join(dice.sample(text.split(), 5)), {key: 1.0}) for key, text in rows]


# --- The measures ---


def trec_eval() -> Any:
    return pytest.importorskip("pytrec_eval", reason="pytrec-eval-terrier is in the extra dev")


def rank_biased_overlap(one: list[str], other: list[str], p: float = 0.9) -> float:
    """Equation 32 of Webber, Moffat and Zobel, as it stands there."""
    depth = min(len(one), len(other))
    shared = [len({*one[:d]} & {*other[:d]}) for d in range(depth + 1)]
    head = sum(shared[d] / d * p**d for d in range(1, depth + 1))
    return shared[depth] / depth * p**depth + (1 - p) / p * head


def invented(conn: Conn, dice: random.Random, questions: int) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """A judging of rankings at random, with ties, and the same as trec_eval reads it: the qrels, and a run a space."""
    row = conn.execute(
        "INSERT INTO vestige_sql.judging (table_oid, table_schema, table_name, column_name, run_id, to_name,"
        " to_dimension, to_hash, place, questions, asked_by, fingerprint, package_version)"
        " VALUES (0, 'a', 'b', 'c', 1, 'new', 3, 'd', 'staged', 'given', 'model', '', '') RETURNING id"
    ).fetchone()
    assert row is not None
    qrels: dict[str, Any] = {}
    runs: dict[str, Any] = {"old": {}, "new": {}}
    for nr in range(questions):
        # Keys of several lengths and scripts, to be ordered by their bytes.
        keys = [f"{dice.choice(['', 'B', 'a', 'é', '日'])}{i}" for i in range(dice.randint(1, 60))]
        judged = dice.sample(keys, dice.randint(1, len(keys)))
        grades = {key: dice.randint(0, 3) for key in judged} | {dice.choice(judged): 1}
        qrels[f"q{nr}"] = grades
        conn.execute(
            "INSERT INTO vestige_sql.judge_question (judging, nr, question, slice) VALUES (%s, %s, 'q', %s)",
            (row[0], nr, dice.choice([None, "one", "two"])),
        )
        for key, grade in grades.items():
            conn.execute("INSERT INTO vestige_sql.judge_answer VALUES (%s, %s, %s, %s)", (row[0], nr, key, grade))
        for space, run in runs.items():
            # Sixteenths, which float32 and float64 hold alike: many are the same.
            found = {key: dice.randint(0, 12) / 16 for key in dice.sample(keys, dice.randint(1, len(keys)))}
            run[f"q{nr}"] = {key: -distance for key, distance in found.items()}
            for key, distance in found.items():
                conn.execute(
                    "INSERT INTO vestige_sql.judge_found VALUES (%s, %s, %s, %s, %s)",
                    (row[0], nr, space, key, distance),
                )
    return row[0], qrels, runs


def ranked(run: dict[str, float]) -> list[str]:
    """As trec_eval ranks: by score, and of equal ones the later key first, by its bytes."""
    return sorted(sorted(run, key=str.encode, reverse=True), key=run.__getitem__, reverse=True)


def test_the_measures_are_those_of_trec_eval(db: str, conn: Conn) -> None:
    trec = trec_eval()
    number, qrels, runs = invented(conn, random.Random(7), 120)
    values: dict[str, Any] = {"judging": number, "seed": 3, "resamples": 200, "confidence": 0.95}
    steps.run(conn, steps.load("judge/60_score.sql"), values)
    names = {"ndcg@10": "ndcg_cut_10", "recall@1": "recall_1", "recall@10": "recall_10", "mrr": "recip_rank"}
    evaluator = trec.RelevanceEvaluator(qrels, {"ndcg_cut", "recall", "recip_rank"})
    theirs = {space: evaluator.evaluate(run) for space, run in runs.items()}
    # recall_1 is not among the depths that trec_eval gives by default.
    first = trec.RelevanceEvaluator(qrels, {"recall.1"})
    for space, run in runs.items():
        for topic, found in first.evaluate(run).items():
            theirs[space][topic] |= found
    ours = conn.execute("SELECT nr, measure, old_value, new_value FROM vestige_sql.judge_score").fetchall()
    assert len(ours) == 120 * 6
    ties = 0
    for nr, name, old, new in ours:
        topic = f"q{nr}"
        lists = [ranked(runs[space][topic]) for space in ("old", "new")]
        ties += len({*runs["old"][topic].values()}) < len(lists[0])
        if name in names:
            assert old == pytest.approx(theirs["old"][topic][names[name]], abs=1e-6), (topic, name)
            assert new == pytest.approx(theirs["new"][topic][names[name]], abs=1e-6), (topic, name)
        elif name == "rbo":
            assert new == pytest.approx(rank_biased_overlap(*lists), abs=1e-9), topic
        else:
            depth = min(10, *map(len, lists))
            assert new == pytest.approx(len({*lists[0][:depth]} & {*lists[1][:depth]}) / depth)
    assert ties > 300


def test_the_means_and_their_intervals(db: str, conn: Conn) -> None:
    number, _, _ = invented(conn, random.Random(8), 80)
    values: dict[str, Any] = {"judging": number, "seed": 3, "resamples": 4000, "confidence": 0.9}
    for name in ("60_score", "62_measure"):
        steps.run(conn, steps.load(f"judge/{name}.sql"), values)
    found = steps.query(conn, "judge/80_show_measures.sql", values)
    assert {row["slice"] for row in found} == {"", "one", "two"}
    scores = conn.execute(
        "SELECT s.measure, q.slice, s.old_value, s.new_value FROM vestige_sql.judge_score s"
        " JOIN vestige_sql.judge_question q USING (judging, nr)"
    ).fetchall()
    chance = np.random.default_rng(5)
    for row in found:
        mine = [s for s in scores if s[0] == row["measure"] and row["slice"] in ("", s[1])]
        assert row["questions"] == len(mine)
        differences = np.array([new - (old or 0) for _, _, old, new in mine])
        assert row["new"] == pytest.approx(np.mean([s[3] for s in mine]))
        if row["measure"] in ("overlap@10", "rbo"):
            assert row["old"] is row["difference"] is None
        else:
            assert row["old"] == pytest.approx(np.mean([s[2] for s in mine]))
            assert row["difference"] == pytest.approx(row["new"] - row["old"])
        # Another generator gives another interval of the same distribution.
        means = chance.choice(differences, (4000, len(mine))).mean(axis=1)
        spread = differences.std() / math.sqrt(len(mine))
        for mine_is, theirs in zip((row["low"], row["high"]), np.quantile(means, [0.05, 0.95]), strict=True):
            assert abs(mine_is - theirs) < 0.2 * spread, row
    again = conn.execute("SELECT * FROM vestige_sql.judge_measure ORDER BY slice, measure").fetchall()
    for changed, same in ((values, True), (values | {"seed": 4}, False)):
        conn.execute("DELETE FROM vestige_sql.judge_measure")
        steps.run(conn, steps.load("judge/62_measure.sql"), changed)
        found = conn.execute("SELECT * FROM vestige_sql.judge_measure ORDER BY slice, measure").fetchall()
        assert (found == again) is same


# --- What is found ---


def nearest(model: FakeEmbedder, question: str, texts: dict[str, str], count: int) -> list[str]:
    def cosine(text: str) -> float:
        one, other = model.vector(question).astype(float), model.vector(text).astype(float)
        return float(1 - one @ other / np.linalg.norm(one) / np.linalg.norm(other))

    return sorted(texts, key=lambda key: cosine(texts[key]))[:count]


def test_each_space_is_asked_with_the_vectors_of_its_own_model(staged: str, conn: Conn) -> None:
    texts = keys_of(conn)
    given = questions_of(conn, 12)
    conn.execute("INSERT INTO knowledge_nodes (content) VALUES ('in no space')")
    before = conn.execute("SELECT embedding::text FROM knowledge_nodes ORDER BY id").fetchall()
    found = judge(staged, JudgePlan(questions=given, min_questions=5), NEW, OLD)
    assert (found["place"], found["questions"], found["asked_by"], found["asked"]) == ("staged", "given", "model", 12)
    for nr, question in enumerate(given, 1):
        for space, model in (("old", OLD), ("new", NEW)):
            ranks = conn.execute(
                "SELECT key FROM vestige_sql.judge_found WHERE nr = %s AND space = %s ORDER BY distance LIMIT 10",
                (nr, space),
            ).fetchall()
            assert [key for (key,) in ranks] == nearest(model, question.text, texts, 10)
    assert conn.execute("SELECT embedding::text FROM knowledge_nodes ORDER BY id").fetchall() == before
    # The same questions of the same vectors give the same.
    again = judge(staged, JudgePlan(questions=given, min_questions=5), NEW, OLD)
    assert again["judging"] > found["judging"]
    assert again["measures"] == found["measures"]
    # Only the last judging keeps its questions; all keep measures and verdict.
    kept = conn.execute("SELECT DISTINCT judging FROM vestige_sql.judge_question").fetchall()
    assert kept == [(again["judging"],)]
    assert conn.execute("SELECT count(*) FROM vestige_sql.judge_measure").fetchone() == (12,)
    assert conn.execute("SELECT count(*) FROM vestige_sql.judging WHERE verdict IS NOT NULL").fetchone() == (2,)


def test_a_derived_question_is_a_part_of_each_of_its_answers(staged: str, conn: Conn) -> None:
    found = judge(staged, JudgePlan(derive=25), NEW, OLD)
    assert (found["questions"], found["asked"]) == ("derived", 25)
    texts = keys_of(conn)
    asked = conn.execute(
        "SELECT question, array_agg(key) FROM vestige_sql.judge_question"
        " JOIN vestige_sql.judge_answer USING (judging, nr) GROUP BY judging, nr, question"
    ).fetchall()
    assert len(asked) == 25
    for question, answers in asked:
        assert len(question.split()) == 5
        assert {*answers} == {key for key, text in texts.items() if question in text}
    # By another seed there are other questions.
    judge(staged, JudgePlan(derive=25, seed=1), NEW, OLD)
    others = conn.execute("SELECT question FROM vestige_sql.judge_question").fetchall()
    assert {question for (question,) in others} != {question for question, _ in asked}


@pytest.mark.parametrize("texts", [
    ["xyzzyqq", "a", "two words", "three short words", *corpus(20)],
    ["東京都は日本の首都です", "大阪は西日本の中心都市です", "京都には寺が多くあります", "a\n b\t c  d e f g"],
])  # fmt: skip
def test_questions_are_derived_from_texts_of_any_length(db: str, conn: Conn, texts: list[str]) -> None:
    seed(conn, embedder=OLD, texts=texts)
    stage_reembed(db, NEW)
    found = judge(db, JudgePlan(derive=100), NEW, OLD)
    long = [text for text in texts if len(text) > 3]
    assert found["asked"] == len(long)
    assert any(f"{len(long)} questions could be derived" in note for note in found["notes"])


def test_a_text_is_made_flat_once_a_row_and_not_once_a_question(staged: str, conn: Conn) -> None:
    """At 20,000 rows and 200 questions the other way took 20 times as long."""
    number = judge(staged, JudgePlan(derive=20), NEW, OLD)["judging"]
    with psycopg.connect(staged, autocommit=True) as there:
        values = probe(there, VESTIGE).values | {"judging": number, "derive": 20, "seed": 0}
    text = steps.load("judge/22_derive.sql").render(values, conn)
    query = f"EXPLAIN (ANALYZE, VERBOSE, FORMAT JSON) {text}"
    row = conn.execute(query.encode()).fetchone()
    assert row is not None

    def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield node
        for child in node.get("Plans", ()):
            yield from nodes(child)

    flat = [n for n in nodes(row[0][0]["Plan"]) if any("regexp_replace" in o for o in n.get("Output", ()))]
    made = [n["Actual Rows"] * n["Actual Loops"] for n in flat if "Plans" not in n]
    assert made
    assert all(rows <= 60 for rows in made), made


def test_rows_stand_in_where_the_old_model_is_not_at_hand(staged: str, conn: Conn) -> None:
    found = judge(staged, JudgePlan(derive=20))
    assert (found["questions"], found["asked_by"], found["asked"]) == ("paired", "row", 20)
    texts = keys_of(conn)
    stood = conn.execute("SELECT nr, stand_in FROM vestige_sql.judge_question").fetchall()
    for nr, key in stood:
        for space, model in (("old", OLD), ("new", NEW)):
            ranks = conn.execute(
                "SELECT key FROM vestige_sql.judge_found WHERE nr = %s AND space = %s ORDER BY distance LIMIT 5",
                (nr, space),
            ).fetchall()
            others = {other: text for other, text in texts.items() if other != key}
            assert [one for (one,) in ranks] == nearest(model, texts[key], others, 5)
    assert measure(found, "ndcg@10")["old"] > 0.4


def test_an_answer_stands_in_for_a_given_question(staged: str, conn: Conn) -> None:
    keys = sorted(keys_of(conn))
    given = [Question("any", {keys[0]: 1, keys[1]: 3, keys[2]: 0}), Question("one answer", {keys[3]: 1})]
    found = judge(staged, JudgePlan(questions=given))
    assert (found["asked"], found["verdict"]) == (1, "INCONCLUSIVE")
    assert any("1 questions with one answer alone were left out" in note for note in found["notes"])
    assert conn.execute("SELECT stand_in FROM vestige_sql.judge_question").fetchall() == [(keys[1],)]
    assert conn.execute("SELECT key, grade FROM vestige_sql.judge_answer ORDER BY key").fetchall() == [
        (keys[0], 1),
        (keys[2], 0),
    ]
    with pytest.raises(CheckFailed, match="no question to judge") as none:
        judge(staged, JudgePlan(questions=given[1:]))
    assert "--old-model" in none.value.hint


def test_slices_of_questions_and_of_their_rows(staged: str, conn: Conn) -> None:
    given = questions_of(conn, 24)
    given = [Question(q.text, q.relevant, "named" if nr < 4 else None) for nr, q in enumerate(given)]
    found = judge(staged, JudgePlan(questions=given, slice="node_type"), NEW, OLD)
    counts = {row["slice"]: row["questions"] for row in found["measures"]}
    types = dict(conn.execute("SELECT id::text, node_type FROM knowledge_nodes").fetchall())
    expected: dict[str, int] = {"": 24, "named": 4}
    for question in given[4:]:
        kind = types[next(iter(question.relevant))]
        expected[kind] = expected.get(kind, 0) + 1
    assert counts == expected


def test_questions_in_a_table(staged: str, conn: Conn) -> None:
    keys = sorted(keys_of(conn))
    conn.execute("CREATE TABLE asked (question text, relevant jsonb, slice text)")
    conn.execute("CREATE VIEW by_array AS SELECT 'which' AS question, ARRAY[%s::uuid] AS relevant" % f"'{keys[0]}'")  # type: ignore[call-overload]  # noqa: UP031
    for relevant in ([keys[0], keys[1]], {keys[2]: 2}, f"{keys[3]} {keys[4]}"):
        conn.execute("INSERT INTO asked VALUES ('which', %s, 'a')", (json.dumps(relevant),))
    found = judge(staged, JudgePlan(table="public.asked"), NEW, OLD)
    assert found["asked"] == 3
    answers = conn.execute(
        "SELECT nr, array_agg(key ORDER BY key) FROM vestige_sql.judge_answer GROUP BY nr ORDER BY nr"
    )
    assert answers.fetchall() == [(1, keys[:2]), (2, keys[2:3]), (3, keys[3:5])]
    assert judge(staged, JudgePlan(table="public.by_array"), NEW, OLD)["asked"] == 1
    with pytest.raises(TargetError, match=r"the questions in public\.nothing cannot be read"):
        judge(staged, JudgePlan(table="public.nothing"), NEW, OLD)
    conn.execute("UPDATE asked SET relevant = '{}'")
    with pytest.raises(UsageError, match=r"row 1 of public\.asked is no question with known answers: it has no answer"):
        judge(staged, JudgePlan(table="public.asked"), NEW, OLD)


def test_keys_are_read_as_the_table_reads_them(staged: str, conn: Conn) -> None:
    key = sorted(keys_of(conn))[0]
    found = judge(staged, JudgePlan(questions=[Question("which", {key.upper(): 1})]), NEW, OLD)
    assert found["asked"] == 1
    with pytest.raises(UsageError, match=r"an answer is no key of public\.knowledge_nodes: .*nobody"):
        judge(staged, JudgePlan(questions=[Question("which", {"nobody": 1})]), NEW, OLD)
    gone = "00000000-0000-0000-0000-000000000000"
    mixed = [Question("which", {key: 1, gone: 1}), Question("none", {gone: 1})]
    notes = judge(staged, JudgePlan(questions=mixed), NEW, OLD)["notes"]
    assert any(note.startswith("1 questions were left out") for note in notes)
    assert any(note.startswith("2 answers are of rows that are gone") for note in notes)
    with pytest.raises(CheckFailed, match="there is no question to judge"):
        judge(staged, JudgePlan(questions=mixed[1:]), NEW, OLD)


# --- The verdict ---


@pytest.fixture(scope="module")
def bench(databases: Callable[[], AbstractContextManager[str]]) -> Iterator[tuple[str, Conn]]:
    """A database for many verdicts, with the model's own vectors staged beside the same model's live ones."""
    with databases() as db, psycopg.connect(db, autocommit=True) as conn:
        # Of the same words and the same size, under another name.
        live = Words(64)
        live.model_name = "as it was"
        seed(conn, embedder=live, texts=corpus())
        stage_reembed(db, NEW)
        yield db, conn


def live_model() -> Words:
    model = Words(64)
    model.model_name = "as it was"
    return model


def restage(conn: Conn, vectors: dict[str, Vectors]) -> None:
    """Stage other vectors in place of those that are staged, behind everybody's back."""
    with psycopg.connect(conn.info.dsn, autocommit=True) as there:
        table = probe(there, VESTIGE).values["staging_table"]
    with conn.cursor() as cursor:
        cursor.executemany(
            f"UPDATE vestige_sql.{table} SET embedding = %s WHERE id = %s::uuid",  # type: ignore[arg-type]
            [(literal(vector), key) for key, vector in vectors.items()],
        )


def shuffled(texts: dict[str, str], dice: random.Random) -> tuple[dict[str, Vectors], Words]:
    others = list(texts.values())
    dice.shuffle(others)
    return {key: NEW.vector(other) for key, other in zip(texts, others, strict=True)}, NEW


def noisy(texts: dict[str, str], dice: random.Random) -> tuple[dict[str, Vectors], Words]:
    model = Words(64, noise=6, salt=str(dice.random()))
    return {key: model.vector(text) for key, text in texts.items()}, model


def prompted(texts: dict[str, str], dice: random.Random) -> tuple[dict[str, Vectors], Words]:
    return {key: NEW.vector(text) for key, text in texts.items()}, Words(
        64, query_prompt=" ".join(dice.choices(WORDS, k=25))
    )


def unharmed(texts: dict[str, str], dice: random.Random) -> tuple[dict[str, Vectors], Words]:
    return {key: NEW.vector(text) for key, text in texts.items()}, NEW


@pytest.mark.parametrize("asked_by", ["model", "row"])
@pytest.mark.parametrize("damage", [shuffled, noisy, prompted, unharmed])
def test_a_damaged_model_is_no_go_by_each_seed_and_the_same_model_never(
    bench: tuple[str, Conn], damage: Callable[..., tuple[dict[str, Vectors], Words]], asked_by: str
) -> None:
    if damage is prompted and asked_by == "row":
        pytest.skip("where rows ask, no question is encoded")
    db, conn = bench
    texts = keys_of(conn)
    verdicts = []
    # Where rows ask, no model does: fewer seeds tell as much.
    for number in range(SEEDS if asked_by == "model" else 10):
        vectors, model = damage(texts, random.Random(number))
        restage(conn, vectors)
        models = (model, live_model()) if asked_by == "model" else ()
        verdicts.append(judge(db, JudgePlan(derive=40, seed=number, resamples=200), *models)["verdict"])
    assert {*verdicts} == {"GO" if damage is unharmed else "NO-GO"}, verdicts


def test_a_rule_holds_fails_or_is_open(db: str, conn: Conn) -> None:
    number, _, _ = invented(conn, random.Random(9), 30)
    for slice_, measure_, questions, low, high in (
        ("", "ndcg@10", 30, -0.01, 0.03), ("de", "ndcg@10", 12, -0.2, -0.1), ("en", "ndcg@10", 12, 0.04, 0.06),
        ("few", "ndcg@10", 9, 0, 0), ("", "mrr", 30, -0.001, 0.5),
    ):  # fmt: skip
        conn.execute(
            "INSERT INTO vestige_sql.judge_measure VALUES (%s, %s, %s, %s, 0.5, 0.5, 0, %s, %s)",
            (number, slice_, measure_, questions, low, high),
        )
    conn.execute(
        "INSERT INTO vestige_sql.judge_speed VALUES (%s, 'new', 'i', 'hnsw.ef_search', 10, 5, 0.8, 1, 2),"
        " (%s, 'new', 'i', 'hnsw.ef_search', 40, 5, 0.95, 2, 4),"
        " (%s, 'old', 'o', 'hnsw.ef_search', 40, 5, 1, 0.1, 0.1)",
        (number, number, number),
    )

    def verdict(*rules: Rule) -> tuple[str, list[str]]:
        values: dict[str, Any] = {"judging": number, "min_questions": 10}
        said = steps.query(conn, "judge/72_verdict.sql", values | {"rules": json.dumps([r.as_json() for r in rules])})[
            0
        ]
        kept = conn.execute("SELECT verdict, reasons FROM vestige_sql.judging WHERE id = %s", (number,)).fetchone()
        assert kept == (said["verdict"], said["reasons"])
        return said["verdict"], [reason["outcome"] for reason in said["reasons"]]

    assert verdict(Rule("max_drop", 0.01)) == ("GO", ["holds"])
    assert verdict(Rule("max_drop", 0.005)) == ("INCONCLUSIVE", ["open"])
    assert verdict(Rule("max_drop", 0.05, slice="de")) == ("NO-GO", ["fails"])
    assert verdict(Rule("max_drop", 0.15, slice="de")) == ("INCONCLUSIVE", ["open"])
    assert verdict(Rule("max_drop", 0.05, slice="*")) == ("NO-GO", ["fails", "holds", "open"])
    assert verdict(Rule("max_drop", 0.05, slice="few")) == ("INCONCLUSIVE", ["open"])
    assert verdict(Rule("max_drop", 0.05, slice="fr")) == ("INCONCLUSIVE", ["open"])
    assert verdict(Rule("min_gain", 0.04, slice="en")) == ("GO", ["holds"])
    assert verdict(Rule("min_gain", 0.05, slice="en")) == ("INCONCLUSIVE", ["open"])
    assert verdict(Rule("min_gain", 0.07, slice="en")) == ("NO-GO", ["fails"])
    assert verdict(Rule("max_drop", 0.05, "mrr"), Rule("min_gain", 0.04)) == ("NO-GO", ["holds", "fails"])
    assert verdict(Rule("max_p95_ms", 4, "")) == ("GO", ["holds"])
    assert verdict(Rule("max_p95_ms", 1, "")) == ("NO-GO", ["fails"])
    conn.execute("DELETE FROM vestige_sql.judge_speed WHERE space = 'new'")
    assert verdict(Rule("max_drop", 0.01), Rule("max_p95_ms", 100, "")) == ("INCONCLUSIVE", ["holds", "open"])


# --- Required ---


REQUIRED = ReembedPlan(require_verdict=True)


def judged(db: str, **more: Any) -> str:
    return str(judge(db, JudgePlan(derive=40, **more), NEW, OLD)["verdict"])


NEVER = (Rule("min_gain", 1),)
ALWAYS = (Rule("max_drop", 1),)


@pytest.mark.parametrize("online", [False, True])
def test_nothing_is_put_in_place_without_a_go_for_exactly_this(staged: str, conn: Conn, online: bool) -> None:
    plan = ReembedPlan(require_verdict=True, online=online)

    def refused(match: str) -> None:
        before = conn.execute("SELECT xmin, ctid FROM knowledge_nodes").fetchall()
        for attempt in (
            lambda: apply_staged(staged, plan),
            lambda: run_reembed(staged, NEW, plan),
            lambda: ask_gate(staged, require_verdict=True),
        ):
            with pytest.raises(TargetError, match=match) as said:
                attempt()
            assert "nothing was written" in said.value.hint
        assert conn.execute("SELECT xmin, ctid FROM knowledge_nodes").fetchall() == before

    refused("a verdict is required, and what is staged for public.knowledge_nodes.embedding was not judged")
    assert judged(staged, rules=NEVER) == "NO-GO"
    refused("a verdict of GO is required, and judging 1 of .* says NO-GO")
    assert judged(staged, rules=ALWAYS) == "GO"
    assert judged(staged, rules=NEVER) == "NO-GO"
    refused("judging 3 of .* says NO-GO")
    assert judged(staged, rules=ALWAYS) == "GO"
    # A vector that was changed since, by whomever.
    texts = keys_of(conn)
    key, other = sorted(texts)[:2]
    restage(conn, {key: NEW.vector(texts[other])})
    refused("what is staged for .* is not what judging 4 has seen")
    restage(conn, {key: NEW.vector(texts[key])})
    assert ask_gate(staged, require_verdict=True)
    # A text that was staged since.
    conn.execute("UPDATE knowledge_nodes SET content = %s WHERE id = %s::uuid", ("another text", key))
    stage_reembed(staged, NEW)
    refused("is not what judging 4 has seen")
    assert judged(staged, rules=ALWAYS) == "GO"
    apply_staged(staged, plan)
    check_space(conn, NEW)


def test_a_verdict_is_of_its_own_run(staged: str, conn: Conn) -> None:
    assert judged(staged, rules=ALWAYS) == "GO"
    abort_reembed(staged)
    with pytest.raises(TargetError, match=r"nothing is staged for .* that could be judged"):
        run_reembed(staged, NEW, REQUIRED)
    stage_reembed(staged, NEW)
    with pytest.raises(TargetError, match="was not judged"):
        apply_staged(staged, REQUIRED)
    # Without the option, nothing of all this.
    apply_staged(staged)
    check_space(conn, NEW)


def test_the_gate_asks_again_under_the_lock(staged: str, conn: Conn, monkeypatch: pytest.MonkeyPatch) -> None:
    assert judged(staged, rules=ALWAYS) == "GO"
    names = [step.name for step in steps.folder("lock/exclusive")]
    Points(monkeypatch).before(names[-1], lambda: judged(staged, rules=NEVER))
    with pytest.raises(CheckFailed, match="says NO-GO"):
        apply_staged(staged, REQUIRED)
    assert conn.execute("SELECT count(*) FROM vestige_sql.run WHERE state = 'staging'").fetchone() == (1,)


def test_what_changes_while_it_is_judged_gets_no_verdict(
    staged: str, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = keys_of(conn)
    key, other = sorted(texts)[:2]
    Points(monkeypatch).before("judge/60_score.sql", lambda: restage(conn, {key: NEW.vector(texts[other])}))
    with pytest.raises(CheckFailed, match="changed while it was judged"):
        judged(staged, rules=ALWAYS)
    assert conn.execute("SELECT verdict FROM vestige_sql.judging").fetchall() == [(None,)]
    with pytest.raises(TargetError, match=r"judging 1 of .* came to no end"):
        apply_staged(staged, REQUIRED)


def test_models_are_those_of_their_spaces(staged: str) -> None:
    with pytest.raises(ModelMismatch, match="the vectors staged for"):
        judge(staged, JudgePlan(), Words(32), OLD)
    with pytest.raises(ModelMismatch, match=r"the vectors of public\.knowledge_nodes\.embedding"):
        judge(staged, JudgePlan(), NEW, Words(32))
    with pytest.raises(UsageError, match="the new one is needed too"):
        judge(staged, JudgePlan(), None, OLD)


def test_there_is_nothing_to_judge(db: str, conn: Conn) -> None:
    seed(conn, embedder=OLD, texts=corpus(5))
    with pytest.raises(CheckFailed, match="there is nothing to judge: no vectors are staged"):
        judge(db)
    conn.execute("UPDATE knowledge_nodes SET embedding = NULL")
    stage_reembed(db, OLD)
    with pytest.raises(CheckFailed, match="there is nothing to judge: only rows"):
        judge(db)
    assert conn.execute("SELECT count(*) FROM vestige_sql.judging").fetchone() == (0,)


# --- Online ---


def test_the_second_column_is_judged_through_its_index(
    staged: str, conn: Conn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    Points(monkeypatch).before("online/ready/10_check_ready.sql", stop)
    with pytest.raises(KeyboardInterrupt):
        run_reembed(staged, NEW, ReembedPlan(online=True))
    rules = (Rule("max_drop", 1), Rule("max_p95_ms", 60_000, ""))
    found = judge(staged, JudgePlan(derive=20, rules=rules, settings=(5, 200)), NEW, OLD)
    assert (found["place"], found["verdict"]) == ("online", "GO")
    assert {(row["space"], row["value"]) for row in found["speed"]} == {
        (s, v) for s in ("old", "new") for v in (5, 40, 200)
    }
    for row in found["speed"]:
        assert 0 < row["p50_ms"] <= row["p95_ms"]
        assert row["recall"] == 1 or row["value"] < 200
    # Not found by a scan: 40 is the most that the index gives.
    assert conn.execute(
        "SELECT space, max(n) FROM (SELECT space, count(*) AS n FROM vestige_sql.judge_found GROUP BY space, nr) x"
        " GROUP BY space ORDER BY space"
    ).fetchall() == [("new", 40), ("old", 40)]
    run_reembed(staged, NEW, ReembedPlan(online=True))
    check_space(conn, NEW)


def test_a_rule_about_speed_is_asked_before_the_switch(staged: str, conn: Conn) -> None:
    plan = ReembedPlan(online=True, require_verdict=True)
    fast = (*ALWAYS, Rule("max_p95_ms", 60_000, ""))
    assert judged(staged, rules=(*NEVER, Rule("max_p95_ms", 60_000, ""))) == "NO-GO"
    with pytest.raises(TargetError, match="says NO-GO"):
        run_reembed(staged, NEW, plan)
    assert judged(staged, rules=(Rule("max_drop", 1, slice="none"), Rule("max_p95_ms", 60_000, ""))) == "INCONCLUSIVE"
    with pytest.raises(TargetError, match="says INCONCLUSIVE"):
        run_reembed(staged, NEW, plan)
    # The speed alone is open: an online run goes on up to the switch, and no other does.
    assert judged(staged, rules=fast) == "INCONCLUSIVE"
    with pytest.raises(TargetError, match="says INCONCLUSIVE"):
        apply_staged(staged, REQUIRED)
    with pytest.raises(CheckFailed, match=r"required before the switch, and .* says INCONCLUSIVE"):
        run_reembed(staged, NEW, plan)
    assert conn.execute("SELECT state FROM vestige_sql.run").fetchall() == [("filling",)]
    assert judged(staged, rules=(*NEVER, fast[1])) == "NO-GO"
    with pytest.raises(TargetError, match="says NO-GO"):
        run_reembed(staged, NEW, plan)
    # What is caught up with needs no other verdict.
    assert judged(staged, rules=fast) == "GO"
    key = min(keys_of(conn))
    conn.execute("UPDATE knowledge_nodes SET content = 'another' WHERE id = %s::uuid", (key,))
    stage_reembed(staged, NEW)
    run_reembed(staged, NEW, plan)
    check_space(conn, NEW)


# --- By hand, and by the command line ---


def test_psql_measures_the_same(staged: str, conn: Conn, psql: str) -> None:
    found = judge(staged, JudgePlan(derive=30), NEW, OLD)
    number = found["judging"]
    for table in ("judge_found", "judge_score", "judge_measure"):
        conn.execute(f"DELETE FROM vestige_sql.{table}")  # type: ignore[call-overload]
    conn.execute("UPDATE vestige_sql.judging SET verdict = NULL, reasons = NULL")
    options = {
        "target": "public.knowledge_nodes", "judging": number, "seed": 0, "resamples": 1000, "confidence": "0.95",
        "depth": 100, "old_dimension": OLD.dimension, "operator": "<=>", "min_questions": 10,
        "rules": json.dumps(found["rules"]),
    }  # fmt: skip
    names = ("52_rank_live", "54_rank_staged", "60_score", "62_measure", "72_verdict")
    arguments = [a for name, value in options.items() for a in ("-v", f"{name}={value}")]
    arguments += [a for name in ("variables.psql", *(f"judge/{n}.sql" for n in names)) for a in ("-f", str(SQL / name))]
    done = subprocess.run(
        [psql, "-X", "-v", "ON_ERROR_STOP=1", *arguments, staged], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert steps.query(conn, "judge/80_show_measures.sql", {"judging": number}) == found["measures"]
    verdicts = conn.execute("SELECT verdict, reasons FROM vestige_sql.judging").fetchall()
    assert verdicts == [(found["verdict"], found["reasons"])]


@pytest.fixture
def two_models(tmp_path: Path) -> tuple[Path, Path]:
    return build_tiny(tmp_path / "old", seed=1), build_tiny(tmp_path / "new", dimension=48, seed=2)


def test_the_command_line(db: str, conn: Conn, vestige: Any, two_models: tuple[Path, Path], tmp_path: Path) -> None:
    old, new = (load_embedder(str(path)) for path in two_models)
    texts = corpus(30)
    seed(conn, embedder=None, texts=texts)
    register_model(db, old.signature())
    run_reembed(db, old)
    stage_reembed(db, new)
    keys = keys_of(conn)
    lines = [json.dumps({"question": text, "relevant": [key], "slice": text[:2]}) for key, text in keys.items()]
    (tmp_path / "q.jsonl").write_text("\n".join(lines))
    common = ["migrate", "judge", "--postgres-url", db, "--old-model", two_models[0], "--model", two_models[1]]
    # A whole text as the question is found first by both.
    said = vestige(*common, "--questions", tmp_path / "q.jsonl", "--json")
    assert (said.code, said.answer["verdict"], said.answer["asked"]) == (0, "GO", 30)
    assert measure(said.answer, "ndcg@10")["new"] == 1
    said = vestige(*common, "--questions", tmp_path / "q.jsonl", "--min-gain", "recall@1=0.5", "--json")
    assert (said.code, said.answer["verdict"]) == (3, "NO-GO")
    said = vestige(*common, "--questions", tmp_path / "q.jsonl", "--max-drop", "mrr/*=0")
    assert said.code == 4
    assert "INCONCLUSIVE" in said.out
    assert "a verdict takes 10 questions" in said.out
    # Where the old model is not at hand, rows ask.
    said = vestige("migrate", "judge", "--postgres-url", db, "--derive", 20, "--speed", "--model", two_models[1])
    assert said.code in (0, 3, 4)
    assert "rows stand in" in said.err
    assert "p95" in said.out
    for wrong in (["--max-drop", "ndcg@10=2"], ["--max-drop", "speed=0.1"], ["--min-gain", "x"], ["--derive", "0"],
                  ["--max-p95-ms", "nan"], ["--questions", tmp_path / "missing"],
                  ["--search-settings", "a,b"]):  # fmt: skip
        assert vestige(*common, *wrong).code == 2, wrong


def test_a_target_may_require_a_verdict(
    staged: str, conn: Conn, vestige: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "vestige.toml").write_text('[targets.memories]\ntable = "knowledge_nodes"\nrequire_verdict = true\n')
    for verb in ("gate", "apply"):
        said = vestige("migrate", verb, "memories", "--postgres-url", staged, *(["--no-confirm"] * (verb == "apply")))
        assert (said.code, "was not judged" in said.err) == (1, True), said
    assert judged(staged, rules=ALWAYS) == "GO"
    assert vestige("migrate", "gate", "memories", "--postgres-url", staged).code == 0
    assert vestige("migrate", "apply", "memories", "--postgres-url", staged, "--no-confirm").code == 0
    check_space(conn, NEW)


def test_topics_and_qrels(staged: str, conn: Conn, vestige: Any, tmp_path: Path) -> None:
    rows = [(key, text) for key, text in keys_of(conn).items() if text.strip()]
    answers = sorted(rows, key=lambda row: row[1])
    (tmp_path / "topics").write_text("".join(f"{nr}\t{text}\n" for nr, (_, text) in enumerate(answers)))
    # Two answers, so that one stands in: no model is at hand.
    pairs = zip(answers, answers[1:] + answers[:1], strict=True)
    lines = [f"{nr} 0 {key} 1\n" for nr, pair in enumerate(pairs) for key, _ in pair]
    (tmp_path / "qrels").write_text("".join(lines))
    common = ("migrate", "judge", "--postgres-url", staged, "--json")
    for files in (["--questions", tmp_path / "topics", "--qrels", tmp_path / "qrels"],
                  ["--questions", tmp_path / "qrels", tmp_path / "topics"]):  # fmt: skip
        said = vestige(*common, *files)
        assert said.code in (0, 3, 4), said.err
        assert (said.answer["questions"], said.answer["asked"]) == ("given", 60)
    assert vestige(*common, "--qrels", tmp_path / "qrels").code == 2


# --- Who sees what ---


@contextmanager
def role(conn: Conn, *grants: str) -> Iterator[Conn]:
    """A connection of a role that may read the whole schema of the package, and what ``grants`` say."""
    name = f"vestige_reader_{os.getpid()}_{next(_numbers)}"
    given = ["USAGE ON SCHEMA vestige_sql", "ALL ON ALL TABLES IN SCHEMA vestige_sql", *grants]
    conn.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'secret'")  # type: ignore[call-overload]
    try:
        for grant in given:
            conn.execute(f"GRANT {grant} TO {name}")  # type: ignore[call-overload]
        with psycopg.connect(make_conninfo(conn.info.dsn, user=name, password="secret"), autocommit=True) as there:
            yield there
    finally:
        conn.execute(f"DROP OWNED BY {name}")  # type: ignore[call-overload]
        conn.execute(f"DROP ROLE {name}")  # type: ignore[call-overload]


TABLES = (
    "judging", "judge_question", "judge_answer", "judge_found", "judge_score", "judge_measure", "judge_speed",
)  # fmt: skip


def seen(there: Conn) -> list[int]:
    rows = [there.execute(f"SELECT count(*) FROM vestige_sql.{table}").fetchone() for table in TABLES]  # type: ignore[call-overload]
    return [row[0] for row in rows if row]


def test_who_may_not_read_the_table_sees_nothing_of_it(staged: str, conn: Conn) -> None:
    judge(staged, JudgePlan(derive=20, speed=True), NEW, OLD)
    whole = seen(conn)
    assert all(whole)
    with role(conn) as there:
        assert seen(there) == [0] * 7
        # Nor does it change or delete any, or add its own.
        assert there.execute("UPDATE vestige_sql.judging SET verdict = 'GO'").rowcount == 0
        assert there.execute("DELETE FROM vestige_sql.judge_question").rowcount == 0
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            there.execute(
                "INSERT INTO vestige_sql.judging (table_oid, table_schema, table_name, column_name, run_id, to_name,"
                " to_dimension, to_hash, place, questions, asked_by, fingerprint, verdict, package_version)"
                " VALUES ('public.knowledge_nodes'::regclass, 'public', 'knowledge_nodes', 'embedding', 1, 'new', 3,"
                " 'd', 'staged', 'given', 'model', '', 'GO', '')"
            )
        there.execute("SET row_security = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            there.execute("SELECT * FROM vestige_sql.judge_question")
    # A part of the columns is not the table.
    with role(conn, "SELECT (id, node_type) ON knowledge_nodes") as there:
        assert seen(there) == [0] * 7
    with role(conn, "SELECT ON knowledge_nodes") as there:
        assert seen(there) == whole
        conn.execute("ALTER TABLE knowledge_nodes ENABLE ROW LEVEL SECURITY")
        conn.execute("CREATE POLICY facts ON knowledge_nodes USING (node_type = 'fact')")
        assert seen(there) == [0] * 7
        conn.execute("ALTER TABLE knowledge_nodes DISABLE ROW LEVEL SECURITY")
    # Another table of the name is another table.
    conn.execute("ALTER TABLE knowledge_nodes RENAME TO away")
    conn.execute("CREATE TABLE knowledge_nodes (id int)")
    with role(conn, "SELECT ON knowledge_nodes") as there:
        assert seen(there) == [0] * 7
