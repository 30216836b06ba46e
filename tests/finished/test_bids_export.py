"""Sessions as a BIDS dataset: valid, with the samples and events that were recorded, and a study to calibrate on."""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
import shutil
import subprocess
import tomllib
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import mne
import mne_bids
import numpy as np
import pytest
import pyxdf
import soundfile
import tomli_w
from click.testing import CliRunner

from calibration.finished.bids.command import command
from calibration.finished.bids.export import Choices, Exported, ExportError, export
from calibration.finished.bids.feedback import time_course_of
from calibration.finished.bids.grid import place
from calibration.studies.check import check
from calibration.study import FolderStudy
from rtaffect.common.errors import RecordingError, RtaffectError, SettingsError
from rtaffect.common.sums import write_sums
from rtaffect.plan.session_folder import open_session
from tests.support.session_files import ORIGIN, FakeBlock, write_session
from tests.support.xdf_writer import FakeStream, image

VALIDATOR = shutil.which("bids-validator-deno")
#: What only the lab knows: authors, institution, licence, and references to ontologies.
EXPECTED_WARNINGS = {"JSON_KEY_RECOMMENDED", "SIDECAR_KEY_RECOMMENDED", "NO_AUTHORS", "TOO_FEW_AUTHORS"}
STORIES = (
    FakeBlock("baseline", "Baseline", 45, "story.wav"),
    FakeBlock("feedback", "Run 1", 30, "fable.wav", 0.05, duration_known=False),
    FakeBlock("transfer", "Transfer", 30, "tale.wav", 0.05),
)
SHORT = (FakeBlock("listen", "Run", 12, "tale.wav"),)
TASK = "Baselinetworunsandatransfer"
PERSON = "Muse-1A2F"


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three participants, the second with another pair of eyes to the same computer: four people."""
    root = tmp_path_factory.mktemp("sessions")
    alone = [write_session(root / f"at-{n}", participant=f"P0{n}", seed=n, blocks=STORIES) for n in (1, 2)]
    pair = write_session(root / "pair", participant="D01", seed=3, blocks=STORIES, people=("Muse-A", "Muse-B"))
    return [*alone, pair]


@pytest.fixture(scope="module")
def exported(sessions: list[Path]) -> tuple[Path, Exported]:
    out = sessions[0].parent / "dataset"
    return out, export(sessions, out)


def stem(out: Path, sub: str, ses: str = "01", task: str = TASK, run: str = "01") -> Path:
    return out / f"sub-{sub}" / f"ses-{ses}" / "eeg" / f"sub-{sub}_ses-{ses}_task-{task}_run-{run}"


def sidecar(of: Path, suffix: str) -> dict:
    return json.loads(of.with_name(f"{of.name}_{suffix}.json").read_text(encoding="utf-8"))


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def events(of: Path) -> list[dict[str, str]]:
    return table(of.with_name(f"{of.name}_events.tsv"))


def read(of: Path) -> mne.io.BaseRaw:
    """Return a recording as mne-bids reads it, which warns of nothing."""
    path = mne_bids.get_bids_path_from_fname(of.with_name(f"{of.name}_eeg.vhdr"))
    return mne_bids.read_raw_bids(path, verbose="ERROR")


def validated(out: Path) -> dict[str, set[str]]:
    """Return the codes of the validator's issues by severity."""
    if VALIDATOR is None:
        pytest.skip("bids-validator-deno is not installed")
    done = subprocess.run(
        [VALIDATOR, "--format", "json", "--max-rows", "-1", str(out)],
        capture_output=True, text=True, check=False, timeout=100, env={**os.environ, "DENO_NO_UPDATE_CHECK": "1"},
    )  # fmt: skip
    if not done.stdout.startswith("{"):
        pytest.skip(f"bids-validator-deno does not run here: {done.stderr[:200]}")
    found: dict[str, set[str]] = {"error": set(), "warning": set()}
    for issue in json.loads(done.stdout)["issues"]["issues"]:
        found.setdefault(issue["severity"], set()).add(f"{issue['code']} {issue.get('location', '')}")
    return found


def codes(issues: set[str]) -> set[str]:
    return {issue.split()[0] for issue in issues}


def problems(folders: Sequence[Path], out: Path, choices: Choices | None = None) -> tuple[str, ...]:
    """Return why an export is refused; nothing is left of it."""
    before = sorted(out.parent.iterdir()), sorted(out.rglob("*"))
    with pytest.raises(ExportError) as caught:
        export(folders, out, choices)
    assert (sorted(out.parent.iterdir()), sorted(out.rglob("*"))) == before
    assert not [line for line in caught.value.problems if "\n" in line]
    return caught.value.problems


def change(session: Path, **ran: object) -> None:
    """Change what ``session.toml`` says of the run; None takes it out."""
    file = session / "session.toml"
    content = tomllib.loads(file.read_text(encoding="utf-8"))
    content["ran"] = {key: value for key, value in (content["ran"] | ran).items() if value is not None}
    file.write_text(tomli_w.dumps(content), encoding="utf-8")


def small(folder: Path, **more: object) -> Path:
    """Write a session of 17 s with one sound."""
    return write_session(folder, **{"blocks": SHORT, "rows": ("Fz", "Pz"), "seed": hash(folder.name) % 1000} | more)


