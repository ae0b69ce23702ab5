"""``vestige-sql search``."""

from __future__ import annotations

import argparse
import logging
from typing import TYPE_CHECKING, Any

from vestige_sql.cli import models, options, output
from vestige_sql.errors import ModelMismatch, UsageError
from vestige_sql.plan import MODES, VESTIGE, Target

if TYPE_CHECKING:
    from vestige_sql.encode.embedder import Embedder
    from vestige_sql.vestige.search import SearchResult

NAME = "search"
HELP = "search a table by meaning, and Vestige's memories by words too"

log = logging.getLogger("vestige_sql")

# Other tables have nothing that these go by.
_FILTERS = ("domain", "node_type", "tag", "min_retrievability")


def add_options(parser: argparse.ArgumentParser) -> None:
    options.asks(parser)
    parser.add_argument("question", help='as for a search engine: words, "words in a row", or, -without')
    parser.add_argument(
        "--mode",
        choices=MODES,
        help="text: words; vector: meaning; hybrid: both (Vestige's table: hybrid, others: vector)",
    )
    for option, what in (("--domain", "of this domain"), ("--node-type", "of this type"), ("--tag", "with this tag")):
        parser.add_argument(
            option, action="append", default=[], help=f"only memories {what}; give it again to allow another"
        )
    parser.add_argument(
        "--min-retrievability", type=float, metavar="R", help="only memories with at least this retrievability"
    )
    options.named(parser, default=" (default: the registered model's name)")
    options.target(parser)


def run(args: argparse.Namespace) -> None:
    from vestige_sql.look.nearest import is_vestiges

    target, of_vestige = options.target_of(args), args.table == VESTIGE.table and not args.embedding_column
    if of_vestige or is_vestiges(options.conninfo_of(args), args.table):
        args.mode = args.mode or MODES[0]
        _search_memories(args)
    else:
        _search_any(args, target)


def _search_any(args: argparse.Namespace, target: Target) -> None:
    """Search any table by meaning, through its own index."""
    from vestige_sql.look.nearest import known_model, nearest
    from vestige_sql.look.target import check_encoder

    only_vestiges = [name for name in _FILTERS if getattr(args, name) not in ([], None)]
    if args.mode not in (None, "vector"):
        only_vestiges.insert(0, "mode")
    if only_vestiges:
        option = f"--{only_vestiges[0].replace('_', '-')}"
        value = f" {args.mode}" if only_vestiges[0] == "mode" else ""
        raise UsageError(
            f"{option}{value} is for Vestige's table of memories, and {args.table} is another",
            "leave it out: other tables are searched by their vectors alone; nothing was searched for",
        )
    conninfo = options.conninfo_of(args)
    model, recorded = known_model(conninfo, target=target)
    embedder = models.load_same(model, args, recorded=recorded)
    check_encoder(conninfo, embedder)
    _say_notes(embedder)
    found = nearest(conninfo, args.question, embedder, target=target, limit=args.limit)
    output.answer(args, {"question": args.question, "mode": "vector"} | found | {"model": output.signature(model)})
    if args.json:
        return
    for row in found["results"]:
        output.say(f"{row['rank']:2}. {output.shortened(row['text'] or '', output.columns() - 4)}")
        output.say(f"    {row['distance']:.4f} by {found['operator']}, {row['key']}")
    if not found["results"]:
        log.info("search: nothing found")


def _say_notes(embedder: Embedder) -> None:
    for note in getattr(getattr(embedder, "files", None), "notes", ()):
        log.info("search: note: %s", note)


def _search_memories(args: argparse.Namespace) -> None:
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
        _say_notes(embedder)
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
