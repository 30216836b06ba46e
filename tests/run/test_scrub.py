"""Removing the recorded sound: what goes, what stays, and what a scrubbed session still replays."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tomli_w

from rtaffect.common.errors import RecordingError
from rtaffect.common.sums import SUMS_FILE, check_all, write_sums
from rtaffect.plan.session_folder import open_session
from rtaffect.run.demo_material import demo_folder
from rtaffect.run.scrub import scrub
from rtaffect.sources.xdf_file import read_xdf
from rtaffect.stream.audio import read_sound
from tests.cli.test_commands import fine
from tests.support.helpers import quiet
from tests.support.xdf_writer import FakeStream, image

ORIGIN, RATE, LENGTH_S = 500.0, 250.0, 24
TABLES = ("feedback.tsv", "people.tsv", "quality.tsv")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session whose room was recorded, in which the stimulus is found; its tables are those of a replay."""
    demo, folder = demo_folder(None, quiet), tmp_path_factory.mktemp("lab") / "room"
    folder.mkdir()
    shutil.copyfile(demo / "sound.wav", folder / "story.wav")
    (folder / "stimuli").mkdir()
    shutil.move(folder / "story.wav", folder / "stimuli/story.wav")
    samples, _ = read_sound(demo / "sound.wav")
    eeg = np.load(demo / "participant.npy")[round(3 * RATE) :][: round(LENGTH_S * RATE)] * 1e6
    rng, n = np.random.default_rng(0), LENGTH_S * 8000
    sound = (0.2 * samples[: LENGTH_S * 16_000].reshape(-1, 2).mean(axis=1) + 1e-3 * rng.standard_normal(n))[:, None]
    labels = open_labels(demo)
    streams = [
        FakeStream(eeg, ORIGIN + np.arange(len(eeg)) / RATE, "cap", rate=RATE, labels=labels),
        FakeStream(sound, ORIGIN + np.arange(n) / 8000, "room", "Audio", 8000.0),
        FakeStream(["hello"], ORIGIN + np.array([1.5]), "marks", "Markers", 0.0, "string"),
    ]
    (folder / "recording.xdf").write_bytes(image(streams, per_chunk=1000).data)
    ran = {
        "outcome": "completed", "ended": "2026-01-01T00:00:00+00:00", "steps": LENGTH_S - 2, "origin": ORIGIN,
        "bundle": "demo", "sound": {"kind": "stream", "name": "room"}, "locked_by": "sound",
        "stimuli": [{"file": "stimuli/story.wav", "sha256": sha256_of_sound(demo / "sound.wav")}],
        "bundle_sha256": bundle_hash(demo / "bundle"), "bundle_folder": str(demo / "bundle"),
        "eeg": [{"name": "cap", "stream": "cap", "type": "EEG", "source_id": "", "channels": list(labels)}],
    }  # fmt: skip
    plan = {"format": 1, "mode": "live", "sound": {"stream": "room", "stimulus": "stimuli/story.wav"}, "ran": ran}
    (folder / "session.toml").write_text(tomli_w.dumps(plan), encoding="utf-8")
    (folder / "events.tsv").write_text("onset\tduration\ttrial_type\tname\tblock\tkind\tstim_file\tlsl_time\n")
    return folder


def open_labels(demo: Path) -> tuple[str, ...]:
    from rtaffect.simulation.head import CHANNELS

    return tuple(CHANNELS)


def sha256_of_sound(path: Path) -> str:
    from rtaffect.sources.sound_file import SoundFileSource

    return SoundFileSource.open(path).info.source_id


def bundle_hash(folder: Path) -> str:
    from rtaffect.engine.bundle import bundle_sha256

    return bundle_sha256(folder)


def replayed(folder: Path, out: Path) -> str:
    return " ".join(fine("replay", folder, "--speed", "max", "--headless", "--out", out).split())


@pytest.fixture
def session(made: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "session"
    shutil.copytree(made, folder)
    write_sums(folder)
    return folder


@pytest.fixture(scope="module")
def before(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("before") / "out"
    replayed(made, out)
    return out


def test_the_sound_goes_and_all_that_was_found_can_be_replayed(session: Path, before: Path, tmp_path: Path) -> None:
    text = fine("scrub", session, "--dry-run")
    assert "would be removed: room (Audio)" in text
    assert check_all(session), "a dry run changes nothing"
    assert len(read_xdf(session / "recording.xdf")[0]) == 3
    text = fine("scrub", session)
    assert "removed: room (Audio)" in text
    assert "kept of it: the components" in text
    streams, notes = read_xdf(session / "recording.xdf")
    assert [each.header.name for each in streams] == ["cap", "marks"]
    assert not notes
    assert check_all(session), "the hashes are those of what is there now"
    assert open_session(session).ran["scrubbed"]["removed"] == ["room (Audio), 2 MB"]
    again = replayed(session, tmp_path / "after")
    assert "predictions are made of what is kept of it" in again
    values = (before / "feedback.tsv").read_text()
    assert "\tlocked\t" in values
    assert "reference" in values
    for name in TABLES:
        assert (tmp_path / "after" / name).read_bytes() == (before / name).read_bytes(), name
    content = (session / "recording.xdf").read_bytes(), (session / "session.toml").read_bytes()
    assert "there is no recorded sound in it, nothing is changed" in fine("scrub", session)
    assert content == ((session / "recording.xdf").read_bytes(), (session / "session.toml").read_bytes())


def test_without_its_bundle_nothing_is_kept_and_that_is_told(session: Path, tmp_path: Path) -> None:
    file = session / "session.toml"
    file.write_text(file.read_text().replace('bundle_sha256 = "', 'bundle_sha256 = "f'), encoding="utf-8")
    write_sums(session)
    text = fine("scrub", session)
    assert "kept of it: nothing (bundle" in text
    again = replayed(session, tmp_path / "after")
    assert "nothing is kept of it: there is no prediction" in again
    lines = (tmp_path / "after/feedback.tsv").read_text().splitlines()
    assert len(lines) > LENGTH_S
    assert "no sound to predict from" in lines[-1]


def test_a_session_that_is_not_as_it_was_is_left_alone(session: Path) -> None:
    recording = session / "recording.xdf"
    data = bytearray(recording.read_bytes())
    data[len(data) // 2] ^= 4
    recording.write_bytes(bytes(data))
    with pytest.raises(RecordingError, match=rf"recording.xdf has sha256 .*{SUMS_FILE}"):
        scrub(session, quiet)
    assert recording.read_bytes() == bytes(data)


def test_a_scrub_that_was_cut_off_goes_on(session: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rtaffect.run.scrub._listen_again", lambda *_: ("{}\n", ""))
    with monkeypatch.context() as patched:
        patched.setattr("rtaffect.run.scrub.without_streams", full)
        with pytest.raises(RecordingError, match="make room, and scrub it again"):
            scrub(session, quiet)
    assert len(read_xdf(session / "recording.xdf")[0]) == 3
    kept = (session / "heard.json").read_bytes()
    done = scrub(session, quiet)
    assert done.kept.startswith("the components")
    assert (session / "heard.json").read_bytes() == kept
    assert len(read_xdf(session / "recording.xdf")[0]) == 2
