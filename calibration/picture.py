"""What is seen in each second of a film, as covariates of a sound: light, contrast, motion and cuts of its picture."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.errors import FilmError
from rtaffect.sources.film_file import FilmFrame, FilmReader
from rtaffect.stream.sound_reading import sound_length

NAMES: Final = ("luminance", "contrast", "motion", "cuts")
#: Pictures are looked at no larger than this, (width, height): noise of single pixels is no motion.
BOX: Final = (160, 90)
#: A cut: so much of the histogram moves (0 to 1), and so much of full scale each pixel on average.
_CUT_HISTOGRAM, _CUT_PIXELS = 0.3, 0.06
#: The next cut is at least so much later, s: a flash or a dissolve is not several.
_CUT_APART_S: Final = 0.15
_BINS: Final = 32

FloatArray = NDArray[np.float64]


@dataclass(slots=True)
class _Seen:
    """Sums over the seconds of a film, up to the newest frame."""

    values: FloatArray
    held: FloatArray = field(default_factory=lambda: np.zeros(2))
    since: float = 0.0
    picture: FloatArray | None = None
    histogram: FloatArray | None = None
    cut: float = -math.inf

    def hold(self, until: float) -> None:
        """Let what is seen stay until ``until``, s: each second has the mean over its time."""
        for second in range(int(self.since), min(len(self.values), math.ceil(until))):
            lasts = min(until, second + 1) - max(self.since, second)
            self.values[second, :2] += max(0.0, lasts) * self.held
        self.since = max(self.since, until)

    def add(self, frame: FilmFrame) -> None:
        """Take the next frame."""
        assert frame.picture is not None
        picture = frame.picture.astype(np.float64) / 255
        counts, _ = np.histogram(frame.picture, _BINS, (0, 256))
        histogram = counts / frame.picture.size
        self.hold(max(0.0, frame.time))
        second = int(max(0.0, frame.time))
        if self.picture is not None and self.histogram is not None and second < len(self.values):
            change = picture - self.picture
            moved = 0.5 * float(np.abs(histogram - self.histogram).sum())
            cut = moved > _CUT_HISTOGRAM and float(np.abs(change).mean()) > _CUT_PIXELS
            if not cut:
                self.values[second, 2] += float((change**2).mean())
            elif frame.time - self.cut > _CUT_APART_S:
                self.values[second, 3] += 1
            self.cut = frame.time if cut else self.cut
        self.picture, self.histogram = picture, histogram
        self.held = np.array([picture.mean(), picture.std()])


def picture_covariates(path: Path) -> FloatArray:
    """Return what is seen in each whole second of a film's sound, (seconds, 4), the columns of :data:`NAMES`.

    Luma Y' of the decoded picture, 0 to 1 of full scale, at most 160 x 90 pixels. *Luminance* and *contrast* are its
    mean and standard deviation over pixels, averaged over the second. *Motion* is the mean over pixels of the squared
    difference between successive frames, summed over the second, cuts left out: motion energy in its simplest form
    (Adelson & Bergen, *J. Opt. Soc. Am. A* 2, 1985, have filters in its place). *Cuts* are changes between two frames
    in which both the histogram and the pixels differ much (Zhang, Kankanhalli & Smoliar, *Multimedia Systems* 1, 1993).
    A picture that ends before its sound stays; before it begins the screen is black.

    Raises
    ------
    FilmError
        If it is no film with picture and sound, or no frame of it can be decoded.
    SoundError
        If its sound cannot be read.
    """
    # The film is opened before its sound is measured: what is no film is told as that.
    with FilmReader(path, BOX, "gray") as reader:
        seen = _Seen(np.zeros((int(sound_length(path).seconds), len(NAMES))))
        for frame in reader:
            if frame.time >= len(seen.values):
                break
            seen.add(frame)
    if seen.picture is None:
        raise FilmError(f"{path}: no frame of its picture can be decoded{reader.trouble}; export it again")
    seen.hold(float(len(seen.values)))
    return seen.values


def write_covariates(path: Path, values: FloatArray) -> None:
    """Write a table that a study's ``sound.covariates`` can name; raises OSError."""
    lines = [("time", *NAMES), *((str(i), *(f"{value:.6g}" for value in row)) for i, row in enumerate(values))]
    path.write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")
