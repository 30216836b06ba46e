"""Voice and background of sound that nobody knew beforehand: live over LSL, replayed, and when the sound is removed."""

from __future__ import annotations

import uuid
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tomli_w

from bench.step import made_up_model
from rtaffect.common.sums import write_sums
from rtaffect.engine.bundle import ElementsMade, bundle_sha256, save_bundle
from rtaffect.plan.session_folder import open_session
from rtaffect.predicted.element_levels import SILENT_DB
from rtaffect.predicted.elements import separator_for
from rtaffect.simulation.elements import speech_over_music
from rtaffect.simulation.headset import SimulatedHeadset
from rtaffect.simulation.sounds import speech_from_wheel
from tests.cli.test_commands import fine
from tests.support.helpers import quiet
from tests.support.xdf_writer import FakeStream, image

CHANNELS, RATE, ORIGIN, LENGTH_S = ("Fz", "Cz", "Pz", "Oz"), 250.0, 500.0, 14
TABLES = ("elements.tsv", "feedback.tsv")


def eeg(seconds: int) -> np.ndarray:
    """Noise (n, 4), V."""
    return 10e-6 * np.random.default_rng(1).standard_normal((round(seconds * RATE), len(CHANNELS)))


def sound(seconds: int) -> np.ndarray:
    """A voice over music, from which both are left."""
    return speech_over_music(3, seconds, 0.0, speech_from_wheel()).mix


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with weights of no meaning, of both elements, by the separator that is small."""
    folder, separator = tmp_path_factory.mktemp("bundle"), separator_for("dtln", progress=quiet)
    model, _ = made_up_model(folder / "of the sound", LENGTH_S, channels=CHANNELS)
    made = ElementsMade(
        names=("voice", "background"), separator="dtln", separator_sha256=separator.sha256, streams=True,
        silent_db=SILENT_DB,
    )  # fmt: skip
    manifest = model.bundle.manifest.model_copy(update={"elements": made})
    weights = dict.fromkeys(made.names, model.bundle.weights)
    save_bundle(replace(model.bundle, manifest=manifest, elements=weights), folder / "with elements")
    return folder / "with elements"


@pytest.fixture
def recorded(bundle: Path, tmp_path: Path) -> Path:
    """A session in whose recording the room's sound is."""
    folder, heard = tmp_path / "session", sound(LENGTH_S)
    folder.mkdir()
    cap, room = eeg(LENGTH_S) * 1e6, heard[:, None]
    streams = [
        FakeStream(cap, ORIGIN + np.arange(len(cap)) / RATE, "cap", rate=RATE, labels=CHANNELS),
        FakeStream(room, ORIGIN + np.arange(len(room)) / 16_000, "room", "Audio", 16_000.0),
    ]
    (folder / "recording.xdf").write_bytes(image(streams, per_chunk=1000).data)
    ran = {
        "outcome": "completed", "ended": "2026-01-01T00:00:00+00:00", "steps": LENGTH_S - 1, "origin": ORIGIN,
        "bundle": "bench", "sound": {"kind": "stream", "name": "room"}, "elements": "as it comes",
        "bundle_sha256": bundle_sha256(bundle), "bundle_folder": str(bundle),
        "eeg": [{"name": "cap", "stream": "cap", "type": "EEG", "source_id": "", "channels": list(CHANNELS)}],
    }  # fmt: skip
    # That they were asked for is no reason not to replay them when the sound is gone.
    plan = {"format": 1, "mode": "live", "sound": {"stream": "room"}, "analysis": {"elements": "on"}, "ran": ran}
    (folder / "session.toml").write_text(tomli_w.dumps(plan), encoding="utf-8")
    (folder / "events.tsv").write_text("onset\tduration\ttrial_type\tname\tblock\tkind\tstim_file\tlsl_time\n")
    write_sums(folder)
    return folder


def replayed(session: Path, out: Path) -> Path:
    fine("replay", session, "--speed", "max", "--headless", "--out", out)
    return out


def means(session: Path, element: str) -> list[dict[str, str]]:
    """Lines of an element's mean over rows."""
    lines = open_session(session).table("elements.tsv")
    return [line for line in lines if (line["element"], line["row"]) == (element, "mean")]


def test_what_both_predict_outlives_the_sound(recorded: Path, tmp_path: Path) -> None:
    before = replayed(recorded, tmp_path / "before")
    for name in ("voice", "background"):
        # The longest lag is 9 s; the last second lacks what follows it.
        assert sum(line["predicted"] != "n/a" for line in means(before, name)) >= LENGTH_S - 11
    assert "removed: room (Audio)" in fine("scrub", recorded)
    after = replayed(recorded, tmp_path / "after")
    for table in TABLES:
        assert (after / table).read_bytes() == (before / table).read_bytes(), table
    without = tmp_path / "without"
    fine("replay", recorded, "--speed", "max", "--headless", "--elements", "off", "--out", without)
    assert not (without / "elements.tsv").exists()
    assert (without / "feedback.tsv").read_bytes() == (before / "feedback.tsv").read_bytes()


@pytest.mark.slow
def test_headset_and_sound_over_lsl_are_replayed_as_they_ran_with_the_sound_and_without(
    bundle: Path, tmp_path: Path
) -> None:
    number, seconds, live = uuid.uuid4().hex[:6], 24, tmp_path / "live"
    cap = SimulatedHeadset(f"cap-{number}", f"cap-{number}", eeg(60), RATE, CHANNELS)
    heard = sound(60)[:, None]
    room = SimulatedHeadset(f"room-{number}", f"room-{number}", heard, 16_000.0, ("mono",), stream_type="Audio")
    with cap, room:
        said = fine(
            "live", "--eeg", cap.name, "--audio-stream", room.name, "--bundle", bundle, "--elements", "on",
            "--seconds", str(seconds), "--headless", "--no-outlet", "--out", live,
        )  # fmt: skip
    assert "voice and background, taken apart by dtln" in " ".join(said.split())
    assert open_session(live).ran["elements"] == "as it comes"
    for name in ("voice", "background"):
        found = means(live, name)
        assert len(found) == seconds
        # A second that came late has no features; then that is said.
        assert all(line["predicted"] != "n/a" or line["reason"] != "n/a" for line in found[9:])
        assert sum(line["predicted"] != "n/a" for line in found) > 5
    again = replayed(live, tmp_path / "again")
    assert f"removed: {room.name} (Audio)" in fine("scrub", live)
    without = replayed(live, tmp_path / "without")
    for table in TABLES:
        assert (again / table).read_bytes() == (live / table).read_bytes(), table
        assert (without / table).read_bytes() == (live / table).read_bytes(), table
