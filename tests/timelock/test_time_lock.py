"""The commands with a stimulus that another program plays: by sound and by marker, over real LSL and from XDF."""

from __future__ import annotations

import csv
import socket
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from pylsl import local_clock
from pythonosc.udp_client import SimpleUDPClient

from rtaffect.plan.session_folder import open_session
from rtaffect.run.demo_material import demo_folder
from rtaffect.simulation.head import CHANNELS
from rtaffect.simulation.headset import SimulatedHeadset
from rtaffect.stream.audio import read_sound
from tests.cli.test_commands import fine, mistake, read_table
from tests.run.test_remote import free_port
from tests.stream.test_markers import Stimulus
from tests.support.helpers import quiet
from tests.support.xdf_writer import FakeStream, image

#: The demo's participant hears the sound this long after its first sample, s.
LEAD = 3.0
EEG_RATE = 250.0

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def demo() -> Path:
    return demo_folder(None, quiet)


def lines_of(folder: Path, row: str = "mean") -> list[dict[str, str]]:
    with (folder / "feedback.tsv").open(encoding="utf-8", newline="") as file:
        return [line for line in csv.DictReader(file, delimiter="\t") if line["row"] == row]


def about(folder: Path) -> dict:
    return open_session(folder).ran


def replayed_as_it_ran(live: Path, tmp_path: Path) -> None:
    """From its own folder, whatever told the onset."""
    fine("replay", live, "--speed", "max", "--headless", "--out", tmp_path / "again")
    for name in ("feedback.tsv", "people.tsv", "quality.tsv"):
        assert (live / name).read_text(encoding="utf-8") == (tmp_path / "again" / name).read_text(encoding="utf-8")


@pytest.fixture
def participant(demo: Path) -> Iterator[SimulatedHeadset]:
    """The demo's participant over LSL, who begins to hear the sound ``LEAD`` after ``onset``."""
    name = f"cap-{uuid.uuid4().hex[:6]}"
    eeg = np.load(demo / "participant.npy")[: round(60 * EEG_RATE)]
    with SimulatedHeadset(name, name, eeg, EEG_RATE, CHANNELS, onset=local_clock() + 2.0) as headset:
        yield headset


def test_live_finds_the_stimulus_in_a_stream_of_sound(demo: Path, participant: SimulatedHeadset, tmp_path: Path):
    """What the stream brings began at a known LSL time, which the session finds to a few ms."""
    name, out = f"room-{uuid.uuid4().hex[:6]}", tmp_path / "live"
    samples, rate = soundfile.read(demo / "sound.wav", dtype="float32")
    began = participant.onset + LEAD
    heard = 0.2 * samples[: 60 * rate, None]
    with SimulatedHeadset(name, name, heard, float(rate), ("mono",), stream_type="Audio", onset=began):
        output = fine(
            "live", "--eeg", participant.name, "--audio-stream", name, "--stimulus", demo / "sound.wav",
            "--bundle", "demo", "--seconds", "16", "--headless", "--out", out,
        )  # fmt: skip
    session, lines = about(out), lines_of(out)
    assert (session["stimuli"][0]["file"], session["locked_by"]) == ("stimuli/sound.wav", "sound")
    assert len(session["stimuli"][0]["sha256"]) == 64
    locked = [line for line in lines if line["alignment"] == "locked"]
    assert len(locked) >= 10
    offsets = np.array([float(line["stimulus_offset"]) for line in locked])
    np.testing.assert_allclose(offsets + session["origin"], began, atol=5e-3)
    values = np.isfinite(read_table(out)["mean"]["observed"])
    assert values.any()
    replayed_as_it_ran(out, tmp_path)
    assert not values[: len(lines) - len(locked) + 9].any()
    assert {line["stimulus_offset"] for line in lines if line["alignment"] != "locked"} <= {"n/a"}
    assert "the sound has been aligned for" in output


def test_live_waits_for_the_marker_and_doubts_two(demo: Path, participant: SimulatedHeadset, tmp_path: Path):
    program, out, sent, over = Stimulus(), tmp_path / "live", [], threading.Event()

    def send() -> None:
        while len(sent) < 2 and not over.wait(0.05):
            if (out / "feedback.tsv").exists() and len(lines_of(out)) >= (2, 6)[len(sent)]:
                sent.append(program.send("film"))

    sender = threading.Thread(target=send)
    sender.start()
    try:
        output = fine(
            "live", "--eeg", participant.name, "--stimulus", demo / "sound.wav", "--onset-marker", "film", "--markers",
            program.name, "--bundle", "demo", "--seconds", "9", "--headless", "--out", out,
        )  # fmt: skip
    finally:
        over.set()
        sender.join()
        program.end()
    session, lines = about(out), lines_of(out)
    assert session["locked_by"] == "marker 'film'"
    assert session["sound"]["name"] == "sound.wav"
    states = [line["alignment"] for line in lines]
    assert (states[0], states[4], states[-1]) == ("searching", "locked", "lost")
    assert "waiting for the marker 'film'" in lines[0]["reason"]
    assert "waiting for the marker 'film'" in output
    assert float(lines[4]["stimulus_offset"]) == pytest.approx(sent[0] - session["origin"], abs=2e-3)
    assert "came 2 times" in lines[-1]["reason"]
    assert lines[-1]["observed"] == "n/a"
    replayed_as_it_ran(out, tmp_path)


