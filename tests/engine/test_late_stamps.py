"""Samples that are stamped when they arrive, late and in bursts: a replay is as the session was, to the last bit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from rtaffect.engine import session as session_module
from rtaffect.engine.engine import Engine
from rtaffect.engine.measuring import Measuring
from rtaffect.engine.taken import RecordedDoubts
from rtaffect.observed.spaces import ChannelSpace
from rtaffect.predicted.prediction import Predictor
from rtaffect.predicted.sound_input import SoundInput
from rtaffect.sources.recorded import ArraySource
from rtaffect.sources.selection import Query
from rtaffect.sources.xdf import XdfRecording
from rtaffect.sources.xdf_source import XdfSource
from rtaffect.stream.body import Body, BodyChannel
from rtaffect.stream.source import Source, StreamInfo
from tests.engine.test_engine import ORIGIN, SETTINGS, group_eeg, headsets, loud_noise
from tests.support.helpers import BandFeaturizer, some_weights, sound_source
from tests.support.late_session import Arrival, LateSource, assert_alike, doubts_at, run_again, run_live

STEPS = 24


@pytest.fixture(autouse=True)
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is late is looked for every 50 ms of the injected time, less often as live: as good, and faster."""
    monkeypatch.setattr(session_module, "_POLL_S", 0.05)


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
    engine = Engine(people_of(recording), space, SETTINGS, ORIGIN, recorded=doubts_at(live))
    assert_alike(live, run_again(engine, STEPS))


def hearing(people: Sequence[Source], sound: Source, recorded: RecordedDoubts | None = None) -> Engine:
    return Engine(
        people,
        ChannelSpace(people[0].info.channels),
        SETTINGS,
        ORIGIN,
        sound=sound,
        sound_input=SoundInput(sound, BandFeaturizer(context_s=4), ORIGIN),
        predictor=Predictor(some_weights(np.random.default_rng(1)), np.arange(2)),
        fitted_people=np.full(2, 10.0),
        recorded=recorded,
    )


def in_time(taken: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return taken, taken


def boards_in_time(seconds: int) -> list[LateSource]:
    return [LateSource(each, in_time) for each in headsets(group_eeg(2, seconds, 0.5))]


def people_of(recording: XdfRecording) -> list[XdfSource]:
    return sorted(recording.eeg_sources(), key=lambda source: source.info.name)


def test_sound_that_comes_late_is_replayed_as_it_was(tmp_path: Path) -> None:
    """A second that came after its step gave no prediction at it, and gives none at it again."""
    boards = boards_in_time(STEPS + 4)
    sound = LateSource(sound_source(loud_noise(STEPS + 4), onset=ORIGIN - 1), in_bursts(4.3, 2.0, on_arrival=False))
    live = run_live([*boards, sound], hearing(boards, sound), STEPS, tmp_path / "r.xdf", lambda now: 0.1)
    without = [f.step for f in live[10:] if not np.isfinite(f.predicted).any()]
    assert without
    assert len(without) < 15
    recording = XdfRecording.open(tmp_path / "r.xdf")
    people, recorded_sound = people_of(recording), recording.audio_source()
    assert recorded_sound is not None
    assert_alike(live, run_again(hearing(people, recorded_sound, doubts_at(live)), STEPS))


def aroused(people: Sequence[Source], body: Sequence[Source], recorded: RecordedDoubts | None = None) -> Engine:
    space = ChannelSpace(people[0].info.channels)
    return Engine(people, space, SETTINGS, ORIGIN, measures=Measuring(None, people, body, ORIGIN), recorded=recorded)


def test_peripheral_signals_that_come_late_are_replayed_as_they_were(tmp_path: Path) -> None:
    """No step waits for them: what had come is told, and what had not is kept from the step again."""
    steps, rate, rng = 44, 32.0, np.random.default_rng(3)
    boards = boards_in_time(steps + 4)
    channels, body = (BodyChannel("EDA", "eda", "uS", 0),), list[LateSource]()
    for number in range(2):
        course = 5.0 + np.cumsum(rng.standard_normal(round((steps + 4) * rate)))[:, None] / 50
        source = ArraySource(StreamInfo(f"B{number}", "body", rate, ("EDA",), "simulated"), course, ORIGIN - 2)
        late = LateSource(source, in_bursts(3.7 + number, 3.5, on_arrival=False, seed=number))
        late.body = Body(channels, late.buffer)
        body.append(late)
    live = run_live([*boards, *body], aroused(boards, body), steps, tmp_path / "r.xdf", lambda now: 0.1)
    assert any(np.isfinite(f.measures[0].value).any() for f in live)
    recording = XdfRecording.open(tmp_path / "r.xdf")
    people = people_of(recording)
    beside = [recording.beside("body", [Query("name", f"B{number}")])[0] for number in range(2)]
    assert_alike(live, run_again(aroused(people, beside, doubts_at(live)), steps))
