"""Makes a page of an answer: no request to anywhere, no script, and no text of a row unless that is wanted."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from vestige_sql.encode.told import told
from vestige_sql.html import pictures
from vestige_sql.html.drawing import Picture
from vestige_sql.report import span
from vestige_sql.resources import package_version
from vestige_sql.terminal import visible

FIRST_LINE = "<!doctype html><!-- a report of vestige-sql -->"
"""What every page begins with. A file that begins so may be overwritten."""

MOST_BYTES = 1_000_000
"""Pages are smaller than this."""

KINDS = ("judge", "doctor", "preview", "reembed", "plan")
"""The answers that there are pages for. A dry run's is "plan"."""

TEXTS = {
    "judge": ("lost", "won"),
    "preview": ("question.text", "question.old.text", "question.new.text", "overlap.rows.text"),
}
"""Where an answer has texts of rows or questions, by its kind: the path of keys, through lists too."""

# So many rows of a table, characters of a text, and characters of JSON are shown: the most that fits.
_MOST = ((500, 4000, 300_000), (200, 2000, 100_000), (60, 800, 0), (20, 300, 0))


def page(kind: str, answer: Mapping[str, Any], *, with_texts: bool = False) -> str:
    """Return the HTML of an answer of ``kind``, one of :data:`KINDS`, as ``--json`` prints it.

    What its tables have no room for is counted. Texts of rows and questions are left out, unless ``with_texts``.
    """
    shown = dict(answer) if with_texts else without_texts(kind, answer)
    found: dict[str, Any] = {
        "kind": kind,
        "a": shown,
        "with_texts": with_texts,
        "pictures": _pictures(kind, shown),
        "first_line": Markup(FIRST_LINE),
        "version": package_version(),
        "made": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        # As --json has it: this one control character is let be.
        "json": json.dumps(shown, indent=2).replace("\x7f", "\\u007f"),
    }
    html = ""
    for rows, characters, json_characters in _MOST:
        html = (
            _environment(characters)
            .get_template(f"{kind}.html")
            .render(found, most=rows, json_fits=len(found["json"]) <= json_characters)
        )
        if len(html.encode()) < MOST_BYTES:
            break
    return html


def without_texts(kind: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``answer`` with None for each text of a row and each question."""
    kept: dict[str, Any] = json.loads(json.dumps(answer))
    for path in TEXTS.get(kind, ()):
        _forget(kept, path.split("."))
    return kept


def _forget(there: Any, path: list[str]) -> None:
    if isinstance(there, list):
        for each in there:
            _forget(each, path)
    elif isinstance(there, dict) and path[0] in there:
        if len(path) == 1:
            there[path[0]] = None
        else:
            _forget(there[path[0]], path[1:])


def _pictures(kind: str, answer: dict[str, Any]) -> dict[str, Picture | None]:
    if kind == "judge":
        return {
            "differences": pictures.of_differences(answer["measures"], answer["rules"]),
            "speed": pictures.of_speed(answer["speed"]),
        }
    if kind == "preview":
        return {"overlap": pictures.of_overlap(answer["overlap"]) if answer["overlap"] else None}
    if kind == "reembed":
        return {"spent": pictures.of_spent(answer["spent"])}
    if kind == "plan":
        return {"phases": pictures.of_phases(answer["phases"])}
    return {}


def _environment(characters: int) -> Environment:
    """Return the templates. What they print is escaped, control characters too, and has ``characters`` at most."""

    def shown(value: Any) -> Any:
        if isinstance(value, Markup):
            return value
        text = visible(str(value))
        return text if len(text) <= characters else f"{text[:characters]} … ({len(text):,} characters)"

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "commas": lambda number: f"{number:,}",
        "span": span,
        "size": _size,
        "signature": _signature,
        "svg": _svg,
        "told": told,
        "whole": escape,
    }
    return environment


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.1f} MB"


def _signature(model: Mapping[str, Any] | None) -> str:
    if model is None:
        return "none registered"
    return f"{model['name']} ({model['dimension']} dimensions, hash {model['hash'][:12]})"


def _svg(picture: Picture) -> Markup:
    # Made by ElementTree, which has escaped what is text in it.
    return Markup("".join(picture.svgs.values()))
