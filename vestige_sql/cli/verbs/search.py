"""``vestige-sql search``."""

from __future__ import annotations

import argparse
import logging
from typing import TYPE_CHECKING, Any

from vestige_sql.cli import models, options, output
from vestige_sql.errors import ModelMismatch
from vestige_sql.plan import MODES, VESTIGE

if TYPE_CHECKING:
    from vestige_sql.vestige.search import SearchResult

NAME = "search"
HELP = "search Vestige's memories, by words and by meaning"

log = logging.getLogger("vestige_sql")


def add_options(parser: argparse.ArgumentParser) -> None:
    options.asks(parser)
    parser.add_argument("question", help='as for a search engine: words, "words in a row", or, -without')
    parser.add_argument(
        "--mode", choices=MODES, default=MODES[0], help="text: words; vector: meaning; hybrid: both (%(default)s)"
    )
    for option, what in (("--domain", "of this domain"), ("--node-type", "of this type"), ("--tag", "with this tag")):
        parser.add_argument(
            option, action="append", default=[], help=f"only memories {what}; give it again to allow another"
        )
    parser.add_argument(
        "--min-retrievability", type=float, metavar="R", help="only memories with at least this retrievability"
    )
    options.named(parser, default=" (default: the registered model's name)")
    parser.add_argument("--table", default=VESTIGE.table, help="Vestige's table, as in SQL (default: %(default)s)")


def run(args: argparse.Namespace) -> None:
    from vestige_sql.look.target import check_encoder
    from vestige_sql.vestige.search import (
        check_arguments,
        check_fits,
        registered_encoding,
        registered_model,
        search,
    )

    asked: dict[str, Any] = {
        "mode": args.mode,
        "limit": args.limit,
        "domains": args.domain,
        "node_types": args.node_type,
        "tags": args.tag,
        "min_retrievability": args.min_retrievability,
        "table": args.table,
    }
    check_arguments(args.question, **asked)
    conninfo = options.conninfo_of(args)
    check_fits(conninfo)
    model = embedder = None
    if args.mode != "text":
        model = registered_model(conninfo, table=args.table)
        if model is None:
            raise ModelMismatch(
                f"no model is registered for {args.table}, so there is none to encode the question with",
                "search with --mode text, or see vestige-sql migrate register and reembed",
            )
        embedder = models.load_same(model, args, recorded=registered_encoding(conninfo, model, table=args.table))
        check_encoder(conninfo, embedder)
        for note in getattr(getattr(embedder, "files", None), "notes", ()):
            log.info("search: note: %s", note)
    results = search(conninfo, args.question, embedder, **asked)
    if args.json:
        found = [result.as_json() for result in results]
        model_found = output.signature(model)
        output.answer(args, {"question": args.question, "mode": args.mode, "model": model_found, "results": found})
        return
    for place, result in enumerate(results, 1):
        _print_result(place, result)
    if not results:
        log.info("search: nothing found")


def _print_result(place: int, result: SearchResult) -> None:
    parts = []
    if result.text_rank:
        parts.append(f"text {result.text_rank}")
    if result.vector_rank:
        parts.append(f"vector {result.vector_rank} at distance {result.distance:.3f}")
    output.say(f"{place:2}. {output.shortened(result.content, output.columns() - 4)}")
    output.say(f"    {result.score:.4f} ({', '.join(parts)}), {result.node_type}, {result.id}")
