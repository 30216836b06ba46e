"""A BIDS dataset is the same study as a manifest that says the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from calibration.study import FolderStudy
from rtaffect.common.errors import RecordingError
from tests.calibration.test_study_formats import cleaned, heard
from tests.support.films import film
from tests.support.study_files import (
    CHANNELS,
    ONSETS,
    QUANTISED,
    WRITERS,
    eeg,
    write_bids,
    write_events,
    write_study,
    write_table,
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bids(tmp_path_factory.mktemp("bids") / "dataset")


@pytest.fixture
def dataset(written, tmp_path) -> Path:
    shutil.copytree(written, tmp_path / "dataset")
    return tmp_path / "dataset"


def part(dataset: Path, number: int, name: str) -> Path:
    sub = f"sub-{number:02d}"
    return dataset / sub / "eeg" / f"{sub}_task-listen_{name}"


def refusal(folder: Path) -> str:
    with pytest.raises(RecordingError) as caught:
        FolderStudy(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def choose(dataset: Path, text: str) -> None:
    (dataset / "study.toml").write_text(f'name = "chosen"\n{text}', encoding="utf-8")


@pytest.mark.parametrize("suffix", [".vhdr", ".edf", ".set", ".bdf"])
def test_a_dataset_is_the_study_of_its_manifest(tmp_path, suffix):
    found = FolderStudy(write_bids(tmp_path / "bids", suffix))
    known = FolderStudy(write_study(tmp_path / "study", ".xdf"))
    assert found.name == "heard stories"
    assert not found.synthetic
    assert found.listeners == ("sub-01", "sub-02", "sub-03")
    assert found.channels() == known.channels() == CHANNELS[:7]
    assert [(s.name, s.sha256, s.fit) for s in found.sounds()] == [(s.name, s.sha256, s.fit) for s in known.sounds()]
    for number in range(2):
        np.testing.assert_allclose(
            cleaned(found, "sub-03", number), cleaned(known, "listener-3", number), atol=3 * QUANTISED
        )


@pytest.mark.parametrize("text", ["", "\xe4"], ids=["as it is", "of markers in Latin-1"])
def test_a_dataset_is_found_from_where_one_is(dataset, monkeypatch, text):
    """mne takes a relative name of what lies beside a header for one from the header's folder."""
    for number in (1, 2, 3):
        marks = part(dataset, number, "eeg.vmrk")
        marks.write_bytes(marks.read_bytes() + f"; {text}\n".encode("latin-1"))
    monkeypatch.chdir(dataset.parent)
    study = FolderStudy(Path(dataset.name))
    assert study.channels() == CHANNELS[:7]
    assert np.isfinite(heard(study, "sub-02")[1]).all()


def test_bad_channels_are_missing_but_stay_rows(dataset):
    table = {"name": CHANNELS, "type": ["EEG"] * 7 + ["EOG"], "units": ["uV"] * 8, "status": ["bad"] + ["good"] * 7}
    write_table(part(dataset, 2, "channels.tsv"), table)
    study = FolderStudy(dataset)
    assert study.channels() == CHANNELS[:7]
    samples = heard(study, "sub-02")[1]
    assert np.isnan(samples[:, 0]).all()
    assert np.isfinite(samples[:, 1:]).all()


def test_sessions_runs_and_tasks_of_a_subject_are_gone_through(dataset):
    """A sound in each; the run without a sound is of no interest, not even its montage."""
    for number in (1, 2, 3):
        shutil.rmtree(dataset / f"sub-{number:02d}")
        for session, task, run, name, onset in (
            ("a", "rest", 1, None, 0.0),
            ("a", "listen", 10, "story-1.wav", 20.0),
            ("b", "retell", 2, "story-2.wav", 11.5),
        ):
            stem = f"sub-{number:02d}_ses-{session}_task-{task}_run-{run}"
            folder = dataset / f"sub-{number:02d}" / f"ses-{session}" / "eeg"
            folder.mkdir(parents=True, exist_ok=True)
            channels = CHANNELS[:3] if name is None else CHANNELS
            WRITERS[".vhdr"](folder / f"{stem}_eeg.vhdr", eeg(10 * number + run)[:, : len(channels)], channels)
            write_events(folder / f"{stem}_events.tsv", {} if name is None else {name: onset})
    study = FolderStudy(dataset)
    assert study.channels() == CHANNELS[:7]
    np.testing.assert_allclose(heard(study, "sub-02", 0)[1], eeg(30)[1280 : 34 * 128 + 1], atol=1e-11)
    np.testing.assert_allclose(heard(study, "sub-02", 1)[1], eeg(22)[192 : round(25.5 * 128) + 1], atol=1e-11)
    choose(dataset, '[bids]\ntasks = ["listen", "rest"]\n[[sound]]\nname = "one"\nfile = "stimuli/story-1.wav"\n')
    chosen = FolderStudy(dataset)
    assert [s.name for s in chosen.sounds()] == ["one"]
    np.testing.assert_array_equal(heard(chosen, "sub-02")[1], heard(study, "sub-02")[1])
    choose(dataset, '[bids]\ntasks = ["sleep"]\n')
    assert "no recording of task sleep; expected sub-*/[ses-*/]eeg/*_eeg.*" in refusal(dataset)


