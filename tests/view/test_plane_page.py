"""The plane of valence and arousal in the operator's window, and the participant's slider under keys and mouse."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rtaffect.present.participant_state import ParticipantPresenter
from rtaffect.present.slider_state import Slider
from rtaffect.sources.slider import SliderSource
from rtaffect.view import Presenter
from rtaffect.view.operator.session_window import MAP, PLANE
from rtaffect.view.participant.slider import KNOB
from rtaffect.view.participant.window import ParticipantWindow
from rtaffect.view.parts import theme
from tests.support.fake_rated import SCALE, fake_rated_session
from tests.support.view_windows import Make, check_nothing_left, windows


@pytest.fixture(autouse=True)
def nothing_left(qapp: QApplication) -> Iterator[None]:
    """Fail a test that leaves a window or a thread behind."""
    yield from check_nothing_left(qapp)


@pytest.fixture
def make(qtbot: QtBot) -> Iterator[Make]:
    """Build windows; see :func:`tests.support.view_windows.windows`."""
    yield from windows(qtbot)


def presenter_of(steps: int, **options: object) -> Presenter:
    presenter = Presenter()
    for feedback in fake_rated_session(steps, **options):  # type: ignore[arg-type]
        presenter.add(feedback)
    return presenter


def test_the_plane_is_there_for_ratings_and_the_head_is_not(make: Make) -> None:
    other = make(20)
    assert (other.tabs.isTabVisible(PLANE), other.tabs.isTabVisible(MAP)) == (False, True)
    window = make(0, presenter=presenter_of(60), now=lambda: 1060.4)
    assert (window.tabs.isTabVisible(PLANE), window.tabs.isTabVisible(MAP)) == (True, False)
    window._actions()["page-6"]()
    assert window.pages.currentIndex() == PLANE
    window._actions()["page-2"]()
    assert window.pages.currentIndex() == PLANE, "there is nothing to see"


@pytest.mark.parametrize("first", [True, False])
def test_the_plane_is_seen_first_where_there_is_nothing_else_until_another_page_is_chosen(
    make: Make, first: bool
) -> None:
    presenter, steps = Presenter(), fake_rated_session(60)
    window = make(0, presenter=presenter, now=lambda: 1060.4, plane_first=first)
    presenter.add(steps[0])
    window.tick()
    shown = PLANE if first else 0
    assert (window.pages.currentIndex(), window.tabs.currentIndex()) == (shown, shown)
    window.show_page(2)
    presenter.add(steps[1])
    window.tick()
    assert window.pages.currentIndex() == 2


def test_points_are_drawn_where_they_are_and_none_without_a_value(make: Make) -> None:
    window = make(0, presenter=presenter_of(110), now=lambda: 1110.4, page=PLANE)
    plane = window.plane.plane
    picture = plane.grab().toImage()
    assert plane.state is not None
    for point, name in zip(plane.state.points, (theme.PREDICTED, theme.OBSERVED), strict=True):
        at = plane.place(point.at.tolist())
        assert picture.pixelColor(at.toPoint()) == QColor(name), point.name
    area = plane.area
    assert area.width() == area.height()
    assert plane.place((1, 1)) == QPointF(area.right(), area.top())
    silent = make(0, presenter=presenter_of(60, silent=(0, 60)), now=lambda: 1060.4, page=PLANE)
    picture = silent.plane.plane.grab().toImage()
    colours = {
        picture.pixelColor(x, y).name() for x in range(0, picture.width(), 2) for y in range(0, picture.height(), 2)
    }
    assert theme.OBSERVED not in colours
    assert "the participant has not rated yet" in silent.plane.points.state.points[1].why


def test_words_say_what_is_seen(make: Make) -> None:
    window = make(0, presenter=presenter_of(60), now=lambda: 1060.4, page=PLANE)
    told = window.plane.plane.accessibleDescription()
    assert told.startswith("predicted from the sound: valence ")
    assert "the participant's own rating: valence " in told


def view_of(qtbot: QtBot, *names: str, alone: bool = True) -> tuple[ParticipantWindow, SliderSource]:
    source = SliderSource(names, SCALE)
    window = ParticipantWindow(ParticipantPresenter(slider=Slider(source, alone=alone)), preview=True)
    qtbot.addWidget(window)
    window.resize(800, 600)
    window.start()
    qtbot.waitExposed(window)
    return window, source


def test_keys_and_mouse_move_the_slider(qtbot: QtBot) -> None:
    window, source = view_of(qtbot, "arousal", "valence")
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    qtbot.keyClick(window, Qt.Key.Key_A)
    assert source.shares == (None, None)
    before = window.grab().toImage()
    qtbot.keyClick(window, Qt.Key.Key_Right)
    qtbot.keyClick(window, Qt.Key.Key_Up)
    assert source.shares == (0.05, 0.05)
    area = window._slider_area()
    qtbot.mouseClick(window, Qt.MouseButton.LeftButton, pos=area.bottomRight().toPoint() + QPoint(9, 9))
    assert source.shares == (-1.0, 1.0), "beyond the corner it stays there: calm, pleasant"
    qtbot.mouseClick(window, Qt.MouseButton.LeftButton, pos=area.center().toPoint())
    assert np.abs(source.shares).max() < 0.01
    picture = window.grab().toImage()
    assert picture.pixelColor(area.center().toPoint()) == QColor(KNOB)
    assert before.pixelColor(area.center().toPoint()) != QColor(KNOB), "none before it is touched"


def test_a_slider_beside_something_else_leaves_the_middle_alone(qtbot: QtBot) -> None:
    window, source = view_of(qtbot, "arousal", alone=False)
    area = window._slider_area()
    assert not area.contains(QPointF(400, 300))
    assert area.right() < 800
    qtbot.mouseClick(window, Qt.MouseButton.LeftButton, pos=area.center().toPoint())
    assert source.shares[0] == pytest.approx(0.0, abs=0.02)
