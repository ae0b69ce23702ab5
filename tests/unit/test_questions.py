"""Questions with known answers are read as they were meant, or refused with their place; so are rules."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from vestige_sql.errors import UsageError
from vestige_sql.judge.questions import Question, read_questions
from vestige_sql.judge.rules import DEFAULT, Rule, read_rule, with_default

LATE = Question("late trains", {"17": 1.0, "23": 1.0}, "en")
GRADED = Question("tickets", {"a b": 3.0, "c": 0.0})

TOPICS = "1\tlate trains\n2\ttickets\n\n3\tnobody judged\n4\tno answer\n"
QRELS = "1 0 17 1\n1 0 23 2\n2 Q0 c -1\n2 0 d 1\n4 0 d 0\n"
TREC = [Question("late trains", {"17": 1.0, "23": 2.0}), Question("tickets", {"c": 0.0, "d": 1.0})]


def written(folder: Path, *texts: str | bytes) -> list[Path]:
    files = [folder / f"{nr}.txt" for nr in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return files


@pytest.mark.parametrize(
    "text",
    [
        '{"question": "late trains", "relevant": ["17", 23], "slice": "en"}\n\n'
        '{"question": " tickets ", "relevant": {"a b": 3, "c": 0}}\n',
        '\ufeff{"question": "late trains", "relevant": {"17": 1, "23": 1.0}, "slice": "en"}\r\n'
        '{"question": "tickets", "relevant": "{\\"a b\\": 3, \\"c\\": 0}", "slice": null}',
        '[{"question": "late trains", "relevant": "17 23", "slice": "en"},\n'
        ' {"question": "tickets", "relevant": {"a b": 3, "c": 0}, "slice": ""}]',
        'question,relevant,slice\nlate trains,17 23,en\ntickets,"{""a b"": 3, ""c"": 0}",\n',
        'slice;question;relevant\nen;late trains;"[17, ""23""]"\n;tickets;"{""a b"": 3, ""c"": 0}"\n',
        'question\trelevant\tslice\nlate trains\t17 23\ten\ntickets\t"{""a b"": 3, ""c"": 0}"\t\n',
    ],
)
def test_json_lines_and_csv(tmp_path: Path, text: str) -> None:
    assert read_questions(written(tmp_path, text)) == [LATE, GRADED]


def test_a_question_may_have_lines(tmp_path: Path) -> None:
    text = 'question,relevant\n"late\ntrains",17\n'
    assert read_questions(written(tmp_path, text)) == [Question("late\ntrains", {"17": 1.0})]


def test_trec_in_any_order(tmp_path: Path) -> None:
    top = (
        "<top>\n<num> Number: 1\n<title> Topic: late\n trains\n\n<desc> Description:\nmore\n</top>\n"
        "<top><num>2</num><title>tickets</title></top>"
    )
    files = written(tmp_path, TOPICS, QRELS, top)
    for both in (files[:2], files[1::-1], [files[2], files[1]]):
        assert read_questions(both) == TREC


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has no question"),
        ("[]", "has no question"),
        ("question,relevant\n", "has no question"),
        ('{"question": "a", "relevant": [1]}\n{"question": "b"', "line 2 .* it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ('[["a", [1]]]', "entry 1 .* it is no object"),
        ('{"question": "", "relevant": [1]}', "its question is empty"),
        ('{"question": 5, "relevant": [1]}', "its question is empty or no text"),
        ('{"question": "a"}', "its relevant is neither a list"),
        ('{"question": "a", "relevant": 5}', "its relevant is neither a list"),
        ('{"question": "a", "relevant": [null]}', "its relevant is neither a list"),
        ('{"question": "a", "relevant": [true]}', "its relevant is neither a list"),
        ('{"question": "a", "relevant": []}', "it has no answer"),
        ('{"question": "a", "relevant": {"1": 0}}', "it has no answer"),
        ('{"question": "a", "relevant": {"1": -1}}', "the grade of 1 is no number from 0 on"),
        ('{"question": "a", "relevant": {"1": "2"}}', "the grade of 1 is no number"),
        ('{"question": "a", "relevant": {"1": NaN}}', "the grade of 1 is no number"),
        ('{"question": "a", "relevant": {"1": Infinity}}', "the grade of 1 is no number"),
        ('{"question": "a", "relevant": {"1": true}}', "the grade of 1 is no number"),
        ('{"question": "a", "relevant": "[1"}', "begins as JSON and is none"),
        ('{"question": "a", "relevant": [1], "weight": 3}', "it has weight besides"),
        ('{"question": "a\\u0000", "relevant": [1]}', "it contains a NUL character"),
        ('{"question": "a", "relevant": ["\\ud800"]}', "it contains a lone surrogate"),
        ("words that are nothing", "a CSV file begins with the names"),
        ("question,answers\na,1\n", "a CSV file begins with the names"),
        ('question,relevant\na,1\nb,"2', "is no CSV"),
        ('question,relevant\na,1\n"b"c,2', "is no CSV"),
        ("question,relevant\na,\n", "line 2 .* it has no answer"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_what_is_no_question_is_refused_with_its_place(tmp_path: Path, text: str | bytes, why: str) -> None:
    with pytest.raises(UsageError, match=why) as refused:
        read_questions(written(tmp_path, text))
    assert str(tmp_path) in str(refused.value)
    assert "nothing was written" in refused.value.hint


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        ([TOPICS, TOPICS], "one has to be TREC qrels"),
        ([QRELS, QRELS], "one has to be TREC qrels"),
        ([TOPICS, "1 0 17 high\n"], "one has to be TREC qrels"),
        (["1 late trains\n", QRELS], "a topic is its number, a tab, and the question"),
        (["<top><num>1</num></top>", QRELS], "it has no <num> or no <title>"),
        (["7\tnobody judged this\n", QRELS], "has no question"),
        ([TOPICS, QRELS, QRELS], "not in 3 files"),
    ],
)
def test_trec_that_is_not_whole(tmp_path: Path, texts: list[str], why: str) -> None:
    with pytest.raises(UsageError, match=re.escape(why)):
        read_questions(written(tmp_path, *texts))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_questions([tmp_path / "none"])


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("0.02", Rule("max_drop", 0.02)),
        ("0", Rule("max_drop", 0.0)),
        ("recall@10=.01", Rule("max_drop", 0.01, "recall@10")),
        ("MRR/de=1", Rule("max_drop", 1, "mrr", "de")),
        ("ndcg@10/*=0.05", Rule("max_drop", 0.05, "ndcg@10", "*")),
        ("ndcg@10/a=b/c=0.05", Rule("max_drop", 0.05, "ndcg@10", "a=b/c")),
    ],
)
def test_rules(text: str, rule: Rule) -> None:
    assert read_rule("max_drop", text) == rule
    assert json.loads(json.dumps(rule.as_json()))["value"] == rule.value


@pytest.mark.parametrize(
    "text", ["", "x", "nan", "-0.1", "2", "rbo=0.1", "overlap@10=0.1", "ndcg@10/=0.1", "=", "mrr="]
)
def test_what_is_no_rule(text: str) -> None:
    with pytest.raises(UsageError, match="is no rule for a measure"):
        read_rule("min_gain", text)


def test_the_default_rule_holds_unless_another_drop_is_allowed() -> None:
    gain, drop = Rule("min_gain", 0.1), Rule("max_drop", 0.1, "mrr")
    wanted: list[tuple[list[Rule], Any]] = [([], [DEFAULT]), ([gain], [DEFAULT, gain]), ([gain, drop], [gain, drop])]
    for given, all_rules in wanted:
        assert with_default(given) == all_rules
