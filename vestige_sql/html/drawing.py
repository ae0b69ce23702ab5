"""Draws with matplotlib, and makes SVG of it that belongs into a page: its colours and its font are the page's own.

A picture is drawn twice: for a window of a screen, and for that of a telephone. The page shows the one that fits.
"""

from __future__ import annotations

import io
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vestige_sql.terminal import visible_line

INK, MUTED, GRID = "#010201", "#010202", "#010203"
OLD, NEW = "#010204", "#010205"
GOOD, BAD, NEUTRAL = "#010206", "#010207", "#010208"

_VARIABLES = {
    INK: "currentColor",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    OLD: "var(--old)",
    NEW: "var(--new)",
    GOOD: "var(--good)",
    BAD: "var(--bad)",
    NEUTRAL: "var(--neutral)",
}
"""What stands for a colour while matplotlib draws, with what the page has for it."""

WIDTHS = {"wide": 900, "narrow": 330}
"""The two pictures, with their widths in pixels."""

_FONT_SIZE = 12
_MOST_SAID = 2000
_CHARACTER = 7.4
"""A little more than what a character is wide, in pixels: the page's font is not matplotlib's."""

_SETTINGS = {
    # Text stays text, which the page's font shows and a reader can search.
    "svg.fonttype": "none",
    # Names come from the database: a dollar sign begins no formula.
    "text.parse_math": False,
    "font.size": _FONT_SIZE,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "text.color": INK,
    "xtick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.color": GRID,
    "ytick.labelcolor": INK,
}


@dataclass(frozen=True)
class Picture:
    """A picture: ``svgs`` has its SVG by the names of :data:`WIDTHS`, ``says`` is what it shows in words."""

    title: str
    says: str
    svgs: dict[str, str]


def draw(name: str, title: str, says: str, height: int, on: Callable[[Axes, int], None]) -> Picture:
    """Return what ``on`` draws on axes of a picture ``height`` pixels high, and as wide as it is told.

    ``name`` is the picture's own on its page: the names inside it begin with it. ``says`` says in words what it shows.
    """
    svgs = {}
    says = says if len(says) <= _MOST_SAID else says[:_MOST_SAID] + "…"
    for kind, width in WIDTHS.items():
        with rc_context(_SETTINGS | {"svg.hashsalt": f"{name} {kind}"}), warnings.catch_warnings():
            # Another font than matplotlib's shows the text, so what its own lacks does not matter.
            warnings.simplefilter("ignore")
            figure = Figure(figsize=(width / 72, height / 72), layout="constrained")
            on(figure.add_subplot(), width)
            drawn = io.StringIO()
            figure.savefig(drawn, format="svg", transparent=True)
        svgs[kind] = _for_a_page(drawn.getvalue(), f"{name}-{kind}", title, says)
    return Picture(title, says, svgs)


def label(text: str, width: int) -> str:
    """Return ``text`` on one line of at most ``width`` pixels, with control characters as escapes."""
    most = max(6, int(width / _CHARACTER))
    shown = visible_line(text)
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def _for_a_page(svg: str, name: str, title: str, says: str) -> str:
    """Return ``svg`` as it stands inside HTML: no namespace, no name of others, no colour and no font of its own."""
    root = ET.fromstring(svg)
    for parent in list(root.iter()):
        for child in list(parent):
            if _local(child.tag) in ("metadata", "style"):
                parent.remove(child)
    for node in root.iter():
        node.tag = _local(node.tag)
        attributes = {_local(key): value for key, value in node.attrib.items()}
        if "id" in attributes:
            attributes["id"] = f"{name}-{attributes['id']}"
        if "href" in attributes:
            attributes["href"] = f"#{name}-{attributes['href'].removeprefix('#')}"
        if "clip-path" in attributes:
            attributes["clip-path"] = attributes["clip-path"].replace("url(#", f"url(#{name}-")
        if "style" in attributes:
            attributes["style"] = _style(attributes["style"])
        node.attrib.clear()
        node.attrib.update(attributes)
        node.tail = None
        if node.tag != "text":
            node.text = None
    head = {
        "class": name.rpartition("-")[2],
        "viewBox": root.attrib["viewBox"],
        "width": root.attrib["width"].removesuffix("pt"),
        "role": "img",
        "aria-labelledby": f"{name}-title {name}-says",
    }
    root.attrib.clear()
    root.attrib.update(head)
    for place, (kind, text) in enumerate((("title", title), ("desc", says))):
        node = ET.Element(kind, id=f"{name}-{'title' if kind == 'title' else 'says'}")
        node.text = visible_line(text)
        root.insert(place, node)
    return ET.tostring(root, encoding="unicode")


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _style(style: str) -> str:
    kept = []
    for part in style.split(";"):
        key, _, value = (text.strip() for text in part.partition(":"))
        if key == "font":
            # matplotlib before 3.10 says size and family in one.
            key, value = "font-size", found[0] if (found := re.search(r"[\d.]+px", value)) else f"{_FONT_SIZE}px"
        if key and key != "font-family":
            kept.append(f"{key}:{_VARIABLES.get(value, value)}")
    return ";".join(kept)
