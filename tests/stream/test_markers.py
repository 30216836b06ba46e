"""The onset by a marker: the one that is meant or a clear error, and real LSL markers from a child process."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest

from rtaffect.common.errors import StreamError
from rtaffect.sources.lsl_markers import LslMarkers
from rtaffect.sources.lsl_streams import find_stream
from rtaffect.sources.selection import Query
from rtaffect.stream.markers import Marker, onset_from, onset_so_far
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
    with pytest.raises(StreamError, match=r"'film' came 2 times, at 1\.500, 7\.250 s .*--onset-marker .film@1. .*one per session"):
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


@pytest.mark.parametrize(("form", "channels"), [("float32", 1), ("string", 2)])
def test_a_stream_that_does_not_carry_texts_is_refused(form, channels):
    program = Stimulus(form, channels)
    try:
        with pytest.raises(StreamError, match=rf"carries {channels} channels of {form}; markers are one"):
            LslMarkers(find_stream(Query("name", program.name), settle=0.2))
    finally:
        program.end()