def recorded(session: Path, stream: FakeStream) -> Path:
    """Give a session another recording."""
    (session / "recording.xdf").write_bytes(image([stream]).data)
    return session


def test_the_dataset_is_valid(exported):
    out, _ = exported
    found = validated(out)
    assert not found["error"]
    assert codes(found["warning"]) <= EXPECTED_WARNINGS


def test_the_validator_would_find_what_is_wrong(exported, tmp_path):
    out = shutil.copytree(exported[0], tmp_path / "broken")
    (out / "stimuli" / "tale.wav").unlink()
    of = stem(out, "P01")
    path = of.with_name(f"{of.name}_recording-feedback_stim.json")
    path.write_text(json.dumps({k: v for k, v in sidecar(of, "recording-feedback_stim").items() if k != "Columns"}))
    assert {"STIMULUS_FILE_MISSING", "SIDECAR_KEY_REQUIRED"} <= codes(validated(out)["error"])


def test_samples_and_events_are_those_recorded(sessions, exported):
    """Judged by pyxdf and the stamps alone: every sample at its time, zero where there is none."""
    streams, _ = pyxdf.load_xdf(sessions[0] / "recording.xdf", dejitter_timestamps=False)
    eeg = next(s for s in streams if s["info"]["type"] == ["EEG"])
    at = np.round((eeg["time_stamps"] - eeg["time_stamps"][0]) * 128).astype(int)
    raw = read(stem(exported[0], "P01"))
    assert raw.ch_names == [c["label"][0] for c in eeg["info"]["desc"][0]["channels"][0]["channel"]]
    assert raw.info["sfreq"] == 128
    assert raw.info["line_freq"] == 50
    assert raw.n_times == at[-1] + 1
    samples = raw.get_data().T
    np.testing.assert_allclose(samples[at], 1e-6 * eeg["time_series"], rtol=1e-6, atol=1e-12)
    gap = np.setdiff1d(np.arange(raw.n_times), at)
    assert len(gap) == round(0.2 * 128)
    assert not samples[gap].any()
    (bad,) = [a for a in raw.annotations if a["description"] == "BAD_ACQ_SKIP"]
    assert round(bad["onset"] * 128) == gap[0]
    assert round(bad["duration"] * 128) == len(gap)
    said = [row for row in events(stem(exported[0], "P01")) if not row["trial_type"].startswith("BAD")]
    known = table(sessions[0] / "events.tsv")
    assert [(row["trial_type"], row["value"]) for row in said] == [(row["trial_type"], row["name"]) for row in known]
    for row, truth in zip(said, known, strict=True):
        sample = np.searchsorted(at, float(row["onset"]) * 128)
        assert abs(eeg["time_stamps"][sample] - float(truth["lsl_time"])) < 1.5 / 128
        assert abs(float(row["sample"]) - float(row["onset"]) * 128) <= 0.5


def test_events_say_what_began_and_the_sidecar_what_the_columns_mean(exported):
    of = stem(exported[0], "P01")
    rows, about = events(of), sidecar(of, "events")
    began = {row["value"]: row for row in rows if row["trial_type"] == "stimulus"}
    assert [row["stim_file"] for row in began.values()] == ["story.wav", "fable.wav", "tale.wav"]
    assert all((exported[0] / "stimuli" / name).is_file() for name in began)
    assert not [row for row in rows if row["stim_file"] != "n/a" and row["trial_type"] != "stimulus"]
    assert {row["trial_type"] for row in rows} == set(about["trial_type"]["Levels"])
    assert set(rows[0]) - set(about) == set()
    # The second block's length was not known when it began, but its end was noted.
    assert [float(row["duration"]) for row in rows if row["trial_type"] == "block"] == pytest.approx([45, 30, 30])
    key = next(row for row in rows if row["trial_type"] == "key")
    assert (key["value"], key["block"], key["block_kind"]) == ("key/cough", "1", "baseline")


def test_feedback_is_told_step_by_step(sessions, exported):
    of = stem(exported[0], "P01")
    about = sidecar(of, "recording-feedback_stim")
    with gzip.open(of.with_name(f"{of.name}_recording-feedback_stim.tsv.gz"), "rt", encoding="utf-8") as file:
        rows = [dict(zip(about["Columns"], line.rstrip("\n").split("\t"), strict=True)) for line in file]
    known = {(line["step"], line["row"]): line for line in table(sessions[0] / "feedback.tsv")}
    moments = table(sessions[0] / "moments.tsv")
    assert len(rows) == len(moments)
    for step, (row, moment) in enumerate(zip(rows, moments, strict=True), start=1):
        for name in ("Pz", "mean"):
            for kind in ("predicted", "observed", "null_high"):
                assert _same(row[f"{kind}_{name}"], known[str(step), name][kind])
        assert row["trusted_Pz"] == {"true": "1", "false": "0"}[known[str(step), "Pz"]["trusted"]]
        assert _same(row["level"], moment["level"])
        assert row["block"] == moment["block"]
    assert any(row["level"] != "n/a" for row in rows)
    assert all({"Description"} <= set(about[name]) for name in about["Columns"])
    # The first step ends a second after the session's zero, as its first event tells.
    begin = next(float(row["onset"]) for row in events(of) if row["value"] == "session/begin")
    assert about["SamplingFrequency"] == 1
    assert about["StartTime"] == pytest.approx(begin + 1, abs=1e-4)
    assert not [name for name in about["Columns"] if name.startswith("own_")]


