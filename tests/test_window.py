"""The window with real widgets, without a screen."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QRect, Qt, QTimer
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QLabel, QWidget
from pytestqt.qtbot import QtBot

from rtaffect.errors import RtaffectError
from rtaffect.view import Presenter, run_window
from rtaffect.view import window as window_module
from rtaffect.view.plots import band_path, time_range
from rtaffect.view.window import SessionWindow, grab
from tests.fake_feedback import CHANNELS, PEOPLE, REGIONS, fake_session

Make = Callable[..., SessionWindow]


@pytest.fixture(autouse=True)
def nothing_left(qapp: QApplication) -> Iterator[None]:
    """Fail a test that leaves a window or a thread behind."""
    widgets, threads = set(map(id, qapp.topLevelWidgets())), set(threading.enumerate())
    yield
    qapp.processEvents()
    qapp.sendPostedEvents(None, 52)  # QEvent.DeferredDelete
    assert [w for w in qapp.topLevelWidgets() if id(w) not in widgets] == []
    assert set(threading.enumerate()) <= threads


@pytest.fixture
def make(qtbot: QtBot) -> Iterator[Make]:
    """Build windows fed with ``steps`` fake steps, whose clock stands ``late_s`` after the newest."""
    made: list[SessionWindow] = []

    def build(
        steps: int, *, late_s: float = 0.4, presenter: Presenter | None = None, **options: object
    ) -> SessionWindow:
        fake = {key: options.pop(key) for key in ("rows", "people", "lost") if key in options}
        presenter = presenter or Presenter()
        for feedback in fake_session(steps, **fake):  # type: ignore[arg-type]
            presenter.add(feedback)
        defaults = {"title": "a test", "on_close": lambda: None, "now": lambda: 1000.0 + steps + late_s}
        window = SessionWindow(presenter, **(defaults | options))  # type: ignore[arg-type]
        made.append(window)
        window.show()
        qtbot.waitExposed(window)
        window.tick()
        return window

    yield build
    for window in made:
        window.close()
        window.deleteLater()


def test_no_data(make: Make) -> None:
    window = make(0)
    assert window.windowTitle() == "rtaffect \N{EN DASH} a test"
    assert "waiting for data" in window.header.headline.text()
    assert window.mean_plot.empty.isVisible()
    assert window.rows.list.count() == 0
    assert not window.banner.isVisible()
    assert window.sources.none.isVisible()


def test_curves_hold_what_the_presenter_resolved(make: Make) -> None:
    presenter = Presenter()
    window = make(120, presenter=presenter)
    presenter.select(9)
    window.tick()
    state = presenter.state()
    for plot, course in ((window.row_plot, state.row), (window.mean_plot, state.mean)):
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
    assert window.row_plot.heading.text().startswith(f"Row {CHANNELS[9]}")


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
    assert len(window.sources.lines) == len(PEOPLE) + 1
    assert any("Muse-27C0" in line and "lost" in line and "14.6 s" in line for line in window.sources.lines)
    assert "no samples for 14 s" in window.footer.notices.text()
    assert "step 60" in window.footer.step.text()
    assert "Muse-3B91: 5 poor (Fp2, F8" in window.quality.words.words


def test_ages_grow_and_a_stall_is_said(make: Make) -> None:
    present = [1060.2]
    window = make(60, now=lambda: present[0])
    before = window.sources.lines
    present[0] = 1062.0
    window.tick()
    assert window.sources.lines != before
    assert "running" in window.header.headline.text()
    line, updates = window.mean_plot.now_line.value(), window.data_updates
    present[0] = 1064.0
    window.tick()
    assert "stalled" in window.header.headline.text()
    assert window.header.detail.words == "no step for 4 s"
    assert window.mean_plot.now_line.value() == pytest.approx(line + 2.0)
    assert window.header.clock.text() == "1:04"
    assert window.data_updates == updates


def test_rows_are_chosen_by_keyboard(make: Make, qtbot: QtBot) -> None:
    window = make(40)
    keys = (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Up)
    for key in keys:
        qtbot.keyClick(window.rows.list, key)
    assert window.rows.list.currentRow() == 2
    assert window.row_plot.heading.text() == "Row F7   (not trusted now)"
    qtbot.keyClick(window.rows.list, Qt.Key.Key_End)
    assert window.row_plot.heading.text() == f"Row {CHANNELS[-1]}"


def test_choice_survives_new_steps(make: Make, qtbot: QtBot) -> None:
    presenter = Presenter()
    window = make(40, presenter=presenter)
    qtbot.keyClick(window.rows.list, Qt.Key.Key_Down)
    presenter.add(fake_session(41)[-1])
    window.tick()
    assert window.rows.list.currentRow() == 1
    assert window.row_plot.heading.text() == f"Row {CHANNELS[1]}"


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


def test_repaints_go_on_by_themselves(make: Make, qtbot: QtBot) -> None:
    window = make(300)
    before, updates = window.frames, window.data_updates
    qtbot.wait(1000)
    assert window.frames - before >= 10
    assert window.data_updates == updates


def inside_window(window: SessionWindow) -> list[str]:
    """Return the labels whose text is cut off by their own or their window's edge."""
    cut = []
    for label in window.findChildren(QLabel):
        if not label.isVisible() or not label.text() or label is window.footer.notices:
            continue
        place = QRect(label.mapTo(window, QPoint(0, 0)), label.size())
        too_narrow = label.width() < label.fontMetrics().horizontalAdvance(label.text())
        if too_narrow or not window.rect().contains(place):
            cut.append(label.text())
    return cut


@pytest.mark.parametrize("rows", [CHANNELS, REGIONS], ids=["24 rows", "68 rows"])
@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080)])
def test_nothing_is_cut_off(make: Make, qapp: QApplication, rows: tuple[str, ...], size: tuple[int, int]) -> None:
    window = make(60, rows=rows, banner="synthetic", lost=PEOPLE[0])
    window.resize(*size)
    qapp.processEvents()
    window.tick()
    qapp.processEvents()
    assert (window.width(), window.height()) == size
    assert inside_window(window) == []
    parts: list[QWidget] = [window.header, window.rows, window.mean_plot, window.row_plot, window.quality]
    places = [QRect(p.mapTo(window, QPoint(0, 0)), p.size()) for p in (*parts, window.sources, window.footer)]
    assert not any(a.intersects(b) for i, a in enumerate(places) for b in places[:i])


def test_more_people_and_other_rows(make: Make) -> None:
    presenter = Presenter()
    window = make(20, presenter=presenter)
    people = tuple(f"headset {i}" for i in range(9))
    for feedback in fake_session(30, rows=REGIONS, people=people):
        presenter.add(feedback)
    window.tick()
    assert window.rows.list.count() == len(REGIONS)
    assert len(window.sources.lines) == 10
    for feedback in fake_session(12, people=people[:1]):
        presenter.add(feedback)
    window.tick()
    assert len(window.sources.lines) == 2


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
    monkeypatch.setattr("rtaffect.view.sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(RtaffectError, match="no screen"):
        run_window(Presenter(), title="", on_close=lambda: None, now=lambda: 0.0)
