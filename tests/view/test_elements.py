"""Voice and background in the operator's window."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from rtaffect.sources.recorded import ArraySource
from rtaffect.stream.source import StreamInfo
from tests.support.fake_feedback import fake_session, fake_zones, region_rows
from tests.support.view_windows import Make, activate, cut_off, windows


@pytest.fixture
def window(qtbot: QtBot) -> Iterator[Make]:
    yield from windows(qtbot)


def sound() -> ArraySource:
    source = ArraySource(
        StreamInfo("film", "audio", 16000.0, ("mono",), "file", "x"), np.zeros((16000, 1), np.float32), 0
    )
    source.advance(1.0)
    return source


def test_curves_have_a_line_for_each_element_with_its_key(window: Make):
    shown = window(60, elements=True)
    words = [text for _, text in shown.curves.key.entries]
    assert "predicted by the voice" in words
    latest = fake_session(60, elements=True)[-1]
    for number, element in enumerate(("voice", "background")):
        _, drawn = shown.curves.row_plot.elements[element].getData()
        assert drawn[-1] == latest.elements[number].predicted[shown._state.selected]
    plain = window(60)
    assert not any("voice" in text for _, text in plain.curves.key.entries)
    assert np.size(plain.curves.row_plot.elements["voice"].getData()[0]) == 0


def test_the_brain_shows_which_element_predicts_each_region_where_there_are_both(window: Make, qtbot: QtBot):
    shown = activate(window(60, elements=True, rows=region_rows(), zones=fake_zones()), qtbot)
    qtbot.keyClick(shown, Qt.Key.Key_E)
    assert shown.pages.currentIndex() == 1
    assert shown.map.quantity == "elements"
    assert shown.map.buttons["elements"].isVisible()
    assert "by the voice" in shown.map.selection.words
    plain = activate(window(60), qtbot)
    qtbot.keyClick(plain, Qt.Key.Key_E)
    assert plain.map.quantity == "observed"
    assert not plain.map.buttons["elements"].isVisible()


def test_the_sound_shows_the_levels_of_voice_and_background(window: Make):
    shown = window(60, elements=True, page=2, sources=(sound(),))
    assert shown.signals.sound.elements.isVisible()
    assert "voice" in shown.signals.sound.elements.accessibleName()
    assert not window(60, page=2, sources=(sound(),)).signals.sound.elements.isVisible()


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)])
def test_nothing_is_cut_off(window: Make, qtbot: QtBot, size: tuple[int, int]):
    shown = window(83, elements=True, rows=region_rows(), zones=fake_zones(), sources=(sound(),))
    shown.resize(*size)
    for page in range(3):
        shown.show_page(page)
        shown.tick()
        qtbot.wait(1)
        assert cut_off(shown) == []
