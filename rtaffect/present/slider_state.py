"""The participant's slider: which direction is which rating, what keys move, and where it stands. No Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rtaffect.present.plane_state import Axis, axis_of, placed
from rtaffect.sources.slider import SliderSource

#: How far a key moves it, as a share of the scale from -1 to 1; held, a key repeats.
STEP: Final = 0.05
#: What the arrow keys do: direction (0: right, 1: up) and sign.
KEYS: Final[dict[str, tuple[int, int]]] = {"Left": (0, -1), "Right": (0, 1), "Down": (1, -1), "Up": (1, 1)}


@dataclass(frozen=True, slots=True)
class SliderState:
    """What the participant's view paints of the slider.

    ``right`` and ``up`` are its axes; without ``up`` it is one bar. ``at`` is where it stands in each direction, -1 to
    1, None where it was not touched yet.
    """

    right: Axis
    up: Axis | None
    at: tuple[float | None, ...]


class Slider:
    """Moves a source's ratings by keys and by places; called from the display's thread.

    ``alone`` says whether it is all that the participant is to see.
    """

    def __init__(self, source: SliderSource, *, alone: bool = True) -> None:
        self._source, self.alone = source, alone
        pair = placed(source.names)
        #: The rating of each direction.
        self._rows: tuple[int, ...] = (0,) if pair is None else pair

    def state(self) -> SliderState:
        """Return where it stands."""
        names = [self._source.names[row] for row in self._rows]
        axes = [axis_of(name, self._source.scale.of(name)) for name in names]
        shares = self._source.shares
        return SliderState(axes[0], axes[1] if len(axes) > 1 else None, tuple(shares[row] for row in self._rows))

    def press(self, key: str) -> bool:
        """Move it by an arrow key, from its middle at first; return whether the key is one of its."""
        if key not in KEYS:
            return False
        direction, sign = KEYS[key]
        row = self._rows[min(direction, len(self._rows) - 1)]
        before = self._source.shares[row]
        # Whoever touches it rates: all directions stand somewhere from then on.
        for each in self._rows:
            if self._source.shares[each] is None:
                self._source.move(each, 0.0)
        self._source.move(row, round((before or 0.0) + sign * STEP, 6))
        return True

    def put(self, *at: float) -> None:
        """Put it at a place, -1 to 1 right and up."""
        for row, share in zip(self._rows, at, strict=False):
            self._source.move(row, share)
