"""One command on many targets: they share the model and the connections, and one that fails does not stop the others.

What writes looks at all targets first. So what will fail for any of them is said before the first text is encoded.
"""

from __future__ import annotations

import argparse
import copy
import logging
import shlex
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from vestige_sql.cli import models, options, output, shared
from vestige_sql.errors import TargetError, UsageError, VestigeError
from vestige_sql.plan import names_several
from vestige_sql.report import span
from vestige_sql.terminal import some_of

log = logging.getLogger("vestige_sql")

# They stop before their first write if that is all that they are asked for.
_LOOK_FIRST = frozenset({"reembed", "stage", "apply", "rollback", "finalize"})

# Their answer is what people want to read.
_SHOW = frozenset({"status", "doctor", "plan", "gate"})


def add_options(parser: argparse.ArgumentParser, *, together: bool) -> None:
    """Options for one command on many targets."""
    group = parser.add_argument_group("target")
    group.add_argument("--all", dest="every_target", action="store_true", help="every target of vestige.toml")
    group.add_argument(
        "--stop-on-error", action="store_true", help="with several targets: stop at the first that fails"
    )
    if together:
        group.add_argument(
            "--together", action="store_true", help="put all targets in place in one transaction, or none of them"
        )


def of(each: Sequence[argparse.Namespace], given: Sequence[str]) -> argparse.Namespace:
    """Return what one command has to do for ``each`` of its targets, or of its patterns; ``given`` are its options."""
    shared_ones = (
        "verb",
        "json",
        "quiet",
        "verbose",
        "postgres_url",
        "embedded",
        "stop_on_error",
        "no_confirm",
        "together",
    )
    found = {name: getattr(each[0], name) for name in shared_ones if hasattr(each[0], name)}
    return argparse.Namespace(run=run, each=list(each), given=list(given), **found)


@dataclass
class _One:
    """One target: its options, its table as SQL writes it, and what became of it."""

    args: argparse.Namespace
    place: str
    warning: str = ""
    error: VestigeError | None = None
    code: int | None = None
    secs: float = 0.0
    answer: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str | None:
        return getattr(self.args, "named", None)

    @property
    def label(self) -> str:
        return str(self.args.table) if self.of_pattern or self.name is None else self.name

    @property
    def of_pattern(self) -> bool:
        return getattr(self.args, "of_pattern", False)

    @property
    def is_left(self) -> bool:
        return self.error is not None or self.code is None

    @property
    def nothing_to_do(self) -> bool:
        said = (self.answer.get(key) for key in ("registered", "aborted", "finalized"))
        return bool(self.answer.get("nothing_to_do")) or any(value is False for value in said)

    @property
    def rows(self) -> int | None:
        found = (self.answer.get(key) for key in ("rows_updated", "rows_encoded", "rows_to_update", "vectors"))
        return next((rows for rows in found if rows), None)

    def as_json(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"name": self.name, "table": self.args.table, "seconds": round(self.secs, 3)}
        if self.error is not None:
            kind = type(self.error).__name__
            return entry | {"error": str(self.error), "hint": self.error.hint, "kind": kind}
        if self.code is None:
            return entry | {"error": "not begun", "hint": "", "kind": None}
        return entry | self.answer

    def became(self) -> str:
        """Say in some words what became of it."""
        if self.error is not None:
            return f"failed: {self.error}"
        if self.code is None:
            return "not begun"
        if self.nothing_to_do:
            return "nothing to do"
        found = self.answer
        if "findings" in found:
            return ", ".join(f"{count} {severity}" for severity, count in found["found"].items())
        return str(found.get("phase") or found.get("way") or "done")


def run(args: argparse.Namespace) -> int:
    """Do what the command asks for, for each of its targets. Return 1 if one failed, else the highest code."""
    with shared.sharing():
        ones = list(_expanded(args.each))
        _check(args, ones)
        if args.verb == "sql":
            _print_script(ones)
            return 0
        shows = args.verb in _SHOW or getattr(ones[0].args, "dry_run", False)
        try:
            if args.verb in _LOOK_FIRST and not shows:
                _look(args, ones)
            if getattr(args, "together", False) and not shows:
                _change_together(args, ones)
            elif not (args.stop_on_error and any(one.error for one in ones)):
                _go_through(args, ones, shows=shows)
        except KeyboardInterrupt:
            _say_left(args, ones)
            raise
        if not args.json:
            _say_summary(ones)
        failed = any(one.is_left for one in ones)
        if failed:
            _say_left(args, ones)
        output.answer(args, [one.as_json() for one in ones])
        return 1 if failed else max(one.code or 0 for one in ones)


