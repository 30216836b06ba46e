"""All that is wrong with a study is told at once, each in one line; of a sound study there is nothing to tell."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from calibration.command import QUICK, command
from calibration.needed import least_seconds
from calibration.studies.check import check, too_short
from calibration.studies.layout import Layout, RecordingFile, SoundFile, find_notes, find_problems
from calibration.study import FolderStudy
from rtaffect.common.errors import RecordingError
from rtaffect.common.settings import PredictionSettings, Settings, SignalSettings
from tests.support.helpers import quiet, small_study
from tests.support.study_files import (
    CHANNELS,
    RATE,
    edit,
    eeg,
    write_bids,
    write_brainvision,
    write_edf,
    write_events,
    write_fif,
    write_manifest,
    write_sounds,
    write_table,
)

#: Short enough for the sounds of these tests to be cut into folds.
SETTINGS = Settings(prediction=PredictionSettings(lags_s=(0,)))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three listeners in three formats; the sounds are fitted with a third, so that folds are possible."""
    folder = tmp_path_factory.mktemp("study") / "written"
    write_sounds(folder / "sounds", ("story-1", "story-2", "story-3"))
    write_fif(folder / "a_raw.fif", eeg(0))
    write_brainvision(folder / "b.vhdr", eeg(1))
    write_edf(folder / "c.edf", eeg(2))
    onsets = {"story-1": 2.0, "story-2": 18.0, "story-3": 34.0}
    write_manifest(folder, {"anna": "a_raw.fif", "bo": "b.vhdr", "cleo": "c.edf"}, onsets)
    edit(folder, "[[listener]]", '[[sound]]\nname = "story-3"\nfile = "sounds/story-3.wav"\n\n[[listener]]')
    return folder


@pytest.fixture
def study(written, tmp_path) -> Path:
    shutil.copytree(written, tmp_path / "study")
    return tmp_path / "study"


def test_nothing_is_wrong_with_a_sound_study(study, tmp_path):
    assert check(study) == []
    small_study().write(tmp_path / "simulated", quiet)
    assert check(tmp_path / "simulated") == []


def silenced(number: int, column: int, value: float) -> np.ndarray:
    samples = eeg(number)
    samples[:, column] = value
    return samples


def same_sound(folder: Path) -> None:
    shutil.copy(folder / "sounds" / "story-1.wav", folder / "sounds" / "story-2.wav")


def fewer(folder: Path) -> None:
    path = folder / "study.toml"
    path.write_text("[[listener]]".join(path.read_text(encoding="utf-8").split("[[listener]]")[:3]), encoding="utf-8")


def fewer_channels(folder: Path) -> None:
    write_edf(folder / "c.edf", eeg(2)[:, :5], CHANNELS[:5])
    write_brainvision(folder / "b.vhdr", eeg(1)[:, :6], CHANNELS[:6])


def same_data(folder: Path) -> None:
    for name in ("a", "b"):
        write_fif(folder / f"{name}_raw.fif", eeg(1))
    edit(folder, "b.vhdr", "b_raw.fif")


def empty_sound(folder: Path) -> None:
    soundfile.write(folder / "sounds" / "story-2.wav", np.empty(0), 16_000)


def bad_tables(folder: Path) -> None:
    for number in (1, 2, 3):
        write_table(folder / f"{number}.tsv", {"flow": range(14 - (number == 2))})
        edit(folder, f'story-{number}.wav"', f'story-{number}.wav"\ncovariates = "{number}.tsv"')


