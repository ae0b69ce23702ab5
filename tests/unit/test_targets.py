"""The targets that vestige.toml names, and the commands that messages name: what is parsed, and what is refused."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path
from typing import Any

import pytest

from vestige_sql.cli import commands, main
from vestige_sql.cli.parser import make_parser
from vestige_sql.errors import UsageError

TOML = """
[storage.postgres]
url = "postgresql://somewhere/db"

[targets.docs]
table = "app.documents"
id_column = "doc_id"
model = "${MODEL_HERE}"
dimension = 768
online = true
drop_hnsw_first = false
max_lag = 3
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MODEL_HERE", "BAAI/bge-base-en-v1.5")
    (tmp_path / "vestige.toml").write_text(TOML)
    return tmp_path


def parsed(*argv: str) -> argparse.Namespace:
    return make_parser().parse_args(["migrate", *argv])


def test_a_targets_options_are_those_of_the_file() -> None:
    args = parsed("reembed", "docs")
    assert (args.table, args.model, args.dimension) == ("app.documents", "BAAI/bge-base-en-v1.5", 768)
    assert (args.online, args.drop_hnsw_first, args.max_lag_bytes) == (True, False, 3 << 20)
    assert args.named == "docs"


def test_the_command_line_goes_first() -> None:
    args = parsed("reembed", "docs", "--dimension", "384", "--drop-hnsw-first", "--table", "other")
    assert (args.table, args.dimension, args.drop_hnsw_first) == ("other", 384, True)


def test_an_option_that_may_be_repeated_is_replaced_and_not_added_to(folder: Path) -> None:
    assert parsed("status", "docs").id_column == ["doc_id"]
    assert parsed("status", "docs", "--id-col", "a", "--id-column=b").id_column == ["a", "b"]
    text = (folder / "vestige.toml").read_text().replace('id_column = "doc_id"', 'id_column = ["tenant", "doc_id"]')
    (folder / "vestige.toml").write_text(text)
    assert parsed("status", "docs").id_column == ["tenant", "doc_id"]


def test_a_verb_takes_the_keys_that_it_has() -> None:
    args = parsed("status", "docs")
    assert args.table == "app.documents"
    assert not hasattr(args, "model")


@pytest.mark.parametrize(
    "verb", ["reembed", "stage", "apply", "probe", "gate", "sql", "status", "abort", "rollback", "finalize", "register"]
)
def test_every_verb_with_a_table_takes_a_target(verb: str) -> None:
    assert parsed(verb, "docs").table == "app.documents"


def test_before_a_question_only_a_known_name_is_a_target() -> None:
    args = parsed("preview", "docs", "which day is it")
    assert (args.table, args.question) == ("app.documents", "which day is it")
    args = parsed("preview", "which day is it")
    assert args.question == "which day is it"
    assert parsed("preview", "dogs").question == "dogs"


@pytest.mark.parametrize(
    ("name", "lines", "message", "hint"),
    [
        ("dosc", {}, "has no target dosc", "did you mean docs?"),
        ("docs", {"dimension": "dimensoin = 3"}, "unknown key dimensoin", "did you mean dimension?"),
        ("docs", {"dimension": "postgres_url = 'x'"}, "unknown key postgres_url", ""),
        ("docs", {"dimension": "dry_run = true"}, "unknown key dry_run", ""),
        ("docs", {"dimension": "max-lag = 3"}, "unknown key max-lag", "did you mean max_lag?"),
        ("docs", {"dimension": "dimension = 'many'"}, "a value that --dimension does not take: 'many'", "nothing was"),
        ("docs", {"dimension": "dimension = [3]"}, "is not a string or a number", ""),
        ("docs", {"dimension": "dimension = true"}, "is not a string or a number", ""),
        ("docs", {"online": "online = 'yes'"}, "is not true or false", "without quotes"),
        ("docs", {"online": "apply = 'in-place'"}, "does not take: 'in-place'", "it takes auto, rewrite"),
        ("docs", {"model": "model = '${NO_SUCH_VARIABLE}'"}, "NO_SUCH_VARIABLE is not set", "set the environment"),
        ("docs", {"[targets.docs]": "[target.docs]"}, "unknown key target", "did you mean targets?"),
        ("docs", {"[targets.docs]": "[[targets]]"}, "targets is not a table of tables", "[targets.NAME]"),
        ("docs", {"[targets.docs]": "[targets]"}, "targets is not a table of tables", "[targets.NAME]"),
    ],
)
def test_what_the_file_has_wrong_is_named(
    folder: Path, name: str, lines: dict[str, str], message: str, hint: str
) -> None:
    text = (folder / "vestige.toml").read_text()
    for key, line in lines.items():
        text = "\n".join(line if old == key or old.startswith(f"{key} ") else old for old in text.splitlines())
    (folder / "vestige.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        parsed("reembed", name)
    assert message in str(caught.value)
    assert hint in caught.value.hint
    assert "nothing was written" in caught.value.hint


def test_without_a_file_the_table_is_said_how_to_name(folder: Path) -> None:
    (folder / "vestige.toml").unlink()
    with pytest.raises(UsageError, match="there is no target docs") as caught:
        parsed("status", "docs")
    assert "--table docs" in caught.value.hint


def test_an_error_of_the_file_is_an_answer_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["migrate", "status", "dosc", "--json"]) == 2
    said = capsys.readouterr()
    assert '"kind": "UsageError"' in said.out
    assert "did you mean docs?" in said.err


