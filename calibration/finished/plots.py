"""Small plots as SVG: axes with round ticks, points, lines and guides, as coordinates that a template draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

#: The drawing, px: its size, and the edges of the part with the data.
WIDTH, HEIGHT = 870, 280
LEFT, RIGHT, TOP, BOTTOM = 64, 744, 22, 232
_TICKS: Final = 6


@dataclass(frozen=True, slots=True)
class Tick:
    """A tick of an axis: where it is, px, and what it says."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis from ``low`` to ``high``, drawn from ``start`` to ``end``, px."""

    label: str
    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        """Return where a value is, px; at the edge where it is beyond."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    @property
    def ticks(self) -> list[Tick]:
        """Some ticks at round values."""
        step = round_step((self.high - self.low) / _TICKS)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        return [Tick(self.place(n * step), _minus(f"{n * step + 0.0:.{digits}f}")) for n in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class Guide:
    """A line across the plot at a value: where it is, px, and what it means."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Series:
    """Data of one kind: ``points`` as pairs of px, and the ``path`` of a line through steps, '' for none."""

    name: str
    style: str
    points: tuple[tuple[float, float], ...] = ()
    path: str = ""


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot that is ready to be drawn; ``alt`` says what it shows to those who cannot see it."""

    name: str
    alt: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    across: tuple[Guide, ...] = ()
    upright: tuple[Guide, ...] = ()
    absent: tuple[float, ...] = field(default=())
    width: int = WIDTH
    height: int = HEIGHT


def round_step(least: float) -> float:
    """Return the smallest 1, 2 or 5 times a power of ten that is at least ``least``, > 0."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(part * power for part in (1.0, 2.0, 5.0, 10.0) if part * power >= least * (1 - 1e-9))


def _minus(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}")


def across_axis(label: str, values: Sequence[float], least: tuple[float, float]) -> Axis:
    """Return an axis to the right with all finite ``values``, and at least from ``least[0]`` to ``least[1]``."""
    return Axis(label, *_range(values, least), LEFT, RIGHT)


def upward_axis(label: str, values: Sequence[float], least: tuple[float, float]) -> Axis:
    """Return an axis upwards with all finite ``values``, and at least from ``least[0]`` to ``least[1]``."""
    return Axis(label, *_range(values, least), BOTTOM, TOP)


def _range(values: Sequence[float], least: tuple[float, float]) -> tuple[float, float]:
    known = [value for value in values if math.isfinite(value)]
    low, high = min([least[0], *known]), max([least[1], *known])
    step = round_step((high - low) / _TICKS)
    return math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step


def scatter(name: str, style: str, x: Axis, y: Axis, values: Sequence[tuple[float, float]]) -> Series:
    """Return points at pairs of values; those that are not finite are left out."""
    known = [(a, b) for a, b in values if math.isfinite(a) and math.isfinite(b)]
    return Series(name, style, tuple((x.place(a), y.place(b)) for a, b in known))


def cumulated(name: str, style: str, x: Axis, y: Axis, values: Sequence[float]) -> Series:
    """Return the share of ``values`` that are no greater, as a line in steps from nothing to all; NaN is left out."""
    known = sorted(value for value in values if math.isfinite(value))
    if not known:
        return Series(name, style)
    parts = [f"M{x.place(known[0])} {y.place(0.0)}"]
    for number, value in enumerate(known, start=1):
        parts.append(f"H{x.place(value)}V{y.place(number / len(known))}")
    return Series(name, style, path="".join([*parts, f"H{x.end}"]))
