"""Comments are left out of SQL text where PostgreSQL's own scanner finds them, and nothing else is."""

from __future__ import annotations

import re

import pglast.parser
import pytest

from vestige_sql.resources import resource_dir
from vestige_sql.steps.psql import condensed, without_comments

STEPS = sorted(path for folder in ("sql", "migrations") for path in resource_dir(folder).rglob("*.sql"))


def tokens(text: str, *, formats: bool = False) -> list[str]:
    """The tokens of ``text`` as PostgreSQL's scanner finds them, without comments; two strings that are one are one."""
    # psql's variables and commands are not SQL: names and operators take their place.
    text = re.sub(r"(?<![:\w])(:)(['\"]?)(\w+)\2(?!:)", r" v_\3 ", text).replace("\\", " @ ")
    whole = text.encode()
    found = []
    for token in pglast.parser.scan(text):
        if token.name in ("SQL_COMMENT", "C_COMMENT"):
            continue
        part = whole[token.start : token.end + 1].decode()
        if token.name == "SCONST" and part.startswith("$"):
            tag = part[: part.index("$", 1) + 1]
            if found[-1].upper() == "DO" or (formats and found[-2:] in (["format", "("], ["replace", "("])):
                part = " ".join(tokens(part[len(tag) : -len(tag)], formats=formats))
        elif token.name == "SCONST":
            part = re.sub(r"'\s*\n(?:\s|--[^\n]*\n)*'", "", part)
        found.append(part)
    return found


def test_every_file_has_the_same_tokens_without_its_comments() -> None:
    assert len(STEPS) > 250
    for path in STEPS:
        text = path.read_text(encoding="utf-8")
        expected = tokens(text)
        assert tokens(condensed(text)) == expected, path
        assert tokens(without_comments(text)) == expected, path
        assert condensed(condensed(text)) == condensed(text), path
        assert tokens(condensed(text, formats=True), formats=True) == tokens(text, formats=True), path


@pytest.mark.parametrize(
    ("text", "one_line"),
    [
        ("-- a\nSELECT 1; -- b\n\n/* c /* d */ e */ SELECT 2;", "SELECT 1;\nSELECT 2;"),
        ("SELECT '--a', \"-- \n b\", E'\\'-- ' , $$ -- c\n $$", "SELECT '--a', \"-- \n b\", E'\\'-- ' , $$ -- c\n $$"),
        ("SELECT 'a'\n  -- b\n  'c' 'd'", "SELECT 'ac' 'd'"),
        ("SELECT 1 --x", "SELECT 1"),
        ("SELECT 1-/**/-1", "SELECT 1- -1"),
        (
            "do $x$ BEGIN\n -- a\n RAISE 'b;\n\nc';\n END $x$;\nSELECT 1",
            "do $x$ BEGIN RAISE 'b;\n\nc'; END $x$;\nSELECT 1",
        ),
        ("SELECT 1\n \\gexec\n", "SELECT 1 \\gexec"),
    ],
)
def test_one_line_a_statement(text: str, one_line: str) -> None:
    assert condensed(text) == one_line


def test_the_layout_stays_without_comments() -> None:
    text = "-- What.\n--\n-- Locks: none\n\nSELECT a, -- first\n    -- second\n    b\n\nFROM 'x\n\n-- y' /* z */ t;\n"
    assert without_comments(text) == "SELECT a,\n    b\nFROM 'x\n\n-- y'   t;"
