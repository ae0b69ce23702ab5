"""Hostile and legal: names, keys, texts and settings that look like bad input and have to work, vector by vector."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from demo.minilm import build_tiny
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg import sql
from support import Conn, FakeEmbedder, catalog, check_space, columns_of, literal, rows, seed, vectors

from vestige_sql import ReembedPlan, Target, dry_run_reembed, finalize, register_model, rollback, run_reembed
from vestige_sql.encode.onnx import load_embedder
from vestige_sql.errors import BadEmbedding
from vestige_sql.look.status import status
from vestige_sql.reembed import stage

OLD = FakeEmbedder("old", 8)
NEW = FakeEmbedder("new", 12)

FEW = settings(
    max_examples=4,
    derandomize=True,
    deadline=None,
    database=None,
    # Looking for a smaller example takes a run for each.
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
"""The same examples on every machine and in every run."""

PLANS = [
    *(ReembedPlan(apply=way) for way in ("rewrite", "swap", "widen")),
    ReembedPlan(online=True, recall_sample=0),
    ReembedPlan(apply="rewrite", keep_old=True),
]

_numbers = itertools.count()

pytestmark = pytest.mark.usefixtures("_nowhere")


@pytest.fixture(scope="module")
def shared(databases: Callable[[], AbstractContextManager[str]]) -> Iterator[tuple[str, Conn]]:
    with databases() as db, psycopg.connect(db, autocommit=True) as conn:
        yield db, conn


def run_sql(conn: Conn, *statements: str) -> None:
    for text in statements:
        conn.execute(text.encode())


def make(conn: Conn, target: Target, key: str, keys: Sequence[Any], texts: Sequence[str | None]) -> None:
    """A table with a row for each key, its vectors those of OLD, and an HNSW index."""
    names = [sql.Identifier(name).as_string() for name in columns_of(target)]
    run_sql(
        conn,
        f"CREATE TABLE {target.table} ({names[0]} {key} PRIMARY KEY, {names[1]} text, {names[2]} vector(8))",
        f"CREATE INDEX ON {target.table} USING hnsw ({names[2]} vector_cosine_ops)",
    )
    for one, text in zip(keys, texts, strict=True):
        vector = literal(OLD.vector(text)) if text and text.strip() else None
        values = sql.SQL(", ").join(map(sql.Literal, (one, text, vector))).as_string(conn)
        run_sql(conn, f"INSERT INTO {target.table} ({', '.join(names)}) VALUES ({values})")


def check_forth_and_back(db: str, conn: Conn, target: Target, plan: ReembedPlan) -> None:
    """A registered model, another one by ``plan``, and back again where that is kept; all else stays as it is."""
    before = rows(conn, target)
    register_model(db, OLD.signature(), target=target)
    report = run_reembed(db, NEW, plan, target=target)
    assert report.rows_updated == sum(vector is not None for _, vector in vectors(conn, target).values())
    check_space(conn, NEW, target)
    assert run_reembed(db, NEW, plan, target=target).nothing_to_do
    model = NEW
    if plan.online or plan.keep_old:
        rollback(db, target=target)
        model = OLD
        check_space(conn, OLD, target)
        finalize(db, target=target)
    assert rows(conn, target) == before
    assert status(db, target=target)["model"] == model.signature()


# --- Names ---

ODD_NAMES: dict[str, Sequence[str]] = {
    "statements": ('a"; DROP TABLE knowledge_nodes; --', "'; ROLLBACK; --", "$$; $1", "/* ", "*/ -- "),
    "psql's own": (":schema", ":'table'", ':"id_column"', ":{?x}", "\\gexec"),
    "Python's own": ("%s", "%(id)s", "{}", "{id!r}", "\\n"),
    "white space": (" ", "\n", "\t", "\u00a0", "\u2028"),
    "as long as may be": ("t" * 63, "k" * 63, "é" * 31, "記" * 21, "🦉" * 15),
    "reserved words": ("select", "table", "user", "order", "default"),
    "the names of aliases": ("t", "s", "old", "new", "r"),
    "the package's own": ("run", "p_id", "content_hash", "distance", "staging_table"),
    "the columns of the staging table": ("stage", "content_hash", "id", "embedding", "change"),
    "the columns of a search": ("knowledge", "key", "text", "vector", "rank"),
    "Vestige's, otherwise": ("knowledge_nodes_2", "content", "embedding", "id", "search_vec"),
    "right to left": ("שלום", "مرحبا", "\u202eabc", "\u200f", "a\u0301\u0301"),
    "dots": (".", "..", "a.b", '"a"."b"', "public.knowledge_nodes"),
}


@pytest.mark.parametrize("names", ODD_NAMES.values(), ids=ODD_NAMES)
def test_odd_names(shared: tuple[str, Conn], names: Sequence[str]) -> None:
    db, conn = shared
    check_named(db, conn, names[0], names[1:], PLANS[next(_numbers) % len(PLANS)])


def check_named(db: str, conn: Conn, schema: str, names: Sequence[str], plan: ReembedPlan) -> None:
    where = sql.Identifier(schema)
    conn.execute(sql.SQL("CREATE SCHEMA {}").format(where))
    try:
        target = Target(sql.Identifier(schema, names[0]).as_string(conn), *names[1:])
        make(conn, target, "bigint", range(-2, 3), ["one", "two", " ", None, "five"])
        assert dry_run_reembed(db, NEW, target=target).rows_to_update == 3
        check_forth_and_back(db, conn, target, plan)
    finally:
        conn.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(where))
        # What the package remembers of the table is no longer of any table.
        for table in ("kept", "model", "run"):
            name = sql.Identifier("vestige_sql", table)
            conn.execute(sql.SQL("DELETE FROM {} WHERE table_schema = %s").format(name), [schema])


IDENTIFIER = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=63).filter(
    lambda name: len(name.encode()) < 64 and not name.startswith("pg_")
)


@FEW
@given(names=st.lists(IDENTIFIER, min_size=5, max_size=5, unique=True), plan=st.sampled_from(PLANS))
def test_any_name(shared: tuple[str, Conn], names: list[str], plan: ReembedPlan) -> None:
    db, conn = shared
    check_named(db, conn, names[0], names[1:], plan)


def test_a_column_called_as_the_second_one_is_left_alone_where_none_is_added(shared: tuple[str, Conn]) -> None:
    """By rewrite; the other ways refuse it by name."""
    from vestige_sql.reembed.target import probe

    db, conn = shared
    target = Target("namesake", "id", "content", "embedding")
    make(conn, target, "bigint", range(3), ["one", "two", "three"])
    for column in ("new_column", "kept_column"):
        name = sql.Identifier(str(probe(conn, target).values[column]))
        conn.execute(sql.SQL("ALTER TABLE namesake ADD COLUMN {} text DEFAULT 'mine'").format(name))
    check_forth_and_back(db, conn, target, ReembedPlan())
    assert conn.execute(
        "SELECT count(*) FROM namesake WHERE to_jsonb(namesake)::text LIKE '%mine%mine%'"
    ).fetchone() == (3,)


# --- Keys ---

KEYS = [
    "",
    " ",
    "\t",
    "\n",
    "\r\n",
    "'",
    "''",
    '"',
    "\\",
    "\\\\",
    "\\.",
    "\\N",
    "\\000",
    "\\x00",
    "\\u0000",
    "E'\\n'",
    "NULL",
    "null",
    "%s",
    ":after",
    "{}",
    "$1",
    "'; DROP TABLE knowledge_nodes; --",
    "a\u0301",
    "á",
    "\u202e",
    "\ufeff",
    "\uffff",
    "\U0010ffff",
    "k" * 8_000,
    "k" * 7_999 + "l",
    "é" * 4_000,
]


@pytest.mark.parametrize("plan", PLANS, ids=["rewrite", "swap", "widen", "online", "kept"])
def test_odd_keys(shared: tuple[str, Conn], monkeypatch: pytest.MonkeyPatch, plan: ReembedPlan) -> None:
    monkeypatch.setattr(stage, "PAGE_ROWS", 5)
    db, conn = shared
    target = Target(f"keys_{next(_numbers)}")
    make(conn, target, "text", KEYS, [f"the text of {i}" for i in range(len(KEYS))])
    check_forth_and_back(db, conn, target, plan)


def test_an_odd_key_in_a_message(shared: tuple[str, Conn]) -> None:
    """A key comes into messages and into the audit as it is."""
    db, conn = shared
    target = Target("messages")
    make(conn, target, "text", ['it\'s :"id" %s \\'], ["zero"])

    class Zero(FakeEmbedder):
        def vector(self, text: str) -> Any:
            return super().vector(text) * 0

    said = 'a zero vector for the row of public.messages with id = it\'s :"id" %s \\'
    with pytest.raises(BadEmbedding, match=re.escape(said)):
        run_reembed(db, Zero("zero", 12), target=target)
    (error,) = conn.execute("SELECT last_error FROM vestige_sql.run WHERE table_name = 'messages'").fetchone() or ()
    assert 'id = it\'s :"id" %s \\' in error
    assert status(db, target=target)["open_run"]["last_error"] == error


# --- Texts ---

FAMILY = "👩‍👩‍👧‍👦"

TEXTS: dict[str, str] = {
    "10,000 combining marks": "a" + "\u0301" * 10_000,
    "right to left": "שלום عليكم \u202eevil\u202c",
    "control characters": "".join(map(chr, range(1, 32))) + "\x7f\x80\x9f",
    "next to surrogates": "\ud7ff\ue000\uffff\ufffe\U0010ffff\U00010000",
    "private use": "\ue000\uf8ff\U000f0000",
    "emoji chains": FAMILY * 500,
    "flags and skins": "🏴󠁧󠁢󠁳󠁣󠁴󠁿🏳️‍🌈👋🏿",
    "zero width alone": "\u200b\u200c\u200d\ufeff\u2060",
    "NFC": "é ñ Å ﬁ",
    "NFD": "e\u0301 n\u0303 A\u030a ﬁ",
    "NFKC": "é ñ Å fi",
    "no spaces": "記憶" * 5_000,
    "one long word": "x" * 50_000,
    "statements": "'; DROP TABLE knowledge_nodes; -- \\gexec :'table' %s {} $1 $$",
    "NUL as it is written": "\\0 \\x00 \\u0000 %00 &#0;",
    "quotes": "'\"`''\"\"",
    "backslashes": "\\" * 1_001,
    "CSV and COPY": '\\.\n\\N\t,"",\r\n',
    "a vector": "[1,2,3]",
    "almost blank": "\u00a0\u2003x\u3000",
    "a byte order mark first": "\ufeffabc",
}

BLANK = ["", " ", "\n\t\r\f\v", "\u00a0", "\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000\u0085", "\x1c\x1d\x1e\x1f"]


def test_odd_texts(shared: tuple[str, Conn], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has its own vector, also where two are equal up to normalisation, and what is blank has none."""
    monkeypatch.setattr(stage, "PAGE_ROWS", 7)
    db, conn = shared
    texts = [*TEXTS.values(), *BLANK]
    for number, plan in enumerate(PLANS[1:4:2]):
        target = Target(f"texts_{number}")
        make(conn, target, "bigint", range(len(texts)), texts)
        check_forth_and_back(db, conn, target, plan)
        blank = [text for text, vector in vectors(conn, target).values() if vector is None]
        assert sorted(blank) == sorted(BLANK)


