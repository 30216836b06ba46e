"""What is taken in before a step is due changes nothing of what it finds, and leaves little to be done in it."""

from __future__ import annotations

import sys
import threading
from dataclasses import fields

import numpy as np
import pytest

from rtaffect.common.clock import InstantClock
from rtaffect.common.settings import PredictionSettings, Settings
from rtaffect.engine.engine import Engine
from rtaffect.engine.feedback import Feedback
from rtaffect.engine.session import Session
from rtaffect.observed.spaces import ChannelSpace
from rtaffect.predicted.prediction import Predictor
from rtaffect.predicted.sound_input import SoundInput
from rtaffect.sources.recorded import ArraySource
from rtaffect.stream.source import StreamInfo
from tests.support.helpers import BandFeaturizer, brain_noise, some_weights

ORIGIN, RATE, SOUND_RATE, SECONDS = 1000.0, 250.0, 48_000, 14
SETTINGS = Settings(prediction=PredictionSettings(n_components=3, lags_s=(0, 1, 3)))
NAMES = ("C1", "C2")


class Flowing(ArraySource):
    """A live source whose samples come as time passes, whoever asks."""

    def __init__(self, info: StreamInfo, samples: np.ndarray) -> None:
        super().__init__(info, samples, ORIGIN - 1.0)
        self.buffer.tells_late = info.kind == "eeg"
        self.read_at_once: list[int] = []
        read = self.buffer.read

        def noted(*args, **options):
            block = read(*args, **options)
            if not options.get("early"):
                self.read_at_once.append(len(block.times))
            return block

        self.buffer.read = noted

    def advance(self, until: float) -> None:
        pass

    def start(self) -> None:
        assert sys.getswitchinterval() < 0.001, "a step waits no 5 ms for its turn among the threads"

    def flow(self, now: float) -> None:
        super().advance(now)


class Time(InstantClock):
    """Time that brings samples."""

    def __init__(self, sources: list[Flowing]) -> None:
        super().__init__(ORIGIN - 1.0)
        self._sources = sources

    def wait_until(self, deadline: float, stop: threading.Event) -> None:
        super().wait_until(deadline, stop)
        for source in self._sources:
            source.flow(self.now())


def session() -> tuple[list[Feedback], list[Flowing], Engine]:
    """Run a live session of two people and a sound, with samples missing here and there."""
    rng = np.random.default_rng(3)
    n = round((SECONDS + 3) * RATE)
    people = []
    for name in ("A", "B"):
        eeg = 15e-6 * brain_noise(rng, n, 2, RATE)
        eeg[900:930, 1], eeg[2000:2200] = np.nan, 0.0
        eeg[2600, 0] = 1.0
        people.append(Flowing(StreamInfo(name, "eeg", RATE, NAMES, "lsl"), eeg))
    sound = (0.1 * rng.standard_normal((round((SECONDS + 3) * SOUND_RATE), 1))).astype(np.float32)
    heard = Flowing(StreamInfo("sound", "audio", SOUND_RATE, ("mono",), "lsl"), sound)
    engine = Engine(
        people, ChannelSpace(NAMES), SETTINGS, ORIGIN, sound=heard,
        sound_input=SoundInput(heard, BandFeaturizer(context_s=4), ORIGIN),
        predictor=Predictor(some_weights(np.random.default_rng(1)), np.arange(2)),
        fitted_people=np.full(2, 12.0),
    )  # fmt: skip
    found: list[Feedback] = []
    sources = [*people, heard]
    Session(engine, Time(sources), [found.append], threading.Event(), steps=SECONDS).run()
    return found, sources, engine


def test_what_is_taken_in_early_changes_no_bit_and_leaves_little(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = sys.getswitchinterval()
    early, sources, engine = session()
    assert sys.getswitchinterval() == turns
    monkeypatch.setattr("rtaffect.engine.session.EARLY_S", ())
    whole, others, _ = session()
    assert len(early) == len(whole) == SECONDS
    assert np.isfinite(early[-1].observed).any()
    assert np.isfinite(early[-1].predicted).any()
    for one, other in zip(early, whole, strict=True):
        for field in fields(Feedback):
            if field.name not in ("stage_s", "sources", "doubts"):
                np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name), field.name)
        assert [d.reason for d in one.doubts] == [d.reason for d in other.doubts]
    for source, other in zip(sources, others, strict=True):
        assert sum(other.read_at_once[1:]) == pytest.approx(source.buffer.rate * (SECONDS - 1), rel=0.02)
        assert sum(source.read_at_once[1:]) < 0.06 * sum(other.read_at_once[1:])
    assert not any(source.buffer.doubts.within(0.0, np.inf) for source in sources if source.info.kind == "audio")
    assert not any(source.buffer.late_samples for source in sources)
    # A step waits for each source as long as it needs that one, and no longer.
    *eeg, sound = engine.needs(3)
    assert eeg == [pytest.approx(ORIGIN + 3 + 13 / RATE, abs=1e-9)] * 2
    assert sound == pytest.approx(ORIGIN + 3 + 0.0422, abs=1e-3)
    assert engine.lookahead_s == pytest.approx(13 / RATE)
