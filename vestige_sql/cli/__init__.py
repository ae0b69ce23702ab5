"""The command line: arguments in, exit code out. Each verb is a module of ``vestige_sql.cli.verbs``.

Whatever takes time to import, such as psycopg and numpy, is imported by the verb that needs it: help and wrong usage
do not wait for it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from vestige_sql.checks import wrong_characters
from vestige_sql.cli.output import log_to_stderr
from vestige_sql.cli.parser import make_parser
from vestige_sql.errors import VestigeError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line ``argv`` and return its exit code: 0 done or nothing to do, 1 failed, 2 wrong usage."""
    parser = make_parser()
    argv = sys.argv[1:] if argv is None else argv
    for place, argument in enumerate(argv, 1):
        if (wrong := wrong_characters(argument)) is not None:
            parser.error(f"argument {place} contains {wrong}: arguments are UTF-8")
    args = parser.parse_args(argv)
    log_to_stderr(quiet=args.json)
    try:
        return int(args.run(args) or 0)
    except VestigeError as error:
        print(f"vestige-sql: {error}", file=sys.stderr)
        if error.hint:
            print(f"  {error.hint}", file=sys.stderr)
        if args.json:
            print(json.dumps({"error": str(error), "hint": error.hint, "kind": type(error).__name__}))
        return error.exit_code
    except KeyboardInterrupt:
        print(
            "vestige-sql: interrupted. The table still holds the vectors of the registered model. What is staged "
            "stays: the same command goes on from there.",
            file=sys.stderr,
        )
        return 1
