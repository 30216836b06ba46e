"""Ratings that are sent when they change: each holds until the next, live over LSL and from recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pylsl
import pytest

from rtaffect.common.errors import StreamError
from rtaffect.record.recorder import Recorder
from rtaffect.record.xdf import WholeStream, write_xdf
from rtaffect.sources.held import RATE_HZ, Held
from rtaffect.sources.held_rating import WAY_S, HeldRating
from rtaffect.sources.lsl_streams import find_streams
from rtaffect.sources.selection import Query
from rtaffect.sources.xdf import XdfRecording
from rtaffect.stream.source import StreamHeader
from tests.support.irregular import Turned
from tests.support.waiting import wait_for


def test_a_value_holds_until_the_next_for_any_order_of_taking():
    rng = np.random.default_rng(3)
    times, values = np.sort(rng.uniform(1, 9, 30)), rng.uniform(-1, 1, (30, 2)).astype(np.float32)
    stamps = np.arange(0, 10, 0.05)
    expected = np.array([values[times <= at][-1] if (times <= at).any() else (np.nan, np.nan) for at in stamps])
    at_once = Held(2)
    shuffled = rng.permutation(30)
    at_once.take(times[shuffled], values[shuffled])
    np.testing.assert_array_equal(at_once.course(stamps), expected)
    by_and_by, found = Held(2), []
    for part in np.split(stamps, [7, 8, 60, 150]):
        came = (times <= part[-1] + 0.2) & (times > (found[-1][0] + 0.2 if found else -1))
        by_and_by.take(times[came], values[came])
        found.append((part[-1], by_and_by.course(part)))
    np.testing.assert_array_equal(np.concatenate([each for _, each in found]), expected)


def test_what_comes_late_counts_from_when_it_came_and_what_is_let_go_is_not_known():
    held = Held(1)
    held.take(np.array([1.0]), np.array([[5.0]], np.float32))
    assert held.course(np.array([0.9, 1.0, 2.0])).ravel().tolist()[1:] == [5.0, 5.0]
    held.take(np.array([1.5]), np.array([[7.0]], np.float32))
    assert held.course(np.array([2.1])).ravel().tolist() == [7.0]
    held.let_go()
    assert np.isnan(held.course(np.array([2.2]))).all()
    assert held.course(np.empty(0)).shape == (0, 1)


def recording(folder: Path, stamps: list[float], values: list[float], holes: bool = False) -> XdfRecording:
    """Return a recording of 20 s of EEG, with a hole where ``holes`` says so, and an irregular rating."""
    at = 100.0 + np.arange(20 * 100) / 100
    if holes:
        at = at[(at < 105) | (at > 112)]
    eeg = StreamHeader("Cap", "EEG", 100.0, "float32", ("Fz",), source_id="cap").uniform("microvolts")
    rated = StreamHeader("Mood", "Rating", 0.0, "float32", ("arousal",), source_id="mood")
    path = folder / "foreign.xdf"
    told = np.array(values, np.float32)[:, None]
    write_xdf(path, [WholeStream(eeg, np.ones((len(at), 1)), at), WholeStream(rated, told, np.array(stamps))])
    return XdfRecording.open(path)


def test_a_recording_of_another_program_has_its_course(tmp_path: Path):
    recorded = recording(tmp_path, [103.0, 108.02], [2.0, 8.0])
    recorded.eeg_sources()
    (source,) = recorded.beside("rating", [Query("name", "Mood")])
    source.advance(200.0)
    block = source.buffer.read(0, 200.0)
    assert source.info.rate == RATE_HZ
    assert block.times[0] == pytest.approx(100.0, abs=0.01)
    assert block.times[-1] == pytest.approx(119.99, abs=0.06)
    values = block.samples[:, 0]
    assert np.isnan(values[block.times < 102.99]).all()
    assert set(values[(block.times > 103.01) & (block.times < 108.01)]) == {2.0}
    assert set(values[block.times > 108.08]) == {8.0}


def test_in_a_pause_of_all_others_nothing_holds(tmp_path: Path):
    recorded = recording(tmp_path, [103.0], [2.0], holes=True)
    recorded.eeg_sources()
    (source,) = recorded.beside("rating", [Query("name", "Mood")])
    assert not ((source.stamps > 106.1) & (source.stamps < 110.9)).any()
    assert (source.stamps < 105).sum() == pytest.approx(100, abs=1)
    assert (source.stamps > 112).sum() >= 155


def test_text_is_no_rating(tmp_path: Path):
    path = tmp_path / "text.xdf"
    header = StreamHeader("Mood", "Rating", 0.0, "string", ("arousal",))
    write_xdf(path, [WholeStream(header, ["good"], [100.0])])
    with pytest.raises(StreamError, match="holds text; expected numbers"):
        XdfRecording.open(path).beside("rating", [Query("name", "Mood")])


def test_live_it_holds_is_recorded_and_replayed_alike(tmp_path: Path):
    """Over real LSL: what was used, what is in the file and what a replay delivers are the same, to the last digit."""
    with Turned() as knob:
        (stream,) = find_streams([Query("name", knob.name)], timeout=5.0)
        source = HeldRating(stream, name="mood")
        with Recorder(tmp_path / "recording.xdf") as recorder:
            for each in (source, source.as_sent):
                recorder.record(each)
            source.start()
            wait_for(lambda: source.buffer.received >= 5)
            first = knob.said(3.0, 7.0)
            wait_for(lambda: source.buffer.newest > first + 0.5)
            # On the way when the course had not yet come so far, and later than any way.
            second = knob.said(4.0, 6.0, at=pylsl.local_clock() - 0.5 * WAY_S)
            wait_for(lambda: source.buffer.newest > second + 0.5)
            knob.said(5.0, 5.0, at=pylsl.local_clock() - 3.0)
            came = pylsl.local_clock()
            wait_for(lambda: source.buffer.newest > came + 0.3)
            state = source.status(pylsl.local_clock())
            source.stop()
    assert (state.state, state.message) == ("ok", "")
    live = source.buffer.read(0, np.inf)
    values, times = live.samples, live.times
    assert np.diff(times) == pytest.approx(1 / RATE_HZ, abs=1e-6)
    assert np.isnan(values[times < first]).all()
    assert (values[(times >= first) & (times < second)] == (3.0, 7.0)).all()
    between = (times >= second) & (times < came - 0.3)
    assert between.any()
    assert (values[between] == (4.0, 6.0)).all()
    assert (values[times > came + 0.1] == (5.0, 5.0)).all()
    recorded = XdfRecording.open(tmp_path / "recording.xdf")
    (again,) = recorded.beside("rating", [Query("source_id", source.info.source_id)])
    assert again.info.name == knob.name
    again.advance(np.inf)
    replayed = again.buffer.read(0, np.inf)
    np.testing.assert_array_equal(replayed.times, times)
    np.testing.assert_array_equal(replayed.samples, values)
    (raw,) = recorded.beside("rating", [Query("name", f"{knob.name} (as sent)")])
    assert {float(v) for v in raw._values[:, 0] if np.isfinite(v)} <= {3.0, 4.0, 5.0}
    sent = next(s for s in recorded.streams if s.header.name.endswith("(as sent)"))
    assert (sent.header.rate, sent.span.samples) == (0.0, 3)


def test_after_a_loss_nothing_is_known_until_the_next_value():
    with Turned(source_id="lost-and-found") as knob:
        (stream,) = find_streams([Query("name", knob.name)], timeout=5.0)
        source = HeldRating(stream, name="mood")
        source.start()
        try:
            said = knob.said(3.0, 7.0)
            wait_for(lambda: source.buffer.newest > said + 0.3)
            knob.close()
            wait_for(lambda: source.status(pylsl.local_clock()).state == "lost")
            lost = source.buffer.newest
            with Turned(name=knob.name, source_id="lost-and-found") as back:
                wait_for(lambda: source.reconnections == 1, timeout=15.0)
                opened = pylsl.local_clock()
                wait_for(lambda: source.buffer.newest > opened + 0.3)
                said = back.said(6.0, 6.0)
                wait_for(lambda: source.buffer.newest > said + 0.3)
        finally:
            source.stop()
    block = source.buffer.read(0, np.inf)
    assert not ((block.times > lost + 0.06) & (block.times < opened - 0.2)).any()
    assert np.isnan(block.samples[(block.times > lost + 0.06) & (block.times < said)]).all()
    assert (block.samples[block.times >= said + 0.05] == 6.0).all()
