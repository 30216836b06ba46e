"""A sound that is to be heard from a given time on, and what of it belongs into a block of the device's frames."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtaffect.outputs.dac_clock import DISPLACED_S

#: A sound that is cut fades out in this time, s, and one that is put in its place fades over.
CUT_S: Final = 0.02
MOVE_S: Final = 0.005
#: A place that is off by less than this is left as it is, s; more is taken back by ``SLIP`` frames a block.
NEAR_S: Final = 0.0002
SLIP: Final = 1
#: From here on, s, it is taken back by so many.
FAR_S, FAR_SLIP = 0.001, 4


@dataclass(slots=True, eq=False)
class Cue:
    """A sound to be heard: ``columns`` (n, channels) at the device's rate from ``onset`` (s, LSL clock) on.

    ``actual_onset`` says when it was first heard, NaN before. It is always at the place where it should be by then: a
    sound that begins late is joined in its midst, one that is displaced is moved.
    """

    name: str
    columns: NDArray[np.float32]
    onset: float
    rate: float
    actual_onset: float = math.nan
    #: The next frame of it; None while it is not heard.
    next: int | None = None
    done: bool = False
    lag_s: float = 0.0
    #: Frames between which it fades out, where it was cut.
    _fade: tuple[int, int] | None = field(default=None)
    _length: int = field(init=False)

    @property
    def begun(self) -> bool:
        """Whether any of it was heard."""
        return not math.isnan(self.actual_onset)

    @property
    def late_s(self) -> float:
        """How much later than wanted it began, s; NaN before."""
        return self.actual_onset - self.onset

    @property
    def end(self) -> float:
        """When it is over, s on the LSL clock."""
        return self.onset + self._length / self.rate

    def __post_init__(self) -> None:
        """Keep the length: what was heard is let go of."""
        self._length = len(self.columns)

    def cut(self) -> None:
        """Let it fade out."""
        if self.next is None:
            self.done = True
        else:
            self._fade = self.next, self.next + max(1, round(CUT_S * self.rate))

    def pause(self) -> None:
        """Take note that it is not heard any more: the device is gone."""
        self.next = None

    def mix(self, out: NDArray[np.float32], leaves: float) -> bool:
        """Add what belongs into the block ``out`` (n, channels), whose first frame leaves at ``leaves``, s, LSL clock.

        Return whether it had to be moved to its place, by more than ``DISPLACED_S``.
        """
        place = (leaves - self.onset) * self.rate
        if self.next is None:
            return self._join(out, leaves, round(place))
        lag = place - self.next
        self.lag_s = lag / self.rate
        moved = abs(self.lag_s) > DISPLACED_S
        if moved and place < 0:
            return self._join(out, leaves, round(place)) or moved
        if moved:
            self._glide(out, round(place), round(MOVE_S * self.rate))
        elif abs(self.lag_s) > NEAR_S:
            slip = FAR_SLIP if abs(self.lag_s) > FAR_S else SLIP
            self._glide(out, max(0, self.next + int(math.copysign(slip, lag))), len(out))
        else:
            out += self._read(self.next, len(out))
            self._went_on(self.next + len(out))
        return moved

    def _join(self, out: NDArray[np.float32], leaves: float, place: int) -> bool:
        """Begin at the very frame, or, where that is past, as far on as it should be by now."""
        at, self.next = max(0, -place), None
        if at >= len(out):
            return False
        first = max(0, place)
        part = self._read(first, len(out) - at)
        if first > 0:
            fade = min(len(part), round(MOVE_S * self.rate))
            part[:fade] *= np.linspace(0.0, 1.0, fade, dtype=np.float32)[:, None]
        out[at:] += part
        if not self.begun:
            self.actual_onset = leaves + at / self.rate
        self.lag_s = 0.0
        self._went_on(first + len(out) - at)
        return first > DISPLACED_S * self.rate

    def _glide(self, out: NDArray[np.float32], place: int, fade: int) -> None:
        """Fade over, within ``fade`` frames, from where it is to ``place``."""
        assert self.next is not None
        fade = min(fade, len(out))
        weight = np.linspace(0.0, 1.0, fade, dtype=np.float32)[:, None]
        part = self._read(place, len(out))
        part[:fade] = part[:fade] * weight + self._read(self.next, fade) * (1.0 - weight)
        out += part
        self._went_on(place + len(out))

    def _read(self, first: int, count: int) -> NDArray[np.float32]:
        """Return a copy of ``count`` frames from ``first`` on, zeros after the end."""
        part = np.zeros((count, self.columns.shape[1]), np.float32)
        have = self.columns[first : first + count]
        part[: len(have)] = have
        if (fade := self._fade) is not None:
            start, stop = fade
            gain = (stop - np.arange(first, first + count)) / (stop - start)
            part *= np.clip(gain, 0.0, 1.0).astype(np.float32)[:, None]
        return part

    def _went_on(self, place: int) -> None:
        self.next = place
        if place >= len(self.columns) or (self._fade is not None and place >= self._fade[1]):
            # It stays in the list, which only the other thread changes, but no longer in memory.
            self.done, self.next, self._length = True, None, min(place, self._length)
            self.columns = self.columns[:0].copy()
