"""Finds people whose EEG is one person's: the same recording under two names, whatever its format, unit or reference.

A copy would make a group synchronised that is not. It is told by the signal itself: the filtered channels during the
sounds, against their own mean (so that no reference is left), correlated over all channels at every shift in time, of
one person with the other. What two people have in common by what they hear is far less than what a recording has with
itself: pairwise inter-subject correlation of EEG is some hundredths, seldom .1 (Cohen & Parra, *eNeuro* 3, 2016), and
half of both signals would have to be one and the same for .5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from rtaffect.common.arrays import FloatArray
from rtaffect.common.montage import is_eog, place_of

#: From this correlation on two recordings are the same; rounding to another format, or another rate, changes less.
SAME: Final = 0.95
#: From this correlation on they are as alike as one person's: a copy to which as much noise was added has .71.
ALIKE: Final = 0.7
#: Of each sound this much is compared, s, at this many samples a second, by at most so many channels.
_SECONDS, _RATE, _CHANNELS = 60, 100, 8
#: A channel counts if it is good for this part of the time. With fewer that all have, each pair has its own.
_GOOD, _ENOUGH = 0.5, 3
#: A peak that is not so many times the typical correlation at other shifts may be a rhythm that both have.
_PEAK: Final = 6.0
#: Between samples of the grid a copy is at least so much as alike as at its true shift.
_NEAR: Final = 0.8
#: Shifts leave at least this part of a sound, and of all sounds at least this long, s.
_LEFT, _LEAST_S = 0.5, 5.0
#: So many of a person's sounds are also looked for in the other's other sounds.
_ELSEWHERE: Final = 2
#: Channels that are compared first, where they are there.
_FIRST: Final = ("Cz", "Fz", "Pz", "Oz", "T7", "T8", "O1", "O2", "C3", "C4", "F3", "F4", "P3", "P4", "Fp1", "Fp2")

Spectra = NDArray[np.complex64]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two people whose recordings are alike: r at the shift where they are most, s by which ``second``'s is later."""

    first: str
    second: str
    files: tuple[str, str]
    r: float
    shift_s: float
    sounds: tuple[str, str]

    @property
    def same(self) -> bool:
        """Whether it is the same recording."""
        return self.r >= SAME

    def __str__(self) -> str:
        """Return it in one line, with what to do."""
        first, second = self.files
        where = ""
        if self.sounds[0] != self.sounds[1]:
            where = f" ({self.second}'s during {self.sounds[1]} is {self.first}'s during {self.sounds[0]})"
        elif abs(self.shift_s) > 1 / _RATE:
            where = f" ({self.second}'s {abs(self.shift_s):.2f} s {'later' if self.shift_s > 0 else 'earlier'})"
        if self.same:
            return (
                f"{self.second}: the EEG in {second} is that of {self.first} in {first}{where}, by its signal "
                f"(r = {self.r:.2f}), whatever its format, unit or reference; expected a recording of each listener's "
                "own: correct one of them, or leave it out"
            )
        return (
            f"{self.first} and {self.second}: their EEG ({first}, {second}) is as alike as one person's{where}: "
            f"r = {self.r:.2f}, where two people who hear the same sound stay far below .5; check that it is not one "
            "recording twice, and leave one of them out if it is"
        )


