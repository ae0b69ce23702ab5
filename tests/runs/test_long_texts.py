"""Long texts are read as far as the model needs them: with the vector of the whole, and never of two texts at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from demo.minilm import build_tiny
from support import Conn, FakeEmbedder, Points, check_space, dsn, seed, vectors
from test_worker import opened, worker_for

from vestige_sql import ReembedPlan, run_reembed
from vestige_sql.encode.embedder import Vectors
from vestige_sql.encode.onnx import load_embedder
from vestige_sql.reembed import stage

OLD = FakeEmbedder("old", 64)

# Of one to four bytes a character, around every size at which something is cut, with spaces at the cuts.
TEXTS = [
    part * (length // len(part)) + part[: length % len(part)] or "."
    for part in ("abcdefg ", "é", "日本", "🙂 🙂", "a é日🙂 ")
    for length in (7, 8, 9, 23, 24, 25, 31, 32, 33, 39, 40, 41, 56, 57, 300)
]


class Truncating(FakeEmbedder):
    """A model whose vectors say what the first ``needed`` characters are. Runs ``meanwhile`` once it is asked."""

    def __init__(self, needed: int, meanwhile: Callable[[], object] = lambda: None, **settings: object) -> None:
        super().__init__("new", 96, **settings)  # type: ignore[arg-type]
        self.needed = needed
        self.meanwhile = meanwhile
        self.asked = 0

    def is_enough(self, beginning: str) -> bool:
        self.asked += 1
        self.meanwhile()
        return len(beginning) >= self.needed

    def vector(self, text: str) -> Vectors:
        return super().vector(text[: self.needed])


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight characters are a long text, read on in 32 and pieces of 16."""
    monkeypatch.setattr(stage, "TEXT_CHARACTERS", 8)
    monkeypatch.setattr(stage, "PIECE_CHARACTERS", 16)


MODELS: dict[str, Callable[[], FakeEmbedder]] = {
    "whole": lambda: FakeEmbedder("new", 96),
    "beginning": lambda: Truncating(5),
    "some": lambda: Truncating(30),
    "all of some": lambda: Truncating(250),
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", ["offline", "online", "under the lock"])
def test_every_text_has_the_vector_of_the_whole(
    db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, way: str, model: str
) -> None:
    seed(conn, len(TEXTS), OLD, texts=TEXTS)
    embedder = MODELS[model]()
    changed = TEXTS[40] + " and more" * 9

    def change(number: int, _: Sequence[str]) -> None:
        # What is noted as changed is read by another step.
        if number == 1:
            conn.execute("UPDATE knowledge_nodes SET content = %s WHERE content = %s", (changed, TEXTS[40]))

    if way == "under the lock":
        Points(monkeypatch).before("lock/exclusive/20_lock_target.sql", lambda: change(1, ()))
    else:
        embedder.hook = change
    run_reembed(db, embedder, ReembedPlan(online=way == "online", batch_size=16))
    assert changed in {text for text, _ in vectors(conn).values()}
    check_space(conn, embedder)
    longest = max(map(len, embedder.texts))
    assert longest == 300 if not isinstance(embedder, Truncating) else longest <= max(8, 4 * embedder.needed)


@pytest.mark.parametrize("model", MODELS)
def test_a_worker_reads_them_as_a_run_does(conn: Conn, model: str) -> None:
    seed(conn, len(TEXTS), OLD, texts=TEXTS)
    opened(conn)
    embedder = MODELS[model]()
    worker = worker_for(conn, embedder)
    assert worker.stage(None, None)[0] == len(TEXTS)
    worker.close()
    again = MODELS[model]()
    run_reembed(dsn(conn), again)
    assert again.texts == []
    check_space(conn, embedder)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE knowledge_nodes SET content = repeat('other ', 20) WHERE content LIKE 'the long one%'",
        # The same text again, in another version of the row.
        "UPDATE knowledge_nodes SET content = repeat('other ', 20) WHERE content LIKE 'the long one%';"
         "UPDATE knowledge_nodes SET content = 'the long one' || repeat('.', 90) WHERE content LIKE 'other%'",
        "UPDATE knowledge_nodes SET content = 'short' WHERE content LIKE 'the long one%'",
        "DELETE FROM knowledge_nodes WHERE content LIKE 'the long one%'",
    ],
)  # fmt: skip
def test_a_row_that_changes_while_its_text_is_read_waits_for_the_next_pass(db: str, conn: Conn, statement: str) -> None:
    texts = [*(f"memory number {n}" for n in range(9)), "the long one" + "." * 90]
    seed(conn, 10, OLD, texts=texts)
    done: list[str] = []

    def meanwhile() -> None:
        if not done:
            done.append(statement)
            conn.execute(statement)  # type: ignore[call-overload]

    embedder = Truncating(60, meanwhile)
    report = run_reembed(db, embedder)
    assert done and report.rows_updated == (9 if "DELETE" in statement else 10)
    check_space(conn, embedder)
    # Pieces of two texts were never put together.
    known = {text[:60] for text, _ in vectors(conn).values()} | {text[:60] for text in texts}
    assert {text[:60] for text in embedder.texts} <= known


def test_a_models_vectors_are_those_of_whole_texts(
    db: str, conn: Conn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the encoder itself: what it is given is enough for it, as it says."""
    monkeypatch.setattr("vestige_sql.encode.tokens._GROUP_CHARACTERS", 16)
    embedder = load_embedder(str(build_tiny(tmp_path / "tiny", max_seq_length=12)))
    texts = [text.lower() for text in TEXTS] + ["one two three " * n for n in range(1, 9)]
    seed(conn, len(texts), OLD, texts=texts)
    run_reembed(db, embedder)
    expected = dict(zip(texts, embedder.embed_batch(texts), strict=True))
    for text, vector in vectors(conn).values():
        assert vector == pytest.approx(list(expected[text]), abs=1e-5)
