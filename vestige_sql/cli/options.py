"""The options that several verbs share, and what they say.

Each function that takes a parser adds options to it, which the help shows as ``vestige_sql.cli.groups`` says. Those
named ``.._of`` read the parsed options back.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import fields
from pathlib import Path

from vestige_sql.cli import shared
from vestige_sql.cli.output import BANNER_SECS
from vestige_sql.errors import UsageError
from vestige_sql.plan import DEVICES, PRECISIONS, VESTIGE, WAYS, ReembedPlan, Target, names_several


def server(parser: argparse.ArgumentParser) -> None:
    """Options for the server, and for the form of the answer."""
    parser.add_argument("--json", action="store_true", help="print the answer as JSON, and log errors only")
    how_much = parser.add_mutually_exclusive_group()
    how_much.add_argument("-q", "--quiet", action="store_true", help="log warnings and errors only, without progress")
    how_much.add_argument("-v", "--verbose", action="store_true", help="log each SQL file too, as it has run")
    group = parser.add_argument_group("target")
    group.add_argument(
        "--postgres-url",
        metavar="URL",
        help="any libpq connection string (default: DATABASE_URL, then vestige.toml)",
    )
    group.add_argument(
        "--embedded", metavar="FOLDER", type=_folder, help="use the embedded PostgreSQL, with its data in FOLDER"
    )


def target(parser: argparse.ArgumentParser) -> None:
    """Options for the table and its columns."""
    group = parser.add_argument_group("target")
    group.add_argument(
        "--table",
        default=VESTIGE.table,
        help="table name, as in SQL; * stands for any characters, and commas separate several (default: %(default)s)",
    )
    group.add_argument(
        "--id-column",
        action="append",
        metavar="COLUMN",
        help="column that identifies a row; repeat it, or list them with commas, if there are several "
        "(default: the primary key)",
    )
    for option, what in (
        ("--content-column", "column with the text (default: content, or the only column of text)"),
        ("--embedding-column", "column with the vectors (default: the only one)"),
    ):
        group.add_argument(option, metavar="COLUMN", help=what)
    group.add_argument(
        "--where",
        metavar="SQL",
        help="condition over the table's columns; only these rows are meant, and have a model of their own",
    )
    group.add_argument(
        "--content-expression",
        metavar="SQL",
        help="SQL over a row's columns in place of --content-column: \"title || ' ' || body\"",
    )


def model(parser: argparse.ArgumentParser) -> None:
    """Options for what encodes: a model's files, an endpoint, or an embedder of one's own."""
    group = parser.add_argument_group("model")
    named(group)
    group.add_argument(
        "--dimension",
        required=True,
        type=int,
        metavar="N",
        help="the model's dimension, or fewer: the first N numbers of each vector, at length one (Matryoshka models)",
    )
    files(group)
    endpoint(parser)


def named(group: argparse._ActionsContainer, of: str = "", default: str = "", *, has_endpoint: bool = True) -> None:
    """Options that name what encodes; added to a group that is there. ``of`` is what the options begin with."""
    group.add_argument(
        f"--{of}model",
        metavar="NAME_OR_DIR",
        help=f"folder, or name on the hub or at the endpoint{default}",
    )
    if has_endpoint:
        group.add_argument(
            f"--{of}endpoint",
            metavar="URL",
            help="service with an OpenAI-compatible /v1/embeddings that has the model, such as http://localhost:8080/v1",
        )
    group.add_argument(
        f"--{of}embedder",
        metavar="MODULE:FACTORY",
        help="function that makes an embedder of your own",
    )


ENDPOINT_OPTIONS = (
    "ask_dimension",
    "key_variable",
    "tokenizer",
    "requests_per_minute",
    "tokens_per_minute",
    "price",
    "spend_limit",
    "token_limit",
    "calls_at_once",
    "timeout_secs",
    "attempts",
)
"""What the options are called that only an endpoint has: the fields of ``vestige_sql.encode.endpoint.Endpoint``."""


def endpoint(parser: argparse.ArgumentParser) -> None:
    """Options for asking an endpoint."""
    group = parser.add_argument_group("endpoint")
    group.add_argument(
        "--ask-dimension", action="store_true", help="ask for --dimension with each request, of models that can shorten"
    )
    group.add_argument(
        "--api-key-variable",
        dest="key_variable",
        metavar="NAME",
        help="environment variable that has the key (default: VESTIGE_SQL_API_KEY)",
    )
    group.add_argument(
        "--tokenizer",
        metavar="FILE_OR_NAME",
        help="the model's tokenizer.json, or where it is, to count tokens",
    )
    group.add_argument("--requests-per-minute", type=float, metavar="N", help="most requests that are sent")
    group.add_argument("--tokens-per-minute", type=float, metavar="N", help="most tokens that are sent")
    group.add_argument("--price", type=float, metavar="P", help="price of a million tokens, to say what a run costs")
    group.add_argument("--spend-limit", type=float, metavar="P", help="most that this command may spend, with --price")
    group.add_argument("--token-limit", type=int, metavar="N", help="most tokens that this command may spend")
    group.add_argument("--calls-at-once", type=int, metavar="N", help="requests on their way at the same time (4)")
    group.add_argument(
        "--timeout", dest="timeout_secs", type=float, metavar="SECS", help="longest wait for one answer (120)"
    )
    group.add_argument("--attempts", type=int, metavar="N", help="how often a request is sent before it has failed (8)")


def files(group: argparse._ActionsContainer, of: str = "the model") -> None:
    """Options for what is loaded of a model, and what it runs on; added to a group that is there."""
    group.add_argument("--revision", help=f"branch, tag or commit of {of} on the hub; any text for one at an endpoint")
    group.add_argument("--onnx-file", metavar="FILE", help=f"ONNX file of {of}, such as onnx/model_qint8_avx512.onnx")
    group.add_argument(
        "--graph-repo",
        metavar="NAME_OR_DIR",
        help=f"hub repository or folder that has the graph, if that of {of} has none",
    )
    group.add_argument(
        "--prompt", metavar="TEXT", help="goes before each stored text, '' for none (default: the configuration's)"
    )
    group.add_argument(
        "--query-prompt", metavar="TEXT", help="goes before each question, '' for none (default: the configuration's)"
    )
    group.add_argument(
        "--max-tokens", type=int, metavar="N", help="where texts are truncated (default: the configuration's)"
    )
    group.add_argument(
        "--layer-norm-first",
        action="store_true",
        help="with a --dimension below the model's: bring vectors to mean 0 and variance 1 before they are shortened",
    )
    device(group)


def device(group: argparse._ActionsContainer) -> None:
    """The option for what a model runs on; added to a group that is there."""
    group.add_argument(
        "--device",
        choices=DEVICES,
        default=DEVICES[0],
        help="what the model runs on; auto: a GPU if ONNX Runtime can start CUDA, else the CPU (%(default)s)",
    )


def stages(parser: argparse.ArgumentParser) -> None:
    """Options for encoding, here or on many machines."""
    group = parser.add_argument_group("expert")
    group.add_argument(
        "--batch-size",
        type=int,
        metavar="N",
        default=ReembedPlan.batch_size,
        help="most rows in one call of the model (%(default)s)",
    )
    group.add_argument(
        "--precision",
        choices=PRECISIONS,
        help="what vectors are computed in; bf16: with OpenVINO, on a processor that has bfloat16 (fp32)",
    )
    many = parser.add_argument_group("many machines")
    many.add_argument(
        "--engine", choices=("here", "ray"), default="here", help="encode in this process or on Ray (%(default)s)"
    )
    many.add_argument("--address", help="address of the Ray cluster (default: RAY_ADDRESS, else a Ray of this run)")
    many.add_argument("--workers", type=int, metavar="N", help="how many (default: by the cluster's GPUs or cores)")
    many.add_argument("--gpus-per-worker", type=float, metavar="G", help="GPUs for each worker (default: 0)")
    many.add_argument(
        "--threads-per-worker", type=int, metavar="N", help="threads for each worker (default: cores / workers)"
    )
    many.add_argument(
        "--max-connections",
        type=int,
        metavar="N",
        help="most connections to the server (default: vestige.toml, else half of the free ones)",
    )
    many.add_argument("--max-copies", type=int, metavar="N", help="most chunks that are written at the same time")
    many.add_argument(
        "--range-rows", type=int, metavar="N", help="rows that a worker takes at a time (default: by the table)"
    )


def applies(parser: argparse.ArgumentParser) -> None:
    """Options for putting staged vectors in place."""
    group = parser.add_argument_group("placing")
    group.add_argument(
        "--apply", choices=WAYS, default=ReembedPlan.apply, help="how to replace the vectors (%(default)s)"
    )
    group.add_argument(
        "--drop-hnsw-first",
        action=argparse.BooleanOptionalAction,
        default=ReembedPlan.drop_hnsw_first,
        help="drop the vector indexes before the vectors change (default: drop them)",
    )
    group.add_argument(
        "--create-index", action="store_true", help="build an HNSW index where the column has no vector index"
    )
    group.add_argument(
        "--concurrent-index", action="store_true", help="build indexes afterwards, with CREATE INDEX CONCURRENTLY"
    )
    group.add_argument(
        "--index-memory",
        dest="index_memory_bytes",
        type=_megabytes,
        metavar="MB",
        help="most memory for an index build (default: a quarter of effective_cache_size)",
    )
    group.add_argument(
        "--keep-old", action="store_true", help="keep the former vectors for a rollback (--online always does)"
    )
    group.add_argument(
        "--recall-sample",
        type=int,
        default=ReembedPlan.recall_sample,
        metavar="N",
        help="rows to measure the new index's recall@10 with, 0 for no measurement (%(default)s)",
    )
    group.add_argument(
        "--keep-untyped",
        action="store_true",
        help="leave the column without a dimension, or take it off: rows of several models fit in",
    )
    views(group)
    verdict(group)


def views(parser: argparse._ActionsContainer) -> None:
    """The option that views that use the column are made again."""
    parser.add_argument(
        "--recreate-views",
        action="store_true",
        help="drop views that use the column and make them again, in the same transaction",
    )


def verdict(parser: argparse._ActionsContainer) -> None:
    """The option that only what was judged may be put in place."""
    parser.add_argument(
        "--require-verdict",
        action="store_true",
        help="put nothing in place unless migrate judge says GO of exactly what is staged",
    )


def locks(parser: argparse.ArgumentParser) -> None:
    """Options for what happens before the table is locked."""
    group = parser.add_argument_group("expert")
    group.add_argument(
        "--lock-timeout",
        dest="lock_timeout_secs",
        type=float,
        metavar="SECS",
        help="longest wait of one attempt to lock the table (2, online 0.1)",
    )
    group.add_argument("--no-confirm", action="store_true", help=f"do not wait {BANNER_SECS} s before the first write")


def switches(parser: argparse.ArgumentParser) -> None:
    """Options for changing the model while search goes on."""
    group = parser.add_argument_group("online")
    group.add_argument(
        "--online", action="store_true", help="fill a second column while search goes on, and switch in milliseconds"
    )
    group.add_argument(
        "--pause",
        dest="pause_secs",
        type=float,
        default=ReembedPlan.pause_secs,
        metavar="SECS",
        help="pause after each batch (%(default)s)",
    )
    group.add_argument(
        "--max-lag",
        dest="max_lag_bytes",
        type=_megabytes,
        default=ReembedPlan.max_lag_bytes,
        metavar="MB",
        help="wait while a replica is further behind than this (64)",
    )
    group.add_argument(
        "--min-recall",
        type=float,
        default=ReembedPlan.min_recall,
        metavar="SHARE",
        help="refuse to switch if the new index's recall@10 is lower (0.9, or what the former index finds if less)",
    )
    group.add_argument(
        "--fire-triggers",
        action="store_true",
        help="go on if the role cannot suppress the table's triggers: they fire for each row",
    )


def resumes(parser: argparse.ArgumentParser) -> None:
    """Options for resuming a run."""
    group = parser.add_argument_group("expert")
    group.add_argument(
        "--accept-edited-files",
        action="store_true",
        help="resume a run although step files that it has run were edited since",
    )


def asks(parser: argparse.ArgumentParser) -> None:
    """Options for a question: how many answers, and what is loaded of --model."""
    parser.add_argument("-k", type=int, default=10, dest="limit", metavar="N", help="how many to find (%(default)s)")
    files(parser, "--model")
    endpoint(parser)


def conninfo_of(args: argparse.Namespace) -> str:
    """Return the connection string that the options or the settings name; starts the embedded server if asked to."""
    from vestige_sql.database.settings import resolve_conninfo

    where = args.postgres_url, args.embedded
    return shared.once(("conninfo", where), lambda: resolve_conninfo(args.postgres_url, embedded=args.embedded))


def has_password(url: str) -> bool:
    """Whether the connection string ``url`` has a password, also where libpq would read it as something else."""
    return bool(re.search(r"password|passfile", url, re.IGNORECASE) or re.search(r"://[^/]*:[^/]+@", url))


def target_of(args: argparse.Namespace, table: str | None = None) -> Target:
    """Return the target that the options name, of ``table`` where that is given."""
    if names_several(table or args.table):
        raise UsageError(
            f"{args.table} names several tables, and this command works on one",
            "name one of them with --table; nothing was written",
        )
    key = args.id_column[0] if args.id_column and len(args.id_column) == 1 else args.id_column
    return Target(
        table or args.table, key, args.content_column, args.embedding_column, args.where, args.content_expression
    )


def plan_of(args: argparse.Namespace) -> ReembedPlan:
    """Return the plan, from those options that the verb has."""
    return ReembedPlan(**{f.name: getattr(args, f.name) for f in fields(ReembedPlan) if hasattr(args, f.name)})


def _megabytes(text: str) -> int:
    try:
        return round(float(text) * (1 << 20))
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of megabytes") from None


def _folder(text: str) -> Path:
    if not text:
        # For Path it would be the current one, where nobody wants a server's data.
        raise argparse.ArgumentTypeError("the folder's name is empty")
    return Path(text)