def test_odd_texts_and_a_model(shared: tuple[str, Conn], tmp_path: Path) -> None:
    """With a tokenizer and a graph, the vector of each is that of the text alone."""
    db, conn = shared
    embedder = load_embedder(str(build_tiny(tmp_path / "tiny")))
    texts = [*TEXTS.values(), "a word and another " * 270_000]
    assert len(texts[-1]) > 5_000_000
    target = Target("encoded")
    make(conn, target, "bigint", range(len(texts)), texts)
    run_reembed(db, embedder, target=target)
    found = dict(vectors(conn, target).values())
    assert set(found) == set(texts)
    for text in texts:
        np.testing.assert_allclose(found[text], embedder.embed_batch([text])[0], atol=2e-6)


@FEW
@given(
    texts=st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40),
        st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60),
        min_size=1,
        max_size=30,
    ),
    plan=st.sampled_from(PLANS),
)
def test_any_key_and_any_text(
    shared: tuple[str, Conn], monkeypatch: pytest.MonkeyPatch, texts: dict[str, str | None], plan: ReembedPlan
) -> None:
    monkeypatch.setattr(stage, "PAGE_ROWS", 4)
    db, conn = shared
    target = Target(f"any_{next(_numbers)}")
    make(conn, target, "text", list(texts), list(texts.values()))
    check_forth_and_back(db, conn, target, plan)