def test_a_session_whose_only_marker_came_by_osc_is_replayed_as_it_ran(
    demo: Path, participant: SimulatedHeadset, tmp_path: Path
) -> None:
    out, over, port = tmp_path / "live", threading.Event(), free_port(socket.SOCK_DGRAM)

    def send() -> None:
        while not over.wait(0.05):
            if (out / "feedback.tsv").exists() and len(lines_of(out)) >= 2:
                with SimpleUDPClient("127.0.0.1", port) as client:
                    client.send_message("/rtaffect/mark", "film")
                return

    sender = threading.Thread(target=send)
    sender.start()
    try:
        fine(
            "live", "--eeg", participant.name, "--stimulus", demo / "sound.wav", "--onset-marker", "film",
            "--osc-markers", port, "--bundle", "demo", "--seconds", "6", "--headless", "--no-outlet", "--out", out,
        )  # fmt: skip
    finally:
        over.set()
        sender.join()
    states = [line["alignment"] for line in lines_of(out)]
    assert (states[0], states[-1]) == ("searching", "locked")
    replayed_as_it_ran(out, tmp_path)
    # As a recording by itself: the marker is the one there is.
    recorded = tmp_path / "recorded"
    fine(
        "replay", out / "recording.xdf", "--audio", demo / "sound.wav", "--onset-marker", "film", "--seconds", "3",
        "--speed", "max", "--headless", "--out", recorded,
    )  # fmt: skip
    came = float(lines_of(out)[-1]["stimulus_offset"]) + about(out)["origin"]
    found = about(recorded)
    assert found["recording_start"] + found["sound"]["start"] == pytest.approx(came, abs=2e-6)


