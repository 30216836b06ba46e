"""A study written to disk comes back the same: sounds, recordings, onsets, and the planted truth."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
import pyxdf

from calibration.study import FolderStudy
from rtaffect.common.settings import Settings
from rtaffect.record.xdf import WholeStream, write_xdf
from rtaffect.simulation.cohort import with_mean_of
from rtaffect.simulation.head import CHANNELS
from rtaffect.simulation.study import REST_S, compose_sounds
from rtaffect.stream.audio import SAMPLE_RATE, read_sound, sound_sha256
from rtaffect.stream.source import StreamHeader
from tests.support.helpers import quiet, small_study


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "written"
    small_study().write(path, quiet)
    return path


def test_pyxdf_reads_what_was_written(tmp_path):
    rng = np.random.default_rng(0)
    stamps = 500.0 + np.arange(3000) / 250.0
    stamps[2000:] += 4.0
    muse = StreamHeader("Müse <1>", "EEG", 250.0, "float32", ("Fz", "Cz"), source_id="id&1").uniform("microvolts")
    other = StreamHeader("other", "EEG", 64.0, "float32", ("A",), source_id="id2").uniform("V")
    one = WholeStream(muse, rng.standard_normal((3000, 2)), stamps)
    two = WholeStream(other, rng.standard_normal((10, 1)), 500 + np.arange(10) / 64)
    marked = StreamHeader("stimuli", "Markers", 0.0, "string", ("marker",), source_id="stimuli")
    markers = WholeStream(marked, ("first", "zweites ü"), (501.5, 509.25))
    write_xdf(tmp_path / "a.xdf", [one, two, markers])
    streams, _ = pyxdf.load_xdf(tmp_path / "a.xdf", dejitter_timestamps=False)
    found = {s["info"]["name"][0]: s for s in streams}
    assert set(found) == {"Müse <1>", "other", "stimuli"}
    for made in (one, two):
        stream, header = found[made.header.name], made.header
        np.testing.assert_array_equal(stream["time_stamps"], made.stamps)
        np.testing.assert_array_equal(stream["time_series"], made.content.astype(np.float32))
        info = stream["info"]
        assert info["type"] == ["EEG"]
        assert float(info["nominal_srate"][0]) == header.rate
        assert info["source_id"] == [header.source_id]
        channels = info["desc"][0]["channels"][0]["channel"]
        assert [(c["label"][0], c["unit"][0]) for c in channels] == list(zip(header.labels, header.units, strict=True))
        assert int(stream["footer"]["info"]["sample_count"][0]) == len(made.stamps)
    assert [m[0] for m in found["stimuli"]["time_series"]] == list(markers.content)
    np.testing.assert_array_equal(found["stimuli"]["time_stamps"], markers.stamps)


def test_an_empty_recording_is_readable(tmp_path):
    header = StreamHeader("a", "EEG", 250.0, "float32", ("Fz",), source_id="a").uniform("V")
    nothing = WholeStream(header, np.empty((0, 1)), np.empty(0))
    write_xdf(tmp_path / "a.xdf", [nothing])
    (stream,), _ = pyxdf.load_xdf(tmp_path / "a.xdf")
    assert len(stream["time_stamps"]) == 0


def test_sounds_come_back_sample_by_sample(folder):
    written = FolderStudy(folder)
    assert [s.name for s in written.sounds()] == [s.name for s in small_study().sounds()]
    for made, found in zip(small_study().sounds(), written.sounds(), strict=True):
        np.testing.assert_array_equal(found.samples, made.samples)
        assert found.sha256 == made.sha256
        assert found.fit == made.fit
        assert found.seconds == made.seconds
    assert [s.fit for s in written.sounds()] == [True, True, True, False]


def test_sounds_differ_and_are_the_same_again():
    hashes = [s.sha256 for s in small_study().sounds()]
    assert len(set(hashes)) == len(hashes)
    assert [s.sha256 for s in compose_sounds(small_study().settings)] == hashes


def test_recordings_come_back_with_their_onsets(folder):
    study, written = small_study(), FolderStudy(folder)
    assert written.listeners == study.listeners
    assert written.synthetic
    assert written.channels() == CHANNELS
    rate = study.settings.cohort.rate_hz
    for listener in (study.listeners[0], study.listeners[-1]):
        for sound in study.sounds():
            source, onset = written.eeg(listener, sound)
            source.advance(onset + 5.0)
            block = source.buffer.read(0, onset + 5.0)
            assert block.times[0] == pytest.approx(onset - 10.0, abs=1.5 / rate)
            heard = np.round((block.times - onset) * rate).astype(int) + round(REST_S * rate)
            truth = study.listen(study.listeners.index(listener), sound)[heard]
            np.testing.assert_allclose(block.samples, truth, rtol=1e-5, atol=1e-11)


def test_markers_in_a_recording_are_the_manifests_onsets(folder):
    manifest = tomllib.loads((folder / "study.toml").read_text(encoding="utf-8"))
    for entry in manifest["listener"]:
        streams, _ = pyxdf.load_xdf(folder / entry["file"], dejitter_timestamps=False)
        markers = next(s for s in streams if s["info"]["type"] == ["Markers"])
        marked = dict(zip([m[0] for m in markers["time_series"]], markers["time_stamps"].tolist(), strict=True))
        assert marked == entry["onset"]
        assert len(marked) == 4


def test_truth_is_written_in_the_windows_of_the_default_settings(folder):
    study = small_study()
    lines = (folder / "truth.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[0].split("\t") == ["sound", "time", *CHANNELS]
    assert len(lines) == 1 + sum(s.seconds for s in study.sounds())
    sound = study.sounds()[1]
    rows = [cells.split("\t") for cells in lines if cells.startswith(sound.name)]
    assert [int(r[1]) for r in rows] == list(range(1, sound.seconds + 1))
    assert all(c == "n/a" for r in rows[:9] for c in r[2:])
    window = Settings().synchrony.window_s
    expected = with_mean_of(study.cohort.truth(sound.sha256, study.features[sound.name]), 4, window)
    np.testing.assert_allclose(np.array([r[2:] for r in rows[9:]], float), expected[9:], atol=6e-6)


def test_a_sound_file_is_the_same_stimulus_as_the_sound_in_memory(folder):
    sound = small_study().sounds()[0]
    samples, rate = read_sound(folder / "sounds" / f"{sound.name}.wav")
    assert rate == SAMPLE_RATE
    assert sound_sha256(samples) == sound.sha256
