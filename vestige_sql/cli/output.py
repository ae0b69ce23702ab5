"""What the verbs say: answers on stdout, the log and the warning on stderr."""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vestige_sql.cli import reports
from vestige_sql.encode.embedder import ModelSignature
from vestige_sql.encode.told import told
from vestige_sql.report import ReembedReport, span
from vestige_sql.terminal import MOST_NAMED, visible, visible_line

if TYPE_CHECKING:
    from vestige_sql.reembed.progress import Progress
    from vestige_sql.reembed.verbs import Notice

log = logging.getLogger("vestige_sql")

BANNER_SECS = 5
"""How long the warning before the first write waits for Ctrl-C."""

# What is said of one target of many while it takes long: a chunk is committed, or somebody is waited for.
_GOES_ON = ("reembed: wrote batch", "reembed: the table is locked", "reembed: a replica is")


_complete: Callable[[Any], Any] = lambda what: what  # noqa: E731  (the one of the command under way)


@contextmanager
def speaking(args: argparse.Namespace) -> Iterator[None]:
    """Send the package's log to stderr while a ``with`` block runs: all of it, or errors alone with ``--json``.

    Whatever is said names commands that can be pasted: they are for the target and the database of ``args``.
    """
    global _complete  # noqa: PLW0603
    from vestige_sql.cli.commands import completer

    former = _complete
    _complete = completer(args)
    try:
        with log_to_stderr(quiet=args.json, level=_level(args), chunks_only=getattr(args, "one_of_many", False)):
            yield
    finally:
        _complete = former


@contextmanager
def log_to_stderr(*, quiet: bool, level: int = logging.INFO, chunks_only: bool = False) -> Iterator[None]:
    """Send the package's log to stderr while a ``with`` block runs: from ``level`` on, errors alone where ``quiet``.

    With ``chunks_only`` what is no warning is left out, but for what says that a long run goes on.
    """
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if sys.stderr.isatty():
        from vestige_sql.reembed.progress import LiveHandler

        handler = LiveHandler(sys.stderr)
    handler.setFormatter(_Visible("%(message)s"))
    if chunks_only and level == logging.INFO:
        handler.addFilter(lambda record: record.levelno > logging.INFO or record.msg.startswith(_GOES_ON))
    former = log.handlers, log.propagate, log.level
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.ERROR if quiet else level)
    try:
        yield
    finally:
        # The next command of this process has a stderr of its own.
        log.handlers, log.propagate = former[:2]
        log.setLevel(former[2])


def _level(args: argparse.Namespace) -> int:
    return logging.DEBUG if args.verbose else logging.WARNING if args.quiet else logging.INFO


class _Visible(logging.Formatter):
    """Shows control characters, and indents the further lines of a record: none can pass for another record."""

    def format(self, record: logging.LogRecord) -> str:
        return visible(_complete(super().format(record))).replace("\n", "\n  ")


def say(text: str = "", *, complete: bool = True) -> None:
    """Print one line of an answer for people. Newlines in it are shown as escapes: they came with somebody's name."""
    print(visible_line(_complete(text) if complete else text))


def say_faults(faults: Iterable[Mapping[str, Any]]) -> None:
    """Print the known faults of the installed pgvector for people."""
    for fault in faults:
        say(f"fault       pgvector {fault['installed']}, fixed in {fault['fixed_in']}: {fault['what']}")
        say(f"            {fault['hint']}")


def document(text: str) -> None:
    """Print a script: in UTF-8 whatever the terminal's encoding is, and as it is, unless people look at it."""
    write: Callable[[str], Any] = getattr(sys.stdout, "write_utf8", sys.stdout.write)
    write(text)


def complain(message: str, hint: str = "") -> None:
    """Print what went wrong, and what to do next, to stderr."""
    print("vestige-sql: " + visible(_complete(message)).replace("\n", "\n  "), file=sys.stderr)
    if hint:
        print(f"  {_complete(hint)}", file=sys.stderr)


_collected: list[Any] | None = None


@contextmanager
def collecting() -> Iterator[list[Any]]:
    """Keep the answers in a list while the block runs, instead of printing them."""
    global _collected  # noqa: PLW0603
    former, _collected = _collected, []
    try:
        yield _collected
    finally:
        _collected = former


def answer(args: argparse.Namespace, answer: Any, page: str | None = None) -> None:
    """Print ``answer`` as JSON, and write its report, each if that was asked for.

    ``page`` is the kind of its page, one of :data:`vestige_sql.html.page.KINDS`; None for an answer without one. Raises
    :class:`ReportNotWritten` once the answer is printed.
    """
    if _collected is not None:
        _collected.append(_complete(answer))
        return
    said = json.dumps(_complete(answer), default=str)
    if args.json:
        # JSON lets this one control character be.
        print(said.replace("\x7f", "\\u007f"))
    if page:
        # Of what was printed, so that the page says the same.
        reports.write(args, page, json.loads(said))


def signature(signature: ModelSignature | None) -> dict[str, Any] | None:
    """Return ``signature`` as an answer has it."""
    return None if signature is None else vars(signature)


