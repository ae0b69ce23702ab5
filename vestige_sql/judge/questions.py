"""Read questions with known answers: JSON lines, CSV, or TREC topics with qrels."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vestige_sql.checks import wrong_characters
from vestige_sql.errors import UsageError

_HINT = (
    'a line is JSON such as {"question": "..", "relevant": ["KEY", ..]} or {"question": "..", '
    '"relevant": {"KEY": GRADE}, "slice": ".."}; docs/judge.md has CSV and TREC; nothing was written'
)


@dataclass(frozen=True)
class Question:
    """A question, the grade of each row that answers it, by its key as text, and the slice that it is of, or None."""

    text: str
    relevant: dict[str, float]
    slice: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return what ``sql/judge/20_add.sql`` reads."""
        return {"question": self.text, "relevant": self.relevant, "slice": self.slice}


def read_questions(files: Sequence[Path]) -> list[Question]:
    """Return the questions in ``files``: one of JSON lines or CSV, or TREC topics and qrels, in any order.

    Raises :class:`UsageError` with the file and the line for what is no question with an answer.
    """
    texts = [_read(file) for file in files]
    if len(files) == 2:
        found = list(_trec(files, texts))
    elif len(files) == 1:
        read = _json_lines if texts[0].lstrip().startswith(("{", "[")) else _csv
        found = list(read(files[0], texts[0])) if texts[0].strip() else []
    else:
        raise UsageError(
            f"questions are in one file, or in TREC topics and qrels, not in {len(files)} files",
            "put them into one file; nothing was written",
        )
    if not found:
        raise UsageError(f"{files[0]} has no question", _HINT)
    return found


def question_of(where: str, entry: object) -> Question:
    """Return the question that ``entry``, an object with question, relevant and perhaps slice, is.

    ``where`` names its place for :class:`UsageError`.
    """
    if not isinstance(entry, dict):
        raise _no_question(where, "it is no object with question and relevant")
    text, relevant, part = entry.get("question"), entry.get("relevant"), entry.get("slice")
    if unknown := sorted(str(name) for name in entry.keys() - {"question", "relevant", "slice"}):
        raise _no_question(where, f"it has {', '.join(unknown)} besides question, relevant and slice")
    if not isinstance(text, str) or not text.strip():
        raise _no_question(where, "its question is empty or no text")
    if isinstance(relevant, str):
        relevant = _keys_in(where, relevant)
    if isinstance(relevant, list):
        relevant = dict.fromkeys(map(_key, relevant), 1)
    if not isinstance(relevant, dict) or None in relevant:
        raise _no_question(where, "its relevant is neither a list of keys nor an object of keys and grades")
    grades = {str(key): grade for key, grade in relevant.items()}
    for key, grade in grades.items():
        if isinstance(grade, bool) or not isinstance(grade, int | float) or not 0 <= grade < math.inf:
            raise _no_question(where, f"the grade of {key} is no number from 0 on")
    if not any(grades.values()):
        raise _no_question(where, "it has no answer: no key with a grade above 0")
    part = None if part is None or part == "" else str(part)
    for said in (text, part or "", *grades):
        if (wrong := wrong_characters(said)) is not None:
            raise _no_question(where, f"it contains {wrong}")
    return Question(text.strip(), {key: float(grade) for key, grade in grades.items()}, part)


def _no_question(where: str, why: str) -> UsageError:
    return UsageError(f"{where} is no question with known answers: {why}", _HINT)


def _key(value: object) -> str | None:
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else None


def _keys_in(where: str, text: str) -> object:
    """Return the keys in a cell: JSON, or keys with blanks in between."""
    if text.strip().startswith(("[", "{")):
        try:
            return json.loads(text)
        except ValueError:
            raise _no_question(where, "its relevant begins as JSON and is none") from None
    return text.split()


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"the questions in {file} cannot be read: {error}",
            "name a file in UTF-8 that this user may read; nothing was written",
        ) from error


def _json_lines(file: Path, text: str) -> Iterator[Question]:
    if text.lstrip().startswith("["):
        yield from (question_of(f"{file}, entry {nr}", entry) for nr, entry in enumerate(_parsed(str(file), text), 1))
        return
    for nr, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield question_of(f"{file}, line {nr}", _parsed(f"{file}, line {nr}", line))


def _parsed(where: str, text: str) -> Any:
    try:
        return json.loads(text)
    # RecursionError: lists in lists.
    except (ValueError, RecursionError):
        raise _no_question(where, "it is no JSON") from None


def _csv(file: Path, text: str) -> Iterator[Question]:
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        if not {"question", "relevant"} <= set(rows.fieldnames or ()):
            raise _no_question(
                f"{file}, line 1", "a CSV file begins with the names of its columns, question,relevant,slice"
            )
        for row in rows:
            yield question_of(
                f"{file}, line {rows.line_num}", {name: row[name] for name in row if row[name] is not None}
            )
    except csv.Error as error:
        raise UsageError(f"{file} is no CSV: {error}", _HINT) from error


def _trec(files: Sequence[Path], texts: Sequence[str]) -> Iterator[Question]:
    are_qrels = [_are_qrels(text) for text in texts]
    if sorted(are_qrels) != [False, True]:
        raise UsageError(
            f"of {files[0]} and {files[1]}, one has to be TREC qrels and the other the topics",
            "a line of qrels is TOPIC 0 KEY GRADE; name both, or one file of JSON lines or CSV; nothing was written",
        )
    qrels_at = are_qrels.index(True)
    grades: dict[str, dict[str, float]] = {}
    for line in filter(str.strip, texts[qrels_at].splitlines()):
        topic, _, key, grade = line.split()
        # trec_eval takes a negative grade for not relevant.
        grades.setdefault(topic, {})[key] = max(0, int(grade))
    file = files[1 - qrels_at]
    for topic, text in _topics(file, texts[1 - qrels_at]):
        # A topic that nobody judged says nothing; nor does one without an answer.
        if any(grades.get(topic, {}).values()):
            yield question_of(f"{file}, topic {topic}", {"question": text, "relevant": grades[topic]})


def _are_qrels(text: str) -> bool:
    lines = [line.split() for line in text.splitlines() if line.strip()]
    return bool(lines) and all(len(line) == 4 and re.fullmatch(r"[+-]?\d+", line[3]) for line in lines)


def _topics(file: Path, text: str) -> Iterator[tuple[str, str]]:
    """The topics of TREC's own form (<top>, <num>, <title>), or a number, a tab and a text in each line."""
    if "<top>" in text:
        for topic in re.findall(r"<top>(.*?)</top>", text, re.DOTALL):
            number = re.search(r"<num>\s*(?:Number:)?\s*([^\s<]+)", topic)
            title = re.search(r"<title>\s*(?:Topic:)?\s*([^<]+)", topic)
            if not (number and title):
                raise _no_question(f"{file}, a topic", "it has no <num> or no <title>")
            yield number[1], " ".join(title[1].split())
        return
    for nr, line in enumerate(text.splitlines(), 1):
        if line.strip():
            topic, tab, question = line.partition("\t")
            if not tab:
                raise _no_question(f"{file}, line {nr}", "a topic is its number, a tab, and the question")
            yield topic.strip(), question
