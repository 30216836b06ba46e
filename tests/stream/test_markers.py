"""The onset by a marker: the one that is meant or a clear error, and real LSL markers from a child process."""

from __future__ import annotations

import logging
import math
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import pylsl
import pytest

from rtaffect.common.errors import StreamError
from rtaffect.sources.lsl_markers import LslMarkers
from rtaffect.sources.lsl_streams import find_stream
from rtaffect.sources.selection import Query
from rtaffect.stream.limits import KEPT_MARKERS, MOST_MARKERS, MOST_TEXT
from rtaffect.stream.markers import Marker, Wanted, flooded_at, onset_from, onset_so_far
from tests.support.recording_tap import RecordingTap
from tests.support.waiting import wait_for

CHILD = """
import sys, pylsl
name, form, channels = sys.argv[1], sys.argv[2], int(sys.argv[3])
info = pylsl.StreamInfo(name, "Markers", channels, 0.0, form, name)
outlet = pylsl.StreamOutlet(info)
print("ready", flush=True)
for line in sys.stdin:
    stamp = pylsl.local_clock()
    outlet.push_sample([line.rstrip("\\n")], stamp)
    print(repr(stamp), flush=True)
"""


class Stimulus:
    """A stimulus program in a process of its own, that sends what it is told."""

    def __init__(self, form: str = "string", channels: int = 1) -> None:
        self.name = f"Stimuli {uuid.uuid4().hex[:8]}"
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, self.name, form, str(channels)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout.readline() == "ready\n"

    def send(self, text: str) -> float:
        """Send a marker; return its stamp, s."""
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait(5)
        self.process.stdout.close()


@pytest.fixture
def stimulus() -> Iterator[Stimulus]:
    program = Stimulus()
    yield program
    program.end()


def test_the_marker_that_is_meant_is_found_among_others():
    markers = [Marker("fixation", 10.0), Marker(" film 1 \n", 12.5), Marker("film 10", 13.0), Marker("film", 14.0)]
    assert onset_from(markers, "film 1") == 12.5
    assert onset_so_far(markers, "film 10") == 13.0


def test_a_marker_that_has_not_come_is_waited_for():
    assert onset_so_far([], "film") is None
    assert onset_so_far([Marker("Film", 1.0)], "film") is None


def test_a_missing_marker_is_an_error_that_names_what_came():
    markers = [Marker("start", 1.0), Marker("beep", 2.0), Marker("beep", 3.0)]
    with pytest.raises(StreamError, match=r"no marker 'film' came; what came: 'beep' \(2 times\), 'start'\. Name one"):
        onset_from(markers, "film")
    with pytest.raises(StreamError, match=r"no marker 'film' came; none came at all"):
        onset_from([], "film")


def test_of_many_kinds_some_are_named():
    with pytest.raises(StreamError, match=r"'m0'.*'m7' and 92 more\."):
        onset_from([Marker(f"m{i}", float(i)) for i in range(100)], "film")


@pytest.mark.parametrize("find", [onset_from, onset_so_far])
def test_a_marker_that_came_twice_is_an_error(find):
    with pytest.raises(
        StreamError, match=r"'film' came 2 times, at 1\.500, 7\.250 s .*--onset-marker .film@1. .*one per session"
    ):
        find([Marker("film", 7.25), Marker("film", 1.5)], "film")


@pytest.mark.parametrize("name", ["", "  "])
def test_an_empty_name_is_an_error(name):
    with pytest.raises(StreamError, match="name is empty"):
        onset_from([Marker("", 1.0)], name)


def test_markers_come_over_lsl_with_their_times(stimulus):
    source = LslMarkers(find_stream(Query("name", stimulus.name), settle=0.2))
    source.start()
    source.start()
    try:
        sent = [stimulus.send("fixation"), stimulus.send("film ä")]
        wait_for(lambda: len(source.markers) == 2)
        assert onset_from(source.markers, "film ä") == pytest.approx(sent[1], abs=1e-3)
        assert [marker.text for marker in source.markers] == ["fixation", "film ä"]
        assert source.trouble == ""
    finally:
        source.stop()
        source.stop()


def test_a_program_that_ends_is_noticed_and_its_markers_stay():
    program = Stimulus()
    source = LslMarkers(find_stream(Query("name", program.name), settle=0.2))
    source.start()
    try:
        program.send("film")
        wait_for(lambda: source.markers)
        program.end()
        wait_for(lambda: source.trouble)
        assert "start a new session" in source.trouble
        assert len(source.markers) == 1
    finally:
        source.stop()


# --- several of a name, and which is meant ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("film", ("film", None)), ("film@first", ("film", 1)), (" film @2 ", ("film", 2)), ("film@last", ("film", -1)),
        ("film@10", ("film", 10)), ("film@0", ("film@0", None)), ("film@", ("film@", None)), ("a@b", ("a@b", None)),
        ("film@2@first", ("film@2", 1)), ("me@home@last", ("me@home", -1)), ("film@2nd", ("film@2nd", None)),
        ("two\nlines@2", ("two\nlines", 2)), ("film@9999999", ("film@9999999", None)),
    ],
)  # fmt: skip
def test_a_name_may_say_which_of_several(name, expected):
    assert Wanted.parse(name) == expected


