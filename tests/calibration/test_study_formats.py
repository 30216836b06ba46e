"""Recordings of any format are the same EEG: samples, channels and what the live code makes of them."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from calibration.studies.layout import RecordingFile
from calibration.studies.recording import open_recording
from calibration.study import FolderStudy
from rtaffect.common.errors import RecordingError
from rtaffect.common.settings import Settings
from rtaffect.observed.participant import Participant
from tests.support.study_files import (
    CHANNELS,
    ONSETS,
    QUANTISED,
    RATE,
    WRITERS,
    edit,
    eeg,
    write_brainvision,
    write_edf,
    write_fif,
    write_manifest,
    write_set,
    write_sounds,
    write_study,
    write_table,
    write_xdf_file,
)

NAMES = (*CHANNELS[:7], "VEOG")


def heard(study: FolderStudy, listener: str, number: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return times from the sound's onset and samples, up to its end."""
    sound = study.sounds()[number]
    source, onset = study.eeg(listener, sound)
    source.advance(onset + sound.seconds)
    block = source.buffer.read(0, onset + sound.seconds)
    return block.times - onset, block.samples


def cleaned(study: FolderStudy, listener: str, number: int = 0) -> np.ndarray:
    """Return what a live session would see of the listener, (n, channels)."""
    sound = study.sounds()[number]
    source, onset = study.eeg(listener, sound)
    live = Participant(source, study.channels(), Settings(), onset, partial=True)
    source.advance(onset + sound.seconds + live.lookahead_s)
    live.advance(sound.seconds)
    return live.window(sound.seconds, sound.seconds)


@pytest.fixture(scope="module")
def from_xdf(tmp_path_factory: pytest.TempPathFactory) -> FolderStudy:
    return FolderStudy(write_study(tmp_path_factory.mktemp("study"), ".xdf"))


@pytest.mark.parametrize("suffix", [s for s in WRITERS if s != ".xdf"])
def test_a_format_is_the_same_eeg_as_xdf(tmp_path, from_xdf, suffix):
    study = FolderStudy(write_study(tmp_path, suffix))
    assert study.channels() == from_xdf.channels() == CHANNELS[:7]
    for number in range(2):
        times, samples = heard(study, "listener-2", number)
        expected_times, expected = heard(from_xdf, "listener-2", number)
        np.testing.assert_allclose(times, expected_times, atol=1e-6)
        np.testing.assert_allclose(samples, expected, atol=QUANTISED)
        assert times[0] == pytest.approx(-10.0, abs=1 / RATE)
    found, known = cleaned(study, "listener-2"), cleaned(from_xdf, "listener-2")
    assert np.isfinite(known).mean() > 0.9
    np.testing.assert_allclose(found, known, atol=3 * QUANTISED)


def recording(path: Path, **more) -> RecordingFile:
    return RecordingFile("A", path, {}, path, **more)


def volts(file: RecordingFile, start: float = 0.0, stop: float = 5.0) -> np.ndarray:
    source = open_recording(file).source(start, stop)
    source.advance(stop)
    return source.buffer.read(0, np.inf).samples


@pytest.mark.parametrize("unit", ["uV", "mV", "V", "nV"])
def test_edf_in_any_unit_is_volts(tmp_path, unit):
    write_edf(tmp_path / "a.edf", eeg(0, 6), unit=unit)
    np.testing.assert_allclose(volts(recording(tmp_path / "a.edf")), eeg(0, 6)[:640], atol=1e-7)


def test_bad_spans_of_edf_annotations_are_missing(tmp_path):
    marks = [(1.5, 1.0, "BAD muscle"), (3.0, 0.5, "story-1")]
    write_edf(tmp_path / "a.edf", eeg(0, 6), kind="EDF+C", annotations=marks)
    found, expected = volts(recording(tmp_path / "a.edf")), eeg(0, 6)[:640]
    expected[192:320] = np.nan
    np.testing.assert_allclose(found, expected, atol=QUANTISED)


