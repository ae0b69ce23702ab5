"""What a terminal is shown of others' texts, and what becomes of a stream that takes nothing."""

from __future__ import annotations

import argparse
import ast
import errno
import io
import json
import logging
import os
import sys
from pathlib import Path

import pytest

from vestige_sql.cli import main, output
from vestige_sql.terminal import Stream, standard_streams, visible, visible_line

CLI = Path(output.__file__).parent


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;owned\x07\x1b[2J", "\\x1b]0;owned\\x07\\x1b[2J"),
        ("\x9b31m\x85", "\\x9b31m\\x85"),  # C1: one character does what ESC [ does
        ("a\rb\x08c\x00\x7f", "a\\x0db\\x08c\\x00\\x7f"),
        ("\u202etxt.exe\u2066", "\\u202etxt.exe\\u2066"),
        ("\u2028\u200f\U000e0041", "\\u2028\\u200f\\U000e0041"),
        ("\udce9", "\\udce9"),
        ("Zoë ☃ 日本 \U0001f469\u200d\U0001f4bb\tx\ny", "Zoë ☃ 日本 \U0001f469\u200d\U0001f4bb\tx\ny"),
    ],
)
def test_what_a_terminal_would_obey_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible_line(text) == shown.replace("\n", "\\n")
    stream = io.StringIO()
    Stream(stream, bars=True).write("> " + text)
    assert stream.getvalue() == "> " + shown


def test_a_bar_is_still_drawn() -> None:
    stream = io.StringIO()
    bars = Stream(stream, bars=True)
    for part in ("\r 10% |#  |\x1b[31m", "\x1b[A\x1b[A", "\n"):
        bars.write(part)
    assert stream.getvalue() == "\r 10% |#  |\\x1b[31m\x1b[A\x1b[A\n"
    stream = io.StringIO()
    Stream(stream).write("\r")
    assert stream.getvalue() == "\\x0d"


@pytest.mark.parametrize(("encoding", "written"), [("ascii", b"Zo\\xeb \\u2603"), ("latin-1", b"Zo\xeb \\u2603")])
def test_an_encoding_that_lacks_a_character_gets_its_escape(encoding: str, written: bytes) -> None:
    raw = io.BytesIO()
    stream = Stream(io.TextIOWrapper(raw, encoding=encoding))
    stream.write("Zoë ☃")
    stream.flush()
    assert raw.getvalue() == written


def test_a_script_is_in_utf8_whatever_the_encoding_is() -> None:
    raw = io.BytesIO()
    stream = Stream(io.TextIOWrapper(raw, encoding="ascii"))
    stream.write("-- ")
    stream.write_utf8("Zoë \x1b ☃")
    stream.flush()
    assert raw.getvalue() == "-- Zoë \x1b ☃".encode()


class Full(io.StringIO):
    def write(self, _: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("inner", [None, Full(), io.StringIO()], ids=["closed", "full", "closed later"])
def test_a_stream_that_takes_nothing_never_raises(inner: io.StringIO | None) -> None:
    stream = Stream(inner)
    if type(inner) is io.StringIO:
        inner.close()
    for _ in range(2):
        assert stream.write("text") == 4
        stream.flush()
    assert not stream.isatty()
    assert (stream.failed is None) == (inner is None)


def test_a_full_disk_is_a_failure_and_a_reader_that_left_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    full = Full()
    monkeypatch.setattr("sys.stdout", full)
    with pytest.raises(SystemExit, match="1"):
        main(["--version"])
    assert "could not be written to stdout: No space left on device" in capsys.readouterr().err

    def left(_: str) -> int:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(full, "write", left)
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().err == ""


def test_a_pipe_that_does_not_wait_loses_nothing() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    kept = os.dup(1)
    os.dup2(writing, 1)
    try:
        with standard_streams():
            assert os.get_blocking(1)
    finally:
        os.dup2(kept, 1)
        for number in (kept, reading, writing):
            os.close(number)


def test_the_streams_and_the_log_are_as_before_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("vestige_sql")
    before = (sys.stdout, sys.stderr, log.handlers, log.propagate, log.level)
    assert main(["migrate", "status", "--postgres-url", "postgresql:///x?port=none"]) == 2
    assert (sys.stdout, sys.stderr, log.handlers, log.propagate, log.level) == before
    with pytest.raises(SystemExit, match="2"):
        main(["migrate", "stat\x1b[2Jus"])
    assert "\x1b" not in capsys.readouterr().err
    assert sys.stderr is before[1]


def test_no_record_passes_for_another(capsys: pytest.CaptureFixture[str]) -> None:
    with output.log_to_stderr(quiet=False):
        logging.getLogger("vestige_sql").info("locked by %s", "SELECT 1;\nreembed: 5 rows updated\r\x1b[1A")
    output.complain("no table a\nvestige-sql: all is well")
    said = capsys.readouterr().err
    assert said == (
        "locked by SELECT 1;\n  reembed: 5 rows updated\\x0d\\x1b[1A\n"
        "vestige-sql: no table a\n  vestige-sql: all is well\n"
    )


def test_json_stays_json(capsys: pytest.CaptureFixture[str]) -> None:
    text = "".join(map(chr, range(0x2100)))
    with standard_streams():
        output.answer(argparse.Namespace(json=True), {"text": text})
    assert json.loads(capsys.readouterr().out) == {"text": text}


@pytest.mark.parametrize("module", sorted(CLI.rglob("*.py")), ids=lambda path: str(path.relative_to(CLI)))
def test_answers_are_printed_in_one_place(module: Path) -> None:
    """What others wrote reaches a terminal through output.py alone, which shows its control characters."""
    if module.name == "output.py":
        return
    printed = [
        node.lineno
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    # The version is this package's own.
    assert len(printed) == (module.name == "parser.py"), printed
