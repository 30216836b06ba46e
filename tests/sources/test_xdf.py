"""Replay of XDF files whose truth is known, and, where RTAFFECT_RECORDINGS names their folder, of real ones."""

import gzip
import logging
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
import pyxdf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtaffect.common.errors import RecordingError, StreamError
from rtaffect.sources.clock_offsets import clock_segments, correct
from rtaffect.sources.selection import Query
from rtaffect.sources.xdf import XdfRecording, XdfSource
from rtaffect.sources.xdf_file import read_xdf
from rtaffect.stream.buffer import Block
from rtaffect.stream.markers import Marker
from tests.support.xdf_writer import BOUNDARY, BOUNDARY_UUID, STREAM_HEADER, FakeStream, chunk, image

RATE = 100.0
LABELS = ("Fz", "Cz", "Pz")
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_streams(*streams: FakeStream, per_chunk: int = 25) -> Path:
        path = tmp_path / "session.xdf"
        path.write_bytes(image(streams, per_chunk).data)
        return path

    return write_streams


def eeg(stamps: NDArray[np.float64], **changed: object) -> FakeStream:
    """A stream of three channels whose first one counts the samples, in microvolts."""
    n = np.arange(len(stamps), dtype=np.float64)
    values = np.stack([n, -n, np.sin(n)], axis=1)
    return FakeStream(**{"values": values, "stamps": stamps, "labels": LABELS, **changed})  # type: ignore[arg-type]


def even(seconds: float, start: float = 0.0, rate: float = RATE) -> NDArray[np.float64]:
    return start + np.arange(round(seconds * rate)) / rate


def only_source(path: Path, **options: object) -> XdfSource:
    (source,) = XdfRecording.open(path).eeg_sources(**{"seconds": 1000.0, **options})  # type: ignore[arg-type]
    return source


def played(source: XdfSource, until: float = np.inf) -> Block:
    source.start()
    source.advance(until)
    return source.buffer.read(0, np.inf)


# --- what a stream becomes -------------------------------------------------------------------------------------------


def test_a_recorded_stream_becomes_a_source_in_volts(write: Write) -> None:
    path = write(eeg(even(3, 50.0), source_id="usb7", offsets=[(50.0, 1000.0)]))
    recording = XdfRecording.open(path)
    (source,) = recording.eeg_sources()
    block = played(source)
    assert (source.info.name, source.info.kind, source.info.rate) == ("ANT", "eeg", RATE)
    assert (source.info.channels, source.info.origin) == (LABELS, "xdf")
    assert (source.info.source_id, source.info.host) == ("usb7", "lab")
    np.testing.assert_allclose(block.samples[:, 0], np.arange(300) * 1e-6, rtol=1e-6)
    np.testing.assert_allclose(block.times, even(3, 1050.0), atol=1e-9)
    assert (recording.start, recording.end) == pytest.approx((1050.0, 1052.99))
    assert recording.warnings == []


def test_the_summary_tells_what_is_in_the_file(write: Write) -> None:
    marks = FakeStream(["go", "stop"], np.array([1.0, 2.5]), "Marks", "Markers", 0.0, "string")
    recording = XdfRecording.open(write(eeg(even(1, 5.0)), marks))
    ant, text = recording.streams
    assert (ant.header.unit, ant.header.labels) == ("microvolts", LABELS)
    assert ant.span == (100, 5.0, pytest.approx(5.99))
    assert (text.header.format, text.span) == ("string", (2, 1.0, 2.5))
    assert ant.describe() == "'ANT' (EEG, 100 Hz, 3 channels, 100 samples)"
    assert text.describe() == "'Marks' (Markers, irregular rate, 1 channel, 2 samples)"
    assert (recording.start, recording.end) == pytest.approx((1.0, 5.99))


@pytest.mark.parametrize("number", ["float32", "double64", "int8", "int16", "int32", "int64"])
def test_every_number_format_is_read(write: Write, number: str) -> None:
    block = played(only_source(write(eeg(even(1), format=number, unit="V"))))
    np.testing.assert_array_equal(block.samples[:, 0], np.arange(100))