FAULTS = {
    "no manifest": (lambda f: (f / "study.toml").unlink(), "no study in .*study.toml is not there, nor a BIDS"),
    "two wrong fields": (
        lambda f: edit(f, 'name = "anna"', 'nam = "anna"'),
        "listener 1: name is missing.* there is no field .nam.",
    ),
    "no sound": (lambda f: (f / "sounds" / "story-1.wav").unlink(), "story-1: no file sounds/story-1.wav; correct"),
    "empty sound": (empty_sound, "story-2: .*story-2.wav: the sound is empty"),
    "sound not a sound": (
        lambda f: (f / "sounds" / "story-2.wav").write_bytes(b"no"),
        "story-2: .*not a sound that can be read",
    ),
    "the same sound": (same_sound, "story-2: the same sound as story-1; expected each sound once"),
    "nothing fitted": (
        lambda f: edit(f, 'wav"', 'wav"\nfit = false', 3),
        "no sound with fit = true; expected at least one",
    ),
    "no recording": (lambda f: (f / "b.vhdr").unlink(), "bo: no file b.vhdr; correct study.toml or add it"),
    "unreadable": (lambda f: (f / "b.eeg").unlink(), "bo: .*b.vhdr names b.eeg, which is not there"),
    "two fewer": (fewer, "2 listeners, but synchrony of one with the others needs at least 3"),
    "no onset": (lambda f: edit(f, '"story-2" = 18.0\n', ""), "anna: no onset for story-2; correct study.toml: add"),
    "onset beyond": (
        lambda f: edit(f, "34.0", "60.0"),
        "anna: story-3 begins at 60.0 s and lasts 14 s, but .*spans 0.0 to 50.0 s; correct its onset in study.toml",
    ),
    "sound too long": (lambda f: edit(f, "34.0", "38.0"), "anna: story-3 begins at 38.0 s and lasts 14 s"),
    "interrupted": (
        lambda f: write_brainvision(f / "b.vhdr", eeg(1), segments=[3 * 128]),
        "bo: b.vhdr was interrupted at 3.0 s, while story-1 was heard",
    ),
    "nothing in common": (
        lambda f: write_edf(f / "c.edf", eeg(2), [f"X{i}" for i in range(8)]),
        "no channel name is shared with each other",
    ),
    "channels lacking": (
        fewer_channels,
        "cleo: no channel O2, T7, which others have; rows are only the channels that all have",
    ),
    "flat": (lambda f: write_brainvision(f / "b.vhdr", silenced(1, 3, 2e-6)), "bo: Pz is flat in every second"),
    "missing": (
        lambda f: write_brainvision(f / "b.vhdr", silenced(1, 3, np.nan)),
        "bo: Pz is missing in every second of the sounds; expected signal in some",
    ),
    "wrong unit": (
        lambda f: write_brainvision(f / "b.vhdr", 1e6 * eeg(1)),
        "bo: the EEG varies by .* V within a second, where some 1e-5 V are usual: check the unit",
    ),
    "no unit": (lambda f: write_edf(f / "c.edf", eeg(2), unit=""), "cleo: c.edf: .*does not say in which unit"),
    "the same data": (
        same_data,
        "bo: the samples of b_raw.fif are those of a_raw.fif of anna; expected a recording of each listener's own",
    ),
    "the same file": (lambda f: edit(f, "b.vhdr", "a_raw.fif"), "bo: has the recording of anna, a_raw.fif; expected"),
    "the same name of sounds": (lambda f: edit(f, '"story-2"', '"story-1"'), "story-1: two sounds have this name"),
    "the same name of listeners": (
        lambda f: edit(f, '"bo"', '"anna"'),
        r"anna: 2 onsets for story-3 \(a_raw.fif, b.vhdr\); expected one",
    ),
    "a short table": (bad_tables, "story-2: .*2.tsv has 13 rows; expected at least 14"),
}  # fmt: skip


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_is_told_in_one_line(study, kind):
    fault, expected = FAULTS[kind]
    fault(study)
    found = check(study)
    assert all("\n" not in line for line in found)
    assert any(re.search(expected, line) for line in found), found
    assert not any(line.startswith("note: ") for line in found if re.search(expected, line))


def test_differing_rates_and_marked_channels_are_only_noted(study):
    write_edf(study / "c.edf", eeg(2)[: 50 * 100], rate=100.0)
    write_fif(study / "a_raw.fif", eeg(0), bads=["Cz"])
    assert check(study) == [
        "note: anna: Cz is marked as bad and taken as missing",
        "note: recordings come at different rates (128 Hz: anna, bo; 100 Hz: cleo); all are brought to 100 Hz",
    ]


def test_what_mne_warns_of_is_noted(study):
    data = (study / "c.edf").read_bytes()
    (study / "c.edf").write_bytes(data[: -2 * 8 * 128])
    assert [line[:58] for line in check(study)] == ["note: cleo: Number of records from the header does not mat"]


def test_what_mne_warns_of_in_many_recordings_is_noted_once(tmp_path):
    dataset = write_bids(tmp_path / "bids", ".edf")
    for path in dataset.rglob("*.edf"):
        path.write_bytes(path.read_bytes()[: -2 * 8 * 128])
    told = "Number of records from the header does not match"
    notes = [line for line in check(dataset) if told in line]
    assert [line.split(":")[1] for line in notes] == [" sub-01, sub-02, sub-03"], notes
    study = FolderStudy(dataset)
    study.channels()
    assert len([note for note in study.notes if told in note]) == 1


def test_a_rate_below_the_band_is_no_note(study):
    settings = Settings(signal=SignalSettings(lowpass_hz=45.0, rate_hz=100))
    write_edf(study / "c.edf", eeg(2)[: 50 * 80], rate=80.0)
    assert any(
        line.startswith("cleo: the EEG comes at 80 Hz, too slow for lowpass_hz = 45") for line in check(study, settings)
    )


def test_everything_is_told_at_once(study):
    (study / "sounds" / "story-2.wav").unlink()
    write_edf(study / "c.edf", silenced(2, 4, 0.0))
    write_brainvision(study / "b.vhdr", eeg(1)[:, :6], CHANNELS[:6])
    edit(study, '"story-1" = 2.0\n', "")
    edit(study, "34.0", "60.0")
    found = check(study)
    for expected in (
        "story-2: no file",
        "anna: no onset for story-1",
        "anna: story-3 begins at 60.0 s",
        "bo: no channel T7, which others have",
        "cleo: O1 is flat",
    ):
        assert any(line.startswith(expected) for line in found), expected
    assert len(found) == 5
    with pytest.raises(RecordingError, match=r"story-2: no file.*anna: no onset for story-1"):
        FolderStudy(study)


