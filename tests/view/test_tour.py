"""The tour of the operator's window: seven notes by keys, once, each beside what it is about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rtaffect.present.participant_state import ParticipantPresenter
from rtaffect.present.session_presenter import Presenter
from rtaffect.present.tour import NOTES
from rtaffect.start.tour_seen import EDITION, remember_tour, tour_seen
from rtaffect.view import show
from rtaffect.view.operator.session_window import SessionWindow
from rtaffect.view.operator.tour import Tour, beside
from rtaffect.view.participant.window import ParticipantWindow
from tests.support.fake_feedback import fake_session, region_rows
from tests.support.fake_rated import fake_rated_session
from tests.support.view_windows import Make, activate, check_nothing_left, windows

make = pytest.fixture(windows)


@pytest.fixture(autouse=True)
def nothing_left(qapp: QApplication) -> Iterator[None]:
    yield from check_nothing_left(qapp)


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RTAFFECT_CONFIG", str(tmp_path / "config"))
    return tmp_path / "config"


@pytest.fixture
def window(make: Make, qtbot: QtBot) -> SessionWindow:
    return activate(make(120, banner="a demonstration", on_go=lambda: None), qtbot)


def about(tour: Tour) -> QRect:
    """Return the place that is framed."""
    return tour.frame.geometry()


@pytest.mark.parametrize("size", [(1280, 720), (1920, 1080), (1180, 660)])
def test_seven_notes_stand_beside_what_they_are_about(
    window: SessionWindow, qtbot: QtBot, size: tuple[int, int]
) -> None:
    window.resize(*size)
    tour = Tour(window)
    assert not tour.isVisible()
    seen = []
    for number in range(1, 8):
        qtbot.keyClick(window, Qt.Key.Key_F2)
        assert tour.isVisible()
        assert tour.frame.isVisible()
        assert window.rect().contains(tour.geometry()), tour.note
        assert window.rect().contains(about(tour))
        assert about(tour).width() > 100
        assert about(tour).height() > 20
        assert tour.count.text() == f"{number} of 7"
        assert window.pages.currentIndex() == tour.note.page
        assert tour.words.height() >= tour.words.heightForWidth(tour.words.width())
        covered = about(tour).intersected(tour.geometry())
        assert covered.width() * covered.height() < 0.4 * about(tour).width() * about(tour).height(), tour.note
        seen.append(tour.title.text())
    assert seen == [note.title for note in NOTES]
    assert len(set(seen)) == 7
    assert tour.next.text() == "Done  F2"
    qtbot.keyClick(window, Qt.Key.Key_F2)
    assert not tour.isVisible()
    assert not tour.frame.isVisible()
    assert window.pages.currentIndex() == 0, "the page that was seen before"
    qtbot.keyClick(window, Qt.Key.Key_F2)
    assert tour.title.text() == NOTES[0].title, "a key begins it again"


def test_keys_go_back_and_leave_it_where_one_was(window: SessionWindow, qtbot: QtBot) -> None:
    tour = Tour(window)
    window.show_page(2)
    for _ in range(4):
        qtbot.keyClick(window, Qt.Key.Key_F2)
    assert window.pages.currentIndex() == 1
    qtbot.keyClick(window, Qt.Key.Key_F2, Qt.KeyboardModifier.ShiftModifier)
    assert tour.title.text() == NOTES[2].title
    for _ in range(5):
        qtbot.keyClick(window, Qt.Key.Key_F2, Qt.KeyboardModifier.ShiftModifier)
    assert tour.title.text() == NOTES[0].title
    assert not tour.back.isEnabled()
    assert QApplication.focusWidget() is tour
    qtbot.keyClick(tour, Qt.Key.Key_Escape)
    assert not tour.isVisible()
    assert window.pages.currentIndex() == 2


def test_buttons_do_the_same(window: SessionWindow, qtbot: QtBot) -> None:
    tour = Tour(window)
    tour.show_next()
    qtbot.mouseClick(tour.next, Qt.MouseButton.LeftButton)
    assert tour.count.text() == "2 of 7"
    qtbot.mouseClick(tour.back, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(tour.end, Qt.MouseButton.LeftButton)
    assert not tour.isVisible()


def test_the_windows_own_keys_keep_their_meaning(make: Make, qtbot: QtBot) -> None:
    gone: list[str] = []
    window = activate(make(60, protocol=True, on_go=lambda: gone.append("go")), qtbot)
    tour = Tour(window)
    tour.show_next()
    qtbot.keyClick(tour, Qt.Key.Key_4)
    assert window.pages.currentIndex() == 3
    qtbot.keyClick(tour, Qt.Key.Key_F1)
    assert window.help.isVisible()
    assert "F2, Shift+F2" in [keys for keys, _ in window.help.lines]
    window.help.switch()


def test_pages_that_are_not_there_are_passed_over(make: Make, qtbot: QtBot) -> None:
    presenter = Presenter()
    for feedback in fake_rated_session(40):
        presenter.add(feedback)
    window = activate(make(0, presenter=presenter), qtbot)
    tour, seen = Tour(window), []
    while not seen or tour.note is not None:
        tour.show_next()
        seen.append(tour.title.text())
    assert "The head" not in seen
    assert tour.note is None


def test_it_follows_the_windows_size(window: SessionWindow, qtbot: QtBot) -> None:
    tour = Tour(window)
    for _ in range(5):
        tour.show_next()
    before = about(tour)
    window.resize(1900, 1000)
    qtbot.waitUntil(lambda: about(tour) != before)
    assert window.rect().contains(tour.geometry())


def test_a_note_stands_where_there_is_room() -> None:
    within, size = QRect(0, 0, 1000, 700), QSize(300, 150)
    for part in (QRect(0, 0, 1000, 200), QRect(0, 500, 1000, 200), QRect(0, 0, 300, 700), QRect(700, 0, 300, 700)):
        note = QRect(beside(part, size, within), size)
        assert not note.intersects(part)
        assert within.contains(note)
    assert within.contains(QRect(beside(within, size, within), size))


class TestOnce:
    def run(self, monkeypatch: pytest.MonkeyPatch, qapp: QApplication, **options: object) -> list[tuple[bool, bool]]:
        """Show a session's window with a participant's view for a moment; return whether each has the tour."""
        found: list[tuple[bool, bool]] = []
        presenter = Presenter()
        for feedback in fake_session(30, rows=region_rows(32)):
            presenter.add(feedback)

        class Loop:
            def quit(self) -> None:
                pass

            def exec(self) -> None:
                tops = QApplication.topLevelWidgets()
                (own,) = [each for each in tops if isinstance(each, SessionWindow) and each.isVisible()]
                views = [each for each in tops if isinstance(each, ParticipantWindow)]
                assert len(views) == 1
                assert not views[0].findChildren(Tour)
                (tour,) = own.findChildren(Tour)
                assert not tour.isWindow(), "it is inside of the operator's window, and over no other"
                assert not tour.frame.isWindow()
                found.append((tour.isVisible(), views[0].isVisible()))
                own.close()

        monkeypatch.setattr(show, "QEventLoop", Loop)
        show.run_window(
            presenter, participant=ParticipantPresenter("ring"), title="t", on_close=lambda: None,
            now=lambda: 1031.0, **options,
        )  # type: ignore[arg-type]  # fmt: skip
        return found

    def test_the_demo_shows_it_once(self, monkeypatch: pytest.MonkeyPatch, qapp: QApplication, config: Path) -> None:
        assert not tour_seen()
        assert self.run(monkeypatch, qapp, tour=False) == [(False, True)]
        assert self.run(monkeypatch, qapp, tour=True) == [(True, True)]
        assert tour_seen()
        assert (config / "tour.toml").read_text() == f"edition = {EDITION}\n"
        assert self.run(monkeypatch, qapp, tour=True) == [(False, True)]

    def test_what_cannot_be_read_or_kept_hinders_nobody(self, config: Path) -> None:
        config.mkdir()
        for content in ("edition = 'x'", "[", "edition = 0", ""):
            (config / "tour.toml").write_text(content)
            assert not tour_seen()
        (config / "tour.toml").unlink()
        (config / "tour.toml").mkdir()
        remember_tour()
        assert not tour_seen()


def test_no_note_is_long() -> None:
    assert len(NOTES) == 7
    assert all(len(note.words) < 300 for note in NOTES)
