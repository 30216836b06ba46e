"""Recordings: what comes goes into the file, whatever happens, and is replayed as it was live."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pylsl
import pytest
import pyxdf
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.common.errors import SettingsError
from rtaffect.record.recorder import Recorder
from rtaffect.record.xdf_writer import XdfWriter, count, header_xml
from rtaffect.simulation.headset import Jitter, SimulatedHeadset
from rtaffect.sources import lsl_inlet
from rtaffect.sources.clock_offsets import Segment, SenderClock, correct
from rtaffect.sources.lsl import LslSource
from rtaffect.sources.lsl_markers import LslMarkers
from rtaffect.sources.lsl_streams import find_stream
from rtaffect.sources.selection import Query
from rtaffect.sources.xdf import XdfRecording
from rtaffect.sources.xdf_file import read_xdf
from rtaffect.stream.buffer import Block
from rtaffect.stream.markers import Marker
from rtaffect.stream.source import StreamHeader
from tests.stream.test_markers import Stimulus
from tests.support.recording_child import EEG, LIMIT
from tests.support.waiting import wait_for
from tests.support.xdf_writer import BOUNDARY, BOUNDARY_UUID, chunk

ROOT = Path(__file__).parents[2]
CHILD = [sys.executable, str(ROOT / "tests" / "support" / "recording_child.py")]
TEXTS = StreamHeader("rtaffect-markers", "Markers", 0.0, "string", ("marker",))
NUMBERS = {"float32": "f4", "double64": "f8", "int8": "i1", "int16": "i2", "int32": "i4", "int64": "i8"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "recording.xdf"


def streams_in(path: Path, **options: object) -> dict[str, dict]:
    """Return what pyxdf finds, by name."""
    found, _ = pyxdf.load_xdf(path, **options)
    return {stream["info"]["name"][0]: stream for stream in found}


def stamped_only(path: Path) -> dict[str, dict]:
    return streams_in(path, synchronize_clocks=False, dejitter_timestamps=False)


# --- the format ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "written"),
    [
        (0, b"\1\0"), (255, b"\1\xff"), (256, b"\4\0\1\0\0"), (2**32 - 1, b"\4\xff\xff\xff\xff"),
        (2**32, b"\x08\0\0\0\0\1\0\0\0"),
    ],
)  # fmt: skip
def test_a_number_takes_one_four_or_eight_bytes(n: int, written: bytes) -> None:
    assert count(n) == written


@pytest.mark.parametrize("number", NUMBERS)
def test_every_number_format_is_written(path: Path, number: str) -> None:
    kind = np.dtype(NUMBERS[number])
    limits = np.iinfo(kind) if kind.kind == "i" else np.finfo(kind)
    values = np.array([[limits.min, limits.max], [0, 1], [-1, 42]], kind)
    stamps = np.array([0.1, 1 / 3, 1e9])
    with XdfWriter(path) as writer:
        writer.samples(writer.stream(replace(EEG, format=number, rate=99.9)), stamps, values)
    (theirs,) = stamped_only(path).values()
    (ours,), notes = read_xdf(path)
    assert notes == []
    for found in (theirs["time_series"], ours.values):
        assert found.dtype == kind
        np.testing.assert_array_equal(found, values)
    np.testing.assert_array_equal(theirs["time_stamps"], stamps)
    np.testing.assert_array_equal(ours.stamps, stamps)
    assert ours.header == replace(EEG, format=number, rate=99.9)


def test_texts_of_any_length_and_script_are_written(path: Path) -> None:
    texts = ["", "ü", "Müller & Søn <1> \t", "日本語", "🧠", *("x" * n for n in range(225, 260)), "y" * 70_000]
    stamps = np.arange(len(texts)) * 1.5
    with XdfWriter(path) as writer:
        number = writer.stream(TEXTS)
        for stamp, text in zip(stamps, texts, strict=True):
            writer.texts(number, [stamp], [text])
        writer.texts(number, stamps + 1000.0, texts)
    (stream,) = stamped_only(path).values()
    assert [sample[0] for sample in stream["time_series"]] == texts * 2
    np.testing.assert_array_equal(stream["time_stamps"], np.concatenate([stamps, stamps + 1000.0]))


def test_a_stream_keeps_its_own_description(path: Path) -> None:
    info = pylsl.StreamInfo("Cäp & <1>", "EEG", 2, 250.0, "float32", "id")
    info.desc().append_child("bundle").append_child_value("sha256", "abc")
    header = StreamHeader("Cäp & <1>", "EEG", 250.0, "float32", ("", ""), xml=info.as_xml())
    with XdfWriter(path) as writer:
        writer.stream(header)
    found = streams_in(path)["Cäp & <1>"]["info"]
    assert found["desc"][0]["bundle"][0]["sha256"] == ["abc"]
    assert (found["source_id"], found["nominal_srate"]) == (["id"], ["250.0000000000000"])


def test_a_description_that_no_one_can_read_is_replaced(path: Path) -> None:
    """A control character in a name passes through LSL, but is no XML."""
    header = StreamHeader("Ca\x01p", "EEG", 250.0, "float32", ("A\x02",), ("V",), ("EEG",), xml="<info>&#1;</info>")
    assert header_xml(header) == header_xml(replace(header, xml=""))
    with XdfWriter(path) as writer:
        writer.stream(header)
    found = streams_in(path)["Ca\ufffdp"]["info"]
    assert found["desc"][0]["channels"][0]["channel"][0]["label"] == ["A\ufffd"]


def test_a_footer_sums_up(path: Path) -> None:
    with XdfWriter(path) as writer:
        number = writer.stream(replace(EEG, format="float32"))
        writer.offset(number, 0.5, -2.0)
        for first in (1.0, 3.0):
            writer.samples(number, np.array([first, first + 0.25]), np.zeros((2, 2)))
    footer = stamped_only(path)["Cap"]["footer"]["info"]
    assert (footer["first_timestamp"], footer["last_timestamp"]) == (["1.0"], ["3.25"])
    assert footer["sample_count"] == ["4"]
    assert footer["clock_offsets"][0]["offset"] == [{"time": ["0.5"], "value": ["-2.0"]}]


def test_what_follows_a_boundary_outlives_damage_before_it(path: Path) -> None:
    with XdfWriter(path) as writer:
        number = writer.stream(EEG)
        for turn in range(3):
            writer.samples(number, np.arange(10.0) + 10 * turn, np.full((10, 2), turn))
            writer.boundary()
            writer.flush()
            if turn == 0:
                damaged = writer.size
    data = bytearray(path.read_bytes())
    data[damaged : damaged + 20] = bytes(20)
    path.write_bytes(data)
    np.testing.assert_array_equal(stamped_only(path)["Cap"]["time_stamps"], [*range(10), *range(20, 30)])


def test_what_a_disk_did_not_keep_is_written_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(5, "Input/output error")

    with XdfWriter(path) as writer:
        number = writer.stream(EEG)
        writer.flush()
        writer.sync()
        kept = writer.size
        writer.samples(number, np.arange(10.0), np.ones((10, 2)))
        writer.flush()
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", refuse)
            with pytest.raises(OSError, match="Input/output"):
                writer.sync()
        assert path.stat().st_size == writer.size == kept
        assert writer.pending_bytes > 0
    np.testing.assert_array_equal(stamped_only(path)["Cap"]["time_stamps"], np.arange(10.0))


def test_an_unknown_format_and_the_wrong_kind_of_values_are_refused(path: Path) -> None:
    with XdfWriter(path) as writer:
        with pytest.raises(ValueError, match="format 'undefined', expected string, float32"):
            writer.stream(replace(EEG, format="undefined"))
        numbers, texts = writer.stream(EEG), writer.stream(TEXTS)
        with pytest.raises(ValueError, match="carries texts"):
            writer.samples(texts, np.zeros(1), np.zeros((1, 1)))
        with pytest.raises(ValueError, match="does not carry one text"):
            writer.texts(numbers, [0.0], ["x"])
    with pytest.raises(ValueError, match="format 'undefined'"):
        Recorder(path).track(replace(EEG, format="undefined"))


# --- a recording -----------------------------------------------------------------------------------------------------


def test_all_streams_come_onto_one_clock(path: Path) -> None:
    """A headset whose computer is 5000 s ahead and drifts, sound, and streams of our own; as pyxdf reads by default."""
    rng, seconds = np.random.default_rng(4), 40
    true = 100.0 + np.arange(seconds * 250) / 250.0
    ahead = 5000.0 + 40e-6 * (true - 100.0)
    sound = 100.0 + np.arange(seconds * 800) / 800.0
    with Recorder(path) as recording:
        eeg = recording.track(replace(EEG, rate=250.0, format="float32"))
        microphone = recording.track(StreamHeader("Mic", "Audio", 800.0, "float32", ("mono",), source_id="m"))
        texts = recording.track(TEXTS)
        once = recording.track(replace(TEXTS, name="once"))
        for second in range(seconds):
            part, heard = slice(second * 250, (second + 1) * 250), slice(second * 800, (second + 1) * 800)
            if second % 5 == 0:
                offset = -ahead[part][0] + rng.normal(0, 2e-5)
                eeg.offset(true[part][0] - offset, offset)
            eeg.samples((true + ahead)[part] + rng.normal(0, 2e-4, 250), np.zeros((250, 2), np.float32))
            microphone.samples(sound[heard] + rng.normal(0, 1e-4, 800), np.zeros((800, 1), np.float32))
            texts.texts([100.5 + second], [f"second {second}"])
        once.texts([101.25], ["begin"])
        feedback = recording.track(StreamHeader("rtaffect-feedback", "Feedback", 0.0, "double64", ("a", "b")))
        for second in range(seconds):
            feedback.samples(np.array([101.0 + second]), np.array([[second, np.nan]]))
    found = streams_in(path)
    np.testing.assert_allclose(found["Cap"]["time_stamps"], true, atol=1e-3)
    np.testing.assert_allclose(found["Mic"]["time_stamps"], sound, atol=1e-4)
    np.testing.assert_allclose(found["rtaffect-markers"]["time_stamps"], 100.5 + np.arange(seconds), atol=1e-9)
    np.testing.assert_allclose(found["rtaffect-feedback"]["time_stamps"], 101.0 + np.arange(seconds), atol=1e-9)
    np.testing.assert_array_equal(found["rtaffect-feedback"]["time_series"][:, 0], np.arange(seconds))
    assert found["once"]["time_stamps"] == [101.25]
    assert found["Mic"]["clock_values"] == [0.0, 0.0]
    assert all("footer" in stream for stream in found.values())
    recorded = XdfRecording.open(path)
    assert recorded.warnings == []
    assert [stream.header.name for stream in recorded.streams] == [
        "Cap",
        "Mic",
        "rtaffect-markers",
        "once",
        feedback.header.name,
    ]
    assert recorded.markers(Query("name", "once")) == (Marker("begin", 101.25),)


def test_a_recording_tells_how_it_is(path: Path) -> None:
    recording = Recorder(path)
    assert (recording.status().written_bytes, recording.status().trouble) == (0, "")
    with recording:
        recording.start()
        track = recording.track(EEG)
        track.samples(np.arange(5.0), np.zeros((5, 2)))
        begun = pylsl.local_clock()
        wait_for(lambda: recording.status().newest > begun)
        status = recording.status()
        assert (status.path, status.pending_bytes, status.lost, status.trouble) == (path, 0, 0, "")
        assert status.written_bytes == path.stat().st_size > 0
        assert 0 < status.free_bytes <= shutil.disk_usage(path.parent).total
        assert stamped_only(path)["Cap"]["time_series"].shape == (5, 2)
    recording.close()
    track.samples(np.arange(5.0), np.zeros((5, 2)))
    assert recording.status().trouble == ""
    assert recording.status().written_bytes == path.stat().st_size


def test_a_stream_may_begin_while_it_records(path: Path) -> None:
    with Recorder(path) as recording:
        recording.track(EEG).samples(np.arange(5.0), np.zeros((5, 2)))
        while not recording.status().written_bytes > 1000:
            time.sleep(0.01)
        recording.track(TEXTS).texts([3.0], ["late"])
    found = stamped_only(path)
    assert (len(found["Cap"]["time_stamps"]), found["rtaffect-markers"]["time_series"]) == (5, [["late"]])


def test_what_does_not_fit_its_header_is_told_and_harms_nothing(path: Path) -> None:
    with Recorder(path) as recording:
        track, texts = recording.track(EEG), recording.track(TEXTS)
        track.samples(np.arange(5.0), np.zeros((5, 3)))
        track.texts([1.0], ["x"])
        texts.samples(np.arange(1.0), np.zeros((1, 1)))
        track.samples(np.arange(5.0), np.zeros((5, 2)))
    status = recording.status()
    assert status.lost == 7
    assert "'Cap' was given 1 texts" in status.trouble
    assert "7 samples or markers of 'Cap', 'rtaffect-markers' are not recorded" in status.trouble
    assert len(stamped_only(path)["Cap"]["time_stamps"]) == 5


def test_what_waits_has_a_bound_and_what_is_lost_is_a_break(path: Path) -> None:
    recording = Recorder(path, most_pending=100_000)
    track = recording.track(EEG)
    for first in range(0, 50_000, 50):
        track.samples((first + np.arange(50)) / 1000.0, np.full((50, 2), first))
    status = recording.status()
    part = 75_000  # three quarters are the EEG's
    assert part - 1200 < status.pending_bytes <= part
    kept = part // (50 * 24) * 50
    assert status.lost == 50_000 - kept
    with recording:
        while recording.status().pending_bytes:
            time.sleep(0.01)
        track.samples(60.0 + np.arange(2000) / 1000.0, np.zeros((2000, 2)))
    assert f"{status.lost} samples or markers of 'Cap' are not recorded" in recording.status().trouble
    (source,) = XdfRecording.open(path).eeg_sources(seconds=100.0)
    source.advance(math.inf)
    block = source.buffer.read(0, math.inf)
    assert (len(block.times), block.breaks) == (kept + 2000, (kept,))


def test_a_flood_of_huge_markers_before_a_slow_disk_loses_markers_and_no_eeg(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk takes nothing for a while, and 30 MB of markers come, ten times what may wait of everything."""
    held, write = threading.Event(), os.write
    with Recorder(path, most_pending=3_000_000) as recording:
        eeg, texts, keys = recording.track(EEG), recording.track(TEXTS), recording.track(replace(TEXTS, name="keys"))
        sound = recording.track(StreamHeader("Mic", "Audio", 800.0, "float32", ("mono",)))
        wait_for(lambda: recording.status().written_bytes > 1000)
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", lambda *given: held.wait(30.0) and write(*given))
            for turn in range(300):
                texts.texts([float(turn)], ["x" * 100_000])
                eeg.samples(turn + np.arange(50) / 50, np.full((50, 2), turn))
                sound.samples(turn + np.arange(80) / 80, np.full((80, 1), turn, np.float32))
                if turn % 10 == 0:
                    keys.texts([float(turn)], [f"key {turn}"])
                time.sleep(0.001)
            pending = recording.status().pending_bytes
            held.set()
            wait_for(lambda: not recording.status().pending_bytes)
        texts.texts([400.0], ["after"])
    assert pending <= 3_000_000 + 4_500_000  # what each may keep, and what the writer was given
    status = recording.status()
    assert (eeg.lost, sound.lost, keys.lost) == (0, 0, 0)
    assert 250 < texts.lost == status.lost < 300
    assert f"{texts.lost} samples or markers of 'rtaffect-markers' are not recorded" in status.trouble
    found = stamped_only(path)
    np.testing.assert_array_equal(found["Cap"]["time_series"][:, 0], np.repeat(np.arange(300), 50))
    assert len(found["Mic"]["time_stamps"]) == 300 * 80
    assert [text for (text,) in found["keys"]["time_series"]] == [f"key {turn}" for turn in range(0, 300, 10)]
    assert len(found["rtaffect-markers"]["time_stamps"]) == 301 - texts.lost