def _expanded(each: Iterable[argparse.Namespace]) -> Iterable[_One]:
    """Return the targets, with the tables that a pattern names in its place."""
    from vestige_sql.look.candidates import matching_tables

    for args in each:
        tables = [args.table]
        if pattern := names_several(args.table):
            tables = matching_tables(options.conninfo_of(args), args.table)
        for table in tables:
            one = copy.copy(args)
            one.table, one.of_pattern, one.one_of_many = table, pattern, ""
            # One that is not there is an error of that target, and said as such.
            yield _One(one, table if pattern else next(iter(_looked_up(one)), table))


def _check_columns(ones: Sequence[_One], *, one_run_each: bool) -> None:
    """Raise :class:`UsageError` where two targets are the same vectors, or rows of a column that are staged at once."""
    for first, second in combinations(ones, 2):
        columns = {first.args.embedding_column, second.args.embedding_column}
        if first.place != second.place or (len(columns) == 2 and None not in columns):
            continue
        if getattr(first.args, "where", None) == getattr(second.args, "where", None):
            raise UsageError(
                f"{first.label} and {second.label} are the same vectors, those of {first.place}",
                "leave one of them out; nothing was written",
            )
        if one_run_each:
            raise UsageError(
                f"{first.label} and {second.label} are rows of one column of {first.place}, which has one run at "
                "a time",
                "re-embed one after the other: vestige-sql migrate reembed without --together; nothing was written",
            )


def _looked_up(args: argparse.Namespace) -> list[str]:
    """Return the table that the options name as SQL writes it, schema first; nothing where there is none."""
    from vestige_sql.look.candidates import matching_tables

    try:
        return matching_tables(options.conninfo_of(args), args.table)
    except TargetError:
        return []


def _check(args: argparse.Namespace, ones: Sequence[_One]) -> None:
    """Raise :class:`UsageError` for what cannot be said of several targets."""
    together = getattr(args, "together", False)
    _check_columns(ones, one_run_each=together or args.verb == "stage")
    if together:
        from vestige_sql.reembed.together import check_together

        check_together([options.plan_of(one.args) for one in ones])
    if any(getattr(one.args, "lock", None) for one in ones):
        raise UsageError(
            "--lock writes the file of one target, and this command has several",
            f"give it in a command for each: vestige-sql migrate {args.verb} NAME --lock FILE; nothing was written",
        )
    if any(getattr(one.args, "report", None) for one in ones):
        raise UsageError(
            "--report writes the page of one target, and this command has several",
            f"give it in a command for each: vestige-sql migrate {args.verb} NAME --report FILE.html; "
            "nothing was written",
        )


def _look(args: argparse.Namespace, ones: Sequence[_One]) -> None:
    """Look at all targets, say what will fail, and warn once of what the others are about to do."""
    for one in ones:
        _do(one, "looked at")
        if args.stop_on_error and one.error:
            return
    if getattr(args, "together", False) and any(one.error for one in ones):
        return
    if (ready := [one for one in ones if one.code is None and one.error is None]) and args.verb != "stage":
        output.banner(args)("\n".join(_warnings(ready)))


def _warnings(ones: Sequence[_One]) -> Iterable[str]:
    """Return the lines of all warnings: first what is to be done, then each line once, of whom it is said."""
    said: dict[str, list[str]] = {}
    for one in ones:
        first, *more = one.warning.splitlines()
        yield first
        for line in more:
            said.setdefault(line, []).append(one.label)
    for line, labels in said.items():
        yield line if len(labels) == len(ones) else f"{some_of(labels)}: {line}"


def _go_through(args: argparse.Namespace, ones: Sequence[_One], *, shows: bool) -> None:
    """Do what is to be done for each target that has not failed yet, and say how it went."""
    for number, one in enumerate(ones, 1):
        place = f"[{number}/{len(ones)}] {one.label}"
        if shows:
            log.info("%s:", place)
        if one.code is None and one.error is None:
            _do(one, "" if shows else "carried out")
        if not shows:
            rows = "" if one.rows is None else f"{one.rows:,} rows, "
            went = "nothing to do" if one.nothing_to_do else f"{rows}{span(one.secs)}"
            log.info("%s: %s", place, "failed" if one.error else went)
        if args.stop_on_error and one.error:
            return


