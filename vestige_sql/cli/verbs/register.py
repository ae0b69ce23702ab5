"""``vestige-sql migrate register``."""

from __future__ import annotations

import argparse
import logging

from vestige_sql.cli import models, options, output
from vestige_sql.plan import VESTIGE

NAME = "register"
HELP = "register the first model and set the column's dimension"
MANY = True

log = logging.getLogger("vestige_sql")


def add_options(parser: argparse.ArgumentParser) -> None:
    options.target(parser)
    options.model(parser)
    parser.add_argument_group("model").add_argument(
        "--name", metavar="NAME", help="name of a model that is not at hand, which made the vectors that are there"
    )


def run(args: argparse.Namespace) -> None:
    from vestige_sql.encode.told import notes_of, told
    from vestige_sql.reembed.encoding import encoding_of
    from vestige_sql.reembed.verbs import register_model

    embedder, encoding = None, None
    if args.name is None:
        embedder = models.load(args)
        signature, encoding = embedder.signature(), encoding_of(embedder)
    else:
        signature = models.named(args)
    target = options.target_of(args)
    fresh = register_model(options.conninfo_of(args), signature, target=target, embedder=embedder)
    if encoding:
        log.info("register: %s: %s", signature.name, told(encoding))
        for note in notes_of(encoding):
            log.info("register: note: %s", note)
    if not fresh:
        log.info("register: nothing to do: %s is registered", signature)
    elif target == VESTIGE:
        log.info("register: build the HNSW index with vestige-sql migrate up")
    output.answer(args, {"registered": fresh, "model": output.signature(signature), "encoding": encoding})
