"""A channel that is good for nobody is no row, and takes no step from the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calibration.command import QUICK
from calibration.foreign_channels import told_foreign
from calibration.good_channels import poor_channels, told_poor
from calibration.measured import measure
from calibration.studies.check import check
from calibration.study import FolderStudy
from rtaffect.common.errors import RecordingError
from rtaffect.common.settings import Settings
from tests.support.helpers import quiet
from tests.support.study_files import CHANNELS, eeg, write_brainvision, write_study

SETTINGS = Settings(prediction=QUICK)
CHANNEL = "X7"


def study_with(folder: Path, names: tuple[str, ...], spoil) -> FolderStudy:
    """Write a study in which ``spoil`` changes each listener's EEG (n, channels), V."""
    write_study(folder, ".vhdr")
    for number in range(3):
        samples = eeg(number, channels=len(names))
        spoil(samples)
        write_brainvision(folder / f"listener-{number + 1}.vhdr", samples, names)
    return FolderStudy(folder)


def contact(samples: np.ndarray) -> None:
    """Make the last channel one of contact quality: 0 to 4 in steps, which moves in few seconds."""
    levels = np.random.default_rng(0).integers(0, 5, len(samples) // 700 + 1)
    samples[:, -1] = 1e-6 * np.repeat(levels, 700)[: len(samples)]


def loud(samples: np.ndarray) -> None:
    """Make the last channel far louder than EEG."""
    samples[:, -1] *= 1e4


@pytest.mark.parametrize("spoil", [contact, loud])
def test_a_channel_that_is_good_for_nobody_is_left_out_and_told(tmp_path, spoil):
    study = study_with(tmp_path, (*CHANNELS[:7], CHANNEL), spoil)
    found = measure(study, SETTINGS, quiet)
    assert found.space.rows == CHANNELS[:7]
    assert list(found.poor) == [CHANNEL]
    window = SETTINGS.synchrony.window_s
    for target in found.targets:
        assert np.isfinite(target[window - 1 :]).all()
    lines = [line for line in check(tmp_path, SETTINGS) if CHANNEL in line and line.startswith("note:")]
    assert len(lines) == 1
    assert f"{CHANNEL} is left out: it was good in two or more listeners in" in lines[0]


@pytest.mark.parametrize("who", [(0,), (0, 1, 2)])
@pytest.mark.parametrize("components", [False, True])
def test_a_counter_with_the_name_of_a_channel_is_left_out_and_told_in_whomever_it_is(tmp_path, who, components):
    numbers = iter(range(3))

    def counts(samples: np.ndarray) -> None:
        if next(numbers) in who:
            samples[:, -1] = 1e-6 * np.arange(len(samples)) % 1e-3

    found = measure(study_with(tmp_path, (*CHANNELS[:7], CHANNEL), counts), SETTINGS, quiet, components=components)
    assert found.space.channels == CHANNELS[:7]
    assert found.foreign == {CHANNEL: "in listener-1 it counts by one step"}
    assert found.poor == {}
    assert told_foreign(found.foreign) == [
        f"{CHANNEL} is left out for everybody: in listener-1 it counts by one step, so that it is no EEG"
    ]
    for person in found.people:
        assert np.isfinite(person[:, SETTINGS.synchrony.window_s - 1 :]).all()
    if not components:
        lines = [line for line in check(tmp_path, SETTINGS) if CHANNEL in line]
        assert lines == [
            f"note: listener-{n + 1}: {CHANNEL} counts by one step: it is no EEG, and left out for everybody"
            for n in who
        ]


def test_what_is_left_is_what_a_study_without_the_channel_gives(tmp_path):
    with_it = measure(study_with(tmp_path / "a", (*CHANNELS[:7], CHANNEL), contact), SETTINGS, quiet)
    write_study(tmp_path / "b", ".vhdr")
    for number in range(3):
        samples = eeg(number, channels=8)[:, :7]
        write_brainvision(tmp_path / "b" / f"listener-{number + 1}.vhdr", samples, CHANNELS[:7])
    without = measure(FolderStudy(tmp_path / "b"), SETTINGS, quiet)
    assert without.poor == {}
    for one, other in zip(with_it.people, without.people, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_study_without_any_good_channel_is_refused(tmp_path):
    def all_loud(samples: np.ndarray) -> None:
        samples *= 1e4

    with pytest.raises(RecordingError, match="no channel is good in two listeners for long enough"):
        measure(study_with(tmp_path, CHANNELS[:7], all_loud), SETTINGS, quiet)


def test_a_channel_counts_by_the_sound_in_which_it_is_worst():
    good = np.array([[3, 3, 2], [3, 1, 2], [2, 0, 2], [0, 0, 0]])
    assert poor_channels(("a", "b", "c"), [good]) == {"b": pytest.approx(1 / 3)}
    assert poor_channels(("a", "b", "c"), [good, np.array([[3, 3, 0], [3, 3, 1]])]) == {
        "b": pytest.approx(1 / 3),
        "c": 0.0,
    }
    assert poor_channels(("a",), [np.zeros((4, 1))]) == {}
    assert "33%" in told_poor({"b": 1 / 3})[0]