@pytest.mark.parametrize("unit", ["µV", "mV", "V", "nV", ""])
def test_brainvision_in_any_unit_is_volts(tmp_path, unit):
    write_brainvision(tmp_path / "a.vhdr", eeg(0, 6), unit=unit)
    np.testing.assert_allclose(volts(recording(tmp_path / "a.vhdr")), eeg(0, 6)[:640], atol=1e-11)


def test_edf_without_a_unit_asks_for_it_and_takes_it(tmp_path):
    write_edf(tmp_path / "a.edf", eeg(0, 6), unit="")
    with pytest.raises(RecordingError, match=r"A: a.edf: .*does not say in which unit.*listener.unit"):
        open_recording(recording(tmp_path / "a.edf"))
    found = volts(recording(tmp_path / "a.edf", unit="uV"))
    np.testing.assert_allclose(found, eeg(0, 6)[:640], atol=QUANTISED)


def test_a_header_that_declares_more_channels_than_there_can_be_is_refused_before_memory_is_taken(tmp_path):
    write_brainvision(tmp_path / "a.vhdr", eeg(0, 6))
    header = (tmp_path / "a.vhdr").read_bytes()
    (tmp_path / "a.vhdr").write_bytes(re.sub(rb"NumberOfChannels=\d+", b"NumberOfChannels=9223372036854775807", header))
    with pytest.raises(RecordingError, match=r"declares 9223372036854775807 channels; expected 1 to 4096"):
        volts(recording(tmp_path / "a.vhdr"))


@pytest.mark.parametrize("suffix", [".edf", ".set", ".fif", ".vhdr"])
def test_a_unit_that_is_given_replaces_the_files(tmp_path, suffix):
    WRITERS[suffix](tmp_path / f"a{suffix}", eeg(0, 6))
    said = 1e-6 if suffix != ".fif" else 1.0
    found = volts(recording(tmp_path / f"a{suffix}", unit="nV"))
    np.testing.assert_allclose(found, eeg(0, 6)[:640] / said * 1e-9, atol=1e-3 * QUANTISED / said * 1e-6)


def test_edf_takes_eeg_and_eyes_at_their_own_rate(tmp_path):
    """Sound at a higher rate, a trigger and a pulse in per cent are left out, and raise nothing."""
    rng = np.random.default_rng(0)
    others = [
        ("Audio", "mV", rng.standard_normal(6 * 512), 512),
        ("SaO2", "%", 90 + rng.standard_normal(6 * 4), 4),
        ("Oximetry", "%", 90 + rng.standard_normal(6 * 4), 4),
        ("Status", "Boolean", rng.integers(0, 2, 6 * 128).astype(float), 128),
    ]
    names = ("EEG Fp1-REF", "EEG Fz-REF", "Cz", "Pz", "A1", "EXG1", "ECG", "EOG left")
    write_edf(tmp_path / "a.bdf", eeg(0, 6), names, others=others)
    found = open_recording(recording(tmp_path / "a.bdf"))
    assert found.rate == RATE
    assert found.channels == ("EEG Fp1-REF", "EEG Fz-REF", "Cz", "Pz", "A1", "EOG left")
    expected = eeg(0, 6)[:640, [0, 1, 2, 3, 4, 7]]
    np.testing.assert_allclose(volts(recording(tmp_path / "a.bdf")), expected, atol=QUANTISED)


def test_channels_can_be_named_in_the_manifest(tmp_path):
    write_edf(tmp_path / "a.edf", eeg(0, 6), [f"EEG {i:03d}" for i in range(8)])
    names = ("F3", "EOG EXG1", *CHANNELS[2:8])
    found = recording(tmp_path / "a.edf", channels=names)
    assert open_recording(found).channels == ("F3", *CHANNELS[2:7], "EOG EXG1", "VEOG")
    np.testing.assert_allclose(volts(found)[:, 6], eeg(0, 6)[:640, 1], atol=QUANTISED)
    with pytest.raises(RecordingError, match=r"a.edf: .*8 channels but 2 names.*listener.channels"):
        open_recording(recording(tmp_path / "a.edf", channels=("Fz", "Cz")))