def test_events_and_channels_are_inherited(dataset):
    """From the subject's folder, or the dataset's; the nearest file that fits counts."""
    for number in (1, 2, 3):
        part(dataset, number, "events.tsv").unlink()
        part(dataset, number, "channels.tsv").unlink()
    write_events(dataset / "task-listen_events.tsv", {"story-1.wav": 11.0, "story-2.wav": 30.0})
    write_events(dataset / "task-other_events.tsv", {"story-1.wav": 1.0})
    write_events(dataset / "sub-02" / "sub-02_task-listen_events.tsv", {"story-1.wav": 13.0, "story-2.wav": 30.0})
    write_table(dataset / "channels.tsv", {"name": CHANNELS, "type": ["EEG"] * 6 + ["misc"] * 2})
    study = FolderStudy(dataset)
    onsets = [study.eeg(name, study.sounds()[0])[1] for name in study.listeners]
    assert onsets == [11.0, 13.0, 11.0]
    assert study.channels() == CHANNELS[:6]


def test_the_first_hearing_counts(dataset):
    write_table(
        part(dataset, 1, "events.tsv"),
        {"onset": [11, "n/a", 20, 30], "stim_file": ["story-1.wav", "story-1.wav", "story-1.wav", "story-2.wav"]},
    )
    study = FolderStudy(dataset)
    assert study.eeg("sub-01", study.sounds()[0])[1] == 11.0


@pytest.mark.parametrize("form", ["stimuli/{}", "bids::stimuli/{}", "{}"])
def test_stimuli_may_be_named_in_several_ways_and_lie_deeper(dataset, form):
    (dataset / "stimuli" / "deep").mkdir()
    (dataset / "stimuli" / "story-1.wav").rename(dataset / "stimuli" / "deep" / "story.wav")
    (dataset / "stimuli" / "picture.png").write_bytes(b"")
    for number in (1, 2, 3):
        named = {form.format("deep/story.wav"): 12.0, form.format("story-2.wav"): 31.5, "picture.png": 40.0}
        write_events(part(dataset, number, "events.tsv"), named)
    assert [s.name for s in FolderStudy(dataset).sounds()] == ["deep/story", "story-2"]


def test_of_a_film_the_sound_beside_it_is_used_or_its_own(dataset):
    for number in (1, 2, 3):
        write_events(part(dataset, number, "events.tsv"), {"story-1.mp4": 12.0, "story-2.wav": 31.5})
    assert [s.name for s in FolderStudy(dataset).sounds()] == ["story-1", "story-2"]
    (dataset / "stimuli" / "story-1.wav").rename(dataset / "stimuli" / "other.wav")
    assert "story-1: no file stimuli/story-1.mp4" in refusal(dataset)
    noise = 0.1 * np.random.default_rng(1).standard_normal((14 * 16_000, 1))
    film(dataset / "stimuli" / "story-1.mp4", noise, sound_at=0.5)
    sounds = FolderStudy(dataset).sounds()
    assert [s.name for s in sounds] == ["story-1", "story-2"]
    assert len(sounds[0].samples) / 16_000 == pytest.approx(14.5, abs=0.1)


