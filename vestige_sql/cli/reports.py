"""The answer as an HTML file: the options of the verbs that have one, and when it is checked and written."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vestige_sql.errors import UsageError

log = logging.getLogger("vestige_sql")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options for the answer as a page."""
    parser.add_argument(
        "--report",
        metavar="FILE.html",
        type=_file,
        help="write the answer as one HTML file too; needs the extra vestige-sql[report]",
    )
    parser.add_argument(
        "--with-texts", action="store_true", help="with --report: show texts of rows and questions in it"
    )


def check(args: argparse.Namespace) -> None:
    """Raise ``UsageError`` if a report is asked for that cannot be written. Nothing was done yet."""
    if getattr(args, "report", None):
        from vestige_sql.html.file import check

        check(args.report)
    elif getattr(args, "with_texts", False):
        raise UsageError("--with-texts requires --report", "add --report FILE.html; nothing was written")


def write(args: argparse.Namespace, page: str, answer: Mapping[str, Any]) -> None:
    """Write the ``page`` of ``answer``, which is as ``--json`` prints it, if a report was asked for."""
    if args.report:
        from vestige_sql.html.file import write

        write(args.report, page, answer, with_texts=args.with_texts)
        log.info("%s: the report is %s", page, args.report)


def _file(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("the file's name is empty")
    return Path(text)