def test_each_of_many_streams_has_a_part_of_its_own(path: Path) -> None:
    recording = Recorder(path, most_pending=100_000)
    one, other = recording.track(EEG), recording.track(replace(EEG, name="other"))
    for first in range(100):
        one.samples(first + np.arange(50) / 50, np.zeros((50, 2)))
    assert one.lost > 0
    other.samples(np.arange(50) / 50, np.zeros((50, 2)))
    assert other.lost == 0
    assert 37_500 - 1200 < one.pending <= 37_500
    with recording:
        pass
    assert len(stamped_only(path)["other"]["time_stamps"]) == 50


@pytest.mark.parametrize("where", ["there.xdf", "nowhere/a.xdf", "there.xdf/a.xdf"])
def test_a_file_that_cannot_be_made_is_refused(tmp_path: Path, where: str) -> None:
    (tmp_path / "there.xdf").write_bytes(b"kept")
    with pytest.raises(SettingsError, match=r"choose another") as error, Recorder(tmp_path / where):
        pass
    assert where in str(error.value)
    assert (tmp_path / "there.xdf").read_bytes() == b"kept"


def test_a_folder_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    # Root may write to every folder but the kernel's own.
    folder = Path("/sys") if os.access(tmp_path, os.W_OK) else tmp_path
    if not folder.is_dir():
        pytest.skip("whoever runs this may write everywhere")
    with pytest.raises(SettingsError, match=r"cannot be made \(.*\); choose a folder"), Recorder(folder / "a.xdf"):
        pass


