"""What a run says while it is under way, and of its time afterwards."""

from __future__ import annotations

import logging

import pytest

from vestige_sql.cli.output import print_spent
from vestige_sql.reembed.progress import Progress, TimeLeft
from vestige_sql.report import ReembedReport

BUILD = "building index: loading tuples"


def test_the_time_left_of_an_index_build_is_what_its_share_so_far_says() -> None:
    left = TimeLeft()
    assert left.of(BUILD, 0.0, 100.0) is None
    # Too little is done, or too short a time has passed.
    assert left.of(BUILD, 0.01, 110.0) is None
    assert left.of(BUILD, 0.25, 125.0) == pytest.approx(75.0)
    assert left.of(BUILD, 0.5, 150.0) == pytest.approx(50.0)
    assert left.of(BUILD, 1.0, 200.0) == 0
    # Another phase, and another index, begin anew.
    assert left.of("index validation: scanning table", 0.5, 201.0) is None
    assert left.of("index validation: scanning table", 0.75, 211.0) == pytest.approx(10.0)
    assert left.of("index validation: scanning table", 0.0, 212.0) is None
    assert left.of("index validation: scanning table", 0.9, 213.0) is None


def test_a_phase_says_once_which_of_how_many_it_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "vestige_sql")
    progress = Progress()
    progress.begin("encode the texts")
    progress.plan(["encode the texts", "put the vectors in place", "build the index"])
    # A second attempt goes back and forth between two phases.
    for phase in ("encode the texts", "put the vectors in place", "encode the texts", "put the vectors in place"):
        progress.begin(phase)
    progress.begin("something else")
    progress.begin("build the index")
    assert caplog.messages == [
        "reembed: phase 1 of 3: encode the texts",
        "reembed: phase 2 of 3: put the vectors in place",
        "reembed: phase 3 of 3: build the index",
    ]
    caplog.clear()
    progress.plan(["build the index"])
    progress.begin("build the index")
    assert caplog.messages == []


def test_the_summary_tells_waiting_from_work(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "vestige_sql")
    spent = {"reading": 0.001, "encoding": 150.0, "copying": 4.0, "waiting": 40.0, "index": 6.0}
    print_spent("reembed", ReembedReport(spent=spent))
    assert caplog.messages == [
        "reembed: 3 min 20 s in all: 2 min 40 s of work, 40 s of waiting",
        "reembed: it went to encoding 2 min 30 s (75%), waiting 40 s (20%), index 6.0 s (3%), copying 4.0 s (2%)",
    ]
    caplog.clear()
    print_spent("reembed", ReembedReport(spent=dict.fromkeys(spent, 0.0)))
    assert caplog.messages == ["reembed: 0.0 s in all: 0.0 s of work, 0.0 s of waiting"]