def test_each_channel_has_its_own_unit(write: Write) -> None:
    path = write(eeg(even(1), unit=["uV", "mV", "V"]))
    recording = XdfRecording.open(path)
    assert recording.streams[0].header.unit == "uV/mV/V"
    samples = played(recording.eeg_sources()[0]).samples
    np.testing.assert_allclose(samples[10], [10e-6, -10e-3, np.sin(10)], rtol=1e-6)


def test_channels_that_are_not_eeg_are_left_out(write: Write) -> None:
    source = only_source(write(eeg(even(1), kinds=["EEG", "AUX", "EEG"], unit=["uV", "", "mV"])))
    assert source.info.channels == ("Fz", "Pz")
    np.testing.assert_allclose(played(source).samples[10], [10e-6, np.sin(10) * 1e-3], rtol=1e-6)


def test_what_the_user_says_goes_before_what_the_file_says(write: Write) -> None:
    source = only_source(write(eeg(even(1), unit="V")), channels=["A", "B", "C"], unit="mV", rate=50.0)
    assert (source.info.channels, source.info.rate) == (("A", "B", "C"), 50.0)
    assert played(source).samples[10, 0] == pytest.approx(10e-3)


def test_streams_of_one_name_get_distinct_names(write: Write) -> None:
    def names(*ids: str) -> list[str]:
        path = write(*(eeg(even(1), source_id=i) for i in ids))
        return [source.info.name for source in XdfRecording.open(path).eeg_sources()]

    assert names("a") == ["ANT"]
    assert names("a", "b") == ["ANT (a)", "ANT (b)"]
    assert names("", "") == ["ANT", "ANT #2"]
    assert names("a", "a", "b") == ["ANT", "ANT #2", "ANT #3"]


def test_a_made_up_name_is_not_that_of_another_stream(write: Write) -> None:
    path = write(eeg(even(1)), eeg(even(1)), eeg(even(1), name="ANT #2"))
    assert [s.info.name for s in XdfRecording.open(path).eeg_sources()] == ["ANT", "ANT #3", "ANT #2"]


def test_streams_are_selected_by_name_type_or_source_id(write: Write) -> None:
    path = write(eeg(even(1), name="A", source_id="1"), eeg(even(1), name="B"), eeg(even(1), name="C", type="Foo"))

    def names(*texts: str) -> list[str]:
        return [s.info.name for s in XdfRecording.open(path).eeg_sources([Query.parse(t) for t in texts])]

    assert names() == ["A", "B"]
    assert names("B") == ["B"]
    assert names("type=foo", "source_id=1") == ["A", "C"]


# --- time ------------------------------------------------------------------------------------------------------------


def test_the_newest_offset_measured_so_far_is_used() -> None:
    stamps = np.array([1.0, 4.9, 5.0, 9.9, 10.0, 20.0])
    corrected = correct(stamps, np.array([5.0, 10.0]), np.array([100.0, 100.5]))
    np.testing.assert_allclose(corrected.stamps - stamps, [100, 100, 100, 100, 100.5, 100.5])
    assert corrected.used.tolist() == [0, 0, 0, 0, 1, 1]


def test_without_offsets_the_stamps_stand_and_that_is_said(write: Write) -> None:
    recording = XdfRecording.open(write(eeg(even(1, 7.0))))
    assert played(recording.eeg_sources()[0]).times[0] == 7.0
    assert "no clock offsets" in recording.warnings[0]


def drifting(seconds: float, jitter_s: float, ppm: float = 60.0) -> tuple[FakeStream, NDArray[np.float64]]:
    """A headset whose computer's clock runs fast by ``ppm`` and 5000 s ahead, and its true times."""
    noise = np.random.default_rng(3)
    true = even(seconds, 100.0)
    clock = 5000.0 + true * (1 + ppm * 1e-6)
    measured = np.arange(106.0, true[-1], 5.0)
    there = 5000.0 + measured * (1 + ppm * 1e-6)
    offsets = [
        (t, m - t + e) for t, m, e in zip(there, measured, noise.normal(0, jitter_s / 3, len(there)), strict=True)
    ]
    stamps = np.sort(clock + noise.uniform(-jitter_s, jitter_s, len(clock)))
    return eeg(stamps, offsets=offsets), true


