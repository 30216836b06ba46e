"""A film in the participant's view: what is painted where, when, and what of that is kept."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
import pytest
from pylsl import local_clock
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from rtaffect.outputs.film_projector import Projector
from rtaffect.outputs.film_reel import MOST_FRAMES
from rtaffect.present.participant_state import ParticipantPresenter, ParticipantState
from rtaffect.view.participant.figures import BACKGROUND, LEVEL
from rtaffect.view.participant.window import ParticipantWindow
from tests.support.counted_films import make_film, number_in
from tests.support.view_windows import check_nothing_left

ORIGIN = 1000.0


@pytest.fixture(autouse=True)
def nothing_left(qapp: QApplication) -> Iterator[None]:
    yield from check_nothing_left(qapp)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("film") / "count.mkv", 3.0)


class Hand:
    """A view whose clock is moved by hand, and whose timers stand still."""

    def __init__(self, qtbot: QtBot, size: tuple[int, int], **options: object) -> None:
        self.at = ORIGIN
        self.projector = Projector(lambda: self.at, **options)  # type: ignore[arg-type]
        self.window = ParticipantWindow(ParticipantPresenter(film=self.projector), preview=True)
        self.window.resize(*size)
        self.window.start()
        qtbot.waitExposed(self.window)
        self._qtbot = qtbot
        self.window.timer.stop()
        self.window.film_timer.stop()

    def see(self, at: float) -> np.ndarray:
        """Return what is painted at ``at``, (height, width, 3)."""
        reel = self.projector._films[-1].reel if self.projector._films else None
        if reel is not None:
            self._qtbot.waitUntil(lambda: reel.ended or len(reel._queue) >= MOST_FRAMES, timeout=20_000)
        self.at = at
        self.window.show_film()
        self.window.film_timer.stop()
        return pixels(self.window.grab().toImage())

    def close(self) -> None:
        self.projector.stop()
        self.window.close()
        self.window.deleteLater()


def pixels(image: QImage) -> np.ndarray:
    image = image.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def colour(name: str) -> list[int]:
    return [int(name[i : i + 2], 16) for i in (1, 3, 5)]


@pytest.fixture
def hand(qtbot: QtBot) -> Iterator[Callable[..., Hand]]:
    made: list[Hand] = []

    def make(size: tuple[int, int] = (640, 480), **options: object) -> Hand:
        made.append(Hand(qtbot, size, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_the_film_fills_the_view_on_black_and_goes_with_its_end(hand: Callable[..., Hand], film: Path) -> None:
    one = hand()
    assert one.see(ORIGIN)[240, 20].tolist() == colour(BACKGROUND)
    one.projector.place(film, 1, ORIGIN + 1.0, ORIGIN + 2.0)
    for number in (0, 7, 24):
        seen = one.see(ORIGIN + 1.0 + number / 25)
        assert number_in(seen[60:420]) == number
        assert seen[30, 320].tolist() == [0, 0, 0], "above a picture that is wider than the view"
    assert one.see(ORIGIN + 2.0)[240, 20].tolist() == colour(BACKGROUND)
    assert [f.frame for f in one.projector.take()] == [0, 7, 24]


def test_feedback_has_its_place_beside_the_film(hand: Callable[..., Hand], film: Path) -> None:
    one = hand((1000, 400))
    one.projector.place(film, 1, ORIGIN + 1.0, ORIGIN + 2.0, aside=True)
    one.window.state = ParticipantState("ring", level=1.0, presence=1.0)
    seen = one.see(ORIGIN + 1.2)
    assert number_in(seen[:, (840 - 711) // 2 : (840 + 711) // 2]) == 5
    ring = (np.abs(seen[:, 840:].astype(int) - colour(LEVEL)).max(axis=-1) < 40).sum()
    assert ring > 200
    assert not (np.abs(seen[:, :840].astype(int) - colour(LEVEL)).max(axis=-1) < 10).any()


def test_the_square_is_white_when_it_is_said_to_be(hand: Callable[..., Hand], film: Path) -> None:
    one = hand(photodiode="second")
    one.projector.place(film, 1, ORIGIN + 1.0, ORIGIN + 4.0)
    squares = [one.see(ORIGIN + 1.0 + t)[470, 10].tolist() for t in (0.0, 0.48, 0.96, 1.0, 1.48, 1.96, 2.0)]
    assert squares == [[255] * 3] * 3 + [[0] * 3] * 3 + [[255] * 3]
    assert [f.white for f in one.projector.take()] == [True] * 3 + [False] * 3 + [True]


def test_a_view_of_its_own_keeps_step_with_the_clock(qtbot: QtBot, film: Path) -> None:
    """In real time, with the view's own timer: frames rise, each once, none before its time."""
    projector = Projector(local_clock)
    window = ParticipantWindow(ParticipantPresenter(film=projector), preview=True)
    try:
        window.start()
        qtbot.waitExposed(window)
        onset = local_clock() + 0.4
        projector.place(film, 1, onset, onset + 1.0)
        qtbot.waitUntil(lambda: local_clock() > onset + 1.1, timeout=20_000)
        shown = projector.take()
        assert threading.active_count() < 20
        assert shown
        assert (np.diff([f.frame for f in shown]) > 0).all()
        for f in shown:
            due = onset + f.frame / 25 - projector.lead_s
            assert f.error_s == pytest.approx(f.painted - due, abs=1e-6)
            assert f.error_s > -0.002, "not before its time, but for the timer's millisecond"
        assert sum(f.dropped for f in shown) + len(shown) == shown[-1].frame + 1
    finally:
        projector.stop()
        window.close()
        window.deleteLater()
