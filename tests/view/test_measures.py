"""The page of own measures and peripheral signals: there only where there are any, and what it shows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rtaffect.present.body_state import body_lanes
from rtaffect.present.measure_state import MeasureCourse, axis_limits, tick_spacing, value_text
from rtaffect.stream.body import Body, BodyChannel
from rtaffect.stream.buffer import SampleBuffer
from rtaffect.view import Presenter
from rtaffect.view.operator.session_window import MEASURES
from tests.support.fake_feedback import PEOPLE, fake_sources
from tests.support.view_windows import Make, check_nothing_left, windows


@pytest.fixture(autouse=True)
def nothing_left(qapp: QApplication) -> Iterator[None]:
    """Fail a test that leaves a window or a thread behind."""
    yield from check_nothing_left(qapp)


@pytest.fixture
def make(qtbot: QtBot) -> Iterator[Make]:
    """Build windows; see :func:`tests.support.view_windows.windows`."""
    yield from windows(qtbot)


def test_the_page_is_there_only_where_there_are_measures(make: Make, qtbot: QtBot) -> None:
    without = make(20)
    assert not without.tabs.isTabVisible(MEASURES)
    qtbot.keyClick(without, Qt.Key.Key_5)
    assert without.pages.currentIndex() == 0
    window = make(20, measured=True)
    assert window.tabs.isTabVisible(MEASURES)
    window._actions()["page-5"]()
    assert window.pages.currentIndex() == MEASURES


def test_it_shows_all_rows_and_the_course_of_the_chosen_one(make: Make) -> None:
    presenter = Presenter()
    window = make(60, presenter=presenter, measured=True, page=MEASURES)
    page, state = window.measures, presenter.state().measures
    assert state is not None
    texts = [page.list.item(i).text() for i in range(page.list.count())]
    assert texts[:2] == ["plv 8-12 Hz, mean over pairs", "mean"]
    assert texts[10:12] == ["ThetaAlpha (ratio), mean over people", "Fz"]
    assert page.trouble.text() == "Broken: it raised ValueError: x: switched off"
    page.list.setCurrentRow(texts.index("Pz"))
    state = presenter.state().measures
    assert page.plot is not None
    assert page.plot.heading.text() == state.course.title == "ThetaAlpha, Pz"
    np.testing.assert_array_equal(page.plot.mean.getData()[1], state.course.value)
    assert [curve.getData()[1].size for curve in page.plot.each[:5]] == [60, 60, 60, 60, 0]
    assert state.course.value[-1] == state.measures[1].value[1]


def test_measures_of_another_session_begin_a_new_history(make: Make) -> None:
    presenter = Presenter()
    make(20, presenter=presenter, measured=True)
    presenter.select_measure(9)
    make(5, presenter=presenter, measured=True, people=PEOPLE[:2])
    state = presenter.state().measures
    assert state is not None
    assert len(state.course.time) == 5
    with pytest.raises(ValueError, match="does not exist"):
        presenter.select_measure(99)


def test_axes_fit_what_there_is() -> None:
    def course(*values: float) -> MeasureCourse:
        found, nothing = np.array(values), np.full(len(values), np.nan)
        limits = (0.0, 100.0)
        return MeasureCourse("", "", limits, ("A",), found, found, nothing, nothing, found[:, None])

    assert axis_limits(course(np.nan)) == (0.0, 100.0)
    assert axis_limits(course(1.0, 2.0)) == (0.0, 20.0)
    low, high = axis_limits(course(-10.0, 120.0))
    assert low == -10.0
    assert high > 120.0
    assert [tick_spacing(span, 5) for span in (1.0, 0.3, 130.0)] == pytest.approx([0.2, 0.1, 50.0])
    assert [value_text(v) for v in (0.1234, -2.0, np.nan)] == ["0.123", "\N{MINUS SIGN}2", "n/a"]


def test_peripheral_signals_are_drawn_with_their_unit_and_holes_are_none(make: Make) -> None:
    until = 1060.4
    sources = fake_sources(PEOPLE[:2], until=until)
    body = Body((BodyChannel("EDA", "eda", "uS", 0),), SampleBuffer(16.0, 1))
    times = until - 40 + np.arange(640) / 16
    kept = (times < until - 20) | (times > until - 10)
    body.buffer.push(np.full((640, 1), 4.5)[kept], times[kept])
    sources[0].body = body  # type: ignore[attr-defined]
    (lane,) = body_lanes(sources, until)
    assert (lane.person, lane.name, lane.unit) == (PEOPLE[0], "EDA", "uS")
    assert np.isnan(lane.values).sum() == 1
    assert lane.age.max() < 30
    window = make(60, people=PEOPLE[:2], measured=True, page=MEASURES, sources=sources)
    assert not window.measures._card.isHidden()
    assert [each.name for each in window.measures.body.lanes] == ["EDA"]
    assert make(20, measured=True, page=MEASURES).measures._card.isHidden()
