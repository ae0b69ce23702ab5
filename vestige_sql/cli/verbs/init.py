"""``vestige-sql init``."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import sys
from pathlib import Path
from typing import Any

from vestige_sql.cli import options, output, targets
from vestige_sql.errors import TargetError, UsageError
from vestige_sql.plan import Target

NAME = "init"
HELP = "look at a database, and write the table to re-embed and its model into vestige.toml"


def add_options(parser: argparse.ArgumentParser) -> None:
    options.target(parser)
    # Without it there is something to find out: the default is the one table, or a question.
    parser.set_defaults(table=None)
    group = parser.add_argument_group("target")
    group.add_argument("--name", dest="target_name", help="name of the target in the file (default: that of the table)")
    group.add_argument("--model", metavar="NAME_OR_DIR", help="folder, or name on the Hugging Face hub")
    group.add_argument("--dimension", type=int, metavar="N", help="the model's dimension")


def run(args: argparse.Namespace) -> None:
    from vestige_sql.look.candidates import described, vector_tables

    conninfo = options.conninfo_of(args)
    table = args.table or _chosen(vector_tables(conninfo), asking=not args.json)
    found = described(conninfo, options.target_of(args, table))
    target: Target = found["target"]
    name = args.target_name or re.sub(r"\W+", "_", table.replace('"', "").rpartition(".")[2]).strip("_") or "target"
    if name in targets.named():
        raise UsageError(
            f"{targets.CONFIG} has a target {name} already",
            "nothing was written; give another name with --name, or edit the file",
        )
    model, dimension = _model(args)
    _write(args, name, table, target, model, dimension)
    commands = _next(name, installed=found["installed"], complete=bool(model and dimension))
    if not args.json:
        output.say(f"target      {found['column']}, {found['type']}, about {found['estimated_rows']:,} rows")
        output.say(f"key         {target.names()['id_column']}")
        output.say(f"text        {target.content_expression or target.content_column}")
        output.say(f"model       {found['model'] or 'none registered'}")
        output.say(f"written     [targets.{name}] in {targets.CONFIG}")
        for command in commands:
            output.say(f"next        {command}")
    output.answer(args, {"target": name, "file": str(targets.CONFIG), "column": found["column"], "next": commands})


def _chosen(tables: list[dict[str, Any]], *, asking: bool) -> str:
    """Return the table that is meant, as SQL writes it: the only one, or the one that somebody types the number of."""
    if not tables:
        raise TargetError(
            "no table in this database has a column of pgvector's, or none that this role may look up",
            "nothing was written; name another database with --postgres-url or DATABASE_URL",
        )
    if len(tables) == 1:
        return str(tables[0]["quoted"])
    lines = [
        f"{number:>3}  {table['quoted']}: {table['vector_columns']}, {output.size(table['bytes'])}"
        + ("" if table["is_owner"] else ", owned by another role")
        for number, table in enumerate(tables, 1)
    ]
    if not (asking and sys.stdin.isatty()):
        raise UsageError(
            "several tables have a column of pgvector's: " + ", ".join(table["quoted"] for table in tables),
            f"nothing was written; name one: vestige-sql init --table {shlex.quote(tables[0]['quoted'])}",
        )
    for line in lines:
        output.say(line)
    while True:
        answer = _ask(f"which one? 1 to {len(tables)}: ")
        if answer.isdecimal() and 1 <= int(answer) <= len(tables):
            return str(tables[int(answer) - 1]["quoted"])


def _model(args: argparse.Namespace) -> tuple[str | None, int | None]:
    model, dimension = args.model, args.dimension
    if args.json or not sys.stdin.isatty():
        return model, dimension
    model = model or _ask("new model, a name on the Hugging Face hub or a folder (empty: later): ") or None
    while model and dimension is None:
        answer = _ask("its dimension: ")
        dimension = int(answer) if answer.isdecimal() and int(answer) else None
    return model, dimension


def _ask(question: str) -> str:
    try:
        return input(question).strip()
    except EOFError:
        raise UsageError("nobody answered", "nothing was written; give --table, --model and --dimension") from None


def _write(
    args: argparse.Namespace, name: str, table: str, target: Target, model: str | None, dimension: int | None
) -> None:
    lines = [f"[targets.{name if re.fullmatch(r'[A-Za-z0-9_-]+', name) else _string(name)}]"]
    lines.append(f"table = {_literally(table)}")
    columns = target.names()
    lines += [f"{column} = {_literally(str(name))}" for column, name in columns.items() if name is not None]
    lines.append(f"model = {_literally(model)}" if model else '# model = "BAAI/bge-base-en-v1.5"')
    lines.append(f"dimension = {dimension}" if dimension else "# dimension = 768")
    before = ""
    if targets.CONFIG.exists():
        before = targets.CONFIG.read_text(encoding="utf-8").rstrip("\n") + "\n\n"
    elif url := _url(args):
        before = f"[storage.postgres]\nurl = {_string(url)}\n\n"
    _replace(targets.CONFIG, before + "\n".join(lines) + "\n")


def _url(args: argparse.Namespace) -> str | None:
    """Return the ``url`` to write, None where there is none to name. A password stays out of the file."""
    if args.embedded and not args.postgres_url and not os.environ.get("DATABASE_URL"):
        return None
    if args.postgres_url and not options.has_password(args.postgres_url):
        return str(args.postgres_url).replace("${", "$${")
    return "${DATABASE_URL}"


def _replace(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` at once: a file that cannot be written whole stays as it was."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(
            f"{path} cannot be written: {error}", "the file is as it was; run in another folder, or give write access"
        ) from error


def _string(text: str) -> str:
    """Return ``text`` as a string of TOML. JSON's escapes are TOML's; JSON lets DEL be, and TOML does not."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _literally(text: str) -> str:
    """Return ``text`` as the file has it where ``${`` begins no variable."""
    return _string(text.replace("${", "$${"))


def _next(name: str, *, installed: bool, complete: bool) -> list[str]:
    named = shlex.quote(name)
    model = "" if complete else " --model NAME_OR_DIR --dimension N"
    commands = [] if installed else ["vestige-sql migrate up --package-only"]
    return [
        *commands,
        f"vestige-sql migrate reembed {named}{model} --dry-run --calibrate",
        f"vestige-sql migrate reembed {named}{model}",
    ]
