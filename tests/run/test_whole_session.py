"""A whole session: protocol, recording and what is written, replayed as it ran, straight and over real LSL."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import mne
import numpy as np
import pytest
import pyxdf

from rtaffect.common.sums import SUMS_FILE, check_all
from rtaffect.plan.session_folder import open_session
from rtaffect.plan.session_plan import read_plan
from rtaffect.simulation.headset import Reopen, SimulatedHeadset
from tests.cli.test_commands import fine, mistake

RATE = 250.0
CHANNELS = ("Fz", "Cz", "Pz", "Oz")
TABLES = ("feedback.tsv", "people.tsv", "quality.tsv", "moments.tsv", "doubts.tsv")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's protocol with every kind of block, as fast as it goes."""
    out = tmp_path_factory.mktemp("room") / "P07"
    fine("demo", "--protocol", "--speed", "max", "--headless", "--participant", "P07", "--out", out)
    return out


def same_tables(a: Path, b: Path) -> None:
    for name in TABLES:
        assert (a / name).read_bytes() == (b / name).read_bytes(), name


def test_every_kind_of_block_ran_and_is_told(session: Path) -> None:
    found = open_session(session)
    assert check_all(session), "it is sealed"
    assert found.plan.participant == found.ran["participant"] == "P07"
    assert found.ran["outcome"] == "completed"
    assert found.ran["protocol"] == "Demo"
    blocks = [e for e in found.table("events.tsv") if e["trial_type"] == "block"]
    assert [b["kind"] for b in blocks] == ["rest", "baseline", "listen", "feedback", "transfer"]
    assert [float(b["onset"]) for b in blocks] == [3, 13, 73, 88, 148]
    stimuli = [e for e in found.table("events.tsv") if e["trial_type"] == "stimulus"]
    assert len(stimuli) == 4
    assert all((session / e["stim_file"]).is_file() for e in stimuli)
    assert {Path(s["file"]).name for s in found.ran["stimuli"]} == {Path(e["stim_file"]).name for e in stimuli}
    protocol_steps = found.table("moments.tsv")
    shown = [int(m["step"]) for m in protocol_steps if m["level"] != "n/a"]
    assert shown == list(range(98, 148)), "a level from the first window inside the block of feedback to its end"
    levels = np.array([float(m["level"]) for m in protocol_steps if m["level"] != "n/a"])
    assert levels.min() >= 0
    assert levels.max() <= 1
    assert levels.std() > 0.1


def test_observed_synchrony_is_there_in_every_block_with_a_sound(session: Path) -> None:
    lines = [line for line in open_session(session).table("feedback.tsv") if line["row"] == "mean"]
    observed = np.array([float(line["observed"].replace("n/a", "nan")) for line in lines])
    with_value = np.flatnonzero(np.isfinite(observed)) + 1
    expected = [*range(23, 74), *range(83, 89), *range(98, 149), *range(158, 179)]
    assert with_value.tolist() == expected
    assert 0.05 < np.nanmean(observed) < 0.3


def test_its_recording_opens_in_pyxdf_and_mne(session: Path) -> None:
    streams, _ = pyxdf.load_xdf(session / "recording.xdf")
    by_name = {s["info"]["name"][0]: s for s in streams}
    assert {"participant", "rtaffect-feedback", "rtaffect-markers", "rtaffect-shown"} <= by_name.keys()
    eeg = by_name["participant"]
    info = mne.create_info([c["label"][0] for c in eeg["info"]["desc"][0]["channels"][0]["channel"]], RATE, "eeg")
    raw = mne.io.RawArray(eeg["time_series"].T, info, verbose="error")
    assert 3e-6 < np.median(np.abs(raw.get_data())) < 1e-4
    texts = [sample[0] for sample in by_name["rtaffect-markers"]["time_series"]]
    assert texts[0] == "session/begin"
    assert texts[-1] == "session/end"
    assert "block/4/feedback/begin" in texts
    feedback, origin = by_name["rtaffect-feedback"], open_session(session).ran["origin"]
    np.testing.assert_allclose(feedback["time_stamps"], origin + np.arange(1, 179), atol=1e-6)
    labels = [c["label"][0] for c in feedback["info"]["desc"][0]["channels"][0]["channel"]]
    means = [r for r in open_session(session).table("feedback.tsv") if r["row"] == "mean"]
    expected = [float(r["observed"].replace("n/a", "nan")) for r in means]
    np.testing.assert_allclose(feedback["time_series"][:, labels.index("observed/mean")], expected, atol=1e-6)
    shown = by_name["rtaffect-shown"]["time_series"]
    assert np.isfinite(shown[97:147, 1]).all()
    assert np.isnan(shown[:97, 1]).all()


