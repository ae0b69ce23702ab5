"""``vestige-sql migrate status``."""

from __future__ import annotations

import argparse
from typing import Any

from vestige_sql.cli import options, output
from vestige_sql.encode.told import told
from vestige_sql.terminal import MOST_NAMED, some_of

NAME = "status"
HELP = "show the registered model, the run under way and past runs"
MANY = True


def add_options(parser: argparse.ArgumentParser) -> None:
    options.target(parser)


def run(args: argparse.Namespace) -> None:
    from vestige_sql.look.status import status

    found = status(options.conninfo_of(args), target=options.target_of(args))
    output.answer(args, found | {"model": output.signature(found["model"])})
    if args.json:
        return
    _print_column(found)
    _print_under_way(found)
    for run in found["last_runs"]:
        _print_past_run(run)


def _print_column(found: dict[str, Any]) -> None:
    output.say(f"target      {found['target']}, {found['type']}, about {found['estimated_rows']:,} rows")
    output.say(f"model       {found['model'] or 'none registered'}")
    if found["encoding"]:
        output.say(f"encoding    {told(found['encoding'])}")
    _print_indexes(found)
    if not found["indexes"] and not found["indexes_to_build"]:
        output.say("index       none")
    output.say_faults(found["pgvector_faults"])
    if former := found["kept"]:
        output.say(
            f"kept        the vectors of {former['name'] or 'no registered model'}, in a {former['place']}, "
            f"since {former['kept_at']:%Y-%m-%d %H:%M}"
        )


def _print_indexes(found: dict[str, Any]) -> None:
    alike: dict[str, list[str]] = {}
    for index in found["indexes"]:
        state = "valid" if index["valid"] else "INVALID"
        if index["left_over"]:
            state += ", left by a REINDEX CONCURRENTLY that failed: drop it"
        alike.setdefault(f"({index['method']}, {state})", []).append(index["name"])
    for index in found["indexes_to_build"]:
        alike.setdefault("is still to be built: run the re-embedding again", []).append(index["name"])
    for state, names in alike.items():
        # An application may have a partial index for each of its users.
        for line in names if len(names) <= MOST_NAMED else [f"{len(names):,}: {some_of(names)}"]:
            output.say(f"index       {line} {state}")


def _print_under_way(found: dict[str, Any]) -> None:
    if run := found["open_run"]:
        share = f", {run['share_done']:.0%} of {run['rows_total']:,} rows staged" if "share_done" in run else ""
        output.say(
            f"under way   run {run['id']} to {run['name']} ({run['dimension']} dimensions), {run['state']}{share}"
        )
        if run["computed"]:
            output.say(f"            computed in {', then in '.join(run['computed'])}")
        if run["last_error"]:
            output.say(f"            stopped by: {run['last_error']}")
    output.say(f"phase       {found['phase']}")
    for what in found["left"]:
        output.say(f"left        {what}")
    for refused in found["refused"]:
        output.say(f"refused     {refused['message']}")
        output.say(f"            {refused['hint']}")
    for command in found["next"]:
        output.say(f"next        {command}")


def _print_past_run(run: dict[str, Any]) -> None:
    computed = f"computed in {', then in '.join(run['computed'])}, " if run["computed"] else ""
    output.say(
        f"run {run['id']:<7} {run['started_at']:%Y-%m-%d %H:%M} {run['target']}: "
        f"{run['from_name'] or 'none'} -> {run['to_name']}, {run['state']}, {run['way'] or run['scope']}, "
        f"{run['rows_written'] or 0:,} rows, {computed}{run['duration_secs'] or 0:.1f} s "
        f"and {run['index_secs'] or 0:.1f} s for the index"
    )
