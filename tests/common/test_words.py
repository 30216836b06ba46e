"""Numbers in words."""

from __future__ import annotations

import pytest

from rtaffect.common.words import gathered, minutes, together


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.4, "0:59"), (59.6, "1:00"), (4500, "75:00")])
def test_minutes_go_on_beyond_the_hour(seconds, text):
    assert minutes(seconds) == text


def test_what_is_said_of_several_is_one_line():
    lines = [
        "stream 'A: EEG': it is late",
        "note",
        "stream 'B': it is late",
        'stream "C\'": it is early',
        "L1: bad",
        "L2: bad",
    ]
    expected = ["streams 'A: EEG', 'B': it is late", "note", 'stream "C\'": it is early', "L1, L2: bad"]
    assert gathered([*lines, "note"]) == expected
    assert together([("A", "lost"), ("", "late"), ("B", "lost"), ("A", "lost")]) == ["A, B: lost", "late"]
    assert gathered(f"P{n}: bad" for n in range(11)) == ["P0, P1, P2, P3, P4, P5, P6, P7 and 3 more: bad"]
