"""The pictures of the pages, each of a part of an answer as ``--json`` has it. None where there is nothing to see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from vestige_sql.html.drawing import BAD, GOOD, GRID, MUTED, NEUTRAL, NEW, OLD, Picture, draw, label
from vestige_sql.report import span

_MOST_SLICES = 12
_ROW = 26
_MOST_LINES = 8
_MOST_POINTS = 40


def of_differences(measures: Sequence[Mapping[str, Any]], rules: Sequence[Mapping[str, Any]]) -> Picture | None:
    """Draw the intervals of the differences: each measure over all questions, and nDCG@10 in each slice."""
    rows = [row for row in measures if row["difference"] is not None and row["slice"] == ""]
    slices = [row for row in measures if row["slice"] and row["measure"] == "ndcg@10" and row["difference"] is not None]
    slices.sort(key=lambda row: (-row["questions"], row["slice"]))
    compared = len(rows)
    rows += slices[:_MOST_SLICES]
    if not rows:
        return None
    limits = [_limits(row, rules) for row in rows]

    def on(axes: Axes, width: int) -> None:
        for place, (row, at) in enumerate(zip(rows, limits, strict=True)):
            colour = GOOD if row["low"] > 0 else BAD if row["high"] < 0 else NEUTRAL
            axes.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=4, solid_capstyle="round")
            axes.plot([row["difference"]], [place], "o", color=colour, markersize=9)
            for limit in at:
                axes.plot([limit, limit], [place - 0.36, place + 0.36], color=MUTED, linewidth=1.5)
        axes.axvline(0, color=MUTED, linewidth=1)
        if compared < len(rows):
            axes.axhline(compared - 0.5, color=GRID, linewidth=3)
        axes.set_yticks(range(len(rows)), [label(row["slice"] or row["measure"], width // 3) for row in rows])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlabel("new less old")
        axes.locator_params(axis="x", nbins=max(3, width // 110))
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)

    says = "; ".join(
        f"{row['slice'] or 'all'} {row['measure']} {row['difference']:+.3f}, from {row['low']:+.3f} "
        f"to {row['high']:+.3f}"
        for row in rows
    )
    return draw("differences", "What changes, with the 95 % interval", says, 60 + _ROW * len(rows), on)


def _limits(row: Mapping[str, Any], rules: Sequence[Mapping[str, Any]]) -> list[float]:
    """Return where the rules about a measure have their limits."""
    return [
        -rule["value"] if rule["kind"] == "max_drop" else rule["value"]
        for rule in rules
        if rule["measure"] == row["measure"]
        and (rule["slice"] == row["slice"] or (rule["slice"] == "*" and row["slice"]))
    ]


def of_speed(speed: Sequence[Mapping[str, Any]]) -> Picture | None:
    """Draw recall against latency: a line an index, a point a search setting."""
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in speed:
        found.setdefault((row["space"], row["index"]), []).append(row)
    lines = dict(list(found.items())[:_MOST_LINES])
    if not lines:
        return None
    dashes = ("-", "--", ":", "-.")

    def on(axes: Axes, width: int) -> None:
        nth = Counter[str]()
        for (space, name), rows in lines.items():
            points = sorted(rows, key=lambda row: row["value"])
            points = points[:: -(-len(points) // _MOST_POINTS)]
            axes.plot(
                [row["p95_ms"] for row in points],
                [row["recall"] for row in points],
                dashes[nth[space] % len(dashes)],
                marker="o",
                color=NEW if space == "new" else OLD,
                label=label(f"{space}: {name}", width * 2 // 3),
            )
            nth[space] += 1
            for row in (points[0], points[-1])[: len(points)]:
                axes.annotate(
                    str(row["value"]),
                    (row["p95_ms"], row["recall"]),
                    xytext=(4, -13),
                    textcoords="offset points",
                    color=MUTED,
                    fontsize=11,
                )
        axes.set_xlabel("p95 of a search, ms")
        axes.set_ylabel("recall@10")
        axes.set_xlim(left=0)
        axes.locator_params(axis="x", nbins=max(3, width // 90))
        axes.grid()
        axes.figure.legend(loc="outside lower left", frameon=False, labelcolor="linecolor")

    settings = sorted({str(row["setting"]) for row in speed})
    says = "; ".join(
        f"{row['space']} {row['index']} {row['setting']} {row['value']}: recall {row['recall']:.3f}, "
        f"p95 {row['p95_ms']:.2f} ms"
        for row in speed
    )
    return draw("speed", f"Recall against latency, by {' and '.join(settings)}", says, 300 + 20 * len(lines), on)


def of_overlap(overlap: Mapping[str, Any]) -> Picture | None:
    """Draw how many rows keep how many of their nearest neighbours."""
    limit, rows = overlap["limit"], overlap["rows"]
    if not rows:
        return None
    bins = min(limit, 20) + 1
    counts = Counter(round(row["overlap"] * (bins - 1)) for row in rows)

    def on(axes: Axes, width: int) -> None:
        axes.bar(range(bins), [counts[place] for place in range(bins)], width=0.85, color=NEW)
        step = max(1, round(bins * 45 / width))
        shown = range(0, bins, step)
        axes.set_xticks(list(shown), [f"{100 * place / (bins - 1):.0f}%" for place in shown])
        axes.axvline(overlap["mean"] * (bins - 1), color=MUTED, linestyle="--", linewidth=1.5)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel(f"shared of the {limit} nearest neighbours")
        axes.set_ylabel("rows")
        axes.grid(axis="y")

    says = f"{overlap['mean']:.0%} on average; " + "; ".join(
        f"{100 * place / (bins - 1):.0f}%: {counts[place]} rows" for place in range(bins) if counts[place]
    )
    return draw("overlap", "How many neighbours stay", says, 260, on)


def of_spent(spent: Mapping[str, float]) -> Picture | None:
    """Draw where the time of a run went."""
    whole = sum(spent.values())
    rows = [(name, secs) for name, secs in spent.items() if whole and secs >= whole / 1000]
    if not rows:
        return None

    def on(axes: Axes, width: int) -> None:
        axes.barh(
            range(len(rows)),
            [secs for _, secs in rows],
            height=0.62,
            color=[MUTED if name in ("waiting", "other") else NEW for name, _ in rows],
        )
        for place, (_, secs) in enumerate(rows):
            axes.annotate(
                f"{span(secs)}, {secs / whole:.0%}" if width > 400 else span(secs),
                (secs, place),
                xytext=(6, 0),
                textcoords="offset points",
                verticalalignment="center",
            )
        axes.set_yticks(range(len(rows)), [name for name, _ in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(0, max(secs for _, secs in rows) * (1.25 if width > 400 else 1.5))
        axes.set_xticks([])
        axes.tick_params(axis="y", length=0)
        axes.spines[:].set_visible(False)

    says = "; ".join(f"{name} {span(secs)}, {secs / whole:.0%}" for name, secs in rows)
    return draw("spent", f"Where the time went: {span(whole)} in all", says, 20 + _ROW * len(rows), on)


_WAITS = {"nobody": (NEUTRAL, "nobody waits"), "writers": (OLD, "writers wait"), "everybody": (BAD, "everybody waits")}


def of_phases(phases: Sequence[Mapping[str, Any]]) -> Picture | None:
    """Draw the phases of a plan one after another in time. None where no time was predicted."""
    if not any(phase["secs"] for phase in phases):
        return None
    whole = sum(phase["secs"] or 0 for phase in phases)

    def on(axes: Axes, width: int) -> None:
        begun = 0.0
        for place, phase in enumerate(phases):
            secs = phase["secs"] or 0
            # What takes no time to speak of is still to be seen.
            axes.barh([place], [max(secs, whole / 200)], left=begun, height=0.6, color=_WAITS[phase["waits"]][0])
            axes.annotate(
                _time(phase),
                (whole, place),
                xytext=(6, 0),
                textcoords="offset points",
                verticalalignment="center",
                annotation_clip=False,
            )
            begun += secs
        names = [f"{number}. {phase['name']}" for number, phase in enumerate(phases, 1)]
        axes.set_yticks(range(len(phases)), [label(name, width // 2) for name in names])
        axes.set_ylim(len(phases) - 0.4, -0.6)
        axes.set_xlim(0, whole * (1.13 if width > 400 else 1.5))
        axes.set_xticks([0, whole], ["0", span(whole)])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x", color=GRID)
        waits = [waits for waits in _WAITS if any(phase["waits"] == waits for phase in phases)]
        axes.figure.legend(
            handles=[Patch(color=_WAITS[each][0], label=_WAITS[each][1]) for each in waits],
            loc="outside lower center",
            ncols=len(waits),
            frameon=False,
            handlelength=1,
            columnspacing=1,
            fontsize=11,
        )

    says = "; ".join(f"{phase['name']}: {_time(phase)}, {_WAITS[phase['waits']][1]}" for phase in phases)
    return draw("phases", f"The plan as a time line: about {span(whole)}", says, 80 + _ROW * len(phases), on)


def _time(phase: Mapping[str, Any]) -> str:
    return "not predicted" if phase["secs"] is None else span(phase["secs"])