def has_text(conn: Conn, text: str) -> bool:
    row = conn.execute("SELECT vestige_sql.has_text(%s)", [text]).fetchone()
    return bool(row and row[0])


def test_what_is_blank_is_what_python_says(shared: tuple[str, Conn]) -> None:
    """Of every character below the emoji, in both places where the SQL says so."""
    db, conn = shared
    characters = [chr(i) for i in itertools.chain(range(1, 0xD800), range(0xE000, 0x11000))]
    white = {c for c in characters if c.isspace()}
    blank = conn.execute("SELECT c FROM unnest(%s::text[]) AS c WHERE NOT vestige_sql.has_text(c)", [characters])
    assert {c for (c,) in blank} == white
    # A dry run counts without the package's functions.
    run_sql(conn, "CREATE TABLE characters (id text PRIMARY KEY, embedding vector(8))")
    conn.execute("INSERT INTO characters SELECT c FROM unnest(%s::text[]) AS c", [characters])
    summary = dry_run_reembed(db, NEW, target=Target("characters", "id", "id"))
    assert (summary.rows_blank, summary.rows_to_update) == (len(white), len(characters) - len(white))
    # All of them together are blank, and around a letter they are not.
    together = "".join(sorted(white))
    asked = conn.execute(
        "SELECT vestige_sql.has_text(%s), vestige_sql.has_text(%s)", [together, f"{together}x{together}"]
    )
    assert asked.fetchone() == (False, True)