def test_a_drifting_clock_is_followed(write: Write) -> None:
    stream, true = drifting(120, 0.001)
    error = played(only_source(write(stream))).times - true
    assert np.abs(error[2000:]).max() < 0.002


def test_times_agree_with_those_that_pyxdf_finds_afterwards(write: Write) -> None:
    path = write(drifting(120, 0.003)[0])
    block = played(only_source(path))
    (theirs,), _ = pyxdf.load_xdf(path)
    difference = block.times - theirs["time_stamps"]
    assert np.abs(difference[2000:]).max() < 0.003
    assert np.diff(block.times).min() > 0


def test_bursts_are_spread_out(write: Write) -> None:
    true = even(60)
    arrival = (np.arange(len(true)) // 12 + 1) * 12 / RATE + np.arange(len(true)) % 12 * 2e-4
    spacing = np.diff(played(only_source(write(eeg(arrival, offsets=[(0.0, 10.0)])))).times)[2000:]
    np.testing.assert_allclose(spacing, 1 / RATE, rtol=0.02)


def test_a_gap_stays_a_gap(write: Write) -> None:
    stamps = even(20)
    stamps[1000:] += 3.0
    source = only_source(write(eeg(stamps, offsets=[(0.0, 10.0)])))
    block = played(source)
    assert block.breaks == (1000,)
    assert block.times[1000] == pytest.approx(23.0)
    status = source.status(33.0)
    assert (status.gaps, status.clock_jumps) == (1, 0)


# --- clock resets ----------------------------------------------------------------------------------------------------


def restarted(
    *runs: tuple[float, float, float], every: float = 5.0, delay: float = 2.0
) -> tuple[FakeStream, NDArray[np.float64]]:
    """A stream over runs of the sender's clock, (true start, true end, clock at true time 0), and its true times."""
    true = np.concatenate([even(end - start, start) for start, end, _ in runs])
    stamps = np.concatenate([even(end - start, start + ahead) for start, end, ahead in runs])
    offsets = [(t + ahead, -ahead) for start, end, ahead in runs for t in np.arange(start + delay, end, every)]
    return eeg(stamps, offsets=offsets), true


RESETS = {
    "back to zero": [(0.0, 60.0, 653000.0), (61.0, 120.0, -60.0)],
    "far ahead": [(0.0, 60.0, 100.0), (60.6, 120.0, 90000.0)],
    "without a pause": [(0.0, 60.0, 100.0), (60.0, 120.0, -60.0)],
    "after the sender was away": [(0.0, 60.0, 653000.0), (334.0, 400.0, -330.0)],
    "onto times used before": [(0.0, 100.0, 100.0), (103.0, 200.0, -8.0)],
    "twice": [(0.0, 50.0, 1000.0), (58.0, 110.0, -50.0), (120.0, 180.0, -100.0)],
    "ahead, then back": [(0.0, 50.0, 0.0), (52.0, 100.0, 7000.0), (101.0, 150.0, -99.0)],
}


@pytest.mark.parametrize("runs", RESETS.values(), ids=RESETS.keys())
def test_time_goes_on_over_a_clock_reset(write: Write, runs: list[tuple[float, float, float]]) -> None:
    stream, true = restarted(*runs)
    recording = XdfRecording.open(write(stream))
    (source,) = recording.eeg_sources(seconds=1000.0)
    np.testing.assert_allclose(played(source).times, true, atol=1e-6)
    assert sum("clock was reset" in line for line in recording.warnings) == len(runs) - 1
    assert source.buffer.clock_jumps == 0


def test_a_stream_that_ends_before_the_reset_keeps_its_clock(write: Write) -> None:
    stream, true = restarted((0.0, 60.0, 653000.0), (60.0, 120.0, -60.0))
    n = 5000
    stream.values, stream.stamps = stream.values[:n], stream.stamps[:n]
    np.testing.assert_allclose(played(only_source(write(stream))).times, true[:n], atol=1e-6)


def test_a_stream_that_begins_after_the_reset_takes_the_new_clock(write: Write) -> None:
    stream, true = restarted((0.0, 60.0, 653000.0), (60.0, 120.0, -60.0))
    n = 7000
    stream.values, stream.stamps = stream.values[n:], stream.stamps[n:]
    np.testing.assert_allclose(played(only_source(write(stream))).times, true[n:], atol=1e-6)


def test_one_wild_measurement_is_no_reset() -> None:
    times, values = np.arange(5.0, 100.0, 5.0), np.full(19, 7.0)
    times[9], values[9] = -900.0, 957.0
    stamps = even(99)
    corrected = correct(stamps, times, values)
    np.testing.assert_allclose(corrected.stamps, stamps + 7.0)
    assert corrected.resets == ()


def test_a_slow_network_is_no_reset() -> None:
    times = np.cumsum([5.0, 5.0, 5.0, 40.0, 5.0, 5.0])
    assert len(clock_segments(times, np.full(6, 3.0))) == 1
    assert len(clock_segments(times[:1], np.array([3.0]))) == 1


def test_no_samples_or_no_offsets_need_no_correction() -> None:
    none = np.empty(0)
    assert len(correct(none, np.array([1.0]), np.array([2.0])).stamps) == 0
    np.testing.assert_array_equal(correct(np.array([5.0]), none, none).stamps, [5.0])


def test_a_step_back_that_nothing_explains_ends_the_stream(write: Write) -> None:
    stamps = np.concatenate([even(10, 500.0), even(10, 3.0)])
    recording = XdfRecording.open(write(eeg(stamps)))
    (source,) = recording.eeg_sources()
    assert len(played(source).times) == 1000
    assert "1000 of its 2000 samples have stamps far off its others', as that of sample 1000" in recording.warnings[-1]
    assert recording.end == pytest.approx(509.99)
    assert source.status(520.0).state == "ended"


# --- delivery --------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(turns=st.lists(st.floats(0.0, 130.0), max_size=20))
def test_the_pattern_of_advances_does_not_matter(write: Write, turns: Sequence[float]) -> None:
    stream, _ = restarted((0.0, 50.0, 653000.0), (58.0, 120.0, -58.0))
    stream.stamps = stream.stamps + np.random.default_rng(1).uniform(-0.02, 0.02, len(stream.stamps))
    path = write(stream)
    whole, stepped = only_source(path), only_source(path)
    for until in sorted(turns):
        stepped.advance(until)
    expected, block = played(whole), played(stepped)
    np.testing.assert_array_equal(block.times, expected.times)
    np.testing.assert_array_equal(block.samples, expected.samples)
    assert block.breaks == expected.breaks


def test_nothing_later_than_asked_for_is_delivered(write: Write) -> None:
    source = only_source(write(eeg(even(10), offsets=[(0.0, 100.0)])))
    source.advance(104.0)
    assert source.buffer.received == 401
    source.advance(104.0)
    source.advance(90.0)
    assert source.buffer.received == 401


def test_a_source_tells_its_state(write: Write) -> None:
    stamps = even(10)
    stamps[500:] += 4.0
    source = only_source(write(eeg(stamps, offsets=[(0.0, 100.0)])))

    def state_at(now: float) -> str:
        source.advance(now)
        return source.status(now).state

    assert [state_at(t) for t in (98.0, 100.0, 104.0, 106.9)] == ["waiting", "ok", "ok", "ok"]
    assert state_at(107.1) == "stalled"
    assert "no samples for 2.1 s" in source.status(107.1).message
    assert state_at(109.5) != "stalled"
    assert [state_at(t) for t in (114.1, 200.0)] == ["ended", "ended"]


def test_a_step_that_is_made_late_makes_no_hole_in_a_recording(write: Write) -> None:
    source = only_source(write(eeg(even(60), offsets=[(0.0, 100.0)])))
    source.advance(110.0)
    assert [source.status(now).state for now in (110.0, 115.0, 500.0)] == ["ok", "ok", "ok"]


def test_a_stopped_source_delivers_no_more(write: Write) -> None:
    source = only_source(write(eeg(even(10))))
    source.start()
    source.advance(2.0)
    source.stop()
    source.stop()
    source.advance(9.0)
    assert source.buffer.received == 201


def test_an_advance_over_more_than_the_buffer_holds_is_counted(write: Write) -> None:
    source = only_source(write(eeg(even(10))), seconds=2.0)
    block = played(source)
    assert (len(block.times), source.buffer.overruns) == (200, 800)
    assert source.status(9.99).received == 1000


# --- sound -----------------------------------------------------------------------------------------------------------


def test_sound_is_mono_and_full_scale(write: Write) -> None:
    both = np.array([[32767, -32768], [-32768, -32768], [16384, 0]] * 1000)
    sound = FakeStream(both, even(0.375, rate=8000.0), "Mic", "Audio", 8000.0, "int16", offsets=[(0.0, 5.0)])
    recording = XdfRecording.open(write(eeg(even(3)), sound))
    source = recording.audio_source()
    assert source is not None
    assert (source.info.kind, source.info.channels) == ("audio", ("mono",))
    block = played(source)
    np.testing.assert_allclose(block.samples[:3, 0], [-1 / 65536, -1.0, 0.25], atol=1e-9)
    assert source.status(6.0).kind == "audio"


def test_sound_of_floats_is_taken_as_it_is(write: Write) -> None:
    sound = FakeStream(np.full((100, 1), 0.5), even(1), "Mic", "audio", 8000.0)
    source = XdfRecording.open(write(sound)).audio_source(Query.parse("Mic"))
    assert source is not None
    assert played(source).samples[7, 0] == 0.5


def test_a_recording_may_have_no_sound(write: Write) -> None:
    assert XdfRecording.open(write(eeg(even(1)))).audio_source() is None
    empty = FakeStream(np.empty((0, 1)), np.empty(0), "Mic", "Audio")
    assert XdfRecording.open(write(empty)).audio_source() is None


# --- errors ----------------------------------------------------------------------------------------------------------


def refused(make: Callable[[], object], error: type[Exception] = RecordingError) -> str:
    with pytest.raises(error) as raised:
        make()
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "nothing.xdf does not exist" in refused(lambda: XdfRecording.open(tmp_path / "nothing.xdf"))


def test_a_folder_is_no_recording(tmp_path: Path) -> None:
    assert "cannot be read" in refused(lambda: XdfRecording.open(tmp_path))


@pytest.mark.parametrize("data", [b"", b"RIFF....WAVE", b"XDF"])
def test_another_kind_of_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "sound.xdf"
    path.write_bytes(data)
    assert "expected an XDF file" in refused(lambda: XdfRecording.open(path))


def test_a_file_without_streams_is_refused(write: Write) -> None:
    path = write()
    assert "holds no stream" in refused(lambda: XdfRecording.open(path))


def test_an_unreadable_header_is_refused(write: Write) -> None:
    path = write(eeg(even(1)))
    path.write_bytes(path.read_bytes().replace(b"<channel_count>3</", b"<channel_count>x</"))
    assert "is damaged" in refused(lambda: XdfRecording.open(path))


def test_what_is_there_is_listed_when_nothing_matches(write: Write) -> None:
    recording = XdfRecording.open(write(eeg(even(1))))
    message = refused(lambda: recording.eeg_sources([Query.parse("Muse")]))
    assert "no stream of name 'Muse'" in message
    assert "'ANT' (EEG, 100 Hz, 3 channels, 100 samples)" in message
    message = refused(lambda: recording.eeg_sources([Query.parse("ANT"), Query.parse("type=Foo")]))
    assert "no stream of type 'Foo'" in message
    assert "no stream of name 'Mic'" in refused(lambda: recording.audio_source(Query.parse("Mic")))


def test_streams_without_samples_are_left_out(write: Write) -> None:
    empty = FakeStream(np.empty((0, 3)), np.empty(0), "Spare", offsets=[(1.0, 2.0)])
    recording = XdfRecording.open(write(empty, eeg(even(1), offsets=[(0.0, 1.0)])))
    assert [s.info.name for s in recording.eeg_sources()] == ["ANT"]
    assert recording.warnings == ["stream 'Spare' has no samples and is left out"]
    assert np.isnan(recording.streams[0].span.first)
    recording = XdfRecording.open(write(empty))
    assert "none has samples" in refused(recording.eeg_sources)
    assert np.isnan(recording.start)


def test_a_rate_is_needed(write: Write) -> None:
    path = write(eeg(np.sort(np.random.default_rng(2).uniform(0.0, 1.0, 100)), rate=0.0))
    assert "no regular rate (0 Hz)" in refused(lambda: only_source(path))
    assert len(played(only_source(path, rate=100.0)).times) == 100
    assert "no regular rate (-5 Hz)" in refused(lambda: only_source(path, rate=-5.0))


def test_text_is_no_eeg(write: Write) -> None:
    path = write(FakeStream(["a", "b"], even(0.02), format="string"))
    assert "holds text" in refused(lambda: only_source(path))


def test_a_missing_unit_is_asked_for(write: Write) -> None:
    path = write(eeg(even(1), unit=["uV", "", "uV"]))
    assert "--unit microvolts" in refused(lambda: only_source(path), StreamError)
    path = write(eeg(even(1), unit="furlong"))
    assert "'furlong' is not known" in refused(lambda: only_source(path), StreamError)


def test_missing_labels_are_asked_for(write: Write) -> None:
    path = write(eeg(even(1), labels=()))
    assert "--channels" in refused(lambda: only_source(path), StreamError)
    assert "has 3 channels but 2 names" in refused(lambda: only_source(path, channels=["A", "B"]), StreamError)
    assert only_source(path, channels=LABELS, unit="uV").info.channels == LABELS


def test_one_stream_of_sound_is_expected(write: Write) -> None:
    first, second = (FakeStream(np.zeros((9, 1)), even(0.09), name, "Audio", 8000.0) for name in ("A", "B"))
    path = write(first, second)
    assert "2 streams of sound" in refused(lambda: XdfRecording.open(path).audio_source())
    chosen = XdfRecording.open(path).audio_source(Query.parse("B"))
    assert chosen is not None
    assert chosen.info.name == "B"


def marks(texts: Sequence[str], stamps: Sequence[float], **changed: object) -> FakeStream:
    return FakeStream(
        **{"values": texts, "stamps": np.array(stamps), "name": "Marks", "type": "Markers", "rate": 0.0,
           "format": "string", **changed}
    )  # type: ignore[arg-type]  # fmt: skip


def test_markers_have_their_texts_and_the_recorders_time(write: Write) -> None:
    """The sender's clock is 100 s behind; a marker whose stamp is no number is left out."""
    texts, stamps = ["fixation", "film ä", "odd", "end"], [1.0, 2.5, np.nan, 9.0]
    path = write(eeg(even(1, 101.0)), marks(texts, stamps, offsets=[(0.5, 100.0)]))
    recording = XdfRecording.open(path)
    expected = (Marker("fixation", 101.0), Marker("film ä", 102.5), Marker("end", 109.0))
    assert recording.markers() == expected
    assert recording.markers(Query.parse("Marks")) == expected
    assert recording.streams[1].span.samples == 3


def test_one_stream_of_markers_is_expected(write: Write) -> None:
    assert "no stream of type 'Markers'" in refused(XdfRecording.open(write(eeg(even(1)))).markers)
    keys = marks(["k"], [0.5], name="Keyboard")
    recording = XdfRecording.open(write(eeg(even(1)), marks(["film"], [0.2]), keys))
    message = refused(recording.markers)
    assert "2 streams of type 'Markers'" in message
    assert "--markers" in message
    assert recording.markers(Query.parse("Keyboard")) == (Marker("k", 0.5),)
    assert "none has samples" in refused(XdfRecording.open(write(eeg(even(1)), marks([], []))).markers)


# --- damaged files ---------------------------------------------------------------------------------------------------


def cut_after_a_header(data: bytes, cut: int) -> bool:
    """Return whether the first stream's header is whole before the cut; the footer of no file matters."""
    return cut >= data.index(b"</info>", data.index(b"channel_count")) + len(b"</info>")


def test_a_file_cut_anywhere_keeps_what_is_before_the_cut(tmp_path: Path) -> None:
    ok = image([eeg(even(1), offsets=[(0.0, 1.0), (0.5, 1.0)]), eeg(even(0.6), name="B")], per_chunk=20)
    path = tmp_path / "cut.xdf"
    kept = set()
    for cut in [*range(0, len(ok.data), 7), len(ok.data)]:
        path.write_bytes(ok.data[:cut])
        if not cut_after_a_header(ok.data, cut):
            refused(lambda: XdfRecording.open(path))
            continue
        recording = XdfRecording.open(path)
        for k, stream in enumerate(recording.streams):
            assert stream.span.samples == ok.samples_before(cut, k)
        if recording.streams[0].span.samples:
            block = played(recording.eeg_sources([Query.parse("ANT")])[0])
            np.testing.assert_allclose(block.samples[:, 0], np.arange(len(block.times)) * 1e-6, rtol=1e-6)
            kept.add(len(block.times))
    assert kept == {20, 40, 60, 80, 100}


def test_a_cut_is_told(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    path = write(eeg(even(2)))
    path.write_bytes(path.read_bytes()[:-300])
    with caplog.at_level(logging.DEBUG):
        recording = XdfRecording.open(path)
    assert "is cut short" in recording.warnings[0]
    assert not caplog.records


def test_what_is_before_unreadable_damage_is_kept(tmp_path: Path) -> None:
    ok = image([eeg(even(4))], per_chunk=10)
    at = ok.marks[9][0]
    path = tmp_path / "damaged.xdf"
    # Where the next chunk should begin, a width that no chunk has, then one boundary and a header that is no XML.
    path.write_bytes(ok.data[:at] + b"\x07" * 40 + chunk(BOUNDARY, BOUNDARY_UUID) + chunk(STREAM_HEADER, b"\1\0\0\0<?"))
    recording = XdfRecording.open(path)
    assert recording.streams[0].span.samples == 100
    assert "damaged and left out" in recording.warnings[0]


def test_stamps_and_offsets_that_are_no_numbers_are_left_out(write: Write) -> None:
    stamps = even(2)
    stamps[7] = np.nan
    recording = XdfRecording.open(write(eeg(stamps, offsets=[(0.0, 10.0), (1.0, np.inf)])))
    (source,) = recording.eeg_sources()
    block = played(source)
    assert len(block.times) == 199
    assert np.isfinite(block.times).all()
    assert "1 samples whose stamps are no finite numbers" in recording.warnings[0]


def test_values_that_are_no_numbers_are_delivered_as_they_are(write: Write) -> None:
    stream = eeg(even(1), format="double64", unit="V")
    stream.values[3] = [np.nan, np.inf, 1e300]
    samples = played(only_source(write(stream))).samples
    np.testing.assert_array_equal(samples[3], np.float32([np.nan, np.inf, np.inf]))


def test_zeros_at_the_end_do_no_harm(write: Write) -> None:
    path = write(eeg(even(2)))
    path.write_bytes(path.read_bytes() + bytes(4096))
    recording = XdfRecording.open(path)
    assert recording.streams[0].span.samples == 200
    assert recording.warnings


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(image([eeg(even(1), offsets=[(0.0, 1.0)])], per_chunk=10).data)
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.xdf"
    path.write_bytes(whole)
    with suppress(RecordingError, StreamError):
        for source in XdfRecording.open(path).eeg_sources(channels=LABELS, unit="uV"):
            source.advance(0.5)


def test_gzipped_files_are_read(tmp_path: Path) -> None:
    whole = gzip.compress(image([eeg(even(20))]).data)
    path = tmp_path / "session.xdfz"
    path.write_bytes(whole)
    assert XdfRecording.open(path).streams[0].span.samples == 2000
    path.write_bytes(whole[: len(whole) // 2])
    recording = XdfRecording.open(path)
    assert 0 < recording.streams[0].span.samples < 2000
    assert "compression does not end" in recording.warnings[0]
    path.write_bytes(whole[:12] + bytes(90))
    assert "damaged" in refused(lambda: XdfRecording.open(path))


# --- real recordings -------------------------------------------------------------------------------------------------


@pytest.fixture
def real() -> Callable[[str], XdfRecording]:
    folder = os.environ.get("RTAFFECT_RECORDINGS")
    if not folder:
        pytest.skip("RTAFFECT_RECORDINGS names no folder of recordings")
    return lambda name: XdfRecording.open(Path(folder) / name)


@pytest.mark.recordings
def test_four_headsets_share_one_clock(real: Callable[[str], XdfRecording]) -> None:
    recording = real("hybridharmony_4muse_anticipation.xdf")
    sources = recording.eeg_sources(channels=["TP9", "AF7", "AF8", "TP10"], unit="microvolts", seconds=60.0)
    assert len(sources) == 4
    assert recording.end - recording.start == pytest.approx(36.1, abs=0.1)
    for source in sources:
        assert source.first - recording.start < 0.1
        assert recording.end - source.last < 0.2
        block = played(source)
        assert block.breaks == ()
        assert np.diff(block.times).min() > 0
        # Bluetooth bursts shift the stamps by up to .28 s; times made from the past alone must lie near the line that
        # the whole recording shows.
        number = np.arange(len(block.times))
        off = block.times - np.polyval(np.polyfit(number, block.times, 1), number)
        assert off.std() < 0.015
        assert np.abs(off).max() < 0.05
        assert 700e-6 < np.median(block.samples) < 900e-6


@pytest.mark.recordings
def test_a_restarted_sender_goes_on_in_time(real: Callable[[str], XdfRecording]) -> None:
    recording = real("clock_resets.xdf")
    (source,) = recording.eeg_sources(channels=list("ABCDEFGH"), unit="microvolts", seconds=600.0)
    block = played(source)
    assert len(block.times) == 27815
    assert block.breaks == (12876,)
    assert np.diff(block.times).min() > 0
    assert block.times[12876] - block.times[12875] == pytest.approx(273.6, abs=0.2)
    assert "clock was reset before sample 12876" in recording.warnings[0]


@pytest.mark.recordings
def test_a_recording_without_eeg_says_what_it_holds(real: Callable[[str], XdfRecording]) -> None:
    recording = real("empty_streams.xdf")
    assert "no stream of type 'EEG'" in refused(recording.eeg_sources)
    assert "none has samples" in refused(
        lambda: recording.eeg_sources([Query.parse("Empty data stream: test stream 0 counter")])
    )


@pytest.mark.recordings
def test_a_minimal_recording_is_replayed(real: Callable[[str], XdfRecording]) -> None:
    recording = real("minimal.xdf")
    (source,) = recording.eeg_sources(channels=["A", "B", "C"], unit="microvolts")
    np.testing.assert_allclose(played(source).times, 5.0 + np.arange(9) / 10, atol=1e-9)


def test_several_threads_read_at_once(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """What pyxdf reads lengths into is one for all threads; here each gives way just then."""
    path = write(eeg(np.arange(20_000) / RATE), per_chunk=100)
    read = pyxdf.pyxdf._read_varlen_int

    def giving_way(file: BinaryIO) -> int:
        class Slow:
            def readinto(self, buffer: bytearray) -> int:
                count = file.readinto(buffer)  # type: ignore[attr-defined]
                time.sleep(0.0005)
                return count

            def __getattr__(self, name: str) -> object:
                return getattr(file, name)

        return read(Slow())

    monkeypatch.setattr(pyxdf.pyxdf, "_read_varlen_int", giving_way)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: read_xdf(path), range(8)))
    for streams, remarks in found:
        assert not remarks
        assert [len(stream.stamps) for stream in streams] == [20_000]
