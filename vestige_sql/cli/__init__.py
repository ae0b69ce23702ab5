"""The command line: arguments in, exit code out. Each verb is a module of ``vestige_sql.cli.verbs``.

Whatever takes time to import, such as psycopg and numpy, is imported by the verb that needs it: help and wrong usage
do not wait for it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from vestige_sql.checks import wrong_characters
from vestige_sql.cli import output, reports
from vestige_sql.cli.parser import make_parser
from vestige_sql.errors import ReportNotWritten, VestigeError
from vestige_sql.terminal import Streams, standard_streams


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` and return its exit code: 0 done or nothing to do, 1 failed, 2 wrong usage.

    The answer has to arrive: it is 1 if stdout could not take it, such as on a full disk. A reader that has read enough
    is no failure, nor is a stream that is closed.
    """
    with standard_streams() as streams:
        try:
            code = _run(sys.argv[1:] if argv is None else argv)
        except SystemExit as left:
            raise SystemExit(_delivered(streams, left.code)) from None
        return int(_delivered(streams, code) or 0)


def _run(argv: Sequence[str]) -> int:
    parser = make_parser()
    for place, argument in enumerate(argv, 1):
        if (wrong := wrong_characters(argument)) is not None:
            parser.error(f"argument {place} contains {wrong}: arguments are UTF-8")
    try:
        args = parser.parse_args(argv)
    except VestigeError as error:
        return _failed(error, argparse.Namespace(json="--json" in argv))
    with output.speaking(args):
        try:
            reports.check(args)
            return int(args.run(args) or 0)
        except ReportNotWritten as error:
            # The answer is printed: with --json there is no other.
            output.complain(str(error), error.hint)
            return error.exit_code
        except VestigeError as error:
            return _failed(error, args)
        except KeyboardInterrupt:
            output.complain(
                "interrupted. The table still holds the vectors of the registered model. What is staged "
                "stays: the same command goes on from there."
            )
            return 1


def _failed(error: VestigeError, args: argparse.Namespace) -> int:
    output.complain(str(error), error.hint)
    output.answer(args, {"error": str(error), "hint": error.hint, "kind": type(error).__name__})
    return error.exit_code


def _delivered(streams: Streams, code: str | int | None) -> str | int | None:
    """Return the exit code ``code``, or 1 if all went well and the answer was lost."""
    streams.out.flush()
    if streams.unwritten is None:
        return code
    output.complain(
        f"the answer could not be written to stdout: {streams.unwritten.strerror}",
        "what was asked for was done: vestige-sql migrate status shows it" if not code else "",
    )
    return code or 1
