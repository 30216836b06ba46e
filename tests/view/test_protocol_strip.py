"""The protocol in the operator's window: what is said, what keys do, and what is never told."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from rtaffect.present.keys import BINDINGS, shown_keys
from rtaffect.present.protocol_state import PlannedBlock, describe_protocol, for_operator
from rtaffect.present.window_options import OperatorCalls
from rtaffect.protocol.protocol_step import ProtocolStep, Shown
from rtaffect.view import Presenter
from rtaffect.view.operator.session_window import SessionWindow
from tests.support.fake_feedback import BLOCKS, fake_protocol_step, fake_session
from tests.support.view_windows import Make, activate, check_nothing_left, windows


@pytest.fixture(autouse=True)
def nothing_left(qapp: QApplication) -> Iterator[None]:
    """Fail a test that leaves a window or a thread behind."""
    yield from check_nothing_left(qapp)


@pytest.fixture
def make(qtbot: QtBot) -> Iterator[Make]:
    """Build windows; see :func:`tests.support.view_windows.windows`."""
    yield from windows(qtbot)


class Operator:
    """A window with a protocol, and what its keys have called."""

    def __init__(self, make: Make, qtbot: QtBot, steps: int, **options: object) -> None:
        self.calls: list[str] = []
        self.present = 1000.4 + steps
        self.presenter = Presenter()
        self.presenter.plan(BLOCKS)
        self.window: SessionWindow = make(
            steps,
            presenter=self.presenter,
            protocol=True,
            now=lambda: self.present,
            **{
                "on_go": lambda: self.calls.append("go"),
                "on_skip": lambda: self.calls.append("skip"),
                "on_marker": self.calls.append,
                "on_take": lambda: self.calls.append("take"),
                "on_next_offer": lambda: self.calls.append("next"),
                "operator": OperatorCalls(),
            }
            | options,
        )
        activate(self.window, qtbot)

    @property
    def words(self) -> list[str]:
        """All that the strip says."""
        return [label.text() for label in self.window.protocol.findChildren(QLabel) if label.isVisible()]


def test_the_protocol_in_words() -> None:
    waiting = describe_protocol(for_operator(fake_protocol_step(10)), 0.4)
    assert waiting.block == "waiting for 1 of 5: Baseline"
    assert (waiting.left, waiting.progress, waiting.waiting) == ("", 0.0, True)
    assert waiting.instruction == "Press Space to begin 'Baseline' when the participant is ready."
    running = describe_protocol(for_operator(fake_protocol_step(130)), 0.4)
    assert (running.block, running.left, running.next) == ("2 of 5: Run 1 (feedback)", "1:30", "Pause")
    assert running.progress == pytest.approx((30 + 0.4) / 120)
    assert running.rule == "0.13 (success from 0.18, scale 0.05 to 0.25)"
    assert describe_protocol(for_operator(fake_protocol_step(130)), 1.2).left == "1:29"
    assert describe_protocol(for_operator(fake_protocol_step(30)), 0.0).rule == "n/a (no feedback in this block)"
    done = describe_protocol(for_operator(fake_protocol_step(999)), 0.0)
    assert (done.block, done.progress, done.next) == ("all blocks are done", 1.0, "")
    endless = dataclasses.replace(fake_protocol_step(250), left_s=math.inf)
    assert describe_protocol(for_operator(endless), 0.0).left == "no end set"
    assert describe_protocol(for_operator(endless), 0.0).progress is None


def test_what_the_participant_is_shown_is_not_told(make: Make, qtbot: QtBot) -> None:
    fields = {field.name for field in dataclasses.fields(for_operator(fake_protocol_step(130)))}
    assert not {"shown", "own", "level"} & fields
    pictures = []
    for shown in (Shown(0.95, success=True), Shown(0.1), Shown(None, "feedback of another session")):
        presenter = Presenter()
        window = make(130, presenter=presenter, blinded=True, on_go=print, on_skip=print)
        presenter.add_protocol_step(dataclasses.replace(fake_protocol_step(130), shown=shown))
        window.tick()
        pictures.append(window.protocol.grab().toImage())
        assert window.protocol.sealed.text() == "arm sealed"
    assert pictures[0] == pictures[1] == pictures[2]


def test_time_goes_on_between_steps(make: Make, qtbot: QtBot) -> None:
    operator = Operator(make, qtbot, 130)
    assert "1:30 left" in operator.words
    operator.present += 2.0
    operator.window.tick()
    assert "1:28 left" in operator.words
    assert "next: Pause" in operator.words
    assert "2 of 5: Run 1 (feedback)" in operator.words
    assert not operator.window.protocol.sealed.isVisible()


def test_space_goes_on_where_a_block_waits(make: Make, qtbot: QtBot) -> None:
    operator = Operator(make, qtbot, 90)
    assert operator.window.protocol.go_button.isEnabled()
    qtbot.keyClick(operator.window, Qt.Key.Key_Space)
    assert operator.calls == ["go"]
    for step in range(91, 105):
        operator.presenter.add(fake_session(step)[-1])
        operator.presenter.add_protocol_step(fake_protocol_step(step))
    operator.window.tick()
    assert not operator.window.protocol.go_button.isEnabled()
    qtbot.keyClick(operator.window, Qt.Key.Key_Space)
    assert operator.calls == ["go"], "a block that runs is not disturbed"


def test_a_skip_is_asked_for_twice(make: Make, qtbot: QtBot) -> None:
    operator = Operator(make, qtbot, 130)
    window = operator.window
    qtbot.keyClick(window, Qt.Key.Key_N)
    window.tick()
    assert window.protocol.instruction.words == "press N again to skip 'Run 1', Esc to stay"
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    window.tick()
    assert window.protocol.instruction.words == ""
    qtbot.keyClick(window, Qt.Key.Key_N)
    operator.present += 5.0
    qtbot.keyClick(window, Qt.Key.Key_N)
    assert operator.calls == [], "the first was too long ago"
    qtbot.keyClick(window, Qt.Key.Key_N)
    assert operator.calls == ["skip"]


def test_markers_are_written_and_sent(make: Make, qtbot: QtBot) -> None:
    operator = Operator(make, qtbot, 90)
    window = operator.window
    qtbot.keyClick(window, Qt.Key.Key_M)
    assert window.marker.text.hasFocus()
    qtbot.keyClicks(window.marker.text, "he coughs 2 n")
    assert operator.calls == [], "letters, digits and blanks are text here, not keys"
    assert window.pages.currentIndex() == 0
    qtbot.keyClick(window.marker.text, Qt.Key.Key_Return)
    assert operator.calls == ["he coughs 2 n"]
    assert not window.marker.isVisible()
    assert window.rows.list.hasFocus()
    window.tick()
    assert [mark.text for mark in operator.presenter.state().marks] == ["Baseline", "he coughs 2 n"]
    qtbot.keyClick(window, Qt.Key.Key_M)
    qtbot.keyClick(window.marker.text, Qt.Key.Key_Escape)
    assert not window.marker.isVisible()
    qtbot.keyClick(window, Qt.Key.Key_F6)
    assert operator.calls == ["he coughs 2 n", "F6"]
    assert operator.presenter.state().marks[-1].time == pytest.approx(90.4)
    window.marker.text.clear()
    qtbot.keyClick(window, Qt.Key.Key_M)
    qtbot.keyClick(window.marker.text, Qt.Key.Key_Return)
    assert len(operator.calls) == 2, "a marker without a text is none"


def test_without_a_protocol_there_is_no_strip_and_no_key_for_it(make: Make, qtbot: QtBot) -> None:
    window = activate(make(40), qtbot)
    assert not window.protocol.isVisible()
    for key in (Qt.Key.Key_Space, Qt.Key.Key_N, Qt.Key.Key_M, Qt.Key.Key_F5):
        qtbot.keyClick(window, key)
    assert not window.marker.isVisible()
    assert "Space" not in [keys for keys, _ in window.help.lines]
    assert "M marker" not in window.footer.keys.text()


def test_a_headset_that_is_offered_is_said_at_the_foot_and_taken_by_a_key(make: Make, qtbot: QtBot) -> None:
    said = ["'cap' is perhaps back as 'cap': the key A takes it"]
    operator = Operator(make, qtbot, 40, notices=lambda: said)
    window = operator.window
    assert said[0] in window.footer.notices.text()
    said[0] = "another one"
    qtbot.keyClick(window, Qt.Key.Key_A, Qt.KeyboardModifier.ShiftModifier)
    assert "another one" in window.footer.notices.text(), "it is asked at once"
    said.clear()
    qtbot.keyClick(window, Qt.Key.Key_A)
    assert operator.calls == ["next", "take"]
    assert "another one" not in window.footer.notices.text()


def test_buttons_are_pressed_by_return_and_space_goes_on_all_the_same(make: Make, qtbot: QtBot) -> None:
    operator = Operator(make, qtbot, 90)
    skip = operator.window.protocol.skip_button
    skip.setFocus()
    qtbot.keyClick(skip, Qt.Key.Key_Space)
    assert operator.calls == ["go"]
    qtbot.keyClick(skip, Qt.Key.Key_Return)
    qtbot.keyClick(skip, Qt.Key.Key_Return)
    assert operator.calls == ["go", "skip"]
    qtbot.mouseClick(operator.window.protocol.go_button, Qt.MouseButton.LeftButton)
    assert operator.calls == ["go", "skip", "go"]


def test_the_list_of_keys(make: Make, qtbot: QtBot) -> None:
    operator = Operator(make, qtbot, 40, operator=OperatorCalls(print, print, print))
    window = operator.window
    qtbot.keyClick(window, Qt.Key.Key_F1)
    assert window.help.isVisible()
    assert window.rect().contains(window.help.geometry())
    every = [binding for bindings in BINDINGS.values() for binding in bindings]
    assert {(shown_keys(binding), binding.words) for binding in every} <= set(window.help.lines)
    assert set(window._actions()) == {binding.action for binding in every}
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert not window.help.isVisible()
    keys = [key for binding in every for key in binding.keys]
    assert len(keys) == len(set(keys))


def test_blocks_are_as_wide_as_they_are_long(make: Make, qtbot: QtBot) -> None:
    bar = Operator(make, qtbot, 130).window.protocol.bar
    widths = [cell.width() for cell in bar.cells()]
    assert widths[1] == pytest.approx(widths[3])
    assert widths[2] < widths[0] < widths[1]
    assert bar.cells()[-1].right() == pytest.approx(bar.width() - 1)
    bar.show_blocks(tuple(PlannedBlock(f"{n}", "rest") for n in range(4)), 2, 0.5)
    assert len({round(cell.width(), 6) for cell in bar.cells()}) == 1
    before = bar.grab().toImage()
    bar.show_blocks(tuple(PlannedBlock(f"{n}", "rest") for n in range(4)), 2, 0.6)
    assert bar.grab().toImage() != before


def test_a_session_that_is_over_stands_still(make: Make, qtbot: QtBot) -> None:
    operator = Operator(make, qtbot, 130)
    operator.presenter.end("stopped")
    operator.window.tick()
    operator.window.tick()
    operator.present += 30.0
    operator.window.tick()
    assert "1:30 left" in operator.words


def test_moments_before_the_first_step(make: Make, qtbot: QtBot) -> None:
    presenter = Presenter()
    window = make(0, presenter=presenter, on_go=print)
    presenter.add_protocol_step(ProtocolStep(0, 1, 2, "rest", "Rest", "waiting", math.nan, math.nan, "Run"))
    window.tick()
    assert window.protocol.isVisible()
    assert window.protocol.block.text() == "waiting for 1 of 2: Rest"