def test_its_replay_is_the_same(session: Path, tmp_path: Path) -> None:
    fine("replay", session, "--speed", "max", "--headless", "--out", tmp_path / "again")
    same_tables(session, tmp_path / "again")
    kept = [e | {"onset": ""} for e in open_session(session).table("events.tsv") if e["name"] != "session/end"]
    again = [e | {"onset": ""} for e in open_session(tmp_path / "again").table("events.tsv")]
    assert kept == [e for e in again if e["name"] != "session/end"]
    assert not (tmp_path / "again" / "recording.xdf").exists()
    message = mistake("replay", tmp_path / "again", "--headless")
    assert "is the folder of a replay" in message


def test_its_plan_can_be_read_again(session: Path) -> None:
    plan = read_plan(session / "session.toml")
    assert plan.mode == "demo"
    assert plan.protocol.file is not None
    assert plan.protocol.file.is_file()
    environment = json.loads((session / "environment.json").read_text(encoding="utf-8"))
    assert {"python", "platform", "packages"} <= environment.keys()
    assert "session/begin" in (session / "session.log").read_text(encoding="utf-8")


def test_its_folder_is_replayed_elsewhere(session: Path, tmp_path: Path) -> None:
    """On a computer that has neither the protocol nor its sounds."""
    moved = tmp_path / "moved"
    shutil.copytree(session, moved)
    text = (moved / "session.toml").read_text(encoding="utf-8")
    file = next(line for line in text.splitlines() if line.startswith("file = ") and "protocol.toml" in line)
    (moved / "session.toml").write_text(text.replace(file, 'file = "gone/protocol.toml"'), encoding="utf-8")
    assert SUMS_FILE in mistake("replay", moved, "--headless"), "it is not as it was"
    (moved / SUMS_FILE).unlink()
    fine("replay", moved, "--speed", "max", "--headless", "--out", tmp_path / "again")
    same_tables(session, tmp_path / "again")


def test_a_session_that_was_killed_is_replayed_as_far_as_it_came(session: Path, tmp_path: Path) -> None:
    """Its recording without the last part and its session.toml as it is while it runs."""
    cut = tmp_path / "cut"
    shutil.copytree(session, cut)
    (cut / SUMS_FILE).unlink()
    text = (cut / "session.toml").read_text(encoding="utf-8")
    text = text.replace('outcome = "completed"', 'outcome = "running"').replace("steps = 178", "steps = 0")
    (cut / "session.toml").write_text(text, encoding="utf-8")
    data = (cut / "recording.xdf").read_bytes()
    (cut / "recording.xdf").write_bytes(data[: round(0.6 * len(data))])
    events = (cut / "events.tsv").read_text(encoding="utf-8").splitlines(keepends=True)
    (cut / "events.tsv").write_text("".join(events[:15]) + events[15][:9], encoding="utf-8")
    output = fine("replay", cut, "--speed", "max", "--headless", "--out", tmp_path / "again")
    assert "cut short" in output
    assert f"has no {SUMS_FILE}: it was cut off" in " ".join(output.split())
    whole, again = (p / "feedback.tsv" for p in (session, tmp_path / "again"))
    lines = again.read_text(encoding="utf-8").splitlines()
    assert len(lines) > 25 * 60
    assert whole.read_text(encoding="utf-8").splitlines()[: 25 * 60] == lines[: 25 * 60]


@pytest.fixture
def headset() -> Iterator[SimulatedHeadset]:
    """A headset whose outlet goes away for a second and comes back."""
    name = f"cap-{uuid.uuid4().hex[:6]}"
    rng = np.random.default_rng(3)
    samples = 10e-6 * rng.standard_normal((round(60 * RATE), 4))
    with SimulatedHeadset(name, name, samples, RATE, CHANNELS, faults=(Reopen(at_s=12.0, for_s=2.5),)) as found:
        yield found


def test_live_over_lsl_is_replayed_as_it_ran(headset: SimulatedHeadset, tmp_path: Path) -> None:
    """Through a real outlet that is lost and comes back."""
    live = tmp_path / "live"
    fine("live", "--eeg", headset.name, "--seconds", "18", "--headless", "--no-outlet", "--out", live)
    fine("replay", live, "--speed", "max", "--headless", "--out", tmp_path / "again")
    quality = (live / "quality.tsv").read_text(encoding="utf-8").splitlines()
    assert len(quality) == 1 + 18 * 4
    # That the headset was lost is known live; the recording holds only a gap.
    assert {d["reason"] for d in open_session(live).table("doubts.tsv")} & {"lost", "stalled"}
    same_tables(live, tmp_path / "again")
    second = tmp_path / "second"
    fine("live", "--session", live / "session.toml", "--seconds", "2", "--participant", "P2", "--out", second)
    found = open_session(second)
    assert found.plan.eeg.streams == (headset.name,)
    assert not found.plan.results.outlet
    assert (found.plan.participant, found.ran["steps"]) == ("P2", 2)