def child(task: str, *paths: Path, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [*before, *CHILD, task, *map(str, paths)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)


def test_what_came_until_a_second_before_a_kill_is_there(path: Path) -> None:
    program = child("endless", path)
    lines = [program.stdout.readline() for _ in range(20)]
    program.kill()
    lines += program.stdout.readlines()
    program.wait(60)
    program.stdout.close()
    newest = float(lines[-1] if lines[-1].endswith("\n") else lines[-2])
    (source,) = XdfRecording.open(path).eeg_sources(seconds=100.0)
    source.advance(math.inf)
    theirs = stamped_only(path)["Cap"]
    for times, values in (
        (theirs["time_stamps"], theirs["time_series"]),
        (source.buffer.read(0, math.inf).times, source.buffer.read(0, math.inf).samples),
    ):
        assert times[-1] > newest - 1.0
        np.testing.assert_array_equal(values[:, 0], np.arange(len(times)))


@pytest.mark.parametrize("how", ["full", "disk"])
def test_a_full_disk_is_told_and_what_waited_is_written_when_there_is_room(tmp_path: Path, how: str) -> None:
    apart, copy = ("unshare", "--mount"), tmp_path / "copy.xdf"
    if how == "full":
        pytest.importorskip("resource")
        program = child("full", tmp_path / "session.xdf", copy)
    else:
        folder = tmp_path / "disk"
        folder.mkdir()
        mount = [*apart, "mount", "-t", "tmpfs", "tmpfs", str(folder)]
        if not shutil.which("unshare") or subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("needs the right to mount a disk (Linux, root)")
        program = child("disk", folder, copy, before=apart)
    out, _ = program.communicate(timeout=30)
    assert program.returncode == 0
    stuck, free, closed, *ended = map(json.loads, out.splitlines())
    disk, cause = (tmp_path / "disk", "is full (0.0 MB free)") if how == "disk" else ("of disk", "may not grow further")
    assert str(disk) in stuck["trouble"]
    assert cause in stuck["trouble"]
    assert "is written as soon as there is room" in stuck["trouble"]
    assert stuck["written_bytes"] <= LIMIT
    assert stuck["pending_bytes"] > 250_000
    part = read_xdf(copy)
    assert part[1] == []
    assert 0 < len(part[0][0].stamps) < 20_000
    for status in (free, closed):
        assert (status["pending_bytes"], status["lost"], status["trouble"]) == (0, 0, "")
    for name, n in ((copy, len(part[0][0].stamps)), (copy.with_suffix(".whole.xdf"), 20_000)):
        np.testing.assert_array_equal(stamped_only(name)["Cap"]["time_series"][:, 0], np.arange(n))
    for status in ended:
        assert "the last 0.3 MB are not recorded" in status["trouble"]
        assert read_xdf(tmp_path / "stuck.xdf")[1] == []


# --- replay ----------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_offsets_are_applied_live_as_in_replay(data: st.DataObject) -> None:
    """Chunks of jittered, late, early and wrong stamps, between measurements and restarts in any order."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    clock, ahead, now = SenderClock(), rng.uniform(-1e6, 1e6), 1000.0
    live, stamps, times, values, segments = [], [], [], [], []
    for what in ["measure", *data.draw(st.lists(st.sampled_from(["measure", "samples", "restart"]), max_size=30))]:
        now += rng.exponential(2.0)
        if what == "samples":
            n = int(rng.integers(1, 6))
            chunk = now + ahead - rng.uniform(0, 0.1) + rng.normal(0, rng.choice([0.01, 3.0]), n)
            chunk[rng.random(n) < 0.05] += rng.choice([-1e5, 1e5])
            live.append(clock.correct(chunk))
            stamps.append(chunk)
            continue
        if what == "restart":
            ahead = rng.uniform(-1e6, 1e6)
        value = -ahead + rng.normal(0, 1e-3)
        if what == "restart" or clock.was_reset(value):
            clock.restart()
            segments.append(Segment(sum(map(len, stamps)), len(times)))
        times.append(clock.note(now, value))
        values.append(value)
    recorded = np.concatenate([*stamps, []])
    replayed = correct(recorded, np.array(times), np.array(values), segments)
    np.testing.assert_array_equal(replayed.stamps, np.concatenate([*live, []]))


def test_a_clock_that_was_set_is_noticed() -> None:
    clock = SenderClock()
    assert not clock.was_reset(5.0)
    clock.note(100.0, 5.0)
    clock.correct(np.array([90.0, 91.0]))
    assert not clock.was_reset(5.5)
    assert clock.was_reset(6.5)
    clock.correct(np.array([500.0, 91.1]))
    assert clock.was_reset(5.0), "a stamp was wrong, and would keep later measurements from being used"


@dataclass
class Live:
    """What a session had live, and its recording."""

    path: Path
    block: Block
    markers: tuple[Marker, ...]
    sent: list[float]
    offsets: int
    other_clock: bool


def apart(folder: Path) -> Path | None:
    """Return a Python on another computer's clock, as far as LSL can tell, where that can be had."""
    namespace = ["unshare", "--time", "--monotonic", "1000", "--fork"]
    if not shutil.which("unshare") or subprocess.run([*namespace, "true"], capture_output=True, check=False).returncode:
        return None
    wrapper = folder / "python"
    wrapper.write_text(f'#!/bin/sh\nexec {" ".join(namespace)} {sys.executable} "$@"\n')
    wrapper.chmod(0o755)
    return wrapper


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Live:
    """A headset with jitter that goes away and comes back with another clock, and markers, recorded from real LSL."""
    folder = tmp_path_factory.mktemp("session")
    path, name = folder / "recording.xdf", f"Head {uuid.uuid4().hex[:8]}"
    other, volts = apart(folder), np.random.default_rng(0).normal(0, 2e-5, (5000, 2))
    first, again = (
        SimulatedHeadset(name, name, part, 250.0, ("Fz", "Cz"), faults=[Jitter(0.004)])
        for part in (volts[:2500], volts[2500:])
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lsl_inlet, "OFFSET_S", 0.2)
        program = Stimulus()
        with pytest.MonkeyPatch.context() as python:
            if other:
                python.setattr(sys, "executable", str(other))
            first.start()
        with first:
            source = LslSource(find_stream(Query("name", name), settle=0.2))
            markers = LslMarkers(find_stream(Query("name", program.name), settle=0.2))
            with Recorder(path) as recording:
                recording.record(source)
                recording.record(markers)
                try:
                    source.start()
                    markers.start()
                    sent = [program.send("one")]
                    wait_for(lambda: source.buffer.received >= 400)
                    first.close()
                    with again:
                        sent.append(program.send("zwei ü"))
                        wait_for(lambda: source.reconnections)
                        come = source.buffer.received
                        wait_for(lambda: source.buffer.received >= come + 300 and len(markers.markers) == 2)
                        source.stop()
                finally:
                    source.stop()
                    markers.stop()
                    program.end()
    return Live(path, source.buffer.read(0, math.inf), markers.markers, sent, len(source.offsets), other is not None)


def replayed(path: Path, step: float) -> Block:
    recording = XdfRecording.open(path)
    (source,) = recording.eeg_sources()
    now = recording.start
    while source.status(now).state != "ended":
        now += step
        source.advance(now)
    return source.buffer.read(0, math.inf)


@pytest.mark.parametrize("step", [1.0, 0.173])
def test_a_replay_is_what_was_live(session: Live, step: float) -> None:
    block = replayed(session.path, step)
    assert len(session.block.breaks) == 1
    assert session.offsets > 4
    assert block.breaks == session.block.breaks
    np.testing.assert_array_equal(block.samples, session.block.samples)
    np.testing.assert_array_equal(block.times, session.block.times)
    recording = XdfRecording.open(session.path)
    recording.eeg_sources()
    resets = [warning for warning in recording.warnings if "clock was reset" in warning]
    assert len(resets) == session.other_clock
    assert recording.warnings == resets


def test_replayed_markers_have_the_times_that_they_had_live(session: Live) -> None:
    markers = XdfRecording.open(session.path).markers()
    assert markers == session.markers
    assert [marker.text for marker in markers] == ["one", "zwei ü"]
    assert [marker.time for marker in markers] == pytest.approx(session.sent, abs=1e-3)


def test_pyxdf_finds_the_same_times(session: Live) -> None:
    found = streams_in(session.path, dejitter_timestamps=False)
    (headset,) = (stream for stream in found.values() if stream["info"]["type"] == ["EEG"])
    assert headset["info"]["desc"][0]["channels"][0]["channel"][1]["label"] == ["Cz"]
    (recorded,) = (stream for stream in read_xdf(session.path)[0] if stream.header.type == "EEG")
    corrected = correct(recorded.stamps, recorded.clock_times, recorded.clock_values, recorded.segments)
    np.testing.assert_allclose(headset["time_stamps"], corrected.stamps, atol=1e-3)
    (markers,) = (stream for stream in found.values() if stream["info"]["type"] == ["Markers"])
    np.testing.assert_allclose(markers["time_stamps"], session.sent, atol=1e-3)


def test_mne_has_the_recorded_eeg_in_volts(session: Live) -> None:
    mne = pytest.importorskip("mne")
    found = streams_in(session.path, dejitter_timestamps=False)
    (headset,) = (stream for stream in found.values() if stream["info"]["type"] == ["EEG"])
    channels = headset["info"]["desc"][0]["channels"][0]["channel"]
    assert {channel["unit"][0] for channel in channels} == {"microvolts"}
    info = mne.create_info(
        [channel["label"][0] for channel in channels], float(headset["info"]["nominal_srate"][0]), "eeg"
    )
    raw = mne.io.RawArray(headset["time_series"].T * 1e-6, info, verbose="error")
    np.testing.assert_allclose(raw.get_data().T, session.block.samples, rtol=1e-6)
    at = session.block.breaks[0]
    seconds = session.block.times[:at] - session.block.times[0]
    np.testing.assert_allclose(raw.times[:at], seconds, atol=0.02)


def test_unreadable_and_foreign_marks_do_no_harm(path: Path) -> None:
    """Where samples are missing, the marks' numbers are not used; without the stream of marks nothing is known."""
    with Recorder(path) as recording:
        track = recording.track(replace(EEG, rate=10.0))
        track.segment()
        track.samples(np.arange(10.0) / 10, np.zeros((10, 2)))
        track.segment()
        track.samples(np.arange(10.0) / 10 + 1, np.zeros((10, 2)))
    data = path.read_bytes()
    assert read_xdf(path)[0][0].segments == (Segment(0), Segment(10))
    assert replayed(path, 0.3).breaks == (10,)
    path.write_bytes(data.replace(b"rtaffect-segments", b"another-recording"))
    assert read_xdf(path)[0][0].segments is None
    assert replayed(path, 0.3).breaks == ()
    path.write_bytes(data.replace(b'"sample": 10', b'"sample": 1!'))
    (stream, *_), notes = read_xdf(path)
    assert "is damaged" in notes[0]
    assert stream.segments is None
    at = data.index(b"\x0a\x08") - 12
    path.write_bytes(data[:at] + b"\x07" * 40 + chunk(BOUNDARY, BOUNDARY_UUID) + data[at:])
    (stream, *_), notes = read_xdf(path)
    assert notes
    assert (stream.segments, len(stream.stamps)) == (None, 20)


def test_what_a_session_said_itself_is_no_stimulus_programs_marker(tmp_path: Path) -> None:
    """A replay of a session in which a marker of the only other stream said when the sound began."""
    with Recorder(tmp_path / "a.xdf") as recording:
        recording.track(TEXTS).texts([1.0], ["session/begin"])
        recording.track(replace(TEXTS, name="Psycho")).texts([2.5], ["film"])
    assert XdfRecording.open(tmp_path / "a.xdf").markers() == (Marker("film", 2.5),)