def progress(args: argparse.Namespace) -> Progress:
    """Return what shows the progress of a run: a bar on a terminal, else log lines."""
    from vestige_sql.reembed.progress import Progress

    return Progress(live=sys.stderr.isatty() and not args.json and not args.quiet)


def only_looking(args: argparse.Namespace) -> Notice:
    """Return what stops one target of many before its first write while all are only looked at."""

    def look(text: str) -> None:
        if getattr(args, "one_of_many", "") == "looked at":
            raise Looked(text)

    return look


class Looked(Exception):
    """A target has been looked at up to its first write. The text is the warning before that."""


def banner(args: argparse.Namespace) -> Notice:
    """Return what shows the warning before the first write and waits, as far as the options let it.

    One target of many is stopped there while all are only looked at, and later the warning has been said for all.
    """

    if getattr(args, "one_of_many", False):
        return only_looking(args)

    def show(text: str) -> None:
        if not args.json:
            for line in text.splitlines():
                print(textwrap.fill(line, 100, subsequent_indent="  "), file=sys.stderr)
        if not args.no_confirm:
            if not args.json:
                print(f"Ctrl-C within {BANNER_SECS} seconds stops it; nothing is written until then.", file=sys.stderr)
            time.sleep(BANNER_SECS)

    return show


def print_report(args: argparse.Namespace, report: ReembedReport, page: str | None = None) -> None:
    """Say what a run did that put vectors in place, and answer with it, as :func:`answer` does."""
    print_workers("reembed", report)
    if not report.nothing_to_do:
        log.info(
            "reembed: %s rows updated in %.1f s, index built in %.1f s",
            f"{report.rows_updated:,}", report.duration_secs, report.index_rebuild_secs,
        )  # fmt: skip
        print_spent("reembed", report)
        if report.device:
            log.info("reembed: the model ran on %s", report.device)
        if report.computed:
            log.info("reembed: vectors were computed in %s", ", then in ".join(report.computed))
        if report.encoding:
            log.info("reembed: the model: %s", told(report.encoding))
        if report.rows_shortened:
            log.info("reembed: staged by %s", report.staged_by)
        log.info("reembed: applied by %s (%s)", report.way, report.way_reason)
        if report.lock_held_secs is not None:
            log.info(
                "reembed: the table was locked for %.0f ms; the former vectors are kept: go back to them with "
                "vestige-sql migrate rollback, or drop them with vestige-sql migrate finalize",
                1000 * report.lock_held_secs,
            )
        _say_recall(report.recall)
        for note in report.notes:
            log.info("reembed: %s", note)
        log.info("reembed: the registered model is %s", report.model)
    answer(args, report.as_json(), page)


def _say_recall(found: Sequence[Mapping[str, Any]]) -> None:
    if len(found) > MOST_NAMED:
        lowest = min(found, key=lambda index: index["recall"])
        log.info(
            "reembed: recall@10 of %s indexes is %.3f on average, and lowest for %s: %.3f (%d questions, %s)",
            f"{len(found):,}", sum(index["recall"] for index in found) / len(found), lowest["name"],
            lowest["recall"], lowest["sampled"], lowest["search_setting"],
        )  # fmt: skip
        return
    for index in found:
        log.info(
            "reembed: recall@10 of %s is %.3f (%d questions, %s)",
            index["name"], index["recall"], index["sampled"], index["search_setting"],
        )  # fmt: skip


def print_workers(verb: str, report: ReembedReport) -> None:
    for worker in report.workers:
        log.info(
            "%s: %s: %s rows in %d ranges, %.0f rows/s%s%s",
            verb, worker, f"{worker.rows:,}", worker.ranges, worker.rows_per_sec,
            f", lost {worker.lost} times" if worker.lost else "",
            f"; not employed any more: {worker.error}" if worker.error else "",
        )  # fmt: skip


def print_spent(verb: str, report: ReembedReport) -> None:
    """Say how much of the time was work, what most of it was spent on, and what the tokens cost."""
    if report.tokens_spent is not None:
        cost = "" if report.cost is None else f", which cost {report.cost:,.2f}"
        log.info("%s: %s tokens were sent%s", verb, f"{report.tokens_spent:,}", cost)
    whole, waited = sum(report.spent.values()), report.spent.get("waiting", 0.0)
    log.info("%s: %s in all: %s of work, %s of waiting", verb, span(whole), span(whole - waited), span(waited))
    most = sorted(report.spent.items(), key=lambda each: -each[1])
    shares = [
        f"{name} {span(secs)} ({100 * secs / whole:.0f}%)" for name, secs in most if secs >= max(whole / 1000, 0.05)
    ]
    if shares:
        log.info("%s: it went to %s", verb, ", ".join(shares))


def size(count: int) -> str:
    """Return ``count`` bytes in units for people."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"


def shortened(text: str, width: int) -> str:
    return textwrap.shorten(text, width, placeholder=" ...")


def wrapped(text: str, width: int, *, indent: int) -> list[str]:
    """Return ``text`` in lines of ``width`` characters, those after the first indented, its commands completed."""
    return textwrap.wrap(
        _complete(text), width, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )


def columns() -> int:
    """Return the terminal's width in characters, 100 where there is none."""
    return shutil.get_terminal_size((100, 24)).columns
