"""Samples that are stamped when they arrive, late and in bursts: a replay is as the session was, to the last bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rtaffect.engine import session as session_module
from rtaffect.engine.engine import Engine
from rtaffect.observed.spaces import ChannelSpace
from rtaffect.sources.xdf import XdfRecording
from tests.engine.test_engine import ORIGIN, SETTINGS, group_eeg, headsets
from tests.support.late_session import Arrival, LateSource, assert_alike, doubts_at, run_again, run_live

STEPS = 30


@pytest.fixture(autouse=True)
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is late is looked for every 20 ms of the injected time, a tenth as often as live: as good, and faster."""
    monkeypatch.setattr(session_module, "_POLL_S", 0.02)


def in_bursts(every_s: float, most_s: float, *, on_arrival: bool, seed: int = 0) -> Arrival:
    """Every so often nothing comes for up to ``most_s``, and then all at once: a machine that has no time for it."""

    def arrival(taken: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rng, there = np.random.default_rng(seed), taken + 0.005
        for begin in np.arange(ORIGIN + 1.0, taken[-1], every_s):
            end = begin + rng.uniform(0.05, most_s)
            there[(there >= begin) & (there < end)] = end
        there = np.maximum.accumulate(there)
        return (there + np.arange(len(there)) * 1e-6 if on_arrival else taken), there + 0.001

    return arrival


@pytest.mark.parametrize("on_arrival", [True, False])
@pytest.mark.parametrize(("every_s", "most_s"), [(1.7, 1.2), (3.1, 0.3)])
def test_a_board_that_delivers_late_is_replayed_as_it_was(
    tmp_path: Path, every_s: float, most_s: float, on_arrival: bool
) -> None:
    boards = [
        LateSource(each, in_bursts(every_s + 0.3 * n, most_s, on_arrival=on_arrival, seed=n))
        for n, each in enumerate(headsets(group_eeg(2, STEPS + 4, 0.5)))
    ]
    space = ChannelSpace(boards[0].info.channels)
    live = run_live(
        boards, Engine(boards, space, SETTINGS, ORIGIN), STEPS, tmp_path / "r.xdf",
        lambda now: 1.3 if now % 7 < 3 else 0.2,
    )  # fmt: skip
    assert any(f.observed_each.any() for f in live)
    recording = XdfRecording.open(tmp_path / "r.xdf")
    people = sorted(recording.eeg_sources(), key=lambda source: source.info.name)
    again = run_again(recording, Engine(people, space, SETTINGS, ORIGIN, recorded=doubts_at(live)), STEPS)
    assert_alike(live, again)
