"""The window with real widgets, without a screen."""

from __future__ import annotations

import dataclasses
import itertools
import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QRect, Qt, QTimer
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from rtaffect.common.errors import RtaffectError, SettingsError
from rtaffect.engine.feedback import Feedback
from rtaffect.observed.operator import LEAST_SPECIFICITY
from rtaffect.present.participant_state import ParticipantPresenter
from rtaffect.present.sections import percent
from rtaffect.present.time_courses import compare
from rtaffect.stream.status import SourceStatus
from rtaffect.view import Presenter, run_window
from rtaffect.view import show as window_module
from rtaffect.view.operator import row_lines
from rtaffect.view.participant.window import ParticipantWindow
from rtaffect.view.parts.time_plot import band_path, time_range
from rtaffect.view.show import SessionWindow, grab
from tests.support.fake_feedback import (
    CHANNELS,
    PEOPLE,
    ZONES,
    FakeRows,
    channel_rows,
    component_rows,
    fake_session,
    fake_zones,
    region_rows,
)
from tests.support.view_windows import Make, activate, check_nothing_left, cut_off, windows


@pytest.fixture(autouse=True)
def nothing_left(qapp: QApplication) -> Iterator[None]:
    """Fail a test that leaves a window or a thread behind."""
    yield from check_nothing_left(qapp)


@pytest.fixture
def make(qtbot: QtBot) -> Iterator[Make]:
    """Build windows; see :func:`tests.support.view_windows.windows`."""
    yield from windows(qtbot)


def test_no_data(make: Make) -> None:
    window = make(0)
    assert window.windowTitle() == "rtaffect \N{EN DASH} a test"
    assert "waiting for data" in window.header.headline.text()
    assert window.curves.mean_plot.empty.isVisible()
    assert window.rows.list.count() == 0
    assert not window.banner.isVisible()
    assert window.curves.sources.none.isVisible()


def test_curves_hold_what_the_presenter_resolved(make: Make) -> None:
    presenter = Presenter()
    window = make(120, presenter=presenter)
    presenter.select(9)
    window.tick()
    state = presenter.state()
    for plot, course in ((window.curves.row_plot, state.row), (window.curves.mean_plot, state.mean)):
        for curve, values in ((plot.predicted, course.predicted), (plot.smoothed, course.smoothed)):
            x, y = curve.getData()
            np.testing.assert_array_equal(x, course.time)
            np.testing.assert_array_equal(y, values)
            assert curve.opts["connect"] == "finite"
        dots = np.concatenate([plot.inside.getData()[1], plot.outside.getData()[1]])
        assert sorted(dots) == sorted(course.observed[np.isfinite(course.observed)])
        assert not plot.empty.isVisible()
        assert course.agreement.text in plot.note.text()
    assert "running" in window.header.headline.text()
    assert window.curves.mean_plot.heading.text() == "Mean over 24 channels"
    assert window.curves.row_plot.heading.text() == f"Channel {CHANNELS[9]}"
    assert window.rows.list.currentRow() == 9


def test_bands_are_interrupted_where_values_are_missing() -> None:
    low = np.array([np.nan, 0.0, 0.0, np.nan, 0.0, 0.0])
    path = band_path(np.arange(6.0), low, low + 1)
    assert len(path.toSubpathPolygons()) == 2
    assert path.contains(QPoint(0, 0)) is False
    assert band_path(np.arange(6.0), low * np.nan, low).isEmpty()


def test_shown_time_follows_and_does_not_run_away() -> None:
    assert time_range(3.0, 3.4, 300) == (0.0, 60.0)
    assert time_range(400.0, 400.4, 300) == (100.0, 405.0)
    assert time_range(400.0, 9000.0, 300)[1] == 460.0


