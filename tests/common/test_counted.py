"""Percent and time left of work whose steps are known."""

from __future__ import annotations

from rtaffect.common.counted import Counted
from tests.support.hand_clock import HandClock


def test_each_step_says_how_far_it_is() -> None:
    said: list[str] = []
    clock = HandClock(0.0)
    counted = Counted(said.append, 4, clock.now)
    for text in ("composing", "features", "EEG", "ridge", "one that was not expected"):
        counted(text)
        clock.pass_by(10.0)
    assert said == [
        "composing (0 %)",
        "features (25 %, about 30 s left)",
        "EEG (50 %, about 20 s left)",
        "ridge (75 %, about 10 s left)",
        "one that was not expected (99 %, about 0 s left)",
    ]
