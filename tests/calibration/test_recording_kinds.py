"""Recordings as programs leave them: interrupted, renamed, cut, in other letters, or something else under the name."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import mne
import numpy as np
import pytest

from calibration.studies.layout import RecordingFile
from calibration.studies.recording import heard_in, open_recording, out_of_place
from rtaffect.common.errors import RecordingError
from tests.support.study_files import (
    CHANNELS,
    QUANTISED,
    RATE,
    eeg,
    write_brainvision,
    write_cnt,
    write_edf,
    write_fif,
    write_set,
    write_table,
)


def recording(path: Path, onset: float | None = None, **more) -> RecordingFile:
    return RecordingFile("A", path, {} if onset is None else {"story": onset}, path, **more)


def heard(path: Path, onset: float, seconds: int) -> tuple[np.ndarray, np.ndarray]:
    """Return times and samples from shortly before a sound to its end."""
    file = recording(path, onset)
    source, begin = heard_in(file, open_recording(file), "story", seconds)
    source.advance(begin + seconds)
    block = source.buffer.read(0, begin + seconds)
    return block.times, block.samples


def refused(path: Path, **more) -> str:
    with pytest.raises(RecordingError) as caught:
        open_recording(recording(path, **more))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("boundary", ["boundary", -99, -99.0, "-99"])
def test_a_cut_in_eeglab_is_a_break_whatever_it_is_called(tmp_path, boundary):
    write_set(tmp_path / "a.set", eeg(0, 20), boundary=boundary, boundaries=[round(8 * RATE) + 0.5])
    found = open_recording(recording(tmp_path / "a.set"))
    assert found.breaks == (8.0,)
    assert found.warnings == []
    assert "was interrupted at 8.0 s" in out_of_place(recording(tmp_path / "a.set", 5.0), found, "story", 6)
    assert heard(tmp_path / "a.set", 12.0, 5)[0][0] == 8.0


def test_another_number_is_no_break(tmp_path):
    write_set(tmp_path / "a.set", eeg(0, 20), boundary=-98, boundaries=[1000.0])
    assert open_recording(recording(tmp_path / "a.set")).breaks == ()


def test_epochs_are_refused_with_the_way_to_what_is_continuous(tmp_path):
    write_set(tmp_path / "a.set", eeg(0, 12), trials=3)
    assert "a.set holds 3 epochs; expected a continuous recording" in refused(tmp_path / "a.set")
    info = mne.create_info(list(CHANNELS), RATE, "eeg", verbose="ERROR")
    epochs = mne.EpochsArray(np.stack([eeg(0, 2).T] * 3), info, verbose="ERROR")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        epochs.save(tmp_path / "a-epo.fif", verbose="ERROR")
        epochs.average().save(tmp_path / "a-ave.fif", verbose="ERROR")
    for name in ("a-epo.fif", "a-ave.fif"):
        assert f"{name} holds no continuous recording, but epochs or averages; expected" in refused(tmp_path / name)


@pytest.mark.parametrize("suffix", [".edf", ".bdf"])
@pytest.mark.parametrize(("encoding", "text"), [("latin-1", "Augen schließen"), ("gbk", "闭眼"), ("cp1252", "“go”")])
def test_annotations_that_are_not_utf_8_are_read_with_a_note(tmp_path, suffix, encoding, text):
    path = tmp_path / f"a{suffix}"
    marks = [(1.5, 1.0, "BAD muscle"), (3.0, 0.5, text)]
    write_edf(path, eeg(0, 6), kind=f"{suffix[1:].upper()}+C", annotations=marks, encoding=encoding)
    found = open_recording(recording(path))
    assert len(found.warnings) == 1
    assert "annotations are not UTF-8" in found.warnings[0]
    (_, samples), *_ = found.pieces()
    expected = eeg(0, 6)
    expected[192:320] = np.nan
    np.testing.assert_allclose(samples, expected, atol=QUANTISED)


def with_hole(path: Path, kind: str = "EDF+C", **more) -> None:
    """Write 20 s of EDF or BDF whose records go on 7.5 s later after 8 s."""
    begins = [second + (7.5 if second >= 8 else 0.0) for second in range(20)]
    write_edf(path, eeg(0, 20), kind=kind, **({"annotations": (), "begins": begins} | more))


@pytest.mark.parametrize(("name", "kind"), [("a.edf", "EDF+C"), ("a.edf", "EDF+D"), ("a.bdf", "BDF+D")])
def test_samples_of_records_with_holes_are_at_their_times(tmp_path, name, kind):
    with_hole(tmp_path / name, kind, annotations=[(17.0, 1.0, "BAD")])
    found = open_recording(recording(tmp_path / name))
    assert found.holes == ((8.0, 15.5),)
    assert found.last == pytest.approx(27.5 - 1 / RATE)
    assert found.warnings == ["7.50 s are missing from 8.00 s on; times after that count them, as the file does"]
    times, samples = heard(tmp_path / name, 18.0, 6)
    assert times[0] == pytest.approx(15.5)
    expected = eeg(0, 20)[8 * 128 : 8 * 128 + len(samples)].astype(np.float32)
    expected[192:320] = np.nan
    np.testing.assert_allclose(samples, expected, atol=QUANTISED)
    times = np.concatenate([each for each, _ in found.pieces()])
    np.testing.assert_allclose(np.diff(times)[[0, 8 * 128 - 1, -1]], [1 / RATE, 7.5 + 1 / RATE, 1 / RATE])


@pytest.mark.parametrize(("onset", "seconds"), [(5.0, 6), (9.0, 3), (12.0, 5)])
def test_a_sound_in_a_hole_is_refused(tmp_path, onset, seconds):
    with_hole(tmp_path / "a.edf")
    file = recording(tmp_path / "a.edf", onset)
    assert "has no samples from 8.0 to 15.5 s, while story" in out_of_place(
        file, open_recording(file), "story", seconds
    )


def test_records_whose_times_are_rounded_or_not_told_go_on(tmp_path):
    rng = np.random.default_rng(0)
    for number, begins in enumerate((np.arange(20) + rng.uniform(0, 0.009, 20), np.zeros(20), np.arange(20) + 0.35)):
        path = tmp_path / f"{number}.edf"
        write_edf(path, eeg(0, 20), kind="EDF+C", annotations=(), begins=begins)
        found = open_recording(recording(path))
        assert (found.holes, found.warnings) == ((), [])
    write_edf(tmp_path / "a.edf", eeg(0, 3), kind="EDF+C", annotations=(), begins=[0, 5, 2])
    assert "the times of its records go back at 5.0 s" in refused(tmp_path / "a.edf")


def test_an_edf_that_is_cut_short_is_read_and_told(tmp_path):
    with_hole(tmp_path / "a.edf")
    data = (tmp_path / "a.edf").read_bytes()
    (tmp_path / "a.edf").write_bytes(data[: len(data) * 7 // 10])
    found = open_recording(recording(tmp_path / "a.edf"))
    assert found.last == pytest.approx(13 + 7.5 - 1 / RATE)
    assert "does not match the file size" in found.warnings[0]


def renamed(folder: Path) -> Path:
    """Return a BrainVision set that was renamed together, so that its header names files that are not there."""
    write_brainvision(folder / "old.vhdr", eeg(0, 6), segments=[256])
    for suffix in (".vhdr", ".vmrk", ".eeg"):
        (folder / f"old{suffix}").rename(folder / f"new{suffix}")
    return folder / "new.vhdr"


def test_a_brainvision_set_that_was_renamed_together_is_read(tmp_path):
    path = renamed(tmp_path)
    found = open_recording(recording(path))
    assert found.breaks == (2.0,)
    assert found.warnings == [
        "new.vhdr names old.eeg and old.vmrk, which are not there; those of its own name are read"
    ]
    (_, samples), *_ = found.pieces()
    np.testing.assert_allclose(samples, eeg(0, 6), atol=1e-11)


def test_a_brainvision_set_that_names_other_samples_says_so(tmp_path):
    path = renamed(tmp_path)
    shutil.copy(tmp_path / "new.eeg", tmp_path / "old.eeg")
    found = open_recording(recording(path))
    assert "new.vhdr names old.eeg, which is read, although new.eeg lies beside it" in found.warnings


def test_brainvision_that_is_cut_short_is_read_and_told(tmp_path):
    write_brainvision(tmp_path / "a.vhdr", eeg(0, 6))
    (tmp_path / "a.eeg").write_bytes((tmp_path / "a.eeg").read_bytes()[: 8 * 4 * 300 + 5])
    assert open_recording(recording(tmp_path / "a.vhdr")).warnings == [
        "a.eeg is cut short: it ends within a sample, after 300; copy it again"
    ]
    text = (tmp_path / "a.vhdr").read_text(encoding="utf-8")
    (tmp_path / "a.vhdr").write_text(text.replace("DataFormat=", "DataPoints=768\nDataFormat="), encoding="utf-8")
    found = open_recording(recording(tmp_path / "a.vhdr"))
    assert found.warnings == ["a.eeg is cut short: its header says 768 samples, and 300 are there; copy it again"]


def test_markers_in_other_letters_are_read(tmp_path):
    write_brainvision(tmp_path / "a.vhdr", eeg(0, 6), segments=[256])
    text = (tmp_path / "a.vmrk").read_text(encoding="utf-8")
    (tmp_path / "a.vmrk").write_bytes((text + "Mk3=Comment,Übung,300,1,0\n").encode("latin-1"))
    found = open_recording(recording(tmp_path / "a.vhdr"))
    assert found.breaks == (2.0,)
    assert "a.vmrk is not UTF-8" in found.warnings[0]


def test_neuroscan_is_eeg_with_its_rejected_spans(tmp_path):
    write_cnt(tmp_path / "a.cnt", eeg(0, 6), rejected=[(257, 385)])
    found = open_recording(recording(tmp_path / "a.cnt"))
    assert (found.rate, found.channels, found.warnings) == (RATE, CHANNELS, [])
    (_, samples), *_ = found.pieces()
    expected = eeg(0, 6)
    expected[256:384] = np.nan
    np.testing.assert_allclose(samples, expected, atol=QUANTISED)
    (tmp_path / "a.cnt").write_bytes((tmp_path / "a.cnt").read_bytes()[:9000])
    assert "expected a whole Neuroscan recording" in refused(tmp_path / "a.cnt")


ENDINGS = [".edf", ".bdf", ".vhdr", ".set", ".fif", ".fif.gz", ".cnt", ".xdf"]
OTHERS = {
    "empty": b"",
    "text": b"hello world\n" * 99,
    "zeros": bytes(4000),
    "picture": b"\x89PNG\r\n" + bytes(range(256)) * 9,
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_something_else_under_the_ending_is_refused_in_one_line(tmp_path, ending):
    for kind, content in OTHERS.items():
        path = tmp_path / f"{kind}{ending}"
        path.write_bytes(content)
        text = refused(path)
        assert path.name in text
        assert "Traceback" not in text
        assert "overrides" not in text
        assert "data_format" not in text
    (tmp_path / f"a{ending}").mkdir()
    assert "folder" in refused(tmp_path / f"a{ending}") or "directory" in refused(tmp_path / f"a{ending}")


def test_edf_under_the_name_of_bdf_is_not_read_as_such(tmp_path):
    write_edf(tmp_path / "a.edf", eeg(0, 6))
    (tmp_path / "a.edf").rename(tmp_path / "a.bdf")
    assert "a.bdf is EDF under the name of BDF; expected an ending that says what it is" in refused(tmp_path / "a.bdf")


def test_names_in_a_table_of_channels_that_fit_none_are_told_and_bad_ones_refused(tmp_path):
    write_fif(tmp_path / "a_raw.fif", eeg(0, 6)[:, :3], CHANNELS[:3])
    table = {"name": ["Fp1", "AFz", "CPz"], "type": ["EEG"] * 3, "status": ["good"] * 3}
    write_table(tmp_path / "channels.tsv", table)
    file = recording(tmp_path / "a_raw.fif", described=tmp_path / "channels.tsv")
    assert open_recording(file).warnings == [
        "channels.tsv has rows for AFz, CPz, which the recording does not have and says nothing of Fz, Cz: correct its "
        "column name"
    ]
    write_table(tmp_path / "channels.tsv", table | {"status": ["good", "good", "bad"]})
    text = refused(tmp_path / "a_raw.fif", described=tmp_path / "channels.tsv")
    assert "channels.tsv marks CPz as bad, and the recording has no such channel (Fp1, Fz, Cz); expected its" in text