@pytest.mark.parametrize("name", ["@first", " @2", "@last"])
def test_a_choice_alone_is_no_name(name):
    with pytest.raises(StreamError, match="name is empty"):
        onset_so_far([], name)


def test_of_several_the_chosen_one_is_taken_by_its_time():
    markers = [Marker("film", 7.25), Marker("film", 1.5), Marker("film", 9.0), Marker("fixation", 0.1)]
    assert [onset_so_far(markers, f"film@{which}") for which in ("first", 1, 2, "last", 4)] == [1.5, 1.5, 7.25, 9, None]
    assert onset_from(markers, "film@last") == 9.0
    with pytest.raises(StreamError, match=r"no marker 'film@4' came; what came: 'film' \(3 times\)"):
        onset_from(markers, "film@4")


def test_what_the_error_says_to_pass_is_what_works():
    markers = [Marker("a film", 7.25), Marker("a film", 1.5)]
    with pytest.raises(StreamError) as error:
        onset_so_far(markers, "a film")
    example = str(error.value).partition("--onset-marker ")[2].split('"')[1]
    assert onset_so_far(markers, example) == 1.5


@pytest.mark.parametrize(("apart", "same"), [(0.0, True), (0.0009, True), (0.0011, False)])
def test_a_marker_that_is_sent_again_with_its_stamp_is_one(apart, same):
    markers = [Marker("film", 5.0 + apart), Marker("film", 5.0)]
    if same:
        assert onset_so_far(markers, "film") == 5.0
    else:
        with pytest.raises(StreamError, match="came 2 times"):
            onset_so_far(markers, "film")


def test_a_long_row_of_copies_is_not_one():
    """Each is a copy of the one before it, but not of the first."""
    with pytest.raises(StreamError, match="came 2 times"):
        onset_so_far([Marker("film", 5.0 + 0.0008 * i) for i in range(3)], "film")


def test_of_very_many_some_times_are_named():
    with pytest.raises(StreamError) as error:
        onset_so_far([Marker("film", float(i)) for i in range(78_000)], "film")
    assert "came 78000 times" in str(error.value)
    assert len(str(error.value)) < 500


def test_a_flood_is_told_from_when_on():
    even = [i * 1.01 / MOST_MARKERS for i in range(5000)]
    assert flooded_at(even) == math.inf
    assert 3.0 < flooded_at([*even, *(3.0005 for _ in range(20))]) < 4.1
    burst = [*(float(i) for i in range(100)), *(50.5 for _ in range(MOST_MARKERS + 1))]
    assert flooded_at(burst) == 50.5
    markers = [Marker("film", 3.0), *(Marker("x", time) for time in burst)]
    with pytest.raises(StreamError, match=r"more than 1000 markers .* --onset-marker .film@1."):
        onset_from(markers, "film")
    assert onset_from(markers, "film@first") == 3.0


# --- what comes over LSL, whatever it is -----------------------------------------------------------------------------


@contextmanager
def sending(
    name: str | None = None,
    form: str = "string",
    channels: int = 1,
    foreign: Literal["arrival", "refuse"] = "arrival",
    **options: object,
) -> Iterator[tuple[pylsl.StreamOutlet, LslMarkers]]:
    """Give an outlet of markers and what listens to it."""
    called = f"Markers {uuid.uuid4().hex[:8]}"
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo(called, "Markers", channels, 0.0, form, called), **options)
    source = LslMarkers(find_stream(Query("name", called), settle=0.2), name, foreign)
    source.tap = RecordingTap()
    source.start()
    try:
        wait_for(outlet.have_consumers)
        yield outlet, source
    finally:
        source.stop()


def recorded(source: LslMarkers) -> list[str]:
    return [text for kind, content in source.tap.events if kind == "texts" for text in content[1]]


def test_a_marker_that_is_no_text_ends_nothing_and_is_told_once(caplog):
    with sending() as (outlet, source):
        for sent in (b"one", b"caf\xe9", b"\xff\xfe\x00x", b"", b"a\x00b", b"two"):
            outlet.push_sample([sent])
        wait_for(lambda: len(source.markers) == 6)
        texts = [marker.text for marker in source.markers]
        assert texts == ["one", "caf\ufffd", "\ufffd\ufffd\ufffdx", "", "a\ufffdb", "two"]
        assert recorded(source) == ["one", "caf\ufffd", "\ufffd\ufffd\x00x", "", "a\x00b", "two"]
        assert source.trouble == ""
    told = [record for record in caplog.records if "not UTF-8" in record.getMessage()]
    assert [record.levelno for record in told] == [logging.WARNING]