def test_a_refusal_names_the_first_problems_and_counts_the_others(study):
    for name in ("a_raw.fif", "b.vhdr", "c.edf"):
        (study / name).unlink()
    for number in (1, 2, 3):
        (study / "sounds" / f"story-{number}.wav").unlink()
    with pytest.raises(RecordingError, match=r"; and 1 more, which `calibrate --check` lists$"):
        FolderStudy(study)
    assert len(check(study)) == 6


def test_sounds_too_short_for_the_folds_are_told():
    settings = Settings()
    alone, two = least_seconds(settings), least_seconds(settings, 2)
    assert not list(too_short({"a": alone}, settings))
    (line,) = too_short({"a": alone - 1}, settings)
    assert line.startswith(f"a ({alone - 1} s): one sound alone is cut into 5 blocks")
    assert line.endswith(f"give at least {alone} s or a second sound")
    assert not list(too_short({"a": two, "b": two}, settings))
    (line,) = too_short({"a": 600, "b": 60}, settings)
    assert line.startswith("b (60 s): each of two sounds is cut into 5 blocks")
    assert not list(too_short({"a": 30, "b": 30, "c": 30}, settings))


def test_a_single_short_sound_is_told_by_check(study):
    for number in (2, 3):
        edit(study, f'story-{number}.wav"', f'story-{number}.wav"\nfit = false')
    (line,) = check(study)
    assert line.startswith("story-1 (14 s): one sound alone is cut into 5 blocks")


def test_a_dataset_is_checked_too(tmp_path):
    dataset = write_bids(tmp_path / "bids")
    found = check(dataset, SETTINGS)
    assert [line[:12] for line in found] == ["story-1 (14 "]
    write_events(dataset / "sub-02" / "eeg" / "sub-02_task-listen_events.tsv", {"story-1.wav": 12.0})
    write_table(
        dataset / "sub-01" / "eeg" / "sub-01_task-listen_events.tsv",
        {"onset": [10, 20, 45.5], "stim_file": ["story-1.wav", "story-1.wav", "story-2.wav"]},
    )
    found = check(dataset, SETTINGS)[:-1]
    for expected in (
        "sub-02: no onset for story-2; no row of their *_events.tsv has it as stim_file",
        "sub-01: story-2 begins at 45.5 s and lasts 14 s",
    ):
        assert any(line.startswith(expected) for line in found), found
    assert check(dataset)[-1] == (
        "note: sub-01 hears story-1 2 times; the first counts, at 10 s of sub-01_task-listen_eeg.vhdr"
    )
    assert RATE == 128.0


def in_part(listeners: int, sounds: int, hears: Callable[[int, int], bool]) -> Layout:
    """A study in which each listener hears some of the sounds."""
    here = Path(__file__)
    files = tuple(SoundFile(f"s{i}", here) for i in range(sounds))
    recordings = tuple(
        RecordingFile(f"p{n:02d}", here / str(n), {f"s{i}": 1.0 for i in range(sounds) if hears(n, i)}, here)
        for n in range(listeners)
    )
    return Layout(here.parent, "part", False, files, recordings)


def test_who_did_not_hear_what_is_told_in_one_line():
    """Of thirty listeners each hears a third of the sounds; one sound is heard by two alone."""
    layout = in_part(30, 12, lambda n, i: i % 3 == n % 3 and (i < 11 or n in (2, 5)))
    (note,) = find_notes(layout, "correct study.toml")
    assert note == (
        "30 of 30 listeners have no onset for some sounds and are left out there: p00 (s1, s2, s4 and 4 more), p01 "
        "(s0, s2, s3 and 4 more), p02 (s0, s1, s3 and 5 more) and 27 more; each of 11 such sounds is left with 10 or "
        "more listeners; correct study.toml"
    )
    lines = [line for line in find_problems(layout, "correct study.toml") if "onset" in line]
    assert lines == [
        "s11: no onset for p00, p01, p03, p04 and 24 more; 2 listeners have one, expected at least 3; correct "
        "study.toml"
    ]
    few = in_part(6, 3, lambda n, i: (n, i) not in ((0, 1), (2, 1)))
    assert len(find_notes(few, "correct study.toml")) == 2


def test_check_knows_the_settings_and_the_mains(study, monkeypatch):
    given = study.parent / "settings.toml"
    given.write_text("[signal]\nflat_v = 1e-3\n", encoding="utf-8")
    done = CliRunner().invoke(command, [str(study), "--check", "--settings", str(given)])
    assert isinstance(done.exception, RecordingError)
    assert "anna: Fp1, Fz, Cz, Pz, O1, O2, T7, VEOG are flat in every second" in done.output
    seen: list[Settings] = []
    monkeypatch.setattr("calibration.command.check", lambda folder, settings, channels: seen.append(settings) or [])
    CliRunner().invoke(command, [str(study), "--check", "--mains", "60", "--quick"], catch_exceptions=False)
    assert (seen[0].signal.mains_hz, seen[0].prediction) == (60, QUICK)