class People:
    """Takes each person's EEG during each sound, and tells who has the same."""

    def __init__(self) -> None:
        self._files: dict[tuple[str, str], str] = {}
        self._kept: dict[str, dict[str, tuple[tuple[str, ...], NDArray[np.float32]]]] = {}

    def add(self, person: str, file: str, sound: str, *, channels: Sequence[str], clean: FloatArray, rate: int) -> None:
        """Take the clean channels (time, C), V, of ``person`` during a sound, NaN where missing or bad, at ``rate`` Hz.

        What is kept of it is the first minute of some of the channels.
        """
        names = {place_of(name): i for i, name in enumerate(channels) if not is_eog(name)}
        step = max(1, rate // _RATE)
        used = clean[: _SECONDS * rate]
        used = used[: len(used) // step * step].reshape(-1, step, clean.shape[1]).mean(axis=1)
        good = np.isfinite(used).mean(axis=0) >= _GOOD
        places = [place for place, i in names.items() if good[i]]
        order = tuple(sorted(places, key=lambda place: (_rank(place), place))[:_CHANNELS])
        if order:
            self._files[person, sound] = file
            kept = np.asarray(used[:, [names[place] for place in order]] * 1e6, np.float32)
            self._kept.setdefault(person, {})[sound] = order, kept

    def alike(self) -> list[Pair]:
        """Return the pairs of people whose EEG is as alike as one person's, each once, where it is most."""
        common = self._common(self._kept)
        ready = {person: self._courses(person, common) for person in self._kept} if len(common) >= _ENOUGH else {}
        found = []
        for one, other in combinations(self._kept, 2):
            ours, theirs = ready.get(one), ready.get(other)
            if ours is None or theirs is None:
                places = self._common((one, other))
                if not places:
                    continue
                ours, theirs = self._courses(one, places), self._courses(other, places)
            found.append(self._pair(one, other, ours, theirs))
        return [pair for pair in found if pair is not None]

    def _courses(self, person: str, places: Sequence[str]) -> dict[str, _Course]:
        return {
            sound: _Course(samples[:, [held.index(place) for place in places]])
            for sound, (held, samples) in self._kept[person].items()
        }

    def _common(self, people: Iterable[str]) -> list[str]:
        """Return the channels that all of ``people`` have, and that are good."""
        each = [held for person in people for held, _ in self._kept[person].values()]
        return [place for place in each[0] if all(place in held for held in each)] if each else []

    def _pair(self, one: str, other: str, ours: Mapping[str, _Course], theirs: Mapping[str, _Course]) -> Pair | None:
        """Return two people if they are alike: in the sounds that both heard, or in one with another."""
        both = [sound for sound in ours if sound in theirs]
        looks = [([(ours[s], theirs[s]) for s in both], (both[0], both[0]))] if both else []
        longest = sorted(ours, key=lambda sound: -len(ours[sound]))[:_ELSEWHERE]
        looks += [([(ours[a], theirs[b])], (a, b)) for a in longest for b in theirs if a != b]
        best: Pair | None = None
        for courses, sounds in looks:
            r, shift = _likeness(courses)
            if r >= ALIKE and (best is None or r > best.r):
                files = self._files[one, sounds[0]], self._files[other, sounds[1]]
                best = Pair(one, other, files, r, shift / _RATE, sounds)
        return best


class _Course:
    """Some channels (time, C) against their mean, with the spectrum that correlating it at every shift needs."""

    def __init__(self, channels: NDArray[np.float32]) -> None:
        present = np.isfinite(channels)
        x = np.where(present, channels, 0.0)
        if channels.shape[1] > 1:
            count = np.maximum(present.sum(axis=1, keepdims=True), 1)
            x = np.where(present, x - x.sum(axis=1, keepdims=True) / count, 0.0)
        count = np.maximum(present.sum(axis=0), 1)
        x = np.where(present, x - x.sum(axis=0) / count, 0.0).astype(np.float32)
        self._length = len(x)
        self._size = next_fast_len(2 * len(x), real=True)
        self.spectrum: Spectra = rfft(x, self._size, axis=0)
        #: Power up to each sample (time + 1,).
        self.power = np.concatenate([[0.0], np.cumsum(np.square(x, dtype=np.float64).sum(axis=1))])

    def __len__(self) -> int:
        return self._length

    def products(self, other: _Course, shifts: NDArray[np.intp]) -> FloatArray:
        """Return the sums (3, shifts) of products xy, xx, yy of this at t with the other at t + shift."""
        if len(self) != len(other):
            return self._cut(len(other)).products(other._cut(len(self)), shifts)
        n, size = len(self), self._size
        xy = irfft(np.einsum("fc,fc->f", self.spectrum.conj(), other.spectrum), size)[shifts % size]
        a, b = np.maximum(0, -shifts), n - np.maximum(0, shifts)
        xx = self.power[b] - self.power[a]
        yy = other.power[b + shifts] - other.power[a + shifts]
        return np.stack([xy, xx, yy]).astype(np.float64)

    def products_between(self, other: _Course, shifts: FloatArray) -> FloatArray:
        """Return the sums (shifts,) of products xy at shifts that are no whole samples."""
        if len(self) != len(other):
            return self._cut(len(other)).products_between(other._cut(len(self)), shifts)
        cross = 2 * np.einsum("fc,fc->f", self.spectrum.conj(), other.spectrum)
        cross[0] /= 2
        turn = np.exp(2j * np.pi / self._size * np.outer(shifts, np.arange(len(cross))))
        return np.asarray((turn @ cross).real / self._size, np.float64)

    def _cut(self, length: int) -> _Course:
        """Return this, no longer than ``length`` samples."""
        if length >= len(self):
            return self
        return _Course(np.asarray(irfft(self.spectrum, self._size, axis=0)[:length], np.float32))


def _likeness(courses: Sequence[tuple[_Course, _Course]]) -> tuple[float, float]:
    """Return the largest correlation over all of ``courses`` at one shift, and that shift, samples; 0 if none tells."""
    lengths = [min(len(a), len(b)) for a, b in courses]
    reach = int(max(lengths) * (1 - _LEFT))
    shifts = np.arange(-reach, reach + 1)
    sums, left = np.zeros((3, len(shifts))), np.zeros(len(shifts))
    for (a, b), length in zip(courses, lengths, strict=True):
        inside = np.abs(shifts) <= length * (1 - _LEFT)
        sums[:, inside] += a.products(b, shifts[inside])
        left[inside] += length - np.abs(shifts[inside])
    usable = (left >= _LEAST_S * _RATE) & (sums[1] > 0) & (sums[2] > 0)
    scale = np.sqrt(np.where(usable, sums[1] * sums[2], 1.0))
    r = np.where(usable, sums[0] / scale, 0.0)
    place = int(r.argmax())
    typical = float(np.sqrt(np.square(r[usable]).mean())) if usable.any() else 0.0
    if r[place] < max(_PEAK * typical, _NEAR * ALIKE):
        return 0.0, 0.0
    # Between two samples a copy that is not on their grid is alike most.
    near = shifts[place] + np.linspace(-1, 1, 17)
    counted = [(a, b) for (a, b), n in zip(courses, lengths, strict=True) if abs(shifts[place]) <= n * (1 - _LEFT)]
    between = np.sum([a.products_between(b, near) for a, b in counted], axis=0) / scale[place]
    best = int(between.argmax())
    return min(1.0, float(between[best])), float(near[best])


def _rank(place: str) -> int:
    places = [place_of(name) for name in _FIRST]
    return places.index(place) if place in places else len(places)
