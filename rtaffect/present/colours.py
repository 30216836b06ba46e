"""The colours of values on a head: a map for both signs whose middle is dark, as the display is. No Qt.

Zero has a meaning (no synchrony, no difference), so the map is diverging: blue below, orange above, the pair that every
common kind of colour vision tells apart. Lightness grows with the size on both sides, evenly in OKLab (Ottosson, *A
perceptual color space for image processing*, 2020), so that the size can be read without any colour.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Lightness in OKLab at zero and at both ends, hues of the ends, degrees, and the most of their chroma.
_MIDDLE, _END = 0.36, 0.82
_BLUE, _ORANGE = 242.0, 68.0
_TEAL: Final = 190.0
_CHROMA = 0.16
#: Colours on each side of zero.
_STEPS: Final = 127

_TO_LMS: Final = np.array([[1.0, 0.3963377774, 0.2158037573], [1.0, -0.1055613458, -0.0638541728],
                           [1.0, -0.0894841775, -1.2914855480]])  # fmt: skip
_TO_RGB: Final = np.array([[4.0767416621, -3.3077115913, 0.2309699292], [-1.2684380046, 2.6097574011, -0.3413193965],
                           [-0.0041960863, -0.7034186147, 1.7076147010]])  # fmt: skip


@cache
def diverging() -> NDArray[np.uint8]:
    """Return the map, (255, 3) sRGB from -1 to 1; zero is number 127."""
    size = np.linspace(1, 0, _STEPS + 1)
    below, above = _ramp(size, _BLUE), _ramp(size[::-1], _ORANGE)
    return np.concatenate([below[:-1], above])


def colour_numbers(values: NDArray[np.float64], limit: float) -> NDArray[np.int64]:
    """Return which of the map's colours stands for each of ``values`` (any shape, finite); ``limit`` is the end."""
    return np.round(_STEPS * (1 + np.clip(values / limit, -1, 1))).astype(np.int64)


def hexadecimal(colour: NDArray[np.uint8]) -> str:
    """Return the name of a colour (3,), as in '#56b4e9'."""
    return "#{:02x}{:02x}{:02x}".format(*colour.tolist())


def _ramp(size: NDArray[np.float64], hue: float) -> NDArray[np.uint8]:
    """Return the colours (n, 3) of values' sizes (n,) in [0, 1]: with as much chroma as a screen can show."""
    lightness = _MIDDLE + (_END - _MIDDLE) * size
    # A little colour at once, or the sign of a small value could not be seen.
    low, high = np.zeros_like(size), _CHROMA * size**0.7
    for _ in range(20):
        middle = (low + high) / 2
        linear = _linear(lightness, middle, hue)
        shown = ((linear >= 0) & (linear <= 1)).all(axis=1)
        low, high = np.where(shown, middle, low), np.where(shown, high, middle)
    return np.round(255 * _encoded(np.clip(_linear(lightness, low, hue), 0, 1))).astype(np.uint8)


def _encoded(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _linear(lightness: NDArray[np.float64], chroma: NDArray[np.float64], hue: float) -> NDArray[np.float64]:
    """Return linear sRGB (n, 3) of colours in OKLab."""
    angle = np.radians(hue)
    lab = np.stack([lightness, chroma * np.cos(angle), chroma * np.sin(angle)], axis=1)
    return np.asarray((lab @ _TO_LMS.T) ** 3 @ _TO_RGB.T)


@cache
def sequential() -> NDArray[np.uint8]:
    """Return a map (256, 3) sRGB from dark to light with one hue, for levels of sound: its lightness grows evenly."""
    size = np.linspace(0, 1, 256)
    lightness = 0.2 + 0.74 * size
    chroma = 0.09 * np.sin(np.pi * np.clip(size, 0, 1))
    linear = np.clip(_linear(lightness, chroma, _TEAL), 0, 1)
    return np.round(255 * _encoded(linear)).astype(np.uint8)