def test_words_of_a_fault(make: Make) -> None:
    window = make(60, lost=PEOPLE[1], banner="synthetic participants")
    assert window.banner.isVisible()
    assert window.banner.text() == "synthetic participants"
    assert "fault" in window.header.headline.text()
    assert window.header.detail.words == "Muse-27C0 lost"
    assert len(window.curves.sources.lines) == len(PEOPLE) + 1
    assert any("Muse-27C0" in line and "lost" in line and "14.6 s" in line for line in window.curves.sources.lines)
    assert "no samples for 14 s" in window.footer.notices.text()
    assert "step 60" in window.footer.step.text()
    assert "Muse-3B91: 5 poor (Fp2, F8" in window.curves.quality.words.words


def calls_of(monkeypatch: pytest.MonkeyPatch, window: SessionWindow, method: str) -> list[tuple]:
    """Return a list that every call of a method adds to."""
    calls: list[tuple] = []
    done = getattr(window, method)
    monkeypatch.setattr(window, method, lambda *given: calls.append(given) or done(*given))
    return calls


def test_ages_grow_and_a_stall_is_said(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    present = [1060.2]
    window = make(60, now=lambda: present[0])
    before = window.curves.sources.lines
    present[0] = 1062.0
    window.tick()
    assert window.curves.sources.lines != before
    assert "running" in window.header.headline.text()
    line = window.curves.mean_plot.now_line.value()
    updates = calls_of(monkeypatch, window, "_show_data")
    present[0] = 1064.0
    window.tick()
    assert "stalled" in window.header.headline.text()
    assert window.header.detail.words == "no step for 4 s"
    assert window.curves.mean_plot.now_line.value() == pytest.approx(line + 2.0)
    assert window.header.clock.text() == "1:04"
    assert not updates, "nothing but time has changed"


def test_rows_are_chosen_by_keyboard(make: Make, qtbot: QtBot) -> None:
    window = make(40)
    keys = (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Up)
    for key in keys:
        qtbot.keyClick(window.rows.list, key)
    assert window.rows.list.currentRow() == 2
    assert (window.curves.row_plot.heading.text(), window.curves.row_plot.remark.words) == (
        "Channel F7",
        "(not trusted now)",
    )
    qtbot.keyClick(window.rows.list, Qt.Key.Key_End)
    assert window.curves.row_plot.heading.text() == f"Channel {CHANNELS[-1]}"
    assert window.curves.row_plot.remark.words == ""


def test_choice_survives_new_steps(make: Make, qtbot: QtBot) -> None:
    presenter = Presenter()
    window = make(40, presenter=presenter)
    qtbot.keyClick(window.rows.list, Qt.Key.Key_Down)
    presenter.add(fake_session(41)[-1])
    window.tick()
    assert window.rows.list.currentRow() == 1
    assert window.curves.row_plot.heading.text() == f"Channel {CHANNELS[1]}"


@pytest.mark.parametrize(("close_by", "key"), [("method", None), ("key", Qt.Key.Key_W)])
def test_closing_tells_the_session_once(make: Make, qtbot: QtBot, close_by: str, key: Qt.Key | None) -> None:
    calls: list[int] = []
    window = make(30, on_close=lambda: calls.append(1))
    if key is None:
        window.close()
    else:
        with qtbot.waitActive(window):
            window.activateWindow()
        qtbot.keyClick(window, key, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: not window.isVisible())
    window.close()
    assert calls == [1], close_by
    assert not window.timer.isActive()


@pytest.mark.parametrize(("text", "headline"), [("the sound is over", "ended"), ("fault: the disk is full", "fault")])
def test_the_end_is_shown_and_the_window_stays(make: Make, text: str, headline: str) -> None:
    present, answer = [1030.5], [None]
    window = make(30, now=lambda: present[0], poll=lambda: answer[0])
    assert "running" in window.header.headline.text()
    answer[0] = text  # type: ignore[call-overload]
    window.tick()
    present[0] = 1090.0
    window.tick()
    assert headline in window.header.headline.text()
    assert window.header.detail.words == text.removeprefix("fault: ")
    assert window.header.age.text() == ""
    assert window.header.clock.text() == "0:30"
    assert window.isVisible()


def test_repaints_go_on_by_themselves(make: Make, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    window = make(300)
    frames, updates = (calls_of(monkeypatch, window, name) for name in ("_show_health", "_show_data"))
    assert window.timer.isActive()
    assert window.timer.interval() <= 100
    qtbot.waitUntil(lambda: len(frames) >= 10)
    assert not updates


@pytest.mark.parametrize("rows", [channel_rows(), region_rows()], ids=["24 rows", "86 rows"])
@pytest.mark.parametrize("size", [(1180, 660), (1280, 720), (1920, 1080)])
def test_nothing_is_cut_off(make: Make, qapp: QApplication, rows: FakeRows, size: tuple[int, int]) -> None:
    window = make(60, rows=rows, banner="synthetic", lost=PEOPLE[0])
    window.resize(*size)
    qapp.processEvents()
    window.tick()
    qapp.processEvents()
    assert (window.width(), window.height()) == size
    assert cut_off(window) == []
    parts: list[QWidget] = [
        window.header,
        window.rows,
        window.curves.mean_plot,
        window.curves.row_plot,
        window.curves.quality,
    ]
    places = [QRect(p.mapTo(window, QPoint(0, 0)), p.size()) for p in (*parts, window.curves.sources, window.footer)]
    assert not any(a.intersects(b) for i, a in enumerate(places) for b in places[:i])


@pytest.mark.parametrize("rows", [channel_rows(), region_rows()], ids=["24 rows", "86 rows"])
@pytest.mark.parametrize("size", [(1180, 660), (1280, 720), (1920, 1080)])
def test_nothing_is_cut_off_on_the_other_pages(
    make: Make, qapp: QApplication, rows: FakeRows, size: tuple[int, int]
) -> None:
    window = make(60, rows=rows, protocol=True, on_go=print, on_skip=print, blinded=True, zones=fake_zones())
    window.resize(*size)
    for page in (1, 2, 3):
        window.show_page(page)
        for _ in range(2):
            qapp.processEvents()
            window.tick()
        assert (window.width(), window.height()) == size
        assert cut_off(window) == []
        parts: list[QWidget] = [window.header, window.protocol, window.rows, window.tabs, window.pages, window.footer]
        places = [QRect(p.mapTo(window, QPoint(0, 0)), p.size()) for p in parts]
        assert all(window.rect().contains(place) for place in places)
        assert not any(a.intersects(b) for i, a in enumerate(places) for b in places[:i])


@pytest.mark.parametrize("size", [(1180, 660), (1280, 720)])
def test_much_to_say_in_a_small_window(make: Make, qapp: QApplication, size: tuple[int, int]) -> None:
    presenter, people = Presenter(), tuple(f"Orange-Muse-22{i}2" for i in range(8))
    wrong = SourceStatus(people[3], "eeg", "wrong-rate", 0.1, 9, 12, 10, 0, -123.0, "declares 256 Hz; " * 12)
    for feedback in fake_session(40, rows=region_rows(), people=people, lost=people[2]):
        sources = (*feedback.sources[:4], wrong, *feedback.sources[5:])
        presenter.add(dataclasses.replace(feedback, sources=sources))
    window = make(0, presenter=presenter, now=lambda: 1040.4, banner="synthetic")
    window.resize(*size)
    for _ in range(4):
        window.tick()
        qapp.processEvents()
    parts = [
        window.header,
        window.banner,
        window.curves.key,
        window.curves.mean_plot,
        window.curves.row_plot,
        window.curves.lower_panels,
    ]
    places = [QRect(part.mapTo(window, QPoint(0, 0)), part.size()) for part in (*parts, window.footer)]
    assert all(above.bottom() < below.top() for above, below in itertools.pairwise(places))
    assert all(window.rect().contains(place) for place in places)
    area = window.curves.sources.area
    assert area.widget().width() <= area.viewport().width()


def test_more_people_and_other_rows(make: Make) -> None:
    presenter = Presenter()
    window = make(20, presenter=presenter)
    people = tuple(f"headset {i}" for i in range(9))
    for feedback in fake_session(30, rows=region_rows(), people=people):
        presenter.add(feedback)
    window.tick()
    assert window.rows.list.count() == 86 + 3
    assert len(window.curves.sources.lines) == 10
    for feedback in fake_session(12, people=people[:1]):
        presenter.add(feedback)
    window.tick()
    assert len(window.curves.sources.lines) == 2


def listed(window: SessionWindow) -> list[str]:
    """Return what the lines of the list say."""
    return [window.rows.list.item(line).text() for line in range(window.rows.list.count())]


def test_rows_of_one_kind_have_no_headings(make: Make) -> None:
    window = make(20)
    assert listed(window) == list(CHANNELS)
    assert not window.rows.key.unresolved
    assert window.rows.width() == 330
    components = make(20, rows=component_rows())
    assert listed(components) == ["component-1", "component-2", "component-3"]
    assert components.curves.row_plot.heading.text() == "Component 1"
    assert components.curves.quality.grid.marked is None


def test_sections_come_in_order_whatever_the_order_of_the_rows(make: Make) -> None:
    fake = region_rows()
    window = make(20, rows=fake)
    lines = listed(window)
    headings = {"Zones": 0, "Groups": 9, "Regions": 20}
    assert {lines.index(heading): heading for heading in headings} == {at: name for name, at in headings.items()}
    assert lines[1:9] == list(ZONES)
    assert lines[10:20] == list(fake.rows[-10:])
    assert lines[21:] == list(fake.rows[8:-10])
    assert window.curves.mean_plot.heading.text() == "Mean over 8 zones"
    assert window.curves.row_plot.heading.text() == "Zone frontal lh"


def test_headings_are_passed_over(make: Make, qtbot: QtBot) -> None:
    window = make(20, rows=region_rows())
    chosen: list[int] = []
    window.rows.chosen.connect(chosen.append)
    rows = window.rows.list
    assert rows.currentRow() == 1
    qtbot.keyClick(rows, Qt.Key.Key_Up)
    assert rows.currentRow() == 1
    for _ in range(8):
        qtbot.keyClick(rows, Qt.Key.Key_Down)
    assert rows.currentRow() == 10
    assert window.curves.row_plot.heading.text().startswith("Group prefrontal (")
    qtbot.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, pos=rows.visualItemRect(rows.item(9)).center())
    assert rows.currentRow() == 10
    qtbot.keyClick(rows, Qt.Key.Key_Up)
    assert rows.currentRow() == 8
    for key in (Qt.Key.Key_End, Qt.Key.Key_PageUp, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown, Qt.Key.Key_R):
        qtbot.keyClick(rows, key)
        assert not rows.item(rows.currentRow()).text().istitle()
    qtbot.keyClick(rows, Qt.Key.Key_Home)
    assert rows.currentRow() == 1
    assert rows.visualItemRect(rows.item(0)).top() >= 0, "the heading over the first row is scrolled into view"
    assert chosen[:8] == [1, 2, 3, 4, 5, 6, 7, 76]


def test_the_chosen_line_survives_other_rows(make: Make) -> None:
    presenter = Presenter()
    window = make(20, presenter=presenter, rows=region_rows(64))
    wide = region_rows(64)
    presenter.select(wide.rows.index("insula"))
    window.tick()
    assert listed(window)[window.rows.list.currentRow()] == "insula"
    turned = FakeRows(wide.rows[::-1], wide.kinds[::-1], wide.specificity[::-1], wide.channels, wide.mean_of)
    for feedback in fake_session(12, rows=turned):
        presenter.add(feedback)
    window.tick()
    assert window.curves.row_plot.heading.text() == "Group insula"
    assert listed(window)[window.rows.list.currentRow()] == "insula"
    assert listed(window)[0] == "Zones"


def test_quality_is_of_channels(make: Make) -> None:
    fake = region_rows(64)
    window = make(20, rows=fake, people=PEOPLE[:2])
    grid = window.curves.quality.grid
    assert grid.marked is None
    assert window.curves.quality.words.words == f"{PEOPLE[1]}: 3 poor ({', '.join(fake.channels[20:23])})"
    assert grid.cell(0, 63).right() == pytest.approx(grid.width())
    named = grid.labelled()
    assert 20 <= len(named) < 64
    assert min(np.diff(named)) * grid.cell(0, 0).width() >= 11
    presenter = Presenter()
    channels = make(20, presenter=presenter, rows=fake.channels)
    presenter.select(30)
    channels.tick()
    assert channels.curves.quality.grid.marked == 30
    assert 30 in channels.curves.quality.grid.labelled()


def test_rows_that_are_not_told_apart_are_marked_and_keyed(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    window = make(40, rows=region_rows())
    assert window.rows.key.unresolved
    assert [text for *_, text in window.rows.key.entries][-2:] == [
        *("grey: not trusted now", f"own share below {percent(LEAST_SPECIFICITY)}: not told apart")
    ]
    hatched: list[float] = []
    crossed: list[float] = []
    monkeypatch.setattr(row_lines, "paint_hatching", lambda painter, area: hatched.append(area.center().y()))
    monkeypatch.setattr(row_lines, "paint_cross", lambda painter, centre: crossed.append(centre.y()))
    rows = window.rows.list
    rows.viewport().grab()

    def names(heights: Sequence[float]) -> set[str]:
        return {rows.itemAt(20, int(y)).text() for y in heights}

    latest = fake_session(40, rows=region_rows())[-1]
    shown = names(list(range(rows.viewport().height())))
    low = {name for name, share in zip(latest.rows, latest.specificity, strict=True) if share < LEAST_SPECIFICITY}
    assert names(hatched) == low & shown
    assert 20 < len(shown) < 40
    assert {"prefrontal", "bankssts-lh"} <= names(hatched)
    assert names(crossed) == {ZONES[2]}


def test_the_marks_of_doubt_look_different(make: Make) -> None:
    window = make(40, rows=region_rows())
    rows, latest = window.rows.list, fake_session(40, rows=region_rows())[-1]
    trusted = latest.trusted.copy()
    trusted[1] = False
    specificity = np.where(np.arange(86) == 1, LEAST_SPECIFICITY - 0.01, latest.specificity)

    def track(feedback: Feedback) -> QImage:
        window.rows.delegate.show_step(feedback)
        line = rows.visualItemRect(rows.item(2))
        picture = rows.viewport().grab(line.adjusted(int(window.rows.scale.track(line.width())[0]), 0, 0, 0))
        return picture.toImage().convertToFormat(QImage.Format.Format_Grayscale8)

    looks = [
        track(latest),
        track(dataclasses.replace(latest, trusted=trusted)),
        track(dataclasses.replace(latest, trusted=trusted, specificity=specificity)),
    ]
    assert all(a != b for i, a in enumerate(looks) for b in looks[:i])


def test_a_row_says_what_it_is(make: Make) -> None:
    presenter = Presenter()
    window = make(40, presenter=presenter, rows=region_rows())
    presenter.select(region_rows().rows.index("insula-rh"))
    window.tick()
    share = percent(float(region_rows().specificity[region_rows().rows.index("insula-rh")]))
    assert window.curves.row_plot.heading.text() == f"Region insula-rh ({share} own)"
    assert window.curves.row_plot.remark.words == "(not told apart)"
    hint = window.rows.list.currentItem().toolTip()
    message = "of its estimated power is its own: not told apart from its neighbours by this montage"
    assert hint == f"Region insula-rh\n{share} {message}"
    assert window.curves.row_plot.heading.toolTip() == hint
    assert "average" in window.rows.list.item(9).toolTip()


def test_the_key_takes_as_many_lines_as_it_needs(make: Make) -> None:
    window = make(20, rows=region_rows())
    key = window.curves.key
    for width, lines in ((1280, 1), (1180, 2)):
        window.resize(width, 700)
        QApplication.processEvents()
        assert key.height() == 18 * lines
        assert all(key.rect().contains(place.toRect()) for place in key.places())


def test_pages_are_drawn_when_they_are_shown(make: Make, qtbot: QtBot) -> None:
    presenter = Presenter()
    window = activate(make(40, presenter=presenter), qtbot)
    for key, page in ((Qt.Key.Key_3, 2), (Qt.Key.Key_4, 3), (Qt.Key.Key_2, 1)):
        qtbot.keyClick(window, key)
        assert (window.pages.currentIndex(), window.tabs.currentIndex()) == (page, page)
    assert window.tabs.tabText(1) == "2  Scalp"
    assert "FC5" not in window.curves.row_plot.heading.text()
    presenter.select(7)
    window.tick()
    assert "FC5" in window.map.selection.words
    assert "FC5" not in window.curves.row_plot.heading.text(), "a page that is not seen is not drawn"
    window.tabs.setCurrentIndex(0)
    assert window.curves.row_plot.heading.text() == "Channel FC5"


def test_agreement_page_shows_what_was_resolved(make: Make) -> None:
    presenter = Presenter()
    window = make(200, presenter=presenter, page=3)
    state, page = presenter.state(), window.agreement
    for number, course in enumerate((state.mean, state.row)):
        found = compare(course, step_s=1.0, smooth_steps=5, window_s=10.0)
        running, difference = page.running[number], page.differences[number]
        np.testing.assert_array_equal(running.r.getData()[1], found.running.r)
        np.testing.assert_array_equal(difference.smoothed.getData()[1], found.smoothed)
        low, high = found.running.chance  # type: ignore[misc]
        area = running.chance.path().boundingRect()
        assert (area.top(), area.bottom()) == (pytest.approx(low), pytest.approx(high))
        assert running.note.text() == course.agreement.text
        assert difference.note.text() == course.agreement.distance_text
        assert running.empty.isHidden()
    early = make(60, page=3).agreement.running[0]
    assert early.empty.text() == "a running r needs 120 steps"
    assert not early.empty.isHidden()
    assert early.chance.path().isEmpty()


def test_events_stand_in_the_time_courses(make: Make) -> None:
    presenter = Presenter()
    window = make(130, presenter=presenter, protocol=True)
    presenter.mark(60.0, "a {brace}")
    window.tick()
    lines = {line.label.toPlainText(): line for line in window.curves.row_plot._mark_lines if line.isVisible()}
    assert {name: line.value() for name, line in lines.items()} == {"Baseline": 20.0, "a {brace}": 60.0, "Run 1": 100.0}
    for number in range(20):
        presenter.mark(60.0 + number, f"m{number}")
    window.tick()
    shown = [line for line in window.curves.row_plot._mark_lines if line.isVisible()]
    assert len(shown) == 12
    assert sum(line.label.isVisible() for line in shown) < 6, "names that would lie over each other are left out"


def test_grab_writes_a_picture(make: Make, tmp_path: Path) -> None:
    window = make(60)
    grab(window, tmp_path / "window.png")
    assert QImage(str(tmp_path / "window.png")).width() >= 1280
    with pytest.raises(RtaffectError, match="could not be written"):
        grab(window, tmp_path / "absent" / "window.png")


def test_run_window_beside_an_engine_that_ends(qapp: QApplication) -> None:
    presenter, stop, calls = Presenter(), threading.Event(), []
    done: list[str | None] = [None]

    def engine() -> None:
        for feedback in fake_session(25):
            presenter.add(feedback)
            if stop.wait(0.01):
                break
        done[0] = "all steps are done"

    thread = threading.Thread(target=engine)
    thread.start()
    run_window(
        presenter,
        title="a test",
        on_close=lambda: (calls.append(1), stop.set()),
        now=lambda: 1025.0,
        poll=lambda: done[0],
        seconds_after_end=0.1,
    )
    thread.join()
    assert calls == [1]
    assert presenter.state().ended == "all steps are done"


def test_the_participants_view_comes_and_goes_with_the_window(qapp: QApplication) -> None:
    shown: list[ParticipantWindow] = []
    has_keys: list[QWidget | None] = []

    def look() -> str | None:
        has_keys.append(qapp.activeWindow())
        shown.extend(w for w in qapp.topLevelWidgets() if isinstance(w, ParticipantWindow) and w.isVisible())
        return "seen" if shown and has_keys[-1] is not None else None

    participant = ParticipantPresenter("ring")
    run_window(
        Presenter(),
        title="a test",
        on_close=lambda: None,
        now=lambda: 0.0,
        poll=look,
        seconds_after_end=0.05,
        participant=participant,
    )
    assert shown
    assert isinstance(has_keys[-1], SessionWindow), "the operator's keys work from the start"
    with pytest.raises(SettingsError, match="screen 7"):
        run_window(Presenter(), title="", on_close=lambda: None, now=lambda: 0.0, participant=participant, screen=7)


def test_a_step_is_noted_once_when_it_is_painted(make: Make, qtbot: QtBot) -> None:
    painted: list[int] = []
    presenter = Presenter(on_painted=painted.append)
    window = make(40, presenter=presenter)
    qtbot.waitUntil(lambda: painted == [40])
    presenter.add(fake_session(41)[-1])
    qtbot.waitUntil(lambda: painted == [40, 41])
    window.repaint()
    window.tick()
    assert painted == [40, 41]


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot send signals to itself")
def test_the_end_of_the_terminal_closes_as_ctrl_c_does(qapp: QApplication) -> None:
    calls: list[int] = []
    for number in (signal.SIGTERM, signal.SIGHUP):
        QTimer.singleShot(100, lambda number=number: os.kill(os.getpid(), number))
        run_window(Presenter(), title="", on_close=lambda: calls.append(1), now=time.monotonic)
    assert calls == [1, 1]


def test_what_closes_the_window_before_it_has_its_loop_ends_it(
    qapp: QApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a signal does that comes while the window is made."""
    calls: list[int] = []
    show = SessionWindow.show

    def shown_and_closed(window: SessionWindow) -> None:
        show(window)
        window.close()

    monkeypatch.setattr(SessionWindow, "show", shown_and_closed)
    run_window(Presenter(), title="", on_close=lambda: calls.append(1), now=time.monotonic)
    assert calls == [1]


def test_trouble_elsewhere_is_told(make: Make) -> None:
    window = make(40)
    window.show_trouble("the participant's screen is gone")
    assert "the participant's screen is gone" in window.footer.notices.text()
    window.tick()
    assert "screen is gone" in window.footer.notices.text()
    window.show_trouble("")
    assert "screen is gone" not in window.footer.notices.text()


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot send SIGINT to itself")
def test_ctrl_c_closes(qapp: QApplication) -> None:
    calls: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    QTimer.singleShot(200, lambda: os.kill(os.getpid(), signal.SIGINT))
    began = time.monotonic()
    run_window(Presenter(), title="", on_close=lambda: calls.append(1), now=time.monotonic)
    assert calls == [1]
    assert time.monotonic() - began < 10
    assert signal.getsignal(signal.SIGINT) is before


def test_no_screen_is_said_and_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_module.QApplication, "instance", staticmethod(lambda: None))
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RtaffectError, match="no screen"):
        run_window(Presenter(), title="", on_close=lambda: None, now=lambda: 0.0)
