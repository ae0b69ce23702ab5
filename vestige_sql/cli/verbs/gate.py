"""``vestige-sql migrate gate``."""

from __future__ import annotations

import argparse
import logging

from vestige_sql.cli import options, output

NAME = "gate"
HELP = "check whether the staged vectors may be applied; changes nothing"
MANY = True

log = logging.getLogger("vestige_sql")


def add_options(parser: argparse.ArgumentParser) -> None:
    options.target(parser)
    options.views(parser)
    options.verdict(parser)


def run(args: argparse.Namespace) -> None:
    from vestige_sql.look.target import ask_gate

    held = ask_gate(
        options.conninfo_of(args),
        target=options.target_of(args),
        require_verdict=args.require_verdict,
        recreate_views=args.recreate_views,
    )
    for name in held:
        log.info("gate: sql/%s holds", name)
    log.info("gate: what is staged may be applied")
    output.answer(args, {"holds": held})
