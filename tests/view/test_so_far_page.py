"""The page of synchrony so far, by its key."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rtaffect.view.operator.session_window import SO_FAR
from tests.support.view_windows import Make, activate, check_nothing_left, windows


@pytest.fixture(autouse=True)
def nothing_left(qapp: QApplication) -> Iterator[None]:
    yield from check_nothing_left(qapp)


@pytest.fixture
def make(qtbot: QtBot) -> Iterator[Make]:
    yield from windows(qtbot)


def test_it_answers_in_words_and_shows_the_whole_session(make: Make, qtbot: QtBot) -> None:
    window = make(420)
    activate(window, qtbot)
    qtbot.keyClick(window, Qt.Key.Key_7)
    window.tick()
    assert window.pages.currentIndex() == SO_FAR
    words = window.so_far.words.text()
    assert "so far" in words or words.startswith("Synchrony")
    time, mean = window.so_far.plot.mean.getData()
    assert time[-1] == 420
    assert np.isfinite(mean[-1])
    left, right = window.so_far.plot.plot.getViewBox().viewRange()[0]
    assert left == 0
    assert right >= 420


def test_before_there_is_enough_it_says_so(make: Make, qtbot: QtBot) -> None:
    window = make(15)
    activate(window, qtbot)
    qtbot.keyClick(window, Qt.Key.Key_7)
    window.tick()
    assert window.so_far.words.text().startswith("Too few values yet")
    assert window.so_far.plot.empty.isVisible()
