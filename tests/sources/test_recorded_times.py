"""Recordings by other programs: stamps astray, clocks of their own, holes, markers of any type."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rtaffect.common.errors import RecordingError, SettingsError
from rtaffect.sources.clock_offsets import Segment
from rtaffect.sources.recorded_times import by_number, measured_rate, on_one_course, unit_of
from rtaffect.sources.selection import Query
from rtaffect.sources.xdf import XdfRecording, XdfSource
from rtaffect.sources.xdf_file import read_xdf
from rtaffect.stream.markers import Marker
from tests.support.xdf_writer import FILE_HEADER, SAMPLES, STREAM_HEADER, FakeStream, chunk, image, stream_header

RATE = 64.0
#: When the good headset begins, s, and how long both record.
BEGAN, LASTS = 5000.0, 30.0
UNIX = 1_688_462_154.3
Stamps = NDArray[np.float64]
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_streams(*streams: FakeStream) -> Path:
        path = tmp_path / "other.xdf"
        path.write_bytes(image(streams).data)
        return path

    return write_streams


def even(start: float = BEGAN, seconds: float = LASTS) -> Stamps:
    return start + np.arange(round(seconds * RATE)) / RATE


def eeg(stamps: Stamps, name: str = "A", **changed: object) -> FakeStream:
    values = np.arange(2 * len(stamps)).reshape(-1, 2)
    given = {"rate": RATE, "labels": ("Fz", "Cz"), "offsets": [(stamps[0], 0.0)] if len(stamps) else (), **changed}
    return FakeStream(values, stamps, name, **given)  # type: ignore[arg-type]


def settled(path: Path, **how: object) -> tuple[XdfRecording, dict[str, XdfSource]]:
    recording = XdfRecording.open(path)
    recording.eeg_sources(unusable=bool(how.get("resync", False)))
    return recording, {source.info.name: source for source in recording.settle(**how)}  # type: ignore[arg-type]


def told(recording: XdfRecording, text: str) -> bool:
    return any(text in line for line in recording.warnings)


# --- stamps astray ---------------------------------------------------------------------------------------------------


def astray(where: slice, by: float | Stamps) -> Stamps:
    stamps = even()
    stamps[where] += by
    return stamps


@pytest.mark.parametrize(
    "stamps",
    [
        astray(slice(640, 641), 200_000.0),
        astray(slice(640, 641), -200_000.0),
        astray(slice(300, 1500), 1e9),
        astray(slice(100, 1800, 50), np.linspace(-9e5, 9e5, 34)),
        astray(slice(640, 700), -5000.0),
        astray(slice(1, None, 3), 1e9),
    ],
    ids=["one", "one back", "more than half", "many", "to zero", "every third"],
)
def test_what_lies_astray_is_placed_by_its_number(stamps: Stamps) -> None:
    course = on_one_course(stamps, RATE)
    assert course.used.all()
    assert course.placed >= np.count_nonzero(stamps[:-2] != even()[:-2])
    np.testing.assert_allclose(course.stamps, even(), atol=1e-9)


def test_what_has_no_room_is_left_out() -> None:
    """Stamps of a minute elsewhere, where before and after it nothing is missing."""
    stamps = np.concatenate([even(seconds=10), even(9e5, 5), even(BEGAN + 10, 20)])
    course = on_one_course(stamps, RATE)
    np.testing.assert_array_equal(course.stamps[course.used], even())
    assert course.placed == 0


def test_a_hole_and_jitter_stay_as_they_are() -> None:
    noise = np.random.default_rng(1).uniform(0, 0.2, len(even()))
    stamps = even() + noise + 40.0 * (np.arange(len(noise)) > 900)
    course = on_one_course(stamps, RATE)
    assert course.used.all()
    np.testing.assert_array_equal(course.stamps, stamps)


def test_in_bursts_one_stamp_astray_is_placed_too() -> None:
    bursts = np.repeat(even()[11::12], 12) + np.tile(np.arange(12) * 2e-4, len(even()) // 12)
    stamps = bursts.copy()
    stamps[501] += 7e4
    course = on_one_course(stamps, RATE)
    assert course.used.all()
    assert np.abs(course.stamps - bursts).max() < 0.2


@pytest.mark.parametrize("what", ["same", "descending", "shuffled", "noise"])
def test_stamps_that_tell_nothing_are_not_used(write: Write, what: str) -> None:
    draw = np.random.default_rng(3)
    stamps = {
        "same": np.full(len(even()), 7.0),
        "descending": even()[::-1].copy(),
        "shuffled": draw.permutation(even(seconds=120.0)),
        "noise": draw.uniform(0, 1e6, len(even())),
    }[what]
    path = write(eeg(stamps), eeg(even(), "B"))
    recording, people = settled(path)
    assert list(people) == ["B"]
    assert told(recording, "stream 'A': its stamps")
    with pytest.raises(RecordingError, match="--resync"):
        XdfRecording.open(path).eeg_sources([Query("name", "A")])
    if what != "shuffled":
        _, people = settled(path, resync=True)
        np.testing.assert_allclose(people["A"].stamps, even(), atol=0.02)


@pytest.mark.parametrize(("units", "name"), [(1e3, "milliseconds"), (1e6, "microseconds"), (1e9, "nanoseconds")])
def test_other_units_are_known_by_the_rate(write: Write, units: float, name: str) -> None:
    recording, people = settled(write(eeg(even() * units)))
    np.testing.assert_allclose(people["A"].stamps, even())
    assert told(recording, name)
    assert unit_of(even(), RATE) == unit_of(even(), 2 * RATE) == 1.0


def test_a_rate_that_is_not_declared_is_that_of_even_stamps(write: Write) -> None:
    recording, people = settled(write(eeg(even(), rate=0.0)))
    assert people["A"].info.rate == RATE
    assert told(recording, "by its stamps it is 64 Hz")
    assert np.isnan(measured_rate(np.sort(np.random.default_rng(1).uniform(0, 60, 4000))))


def test_times_by_number_close_what_jumps() -> None:
    stamps = np.concatenate([even(seconds=10), even(UNIX, 10), even(3.0, 10)])
    np.testing.assert_allclose(by_number(stamps, RATE), even(0.0), atol=1e-5)


# --- clocks of their own ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stamps", "said"),
    [(even(UNIX), "Unix time"), (even(UNIX) * 1e3, "Unix time"), (even(0.0), "counted from 0")],
    ids=["Unix", "Unix in ms", "zero"],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_clock_of_its_own_is_named_and_its_stream_placed_on_request(
    write: Write, stamps: Stamps, said: str, first: bool
) -> None:
    streams = [eeg(stamps, "Muse"), eeg(even(), "B")]
    path = write(*(streams if first else streams[::-1]))
    recording, people = settled(path)
    assert list(people) == ["B"]
    assert (recording.start, recording.end) == (BEGAN, even()[-1])
    assert told(recording, f"stream 'Muse': it has a clock of its own ({said})")
    recording, people = settled(path, resync=True)
    np.testing.assert_allclose(people["Muse"].stamps, even(), atol=1e-5)
    assert not people["Muse"].buffer.doubts.lasts("clock-unknown")


def test_stamps_far_from_their_clocks_measurements_are_named(write: Write) -> None:
    odd = eeg(even(90_000.0), "A", offsets=[(BEGAN + 1, 0.0), (BEGAN + 6, 0.0)])
    recording, people = settled(write(odd, eeg(even(), "B")))
    assert list(people) == ["B"]
    assert told(recording, "not that by which it was measured")


def test_two_on_one_foreign_clock_are_together(write: Write) -> None:
    recording, people = settled(write(eeg(even(UNIX)), eeg(even(UNIX + 3), "B")), resync=True)
    assert list(people) == ["A", "B"]
    assert people["B"].first - people["A"].first == pytest.approx(3.0)
    assert recording.warnings == []


def test_an_offset_of_a_foreign_clock_places_it(write: Write) -> None:
    _, people = settled(write(eeg(even(UNIX), offsets=[(UNIX + 1, BEGAN - UNIX)]), eeg(even(), "B")))
    np.testing.assert_allclose(people["A"].stamps, even(), atol=1e-5)


def test_what_is_not_placed_surely_is_in_doubt_and_what_cannot_be_is_refused(write: Write) -> None:
    _, people = settled(write(eeg(even(UNIX, 29.5)), eeg(even(), "B")), resync=True)
    assert people["A"].buffer.doubts.lasts("clock-unknown")
    path = write(eeg(even(UNIX, 20.0)), eeg(even(), "B"))
    with pytest.raises(RecordingError, match=r"it lasts 20\.0 s and the others 30\.0 s"):
        settled(path, resync=True)
    _, people = settled(write(eeg(np.full(200, 5.0))), resync=True)
    assert people["A"].buffer.doubts.lasts("clock-unknown")


def test_half_on_one_clock_and_half_on_another(write: Write) -> None:
    mixed = np.concatenate([even(seconds=15), even(UNIX, 15)])
    recording, people = settled(write(eeg(mixed), eeg(even(), "B")))
    assert (len(people["A"]), len(people["B"])) == (len(even()) // 2, len(even()))
    assert recording.end == even()[-1]
    assert told(recording, "holes of more than 60 s")
    _, people = settled(write(eeg(mixed), eeg(even(), "B")), resync=True)
    np.testing.assert_allclose(people["A"].stamps, even(), atol=1e-5)


# --- holes -----------------------------------------------------------------------------------------------------------


def with_hole(hole: float) -> Stamps:
    return np.concatenate([even(seconds=10), even(BEGAN + 10 + hole, 20)])


def test_a_long_hole_parts_a_recording(write: Write) -> None:
    path = write(eeg(with_hole(7200.0)), eeg(with_hole(7200.0), "B"))
    recording, people = settled(path)
    assert recording.end - recording.start == pytest.approx(20.0, abs=0.1)
    assert people["A"].status(recording.end + 1).state != "ended"
    people["A"].advance(recording.end)
    assert people["A"].buffer.received == 20 * RATE
    assert told(recording, "part 1 of 10.0 s, after 2 h 0 min part 2 of 20 s. Part 2 is replayed")
    recording, _ = settled(path, part=1)
    assert recording.end - recording.start == pytest.approx(10.0, abs=0.1)
    recording, _ = settled(path, holding=BEGAN + 3)
    assert recording.start == BEGAN
    recording, _ = settled(path, hole_s=8000.0)
    assert (recording.start, recording.warnings) == (BEGAN, [])
    with pytest.raises(SettingsError, match="has 2 parts"):
        settled(path, part=3)


def test_a_short_hole_and_one_that_another_fills_part_nothing(write: Write) -> None:
    for path in (write(eeg(with_hole(50.0))), write(eeg(with_hole(100.0)), eeg(even(seconds=130), "B"))):
        recording, _ = settled(path)
        assert (recording.start, recording.warnings) == (BEGAN, [])


def test_first_stamps_near_zero_do_not_begin_the_session(write: Write) -> None:
    stamps = even()
    stamps[:59] = np.arange(59) / RATE
    recording, people = settled(write(eeg(stamps), eeg(even(), "B")))
    assert recording.start == BEGAN
    assert len(people["A"]) == len(even()) - 59
    assert told(recording, "Part 2 is replayed")


def test_last_stamps_far_off_do_not_prolong_the_session(write: Write) -> None:
    for off in (1e9, -BEGAN):
        recording, people = settled(write(eeg(astray(slice(-59, None), off)), eeg(even(), "B")))
        assert recording.end == even()[-1]
        assert len(people["A"]) == len(even()) - 59
        assert recording.warnings


def test_a_sound_elsewhere_is_left_out(write: Write) -> None:
    sound = FakeStream(np.zeros((9000, 1)), 2e6 + np.arange(9000) / 8000, "Mic", "Audio", 8000.0)
    recording, _ = settled(write(eeg(even()), sound))
    assert recording.audio_source() is None
    assert told(recording, "stream 'Mic': it has no sound in the part that is replayed")
    assert recording.end == even()[-1]


def test_one_headset_on_a_foreign_clock_is_placed_by_the_sound(write: Write) -> None:
    sound = FakeStream(np.zeros((3000, 1)), BEGAN + np.arange(3000) / 100, "Mic", "Audio", 100.0)
    _, people = settled(write(eeg(even(UNIX)), sound))
    assert people["A"].first == pytest.approx(UNIX)
    _, people = settled(write(eeg(even(UNIX)), sound), resync=True)
    np.testing.assert_allclose(people["A"].stamps, even(), atol=1e-5)


def test_in_our_own_recording_nothing_waits_for_a_stamp_astray(write: Write) -> None:
    """What the live source made of the stamp is made again; those after it come when they came."""
    path = write(eeg(astray(slice(640, 641), 200_000.0)))
    ours = [replace(stream, segments=(Segment(0),)) for stream in read_xdf(path)[0]]
    recording = XdfRecording(path, ours)
    (source,) = recording.eeg_sources()
    assert recording.settle() == [source]
    source.advance(even()[-1])
    assert source.buffer.received == len(even())
    assert source.stamps[640] == even()[640] + 200_000.0


# --- which stream, and markers ---------------------------------------------------------------------------------------


def test_of_streams_of_one_device_the_eeg_is_meant(write: Write) -> None:
    def device(source_id: str) -> list[FakeStream]:
        moves = eeg(even(), "Muse", type="ACC", source_id=source_id, kinds=["accelerometer"] * 2)
        return [moves, eeg(even(), "Muse", source_id=source_id)]

    def chosen(text: str, *streams: FakeStream) -> list[str]:
        return [s.info.name for s in XdfRecording.open(write(*streams)).eeg_sources([Query.parse(text)])]

    assert chosen("Muse", *device("1")) == chosen("source_id=1", *device("1"), *device("2")) == ["Muse"]
    assert chosen("Muse", *device("1"), *device("2")) == ["Muse (1)", "Muse (2)"]
    assert len(chosen("Muse (2)", *device("1"), *device("2"))) == 1
    assert len(chosen("Muse #2", *device("1"), *device("1"))) == 1


def test_a_stream_of_text_does_not_cost_the_others(write: Write) -> None:
    texts = FakeStream(["x"], np.array([BEGAN]), "Log", format="string", rate=0.0)
    recording, people = settled(write(texts, eeg(even())))
    assert list(people) == ["A"]
    assert told(recording, "stream 'Log': it holds text")


def marks(values: Sequence[object], stamps: Sequence[float], kind: str, rate: float = 0.0) -> FakeStream:
    return FakeStream(np.asarray(values), np.array(stamps), "M", "Markers", rate, kind)


@pytest.mark.parametrize("kind", ["int8", "int16", "int32", "int64", "float32", "double64"])
def test_numbers_are_markers(write: Write, kind: str) -> None:
    silent = marks(np.empty((0, 1)), [], "int32")
    recording = XdfRecording.open(write(eeg(even()), silent, marks([[111], [2]], [1.0, 2.0], kind)))
    assert recording.markers() == (Marker("111", 1.0), Marker("2", 2.0))


def test_fractions_channels_and_changes_are_markers(write: Write) -> None:
    found = XdfRecording.open(write(marks([[1.5, np.nan], [-3, 7]], [1.0, 2.0], "float32"))).markers()
    assert found == (Marker("1.5", 1.0), Marker("-3", 2.0), Marker("7", 2.0))
    trigger = marks([[0], [0], [4], [4], [0]], [0.0, 0.1, 0.2, 0.3, 0.4], "int16", 10.0)
    assert XdfRecording.open(write(trigger)).markers() == (Marker("4", 0.2), Marker("0", 0.4))


def texts_chunk(*rows: Sequence[bytes]) -> bytes:
    cells = [
        b"\x08" + struct.pack("<d", 10.0 + n) + b"".join(bytes([1, len(c)]) + c for c in row)
        for n, row in enumerate(rows)
    ]
    return chunk(SAMPLES, b"\1\0\0\0" + bytes([1, len(rows)]) + b"".join(cells))


def test_texts_of_several_channels_and_of_old_programs_are_markers(tmp_path: Path) -> None:
    header = stream_header(marks(["x"], [0.0], "string")).replace("<channel_count>1<", "<channel_count>2<")
    data = b"XDF:" + chunk(STREAM_HEADER, b"\1\0\0\0" + header.encode())
    data += texts_chunk([b"begin", b""], ["für".encode("latin-1"), b"7"])
    (tmp_path / "m.xdf").write_bytes(data)
    recording = XdfRecording.open(tmp_path / "m.xdf")
    assert recording.markers() == (Marker("begin", 10.0), Marker("für", 11.0), Marker("7", 11.0))
    assert recording.warnings == []


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"<info><name>A</name>", b"<info><name>A</nam>", "its header is no XML"),
        (b"<channel_format>float32<", b"<channel_format>float23<", "format 'float23'"),
        (b"<nominal_srate>64.0<", b"<nominal_srate>fast<", "nor how fast"),
    ],
)
def test_one_header_that_cannot_be_read_costs_only_its_own_stream(
    tmp_path: Path, old: bytes, new: bytes, said: str
) -> None:
    data = image([eeg(even()), eeg(even(), "B")]).data
    begin = data.index(b"<?xml", 60)
    head = data[begin : data.index(b"</info>", begin)]
    broken = head.replace(old, new)
    broken += b" " * (len(head) - len(broken))
    (tmp_path / "h.xdf").write_bytes(data.replace(head, broken[: len(head)], 1))
    recording = XdfRecording.open(tmp_path / "h.xdf")
    assert [stream.header.name for stream in recording.streams] == ["B"]
    assert told(recording, "stream 1 is left out")
    assert told(recording, said)


def test_headers_of_other_programs_are_understood(tmp_path: Path) -> None:
    fake = eeg(even(), "Tom & Ann", unit="µV", rate=64)
    header = stream_header(fake).replace("&amp;", "&").replace("<nominal_srate>64<", "<nominal_srate>64,0<")
    data = image([fake], footer=False).data.replace(
        chunk(STREAM_HEADER, b"\1\0\0\0" + stream_header(fake).encode()),
        chunk(FILE_HEADER, b"<info") + chunk(STREAM_HEADER, b"\1\0\0\0" + header.encode("latin-1")),
    )
    (tmp_path / "h.xdf").write_bytes(data)
    recording, people = settled(tmp_path / "h.xdf")
    assert people["Tom & Ann"].info.rate == 64.0
    people["Tom & Ann"].advance(BEGAN + 1)
    assert people["Tom & Ann"].buffer.read(0, np.inf).samples[10, 1] == pytest.approx(21e-6)
    assert recording.warnings == []


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"PK\x03\x04....", "a zip archive"), (b"<?xml version='1.0'?>", "XML"), (b"", "empty"),
        (b"\0\0\0\x64\0\0\0\x1f", "a FIF file"), (b"onset\tduration\n", "no XDF file: it starts with b'onse'"),
    ],
)  # fmt: skip
def test_what_is_something_else_is_told_as_what_it_is(tmp_path: Path, data: bytes, what: str) -> None:
    (tmp_path / "x.xdf").write_bytes(data)
    with pytest.raises(RecordingError, match=what) as raised:
        XdfRecording.open(tmp_path / "x.xdf")
    assert "\n" not in str(raised.value)
