"""``vestige-sql migrate judge``."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vestige_sql.cli import models, options, output, reports
from vestige_sql.encode.embedder import Embedder, ModelSignature
from vestige_sql.errors import UsageError, VestigeError

if TYPE_CHECKING:
    from vestige_sql.judge.judging import JudgePlan
    from vestige_sql.judge.rules import Rule

NAME = "judge"
HELP = "judge the staged vectors by questions with known answers: GO, NO-GO or INCONCLUSIVE"

log = logging.getLogger("vestige_sql")


def add_options(parser: argparse.ArgumentParser) -> None:
    options.target(parser)
    group = parser.add_argument_group("questions")
    source = group.add_mutually_exclusive_group()
    source.add_argument(
        "--questions",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="questions with known answers: JSON lines or CSV, or TREC topics and qrels",
    )
    group.add_argument(
        "--qrels", type=Path, metavar="FILE", help="the TREC qrels, if --questions names the topics alone"
    )
    source.add_argument("--questions-table", metavar="TABLE", help="the same in a table or view, named with its schema")
    source.add_argument(
        "--derive",
        type=int,
        default=200,
        metavar="N",
        help="derive N questions from parts of the rows' texts (%(default)s)",
    )
    group.add_argument("--slice", metavar="SQL", help="expression over the table's columns, to measure by its values")
    group.add_argument(
        "--seed", type=int, default=0, metavar="N", help="seed of derived questions and resamples (%(default)s)"
    )
    _rules(parser)
    group = parser.add_argument_group("model")
    options.named(group, default=" (default: the staged model's name)")
    options.named(group, "old-", default=" (default: the registered model's name; without it rows stand in)")
    options.files(group, "--model")
    options.endpoint(parser)
    reports.add_options(parser)


def _rules(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("rules", "RULE is VALUE (of ndcg@10), MEASURE=VALUE or MEASURE/SLICE=VALUE")
    group.add_argument(
        "--max-drop", action="append", default=[], metavar="RULE", help="the most that a measure may drop by (0.02)"
    )
    group.add_argument(
        "--min-gain", action="append", default=[], metavar="RULE", help="the least that a measure must gain"
    )
    group.add_argument("--max-p95-ms", type=float, metavar="MS", help="the longest p95 of a search by the new index")
    group.add_argument(
        "--min-questions", type=int, default=10, metavar="N", help="a rule says nothing over fewer (%(default)s)"
    )
    group.add_argument(
        "--resamples", type=int, default=1000, metavar="N", help="resamples of the bootstrap (%(default)s)"
    )
    group.add_argument("--speed", action="store_true", help="measure recall and latency of the indexes")
    group.add_argument(
        "--search-settings",
        type=_settings,
        default=(),
        metavar="N,N,..",
        help="values of hnsw.ef_search or ivfflat.probes to measure",
    )


def run(args: argparse.Namespace) -> int:
    from vestige_sql.judge.judging import judge
    from vestige_sql.judge.rules import VERDICTS
    from vestige_sql.look.preview import recorded_encodings, staged_models
    from vestige_sql.look.target import check_encoder

    plan = _plan(args)
    conninfo, target = options.conninfo_of(args), options.target_of(args)
    registered, staged = staged_models(conninfo, target=target)
    of_staged, of_registered = recorded_encodings(conninfo, staged, registered, target=target)
    new, old = None, _load_old(args, registered, of_registered)
    if old is not None or args.model or args.endpoint or args.embedder:
        new = models.load_same(staged, args, recorded=of_staged)
        check_encoder(conninfo, new)
    found = judge(conninfo, plan, new, old, target=target)
    if not args.json:
        _print(found)
    signed = {name: output.signature(found[name]) for name in ("old_model", "new_model")}
    output.answer(args, found | signed, page="judge")
    return VERDICTS[found["verdict"]]


def _plan(args: argparse.Namespace) -> JudgePlan:
    from vestige_sql.judge.judging import JudgePlan
    from vestige_sql.judge.questions import read_questions

    return JudgePlan(
        questions=read_questions(files) if (files := _files(args)) else (),
        table=args.questions_table,
        derive=args.derive,
        slice=args.slice,
        rules=_rules_of(args),
        seed=args.seed,
        resamples=args.resamples,
        min_questions=args.min_questions,
        speed=args.speed,
        settings=args.search_settings,
    )


def _files(args: argparse.Namespace) -> list[Path]:
    if args.qrels is None:
        return args.questions or []
    if not args.questions:
        raise UsageError("--qrels requires --questions", "add --questions with the topics; nothing was written")
    return [*args.questions, args.qrels]


def _rules_of(args: argparse.Namespace) -> list[Rule]:
    from vestige_sql.checks import check_number
    from vestige_sql.judge.rules import Rule, read_rule, with_default

    rules = [read_rule(kind, text) for kind in ("max_drop", "min_gain") for text in getattr(args, kind)]
    if args.max_p95_ms is not None:
        check_number("--max-p95-ms", args.max_p95_ms, 0, whole=False)
        rules.append(Rule("max_p95_ms", args.max_p95_ms, ""))
    return with_default(rules)


def _load_old(
    args: argparse.Namespace, registered: ModelSignature | None, recorded: dict[str, Any] | None
) -> Embedder | None:
    if registered is None:
        return None
    try:
        return models.load_same(registered, args, "old_", recorded=recorded)
    except VestigeError as error:
        # Asked for by name it is an error; else rows stand in.
        if args.old_model or args.old_endpoint or args.old_embedder:
            raise
        log.info("judge: the old model is not at hand, so rows stand in for the questions: %s", error)
        return None


def _settings(text: str) -> list[int]:
    try:
        return [int(value) for value in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of whole numbers such as 10,40,160") from None


def _print(found: dict[str, Any]) -> None:
    output.say(f"old model   {found['old_model'] or 'none registered'}")
    output.say(f"new model   {found['new_model']}")
    where = "staged, by exact search" if found["place"] == "staged" else "in the second column, through its index"
    output.say(f"new vectors {where}")
    by = "both models" if found["asked_by"] == "model" else "rows"
    output.say(f"questions   {found['asked']:,} {found['questions']}, asked by {by}")
    for note in found["notes"]:
        output.say(f"note        {note}")
    width = max(5, *(len(row["slice"]) for row in found["measures"]))
    output.say()
    output.say(f"{'slice':<{width}}  {'measure':<10} {'questions':>9}    old    new  difference, 95 % interval")
    for row in found["measures"]:
        old = "      " if row["old"] is None else f"{row['old']:6.3f}"
        difference = "" if row["difference"] is None else f"{row['difference']:+.3f}"
        output.say(
            f"{row['slice'] or 'all':<{width}}  {row['measure']:<10} {row['questions']:>9} {old} {row['new']:6.3f}  "
            f"{difference:>7} [{row['low']:+.3f}, {row['high']:+.3f}]"
        )
    for row in found["speed"]:
        output.say(
            f"{row['space']:<4} {row['index']}, {row['setting']} = {row['value']}: recall@10 {row['recall']:.3f}, "
            f"p50 {row['p50_ms']:.2f} ms, p95 {row['p95_ms']:.2f} ms"
        )
    output.say()
    output.say(found["verdict"])
    for said in found["reasons"]:
        output.say(f"  {said['outcome']}: {said['reason']}")