def test_a_marker_of_megabytes_is_cut_and_says_so(caplog):
    with sending() as (outlet, source):
        for _ in range(2):
            outlet.push_sample(["x" * 20_000_000])
        outlet.push_sample(["after"])
        wait_for(lambda: len(source.markers) == 3, 20.0)
        for text in recorded(source)[:2]:
            assert text == f"{'x' * MOST_TEXT} [cut: 20000000 letters came]"
        assert source.markers[2].text == "after"
    assert sum("longer than is taken" in record.getMessage() for record in caplog.records) == 1


def test_a_flood_is_recorded_bounded_told_and_leaves_nothing_sure(caplog):
    """78,000 at once, the marker among them once, near the end: nothing of what was sent is lost here."""
    with sending("film", max_buffered=1000) as (outlet, source):
        outlet.push_chunk([[f"garbage {i}"] if i != 77_000 else ["film"] for i in range(78_000)])
        # They are counted after they are recorded and kept.
        wait_for(lambda: source.excess == 78_000 - MOST_MARKERS, 60.0)
        assert len(recorded(source)) == 78_000
        assert "77000 markers came" in source.trouble
        assert [marker.text for marker in source.markers] == ["film"]
        assert source.flooded
        assert "77000 markers came beyond 1000 a second" in source.trouble
    assert sum("within a second" in record.getMessage() for record in caplog.records) == 1


def test_a_flood_of_stamps_is_one_however_slowly_it_comes():
    with sending("film") as (outlet, source):
        for start in range(0, MOST_MARKERS + 100, 100):
            outlet.push_chunk([["x"]] * 100, 100.0)
            wait_for(lambda: len(recorded(source)) == start + 100)  # noqa: B023 - is waited for at once
        wait_for(lambda: source.flooded)


def test_of_those_that_fit_the_first_ones_and_the_last_are_kept():
    with sending("film@last", max_buffered=1000) as (outlet, source):
        n = KEPT_MARKERS + 2000
        first = pylsl.local_clock() - 40.0
        outlet.push_chunk([["film"]] * n, [first + i * 2e-3 for i in range(n)])
        # What is recorded is looked at afterwards.
        wait_for(lambda: len(recorded(source)) == n and "2000 markers came beyond" in source.trouble, 60.0)
        assert len(source.markers) == KEPT_MARKERS
        assert source.markers[0].time == pytest.approx(first, abs=1e-3)
        assert onset_so_far(source.markers, "film@last") == pytest.approx(first + (n - 1) * 2e-3, abs=1e-3)
        assert "2000 markers came beyond the 10000 that are looked at" in source.trouble


def test_no_fault_of_one_marker_ends_all_others(caplog, monkeypatch):
    with sending() as (outlet, source):
        text = source._text

        def odd(sent: bytes) -> str:
            if sent == b"odd":
                raise ValueError("odd")
            return text(sent)

        monkeypatch.setattr(source, "_text", odd)
        outlet.push_sample(["odd"])
        wait_for(lambda: "ValueError: odd" in caplog.text)
        outlet.push_sample(["fine"])
        wait_for(lambda: source.markers)
        assert source.markers[0].text == "fine"


@pytest.mark.parametrize(
    ("form", "sent", "texts"),
    [
        ("int32", [[111], [-7]], ["111", "-7"]),
        ("float32", [[111.0, 0.5], [2.0, 3.0]], ["111", "0.5", "2", "3"]),
        ("double64", [[1.25]], ["1.25"]),
        ("string", [["film", ""], ["", "7"]], ["film", "7"]),
    ],
)
def test_markers_of_any_type_and_number_of_channels_are_texts(form, sent, texts):
    with sending(form=form, channels=len(sent[0])) as (outlet, source):
        for sample in sent:
            outlet.push_sample(sample)
        wait_for(lambda: len(source.markers) == len(texts))
        assert [marker.text for marker in source.markers] == recorded(source) == texts
        # As it is recorded, it is a stream of one text each.
        assert (source.header.format, source.header.channels, source.header.xml == "") == (
            "string",
            1,
            form != "string" or len(sent[0]) > 1,
        )


@pytest.mark.parametrize(("clock", "kind"), [
    (time.time, "Unix time in seconds"), (lambda: time.time() * 1e3, "Unix time in milliseconds"),
    (lambda: pylsl.local_clock() - 1e4, "clock"),
])  # fmt: skip
def test_a_marker_of_another_clock_is_placed_when_it_arrives(clock, kind):
    with sending("film") as (outlet, source):
        before = pylsl.local_clock()
        outlet.push_sample(["film"], clock())
        wait_for(lambda: source.markers)
        (marker,) = source.markers
        assert before - 0.001 <= marker.time <= pylsl.local_clock()
        assert kind in source.note
        ((stamps, _),) = [content for what, content in source.tap.events if what == "texts"]
        assert stamps[0] == pytest.approx(marker.time, abs=0.01), "recorded as it was placed"


def test_a_marker_of_another_clock_can_be_refused():
    with sending("film", foreign="refuse") as (outlet, source):
        outlet.push_sample(["film"], time.time())
        # What is wrong with it is known a moment before it is recorded.
        wait_for(lambda: recorded(source))
        assert recorded(source) == ["film"]
        assert "Unix time in seconds" in source.trouble
        assert source.markers == ()
