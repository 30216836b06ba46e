"""The window of the contact check, and the page in the operator's window: by keys, at all sizes."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from PySide6.QtCore import QRectF, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rtaffect.checks.contact_check import CheckState
from rtaffect.common.contact_settings import ContactSettings
from rtaffect.common.montage import STANDARD
from rtaffect.observed.contact import ElectrodeContact
from rtaffect.observed.contact_target import TargetState
from rtaffect.present.contact_state import HeadView
from rtaffect.view.operator.pages import CONTACT
from rtaffect.view.start.contact import ContactWindow, run_contact
from tests.support.view_windows import Make, activate, check_nothing_left, windows


@pytest.fixture(autouse=True)
def nothing_left(qapp: QApplication) -> Iterator[None]:
    yield from check_nothing_left(qapp)


@pytest.fixture
def make(qtbot: QtBot) -> Iterator[Make]:
    yield from windows(qtbot)


class Watch:
    """A check that is what a test says."""

    limits = ContactSettings()

    def __init__(self, *heads: HeadView, **state: str) -> None:
        self.state = CheckState(heads=heads, seconds=9, **state)
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.calls.append("stop")


def head(name: str = "A", channels: tuple[str, ...] = ("Fz", "Cz", "Pz", "Oz"), *, met: bool = False) -> HeadView:
    verdicts = ("good", "fair", "bad", "unknown")
    electrodes = tuple(
        ElectrodeContact(each, "good" if met else verdicts[i % 4], math.nan if not met and i % 4 == 3 else 0.6, "mains")
        for i, each in enumerate(channels)
    )
    return HeadView(name, electrodes, TargetState(len(channels) if met else 1, 4, 10 if met else 0, met), 10)


def shown(window: ContactWindow, qtbot: QtBot) -> None:
    qtbot.addWidget(window)
    window.show()
    activate(window, qtbot)


def test_the_session_starts_by_a_key_only_once_the_target_is_met(qtbot: QtBot) -> None:
    watch = Watch(head(), head("B", met=True))
    window = ContactWindow(watch, starts=True)
    shown(window, qtbot)
    for key in (Qt.Key.Key_S, Qt.Key.Key_Return, Qt.Key.Key_Space):
        qtbot.keyClick(window.focusWidget() or window, key)
    assert window.isVisible()
    assert not window.wanted
    assert "1 of 2 headsets" in window.words.text()
    watch.state = CheckState(heads=(head(met=True), head("B", met=True)), seconds=10)
    window.tick()
    assert window.start_button.isEnabled()
    assert not window.anyway_button.isEnabled()
    qtbot.keyClick(window, Qt.Key.Key_S)
    assert window.wanted
    assert not window.isVisible()


def test_it_starts_anyway_by_another_key_and_closes_by_escape(qtbot: QtBot) -> None:
    for key, modifier, wanted in (
        (Qt.Key.Key_S, Qt.KeyboardModifier.ShiftModifier, True),
        (Qt.Key.Key_Escape, Qt.KeyboardModifier.NoModifier, False),
    ):
        window = ContactWindow(Watch(head()), starts=True)
        shown(window, qtbot)
        qtbot.keyClick(window, key, modifier)
        assert (window.wanted, window.isVisible()) == (wanted, False)


def test_without_a_session_there_is_nothing_to_start(qtbot: QtBot) -> None:
    window = ContactWindow(Watch(head(met=True)))
    shown(window, qtbot)
    qtbot.keyClick(window, Qt.Key.Key_S)
    assert window.isVisible()
    assert window.start_button.isHidden()


def test_one_head_is_shown_alone_by_its_number(qtbot: QtBot) -> None:
    window = ContactWindow(Watch(*(head(f"Muse-{i}", ("TP9", "AF7", "AF8", "TP10")) for i in range(6))))
    shown(window, qtbot)
    assert window.heads.shown() == [0, 1, 2, 3]
    qtbot.keyClick(window, Qt.Key.Key_PageDown)
    assert window.heads.shown() == [4, 5]
    qtbot.keyClick(window, Qt.Key.Key_2)
    assert window.heads.shown() == [1]
    qtbot.keyClick(window, Qt.Key.Key_H)
    assert window.heads.shown() == [2]
    qtbot.keyClick(window, Qt.Key.Key_9)
    assert window.heads.alone is None


@pytest.mark.parametrize("size", [(900, 560), (1280, 720), (1920, 1080)])
@pytest.mark.parametrize(
    "channels", [("TP9", "AF7", "AF8", "TP10"), STANDARD["1010-64"], tuple(f"Ch{n}" for n in range(32))]
)
@pytest.mark.parametrize("people", [1, 4])
def test_every_electrode_has_a_disc_of_its_own_inside_its_head(qtbot: QtBot, size, channels, people) -> None:
    window = ContactWindow(Watch(*(head(f"P{i}", tuple(channels)) for i in range(people))))
    qtbot.addWidget(window)
    window.resize(*size)
    window.show()
    for number, cell in window.heads.cells().items():
        centres, radius = window.heads.discs(number)
        assert sorted(centres) == list(range(len(channels)))
        room = QRectF(cell).adjusted(-1, -1, 1, 1)
        assert all(
            room.contains(QRectF(c.x() - radius, c.y() - radius, 2 * radius, 2 * radius)) for c in centres.values()
        )
        points = list(centres.values())
        apart = [math.hypot((a - b).x(), (a - b).y()) for i, a in enumerate(points) for b in points[:i]]
        assert min(apart) >= 1.8 * radius
    window.grab()


def test_what_fails_is_said(qtbot: QtBot) -> None:
    window = ContactWindow(Watch(failed="no headset was found"))
    qtbot.addWidget(window)
    assert window.words.text() == "No headset was found"
    window.watch.state = CheckState(words="looking for headsets")
    window.tick()
    assert window.words.text().startswith("Looking for headsets")


def test_the_loop_starts_and_stops_the_check(qtbot: QtBot) -> None:
    watch = Watch(head(met=True))
    outcome = run_contact(watch, seconds=0.05)
    assert watch.calls == ["start", "stop"]
    assert not outcome.start
    assert outcome.state.met


def test_the_operators_window_has_a_page_of_it(make: Make, qtbot: QtBot) -> None:
    window = make(20, contact=lambda: [head("A"), head("B")])
    activate(window, qtbot)
    qtbot.keyClick(window, Qt.Key.Key_8)
    window.tick()
    assert window.pages.currentIndex() == CONTACT
    assert [each.name for each in window.contact.heads.heads] == ["A", "B"]
    qtbot.keyClick(window, Qt.Key.Key_H)
    assert window.contact.heads.alone == 0
    assert not make(20).tabs.isTabVisible(CONTACT)