def _same(cell: str, known: str) -> bool:
    return cell == known if "n/a" in (cell, known) else float(cell) == float(known)


def test_each_headset_is_a_person(exported):
    out, done = exported
    assert [e.sub for e in done.recordings.values()] == ["P01", "P02", "D01", "D01b"]
    assert [row["participant_id"] for row in table(out / "participants.tsv")] == [
        "sub-P01",
        "sub-P02",
        "sub-D01",
        "sub-D01b",
    ]
    first, second = (read(stem(out, sub)).get_data() for sub in ("D01", "D01b"))
    assert not np.allclose(first, second[:, : first.shape[1]])
    about = sidecar(stem(out, "D01b"), "recording-feedback_stim")
    assert "own_mean" not in about["Columns"]
    assert "own_Pz" in about["Columns"]


def test_no_computer_or_device_is_told(exported):
    """Neither hosts and source ids nor the headsets' names, which often end in a serial number."""
    out, _ = exported
    for path in (p for p in out.rglob("*") if p.is_file() and p.suffix not in {".eeg", ".wav"}):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        assert not re.search(r"Muse|\blab\b|2025-03|/data/", content.decode("utf-8")), path


def test_an_export_is_a_study(sessions, exported):
    """Calibration accepts it, and finds in it the EEG that the XDF has when the sound began."""
    out, _ = exported
    found = check(out)
    assert not [line for line in found if not line.startswith("note:")]
    study = FolderStudy(out)
    assert study.listeners == ("sub-D01", "sub-D01b", "sub-P01", "sub-P02")
    assert {sound.name for sound in study.sounds()} == {"story", "fable", "tale"}
    sound = next(s for s in study.sounds() if s.name == "fable")
    source, onset = study.eeg("sub-P02", sound)
    source.start()
    source.advance(onset + 20)
    block = source.buffer.read(0, np.inf)
    streams, _ = pyxdf.load_xdf(sessions[1] / "recording.xdf", dejitter_timestamps=False)
    eeg = next(s for s in streams if s["info"]["type"] == ["EEG"])
    began = next(float(r["lsl_time"]) for r in table(sessions[1] / "events.tsv") if r["name"] == "fable.wav")
    ours, theirs = np.searchsorted(block.times, onset), np.searchsorted(eeg["time_stamps"], began)
    close = [np.allclose(block.samples[ours + k : ours + k + 500], 1e-6 * eeg["time_series"][theirs : theirs + 500],
                         rtol=1e-5, equal_nan=False) for k in (-1, 0, 1)]  # fmt: skip
    assert any(close)


@pytest.mark.parametrize(
    ("rate", "ppm", "jitter"), [(250.0, 60.0, 0.02), (500.0, -40.0, 0.002), (256.0, 1500.0, 0.03), (128.0, 0.0, 0.01)]
)
def test_an_hour_stays_within_a_sample(rate, ppm, jitter):
    """A clock that drifts and wanders, stamps that come late at random, losses of .13 to 40 s."""
    rng = np.random.default_rng(7)
    number = np.arange(round(3600 * rate))
    true = 5000 + number / rate * (1 + 1e-6 * ppm) + 0.002 * np.sin(number / rate / 200)
    there = np.ones(len(number), np.bool_)
    losses = [(300, 0.2), (900, 3.0), (1500, 0.13), (2000, 40.0)]
    for start, seconds in losses:
        there[round(start * rate) : round((start + seconds) * rate)] = False
    late = np.abs(jitter * rng.standard_normal(len(number)))
    grid = place((true + late)[there], rate)
    assert len(grid.gaps) == len(losses)
    for (first, stop), (start, seconds) in zip(grid.gaps, losses, strict=True):
        assert first == pytest.approx(start * rate, abs=40 * jitter * rate)
        assert (stop - first) / rate == pytest.approx(seconds, abs=0.008)
    assert grid.rate == pytest.approx(rate / (1 + 1e-6 * ppm), rel=2e-6)
    chosen = rng.choice(np.flatnonzero(there), 2000)
    places = grid.places[np.cumsum(there)[chosen] - 1]
    found = np.array([grid.onset(t) * grid.rate for t in true[chosen] + late.mean()])
    assert np.abs(found - places).max() < 1


def test_a_clock_that_does_not_drift_has_the_nominal_rate():
    grid = place(100 + np.arange(3000) / 250 * (1 + 4e-6), 250)
    assert grid.rate == 250
    assert not grid.gaps
    assert grid.length == 3000
    assert grid.onset(99.5) == pytest.approx(-0.5)
    assert grid.onset(113) == pytest.approx(13, abs=1e-3)


def test_what_is_held_up_for_seconds_is_not_lost():
    stamps = np.arange(60 * 250) / 250
    stamps[5000:7000] += 0.08
    assert not place(stamps, 250).gaps


def test_a_clock_that_goes_back_leaves_the_order():
    stamps = np.concatenate([np.arange(5000) / 250, 14 + np.arange(5000) / 250])
    grid = place(stamps, 250)
    assert not grid.gaps
    assert (np.diff(grid.places) == 1).all()
    assert grid.onset(30.0) * 250 == pytest.approx(5000 + 16 * 250, abs=1)


