"""A film block of a session: its picture against its sound, what is kept of it, and who has to see it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rtaffect.common.errors import SettingsError
from rtaffect.outputs.film_projector import Projector
from rtaffect.outputs.film_reel import MOST_FRAMES
from rtaffect.outputs.programme_player import ProgrammePlayer
from rtaffect.plan.analysis_plan import ProtocolPlan
from rtaffect.plan.session_folder import FRAMES_FILE, open_session
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.protocol.arms import Real
from rtaffect.protocol.conductor import Conductor
from rtaffect.protocol.event import SessionEvent
from rtaffect.protocol.model import Protocol
from rtaffect.protocol.reading import read_protocol
from rtaffect.protocol.shown_frame import ShownFrame
from rtaffect.record.session_writer import SessionWriter
from rtaffect.record.table import FRAME_COLUMNS, frame_line
from rtaffect.run.film import projector_of, require_view
from rtaffect.run.programme import Programme
from rtaffect.run.stage import Stage
from tests.support.counted_films import make_film, number_in
from tests.support.fake_output import RATE, FakeOutput, counting
from tests.support.protocol_files import step_of, write_protocol

ORIGIN = 1000.0


@pytest.fixture
def protocol(tmp_path: Path) -> Protocol:
    make_film(tmp_path / "count.mkv", 5.0)
    block = {"kind": "listen", "name": "Film", "film": "count.mkv", "start": "auto", "duration_s": 5}
    return read_protocol(write_protocol(tmp_path / "p.toml", [block], rule=None))


class Cinema:
    """A session whose device, view and steps are moved by hand, and whose sound tells at each instant where it is."""

    def __init__(self, protocol: Protocol, fake: FakeOutput) -> None:
        self.fake, self.events = fake, list[SessionEvent]()
        programme = Programme(protocol)
        sounds = {path: replace(s, stereo=counting(5), rate=float(RATE)) for path, s in programme.sounds.items()}
        self.player = ProgrammePlayer(None, RATE)
        self.projector = Projector(lambda: fake.now)
        self.stage = Stage(
            Conductor(protocol, Real(), 10), ORIGIN, sounds=sounds, programme=programme.source, lock=programme.lock,
            player=self.player, on_protocol_step=[], on_event=[self.events.append], now=lambda: fake.now,
            stop=threading.Event(), projector=self.projector,
        )  # fmt: skip
        self.stage.begin()
        self.shown: list[ShownFrame] = []
        self.steps, self.numbers = 0, list[int]()

    def run(self, until: float, *, seen: bool = True) -> None:
        while self.fake.now < ORIGIN + until:
            self.fake.take(self.player, 0.01)
            if seen:
                self._look()
            if self.fake.now >= ORIGIN + self.steps + 1:
                self.steps += 1
                self.stage(step_of(self.steps, 0.1))
                self.shown += self.projector.take()

    def _look(self) -> None:
        deadline = time.monotonic() + 20
        for film in self.projector._films:
            while not film.reel.ended and len(film.reel._queue) < MOST_FRAMES and time.monotonic() < deadline:
                time.sleep(0.001)
        due = self.projector.due()
        if due is not None and due.frame is not None:
            self.projector.painted(due, self.fake.now)
            self.numbers.append(number_in(due.frame.picture))


@pytest.fixture
def cinema(monkeypatch: pytest.MonkeyPatch, protocol: Protocol) -> Iterator[Cinema]:
    made = Cinema(protocol, FakeOutput(monkeypatch, ppm=150.0))
    yield made
    made.projector.stop()


def test_picture_and_sound_are_at_the_same_place_on_the_lsl_clock(cinema: Cinema) -> None:
    """Also when the device drifts, and after it ran dry: the sound goes on where it should be, where the picture is."""
    cinema.run(5.0)
    cinema.fake.stand_still(0.3)
    cinema.run(9.0)
    onset = ORIGIN + 3.0
    times, late = cinema.fake.heard(onset)
    assert np.isfinite(late).any()
    compared = 0
    for frame in cinema.shown:
        seen = frame.painted + cinema.projector.lead_s
        late_s = late[int(np.argmin(np.abs(times - seen)))]
        if np.isnan(late_s) or abs(seen - onset - 2.0) < 0.7:
            # In the hole itself there is no sound to compare with.
            continue
        place = seen - onset - late_s
        assert -0.002 < place - frame.time < 1 / 25 + 0.012
        compared += 1
    assert compared > 80
    assert [f.frame for f in cinema.shown][:3] == [0, 1, 2]
    assert cinema.numbers[-1] == 124
    assert sum(f.dropped for f in cinema.shown) + len(cinema.shown) == 125


def test_a_film_that_was_paused_goes_on_where_its_sound_does(cinema: Cinema) -> None:
    conductor = cinema.stage.conductor
    cinema.run(4.5)
    conductor.pause()
    cinema.run(7.2)
    before = [f.frame for f in cinema.shown]
    assert before == list(range(before[-1] + 1))
    # Until the pause counts, at second 5 of the session, 2 s of the film are seen; what is on then is cut.
    assert 48 <= before[-1] <= 52
    conductor.go()
    cinema.run(15.0)
    stood = {e.type: e.onset for e in cinema.events if e.type in ("block-pause", "block-resume", "stimulus-resume")}
    assert stood == {"block-pause": 5.0, "block-resume": 11.0, "stimulus-resume": 11.0}
    after = cinema.shown[len(before) :]
    assert [f.frame for f in after] == list(range(50, 125))
    assert max(abs(f.error_s) for f in after) < 0.03
    # What is heard after the pause began 6 s later by then.
    times, late = cinema.fake.heard(ORIGIN + 3.0)
    for frame in after:
        late_s = late[int(np.argmin(np.abs(times - frame.painted)))]
        assert late_s == pytest.approx(6.0, abs=0.002)
        assert -0.002 < frame.painted - ORIGIN - 9.0 - frame.time < 1 / 25 + 0.012
    assert [e for e in cinema.events if e.type == "fault"] == []


def test_a_view_that_stops_is_an_event_and_the_counts_say_so(cinema: Cinema) -> None:
    cinema.run(4.0)
    cinema.run(6.0, seen=False)
    cinema.run(8.5)
    told = [(e.type, e.name) for e in cinema.events if "count.mkv" in e.name and e.type == "fault"]
    assert told[0] == ("fault", "the picture of count.mkv stands still: the view does not paint it")
    assert any(re.search(r"goes on: it stood still for 2\.\d s", name) for _, name in told)
    assert not [name for _, name in told if "within a second" in name], "the standstill says it"
    assert cinema.projector.counts["frozen"] == 1
    assert cinema.projector.counts["frozen_s"] == pytest.approx(2.05, abs=0.1)


def test_a_film_that_nobody_would_see_is_refused(protocol: Protocol) -> None:
    with pytest.raises(SettingsError, match=r"block 'Film' shows the film count.mkv.*--screen N or --preview"):
        projector_of(protocol, SessionPlan())
    seen = SessionPlan(protocol=ProtocolPlan(preview=True, photodiode="start", screen_delay_s=0.05))
    projector = projector_of(protocol, seen)
    assert projector is not None
    assert (projector.photodiode, projector.screen_delay_s) == ("start", 0.05)
    with pytest.raises(SettingsError, match="without a screen"):
        require_view(protocol, seen, headless=True)
    silent = Protocol.model_validate(
        {"format": 1, "name": "No film", "block": [{"kind": "rest", "name": "A", "duration_s": 5}]}
    )
    assert projector_of(silent, SessionPlan()) is None


def test_the_table_of_frames(tmp_path: Path) -> None:
    writer = SessionWriter(tmp_path / "out", SessionPlan(), {})
    writer.add_table(FRAMES_FILE, FRAME_COLUMNS)
    frames = [
        ShownFrame(2, "a\tb.mp4", 7, 0.28, 1000.285, 0.005, 3, True),
        ShownFrame(2, "c", 8, 0.32, 1.0, 0.0, 0, None),
    ]
    writer.lines(FRAMES_FILE, [frame_line(frame) for frame in frames])
    writer.close("completed")
    writer.seal()
    lines = open_session(tmp_path / "out").table(FRAMES_FILE)
    assert lines == [
        {
            "block": "2", "film": "a b.mp4", "frame": "7", "time": "0.280000", "lsl_time": "1000.285000",
            "error_s": "0.005000", "dropped": "3", "square": "white",
        },
        {
            "block": "2", "film": "c", "frame": "8", "time": "0.320000", "lsl_time": "1.000000",
            "error_s": "0.000000", "dropped": "0", "square": "n/a",
        },
    ]  # fmt: skip
