"""The head of a printed script: which statements touch the table, in order, each with its lock and its undo."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from vestige_sql.look.outline import lock_on_target, touches_target, undo
from vestige_sql.plan import Target
from vestige_sql.reembed.run import Run
from vestige_sql.steps.files import Step, Value
from vestige_sql.steps.psql import condensed

_OF_A_TARGET = re.compile(r"vestige-sql migrate (?:abort|rollback|finalize|reembed)\b")


def head(
    run: Run, transaction: list[Step], after: list[Step], known: dict[str, list[str]], target: Target, *, plain: bool
) -> Iterator[str]:
    """Return the lines, which are comments.

    ``transaction`` are the steps up to COMMIT, ``after`` those that follow it, and ``known`` the statements of those
    that write their own.
    """
    rows = [_row(*found) for found in _touching(run, transaction, known)]
    begun = len(rows)
    rows += [_row(*found) for found in _touching(run, after, known)]
    widths = [max(len(row[column]) for row in [_TITLES, *rows]) for column in range(2)]
    yield f"-- What touches {one_line(run.values['name'])}, in order, as when this was printed:"
    yield f"--     {_TITLES[0]:<{widths[0]}}  {_TITLES[1]:<{widths[1]}}  {_TITLES[2]}"
    for number, row in enumerate(rows, 1):
        if number == begun + 1:
            yield "--     COMMIT"
        yield f"-- {number:>2}  {row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]}"
    if begun == len(rows):
        yield "--     the tool's COMMIT" if plain else "--     COMMIT"
    # The commands are to be pasted.
    options = target.as_options()
    for text in undo(run):
        yield f"-- {one_line(_OF_A_TARGET.sub(lambda found: f'{found[0]} {options}'.rstrip(), text))}"


_TITLES = ("lock", "undo", "statement")


def _touching(run: Run, steps: list[Step], known: dict[str, list[str]]) -> Iterator[tuple[Step, str]]:
    values: dict[str, Value] = run.values
    for step in steps:
        if touches_target(step):
            # No text of PostgreSQL's has this character.
            own = known[step.name] if step.is_gexec else condensed(step.render(values, run.conn), "\0").split("\0")
            yield from ((step, statement) for statement in own)


def _row(step: Step, statement: str) -> tuple[str, str, str]:
    return lock_on_target(step), step.header["Undo"].partition(",")[0], one_line(statement.rstrip(";")) + ";"


def one_line(text: object) -> str:
    """Put ``text`` on one line: a comment ends with its line, whatever a name in it contains."""
    return textwrap.shorten(" ".join(str(text).split()), 400, placeholder=" ...")