def test_two_channels_of_one_name_are_refused_with_the_remedy(tmp_path):
    write_edf(tmp_path / "a.edf", eeg(0, 6), ("Fz", "Fz", *CHANNELS[2:]))
    with pytest.raises(RecordingError, match=r"'Fz' more than once.*listener.channels"):
        open_recording(recording(tmp_path / "a.edf"))
    named = recording(tmp_path / "a.edf", channels=CHANNELS)
    np.testing.assert_allclose(volts(named)[:, 1], eeg(0, 6)[:640, 1], atol=QUANTISED)


def test_types_of_the_file_count(tmp_path):
    types = ["eeg"] * 5 + ["eog", "ecg", "misc"]
    names = (*CHANNELS[:5], "EXG1", "heart", "x")
    write_fif(tmp_path / "a_raw.fif", eeg(0, 6), names, types=types)
    assert open_recording(recording(tmp_path / "a_raw.fif")).channels == (*CHANNELS[:5], "EOG EXG1")
    write_fif(tmp_path / "b_raw.fif", eeg(0, 6), names, types=["misc"] * 8)
    with pytest.raises(RecordingError, match="no channel of type EEG, only 'misc'"):
        open_recording(recording(tmp_path / "b_raw.fif"))


@pytest.mark.parametrize("dated", [False, True])
def test_what_is_marked_bad_is_missing(tmp_path, dated):
    """Channels, and spans of all or of named channels; time counts from the first sample whatever the clock says."""
    marks = [(6.0, 1.0, "BAD_move", ()), (9.0, 0.5, "bad pop", ("Fz",)), (3.0, 1.0, "speech", ())]
    write_fif(tmp_path / "a_raw.fif", eeg(0, 20), bads=["Cz"], first_samp=700, annotations=marks, dated=dated)
    file = recording(tmp_path / "a_raw.fif")
    found, expected = volts(file, 0.0, 20.0)[: 20 * 128], eeg(0, 20)
    expected[:, 2] = np.nan
    expected[6 * 128 : 7 * 128] = np.nan
    expected[9 * 128 : 9 * 128 + 64, 1] = np.nan
    np.testing.assert_allclose(found, expected, atol=1e-11)
    assert open_recording(file).bad == ("Cz",)
    np.testing.assert_array_equal(volts(file, 6.5, 9.25), found[832:1184])


def test_a_table_of_channels_says_what_they_are(tmp_path):
    names = ["Fp1", "Fz", "C3", "EXG1", "EXG2", "GSR9", "M1", "odd"]
    write_edf(tmp_path / "a.edf", eeg(0, 6), names, unit="")
    table = {
        "name": [*names, "elsewhere"],
        "type": ["EEG", "EEG", "EEG", "HEOG", "EEG", "n/a", "REF", "n/a", "EEG"],
        "units": ["uV", "mV", "uV", "uV", "uV", "n/a", "uV", "uV", "uV"],
        "status": ["good", "good", "bad", "good", "n/a", "good", "good", "good", "good"],
    }
    write_table(tmp_path / "channels.tsv", table)
    file = recording(tmp_path / "a.edf", described=tmp_path / "channels.tsv")
    found = open_recording(file)
    assert found.channels == ("Fp1", "Fz", "C3", "EXG2", "odd", "EOG EXG1")
    assert found.bad == ("C3",)
    samples = volts(file)
    np.testing.assert_allclose(samples[:, 0], eeg(0, 6)[:640, 0], atol=QUANTISED)
    np.testing.assert_allclose(samples[:, 1], 1e3 * eeg(0, 6)[:640, 1], atol=1e3 * QUANTISED)
    assert np.isnan(samples[:, 2]).all()
    np.testing.assert_allclose(samples[:, 5], eeg(0, 6)[:640, 3], atol=QUANTISED)