def test_a_known_interruption_is_a_gap_however_short():
    stamps = np.arange(2000) / 250
    stamps[800:] += 0.05
    assert place(stamps, 250, [800]).gaps[0][0] == 800


def test_a_wrong_rate_is_refused(tmp_path):
    stamps = ORIGIN + np.arange(3000) / 200
    stream = FakeStream(np.ones((3000, 2)), stamps, PERSON, rate=100.0, labels=("Fz", "Pz"), source_id=f"{PERSON}-1")
    session = recorded(small(tmp_path / "a", rate=100.0), stream)
    (line,) = problems([session], tmp_path / "out")
    assert "declares 100 Hz but has samples at 200 Hz" in line


def test_a_drift_is_in_the_rate(tmp_path):
    """As the device's clock has it; the header, the sidecar and the channels say the same."""
    stamps = ORIGIN - 1 + np.arange(20 * 250) / 250 * (1 + 400e-6)
    stream = FakeStream(
        np.ones((len(stamps), 2)), stamps, PERSON, rate=250.0, labels=("Fz", "Pz"), source_id=f"{PERSON}-1"
    )
    export([recorded(small(tmp_path / "a", rate=250.0), stream)], tmp_path / "out")
    of = stem(tmp_path / "out", "P01")
    about = sidecar(of, "eeg")
    assert about["SamplingFrequency"] == pytest.approx(250 / (1 + 400e-6), abs=1e-4)
    assert about["SamplingFrequencyNominal"] == 250
    assert read(of).info["sfreq"] == pytest.approx(about["SamplingFrequency"], abs=1e-9)
    (row,) = [row for row in events(of) if row["value"] == "session/end"]
    truth = next(float(r["lsl_time"]) for r in table(tmp_path / "a" / "events.tsv") if r["name"] == "session/end")
    assert float(row["onset"]) == pytest.approx(truth - stamps[0], abs=1e-4)


def test_channels_have_their_types_units_and_state(tmp_path):
    """Millivolts, an eye, a channel of another kind, one without values, one that lacks some, and a reference."""
    rng = np.random.default_rng(3)
    values = rng.standard_normal((2000, 5))
    values[:, 1] = np.nan
    values[500:520, 0] = np.nan
    stream = FakeStream(
        values, ORIGIN - 1 + np.arange(2000) / 100, PERSON, rate=100.0, labels=("Fz", "Pz", "Oz", "left", "ACC"),
        unit=("mV", "mV", "mV", "microvolts", "g"), kinds=("EEG", "EEG", "EEG", "EOG", "ACC"), source_id=f"{PERSON}-1",
    )  # fmt: skip
    session = recorded(small(tmp_path / "a", rate=100.0), stream)
    data = (session / "recording.xdf").read_bytes()
    said = b"<desc><acquisition><manufacturer>Acme</manufacturer><serial_number>77</serial_number></acquisition>"
    data = _longer(data, b"<desc>", said + b"<reference><label>M1</label></reference>")
    (session / "recording.xdf").write_bytes(data)
    lines = table(session / "quality.tsv")
    poor = [{**line, "channel": "Oz", "quality": "0.2"} for line in lines if line["channel"] == "Fz"]
    _write_table(session / "quality.tsv", lines + poor)
    done = export([session], tmp_path / "out")
    assert any("ACC" in note for note in done.notes)
    of = stem(tmp_path / "out", "P01")
    rows = {row["name"]: row for row in table(of.with_name(f"{of.name}_channels.tsv"))}
    assert [row["type"] for row in rows.values()] == ["EEG", "EEG", "EEG", "EOG"]
    assert list(rows) == ["Fz", "Pz", "Oz", "EOG left"]
    assert {name: row["status"] for name, row in rows.items()} == dict(
        zip(rows, ("good", "bad", "bad", "good"), strict=True)
    )
    assert "no value in 100%" in rows["Pz"]["status_description"]
    assert "good for 20% of the session" in rows["Oz"]["status_description"]
    raw = read(of)
    assert raw.info["bads"] == ["Pz", "Oz"]
    assert raw.get_channel_types() == ["eeg", "eeg", "eeg", "eog"]
    scale = np.array([1e-3, 1e-3, 1e-3, 1e-6])
    expected = np.nan_to_num(values[:, :4]) * scale
    np.testing.assert_allclose(raw.get_data().T, expected, rtol=1e-6, atol=1e-12)
    (missing,) = [a for a in raw.annotations if a["description"] == "BAD_missing"]
    assert (missing["onset"], missing["duration"]) == (5.0, 0.2)
    about = sidecar(of, "eeg")
    assert (about["EEGReference"], about["Manufacturer"], about["EOGChannelCount"]) == ("M1", "Acme", 1)
    assert "77" not in json.dumps(about)
    assert not validated(tmp_path / "out")["error"]
    # Programs that read only the BrainVision files find the span, too.
    plain = mne.io.read_raw_brainvision(of.with_name(f"{of.name}_eeg.vhdr"), verbose="ERROR")
    assert [a["onset"] for a in plain.annotations if a["description"].upper().startswith("BAD")] == [5.0]


