"""Recordings by other programs, replayed: as many steps as there is EEG, right values, and notes of one line."""

from __future__ import annotations

import threading
import wave
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rtaffect.common.errors import SettingsError
from rtaffect.engine.feedback import Feedback
from rtaffect.engine.session import Session
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.run.placing import place
from rtaffect.run.recipe import prepare
from rtaffect.sources.xdf import XdfRecording
from tests.support.xdf_writer import FakeStream, image

RATE, BEGAN, LASTS = 128.0, 5000.0, 13.5
UNIX = 1.7e9
#: Steps of so much EEG, and those from the first whole window on.
STEPS, VALUES = 13, 4


def even(start: float = BEGAN) -> NDArray[np.float64]:
    return start + np.arange(round(LASTS * RATE)) / RATE


def recorded(path: Path, *stamps: NDArray[np.float64], names: str = "AB", **changed: object) -> Path:
    """Write headsets with a common signal, and a stream of numbers that are markers."""
    draw = np.random.default_rng(0)
    shared = draw.standard_normal((len(even()), 2))
    people = [
        FakeStream(20 * (shared + draw.standard_normal(shared.shape)), each, name, rate=RATE, labels=("Fz", "Cz"),
                   **{"offsets": [(BEGAN, 0.0)], **changed})
        for name, each in zip(names, stamps, strict=True)
    ]  # fmt: skip
    marks = FakeStream(np.array([[7], [111]]), np.array([BEGAN - 3, BEGAN + 2.25]), "M", "Markers", 0.0, "int32")
    path.write_bytes(image([*people, marks]).data)
    return path


def replayed(path: Path, **eeg: object) -> tuple[list[Feedback], list[str]]:
    notes: list[str] = []
    plan = SessionPlan.model_validate({"mode": "replay", "recording": path, "speed": "max", "eeg": eeg})
    with ExitStack() as cleanup:
        run = prepare(plan, cleanup, lambda _: None, notes.append)
        steps: list[Feedback] = []
        Session(run.engine, run.clock, [steps.append], threading.Event(), 100).run()
    return steps, notes


def values(steps: list[Feedback]) -> int:
    return sum(np.isfinite(f.observed_mean) for f in steps)


def test_one_stamp_astray_costs_no_value(tmp_path: Path) -> None:
    stamps = even()
    stamps[640] += 200_000.0
    steps, notes = replayed(recorded(tmp_path / "a.xdf", stamps, even()))
    assert (len(steps), values(steps)) == (STEPS, VALUES)
    assert np.nanmean([f.observed_mean for f in steps]) > 0.3
    assert notes == [
        "stream 'A': 1 of its samples are stamped far off those beside them, which leave just the room for that: "
        "placed by number"
    ]


def test_a_headset_in_unix_time_makes_no_idle_steps_and_can_be_placed(tmp_path: Path) -> None:
    path = recorded(tmp_path / "a.xdf", even(UNIX), even())
    steps, notes = replayed(path)
    assert (len(steps), values(steps)) == (STEPS, 0)
    assert [s.name for s in steps[-1].sources] == ["B"]
    assert "'A': it has a clock of its own (Unix time)" in notes[0]
    assert "--resync places it" in notes[0]
    steps, _ = replayed(path, resync=True)
    assert (len(steps), values(steps)) == (STEPS, VALUES)
    steps, notes = replayed(path, streams=["A"])
    assert (len(steps), notes) == (STEPS, [])


def test_what_is_not_placed_surely_has_no_value(tmp_path: Path) -> None:
    late = even(UNIX)
    late[900:] += 0.5
    steps, _ = replayed(recorded(tmp_path / "a.xdf", late, even()), resync=True)
    assert values(steps) == 0
    assert "by which it may be 0.5 s off" in steps[-1].reason


def test_what_is_said_of_all_streams_is_one_line(tmp_path: Path) -> None:
    _, notes = replayed(recorded(tmp_path / "a [x].xdf", even(), even(), names=["A [/red]", "B"], offsets=()))
    assert notes == [
        "streams 'A [/red]', 'B': there are no clock offsets; its stamps are taken to be on the recorder's clock"
    ]


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    with wave.open(str(tmp_path / "s.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(np.random.default_rng(0).integers(-999, 999, 48_000).astype("<i2").tobytes())
    return tmp_path / "s.wav"


def test_a_sound_is_placed_from_the_right_start(tmp_path: Path, sound: Path) -> None:
    """The first stamps of one headset lie near zero; markers are numbers, and one comes before the EEG."""
    stamps = even()
    stamps[:59] = np.arange(59) / RATE

    def placed(**said: object) -> tuple[float, float]:
        recording = XdfRecording.open(recorded(tmp_path / "a.xdf", stamps, even()))
        recording.eeg_sources()
        recording.settle()
        plan = SessionPlan.model_validate({"mode": "replay", "recording": sound, "sound": {"file": sound, **said}})
        found = place(recording, plan.sound)
        return found.origin, found.onset

    assert placed(start=2) == (BEGAN, BEGAN + 2)
    assert placed(onset_marker="111") == (pytest.approx(BEGAN - 0.75), pytest.approx(BEGAN + 2.25))
    with pytest.raises(SettingsError, match="outside the recording"):
        placed(onset_marker="7")
