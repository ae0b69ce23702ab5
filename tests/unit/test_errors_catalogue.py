"""docs/errors.md has every error that there is, and none that there is no more.

A message stands in it as in the code, with ``..`` for what varies. What is missing, or left over, is printed as what
to add and what to remove.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pglast
import psycopg
from pglast.ast import A_Const, A_Expr, CaseExpr, FuncCall, Integer, Node, SelectStmt, String

from vestige_sql import cli, errors
from vestige_sql.resources import resource_dir

PACKAGE = Path(cli.__file__).parents[1]
PAGE = (resource_dir("migrations").parent / "docs" / "errors.md").read_text(encoding="utf-8")

CLASSES = {
    name: found
    for name, found in vars(errors).items()
    if inspect.isclass(found) and issubclass(found, errors.VestigeError)
}

_VARIES = "\0"


def template(message: str) -> str:
    """``message`` on one line, with ``..`` for what varies; a qualified name varies as one."""
    message = re.sub(rf"{_VARIES}(?:\.?{_VARIES})*", _VARIES, " ".join(message.split()))
    return message.replace(_VARIES, "..")


# --- What the code raises ---


def texts(node: ast.expr) -> list[str]:
    """The texts that an expression may give."""
    match node:
        case ast.Constant(value=str(value)):
            return [value]
        case ast.JoinedStr(values=values):
            return ["".join(v.value if isinstance(v, ast.Constant) else _VARIES for v in values)]  # type: ignore[misc]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return ["".join(pair) for pair in product(texts(left), texts(right))]
        case ast.IfExp(body=body, orelse=orelse):
            return texts(body) + texts(orelse)
    return [_VARIES]


def raised_in_python() -> set[tuple[str, str]]:
    """The class and the message of every error that is made in the package, but for those passed on as they are."""
    return {
        (call.func.id, template(text))
        for path in PACKAGE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in CLASSES and call.args
        for text in texts(call.args[0])
        if text != _VARIES
    }


_STRINGS = re.compile(r"'((?:[^']|'')*)'(?:\s*\n\s*'((?:[^']|'')*)')*")


def first_string(sql: str) -> str:
    """The first string of ``sql``, with those that continue it."""
    found = re.match(rf".*?({_STRINGS.pattern})", sql, re.DOTALL)
    assert found is not None, sql
    return "".join(part.replace("''", "'") for part in re.findall(r"'((?:[^']|'')*)'", found[1]))


def arguments(sql: str) -> list[str]:
    """The arguments of a call, whose opening parenthesis ``sql`` follows."""
    found, depth = [""], 0
    for token in re.findall(r"'(?:[^']|'')*'|--[^\n]*|.", sql, re.DOTALL):
        depth += (token == "(") - (token == ")")
        if depth < 0:
            break
        if token == "," and depth == 0:
            found.append("")
        elif not token.startswith("--"):
            found[-1] += token
    return found


def refused() -> Iterator[str]:
    """The message of every row of sql/probe/refusals/, and that of 80_by_way.sql for what hangs on the column."""
    for path in (resource_dir("sql") / "probe/refusals").glob("*.sql"):
        tree = parsed(path.read_text(encoding="utf-8"))
        for row in rows_of(tree):
            place, message = row[0].val, row[3].val  # type: ignore[attr-defined]
            # What hangs on the column is put into one sentence.
            if not (isinstance(place, A_Const) and place.val.ival in (0, _HANGS)):
                yield from said_by(message)
        if path.name == "80_by_way.sql":
            (hanging,) = (node for node in nodes(tree) if isinstance(node, FuncCall) and "hangs" in first_text(node))
            yield from said_by(hanging)


def first_text(call: FuncCall) -> str:
    match call.args:
        case (A_Const(val=String(sval=text)), *_):
            return str(text)
    return ""


_HANGS = 300


def parsed(sql: str) -> list[Node]:
    """The statements of a file, and those that its strings hold."""
    sql = re.sub(r":'\w+'", "'x'", re.sub(r':"\w+"', "x", sql)).replace("\\gexec", "")
    found = [raw.stmt for raw in pglast.parse_sql(re.sub(r"(?<!:):[a-z_]+", "1", sql))]
    for text in [node.sval for tree in found for node in nodes(tree) if isinstance(node, String)]:
        if "UNION ALL" in text:
            filled = re.sub(r"%\d\$L", "'x'", re.sub(r"(%\d\$s){2,}", "", text))
            found += parsed(re.sub(r"%\d\$[Is]", "x", re.sub(r"^\s*UNION ALL", "", filled)).replace("%%", "%"))
    return found


def nodes(tree: object) -> Iterator[Node]:
    if isinstance(tree, (list, tuple)):
        for one in tree:
            yield from nodes(one)
    elif isinstance(tree, Node):
        yield tree
        for name in tree:
            yield from nodes(getattr(tree, name))


def rows_of(tree: object) -> Iterator[tuple[Node, ...]]:
    """The columns of each SELECT that makes rows: place, what, object, message, hint, statements."""
    for node in nodes(tree):
        if isinstance(node, SelectStmt) and node.targetList and len(node.targetList) >= 7:
            first = node.targetList[0].val
            if isinstance(first, A_Expr) or (isinstance(first, A_Const) and isinstance(first.val, Integer)):
                yield node.targetList


def said_by(message: Node) -> Iterator[str]:
    """What a row's message may be: a string, format() of one, or a CASE of these."""
    match message:
        case A_Const(val=String(sval=text)):
            yield template(text)
        case FuncCall(args=(A_Const(val=String(sval=text)), *_)):
            yield template(re.sub(r"%(?:\d+\$)?[sIL]", _VARIES, text))
        case CaseExpr(args=whens, defresult=otherwise):
            for one in (*(when.result for when in whens), otherwise):
                yield from said_by(one)
        case _:
            raise AssertionError(message)


