"""``vestige-sql migrate abort``."""

from __future__ import annotations

import argparse
import logging

from vestige_sql.cli import options, output

NAME = "abort"
HELP = "undo the run under way, whatever phase it stopped in"
MANY = True

log = logging.getLogger("vestige_sql")


def add_options(parser: argparse.ArgumentParser) -> None:
    options.target(parser)


def run(args: argparse.Namespace) -> None:
    from vestige_sql.reembed.verbs import abort_reembed

    undone = abort_reembed(options.conninfo_of(args), target=options.target_of(args))
    log.info(
        "abort: %s", "the run is undone, the table is as it was" if undone else "nothing to do: no run is under way"
    )
    output.answer(args, {"aborted": undone})
