"""Numbers in words."""

from __future__ import annotations

import pytest

from rtaffect.common.words import minutes


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.4, "0:59"), (59.6, "1:00"), (4500, "75:00")])
def test_minutes_go_on_beyond_the_hour(seconds, text):
    assert minutes(seconds) == text
