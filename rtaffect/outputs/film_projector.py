"""Says which frame of a film the participant is to see now, on the sound's own clock, and keeps what was seen when."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final, Literal

from rtaffect.outputs.film_reel import Reel
from rtaffect.protocol.shown_frame import ShownFrame
from rtaffect.sources.film_file import MOST_PIXELS, FilmFrame

Photodiode = Literal["none", "second", "start"]

#: More frames than this that were not shown within a second are told.
MOST_DROPPED: Final = 2
#: A picture that stands still for longer, though another is due, is told, s.
FROZEN_S: Final = 0.5
#: A film that begins this much later than its sound is told, s.
_LATE_BEGIN_S: Final = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class DueFrame:
    """What is to be seen: a ``frame`` of the film in ``block``; ``white`` is the photodiode's square, None for none.

    ``aside`` says whether the feedback has its place beside it. Before the first frame is due, ``frame`` is None, and
    the screen black.
    """

    block: int
    frame: FilmFrame | None
    aside: bool
    white: bool | None


@dataclass(slots=True, eq=False)
class _Film:
    """A film that runs: what is shown of it, and what was painted."""

    reel: Reel
    block: int
    aside: bool
    shown: FilmFrame | None = None
    painted: FilmFrame | None = None
    painted_at: float = math.nan
    #: Frames that were taken from the reel, but never painted; and of all that were dropped, how many a painted frame
    #: counts before it, and an event told.
    unseen: int = 0
    counted: int = 0
    told: int = 0
    frozen_since: float | None = None
    #: When the first frame since was painted.
    resumed: float | None = None
    late_begin: float | None = None
    told_trouble: bool = False
    #: How many were dropped before the seconds in which too many are, while there are such.
    bad_from: int | None = None

    @property
    def dropped(self) -> int:
        return self.reel.dropped + self.unseen


class Projector:
    """Shows films, each from its own time on, in step with their sound.

    Sound is played by the LSL clock (:class:`rtaffect.outputs.sound_player.CuePlayer` keeps it there), so the picture
    follows that clock, too: at each instant the frame is due whose time has come when what is painted now will be seen.
    A frame that comes too late is left out; nothing is ever shown faster. ``place``, ``cut`` and ``look`` are called by
    the engine's thread, ``due`` and ``painted`` by the display's.

    Parameters
    ----------
    now
        Present time on the LSL clock, s.
    photodiode
        What the square in the corner does: nothing, ``second``: it is white in the film's first, third, ... second, or
        ``start``: it is white in the film's first second.
    screen_delay_s
        How much later the screen shows what it is given, s, as measured.

    Attributes
    ----------
    lead_s : float
        How much later than it is painted a frame is seen, s: half a period of the screen, on average, and its delay.
    box : (int, int)
        The largest picture that is wanted, pixels; the view says it.
    """

    def __init__(
        self, now: Callable[[], float], *, photodiode: Photodiode = "none", screen_delay_s: float = 0.0
    ) -> None:
        self.now, self.photodiode, self.screen_delay_s = now, photodiode, screen_delay_s
        self.lead_s, self.box = screen_delay_s, MOST_PIXELS
        self._lock = threading.RLock()
        self._films: list[_Film] = []
        self._shown: deque[ShownFrame] = deque()
        self._errors: deque[float] = deque(maxlen=200_000)
        self._frames = self._dropped = self._frozen = 0
        self._frozen_s = 0.0

    # -- the engine's thread -----------------------------------------------------------------------------------------

    def place(
        self, path: Path, block: int, begin: float, until: float, *, spent: float = 0.0, aside: bool = False
    ) -> None:
        """Let a film be seen from ``begin`` to ``until``, s on the LSL clock, in block number ``block``.

        It begins, or goes on, ``spent`` s after its own beginning: with the frame that is seen there.
        """
        reel = Reel(path, begin - spent, until, lambda: self.box, self.now, spent=spent)
        with self._lock:
            self._films.append(_Film(reel, block, aside))

    def cut(self, at: float) -> None:
        """End what would go on at or after ``at``, s on the LSL clock."""
        with self._lock:
            for film in self._films:
                film.reel.until = min(film.reel.until, at)
        self._let_go(self.now())

    def look(self, now: float) -> list[tuple[str, float]]:
        """Return what is new of what went wrong: in words, and since when, s on the LSL clock."""
        with self._lock:
            news = [each for film in self._films for each in self._news_of(film, now)]
        self._let_go(now)
        return news

    def take(self) -> list[ShownFrame]:
        """Return the frames that were painted since the last call."""
        found = []
        while self._shown:
            found.append(self._shown.popleft())
        return found

    def stop(self) -> None:
        """End all films; may be called twice."""
        with self._lock:
            for film in self._films:
                film.reel.until = -math.inf
        self._let_go(self.now())

    @property
    def counts(self) -> dict[str, float]:
        """Frames that were shown and that were not, how often the picture stood still, and how far it was off, s."""
        with self._lock:
            errors = sorted(self._errors)
            dropped = self._dropped + sum(film.dropped for film in self._films)
            found: dict[str, float] = {"frames": self._frames, "dropped": dropped, "frozen": self._frozen}
            found["frozen_s"] = self._frozen_s
            if errors:
                off = sorted(map(abs, errors))
                found |= {"error_median_s": median(errors), "error_p95_s": off[int(0.95 * (len(off) - 1))]}
            return {name: round(value, 5) for name, value in found.items()} | {"lead_s": round(self.lead_s, 5)}

    def _let_go(self, now: float) -> None:
        with self._lock:
            over = [f for f in self._films if f.reel.until + self.lead_s < now or f.reel.until <= f.reel.begin]
            self._films = [film for film in self._films if film not in over]
            for film in over:
                self._dropped += film.dropped
                if film.frozen_since is not None:
                    ended = film.reel.until if film.resumed is None else film.resumed
                    self._frozen_s += max(0.0, ended - film.frozen_since)
        for film in over:
            film.reel.stop()

    def _news_of(self, film: _Film, now: float) -> list[tuple[str, float]]:
        reel, name, found = film.reel, film.reel.path.name, []
        if reel.trouble and not film.told_trouble:
            film.told_trouble = True
            found.append((f"the picture of {name} is not shown: {reel.trouble}", now))
        if film.late_begin is not None:
            found.append((f"the picture of {name} was seen {film.late_begin:+.3f} s from its time", reel.begin))
            film.late_begin = None
        if not reel.begin < now <= reel.until:
            return found
        since = max(reel.begin, film.painted_at) if film.painted is not None else reel.begin
        if film.frozen_since is not None and film.resumed is not None:
            lasted = film.resumed - film.frozen_since
            found.append((f"the picture of {name} goes on: it stood still for {lasted:.1f} s", film.resumed))
            self._frozen_s += lasted
            # What was left out meanwhile is told by that.
            film.frozen_since, film.told = None, film.dropped
        late = now - reel.onset - reel.next_time > FROZEN_S
        if film.frozen_since is None and now - since > FROZEN_S and (late or reel.starved):
            film.frozen_since, film.resumed = since, None
            self._frozen += 1
            why = "its frames are not decoded in time" if reel.starved else "the view does not paint it"
            found.append((f"the picture of {name} stands still: {why}", since))
        found += self._drops_of(film, now)
        return found

    @staticmethod
    def _drops_of(film: _Film, now: float) -> list[tuple[str, float]]:
        """Return what is to be told of frames that were left out: the first bad second, and what became of it."""
        before, film.told = film.told, film.dropped
        new, name = film.dropped - before, film.reel.path.name
        if new > MOST_DROPPED and film.frozen_since is None and film.bad_from is None:
            film.bad_from = before
            return [(f"{new} frames of {name} were not shown in time within a second", now)]
        if new <= MOST_DROPPED and film.bad_from is not None:
            many, film.bad_from = film.dropped - film.bad_from, None
            return [(f"the frames of {name} are shown in time again; {many} were not", now)]
        return []

    # -- the display's thread ----------------------------------------------------------------------------------------

    def due(self) -> DueFrame | None:
        """Return what is to be painted now; None where no film is on."""
        seen = self.now() + self.lead_s
        with self._lock:
            film = self._on(seen)
            if film is None:
                return None
            new = film.reel.take(seen - film.reel.onset)
            if new is not None:
                if film.shown is not None and film.shown is not film.painted and film.shown.time >= 0:
                    film.unseen += 1
                film.shown = new
            return DueFrame(film.block, film.shown, film.aside, self._white(film.shown))

    def wait_s(self) -> float:
        """Return how long it is until something else is to be painted, s; infinite where nothing is known of it."""
        seen = self.now() + self.lead_s
        with self._lock:
            film = self._on(seen)
            if film is not None:
                next_at = film.reel.next_time + film.reel.onset
                return max(0.0, min(film.reel.until if math.isnan(next_at) else next_at, film.reel.until) - seen)
            return min((each.reel.begin - seen for each in self._films if each.reel.begin > seen), default=math.inf)

    def painted(self, due: DueFrame, at: float) -> None:
        """Take note that a frame was painted at ``at``, s on the LSL clock; once for each."""
        if due.frame is None:
            return
        with self._lock:
            film = next((each for each in self._films if each.shown is due.frame), None)
            if film is None or film.painted is due.frame:
                return
            error = at + self.lead_s - film.reel.onset - max(film.reel.spent, due.frame.time)
            first = film.painted is None
            film.painted, film.painted_at = due.frame, at
            film.resumed = at if film.resumed is None else film.resumed
            dropped, film.counted = film.dropped - film.counted, film.dropped
            self._frames += 1
            self._errors.append(error)
            name, frame = film.reel.path.name, due.frame
            self._shown.append(ShownFrame(film.block, name, frame.number, frame.time, at, error, dropped, due.white))
            if first and error > _LATE_BEGIN_S:
                film.late_begin = error

    def _on(self, seen: float) -> _Film | None:
        """Return the film that is on: of several the one that began last."""
        on = [film for film in self._films if film.reel.begin <= seen < film.reel.until]
        return max(on, key=lambda film: film.reel.begin, default=None)

    def _white(self, frame: FilmFrame | None) -> bool | None:
        if self.photodiode == "none":
            return None
        if frame is None:
            return False
        time = max(0.0, frame.time)
        return time < 1.0 if self.photodiode == "start" else int(time) % 2 == 0
