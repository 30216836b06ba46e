"""Network, previews and the presenter with real streams on the loopback; nothing is left running."""

from __future__ import annotations

import datetime as dt
import math
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pylsl
import pytest

from rtaffect.common.errors import StreamError
from rtaffect.sources.recorded import ArraySource
from rtaffect.start.background import FileWatch, NetworkWatch
from rtaffect.start.choices import Choices
from rtaffect.start.found import Ask, FolderFacts, SoundFacts, Trouble
from rtaffect.start.preview import Preview, signal_of, unit_warning
from rtaffect.start.showing import Previews
from rtaffect.start.start_presenter import StartPresenter, StartState
from rtaffect.start.table import StreamRow
from rtaffect.stream.buffer import SampleBuffer
from rtaffect.stream.source import StreamInfo
from tests.support.start_files import CHANNELS, bundle_in, headset, microphone, recording_in, story_in, wait_for
from tests.support.waiting import no_other_threads

MUSE = ("TP9", "AF7", "AF8", "TP10")


@pytest.fixture(scope="module")
def names() -> Iterator[dict[str, str]]:
    """Names of streams that are on the network: two headsets of one name, of which one says little, and a sound."""
    unique = uuid.uuid4().hex[:6]
    called = {"muse": f"Muse {unique}", "room": f"Room {unique}"}
    with ExitStack() as cleanup:
        for sender in (
            headset(called["muse"], MUSE, 256.0),
            headset(called["muse"], MUSE, 256.0, with_description=False),
            microphone(called["room"]),
        ):
            cleanup.enter_context(sender)
        yield called


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Fail a test that leaves any thread behind, daemon or not."""
    before = set(threading.enumerate())
    yield
    no_other_threads(before)


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., StartPresenter]]:
    monkeypatch.setenv("RTAFFECT_CONFIG", str(tmp_path / "config"))
    # Shorter than people need them.
    monkeypatch.setattr("rtaffect.sources.live.STALL_S", 0.5)
    monkeypatch.setattr("rtaffect.start.start_presenter.TYPED_S", 0.1)
    monkeypatch.setattr("rtaffect.start.background.AGAIN_S", 0.1)
    monkeypatch.setattr("rtaffect.start.background.FOLDER_AGAIN_S", 0.2)
    made: list[StartPresenter] = []

    def build(choices: Choices, **options: object) -> StartPresenter:
        presenter = StartPresenter(choices, today=lambda: dt.date(2025, 11, 21), **options)  # type: ignore[arg-type]
        made.append(presenter)
        return presenter

    yield build
    for presenter in made:
        presenter.close()


def until(presenter: StartPresenter, holds: Callable[[StartState], object]) -> StartState:
    """Return the first state for which ``holds`` holds."""
    state = presenter.tick()

    def ask() -> bool:
        nonlocal state
        state = presenter.tick()
        return bool(holds(state))

    wait_for(ask, said=lambda: [line.text for line in state.lines])
    return state


def test_streams_are_found_and_say_of_themselves_what_they_can(names):
    watch = NetworkWatch()
    try:
        wait_for(lambda: sum(s.described for s in watch.streams) == 3)
        by_name = sorted((s for s in watch.streams if s.header.name == names["muse"]), key=lambda s: s.header.labels)
        headers = [s.header for s in by_name]
        assert [h.labels for h in headers] == [("",) * 4, MUSE]
        assert [h.unit for h in headers] == ["", "microvolts"]
        assert {h.rate for h in headers} == {256.0}
        assert len({h.source_id for h in headers}) == 2
        assert all(watch.handle(s.header.uid) is not None for s in watch.streams)
    finally:
        watch.stop()


def test_a_file_that_fails_in_a_way_no_one_foresaw_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = FolderFacts(1, frozenset(), False)

    def look(ask: Ask) -> FolderFacts:
        if ask.path == "odd":
            raise RecursionError("too deep")
        return there

    monkeypatch.setattr("rtaffect.start.background.look_at", look)
    watch, odd, fine = FileWatch(), Ask("protocol", "odd"), Ask("out", str(tmp_path))
    try:
        watch.want([odd, fine])
        wait_for(lambda: watch.facts.get(fine) is there)
        assert watch.facts[odd] == Trouble("odd cannot be read (RecursionError: too deep); choose another")
    finally:
        watch.stop()


def test_a_stream_that_vanishes_is_told_and_comes_back(make, monkeypatch):
    monkeypatch.setattr("rtaffect.start.background.FORGET_S", 1.0)
    unique = uuid.uuid4().hex[:6]

    def outlet() -> pylsl.StreamOutlet:
        info = pylsl.StreamInfo(f"Cap {unique}", "EEG", 2, 100.0, "float32", f"cap-{unique}")
        channels = info.desc().append_child("channels")
        for name in ("Fz", "Cz"):
            channels.append_child("channel").append_child_value("label", name).append_child_value("unit", "microvolts")
        return pylsl.StreamOutlet(info)

    presenter, sender = make(Choices(streams=(f"name=Cap {unique}",), sound="none")), outlet()
    state = until(presenter, lambda s: s.people and presenter.previews.eeg.shown.source)
    assert state.people[0].channels == ("Fz", "Cz")
    key = state.row.key
    del sender
    state = until(presenter, lambda s: not s.people)
    assert state.row.key == ("absent", "name", f"Cap {unique}")
    assert any("does not answer now: switch its device on" in line.text for line in state.lines)
    wait_for(lambda: "is gone for" in presenter.signal()[1], said=presenter.signal)
    sender = outlet()
    state = until(presenter, lambda s: s.people)
    assert state.row.key == key
    wait_for(
        lambda: presenter.tick() and "is gone" not in presenter.signal()[1] and presenter.previews.eeg.shown.source
    )
    # Connected, but nothing is sent.
    wait_for(lambda: presenter.tick() and "has sent nothing for" in presenter.signal()[1], said=presenter.signal)
    assert "check that the device is on" in presenter.signal()[1]
    del sender


def test_the_signal_is_that_of_the_selected_stream_with_what_replaces_its_description(make, names):
    presenter = make(Choices(streams=(f"name={names['muse']}",), sound="none"))
    state = until(presenter, lambda s: sum(bool(row.stream and row.stream.described) for row in s.rows) == 2)
    (silent,) = [
        row
        for row in state.rows
        if row.stream and row.stream.header.name == names["muse"] and not row.stream.header.unit
    ]
    assert any(line.where == "channels" and "does not name its 4 channels" in line.text for line in state.lines)
    presenter.select(silent.key)
    until(presenter, lambda s: "does not name its 4 channels" in presenter.signal()[1])
    assert "under 'Channel names'" in presenter.signal()[1]
    presenter.choose(channels=", ".join(MUSE))
    until(presenter, lambda s: "does not say in which unit" in presenter.signal()[1])
    presenter.choose(unit="uV")
    until(
        presenter,
        lambda s: presenter.signal()[0] is not None and np.isfinite(presenter.signal()[0].traces.low).mean() > 0.2,
    )
    signal, trouble = presenter.signal()
    assert signal.names == MUSE
    assert trouble == ""
    assert 1 < np.nanmax(np.abs(signal.traces.high)) < 1000
    assert signal.traces.width_s * signal.traces.low.shape[1] == pytest.approx(4.0)
    assert len(presenter.tick().people) == 2


def test_ticking_takes_part_and_two_of_a_name_are_told_apart(make, names):
    presenter = make(Choices(streams=(), sound="none", channels="A,B,C,D", unit="uV"))
    state = until(presenter, lambda s: sum(row.stream is not None and row.stream.described for row in s.rows) >= 2)
    first, second = [row for row in state.rows if row.cells[0] == names["muse"]]
    presenter.toggle(first.key, True)
    state = until(presenter, lambda s: s.people)
    assert presenter.choices.streams == (f"source_id={first.cells[6]}",)
    presenter.toggle(second.key, True)
    state = until(presenter, lambda s: len(s.people) == 2)
    assert {person.name for person in state.people} == {f"{names['muse']} ({row.cells[6]})" for row in (first, second)}
    presenter.toggle(first.key, False)
    presenter.toggle(first.key, False)
    assert until(presenter, lambda s: len(s.people) == 1).people[0].name == names["muse"]


def test_a_stream_of_sound_has_a_level(make, names):
    presenter = make(Choices(sound="stream", sound_stream=f"name={names['room']}"))
    assert presenter.previews.loudness() == (None, "")
    loudness = presenter.previews.loudness
    until(presenter, lambda s: loudness()[0] is not None and not math.isnan(loudness()[0].rms_db))
    found, trouble = loudness()
    assert found.rms_db == pytest.approx(20 * math.log10(0.05 * math.sqrt(2)), abs=2)
    assert found.peak_db > found.rms_db
    assert (found.clipped, trouble) == (False, "")
    presenter.choose(sound="none")
    until(presenter, lambda s: presenter.previews.loudness() == (None, ""))


def test_a_recording_shows_some_seconds_of_its_signal(make, tmp_path):
    presenter = make(Choices(mode="replay", recording=str(recording_in(tmp_path, unit=""))))
    until(presenter, lambda s: s.rows)
    assert "does not say in which unit" in presenter.signal()[1]
    presenter.choose(unit="uV")
    signal, trouble = presenter.signal()
    assert (signal.names, trouble) == (CHANNELS, "")
    assert np.nanstd([signal.traces.low, signal.traces.high]) == pytest.approx(12, rel=0.5)
    assert presenter.previews.eeg.shown.source is None


def test_a_board_without_lsl_takes_part_once_it_answers(make):
    pytest.importorskip("brainflow")
    presenter = make(Choices(streams=(), sound="none", bundle=""))
    assert not presenter.add_board("synthetic")
    assert "does not begin with brainflow: or fieldtrip:" in presenter.said
    assert presenter.add_board(" brainflow:synthetic ")
    assert presenter.said == ""
    state = until(presenter, lambda s: s.people)
    assert state.people[0].rate == 250.0
    until(presenter, lambda s: presenter.signal()[0] is not None and presenter.signal()[0].traces.known)
    presenter.toggle(state.row.key, False)
    assert presenter.choices.boards == ()
    until(presenter, lambda s: presenter.previews.eeg.shown.source is None)
    assert presenter.add_board("fieldtrip:127.0.0.1:9")
    state = until(presenter, lambda s: any(line.where == "streams" and "127.0.0.1" in line.text for line in s.lines))
    assert not state.may_start


def test_a_folder_gets_a_name_of_its_own(make, tmp_path):
    presenter = make(Choices(mode="demo", folder=str(tmp_path)))
    assert until(presenter, lambda s: s.choices.name).choices.name == "session-2025-11-21"
    presenter.choose(participant="P07")
    assert until(presenter, lambda s: s.may_start).choices.name == "P07-2025-11-21"
    (tmp_path / "P07-2025-11-21").mkdir()
    until(presenter, lambda s: s.choices.name == "P07-2025-11-21-2")
    again = make(replace(presenter.choices, name="P07-2025-11-21"))
    assert until(again, lambda s: s.may_start).choices.name == "P07-2025-11-21-2"
    presenter.choose(name="mine")
    presenter.choose(participant="P08")
    assert presenter.tick().choices.name == "mine"
    presenter.choose(name="")
    assert presenter.tick().choices.name == "P08-2025-11-21"


def test_a_state_stays_the_same_while_nothing_changes(make, tmp_path):
    presenter = make(Choices(mode="demo", folder=str(tmp_path)))
    until(presenter, lambda s: s.may_start)
    wait_for(lambda: presenter.network.searched_s > 0.2)
    state = presenter.tick()
    assert presenter.tick() is state or presenter.tick() is presenter.tick()
    presenter.choose(participant="P09")
    assert presenter.tick() is not state


def test_files_are_looked_at_again_when_they_change(tmp_path, monkeypatch):
    monkeypatch.setattr("rtaffect.start.background.AGAIN_S", 0.1)
    path, sha256 = story_in(tmp_path)
    ask, watch = Ask("sound", str(path)), FileWatch()
    try:
        watch.want([ask])
        wait_for(lambda: ask in watch.facts)
        assert watch.facts[ask] == SoundFacts("story.wav", 6.0, sha256)
        path.write_bytes(b"no sound")
        wait_for(lambda: isinstance(watch.facts[ask], Trouble))
        watch.want([])
        assert watch.facts == {}
    finally:
        watch.stop()


class Watched(ArraySource):
    """A source that notes whether it was stopped."""

    stopped = False

    def stop(self) -> None:
        super().stop()
        self.stopped = True


class TestPreview:
    """What the thread keeps open."""

    def source(self) -> Watched:
        return Watched(StreamInfo("A", "eeg", 100.0, ("Fz",), "simulated"), np.zeros((10, 1)), 0.0)

    def test_one_source_at_a_time_and_each_is_stopped(self):
        preview, opened = Preview("test"), []

        def opener() -> Watched:
            opened.append(self.source())
            return opened[-1]

        try:
            for key in ("a", "b"):
                preview.show(key, opener)
                wait_for(lambda key=key: preview.shown.key == key and preview.shown.source is not None)
            assert [source.stopped for source in opened] == [True, False]
            preview.show("b", opener)
            assert len(opened) == 2
            preview.do(lambda: opened.append("alone" if preview.shown.source is None else "beside"))
            wait_for(lambda: len(opened) == 4)
            assert opened[2] == "alone"
        finally:
            preview.stop()
        assert [source.stopped for source in opened if source != "alone"] == [True] * 3

    def test_what_cannot_be_opened_is_told_and_tried_again(self, monkeypatch):
        monkeypatch.setattr("rtaffect.start.preview.AGAIN_S", 0.05)
        preview, tries = Preview("test"), []

        def opener() -> Watched:
            tries.append(preview.shown.trouble)
            if len(tries) < 3:
                raise StreamError(f"not yet {len(tries)}")
            return self.source()

        try:
            preview.show("a", opener)
            wait_for(lambda: preview.shown.source is not None)
            assert tries == ["", "not yet 1", "not yet 2"]
        finally:
            preview.stop()


class TestSignal:
    """What is drawn of a stream keeps what matters."""

    def test_extremes_survive_and_missing_values_stay_missing(self):
        time_s = np.arange(4000) / 1000
        values = 1e-5 * np.sin(2 * np.pi * 10 * time_s)[:, None] * [1.0, 2.0]
        values[2000, 0] = 9e-5
        values[1000:1400, 1] = np.nan
        found = signal_of(("Fz", "Cz"), values, 1000.0)
        assert found.traces.low.shape == (2, 400)
        assert np.nanmax(found.traces.high[0]) == pytest.approx(90, rel=0.02)
        assert 0.08 < np.isnan(found.traces.low[1]).mean() < 0.12
        assert found.lane in (50.0, 100.0)
        assert found.unit_warning == ""

    def test_offset_and_drift_are_not_taken_for_amplitude(self):
        time_s = np.arange(1000) / 250
        values = 0.2 + 5e-3 * time_s[:, None] + 1e-5 * np.sin(2 * np.pi * 7 * time_s)[:, None]
        assert signal_of(("Fz",), values, 250.0).unit_warning == ""
        assert "name the right one under Unit" in signal_of(("Fz",), values * 1e6, 250.0).unit_warning
        assert unit_warning(("Fz", "EOG"), np.column_stack([values[:, 0], values[:, 0] * 1e6])) == ""

    def test_a_slow_stream_has_no_empty_columns(self):
        values = 1e-5 * np.sin(np.arange(200))[:, None]
        assert np.isfinite(signal_of(("x",), values, 50.0).traces.low[0, :-1]).all()

    def test_nothing_is_nothing(self):
        assert not signal_of(("Fz",), np.empty((0, 1)), 250.0).traces.known


def test_a_preview_counts_no_overruns_whatever_the_buffer():
    network = NetworkWatch()
    previews = Previews(network)
    try:
        begun = pylsl.local_clock() - 8.0
        for kind, preview in (("eeg", previews.eeg), ("audio", previews.room.preview)):
            info = StreamInfo("short", kind, 1000.0, ("one",), "simulated")
            source = ArraySource(info, 1e-5 * np.random.default_rng(0).normal(size=(9000, 1)), begun)
            source.buffer = SampleBuffer(1000.0, 1, seconds=1.0)
            source.advance(begun + 8.0)
            preview.show(kind, lambda source=source: source)
            wait_for(lambda preview=preview: preview.shown.source is not None)
        for _ in range(3):
            signal, _ = previews.signal(StreamRow(("stream",), True, "good", ()))
            level, _ = previews.loudness()
        assert signal.traces.known
        assert level.known
        assert previews.eeg.shown.source.buffer.overruns == 0
        assert previews.room.preview.shown.source.buffer.overruns == 0
    finally:
        previews.stop()
        network.stop()


def test_closing_waits_for_nobody_for_long(make, tmp_path):
    presenter = make(Choices(bundle=str(bundle_in(tmp_path / "b")), folder=str(tmp_path)))
    begin = time.monotonic()
    presenter.tick()
    presenter.close()
    assert time.monotonic() - begin < 5
