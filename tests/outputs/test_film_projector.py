"""The picture of a film on the sound's clock: which frame is due, what is left out, and what of that is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from rtaffect.outputs import film_reel
from rtaffect.outputs.film_projector import Photodiode, Projector
from rtaffect.sources.film_file import FilmFrame, FilmReader
from tests.support.counted_films import make_film, number_in

ORIGIN = 1000.0


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_film(tmp_path_factory.mktemp("film") / "count.mkv", 4.0)


class Hand:
    """A projector whose clock is moved by hand, and a view that paints what is due."""

    def __init__(self, **options: object) -> None:
        self.at = ORIGIN
        self.projector = Projector(lambda: self.at, **options)  # type: ignore[arg-type]
        self.projector.box = (320, 180)

    def place(self, film: Path, seconds: float = 4.0, onset: float = ORIGIN + 1.0) -> None:
        self.projector.place(film, 2, onset, onset + seconds)
        self.ready()

    def ready(self) -> None:
        """Wait until the decoder can do no more."""
        reel = self.projector._films[-1].reel
        deadline = time.monotonic() + 20
        while not (reel.ended or len(reel._queue) >= film_reel.MOST_FRAMES):
            assert time.monotonic() < deadline
            time.sleep(0.002)

    def see(self, at: float, *, wait: bool = True) -> int | None:
        """Paint at ``at``, and return the number in the picture."""
        if wait and self.projector._films:
            self.ready()
        self.at = at
        due = self.projector.due()
        if due is None:
            return None
        self.projector.painted(due, at)
        return -1 if due.frame is None else number_in(due.frame.picture)


@pytest.fixture
def hand() -> Iterator[Callable[..., Hand]]:
    made: list[Hand] = []

    def make(**options: object) -> Hand:
        made.append(Hand(**options))
        return made[-1]

    yield make
    for each in made:
        each.projector.stop()


def test_the_frame_whose_time_has_come_is_due(hand: Callable[..., Hand], film: Path) -> None:
    one = hand()
    one.place(film)
    assert one.see(ORIGIN + 0.99) is None
    seen = [one.see(ORIGIN + 1.0 + k * 0.01) for k in range(400)]
    assert seen == [k // 4 for k in range(400)]
    assert one.see(ORIGIN + 5.0) is None, "it ends with its time"
    shown = one.projector.take()
    assert [f.frame for f in shown] == list(range(100))
    assert max(abs(f.error_s) for f in shown) < 1e-9
    assert {(f.block, f.film, f.dropped, f.white) for f in shown} == {(2, "count.mkv", 0, None)}
    assert one.projector.look(ORIGIN + 9.0) == []
    assert one.projector.counts["dropped"] == 0


def test_what_the_screen_takes_is_taken_into_account(hand: Callable[..., Hand], film: Path) -> None:
    one = hand(screen_delay_s=0.06)
    one.projector.lead_s = 0.06 + 1 / 120
    one.place(film)
    assert one.see(ORIGIN + 1.0 - 0.07) is None
    assert one.see(ORIGIN + 1.0 - 0.068) == 0
    one.see(ORIGIN + 1.5)
    assert one.see(ORIGIN + 2.0 - 0.068) == 25
    assert [f.error_s for f in one.projector.take()][::2] == pytest.approx([1 / 3000, 1 / 3000], abs=1e-6)


def test_late_frames_are_left_out_counted_and_told(hand: Callable[..., Hand], film: Path) -> None:
    one = hand()
    one.place(film)
    for k in range(3):
        assert one.see(ORIGIN + 1.0 + 0.04 * k) == k
    assert one.see(ORIGIN + 1.0 + 0.04 * 9) == 9, "never faster: frames 3 to 8 are not shown"
    assert [f.dropped for f in one.projector.take()] == [0, 0, 0, 6]
    assert one.projector.look(ORIGIN + 1.4) == [
        ("6 frames of count.mkv were not shown in time within a second", ORIGIN + 1.4)
    ]
    assert one.see(ORIGIN + 1.0 + 0.04 * 16) == 16
    assert one.projector.look(ORIGIN + 1.7) == [], "while it goes on, once"
    assert one.projector.look(ORIGIN + 1.8) == [
        ("the frames of count.mkv are shown in time again; 12 were not", ORIGIN + 1.8)
    ]
    one.projector.cut(ORIGIN + 1.8)
    assert one.see(ORIGIN + 1.9, wait=False) is None
    assert one.projector.counts["dropped"] == 12
    assert one.projector.counts["frames"] == 5


def test_a_view_that_paints_nothing_is_told(hand: Callable[..., Hand], film: Path) -> None:
    one = hand()
    one.place(film)
    one.see(ORIGIN + 1.0)
    (told,) = one.projector.look(ORIGIN + 2.0)
    assert told == ("the picture of count.mkv stands still: the view does not paint it", ORIGIN + 1.0)
    assert one.projector.look(ORIGIN + 2.5) == [], "once"
    seen = [one.see(ORIGIN + 1.0 + 1.96) for _ in range(4)]
    assert seen[0] == 0, "what is there of the past is not shown"
    assert seen[-1] == 49, "and the decoder catches up"
    assert "goes on" in one.projector.look(ORIGIN + 3.0)[0][0]
    assert one.projector.counts["dropped"] == 48
    assert one.projector.counts["frozen"] == 1
    assert one.projector.counts["frozen_s"] == pytest.approx(1.96)


def test_a_decoder_that_is_too_slow_is_told_and_late_pictures_are_not_shown(
    hand: Callable[..., Hand], film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Semaphore(5)

    class Slow(FilmReader):
        def __iter__(self) -> Iterator[FilmFrame]:
            for frame in super().__iter__():
                gate.acquire(timeout=20)
                yield frame

    monkeypatch.setattr(film_reel, "FilmReader", Slow)
    one = hand()
    one.projector.place(film, 2, ORIGIN + 1.0, ORIGIN + 5.0)
    reel = one.projector._films[-1].reel
    while len(reel._queue) < 5:
        time.sleep(0.002)
    assert one.see(ORIGIN + 2.8, wait=False) == -1, "black: what is there is of long ago"
    told = [words for words, _ in one.projector.look(ORIGIN + 2.9)]
    assert told == ["the picture of count.mkv stands still: its frames are not decoded in time"]
    gate.release(1000)
    assert one.see(ORIGIN + 2.8) == 45
    (shown,) = one.projector.take()
    assert shown.frame == 45, "also where the decoder left out what it could"
    assert shown.dropped == 45
    assert shown.error_s == pytest.approx(0.0, abs=1e-6)


def test_pictures_that_stand_are_no_fault(hand: Callable[..., Hand], tmp_path: Path) -> None:
    """Slides: frames that last seconds are shown as long, and nothing is missed."""
    one = hand()
    one.place(make_film(tmp_path / "slides.mkv", 4.0, times=[0.0, 0.04, 1.9, 2.7]))
    seen = [one.see(ORIGIN + 1.0 + 0.1 * k) for k in range(39)]
    assert [seen[k] for k in (0, 1, 18, 19, 26, 27, 38)] == [0, 1, 1, 2, 2, 3, 3]
    assert [one.projector.look(ORIGIN + 1.0 + t) for t in (1.7, 2.6, 3.8)] == [[], [], []]
    assert one.projector.counts["dropped"] == 0


@pytest.mark.parametrize(
    ("kind", "white"), [("second", [True, True, False, False, True]), ("start", [True, True, False, False, False])]
)
def test_the_square_is_kept_with_the_frame(
    hand: Callable[..., Hand], film: Path, kind: Photodiode, white: list[bool]
) -> None:
    one = hand(photodiode=kind)
    one.place(film)
    for second in (0.0, 0.96, 1.0, 1.96, 2.0):
        one.see(ORIGIN + 1.0 + second)
    assert [f.white for f in one.projector.take()] == white


def test_one_that_was_paused_goes_on_with_the_frame_that_is_seen_there(hand: Callable[..., Hand], film: Path) -> None:
    one = hand()
    one.place(film)
    seen = [one.see(ORIGIN + 1.0 + k * 0.04) for k in range(40)]
    one.projector.cut(ORIGIN + 2.5)
    assert one.see(ORIGIN + 2.6, wait=False) is None
    # 1.5 s of it were seen; it goes on at 6 s, in the midst of frame 37.
    one.projector.place(film, 2, ORIGIN + 6.0, ORIGIN + 8.5, spent=1.5)
    assert one.see(ORIGIN + 5.99) is None
    assert one.projector.wait_s() == pytest.approx(0.01)
    seen = [one.see(ORIGIN + 6.0 + k * 0.02) for k in range(125)]
    assert seen == [(75 + k) // 2 for k in range(125)]
    assert one.see(ORIGIN + 8.5) is None
    again = [f for f in one.projector.take() if f.painted > ORIGIN + 5]
    assert [f.frame for f in again] == list(range(37, 100))
    assert max(abs(f.error_s) for f in again) < 1e-9
    assert one.projector.counts["dropped"] == 0
    assert one.projector.look(ORIGIN + 9.0) == []


def test_a_skipped_block_lets_go_of_its_film_before_it_begins(hand: Callable[..., Hand], film: Path) -> None:
    one = hand()
    one.place(film, onset=ORIGIN + 3.0)
    one.projector.cut(ORIGIN + 1.0)
    one.place(film, onset=ORIGIN + 4.0)
    assert one.see(ORIGIN + 3.5) is None
    assert one.see(ORIGIN + 4.5) == 12
    assert len(one.projector._films) == 1


def test_what_cannot_be_read_any_more_is_told(hand: Callable[..., Hand], tmp_path: Path) -> None:
    gone = make_film(tmp_path / "gone.mkv", 2.0)
    content = gone.read_bytes()
    gone.write_bytes(content[:40])
    one = hand()
    one.place(gone)
    assert one.see(ORIGIN + 1.5) == -1
    told = [words for words, _ in one.projector.look(ORIGIN + 1.6)]
    assert len(told) == 1
    assert told[0].startswith("the picture of gone.mkv is not shown")
    np.testing.assert_equal(one.projector.counts["frames"], 0)