def _longer(data: bytes, old: bytes, new: bytes) -> bytes:
    """Return XDF with ``old`` replaced in its first stream header, whose length is written with four bytes."""
    at = data.index(b"<?xml", data.index(b"<?xml") + 1) - 4 - 2 - 4
    length = int.from_bytes(data[at : at + 4], "little")
    body = data[at + 4 : at + 4 + length].replace(old, new, 1)
    return data[:at] + len(body).to_bytes(4, "little") + body + data[at + 4 + length :]


def _write_table(path: Path, lines: list[dict[str, str]]) -> None:
    rows = ["\t".join(lines[0]), *("\t".join(line.values()) for line in lines)]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def test_further_sessions_are_added(tmp_path):
    """What is there stays as it is, byte by byte, also what the lab has filled in; and it is still valid."""
    out = tmp_path / "out"
    export([small(tmp_path / "a", participant="P01")], out, Choices(name="Tales", authors=("A", "B"), licence="CC0"))
    people = out / "participants.tsv"
    people.write_text("participant_id\tage\tsex\thandedness\tgroup\nsub-P01\t31\tF\tR\tone\n", encoding="utf-8")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    again, other = small(tmp_path / "b", participant="P01"), small(tmp_path / "c", participant="P02")
    soundfile.write(other / "stimuli" / "tale.wav", np.zeros(16_000), 16_000)
    done = export([again, other], out)
    assert done.appended
    assert [(e.sub, e.ses, e.run) for e in done.recordings.values()] == [("P01", "02", "01"), ("P02", "01", "01")]
    assert {path for path, content in before.items() if path.read_bytes() != content} == {people}
    lines = [list(row.values()) for row in table(people)]
    assert lines == [["sub-P01", "31", "F", "R", "one"], ["sub-P02", "n/a", "n/a", "n/a", "n/a"]]
    sounds = sorted(path.name for path in (out / "stimuli").iterdir())
    assert len(sounds) == 2
    assert re.fullmatch(r"tale_[0-9a-f]{8}\.wav", sounds[1])
    heard = [row["stim_file"] for row in events(stem(out, "P02")) if row["stim_file"] != "n/a"]
    assert heard == [sounds[1]]
    assert events(stem(out, "P01", "02"))[3]["stim_file"] == "tale.wav"
    assert not validated(out)["error"]
    assert "is in" in problems([again], out)[0]
    assert "edit its dataset_description.json" in problems([small(tmp_path / "d")], out, Choices(name="Other"))[0]


def test_sessions_are_numbered_by_visit_and_runs_in_them(tmp_path):
    """Whatever the order in which they are named; six hours apart is another visit."""
    starts = {"c": "2025-03-05T09:00:00+00:00", "a": "2025-03-04T09:00:00+00:00", "b": "2025-03-04T10:30:00+02:00"}
    for name, started in starts.items():
        change(small(tmp_path / name), started=started)
    folders = [tmp_path / name for name in starts]
    done = export(folders, tmp_path / "out", Choices(task="tale", dates=True))
    named = {key[0].name: (e.ses, e.task, e.run) for key, e in done.recordings.items()}
    assert named == {"b": ("01", "tale", "01"), "a": ("01", "tale", "02"), "c": ("02", "tale", "01")}
    rows = table(tmp_path / "out" / "sub-P01" / "ses-01" / "sub-P01_ses-01_scans.tsv")
    assert [row["acq_time"] for row in rows] == ["2025-03-04T08:30:00Z", "2025-03-04T09:00:00Z"]
    assert read(stem(tmp_path / "out", "P01", task="tale")).info["meas_date"].hour == 8
    assert not validated(tmp_path / "out")["error"]
    more = export([small(tmp_path / "d")], tmp_path / "out", Choices(task="tale", session="02"))
    assert [(e.ses, e.run) for e in more.recordings.values()] == [("02", "02")]


def test_what_was_shown_stays_sealed(tmp_path):
    session = small(tmp_path / "a", arm="sham")
    done = export([session], tmp_path / "out")
    assert any("blinded" in note for note in done.notes)
    hidden = sidecar(stem(tmp_path / "out", "P01"), "recording-feedback_stim")["Columns"]
    assert not {"level", "success", "value", "low", "high", "threshold"} & set(hidden)
    assert "observed_Pz" in hidden
    export([session], tmp_path / "open", Choices(shown=True))
    assert "level" in sidecar(stem(tmp_path / "open", "P01"), "recording-feedback_stim")["Columns"]
    for path in [*(tmp_path / "out").rglob("*.json"), *(tmp_path / "out").rglob("*.tsv")]:
        assert not re.search("sealed|sham|yoked|allocation", path.read_text(encoding="utf-8"))


def test_notes_are_told_only_when_asked_and_faults_without_names(tmp_path):
    session = small(tmp_path / "a")
    with (session / "events.tsv").open("a", encoding="utf-8") as file:
        file.write(f"5\tn/a\tnote\tJane Doe coughs\t1\tfeedback\tn/a\t{ORIGIN + 5}\n")
        file.write(f"6\tn/a\tfault\t{PERSON} ({PERSON}-1 on lab) is lost\t1\tfeedback\tn/a\t{ORIGIN + 6}\n")
        file.write("7\tn/a\tno")
    export([session], tmp_path / "out")
    rows = {row["trial_type"]: row["value"] for row in events(stem(tmp_path / "out", "P01"))}
    assert rows["note"] == "n/a"
    assert rows["fault"] == "sub-P01 (... on ...) is lost"
    export([session], tmp_path / "told", Choices(notes=True))
    rows = {row["trial_type"]: row["value"] for row in events(stem(tmp_path / "told", "P01"))}
    assert rows["note"] == "Jane Doe coughs"


