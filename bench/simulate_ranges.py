"""Simulate how the length of a worker's range of rows decides when the last row of a table is encoded.

Workers take range after range, as those of `--engine ray` do. Each has a speed of its own; one in twenty, and one at
least, is at a quarter of it. A range costs `--overhead` seconds in which nothing is encoded: its first page is read,
its last chunk is written. A worker is lost now and then: what it had not committed is encoded again by whoever gets
the rest of its range next, and it is back after `--replaced` seconds. The table says how much longer a run takes than
one in which every worker is busy until the last second.
"""

from __future__ import annotations

import argparse
import heapq
from dataclasses import dataclass

import numpy as np

from vestige_sql.cluster.ranges import range_rows
from vestige_sql.reembed.stage import PAGE_ROWS


@dataclass(frozen=True)
class Cluster:
    """So many workers that encode so many rows a second each, and the rows of the table."""

    name: str
    rows: int
    workers: int
    rows_per_sec: float


CLUSTERS = (
    Cluster("8 workers on CPUs", 1_000_000, 8, 100),
    Cluster("64 workers on CPUs", 20_000_000, 64, 100),
    Cluster("8 workers on GPUs", 100_000_000, 8, 2_000),
    Cluster("64 workers on GPUs", 1_000_000_000, 64, 2_000),
)
SHARES = (1, 4, 16, 32, 64, 128, 512, 2_048)
SLOW = 0.25


@dataclass(frozen=True)
class Trouble:
    """What goes wrong: slow workers or none, and the seconds that a worker lives in the mean (0: for ever)."""

    name: str
    slow: bool
    lives_secs: float


def run(
    cluster: Cluster, length: int, trouble: Trouble, arguments: argparse.Namespace, random: np.random.Generator
) -> float:
    """Return the seconds of one run over those of workers that are never idle."""
    speeds = cluster.rows_per_sec * random.lognormal(0, 0.1, cluster.workers)
    if trouble.slow:
        speeds[: max(1, cluster.workers // 20)] *= SLOW
    lives = random.exponential(trouble.lives_secs, cluster.workers) if trouble.lives_secs else None
    left = [length] * (cluster.rows // length)
    left += [cluster.rows % length] if cluster.rows % length else []
    free = [(0.0, worker) for worker in range(cluster.workers)]
    heapq.heapify(free)
    # A range whose worker was lost is there again only from then on, and is the next to be taken.
    again: list[tuple[float, int]] = []
    end = 0.0
    while left or again:
        now, worker = heapq.heappop(free)
        if again and (again[0][0] <= now or not left):
            since, rows = heapq.heappop(again)
            now = max(now, since)
        else:
            rows = left.pop()
        done = now + arguments.overhead + rows / speeds[worker]
        if lives is not None and done > lives[worker]:
            lost = max(now, lives[worker])
            # The chunk that is written and the one in the works.
            committed = int(max(0.0, (lost - now - arguments.overhead) * speeds[worker]) // PAGE_ROWS - 1) * PAGE_ROWS
            heapq.heappush(again, (lost, rows - min(rows, max(0, committed))))
            done = lost + arguments.replaced
            lives[worker] = done + random.exponential(trouble.lives_secs)
        else:
            end = max(end, done)
        heapq.heappush(free, (done, worker))
    return end / (cluster.rows / speeds.sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--overhead", type=float, default=0.3, help="seconds a range costs besides encoding")
    parser.add_argument("--replaced", type=float, default=60.0, help="seconds until a lost worker is replaced")
    parser.add_argument("--lives", type=float, default=4 * 3600.0, help="seconds that a worker lives in the mean")
    parser.add_argument("--runs", type=int, default=20, help="runs of each, of which the mean is shown")
    arguments = parser.parse_args()

    troubles = (
        Trouble("none", slow=False, lives_secs=0),
        Trouble("slow", slow=True, lives_secs=0),
        Trouble("slow, lost", slow=True, lives_secs=arguments.lives),
    )
    for cluster in CLUSTERS:
        own = range_rows(cluster.rows, cluster.workers, PAGE_ROWS)
        lengths = {max(1, cluster.rows // (cluster.workers * share)) for share in SHARES}
        print(
            f"\n{cluster.name} of {cluster.rows_per_sec:,.0f} rows/s, {cluster.rows:,} rows: "
            f"{cluster.rows / cluster.rows_per_sec / cluster.workers / 3600:.1f} h at best\n\n"
            f"| rows of a range | ranges of a worker | {' | '.join(trouble.name for trouble in troubles)} |\n"
            f"|---:|---:|{'---:|' * len(troubles)}"
        )
        for length in sorted(lengths | {own}, reverse=True):
            longer = []
            for trouble in troubles:
                random = np.random.default_rng(0)
                times = [run(cluster, length, trouble, arguments, random) for _ in range(arguments.runs)]
                longer.append(f"{100 * (np.mean(times) - 1):.1f} %")
            mark = " (default)" if length == own else ""
            print(f"| {length:,}{mark} | {cluster.rows / length / cluster.workers:,.0f} | {' | '.join(longer)} |")


if __name__ == "__main__":
    main()