def raised_in_sql() -> set[str]:
    """The message of every check in the steps, and of every RAISE in the migrations and functions."""
    return set(_checks()) | set(_raises())


def _checks() -> Iterator[str]:
    for path in resource_dir("sql").rglob("*.sql"):
        if path.name == "require.sql":
            continue  # the function itself
        for _, _, call in _split(path, "vestige_sql.require("):
            message = arguments(call)[1]
            if "x.refused" in message:
                continue  # a row's of sql/probe/refusals/
            varying = re.match(r"\s*(pg_catalog\.)?format\(", message)
            text = first_string(message)
            yield template(re.sub(r"%(?:\d+\$)?[sIL]", _VARIES, text) if varying else text)


def _raises() -> Iterator[str]:
    sql = resource_dir("sql")
    for path in (*resource_dir("migrations").rglob("*.sql"), *sql.glob("functions/*.sql"), *sql.glob("session/*.sql")):
        for _, _, rest in _split(path, "RAISE EXCEPTION '"):
            yield template(re.sub("%", _VARIES, first_string(f"'{rest}")))


def _split(path: Path, call: str) -> Iterator[tuple[str, str, str]]:
    text = path.read_text(encoding="utf-8")
    place = -1
    while (place := text.find(call, place + 1)) >= 0:
        yield text[:place], call, text[place + len(call) :]


def handled() -> set[str]:
    """The SQLSTATE of every error of PostgreSQL that the package handles by name, and of every one of its own."""
    named = {
        sqlstate
        for path in PACKAGE.rglob("*.py")
        for name in re.findall(r"psycopg\.errors\.(\w+)", path.read_text(encoding="utf-8"))
        if (sqlstate := getattr(psycopg.errors, name).sqlstate)
    }
    functions = resource_dir("sql").glob("functions/*.sql")
    sources = [*PACKAGE.rglob("*.py"), *resource_dir("migrations").rglob("*.sql"), *functions]
    return named | {code for path in sources for code in re.findall(r"['\"](VS\d{3})['\"]", path.read_text("utf-8"))}


# --- What the page says ---


def sections() -> dict[str, str]:
    """The text under each heading of the page."""
    parts = re.split(r"^##+ (.+)$", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(text: str) -> list[list[str]]:
    """The cells of the table in ``text``, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def messages(heading: str) -> list[str]:
    return [row[0].strip("`") for row in rows(sections().get(heading, ""))]


CHECKS = "Checks in the SQL"


def test_every_class_is_there_with_its_exit_code() -> None:
    listed = {row[0].strip("`"): row[1] for row in rows(sections()["Exit codes"])}
    assert listed == {name: str(found.exit_code) for name, found in CLASSES.items()}


def test_there_is_something_to_look_at() -> None:
    """A search that finds no file would find no message that is missing either."""
    assert len(list(PACKAGE.rglob("*.py"))) > 50
    assert len(list(resource_dir("sql").rglob("*.sql"))) > 200
    assert len(list(resource_dir("migrations").rglob("*.sql"))) > 5


def test_every_message_is_there() -> None:
    there = {(name, message) for name in CLASSES for message in messages(name)}
    wanted = raised_in_python() | {("TargetError", message) for message in refused()}
    assert f"to add: {sorted(wanted - there)}, to remove: {sorted(there - wanted)}" == "to add: [], to remove: []"


def test_every_check_in_the_sql_is_there() -> None:
    there, wanted = set(messages(CHECKS)), raised_in_sql()
    assert f"to add: {sorted(wanted - there)}, to remove: {sorted(there - wanted)}" == "to add: [], to remove: []"


def test_every_sqlstate_is_there_under_its_name() -> None:
    listed = {row[0].strip("`"): row[1].strip("`") for row in rows(sections()["SQLSTATE"])}
    assert handled() <= set(listed)
    for sqlstate, name in listed.items():
        if not sqlstate.startswith("VS"):
            # The condition's name in PostgreSQL's appendix, which psycopg's class has in other letters.
            assert psycopg.errors.lookup(sqlstate).__name__.lower() == name.replace("_", "")


def test_a_message_stands_once_and_each_row_says_what_to_do() -> None:
    for heading in (*CLASSES, CHECKS, "SQLSTATE"):
        found = rows(sections().get(heading, ""))
        assert len({row[0] for row in found}) == len(found), heading
        assert all(len(cell.split()) > 2 for row in found for cell in row[2 if heading == "SQLSTATE" else 1 :]), heading
    # Each class says once for all its messages what state the data is in.
    for name in CLASSES:
        if messages(name):
            assert "**State:**" in sections()[name], name
