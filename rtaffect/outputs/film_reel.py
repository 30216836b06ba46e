"""One film on its way to the screen: decoded ahead on a thread of its own, into a queue that cannot grow."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rtaffect.common.errors import FilmError
from rtaffect.common.worker import Worker
from rtaffect.sources.film_file import LATE_S, FilmFrame, FilmReader

_log = logging.getLogger(__name__)

#: So much is decoded ahead, at most: frames, and bytes of their pictures.
MOST_FRAMES: Final = 24
MOST_BYTES: Final = 200 << 20
#: A decoder that ends is waited for so long, s: the session's steps wait, too.
_WAIT_S: Final = 0.2
#: A timer that fires early by less than this is in time, s.
EARLY_S: Final = 0.001


class Reel:
    """A film that is to be seen: its frames by the time at which each is due.

    Parameters
    ----------
    path
        The film.
    onset
        When its time 0 is, s on the LSL clock.
    until
        When it ends there, s, whatever it still has.
    box
        Says how large its pictures may be, (width, height) in pixels.
    now
        Present time on the LSL clock, s.
    spent
        How much of it was seen before, s: it goes on from there.

    Attributes
    ----------
    dropped : int
        Frames that came too late to be shown, so far.
    trouble : str
        Why there are no more frames, in words; empty where nothing is wrong.
    """

    def __init__(
        self,
        path: Path,
        onset: float,
        until: float,
        box: Callable[[], tuple[int, int]],
        now: Callable[[], float],
        *,
        spent: float = 0.0,
    ) -> None:
        self.path, self.onset, self.until, self.spent = path, onset, until, spent
        self._box, self._now = box, now
        self._queue: deque[FilmFrame] = deque()
        self.dropped, self.trouble, self.ended = 0, "", False
        self._newest = None if spent > 0 else -1
        self._worker = Worker(f"film {path.name}", self._decode)
        self._worker.start()

    @property
    def begin(self) -> float:
        """When it is seen from, s on the LSL clock: ``spent`` s after ``onset``."""
        return self.onset + self.spent

    @property
    def next_time(self) -> float:
        """When the next frame that is there is due, s in the film; NaN without one."""
        with self._worker.changed:
            return self._queue[0].time if self._queue else math.nan

    @property
    def starved(self) -> bool:
        """Whether frames are still to come, but none is there."""
        with self._worker.changed:
            return not self._queue and not self.ended

    def take(self, place: float) -> FilmFrame | None:
        """Return the newest frame that is due at ``place``, s in the film, if it was not taken; earlier ones go."""
        found = None
        with self._worker.changed:
            while self._queue and self._queue[0].time <= place + EARLY_S:
                if found is not None and found.time >= 0:
                    self.dropped += 1
                found = self._queue.popleft()
            self._worker.changed.notify_all()
        if found is not None and place - found.time > LATE_S and not self._is_still(found, place):
            self.dropped += 1
            return None
        return found

    def _is_still(self, frame: FilmFrame, place: float) -> bool:
        """Return whether a frame from before is what is to be seen at ``place``: the next one is due only later."""
        following = self.next_time
        return following > place or (math.isnan(following) and self.ended)

    def stop(self) -> None:
        """End decoding; a decoder that is in the midst of a frame ends after it."""
        self._worker.stop(timeout=_WAIT_S)
        self._queue.clear()

    # -- its thread --------------------------------------------------------------------------------------------------

    def _decode(self) -> None:
        try:
            with FilmReader(self.path, self._box(), enlarge=True, behind=self._behind, from_s=self.spent) as reader:
                for frame in reader:
                    reader.box = self._box()
                    if not self._put(frame):
                        return
                if reader.bad:
                    _log.warning("%s: %d pieces of its picture are damaged", self.path, reader.bad)
        except FilmError as error:
            self.trouble = str(error)
        except Exception as error:
            _log.exception("%s cannot be decoded", self.path)
            self.trouble = f"{self.path.name} cannot be decoded: {error!r}"
        finally:
            with self._worker.changed:
                self.ended = True

    def _behind(self, time: float) -> float:
        return self._now() - self.onset - time

    def _put(self, frame: FilmFrame) -> bool:
        """Hand a frame over when there is room; return whether more are wanted."""
        # What the decoder left out has numbers, too.
        if self._newest is not None:
            self.dropped += frame.number - self._newest - 1
        self._newest = frame.number
        if frame.picture is None:
            self.dropped += frame.time >= 0
            return not self._worker.stopping
        room = max(2, min(MOST_FRAMES, MOST_BYTES // frame.picture.nbytes))
        with self._worker.changed:
            self._worker.changed.wait_for(lambda: self._worker.stopping or len(self._queue) < room)
            self._queue.append(frame)
        return not self._worker.stopping
