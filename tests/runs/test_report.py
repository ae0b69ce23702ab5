"""--report: one file that asks nobody for anything, and says what --json says, whatever names and rows are like."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from psycopg import sql
from support import Conn, FakeEmbedder, Said

from vestige_sql import ModelSignature, Target, run_reembed, stage_reembed
from vestige_sql.report import Calibration, DryRunSummary, MeasuredPrecision, Phase, ReembedReport, WorkerReport

pytest.importorskip("jinja2", reason="jinja2 is in the extra report")
pytest.importorskip("matplotlib", reason="matplotlib is in the extra report")

from vestige_sql.html.page import FIRST_LINE, KINDS, MOST_BYTES, page, without_texts

pytestmark = pytest.mark.usefixtures("_nowhere")

# A name has 63 bytes.
EVIL = "<img src=//evil.example onerror=a()>'&$x$--></style>\x1b[3m\u202e"
SCRIPT = "</pre></svg><script src=//evil.example/y.js></script> $\\frac$ {{ 7 * 7 }} \x07"
VOID = {"meta", "img", "br", "hr", "input", "link", "base", "source", "wbr"}

Vestige = Callable[..., Said]


class Page(HTMLParser):
    """What stands in a page: its elements with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.json = ""
        self._open: list[str] = []
        self._in_json = False
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)
        self._in_json |= ("id", "json") in attrs

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        self._in_json &= tag != "pre"

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self._in_json:
            self.json += data

    @property
    def text(self) -> str:
        return " ".join(self.texts)