# --- Models' names ---

MODEL_NAMES = [
    'it\'s a "model"',
    "'; DROP TABLE knowledge_nodes; --",
    ":'model_name' :dimension",
    "%s {} $1 \\",
    "new\nline\ttab \x1b[31m",
    "m" * 10_000,
    "../../etc/passwd",
    "~/model/",
    "日本語 🦉 a\u0301",
    " ",
]


def test_odd_names_of_models(db: str, conn: Conn) -> None:
    """A model of one's own may be called anything that a text can hold."""
    seed(conn, 4)
    for number, name in enumerate(MODEL_NAMES):
        embedder = FakeEmbedder(name, 4 + number)
        run_reembed(db, embedder, ReembedPlan(apply=("rewrite", "swap", "widen")[number % 3], recall_sample=0))
        check_space(conn, embedder)
        assert status(db)["model"] == embedder.signature()


# --- Settings of others ---

SETTINGS = {
    "client_encoding": "LATIN1",
    "standard_conforming_strings": "off",
    "escape_string_warning": "off",
    "backslash_quote": "off",
    "bytea_output": "escape",
    "quote_all_identifiers": "on",
    "extra_float_digits": "-15",
    "DateStyle": "German, DMY",
    "TimeZone": "Pacific/Kiritimati",
    "array_nulls": "off",
    "transform_null_equals": "on",
}


@pytest.mark.parametrize("by", ["database", "environment"])
def test_odd_settings(db: str, conn: Conn, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    """What a role or a database sets, or the environment, changes no text, no vector and no index on its way."""
    seed(conn, texts=[text for text in TEXTS.values() if len(text) < 1_000], embedder=OLD)
    conn.execute(
        "CREATE INDEX partly ON knowledge_nodes USING hnsw ((embedding::vector(8)) vector_l2_ops)"
        " WHERE vector_dims(embedding) = 8 AND content <> E'\\\\'"
    )
    before = rows(conn), catalog(conn)
    if by == "database":
        for setting, value in SETTINGS.items():
            change = sql.SQL("ALTER DATABASE {} SET {} = {}")
            # Some of them are gone in newer servers.
            with suppress(psycopg.errors.UndefinedObject):
                conn.execute(change.format(*map(sql.Identifier, (conn.info.dbname, setting)), sql.Literal(value)))
    else:
        monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
        monkeypatch.setenv("PGOPTIONS", "-c standard_conforming_strings=off -c quote_all_identifiers=on")
        monkeypatch.setenv("PGDATESTYLE", "SQL, DMY")
    run_reembed(db, NEW)
    check_space(conn, NEW)
    run_reembed(db, OLD, ReembedPlan(apply="swap"))
    check_space(conn, OLD)
    assert (rows(conn), catalog(conn)) == before
    run_reembed(db, NEW, ReembedPlan(online=True))
    check_space(conn, NEW)
    rollback(db)
    check_space(conn, OLD)
    finalize(db)
    assert (rows(conn), catalog(conn)) == before
