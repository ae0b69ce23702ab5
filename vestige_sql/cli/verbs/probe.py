"""``vestige-sql migrate probe``."""

from __future__ import annotations

import argparse
from typing import Any

from vestige_sql.cli import options, output
from vestige_sql.terminal import MOST_NAMED

NAME = "probe"
HELP = "show the table and what depends on its column; changes nothing"


def add_options(parser: argparse.ArgumentParser) -> None:
    options.target(parser)
    parser.add_argument("--dimension", type=int, metavar="N", help="the planned dimension (default: the column's)")


def run(args: argparse.Namespace) -> None:
    from vestige_sql.look.target import probe_target

    found = probe_target(options.conninfo_of(args), target=options.target_of(args), dimension=args.dimension)
    if args.json:
        output.answer(args, found | {"model": output.signature(found["model"])})
        return
    _print_target(found)
    _print_what_hangs_on_it(found)


def _print_target(found: dict[str, Any]) -> None:
    server, table, rows = found["server"], found["table"], found["rows"]
    output.say(f"server      PostgreSQL {server['server_version']}, pgvector {server['pgvector_version']}")
    output.say_faults(found["pgvector_faults"])
    output.say(f"role        {server['role']}")
    output.say(f"target      {found['target']}, {table['embedding_full_type']}, owned by {table['owner']}")
    output.say(f"key         {table['id_type_name']}; text: {table['content_type']}")
    output.say(
        f"rows        {rows['rows_total']:,}, {rows['rows_with_text']:,} with text, "
        f"{rows['rows_missing']:,} of those without a vector"
    )
    output.say(f"size        table {table['table_bytes']:,} bytes, indexes {table['index_bytes']:,} bytes")
    output.say(f"model       {found['model'] or 'none registered'}")


def _print_what_hangs_on_it(found: dict[str, Any]) -> None:
    indexes = found["indexes"]
    for index in indexes[: None if len(indexes) <= MOST_NAMED else 1]:
        output.say(f"index       {index['definition']}{'' if index['valid'] else ' (INVALID)'}")
    if len(indexes) > MOST_NAMED:
        invalid = sum(not index["valid"] for index in indexes)
        output.say(f"            and {len(indexes) - 1:,} more, {invalid:,} INVALID: --json has all of them")
    for way in ("rewrite_and_widen", "swap"):
        for blocker in found[f"in_the_way_of_{way}"]:
            output.say(f"blocks      {way.replace('_', ' ')}: {blocker}")
    if firing := ", ".join(trigger["name"] for trigger in found["fired_online"]):
        output.say(
            f"triggers    --online would fire {firing}: GRANT SET ON PARAMETER session_replication_role TO "
            f"{found['server']['role']},"
        )
        output.say("            or --fire-triggers; those enabled as ALWAYS or REPLICA fire in any case")
    for session in found["sessions"]:
        if session["pid"] is None:
            output.say(f"prepared    {session['query']!r} ({session['role']}): {session['modes']}")
            continue
        output.say(f"session     pid {session['pid']} ({session['role']}, {session['state']}): {session['modes']}")
