"""Record the demonstration for the README: ``.venv/bin/python docs/record_demo.py``, after ``make clean-demo venv``.

It runs ``make reembed``, shows what it prints, and writes that to docs/pictures/demo.svg, line by line as it came. Long
pauses are cut short. The connection string and what is of this machine are left out. Where there is a Chromium, it also
takes docs/pictures/report.png of the report that the demonstration leaves.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from html import escape
from pathlib import Path

PICTURES = Path(__file__).parent / "pictures"
REPORT = Path(".vestige/report-judge.html")

COLUMNS, ROWS = 100, 30
_WIDTH, _LINE, _LEFT, _TOP, _FONT = 8.4, 18, 16, 44, 14
_MOST_PAUSE, _LAST_PAUSE = 1.5, 8.0
_COLOURS = (
    (r"\$ ", "#8ccf7e"),
    (r"GO$", "#8ccf7e"),
    (r"NO-GO$|error:", "#e57474"),
    (r"INCONCLUSIVE$|Before: |After: |Is the new|Then by", "#e5c76b"),
    (r"(stage|judge|reembed): ", "#9aa7b5"),
)

Line = tuple[float, str]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=PICTURES, help="folder of the pictures (%(default)s)")
    parser.add_argument("command", nargs="*", default=["make", "reembed"], help="what to run (%(default)s)")
    args = parser.parse_args(argv)
    lines, code = record(args.command)
    if code:
        print(f"{args.command} ended with {code}; nothing was written", file=sys.stderr)
        return code
    args.into.mkdir(exist_ok=True)
    (args.into / "demo.svg").write_text(as_svg(cleaned(lines), "make reembed"), encoding="utf-8")
    photograph(REPORT, args.into / "report.png")
    return 0


def record(command: Sequence[str]) -> tuple[list[Line], int]:
    """Run ``command``; return its lines with the seconds at which they came, and its exit code."""
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "COLUMNS": str(COLUMNS)}
    began = time.monotonic()
    lines = []
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            sys.stdout.write(line)
            lines.append((time.monotonic() - began, line.rstrip("\n")))
    return lines, running.returncode


def cleaned(lines: Sequence[Line]) -> list[Line]:
    """Return ``lines`` without what only this machine has, cut as a terminal of :data:`COLUMNS` columns shows them."""
    found = []
    for at, said in lines:
        line = re.sub(r"--postgres-url ('[^']*'|\S+) ?", "", said).replace(str(Path.cwd()) + "/", "")
        line = re.sub(r"(?<=hash [0-9a-f]{12})[0-9a-f]+|(?<=hash=')([0-9a-f]{12})[0-9a-f]+", r"\1", line)
        line = re.sub(r"\S*/bin/vestige-sql", "vestige-sql", line)
        for start in range(0, max(1, len(line)), COLUMNS):
            found.append((at, line[start : start + COLUMNS]))
    return found


def as_svg(lines: Sequence[Line], command: str) -> str:
    """Return ``lines`` as an SVG that plays once and then shows the last screen, as it does where nothing may move."""
    lines = [(0.0, f"$ {command}"), (0.0, ""), *lines]
    times, now, before = [], 0.0, 0.0
    for at, _ in lines:
        now += min(max(at - before, 0.03), _MOST_PAUSE)
        before = at
        times.append(now)
    whole = now + _LAST_PAUSE
    scrolled = max(0, len(lines) - ROWS)
    frames = [
        f"{100 * times[ROWS + row] / whole:.2f}% {{transform: translateY({-_LINE * (row + 1)}px)}}"
        for row in range(scrolled)
    ]
    width, height = round(COLUMNS * _WIDTH + 2 * _LEFT), _TOP + ROWS * _LINE + 12
    texts, colour = [], ""
    for row, (_, said) in enumerate(lines):
        if not row or len(lines[row - 1][1]) < COLUMNS:
            # Else it goes on with the line above.
            colour = next((colour for start, colour in _COLOURS if re.match(rf"\s*(?:{start})", said)), "#dadada")
        if said.strip():
            begun = f' class="l" style="animation-delay:{times[row]:.2f}s"' if row < ROWS else ""
            texts.append(
                f'<text x="{_LEFT}" y="{_TOP + row * _LINE + _FONT}" fill="{colour}"'
                f' textLength="{len(said) * _WIDTH:.1f}"'
                f' lengthAdjust="spacingAndGlyphs"{begun}>{escape(said)}</text>'
            )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" role="img"'
            f' aria-label="A terminal that runs {escape(command)}">',
            "<style>",
            f"text {{font: {_FONT}px ui-monospace, Menlo, Consolas, 'Liberation Mono', monospace; white-space: pre}}",
            f"#all {{transform: translateY({-_LINE * scrolled}px)}}",
            "@media (prefers-reduced-motion: no-preference) {",
            f"#all {{animation: up {whole:.2f}s step-end}} .l {{animation: come 0.01s backwards}}",
            f"@keyframes up {{0% {{transform: none}} {' '.join(frames)}}}",
            "@keyframes come {from {opacity: 0} to {opacity: 1}}",
            "}</style>",
            f'<rect width="{width}" height="{height}" rx="8" fill="#141b1e"/>',
            *(f'<circle cx="{18 + 20 * n}" cy="18" r="6" fill="#3b4449"/>' for n in range(3)),
            f'<clipPath id="screen"><rect y="{_TOP + 1}" width="{width}" height="{ROWS * _LINE}"/></clipPath>',
            '<g clip-path="url(#screen)"><g id="all">',
            *texts,
            "</g></g></svg>",
            "",
        ]
    )


def photograph(page: Path, picture: Path) -> None:
    """Take a picture of the top of ``page`` with Chromium, if there is one."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None or not page.is_file():
        print(f"no Chromium here, or no {page}: {picture} stays as it is", file=sys.stderr)
        return
    subprocess.run(
        [browser, "--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1000,680",
         f"--screenshot={picture.resolve()}", page.resolve().as_uri()],
        check=True, timeout=60, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
