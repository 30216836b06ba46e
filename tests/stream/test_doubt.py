"""Doubts: told by one part, kept as long as a window may need them, never without bound."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from rtaffect.stream.doubt import KEPT_S, MOST_KEPT, REASONS, Doubt, Doubts


def test_a_doubt_counts_where_it_overlaps():
    doubts = Doubts()
    doubts.note("stamps", 10.0, 12.0, "out of order")
    assert [d.words for d in doubts.within(5.0, 10.0)] == ["out of order"]
    assert doubts.within(12.0, 20.0) == ()
    assert doubts.within(5.0, 9.9) == ()
    assert doubts.within(11.0, 11.5)


def test_what_lasts_is_told_once_and_ends():
    doubts = Doubts()
    doubts.begin("clock-unknown", 10.0, "first")
    doubts.begin("clock-unknown", 11.0, "second")
    (one,) = doubts.within(0.0, 1e9)
    assert (one.since, one.until, one.words) == (10.0, math.inf, "second")
    assert doubts.lasts("clock-unknown")
    doubts.end("clock-unknown", 15.0)
    doubts.end("clock-unknown", 99.0)
    assert not doubts.lasts("clock-unknown")
    assert [d.until for d in doubts.within(0.0, 100.0)] == [15.0]
    doubts.begin("clock-unknown", 20.0, "again")
    assert len(doubts.within(0.0, 100.0)) == 2


def test_old_ones_are_forgotten_and_their_number_is_bounded():
    doubts = Doubts()
    doubts.note("stamps", 0.0, 1.0, "old")
    doubts.note("stamps", KEPT_S + 2.0, KEPT_S + 3.0, "new")
    assert [d.words for d in doubts.within(-1.0, 1e9)] == ["new"]
    for k in range(3 * MOST_KEPT):
        doubts.note("losses", 400.0 + k / 100, 400.0 + k / 100 + 0.001, "one of many")
    assert len(doubts.within(0.0, 1e9)) <= MOST_KEPT
    # None is lost: the merged one spans what it replaces.
    assert all(doubts.within(400.0 + k / 100, 400.0 + k / 100 + 0.0005) for k in range(3 * MOST_KEPT))


@pytest.mark.parametrize(
    ("reason", "since", "until"), [("bad mood", 0.0, 1.0), ("stamps", 2.0, 1.0), ("stamps", math.nan, 1.0)]
)
def test_what_is_no_doubt_is_refused(reason, since, until):
    with pytest.raises(ValueError, match="doubt"):
        Doubt(reason, since, until, "words")


def test_the_document_lists_every_reason():
    page = (Path(__file__).parents[2] / "docs" / "reliability.md").read_text(encoding="utf-8")
    missing = [
        name for name, reason in REASONS.items() if f"| `{name}` | {reason.meaning} | {reason.ends} |" not in page
    ]
    assert missing == []


def test_what_is_not_renewed_in_time_is_in_doubt():
    doubts = Doubts()
    doubts.expect("player-late", 10.0, "not handed over")
    doubts.expect("player-late", 11.0, "not handed over")
    assert not doubts.within(0.0, 10.9)
    (one,) = doubts.within(0.0, 20.0)
    assert (one.since, one.until) == (11.0, math.inf)
    doubts.note("player-late", 5.0, 6.0, "began late")
    doubts.withdraw("player-late")
    assert [d.words for d in doubts.within(0.0, 1e9)] == ["began late"], "what was is not taken back"


def test_doubts_that_touch_are_one_and_what_lasts_can_still_be_ended():
    doubts = Doubts()
    doubts.begin("lost", 0.0, "gone")
    for n in range(1000):
        doubts.note("stamps", n * 0.1, n * 0.1 + 0.2, "jumbled")
    assert [d.reason for d in doubts.within(-1.0, 1e3)] == ["lost", "stamps"]
    for n in range(1000):
        doubts.note("stamps", n * 0.1, n * 0.1 + 0.05, f"jumbled {n}")
    doubts.end("lost", 1.0)
    assert not doubts.lasts("lost")
    assert all(math.isfinite(d.until) for d in doubts.within(-1.0, 1e3))