BAD_TABLES = {
    "no name": ({"channel": ["Fz"], "type": ["EEG"]}, "columns channel, type; expected name, type, units"),
    "other channels": ({"name": ["A1", "A2"], "type": ["EEG", "EEG"]}, "names none of the recording's channels"),
}


@pytest.mark.parametrize("kind", BAD_TABLES)
def test_a_table_of_channels_that_does_not_fit_is_refused(tmp_path, kind):
    table, expected = BAD_TABLES[kind]
    write_edf(tmp_path / "a.edf", eeg(0, 6))
    write_table(tmp_path / "channels.tsv", table)
    with pytest.raises(RecordingError, match=expected):
        open_recording(recording(tmp_path / "a.edf", described=tmp_path / "channels.tsv"))
    write_xdf_file(tmp_path / "a.xdf", eeg(0, 6))
    with pytest.raises(RecordingError, match=r"A: a.xdf is XDF.*take it out of study.toml"):
        open_recording(recording(tmp_path / "a.xdf", described=tmp_path / "channels.tsv"))


@pytest.mark.parametrize("suffix", [".vhdr", ".set"])
@pytest.mark.parametrize(("at", "refused"), [(20.0, True), (8.0, False), (28.0, False)])
def test_an_interruption_matters_where_it_is(tmp_path, suffix, at, refused):
    """In the sound it breaks the time lock; shortly before it, the filters start anew after it."""
    sample = round(at * RATE)
    marks = {"segments": [sample]} if suffix == ".vhdr" else {"boundaries": [sample + 0.5]}
    study = FolderStudy(write_study(tmp_path, suffix, **marks))
    if refused:
        with pytest.raises(RecordingError, match=r"listener-1: .* was interrupted at 20.0 s, while story-1 was heard"):
            heard(study, "listener-1")
        return
    times, _ = heard(study, "listener-1")
    assert times[0] == pytest.approx((at if at < 12 else 2.004) - ONSETS["story-1"], abs=2 / RATE)


def test_a_person_may_have_several_recordings(tmp_path):
    """One entry for each, of any format; a sound is found in the one that has its onset."""
    write_sounds(tmp_path / "sounds")
    for n in range(3):
        write_edf(tmp_path / f"{n}-one.edf", eeg(n))
        write_fif(tmp_path / f"{n}-two_raw.fif", eeg(n + 10)[:, :6], CHANNELS[:6])
    write_manifest(tmp_path, {f"p{n}": f"{n}-one.edf" for n in range(3)}, {"story-1": 12.0})
    entries = "".join(
        f'\n[[listener]]\nname = "p{n}"\nfile = "{n}-two_raw.fif"\nonset = {{ "story-2" = 20.0 }}\n' for n in range(3)
    )
    with (tmp_path / "study.toml").open("a", encoding="utf-8") as file:
        file.write(entries)
    study = FolderStudy(tmp_path)
    assert study.listeners == ("p0", "p1", "p2")
    assert study.channels() == CHANNELS[:6]
    np.testing.assert_allclose(heard(study, "p1", 0)[1], eeg(1)[256 : 26 * 128 + 1], atol=QUANTISED)
    np.testing.assert_allclose(heard(study, "p1", 1)[1], eeg(11)[1280 : 34 * 128 + 1, :6], atol=1e-11)
    edit(tmp_path, '"story-2" = 20.0', '"story-2" = 20.0, "story-1" = 1.0')
    with pytest.raises(RecordingError, match=r"p0: 2 onsets for story-1 \(0-one.edf, 0-two_raw.fif\); expected one"):
        FolderStudy(tmp_path)


def test_a_sound_beyond_the_recording_is_refused(tmp_path):
    study = FolderStudy(write_study(tmp_path, ".vhdr"))
    edit(tmp_path, "12.004", "37.5")
    with pytest.raises(
        RecordingError, match=r"begins at 37.5 s and lasts 14 s.*spans 0.0 to 50.0 s; correct its onset"
    ):
        heard(FolderStudy(tmp_path), "listener-1")
    heard(study, "listener-1")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