def test_a_session_that_was_killed_is_exported_as_far_as_it_is_there(tmp_path):
    session = small(tmp_path / "a", outcome="running")
    change(session, ended=None)
    data = (session / "recording.xdf").read_bytes()
    (session / "recording.xdf").write_bytes(data[: len(data) // 2])
    content = (session / "feedback.tsv").read_text(encoding="utf-8")
    (session / "feedback.tsv").write_text(content[: len(content) // 2], encoding="utf-8")
    done = export([session], tmp_path / "out")
    assert any("did not end as it should (running)" in note for note in done.notes)
    assert any("cut short" in note for note in done.notes)
    assert 4 < read_quietly(stem(tmp_path / "out", "P01")).times[-1] < 12
    found = validated(tmp_path / "out")
    assert not found["error"]
    assert codes(found["warning"]) <= EXPECTED_WARNINGS


def read_quietly(of: Path) -> mne.io.BaseRaw:
    """Read a recording some of whose events are after its end, of which mne warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read(of)


def test_all_problems_of_all_folders_are_told_at_once(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    headless = small(tmp_path / "headless")
    change(headless, eeg=[])
    silent = recorded(
        small(tmp_path / "silent"), FakeStream(np.empty((0, 2)), np.empty(0), PERSON, labels=("Fz", "Pz"))
    )
    change(silent, eeg=[{"name": PERSON, "stream": PERSON, "rate": 100.0}])
    unheard = small(tmp_path / "unheard", with_sounds=False)
    lost = small(tmp_path / "lost", with_recording=False)
    damaged = small(tmp_path / "damaged")
    (damaged / "recording.xdf").write_bytes(b"no XDF")
    nameless = small(tmp_path / "nameless", participant=None)
    timeless = small(tmp_path / "timeless")
    change(timeless, started="yesterday", protocol="§")
    fine = small(tmp_path / "fine")
    folders = [empty, headless, silent, unheard, lost, damaged, nameless, timeless, fine, fine]
    found = problems(folders, tmp_path / "out", Choices(people={"Emotiv": "P-9"}))
    expected = {
        "empty": "is not a session's folder", "headless": "had no headset", "silent": "has no EEG",
        "unheard": "the sound stimuli/tale.wav began, but is not there", "lost": "has no recording recording.xdf",
        "damaged": "expected an XDF file", "nameless": "give --people 'Muse-1A2F'=CODE", "timeless": "when it began",
        "fine": "is named 2 times",
    }  # fmt: skip
    for folder, text in expected.items():
        assert [line for line in found if str(tmp_path / folder) in line and text in line], folder
    assert [line for line in found if "give --task" in line]
    assert [line for line in found if "--people P-9: expected letters and digits" in line]
    assert [line for line in found if "no session has that headset" in line]


def test_nothing_outside_of_a_sessions_folder_is_published(tmp_path):
    """A session of another lab may name any file as its sound, and any text as its participant."""
    (tmp_path / "secret").write_text("mine")
    for number, name in enumerate(("../secret", str(tmp_path / "secret"), "stimuli/link.wav")):
        folder = small(tmp_path / f"s{number}")
        (folder / "stimuli" / "link.wav").symlink_to(tmp_path / "secret")
        events_file = folder / "events.tsv"
        text = events_file.read_text(encoding="utf-8")
        events_file.write_text(text.replace("stimuli/tale.wav", name), encoding="utf-8")
        assert any("leads out of" in line for line in problems([folder], tmp_path / "out"))
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("code", ["../../P01", "P 01", "P01/ses-02", "P_01", ""])
def test_a_participant_who_is_no_label_is_refused(tmp_path, code):
    folder = small(tmp_path / "s", participant=None)
    change(folder, participant=code)
    told = problems([folder], tmp_path / "out")
    assert any(
        "is no label; expected letters and digits only" in line or "names no participant" in line for line in told
    )
    assert not (tmp_path / "out").exists()


def test_a_session_that_is_not_as_it_was_is_not_exported(tmp_path):
    folder = small(tmp_path / "s")
    write_sums(folder)
    (folder / "stimuli/tale.wav").write_bytes(b"RIFF")
    assert any("tale.wav has sha256" in line for line in problems([folder], tmp_path / "out"))


def test_people_are_named_by_headset(tmp_path):
    pair = small(tmp_path / "pair", participant="D01", people=("Muse-A", "Muse-B"))
    other = small(tmp_path / "other", participant="D02", people=("Muse-A", "Muse-B"))
    done = export([pair], tmp_path / "one", Choices(people={"Muse-B": "P07"}))
    assert [e.sub for e in done.recordings.values()] == ["D01", "P07"]
    (line,) = problems([pair, other], tmp_path / "two", Choices(people={"Muse-B": "P07"}))
    assert "fits sessions of different participants (D01, D02); name one as" in line
    done = export([pair, other], tmp_path / "two", Choices(people={"pair/Muse-B": "P07", "other/Muse-B": "P08"}))
    assert sorted(e.sub for e in done.recordings.values()) == ["D01", "D02", "P07", "P08"]
    (line,) = problems([pair], tmp_path / "three", Choices(people={"Muse-B": "D01"}))
    assert "2 of its headsets are of one participant, D01" in line
    alone = small(tmp_path / "alone", participant="D01b")
    (line,) = problems([pair, alone], tmp_path / "three")
    assert "its participant D01b is called as a further person of" in line


def test_one_headset_of_two_may_be_missing(tmp_path):
    pair = small(tmp_path / "pair", participant="D01", people=("Muse-A", "Muse-B"))
    rng = np.random.default_rng(1)
    stamps = ORIGIN + np.arange(2000) / 128
    recorded(
        pair,
        FakeStream(
            rng.standard_normal((2000, 2)), stamps, "Muse-B", rate=128.0, labels=("Fz", "Pz"), source_id="Muse-B-1"
        ),
    )
    done = export([pair], tmp_path / "out")
    assert [e.sub for e in done.recordings.values()] == ["D01b"]
    assert any("'Muse-A' is not in recording.xdf" in note for note in done.notes)


def test_what_is_no_dataset_is_left_alone(tmp_path):
    session, out = small(tmp_path / "a"), tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(RecordingError, match="is no BIDS dataset"):
        export([session], out)
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]
    (out / "thesis.txt").unlink()
    assert len(export([session], out).recordings) == 1


def test_a_simulated_participant_is_called_so(tmp_path):
    session = small(tmp_path / "a")
    file = session / "session.toml"
    file.write_text(file.read_text(encoding="utf-8").replace('mode = "live"', 'mode = "demo"'), encoding="utf-8")
    export([session], tmp_path / "out")
    assert sidecar(stem(tmp_path / "out", "P01"), "eeg")["TaskDescription"].startswith("Simulated")


def test_the_protocol_tells_the_task(tmp_path):
    session = small(tmp_path / "a")
    export([session], tmp_path / "out")
    about = sidecar(stem(tmp_path / "out", "P01"), "eeg")
    assert about["TaskName"] == "Baseline, two runs and a transfer"
    assert (about["TaskDescription"], about["Instructions"]) == ("Made up for tests.", "Listen: Run.")
    without = small(tmp_path / "b", protocol=None, blocks=(replace(SHORT[0], kind="listen"),))
    export([without], tmp_path / "bare")
    assert sidecar(stem(tmp_path / "bare", "P01", task="listen"), "eeg")["TaskName"] == "listen"


def run(*arguments: str | Path) -> tuple[str, BaseException | None]:
    result = CliRunner().invoke(command, [str(each) for each in arguments])
    return result.output, result.exception


def test_the_command_says_what_it_wrote(tmp_path):
    session = small(tmp_path / "a", arm="real")
    message, error = run(
        session, "--out", tmp_path / "out", "--task", "tale", "--people", f"{PERSON}=P9", "--author", "A B"
    )
    assert error is None
    assert f"{PERSON}: sub-P9/ses-01/eeg/sub-P9_ses-01_task-tale_run-01" in message
    assert "note: " in message
    assert "1 recording in the dataset" in message
    assert json.loads((tmp_path / "out" / "dataset_description.json").read_text())["Authors"] == ["A B"]


def test_the_command_lists_problems_and_ends_in_one_line(tmp_path):
    message, error = run(tmp_path / "x", tmp_path / "y", "--out", tmp_path / "out")
    assert isinstance(error, RtaffectError)
    assert "2 problems, listed above" in str(error)
    assert "\n" not in str(error)
    assert len([line for line in message.splitlines() if line.startswith("- ")]) == 2
    for wrong in ("P01", "=P01", "Muse="):
        _, error = run(tmp_path / "x", "--out", tmp_path / "out", "--people", wrong)
        assert isinstance(error, SettingsError)
        assert "expected HEADSET=CODE" in str(error)


@pytest.mark.parametrize("step", ["4000000000", "99999999999999999999", "\u00b2"])
def test_a_step_of_billions_takes_no_memory(tmp_path, step):
    session = write_session(
        tmp_path / "s", blocks=[FakeBlock("baseline", "Base", 60)], with_recording=False, with_sounds=False
    )
    lines = (session / "feedback.tsv").read_text(encoding="utf-8").splitlines()
    (session / "feedback.tsv").write_text("\n".join([*lines, f"{step}\t" + lines[-1].split("\t", 1)[1], ""]))
    opened = open_session(session)
    if step == "4000000000":
        with pytest.raises(RecordingError, match="expected at most 172800"):
            time_course_of(opened, "Muse-1A2F", shown=True)
    else:
        assert len(time_course_of(opened, "Muse-1A2F", shown=True).rows) < 70


def test_two_headsets_with_eda_streams_export_each_signal_with_its_person(tmp_path):
    """What the session says of who wears which device; what is nobody's is told and stays out."""
    rng, rate = np.random.default_rng(0), 100.0
    session = small(tmp_path / "pair", participant="D01", people=("Muse-A", "Muse-B"))
    said = tomllib.loads((session / "session.toml").read_text(encoding="utf-8"))["ran"]["eeg"]
    heads = [
        FakeStream(
            (10 * rng.standard_normal((2000, 2))).astype(np.float32), ORIGIN - 1 + np.arange(2000) / rate, each["name"],
            rate=rate, labels=("Fz", "Pz"), source_id=each.get("source_id", ""),
        )
        for each in said
    ]  # fmt: skip
    conductance = {name: (2 + rng.random((500, 1))).astype(np.float32) for name in ("left", "right", "spare")}
    skins = [
        FakeStream(
            values, ORIGIN + np.arange(500) / 25.0, name, "EDA", 25.0, labels=("EDA",), unit="uS", source_id=name
        )
        for name, values in conductance.items()
    ]
    (session / "recording.xdf").write_bytes(image([*heads, *skins]).data)
    of = {"left": "Muse-B", "right": "Muse-A"}
    worn = [{"name": n, "stream": n, "source_id": n} | ({"of": of[n]} if n in of else {}) for n in conductance]
    change(session, peripheral=worn, eeg=[each | {"rate": rate} for each in said])
    (session / "SHA256SUMS").unlink(missing_ok=True)
    done = export([session], tmp_path / "out")
    assert [note for note in done.notes if "not exported" in note] == [
        f"session {session}: spare not exported: whose signals these are is not known"
    ]
    for stream, headset in of.items():
        entities = done.recordings[session, headset]
        (table,) = (tmp_path / "out" / entities.folder).glob("*_physio.tsv.gz")
        values = np.array(gzip.decompress(table.read_bytes()).decode().split(), np.float32)
        np.testing.assert_array_equal(values, conductance[stream][:, 0])
    assert not validated(tmp_path / "out")["error"]


def test_peripheral_signals_are_exported_beside_the_eeg_and_valid(tmp_path):
    """EDA and PPG in the headset's stream, and respiration in one of its own."""
    rng, rate = np.random.default_rng(0), 128.0
    session = small(tmp_path / "body")
    n = int(20 * rate)
    stamps = ORIGIN - 1 + np.arange(n) / rate
    eeg = np.column_stack([1e1 * rng.standard_normal((n, 2)), 4 + rng.random(n), rng.random(n)]).astype(np.float32)
    eeg[300:310, 2] = np.nan
    said = tomllib.loads((session / "session.toml").read_text(encoding="utf-8"))["ran"]["eeg"][0]
    name = said.get("stream", said["name"])
    streams = [
        FakeStream(eeg, stamps, name, rate=rate, labels=("Fz", "Pz", "EDA", "Pulse"),
                   source_id=said.get("source_id", ""),
                   unit=("microvolts", "microvolts", "uS", ""), kinds=("EEG", "EEG", "EDA", "PPG")),
        FakeStream(rng.random((500, 1)).astype(np.float32), ORIGIN + np.arange(500) / 25.0, "Belt", "Respiration", 25.0,
                   labels=("1",), unit="", source_id="belt"),
    ]  # fmt: skip
    (session / "recording.xdf").write_bytes(image(streams).data)
    change(session, peripheral=[{"name": "Belt", "stream": "Belt", "source_id": "belt"}], eeg=[said | {"rate": rate}])
    (session / "SHA256SUMS").unlink(missing_ok=True)
    export([session], tmp_path / "out")
    found = {path.name.split("recording-")[1]: path for path in (tmp_path / "out").rglob("*_physio.tsv.gz")}
    assert sorted(found) == ["body_physio.tsv.gz", "peripheral1_physio.tsv.gz"]
    about = json.loads(Path(str(found["body_physio.tsv.gz"]).replace(".tsv.gz", ".json")).read_text(encoding="utf-8"))
    assert about["Columns"] == ["gsr", "cardiac"]
    assert (about["gsr"]["Units"], about["SamplingFrequency"], about["StartTime"]) == ("uS", rate, 0.0)
    lines = gzip.decompress(found["body_physio.tsv.gz"].read_bytes()).decode().splitlines()
    values = np.array([[float(cell.replace("n/a", "nan")) for cell in line.split("\t")] for line in lines])
    np.testing.assert_array_equal(values.astype(np.float32), eeg[:, 2:])
    about = json.loads(Path(str(found["peripheral1_physio.tsv.gz"]).replace(".tsv.gz", ".json")).read_text("utf-8"))
    assert about["Columns"] == ["respiratory"]
    assert about["StartTime"] == pytest.approx(1.0, abs=0.01)
    assert not validated(tmp_path / "out")["error"]


def test_an_event_at_no_time_and_a_chunk_longer_than_the_file_are_passed_over(tmp_path: Path) -> None:
    session = write_session(tmp_path / "session", blocks=SHORT)
    before = export([session], tmp_path / "whole").recordings
    events = (session / "events.tsv").read_text(encoding="utf-8")
    width = len(events.split("\n", 1)[0].split("\t"))
    line = ["1e308", *["n/a"] * (width - 1)]
    line[events.split("\n", 1)[0].split("\t").index("lsl_time")] = "1e308"
    (session / "events.tsv").write_text(events + "\t".join(line) + "\n", encoding="utf-8")
    with (session / "recording.xdf").open("ab") as file:
        file.write(b"\x08" + (2**63).to_bytes(8, "little") + b"\x07\x00")
    assert export([session], tmp_path / "damaged").recordings == before