@pytest.fixture(scope="module")
def recording(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The participant's first 30 s with the sound as a stream, quiet and half a second late, and with markers."""
    samples, _ = read_sound(demo / "sound.wav")
    eeg = np.load(demo / "participant.npy")[: round(30 * EEG_RATE)] * 1e6
    rng, n = np.random.default_rng(0), 27 * 8000
    sound = (0.2 * samples[: 27 * 16_000].reshape(-1, 2).mean(axis=1) + 1e-3 * rng.standard_normal(n))[:, None]
    started = 500.0
    streams = [
        FakeStream(eeg, started + np.arange(len(eeg)) / EEG_RATE, "cap", rate=EEG_RATE, labels=CHANNELS),
        FakeStream(sound, started + LEAD + np.arange(n) / 8000, "room", "Audio", 8000.0),
        FakeStream(["intro", "film", "film 2", "film 2"], started + np.array([0.5, LEAD, 9, 9.5]), "marks", "Markers",
                   0.0, "string"),
    ]  # fmt: skip
    path = tmp_path_factory.mktemp("recording") / "session.xdf"
    path.write_bytes(image(streams, per_chunk=5000).data)
    return path


def replay(recording: Path, out: Path, *arguments: str | Path) -> list[dict[str, str]]:
    fine("replay", recording, "--bundle", "demo", "--speed", "max", "--headless", "--out", out, *arguments)
    return lines_of(out)


def test_replay_takes_the_onset_from_a_marker(demo: Path, recording: Path, tmp_path: Path):
    sound = demo / "sound.wav"
    by_time = replay(recording, tmp_path / "time", "--audio", sound, "--audio-start", str(LEAD))
    by_marker = replay(recording, tmp_path / "marker", "--audio", sound, "--onset-marker", "film")
    assert by_marker == by_time
    assert {(line["stimulus_offset"], line["alignment"]) for line in by_time} == {("3.000000", "locked")}
    assert np.isfinite(read_table(tmp_path / "marker")["mean"]["observed"]).sum() == 17
    chosen = replay(recording, tmp_path / "chosen", "--audio", sound, "--onset-marker", "film 2@last")
    assert {(line["stimulus_offset"], line["alignment"]) for line in chosen} == {("10.000000", "locked")}
    assert about(tmp_path / "chosen")["sound"]["start"] == pytest.approx(9.5)
    session = about(tmp_path / "marker")
    assert session["locked_by"] == "marker 'film'"
    assert session["sound"]["start"] == pytest.approx(LEAD)
    assert about(tmp_path / "time")["locked_by"] == "--audio-start"


def test_replay_finds_the_stimulus_in_the_recorded_sound(demo: Path, recording: Path, tmp_path: Path):
    sound = demo / "sound.wav"
    known = replay(recording, tmp_path / "known", "--audio", sound, "--audio-start", str(LEAD))
    found = replay(recording, tmp_path / "found", "--stimulus", sound)
    assert found == replay(recording, tmp_path / "again", "--stimulus", sound)
    states = [line["alignment"] for line in found]
    first = states.index("locked")
    assert first < 10
    assert set(states[first:]) == {"locked"}
    offsets = [float(line["stimulus_offset"]) for line in found[first:]]
    np.testing.assert_allclose(offsets, LEAD, atol=2e-3)
    values = [line["observed"] for line in found]
    assert set(values[: first + 9]) == {"n/a"}
    assert values[first + 9 :] == [line["observed"] for line in known[first + 9 :]]
    assert "n/a" not in values[first + 9 :]
    assert about(tmp_path / "found")["locked_by"] == "sound"


def test_mistakes_of_replay(demo: Path, recording: Path, tmp_path: Path):
    sound = demo / "sound.wav"

    def refused(*arguments: str | Path) -> str:
        return mistake("replay", recording, "--bundle", "demo", "--speed", "max", "--headless", *arguments)

    assert "exclude each other" in refused("--audio", sound, "--stimulus", sound)
    assert "give that file, too" in refused("--onset-marker", "film")
    assert "no --audio-start" in refused("--audio", sound, "--onset-marker", "film", "--audio-start", "0")
    assert "give that text, too" in refused("--audio", sound, "--markers", "marks")
    assert "no marker 'start' came; what came: " in refused("--audio", sound, "--onset-marker", "start")
    several = refused("--audio", sound, "--onset-marker", "film 2")
    assert "'film 2' came 2 times" in several
    assert '--onset-marker "film 2@1"' in several
    assert "no marker 'film 2@3' came" in refused("--audio", sound, "--onset-marker", "film 2@3")
    assert "no stream of name 'keys'" in refused("--audio", sound, "--onset-marker", "film", "--markers", "keys")
    short, other = tmp_path / "short.wav", tmp_path / "other.wav"
    soundfile.write(short, np.random.default_rng(0).uniform(-0.1, 0.1, 4 * 16_000), 16_000)
    soundfile.write(other, np.random.default_rng(0).uniform(-0.1, 0.1, 9 * 16_000), 16_000)
    assert "at least 5 s" in refused("--stimulus", short)
    message = refused("--stimulus", other)
    assert "other.wav: the bundle has no reference for this sound (it has soundtrack-01, " in message
    alone = tmp_path / "alone.xdf"
    eeg = FakeStream(np.zeros((100, 2)), np.arange(100) / 100, labels=("Cz", "Pz"))
    alone.write_bytes(image([eeg]).data)
    assert "the recording has none" in mistake("replay", alone, "--stimulus", sound, "--headless")


def test_mistakes_of_live(demo: Path, participant: SimulatedHeadset, tmp_path: Path):
    sound = demo / "sound.wav"

    def refused(*arguments: str | Path) -> str:
        wait = () if "--wait" in arguments else ("--wait", "0.5")
        return mistake("live", "--eeg", participant.name, "--bundle", "demo", *wait, "--headless", *arguments)

    assert "exclude each other" in refused("--stimulus", sound, "--audio", sound)
    assert "give that file, too" in refused("--onset-marker", "film")
    assert "give that text, too" in refused("--stimulus", sound, "--markers", "marks")
    assert "say how to tell when" in refused("--stimulus", sound)
    assert "name is empty" in refused("--stimulus", sound, "--onset-marker", " ")
    # The headset is there: it is waited for until it has been found, however long a busy machine takes.
    message = refused("--stimulus", sound, "--onset-marker", "film", "--markers", "nobody-here", "--wait", "2")
    assert "no LSL stream with name 'nobody-here' answered" in message
    program, other = Stimulus(), tmp_path / "other.wav"
    soundfile.write(other, np.random.default_rng(0).uniform(-0.1, 0.1, 3 * 16_000), 16_000)
    try:
        message = refused("--stimulus", other, "--onset-marker", "film", "--markers", program.name, "--wait", "30")
    finally:
        program.end()
    assert "no reference for this sound (it has soundtrack-01, " in message
