"""Windows for the tests of the display: fed with fake steps, and closed again."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import threading
from collections.abc import Callable, Iterator

from PySide6.QtCore import QPoint, QRect
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from rtaffect.view import Presenter
from rtaffect.view.show import SessionWindow
from tests.support.fake_feedback import fake_protocol_step, fake_session
from tests.support.waiting import no_other_threads

Make = Callable[..., SessionWindow]


def check_nothing_left(application: QApplication) -> Iterator[None]:
    """Fail a test that leaves a window or a thread behind."""
    widgets, threads = set(map(id, application.topLevelWidgets())), set(threading.enumerate())
    yield
    application.processEvents()
    application.sendPostedEvents(None, 52)  # QEvent.DeferredDelete
    assert [w for w in application.topLevelWidgets() if id(w) not in widgets] == []
    no_other_threads(threads)


def windows(qtbot: QtBot) -> Iterator[Make]:
    """Build windows fed with ``steps`` fake steps, whose clock stands ``late_s`` after the newest."""
    made: list[SessionWindow] = []

    def build(
        steps: int,
        *,
        late_s: float = 0.4,
        presenter: Presenter | None = None,
        protocol: bool = False,
        page: int = 0,
        **options: object,
    ) -> SessionWindow:
        fake = {key: options.pop(key) for key in ("rows", "people", "lost", "measured", "elements") if key in options}
        presenter = presenter or Presenter()
        for feedback in fake_session(steps, **fake):  # type: ignore[arg-type]
            presenter.add(feedback)
            if protocol:
                presenter.add_protocol_step(fake_protocol_step(feedback.step))
        defaults = {"title": "a test", "on_close": lambda: None, "now": lambda: 1000.0 + steps + late_s}
        window = SessionWindow(presenter, **(defaults | options))  # type: ignore[arg-type]
        made.append(window)
        window.show()
        qtbot.waitExposed(window)
        window.show_page(page)
        window.tick()
        return window

    yield build
    for window in made:
        window.close()
        window.deleteLater()


def activate(window: SessionWindow, qtbot: QtBot) -> SessionWindow:
    """Let ``window`` take keys."""
    with qtbot.waitActive(window):
        window.activateWindow()
    return window


def cut_off(window: SessionWindow) -> list[str]:
    """Return the labels whose text is cut off by their own or their window's edge."""
    cut = []
    for label in window.findChildren(QLabel):
        if not label.isVisible() or not label.text() or label.wordWrap():
            continue
        place = QRect(label.mapTo(window, QPoint(0, 0)), label.size())
        too_narrow = label.width() < label.fontMetrics().horizontalAdvance(label.text())
        if too_narrow or not window.rect().contains(place):
            cut.append(label.text())
    return cut