def checked(path: Path) -> Page:
    """The page in ``path``, once it is sure that it asks for nothing, runs nothing and hides nothing."""
    raw = path.read_text(encoding="utf-8")
    assert raw.startswith(FIRST_LINE)
    assert len(raw.encode()) < MOST_BYTES
    found = Page(raw)
    allowed = {
        *(
            "html",
            "head",
            "meta",
            "title",
            "style",
            "body",
            "header",
            "main",
            "footer",
            "section",
            "article",
            "p",
            "h1",
        ),
        *(
            "h2",
            "h3",
            "dl",
            "dt",
            "dd",
            "ul",
            "li",
            "b",
            "strong",
            "bdi",
            "span",
            "code",
            "pre",
            "div",
            "table",
            "thead",
        ),
        *("tbody", "tr", "th", "td", "figure", "figcaption", "details", "summary"),
        *("svg", "title", "desc", "g", "defs", "path", "use", "text", "clippath", "rect"),
    }
    assert {tag for tag, _ in found.elements} <= allowed
    for tag, attributes in found.elements:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "srcset", "action")], tag
        assert attributes.get("href", "#").startswith("#")
        # Colours are the page's own, for both themes.
        if tag in ("path", "use", "text", "g"):
            assert "#" not in attributes.get("style", "")
    assert not re.search(r"url\((?!#)|@import|\bimage-set", re.sub(r"&[^;]+;", "", _styles(found)))
    policy = [a["content"] for tag, a in found.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", raw)
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in found.elements:
        if tag == "svg":
            assert attributes["role"] == "img"
            assert set(attributes["aria-labelledby"].split()) <= set(ids)
        if "href" in attributes:
            assert attributes["href"][1:] in ids
        if "clip-path" in attributes:
            assert attributes["clip-path"][5:-1] in ids
    return found


def _styles(found: Page) -> str:
    return " ".join([*found.texts[:6], *(a.get("style", "") + a.get("clip-path", "") for _, a in found.elements)])


# --- Everything that somebody else may have written ---

WORDS = [a + b for a in ("ka", "lo", "mi", "ne", "pu") for b in ("den", "fal", "gor", "hun", "jex")]
HOSTILE = Target(f'public."{EVIL}"', "id", "body", "embedding")
OLD, NEW = FakeEmbedder("old <b>model</b>", 16), FakeEmbedder("new", 24)


def text_of(i: int) -> str:
    dice = np.random.default_rng(i)
    return f"zanzibar {' '.join(dice.choice(WORDS, 12))} {SCRIPT}".replace("\0", "")


@pytest.fixture(scope="module")
def hostile(databases: Any) -> Iterator[str]:
    """40 rows of a table whose name, slices, texts and model are an attack, with another model staged."""
    import psycopg

    with databases() as db, psycopg.connect(db, autocommit=True) as conn:
        table = sql.Identifier("public", EVIL)
        conn.execute(
            sql.SQL("CREATE TABLE {} (id int PRIMARY KEY, body text, kind text, embedding vector(16))").format(table)
        )
        for i in range(40):
            kind = (SCRIPT, "_hidden <b>", "plain")[i % 3]
            conn.execute(sql.SQL("INSERT INTO {} VALUES (%s, %s, %s)").format(table), (i, text_of(i), kind))
        run_reembed(db, OLD, target=HOSTILE)
        stage_reembed(db, NEW, target=HOSTILE)
        yield db


def asked(kind: str) -> list[str]:
    return {
        "judge": ["judge", "--derive", "15", "--slice", "kind", "--max-drop", "mrr/*=0.5", "--speed"],
        "preview": ["preview", "--sample", "12", "-k", "5"],
        "doctor": ["doctor"],
        "plan": ["plan", "--embedder", "made_for_reports:new", "--dimension", "24"],
        "reembed": ["reembed", "--embedder", "made_for_reports:same", "--dimension", "16", "--dry-run"],
    }[kind]


@pytest.fixture
def embedders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "made_for_reports.py").write_text(
        "from support import FakeEmbedder\n"
        "def new(): return FakeEmbedder('new', 24)\n"
        "def same(): return FakeEmbedder('old <b>model</b>', 16)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "made_for_reports", raising=False)


@pytest.mark.parametrize("kind", ["judge", "preview", "doctor", "plan"])
@pytest.mark.usefixtures("embedders")
def test_a_page_says_what_json_says_and_an_attack_is_text(
    kind: str, hostile: str, vestige: Vestige, tmp_path: Path
) -> None:
    file = tmp_path / f"{kind}.html"
    said = vestige("migrate", *asked(kind), "--postgres-url", hostile, "--table", HOSTILE.table, "--json",
                   "--report", file)  # fmt: skip
    assert said.code in (0, 3, 4), said.err
    found = checked(file)
    assert json.loads(found.json) == without_texts(kind, said.answer)
    assert "zanzibar" not in file.read_text(encoding="utf-8")
    assert kind != "judge" or "{{ 7 * 7 }}" in found.text
    # The name is there as it is written, but for what a terminal would obey.
    assert EVIL.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e") in found.text
    shown = [attributes for tag, attributes in found.elements if tag == "svg"]
    assert len(shown) == {"judge": 2, "preview": 2, "doctor": 0, "plan": 2}[kind]

    again = vestige("migrate", *asked(kind), "--postgres-url", hostile, "--table", HOSTILE.table, "--json",
                    "--report", file, "--with-texts")  # fmt: skip
    full = checked(file)
    if kind != "doctor":
        assert json.loads(full.json).keys() == again.answer.keys()
    assert ("zanzibar" in full.text) == (kind in ("judge", "preview"))
    if kind == "preview":
        assert json.loads(full.json) == again.answer


@pytest.mark.usefixtures("embedders")
def test_a_run_leaves_its_report(db: str, conn: Conn, vestige: Vestige, tmp_path: Path) -> None:
    conn.execute("CREATE TABLE documents (id int PRIMARY KEY, body text, embedding vector(16))")
    conn.execute("INSERT INTO documents SELECT i, 'zanzibar ' || i FROM generate_series(1, 30) i")
    common = ["migrate", "reembed", "--postgres-url", db, "--table", "documents", "--embedder", "made_for_reports:new",
              "--dimension", 24, "--create-index", "--report", tmp_path / "r.html"]  # fmt: skip
    said = vestige(*common, "--dry-run", "--json")
    assert json.loads(checked(tmp_path / "r.html").json) == said.answer
    # An earlier report is overwritten, through a link too, which stays.
    (tmp_path / "link.html").symlink_to(tmp_path / "r.html")
    common[-1] = tmp_path / "link.html"
    said = vestige(*common, "--json", "--no-confirm")
    assert said.code == 0, said.err
    assert (tmp_path / "link.html").is_symlink()
    found = checked(tmp_path / "r.html")
    assert json.loads(found.json) == said.answer
    assert "30 rows updated" in found.text
    assert "Where the time went" in found.text
    assert "zanzibar" not in found.text
    said = vestige(*common, "--no-confirm")
    assert f"the report is {tmp_path / 'link.html'}" in said.err
    assert "Nothing to do" in checked(tmp_path / "r.html").text
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


# --- What is refused, and what goes wrong ---


def test_what_cannot_be_written_is_refused_before_anything_is_looked_at(
    vestige: Vestige, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine.html"
    mine.write_text("<!doctype html><p>My own page.")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    # Nobody listens there: whoever looks at the database first has exit code 1.
    common = ("migrate", "doctor", "--postgres-url", "postgresql://127.0.0.1:1/nothing")
    for file, why in (
        (tmp_path / "nowhere" / "r.html", "cannot be written: No such file or directory"),
        (mine / "r.html", "cannot be written: Not a directory"),
        ("/proc/r.html", "cannot be written"),
        (tmp_path / "loop", "cannot be written"),
        (tmp_path, "is no file"),
        ("/dev/null", "is no file"),
        (mine, "is there already, and is no report of vestige-sql"),
        (tmp_path / ("x" * 300), "cannot be written: File name too long"),
        ("", "the file's name is empty"),
    ):
        said = vestige(*common, "--report", file)
        assert (said.code, why in said.err) == (2, True), said
    assert mine.read_text() == "<!doctype html><p>My own page."
    said = vestige(*common, "--with-texts")
    assert (said.code, "--with-texts requires --report" in said.err) == (2, True)
    for library in ("jinja2", "matplotlib"):
        with monkeypatch.context() as gone:
            for name in [name for name in sys.modules if name.startswith("vestige_sql.html.")]:
                gone.delitem(sys.modules, name)
            gone.setitem(sys.modules, library, None)
            said = vestige(*common, "--report", tmp_path / "r.html", "--json")
        assert (said.code, said.answer["kind"]) == (2, "UsageError")
        assert "pip install 'vestige-sql[report]'" in said.answer["hint"]
    assert {path.name for path in tmp_path.iterdir()} == {"loop", "mine.html"}


@pytest.mark.parametrize("what", ["the folder is gone", "another file of that name came", "the page cannot be made"])
def test_a_report_that_cannot_be_written_takes_nothing_from_the_answer(
    what: str, hostile: str, vestige: Vestige, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()

    def fails(*_: Any, **__: Any) -> str:
        if what == "the folder is gone":
            folder.rmdir()
            return FIRST_LINE
        if what == "another file of that name came":
            (folder / "r.html").write_text("mine")
            return FIRST_LINE
        raise ValueError(what)

    monkeypatch.setattr("vestige_sql.html.page.page", fails)
    said = vestige("migrate", "doctor", "--postgres-url", hostile, "--table", HOSTILE.table, "--json",
                   "--report", folder / "r.html")  # fmt: skip
    assert said.code == 1
    assert said.answer["findings"] is not None
    assert "the report could not be written to" in said.err
    left = [path.read_text() for path in folder.iterdir()] if folder.exists() else []
    assert left == (["mine"] if what == "another file of that name came" else [])


# --- However much there is ---


def _judging(slices: int, length: int) -> dict[str, Any]:
    row = {"questions": 20, "old": 0.5, "new": 0.6, "difference": 0.1, "low": -0.1, "high": 0.3}
    model = {"name": "m", "dimension": 3, "hash": "0" * 64}
    names = ["", *(f"{i} " + "s" * length for i in range(slices))]
    return {
        "target": "t", "judging": 1, "run": 1, "old_model": model, "new_model": model, "place": "staged",
        "questions": "given", "asked_by": "model", "asked": 20, "seed": 0, "notes": ["n" * 500] * slices,
        "measures": [row | {"slice": name, "measure": m} for name in names for m in ("ndcg@10", "mrr")],
        "speed": [{"space": "new", "index": f"i{i % 20}", "setting": "hnsw.ef_search", "value": i, "questions": 9,
                   "recall": 0.9, "p50_ms": 1.0, "p95_ms": 2.0 + i} for i in range(slices)],
        "lost": [], "won": [], "verdict": "GO",
        "rules": [{"kind": "max_drop", "value": 0.1, "measure": "mrr", "slice": "*"}],
        "reasons": [{"outcome": "holds", "reason": "r" * length}] * slices,
    }  # fmt: skip


def test_a_page_stays_below_a_megabyte_and_counts_what_it_leaves_out(tmp_path: Path) -> None:
    answers = {
        "judge": _judging(1500, 3000),
        "preview": {
            "target": "t", "old_model": None, "new_model": {"name": "m", "dimension": 3, "hash": "0" * 64},
            "rows_with_text": 1, "rows_staged": 1, "rows_in_both": 1, "question": None,
            "overlap": {"mean": 0.5, "limit": 100, "rows": [
                {"key": f"{i}" * 50, "text": "zanzibar" * 900, "overlap": i / 1000, "old_nearest": ["k" * 40] * 100,
                 "new_nearest": None} for i in range(1000)]},
        },
        "doctor": {
            "target": "t", "server": {"server_version": "18", "pgvector_version": "0.8"}, "seconds": 1.0, "asked": [],
            "sample": {"rows": 1, "percent": 0.1, "estimated_rows": 10, "is_analyzed": False},
            "found": {"error": 1500, "warning": 0, "note": 0},
            "findings": [
                dict.fromkeys(("code", "object", "what", "why", "do"), "f" * 3000) | {"severity": "error"}] * 1500,
        },
    }  # fmt: skip
    for kind, answer in answers.items():
        for with_texts in (False, True):
            (tmp_path / "r.html").write_text(page(kind, answer, with_texts=with_texts), encoding="utf-8")
            found = checked(tmp_path / "r.html")
            assert "more are not shown: --json has them" in re.sub(r"\s+", " ", found.text)
            assert "too long for this page" in found.text
            assert with_texts or "zanzibar" not in found.text
    # One that fits has all of it.
    (tmp_path / "r.html").write_text(page("judge", _judging(5, 10)), encoding="utf-8")
    found = checked(tmp_path / "r.html")
    assert "not shown" not in found.text
    assert sum(tag == "svg" for tag, _ in found.elements) == 4


def test_texts_are_on_the_page_only_where_they_are_wanted(tmp_path: Path) -> None:
    found = [{"key": f"key {i}", "text": f"zanzibar {i}", "distance": i / 10} for i in range(3)]
    preview = {
        "target": "t", "old_model": None, "new_model": {"name": "m", "dimension": 3, "hash": "0" * 64},
        "rows_with_text": 3, "rows_staged": 3, "rows_in_both": 3, "overlap": None,
        "question": {"text": "where is zanzibar", "stand_in": "key 1", "old": found[:2], "new": found[1:]},
    }  # fmt: skip
    question = {"nr": 1, "question": "where is zanzibar", "slice": None, "old": 0.1, "new": 0.9, "answers": ["key 1"],
                "old_first": None, "new_first": "key 1"}  # fmt: skip
    judging = _judging(1, 3) | {"lost": [question], "won": [question]}
    for kind, answer, times in (("preview", preview, 5), ("judge", judging, 2)):
        for with_texts in (False, True):
            (tmp_path / "r.html").write_text(page(kind, answer, with_texts=with_texts), encoding="utf-8")
            shown = checked(tmp_path / "r.html")
            # Each in its place, and once more in the JSON.
            assert shown.text.count("zanzibar") == (2 * times if with_texts else 0)
            assert kind == "judge" or all(f"key {i}" in shown.text for i in range(3))
            assert json.loads(shown.json) == (answer if with_texts else without_texts(kind, answer))


def test_everything_that_a_run_or_a_plan_may_say_has_its_place(tmp_path: Path) -> None:
    old, new = ModelSignature("old", 3, "0" * 64), ModelSignature("new", 4, "1" * 64)
    run = ReembedReport(
        rows_updated=1234, duration_secs=2, index_rebuild_secs=1, way="online", way_reason="as asked for", model=new,
        previous_model=old, run_id=7, lock_held_secs=0.0123, notes=["a note"], device="cpu", cost=1.25,
        tokens_spent=9876,
        recall=[{"name": "an index", "recall": 0.987, "sampled": 30, "search_setting": "hnsw.ef_search = 40"}],
        workers=[WorkerReport(0, "a node", 1, 2, 345, 6.0, 57.5, 1, "it was lost")], staged_by="encoding",
        spent={"encoding": 3.0, "waiting": 1.0, "gate": 0.0}, computed=["fp32 by A", "bf16 by B"],
        encoding={"prompt": "passage: ", "pooling": "mean", "normalize": True},
    )  # fmt: skip
    phases = [
        Phase("stage", "Encode.", "short transactions", "nobody", [], 90.0),
        Phase("apply", "Apply.", "one transaction", "everybody",
              [{"file": "sql/apply/x.sql", "what": "Do it.", "waits": "everybody", "touches_target": True}], 0.01),
        Phase("index", "Build.", "alone", "writers", [], None),
    ]  # fmt: skip
    ways = [MeasuredPrecision("fp32", "A", 64, 12.5), MeasuredPrecision("bf16", "B", 64, refused="no bfloat16 here")]
    plan = DryRunSummary(
        10, 1, 30.0, None, new, True, way="rewrite", way_reason="the fastest way", notes=["mind this"],
        calibrated=Calibration(64, 5.0, 90.0, disk_peak_bytes=10**7, wal_bytes=1, notes=["roughly"], precisions=ways),
        column="a.b.c", phases=phases, undo=["go back"], replicas=["they see it"], estimated_tokens=55,
        estimated_cost=0.5, encoding={"prompt": "passage: "},
    )  # fmt: skip
    for kind, answer, parts in (
        ("reembed", run, ("1,234 rows updated", "12 ms", "a note", "9,876", "1.25", "an index", "0.987", "a node",
                          "it was lost", "then in bf16 by B", "prompt 'passage: '", "Run 7", "encoding 3.0 s, 75%")),
        ("plan", plan, ("none registered", "mind this", "roughly", "12.5 rows/s", "no bfloat16 here", "go back",
                        "they see it", "10.0 MB more", "sql/apply/x.sql", "writers wait", "not predicted", "0.50",
                        "stage: 90 s, nobody waits")),
    ):  # fmt: skip
        said = json.loads(json.dumps(answer.as_json(), default=str))
        (tmp_path / "r.html").write_text(page(kind, said), encoding="utf-8")
        found = checked(tmp_path / "r.html")
        assert json.loads(found.json) == said
        before_json = re.sub(r"\s+", " ", found.text.partition("The same as JSON")[0])
        assert [part for part in parts if part not in before_json] == []


def test_pictures_are_drawn_for_both_widths_and_say_in_words_what_they_show(tmp_path: Path) -> None:
    (tmp_path / "r.html").write_text(page("judge", _judging(1, 3)), encoding="utf-8")
    found = checked(tmp_path / "r.html")
    kinds = [attributes["class"] for tag, attributes in found.elements if tag == "svg"]
    assert kinds == ["wide", "narrow"] * 2
    assert "ndcg@10 +0.100, from -0.100 to +0.300" in found.text
    assert "hnsw.ef_search 0: recall 0.900, p95 2.00 ms" in found.text
    assert set(KINDS) == {"judge", "doctor", "preview", "reembed", "plan"}
