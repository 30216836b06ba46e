"""One person's recording under two names is found by its signal; real people never are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calibration.calibrate import calibrate
from calibration.copies import ALIKE, SAME, Pair, People
from calibration.studies.check import NOTE, check
from calibration.study import FolderStudy
from rtaffect.common.errors import RecordingError
from rtaffect.common.settings import PredictionSettings, Settings
from tests.calibration.test_study_check import SETTINGS
from tests.support.helpers import brain_noise, people_with, quiet
from tests.support.study_files import CHANNELS, RATE, edit, eeg, write_brainvision, write_edf, write_fif, write_study

NAMES = ("Fp1", "Fz", "Cz", "Pz", "O1", "O2", "T7", "T8")
#: Longer than what is compared, for copies that begin later.
SAMPLES = 3500


def alike(people: dict[str, np.ndarray], names: dict[str, tuple[str, ...]] | None = None) -> list[Pair]:
    found = People()
    for name, signals in people.items():
        for number in range(2):
            part = signals[number * 3500 : number * 3500 + 3000]
            channels = (names or {}).get(name, NAMES)
            found.add(name, f"{name}.edf", f"sound {number}", channels=channels, clean=part, rate=100)
    return found.alike()


def group(isc: float = 0.05, seed: int = 0, people: int = 4) -> np.ndarray:
    return 15e-6 * people_with(np.random.default_rng(seed), people, 7000, 8, isc)


def with_copy(copy: np.ndarray) -> list[Pair]:
    return alike({**{f"p{i}": signals for i, signals in enumerate(group())}, "copy": copy})


COPIES = {
    "as it is": lambda x, rng: x,
    "in millivolts taken for volts": lambda x, rng: 1e3 * x,
    "upside down in no unit": lambda x, rng: 0.37 * x + 5.0,
    "against Cz": lambda x, rng: x - x[:, [2]],
    "against the ears": lambda x, rng: x - 20e-6 * brain_noise(rng, len(x), 1),
    "in steps of a microvolt": lambda x, rng: np.round(x, 6),
    "a third of a second late": lambda x, rng: np.roll(x, 33, axis=0),
    "between the grid's samples": lambda x, rng: (x + np.roll(x, 1, axis=0)) / 2,
    "with seconds lost": lambda x, rng: np.where((np.arange(len(x)) // 100 % 9 == 0)[:, None], np.nan, x),
}


@pytest.mark.parametrize("change", COPIES.values(), ids=COPIES)
def test_a_copy_is_told_whatever_became_of_it(change):
    (pair,) = with_copy(change(group()[1], np.random.default_rng(9)))
    assert (pair.first, pair.second) == ("p1", "copy")
    assert pair.r > 0.9
    if change is not COPIES["with seconds lost"]:
        assert pair.same
    if change is COPIES["a third of a second late"]:
        assert pair.shift_s == pytest.approx(0.33, abs=0.005)
        assert "(copy's 0.33 s later)" in str(pair)


def test_a_copy_with_noise_is_as_alike_as_one_person_is():
    rng = np.random.default_rng(5)
    for noise, r in ((0.5, 0.89), (0.9, 0.74)):
        (pair,) = with_copy(group()[1] + noise * 15e-6 * brain_noise(rng, 7000, 8))
        assert pair.r == pytest.approx(r, abs=0.03)
        assert ALIKE < pair.r < SAME
        assert str(pair).startswith("p1 and copy: their EEG (p1.edf, copy.edf) is as alike as one person's: r = 0.")
    assert not with_copy(group()[1] + 1.6 * 15e-6 * brain_noise(rng, 7000, 8))


def test_a_copy_with_its_sounds_exchanged_is_told():
    (pair,) = with_copy(np.roll(group()[1], 3500, axis=0))
    assert pair.same
    assert "during sound" in str(pair)


@pytest.mark.parametrize("isc", [0.0, 0.1, 0.3, 0.5])
def test_people_who_hear_the_same_are_never_taken_for_one(isc):
    for seed in range(4):
        assert not alike({f"p{i}": signals for i, signals in enumerate(group(isc, seed, people=6))})


def test_a_rhythm_that_two_people_have_makes_them_no_one():
    """Narrow alpha of two people drifts in and out of phase: at some shift 30 s of it are alike."""
    found = []
    for seed in range(5):
        rng, t = np.random.default_rng(seed), np.arange(7000) / 100
        people = {}
        for name in "ab":
            phase = np.cumsum(rng.standard_normal(7000)) * 0.05
            alpha = 20e-6 * np.sin(2 * np.pi * 10 * t + phase)[:, None] * rng.uniform(0.5, 1, 8)
            people[name] = alpha + 4e-6 * brain_noise(rng, 7000, 8)
        found += alike(people)
    assert not found


def test_channels_that_not_all_have_are_passed_over():
    (pair,) = alike({"a": group()[0], "b": group()[0][:, [3, 1, 0, 2]]}, {"b": ("Pz", "Fz", "Fp1", "EEG Cz-REF")})
    assert pair.same
    assert not alike({"a": group()[0], "b": group()[0]}, {"b": tuple("QRSTUVWX")})
    assert not alike({})


def in_formats(folder: Path, copy: np.ndarray) -> Path:
    write_study(folder, ".fif")
    write_edf(folder / "listener-2.edf", copy)
    edit(folder, "listener-2.fif", "listener-2.edf")
    return folder


def test_check_and_calibrate_refuse_a_copy_in_another_format(tmp_path):
    study = in_formats(tmp_path / "study", 1.2 * (eeg(0) - eeg(0)[:, [2]]))
    line = "listener-2: the EEG in listener-2.edf is that of listener-1 in listener-1.fif, by its signal (r = 1.00)"
    (found,) = [each for each in check(study, SETTINGS) if "by its signal" in each]
    assert found.startswith(line), found
    assert "correct one of them, or leave it out" in found
    with pytest.raises(RecordingError, match=r"listener-2: the EEG in listener-2.edf is that of listener-1"):
        calibrate(FolderStudy(study), None, SETTINGS, "none", quiet)  # type: ignore[arg-type]


def test_check_notes_a_copy_with_noise(tmp_path):
    noise = 0.8 * 15e-6 * brain_noise(np.random.default_rng(8), len(eeg(0)), len(CHANNELS), RATE)
    study = in_formats(tmp_path / "study", eeg(0) + noise)
    (found,) = [each for each in check(study, SETTINGS) if "as alike as one person's" in each]
    assert found.startswith(f"{NOTE}listener-1 and listener-2: their EEG (listener-1.fif, listener-2.edf)")


def test_check_takes_a_study_of_different_people(tmp_path):
    for write, suffix in ((write_brainvision, ".vhdr"), (write_fif, ".fif")):
        study = write_study(tmp_path / suffix[1:], suffix)
        write(study / f"listener-2{suffix}", eeg(7))
        settings = Settings(prediction=PredictionSettings(lags_s=(0,)))
        assert not [line for line in check(study, settings) if "alike" in line or "signal" in line]
