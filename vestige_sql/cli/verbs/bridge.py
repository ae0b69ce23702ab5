"""``vestige-sql migrate bridge``."""

from __future__ import annotations

import argparse
from typing import Any

from vestige_sql.cli import options, output

NAME = "bridge"
HELP = (
    "fit maps between the live space and the staged one, for questions of either model, before the switch and after it"
)


def add_options(parser: argparse.ArgumentParser) -> None:
    options.target(parser)
    group = parser.add_argument_group("bridge")
    group.add_argument(
        "--pairs",
        type=int,
        default=20_000,
        metavar="N",
        help="most rows to draw: a fifth of them, at most 1,000, measure the maps (%(default)s)",
    )
    group.add_argument(
        "--min-recall",
        type=float,
        default=0.9,
        metavar="SHARE",
        help="write no map if the recall@10 of one is lower (%(default)s)",
    )
    group.add_argument(
        "--direction",
        choices=("both", "new-to-old", "old-to-new"),
        default="both",
        help="a map each way, or one alone: for questions of the new model before the switch, or of the old model "
        "after it (%(default)s)",
    )
    group.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of the draw and of resamples (%(default)s)"
    )
    group.add_argument(
        "--resamples", type=int, default=1000, metavar="N", help="resamples of the bootstrap (%(default)s)"
    )


def run(args: argparse.Namespace) -> None:
    from vestige_sql.bridge.bridging import BridgePlan, bridge

    plan = BridgePlan(args.pairs, args.min_recall, args.direction, args.seed, args.resamples)
    found = bridge(options.conninfo_of(args), plan, target=options.target_of(args))
    if args.json:
        signed = {name: output.signature(found[name]) for name in ("old_model", "new_model")}
        maps = [each | {name: output.signature(each[name]) for name in ("from", "to")} for each in found["maps"]]
        output.answer(args, found | signed | {"maps": maps})
    else:
        _print(found)


def _print(found: dict[str, Any]) -> None:
    output.say(f"old model  {found['old_model']}")
    output.say(f"new model  {found['new_model']}")
    output.say(f"pairs      {found['pairs']:,}, and {found['held_out']:,} held out")
    output.say(f"searched   {found['searched']:,} rows, exactly")
    output.say()
    output.say("map         method               recall@10, 95 % interval")
    for each in found["maps"]:
        method = each["method"] + (", centred" if each["centred"] else "")
        output.say(f"{each['direction']:<11} {method:<20} {each['recall']:.3f} [{each['low']:.3f}, {each['high']:.3f}]")
    output.say()
    output.say("the maps are in place: vestige_sql.bridged(table, vector) takes vectors of either model")
