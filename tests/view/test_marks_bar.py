"""Pause, repeat, notes and the protocol's marks in the operator's window, by keys and buttons."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rtaffect.present.window_options import OperatorCalls
from tests.support.fake_feedback import fake_protocol_step
from tests.support.view_windows import Make, check_nothing_left, windows
from tests.view.test_protocol_strip import Operator


@pytest.fixture(autouse=True)
def nothing_left(qapp: QApplication) -> Iterator[None]:
    yield from check_nothing_left(qapp)


@pytest.fixture
def make(qtbot: QtBot) -> Iterator[Make]:
    yield from windows(qtbot)


def operated(make: Make, qtbot: QtBot, steps: int = 130) -> tuple[Operator, list[object]]:
    """Return an operator's window with all calls, and what was called."""
    found: list[object] = []
    calls = OperatorCalls(
        pause=lambda: found.append("pause"),
        repeat=lambda: found.append("repeat"),
        note=lambda text, at: found.append(("note", text, at)),
        mark=lambda name, at: found.append(("mark", name, at)),
        marks=(("F5", "participant moved"), ("F9", "coughed")),
    )
    operator = Operator(make, qtbot, steps, operator=calls)
    running = dataclasses.replace(fake_protocol_step(steps), can_pause=True, seconds=120.0)
    operator.presenter.add_protocol_step(running)
    operator.window.tick()
    return operator, found


def test_a_key_lets_the_block_stand_still_and_go_on(make: Make, qtbot: QtBot) -> None:
    operator, found = operated(make, qtbot)
    window = operator.window
    qtbot.keyClick(window, Qt.Key.Key_B)
    assert found == ["pause"]
    stands = dataclasses.replace(fake_protocol_step(130), phase="paused", seconds=120.0, for_operator="Press Space")
    operator.presenter.add_protocol_step(stands)
    operator.present += 30
    window.tick()
    assert "standing still: 2 of 5: Run 1 (feedback)" in operator.words
    assert "1:30 left" in operator.words, "its time stands still, too"
    assert window.protocol.pause_button.text() == "Resume  B"
    qtbot.keyClick(window, Qt.Key.Key_B)
    qtbot.keyClick(window, Qt.Key.Key_Space)
    assert found == ["pause", "pause"]
    assert operator.calls == ["go"]


def test_what_cannot_stand_still_is_not_paused(make: Make, qtbot: QtBot) -> None:
    operator, found = operated(make, qtbot)
    operator.presenter.add_protocol_step(fake_protocol_step(130))
    operator.window.tick()
    qtbot.keyClick(operator.window, Qt.Key.Key_B)
    assert found == []
    assert not operator.window.protocol.pause_button.isEnabled()


def test_a_block_is_begun_again_only_when_asked_twice(make: Make, qtbot: QtBot) -> None:
    operator, found = operated(make, qtbot)
    window, shift = operator.window, Qt.KeyboardModifier.ShiftModifier
    qtbot.keyClick(window, Qt.Key.Key_B, shift)
    window.tick()
    assert "Shift+B again" in window.protocol.instruction.text()
    assert found == []
    # Another question takes its place.
    qtbot.keyClick(window, Qt.Key.Key_N)
    qtbot.keyClick(window, Qt.Key.Key_B, shift)
    assert (found, operator.calls) == ([], [])
    qtbot.keyClick(window, Qt.Key.Key_B, shift)
    assert found == ["repeat"]
    qtbot.keyClick(window, Qt.Key.Key_B, shift)
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    qtbot.keyClick(window, Qt.Key.Key_B, shift)
    assert found == ["repeat"]


def test_a_note_has_the_time_of_its_key(make: Make, qtbot: QtBot) -> None:
    operator, found = operated(make, qtbot)
    window, pressed = operator.window, operator.present
    qtbot.keyClick(window, Qt.Key.Key_T)
    assert window.note.isVisible()
    operator.present += 6.0
    qtbot.keyClicks(window.note.text, "bnt coughed")
    qtbot.keyClick(window.note.text, Qt.Key.Key_Return)
    assert found == [("note", "bnt coughed", pressed)]
    assert not window.note.isVisible()
    marks = [(mark.time, mark.text) for mark in operator.presenter.state().marks if mark.kind == "marker"]
    assert marks == [(pytest.approx(130.4), "bnt coughed")]
    qtbot.keyClick(window, Qt.Key.Key_T)
    assert window.note.text.text() == ""
    qtbot.keyClick(window.note.text, Qt.Key.Key_Escape)
    assert not window.note.isVisible()
    assert len(found) == 1


def test_marks_are_set_by_their_keys_and_buttons(make: Make, qtbot: QtBot) -> None:
    operator, found = operated(make, qtbot)
    window = operator.window
    qtbot.keyClick(window, Qt.Key.Key_F5)
    qtbot.keyClick(window, Qt.Key.Key_F9)
    qtbot.mouseClick(window.marks.buttons[0], Qt.MouseButton.LeftButton)
    names = ["participant moved", "coughed", "participant moved"]
    assert found == [("mark", name, operator.present) for name in names]
    # F5 is no quick marker any more; F6 is.
    qtbot.keyClick(window, Qt.Key.Key_F6)
    assert operator.calls == ["F6"]
    assert ("F5", "mark: participant moved") in window.help.lines
    assert not any(keys == "F5 to F8" for keys, _ in window.help.lines)


def test_without_marks_there_is_no_bar(make: Make, qtbot: QtBot) -> None:
    operator = Operator(make, qtbot, 90)
    assert not operator.window.marks.isVisible()
    assert not operator.window.protocol.pause_button.isVisible()
    qtbot.keyClick(operator.window, Qt.Key.Key_F5)
    assert operator.calls == ["F5"]
