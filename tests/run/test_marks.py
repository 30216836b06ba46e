"""Pauses, repeats, practice, marks and notes on the stage: what is heard, told and replayed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rtaffect.common.errors import RecordingError
from rtaffect.plan.session_folder import open_session
from rtaffect.protocol.donors import blocks_that_ran, keys_that_counted
from rtaffect.protocol.event import SessionEvent
from rtaffect.protocol.model import Protocol
from rtaffect.protocol.reading import read_protocol
from rtaffect.protocol.timeline import keys_that_gave
from rtaffect.record.table import EVENT_COLUMNS, event_line
from rtaffect.run.remote_view import SessionView
from rtaffect.run.told import Due, Told, marks_and_notes
from rtaffect.sources.sound_file import SoundFileSource
from rtaffect.timelock.stimulus import PlannedOnsets
from tests.run.test_stage import ORIGIN, PROTOCOL, Ran60, protocol  # noqa: F401 - a fixture


def kept(folder: Path, events: list[SessionEvent]) -> Path:
    """Write what a session's folder holds of its events."""
    folder.mkdir()
    (folder / "session.toml").write_text('format = 1\n[ran]\noutcome = "completed"\n', encoding="utf-8")
    lines = [EVENT_COLUMNS, *map(event_line, events)]
    (folder / "events.tsv").write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")
    return folder


def told(events: list[SessionEvent]) -> list[tuple[str, str, float]]:
    return [(e.type, e.name, e.onset) for e in events if e.type != "marker"]


def test_a_sound_stands_still_with_its_block_and_goes_on_there(protocol: Protocol, tmp_path: Path) -> None:  # noqa: F811
    live = Ran60(protocol, {4: "go", 12: "pause", 20: "go"})
    assert told(live.events)[2:8] == [
        ("block", "First", 7.0),
        ("stimulus", "a.wav", 7.0),
        ("key", "pause", 12.0),
        ("stimulus-end", "a.wav", 12.0),
        ("block-pause", "First", 12.0),
        ("key", "go", 20.0),
    ]
    # The device is made ready for 3 s.
    assert told(live.events)[8:12] == [
        ("block-resume", "First", 23.0),
        ("stimulus-resume", "a.wav", 23.0),
        ("stimulus-end", "a.wav", 32.0),
        ("block-end", "First", 32.0),
    ]
    markers = [e.marker for e in live.events if e.type == "marker"]
    assert "block/1/listen/pause" in markers
    assert "stimulus/a.wav/resume" in markers
    sound = SoundFileSource.open(protocol.located(Path("a.wav"))).sound
    assert sorted(n for n in live.heard if n < 33) == [*range(8, 13), *range(24, 33)]
    for second in range(24, 33):
        place = second - 24 + 5
        np.testing.assert_allclose(live.heard[second], sound[place * 16_000 : (place + 1) * 16_000], atol=1e-7)
    places = {f.step: f.alignment.offset_s for f in live.feedback if f.alignment and f.alignment.state == "locked"}
    assert {places[step] for step in range(8, 13)} == {7}
    assert {places[step] for step in range(24, 33)} == {18}
    session = open_session(kept(tmp_path / "s", live.events))
    keys = keys_that_counted(session)
    assert keys == {4: ("go",), 12: ("pause",), 20: ("go",)}
    again = Ran60(protocol, follow=keys_that_gave(protocol, blocks_that_ran(session), keys))
    assert repr(again.protocol_steps) == repr(live.protocol_steps)
    assert again.feedback == live.feedback
    assert told(again.events) == told(live.events)


def test_what_came_before_a_pause_lies_elsewhere_in_the_sound() -> None:
    lock = PlannedOnsets()
    lock.place("a", 2.0, 7.0)
    lock.place("a", 10.0, 20.0, spent=5.0)
    found = [lock.step(()) for _ in range(8)]
    assert [round(each.offset_s) for each in found[2:7]] == [2] * 5
    assert lock.since == -np.inf
    assert [lock.step(()) for _ in range(5)][-1].offset_s == 5.0
    # Only from there on is a window all in one place.
    assert lock.since == 10.0


