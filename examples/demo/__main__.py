"""What `make reembed` shows: search by word overlap, the verdict, the re-embedding, search by meaning.

What is left to do is read from the database each time, so a run that was killed goes on with the next one.
"""

from __future__ import annotations

import argparse
import json
import platform
import shlex
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import psycopg
from pgvector.psycopg import register_vector
from psycopg.types.json import Jsonb

from demo import minilm
from demo.corpus import Document, documents
from demo.hashing import HashingEmbedder
from demo.questions import ANSWERS
from vestige_sql import Embedder, ModelSignature, VestigeError, cli, register_model
from vestige_sql.database import embedded
from vestige_sql.database.migrations import migrate_up
from vestige_sql.encode.onnx import load_embedder
from vestige_sql.judge.rules import VERDICTS

FOLDER = Path(".vestige")

DERIVED = 150
"""So many questions are derived from the rows."""

# Their telling words stand in no good answer, and "code" and "file" stand in many bad ones.
QUESTIONS = ("how fast is my code", "how old is this file", "pick a lottery winner")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--delete", action="store_true", help=f"stop the server and delete {FOLDER}")
    try:
        if parser.parse_args(argv).delete:
            return delete(FOLDER)
        conninfo = embedded.start(FOLDER)
        print(f"{version(conninfo)}, in {FOLDER / 'pgdata'}")
        prepare(conninfo)
        return demonstrate(conninfo, minilm.build(FOLDER))
    except VestigeError as error:
        print(f"error: {error}\n{error.hint}".rstrip(), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("\nStopped. `make reembed` goes on from here.", file=sys.stderr)
        return 130


def prepare(conninfo: str, texts: Callable[[], list[Document]] = documents) -> None:
    """Bring an empty database to where a re-embedding starts: the corpus in the old model's space, indexed.

    Every step finds out whether it is done already.
    """
    migrate_up(conninfo)
    old = HashingEmbedder()
    if registered(conninfo) is None:
        register_model(conninfo, old.signature())
    fill(conninfo, old, texts)
    migrate_up(conninfo)  # the HNSW index, which has to wait for a dimension


def fill(conninfo: str, old: Embedder, texts: Callable[[], list[Document]]) -> None:
    """Copy the corpus with its old vectors into ``knowledge_nodes`` if that is empty, in one transaction."""
    with psycopg.connect(conninfo) as conn:
        # Of two runs at a time, one fills and the other finds it done.
        conn.execute("LOCK TABLE knowledge_nodes IN SHARE ROW EXCLUSIVE MODE")
        if rows(conn) or registered(conninfo) != old.signature():
            return
        corpus = texts()
        print(f"{len(corpus):,} docstrings of Python {platform.python_version()} as the corpus", flush=True)
        vectors = old.embed_batch([document.content for document in corpus])
        register_vector(conn)
        columns = "id, content, node_type, tags, metadata, codebase, embedding"
        with conn.cursor().copy(f"COPY knowledge_nodes ({columns}) FROM STDIN") as copy:
            for document, vector in zip(corpus, vectors, strict=True):
                copy.write_row(
                    (
                        document.id,
                        document.content,
                        document.node_type,
                        document.tags,
                        Jsonb(document.metadata),
                        "cpython",
                        vector,
                    )
                )
    with psycopg.connect(conninfo, autocommit=True) as conn:
        conn.execute("ANALYZE knowledge_nodes")


def demonstrate(conninfo: str, model: Path) -> int:
    """Ask, judge and re-embed by the command line with the model in the folder ``model``, and ask again."""
    old = HashingEmbedder()
    new = load_embedder(str(model))
    of_model = ["--model", str(model), "--dimension", str(new.dimension)]
    if registered(conninfo) == old.signature():
        ask(conninfo, old, f"Before: {old.model_name} sees shared words")
        if code := run(conninfo, "stage", *of_model):
            return code
        if code := judge(conninfo, model):
            return code
    code = run(conninfo, "reembed", *of_model, *report(model, "reembed"))
    if code == 0:
        ask(conninfo, new, f"After: {new.model_name} sees meaning")
        say_reports(model)
    return code


def judge(conninfo: str, model: Path) -> int:
    """Judge what is staged by questions derived from the rows, and by those of people. Return 0 for any verdict."""
    models = ["--model", str(model), "--old-embedder", f"{HashingEmbedder.__module__}:{HashingEmbedder.__name__}"]
    print("\nIs the new model better? First by parts of the texts, which favour a model that matches words:")
    code = run(conninfo, "judge", *models, "--derive", str(DERIVED), *report(model, "derived"))
    if code not in VERDICTS.values():
        return code
    file = model.parent / "questions.jsonl"
    asked = write_questions(conninfo, file)
    if asked:
        print(f"\nThen by {asked} questions as people ask them, whose answers are known:")
        code = run(conninfo, "judge", "--questions", str(file), *models, *report(model, "judge", "--with-texts"))
    print("\nWith --require-verdict, the next command would stop unless the last verdict is GO.")
    return 0 if code in VERDICTS.values() else code


def write_questions(conninfo: str, file: Path) -> int:
    """Write the questions that rows answer to ``file``, as JSON lines, and return how many there are."""
    with psycopg.connect(conninfo) as conn:
        found = conn.execute(r"SELECT split_part(content, E'\n', 1), id::text FROM knowledge_nodes").fetchall()
    ids = dict(found)
    lines = [
        json.dumps({"question": question, "relevant": [ids[name] for name in names if name in ids]})
        for question, names in ANSWERS.items()
        if any(name in ids for name in names)
    ]
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return len(lines)


def run(conninfo: str, verb: str, *options: str) -> int:
    """Show and run a command on the database, and return its exit code."""
    # The URL goes first of all: a vestige.toml in the current folder may name a database that matters.
    arguments = ["migrate", verb, "--postgres-url", conninfo, *options]
    print(f"\n$ {shlex.join([command(), *arguments])}", flush=True)
    return cli.main(arguments)


def report(model: Path, name: str, *options: str) -> list[str]:
    """Return the options for a report beside ``model``, none where the libraries for it are not installed."""
    if not all(find_spec(library) for library in ("jinja2", "matplotlib")):
        return []
    return ["--report", str(report_file(model, name)), *options]


def report_file(model: Path, name: str) -> Path:
    return model.parent / f"report-{name}.html"


def say_reports(model: Path) -> None:
    files = [report_file(model, name) for name in ("judge", "derived", "reembed")]
    if there := [str(file) for file in files if file.is_file()]:
        print(f"\nReports to look at in a browser: {', '.join(there)}")


def ask(conninfo: str, embedder: Embedder, title: str) -> None:
    """Print the three nearest rows of each question; the distance is the cosine's, as the index has it."""
    print(f"\n{title}")
    with psycopg.connect(conninfo) as conn:
        register_vector(conn)
        conn.execute("SET hnsw.ef_search = 200")
        for question, vector in zip(QUESTIONS, embedder.embed_batch(QUESTIONS), strict=True):
            print(f'\n  "{question}"')
            found = conn.execute("SELECT content FROM knowledge_nodes ORDER BY embedding <=> %s LIMIT 3", [vector])
            for (content,) in found:
                name, _, docstring = content.partition("\n\n")
                summary = docstring.partition("\n\n")[0]
                print("    " + textwrap.shorten(f"{name}: {summary}", 96, placeholder=" ..."))
    sys.stdout.flush()


def registered(conninfo: str) -> ModelSignature | None:
    """Return the model that the registry names, if any."""
    with psycopg.connect(conninfo) as conn:
        row = conn.execute("SELECT model_name, dimension, model_hash FROM embedding_model").fetchone()
    return row and ModelSignature(*row)


def rows(conn: psycopg.Connection) -> int:
    row = conn.execute("SELECT count(*) FROM knowledge_nodes").fetchone()
    return row[0] if row else 0


def version(conninfo: str) -> str:
    with psycopg.connect(conninfo) as conn:
        row = conn.execute(
            "SELECT current_setting('server_version'), default_version FROM pg_available_extensions"
            " WHERE name = 'vector'"
        ).fetchone()
    return "PostgreSQL {} with pgvector {}".format(*row or ("?", "?"))


def command() -> str:
    """Return how a person in the current folder calls the command line that runs here."""
    path = Path(sys.executable).with_name("vestige-sql")
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else path.name


def delete(folder: Path) -> int:
    """Stop the embedded server of ``folder`` and delete its data and the model, unless somebody uses it."""
    if not folder.exists():
        print(f"There is no {folder} here.")
        return 0
    # A server that a killed process left running can only be stopped by joining it first.
    embedded.start(folder)
    embedded.stop(folder)
    if (folder / "pgdata" / "postmaster.pid").exists():
        print(f"Another process uses the server in {folder}; nothing was deleted.", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    print(f"Deleted {folder}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