def test_a_manifest_chooses_listeners_and_adds_to_the_sounds(dataset):
    write_table(dataset / "extra" / "one.tsv", {"flow": range(14)})
    shutil.copytree(dataset / "sub-01", dataset / "sub-04")
    choose(
        dataset,
        '[bids]\nlisteners = ["sub-03", "01", "02"]\n[[sound]]\nname = "one"\nfile = "stimuli/story-1.wav"\n'
        'covariates = "extra/one.tsv"\n[[sound]]\nname = "two"\nfile = "stimuli/story-2.wav"\nfit = false\n',
    )
    study = FolderStudy(dataset)
    assert study.name == "chosen"
    assert study.listeners == ("sub-03", "sub-01", "sub-02")
    assert [(s.name, s.fit) for s in study.sounds()] == [("one", True), ("two", False)]
    assert study.covariates(study.sounds()[0])[0] == ("flow",)
    assert study.eeg("sub-01", study.sounds()[1])[1] == ONSETS["story-2"]


def test_a_manifest_may_lie_elsewhere(dataset, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "study.toml").write_text('name = "mine"\n[bids]\nfolder = "../dataset"\n', encoding="utf-8")
    study = FolderStudy(tmp_path / "mine")
    assert study.name == "mine"
    assert study.channels() == CHANNELS[:7]


def drop_stimulus(dataset: Path) -> None:
    path = dataset / "stimuli" / "story-2.wav"
    path.unlink()
    path.symlink_to(dataset / ".git" / "annex" / "nowhere")


def without_stim_file(dataset: Path) -> None:
    write_table(part(dataset, 3, "events.tsv"), {"onset": [1.0], "trial_type": ["listen"]})


FAULTS = {
    "not JSON": (lambda f: (f / "dataset_description.json").write_text("{"), "dataset_description.json cannot be read"),
    "not an object": (lambda f: (f / "dataset_description.json").write_text("[]"), "expected a JSON object in UTF-8"),
    "no listener": (
        lambda f: [shutil.rmtree(f / f"sub-{n:02d}") for n in (1, 2, 3)],
        "no recording; expected sub-*/[ses-*/]eeg/*_eeg.*",
    ),
    "no events": (
        lambda f: part(f, 3, "events.tsv").unlink(),
        "sub-03: none of their 1 recordings has an *_events.tsv",
    ),
    "no stim_file": (
        without_stim_file,
        "sub-03: none of their 1 recordings has an *_events.tsv with onset and stim_file",
    ),
    "one sound less": (
        lambda f: write_events(part(f, 3, "events.tsv"), {"story-1.wav": 12.0}),
        "sub-03: no onset for story-2; no row of their *_events.tsv has it as stim_file",
    ),
    "not fetched": (
        drop_stimulus,
        "story-2: no file stimuli/story-2.wav; it is a link whose content is not here: fetch",
    ),
    "two listeners": (lambda f: shutil.rmtree(f / "sub-03"), "2 listeners, but synchrony of one with the others"),
    "unknown listener": (
        lambda f: choose(f, '[bids]\nlisteners = ["01", "02", "7"]\n'),
        "sub-7: no such listener in",
    ),
    "no dataset": (lambda f: choose(f, '[bids]\nfolder = "elsewhere"\n'), "no BIDS dataset in"),
    "both": (
        lambda f: choose(f, '[bids]\n[[listener]]\nname = "a"\nfile = "a"\nonset = {}\n'),
        "has both [bids] and [[listener]]; expected one of them",
    ),
    "a name too long": (
        lambda f: write_events(part(f, 3, "events.tsv"), {"story" + 300 * "9" + ".wav": 12.0}),
        "a part of its name has 309 bytes",
    ),
    "a name with NUL": (
        lambda f: write_events(part(f, 3, "events.tsv"), {"story\0.wav": 12.0}),
        "NUL",
    ),
    "damaged events": (
        lambda f: part(f, 3, "events.tsv").write_text("onset\tstim_file\n1.0\n"),
        "row 2 has 1 cells; expected 2",
    ),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_datasets_fault_is_named_in_one_line(dataset, kind):
    fault, expected = FAULTS[kind]
    fault(dataset)
    assert expected in refusal(dataset)


@pytest.mark.parametrize("name", [None, "", "  ", "[Unspecified]", "n/a", "Untitled"])
def test_a_nameless_dataset_has_the_name_of_its_folder(dataset, name):
    """mne-bids writes '[Unspecified]' where it is given no name."""
    told = {"BIDSVersion": "1.10.0"} | ({} if name is None else {"Name": name})
    (dataset / "dataset_description.json").write_text(json.dumps(told))
    assert FolderStudy(dataset).name == "dataset"