def test_a_block_that_is_begun_again_plays_from_the_start(protocol: Protocol, tmp_path: Path) -> None:  # noqa: F811
    live = Ran60(protocol, {4: "go", 12: "repeat"})
    assert [each for each in told(live.events) if each[0] in ("block", "block-end")][:3] == [
        ("block", "First", 7.0),
        ("block-end", "First", 12.0),
        ("block", "First", 15.0),
    ]
    sound = SoundFileSource.open(protocol.located(Path("a.wav"))).sound
    np.testing.assert_allclose(live.heard[16], sound[:16_000], atol=1e-7)
    session = open_session(kept(tmp_path / "s", live.events))
    assert [one.block for one in blocks_that_ran(session)] == [1, 1, 2, 3]
    again = Ran60(protocol, follow=keys_that_gave(protocol, blocks_that_ran(session)))
    assert again.feedback == live.feedback
    assert told(again.events) == told(live.events)


def test_practice_is_told_as_such(protocol: Protocol, tmp_path: Path) -> None:  # noqa: F811
    text = PROTOCOL.replace('name = "First"', 'name = "First"\npractice = true')
    (tmp_path / "keys.toml").write_text(text + '[[mark]]\nkey = "F5"\nname = "moved"\n', encoding="utf-8")
    practised = read_protocol(tmp_path / "keys.toml")
    live = Ran60(practised, {4: "go"})
    assert ("practice", "First", 7.0) in told(live.events)
    assert ("practice-end", "First", 21.0) in told(live.events)
    assert [e.name for e in live.events if e.type == "block"] == ["Second", "Last"]
    assert "practice/1/listen/begin" in [e.marker for e in live.events]
    session = open_session(kept(tmp_path / "s", live.events))
    again = Ran60(practised, follow=keys_that_gave(practised, blocks_that_ran(session)))
    assert told(again.events) == told(live.events)


def test_marks_and_notes_are_told_and_replayed_in_their_order(protocol: Protocol, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "keys.toml").write_text(PROTOCOL + '[[mark]]\nkey = "F5"\nname = "moved"\n', encoding="utf-8")
    marked = read_protocol(tmp_path / "keys.toml")
    live = Ran60(marked, {4: "go"})
    at = next(i for i, event in enumerate(live.events) if event.type == "stimulus-end")
    after = next(i for i, event in enumerate(live.events) if event.onset > 21.0)
    found = list[SessionEvent]()
    live.stage._on_event = [found.append]
    live.stage.mark_as("moved", ORIGIN + 12.25)
    live.stage.remark("she coughed", ORIGIN + 9.5)
    assert [live.stage.note(text, ORIGIN + 13.0) for text in ("Moved", "f5", "door")] == [True, True, False]
    assert [(e.type, e.name, e.marker) for e in found] == [
        ("mark", "moved", "mark/moved"),
        ("note", "she coughed", "note/she coughed"),
        ("mark", "moved", "mark/moved"),
        ("mark", "moved", "mark/moved"),
        ("marker", "mark/door", "mark/door"),
    ]
    view = SessionView.__new__(SessionView)
    engine = SimpleNamespace(origin=ORIGIN)
    view._running = SimpleNamespace(stage=live.stage, run=SimpleNamespace(engine=engine))  # type: ignore[assignment]
    assert "note" not in view.mark("moved", ORIGIN + 14.0)
    assert view.mark("F12", ORIGIN + 14.0)["note"] == "a free marker: the marks of the protocol are moved (F5)"
    # The note was begun at 9.5 s and kept after what happened at 21 s.
    events = [*live.events[:at], found[0], *live.events[at:after], found[1], *live.events[after:]]
    session = open_session(kept(tmp_path / "s", events))
    again = Ran60(marked, follow=keys_that_gave(marked, blocks_that_ran(session)), told=marks_and_notes(session))
    assert list(map(event_line, again.events)) == list(map(event_line, events))


def test_what_was_told_later_than_its_time_is_told_later_again() -> None:
    one, other = (SessionEvent(onset, 0.0, "note", "x") for onset in (3.5, 2.0))
    waiting = Told([Due(3.5, one), Due(np.nextafter(7.0, 8.0), other)])
    assert waiting.until(3.0) == []
    assert waiting.until(4.0) == [one]
    assert waiting.until(7.0) == []
    assert waiting.until(8.0) == [other]


def test_a_damaged_table_is_one_line(tmp_path: Path) -> None:
    folder = kept(tmp_path / "s", [SessionEvent(1.0, 2.0, "note", "x")])
    text = (folder / "events.tsv").read_text(encoding="utf-8")
    (folder / "events.tsv").write_text(text.replace("2.000000", "late"), encoding="utf-8")
    with pytest.raises(RecordingError, match=r"events\.tsv is damaged"):
        marks_and_notes(open_session(folder))