def _print_script(ones: Sequence[_One]) -> None:
    """Print one script with one transaction."""
    from vestige_sql.look.script_together import script_together

    if any(one.args.plain for one in ones):
        raise UsageError(
            "--plain prints the script of one target, and this command has several",
            "print one for each: a migration tool puts the transaction around them; nothing was written",
        )
    parts = [(options.target_of(one.args), options.plan_of(one.args)) for one in ones]
    output.document(script_together(options.conninfo_of(ones[0].args), parts, brief=ones[0].args.brief))


def _change_together(args: argparse.Namespace, ones: Sequence[_One]) -> None:
    """Stage all targets that are to be re-embedded, and put all in place in one transaction, or none."""
    from vestige_sql.reembed.together import Part, reembed_together

    if any(one.error for one in ones):
        log.warning("--together changes all targets or none, and one of them cannot be changed: nothing was written")
        return
    if not (going := [one for one in ones if one.code is None]):
        return
    parts = []
    for one in going:
        target, plan = options.target_of(one.args), options.plan_of(one.args)
        encodes = args.verb == "reembed"
        embedder, engine = (models.load(one.args), models.engine(one.args)) if encodes else (None, None)
        parts.append(Part(target, plan, embedder, engine))
    args.one_of_many = "carried out"
    with output.speaking(args):
        try:
            found = reembed_together(options.conninfo_of(args), parts, progress=output.progress(args))
        except VestigeError as error:
            output.complain(str(error), error.hint)
            for one in going:
                one.error = error
            return
    for one, report in zip(going, found, strict=True):
        one.code, one.answer = 0, report.as_json()
        one.secs += report.duration_secs + report.index_rebuild_secs


def _do(one: _One, how: str) -> None:
    """Carry out the command for one target, or with ``how`` "looked at" as far as its first write."""
    one.args.one_of_many = how
    spent = shared.spent()
    started = time.monotonic()
    with output.speaking(one.args):
        try:
            with output.collecting() as answers:
                code = one.args.run(one.args)
            one.code = int(code or 0)
            one.answer = shared.less(answers[-1] if answers else {}, spent)
        except output.Looked as looked:
            one.warning = str(looked)
        except VestigeError as error:
            one.error = error
            output.complain(f"{one.label}: {error}", error.hint)
    one.secs += time.monotonic() - started


def _say_summary(ones: Sequence[_One]) -> None:
    """Say in a table what became of each target."""
    rows = [("target", "rows", "time", "")]
    rows += [
        (one.label, "" if one.rows is None else f"{one.rows:,}", span(one.secs), output.shortened(one.became(), 80))
        for one in ones
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for label, count, secs, became in rows:
        log.info("%s", f"{label:<{widths[0]}}  {count:>{widths[1]}}  {secs:>{widths[2]}}  {became}".rstrip())
    left = sum(one.is_left for one in ones)
    log.info("%d of %d targets done in %s", len(ones) - left, len(ones), span(sum(one.secs for one in ones)))


def _say_left(args: argparse.Namespace, ones: Sequence[_One]) -> None:
    left = [one for one in ones if one.is_left]
    if left and not args.json:
        output.complain(
            f"{len(left)} of {len(ones)} targets are left: {some_of([one.label for one in left])}",
            "for those that are left, type: " + "\n  ".join(_commands(args, ones)),
        )


def _commands(args: argparse.Namespace, ones: Sequence[_One]) -> Iterable[str]:
    """Return the commands that do what is left, complete with the options that were given."""
    given = _kept(args.given)
    whole, parts = [], []
    for name in dict.fromkeys(one.name for one in ones):
        of_name = [one for one in ones if one.name == name]
        left = [one.args.table for one in of_name if one.is_left]
        if name is not None and len(left) == len(of_name):
            whole.append(name)
        elif left:
            parts.append([*([name] if name else []), *given, shlex.join(("--table", ", ".join(left)))])
    for words in [[*map(shlex.quote, whole), *given]] * bool(whole) + parts:
        yield " ".join(("vestige-sql migrate", args.verb, *words))


def _kept(given: Sequence[str]) -> list[str]:
    """Return the options that were given, quoted for a shell, without a password and without what names targets."""
    words, rest = [], iter(given)
    for word in rest:
        option, is_whole, value = word.partition("=")
        if option == "--all":
            continue
        if len(option) > 3 and ("--table".startswith(option) or "--postgres-url".startswith(option)):
            value = value if is_whole else next(rest, "")
            if "--postgres-url".startswith(option):
                words += [option, '"$DATABASE_URL"' if options.has_password(value) else shlex.quote(value)]
        else:
            words.append(shlex.quote(word))
    return words