@pytest.mark.parametrize(
    ("argv", "meant"),
    [
        (["reembed"], "did you mean vestige-sql migrate reembed?"),
        (["serach"], "did you mean vestige-sql search?"),
        (["migrate", "reembd"], "did you mean vestige-sql migrate reembed?"),
        (["migrate", "search"], "did you mean vestige-sql search?"),
        (["migrate", "status", "--tabel", "t"], "did you mean --table?"),
        (["migrate", "reembed", "docs", "--dimensions", "5"], "did you mean --dimension?"),
    ],
    ids=" ".join,
)
def test_a_near_miss_is_told_what_was_meant(argv: list[str], meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(argv)
    assert meant in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_a_shell_completes_verbs_and_options(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("shtab")
    with pytest.raises(SystemExit) as left:
        main(["--print-completion", shell])
    assert left.value.code == 0
    script = capsys.readouterr().out
    for word in ("reembed", "finalize", "--embedding-column", "--concurrent-index"):
        assert word.replace("--", "") in script


# --- Commands that can be pasted ---


@pytest.mark.parametrize(
    ("argv", "text", "complete"),
    [
        (["status"], "run vestige-sql migrate abort, then", "run vestige-sql migrate abort, then"),
        (["status", "docs"], "run vestige-sql migrate abort, then", "run vestige-sql migrate abort docs, then"),
        (["status", "--table", "docs"], "vestige-sql migrate apply", "vestige-sql migrate apply --table docs"),
        (
            ["status", "--table", 'app."My Docs"', "--content-column", "it's"],
            "vestige-sql migrate apply (or not)",
            "vestige-sql migrate apply "
            + shlex.join(["--table", 'app."My Docs"', "--content-column", "it's"])
            + " (or not)",
        ),
        (
            ["status", "--table", "docs"],
            "vestige-sql migrate apply --table docs --online",
            "vestige-sql migrate apply --table docs --online",
        ),
        (
            ["status", "--embedded", "my data"],
            "vestige-sql migrate apply; vestige-sql migrate abort",
            "vestige-sql migrate apply --embedded 'my data'; vestige-sql migrate abort --embedded 'my data'",
        ),
        (
            ["status", "--postgres-url", "postgresql://u@h/d"],
            "vestige-sql migrate gate",
            "vestige-sql migrate gate --postgres-url postgresql://u@h/d",
        ),
        (
            ["status", "--postgres-url", "postgresql://u:secret@h/d"],
            "vestige-sql migrate gate",
            'vestige-sql migrate gate --postgres-url "$DATABASE_URL"',
        ),
        (
            ["status", "--postgres-url", "host=h password=secret"],
            "vestige-sql migrate gate",
            'vestige-sql migrate gate --postgres-url "$DATABASE_URL"',
        ),
    ],
)
def test_a_command_in_a_message_is_complete(argv: list[str], text: str, complete: str) -> None:
    completed = commands.completer(parsed(*argv))
    assert completed(text) == complete
    assert completed(completed(text)) == complete
    nested: Any = {"next": [text], "count": 3}
    assert completed(nested) == {"next": [complete], "count": 3}
