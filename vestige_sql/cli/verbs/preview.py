"""``vestige-sql migrate preview``."""

from __future__ import annotations

import argparse
import logging
from itertools import zip_longest
from typing import Any

from vestige_sql.cli import models, options, output, reports
from vestige_sql.encode.embedder import Embedder, ModelSignature
from vestige_sql.errors import VestigeError

NAME = "preview"
HELP = "compare what the old and the staged vectors find, before the switch; changes nothing"

log = logging.getLogger("vestige_sql")

_MOVED_MOST = 10


def add_options(parser: argparse.ArgumentParser) -> None:
    options.target(parser)
    options.asks(parser)
    parser.add_argument("question", nargs="?", help="what to look for in both spaces")
    parser.add_argument(
        "--sample",
        type=int,
        default=0,
        metavar="N",
        help="measure how far the nearest neighbours of N rows overlap; needs no model, takes two scans per row",
    )
    options.named(parser, default=" (default: the staged model's name)")
    options.named(parser, "old-", default=" (default: the registered model's name)")
    reports.add_options(parser)


def run(args: argparse.Namespace) -> None:
    from vestige_sql.look.preview import check_arguments, preview, recorded_encodings, staged_models
    from vestige_sql.look.target import check_encoder

    check_arguments(args.question, args.limit, args.sample)
    conninfo, target = options.conninfo_of(args), options.target_of(args)
    new = old = None
    if args.question:
        registered, staged = staged_models(conninfo, target=target)
        of_staged, of_registered = recorded_encodings(conninfo, staged, registered, target=target)
        new = models.load_same(staged, args, recorded=of_staged)
        check_encoder(conninfo, new)
        if registered is not None:
            old = _load_old(args, registered, of_registered)
    found = preview(conninfo, args.question, new, old, limit=args.limit, sample=args.sample, target=target)
    if not args.json:
        _print(found)
    signed = {name: output.signature(found[name]) for name in ("old_model", "new_model")}
    output.answer(args, found | signed, page="preview")


def _load_old(args: argparse.Namespace, registered: ModelSignature, recorded: dict[str, Any] | None) -> Embedder | None:
    try:
        return models.load_same(registered, args, "old_", recorded=recorded)
    except VestigeError as error:
        # Asked for by name it is an error; else rows stand in.
        if args.old_model or args.old_endpoint or args.old_embedder:
            raise
        log.info("preview: the old model is not at hand, so a row stands in for the question: %s", error)
        return None


def _print(found: dict[str, Any]) -> None:
    _print_models(found)
    if asked := found["question"]:
        _print_both(asked)
    if overlap := found["overlap"]:
        _print_overlap(overlap)


def _print_models(found: dict[str, Any]) -> None:
    output.say(f"target      {found['target']}")
    output.say(f"old model   {found['old_model'] or 'none registered'}")
    output.say(f"new model   {found['new_model']}")
    lacking = found["rows_with_text"] - found["rows_staged"]
    output.say(
        f"staged      {found['rows_staged']:,} of {found['rows_with_text']:,} rows with text"
        + (f"; the {lacking:,} others are not in this preview of the new space" if lacking else "")
    )


def _print_both(asked: dict[str, Any]) -> None:
    width = max(20, (output.columns() - 21) // 2)
    shared = {row["key"] for row in asked["old"]} & {row["key"] for row in asked["new"]}
    output.say()
    output.say(f"{asked['text']!r}, {len(shared)} of {len(asked['new'])} found by both (marked *)")
    if asked["stand_in"] is not None:
        output.say(
            f"in the old space the row {asked['stand_in']} stands in for the question, the nearest one in the new space"
        )
    output.say()
    output.say(f"    {'old space':<{width + 9}}new space")
    for place, (old, new) in enumerate(zip_longest(asked["old"], asked["new"]), 1):
        cells = [
            f"{row['distance']:6.3f}{'*' if row['key'] in shared else ' '} {output.shortened(row['text'] or '', width)}"
            if row
            else ""
            for row in (old, new)
        ]
        output.say(f"{place:3} {cells[0]:<{width + 8}} {cells[1]}".rstrip())


def _print_overlap(overlap: dict[str, Any]) -> None:
    rows = overlap["rows"]
    if not rows:
        output.say()
        output.say("overlap     no row has both an old and a staged vector")
        return
    output.say()
    output.say(
        f"overlap     {overlap['mean']:.0%} of the {overlap['limit']} nearest neighbours, mean of {len(rows):,} rows"
    )
    output.say("these moved most:")
    for row in rows[:_MOVED_MOST]:
        width = max(20, output.columns() - 9 - len(row["key"]))
        output.say(f"{row['overlap']:5.0%}  {row['key']}  {output.shortened(row['text'], width)}")