BROKEN = {
    "a short EDF": (".edf", lambda f: cut(f / "a.edf"), "no header of an EDF or BDF file.*export it again"),
    "an EDF that ends in its header": (
        ".edf",
        lambda f: (f / "a.edf").write_bytes((f / "a.edf").read_bytes()[:700]),
        "ends within its header; expected 8 channels",
    ),
    "an interrupted EDF": (".edf", lambda f: write_edf(f / "a.edf", eeg(0, 6), kind="EDF+D"), "has interruptions"),
    "no samples": (
        ".vhdr",
        lambda f: (f / "a.eeg").unlink(),
        "a.vhdr names a.eeg, which is not there, nor a.eeg; expected the samples beside their header",
    ),
    "a short FIF": (".fif", lambda f: cut(f / "a.fif"), "a.fif cannot be read"),
    "no FIF": (".fif", lambda f: (f / "a.fif").write_bytes(b"nothing of that kind" * 99), "a.fif cannot be read"),
    "a short SET": (".set", lambda f: cut(f / "a.set"), "a.set cannot be read"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_file_that_cannot_be_read_is_named_in_one_line(tmp_path, kind):
    suffix, fault, expected = BROKEN[kind]
    WRITERS[suffix](tmp_path / f"a{suffix}", eeg(0, 6))
    fault(tmp_path)
    with pytest.raises(RecordingError, match=expected) as caught:
        open_recording(recording(tmp_path / f"a{suffix}"))
    assert "\n" not in str(caught.value)


def test_an_ending_that_nothing_reads_is_refused(tmp_path):
    (tmp_path / "a.docx").write_bytes(b"PK")
    with pytest.raises(RecordingError, match=r"a.docx cannot be read \(Unsupported file type"):
        open_recording(recording(tmp_path / "a.docx"))


def test_without_mne_the_remedy_is_named(tmp_path, monkeypatch):
    write_edf(tmp_path / "a.edf", eeg(0, 6))
    monkeypatch.setitem(sys.modules, "mne", None)
    with pytest.raises(RecordingError, match=r'a.edf: only XDF is read without mne.*pip install "rtaffect\[head\]"'):
        open_recording(recording(tmp_path / "a.edf"))
    write_xdf_file(tmp_path / "a.xdf", eeg(0, 6))
    assert open_recording(recording(tmp_path / "a.xdf")).channels[0] == "Fp1"


def test_a_long_sound_is_read_in_pieces(tmp_path):
    """More than a minute, as one second: the same samples."""
    write_set(tmp_path / "a.set", eeg(0, 130))
    whole = open_recording(recording(tmp_path / "a.set")).source(3.0, 127.0)
    whole.advance(4.0)
    first = whole.buffer.read(0, np.inf).samples
    np.testing.assert_allclose(first, eeg(0, 130)[384 : 4 * 128 + 1], atol=1e-11)
    whole.advance(126.0)
    late = whole.buffer.read(0, np.inf)
    np.testing.assert_allclose(late.samples, eeg(0, 130)[384 + late.first : 126 * 128 + 1], atol=1e-11)


@pytest.mark.recordings
@pytest.mark.skipif("RTAFFECT_RECORDINGS" not in os.environ, reason="RTAFFECT_RECORDINGS names no folder of recordings")
def test_a_real_eeglab_file_is_eeg():
    path = Path(os.environ["RTAFFECT_RECORDINGS"]).parent / "eeg" / "eeglab_data.set"
    found = open_recording(recording(path))
    assert found.rate == 128.0
    assert len(found.channels) == 32
    assert found.channels[-2:] == ("EOG1", "EOG2")
    assert 1e-6 < np.std(volts(recording(path), 10.0, 14.0)) < 1e-4
    assert found.last == pytest.approx(238.3, abs=0.1)
