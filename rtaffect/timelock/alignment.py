"""Where in a known stimulus are we? Captured sound held against the stimulus, second by second.

Three stages. *Search*: the courses of 16 bands over the newest 6 and 20 s are correlated with the whole stimulus
(``sound_search.py``), which gives a handful of places to about 20 ms. *Match*: at each of them the waves of
the newest seconds are compared (``sound_match.py``), to .1 ms; the best place counts only if no other comes
near it. *Track*: from then on each second is compared with the one place where it must lie; a straight line through
what is found follows the drift of the clocks.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from rtaffect.common.arrays import Float32Array
from rtaffect.common.errors import SoundError
from rtaffect.stream.audio import SAMPLE_RATE
from rtaffect.timelock.sound_match import LAG, REACH, SAME_S, Evidence, Matcher, OffsetLine, peak_of, share_of_end
from rtaffect.timelock.sound_search import BANDS, FRAME, FRAMES_PER_S, HOP, SoundSearch, band_courses, band_power

State = Literal["searching", "locked", "lost"]

#: The best place must leave the next this far behind for a lock: confidence, 0 to 1.
LOCK_CONFIDENCE: Final = 0.5
#: A lock is lost after this many seconds in a row that do not speak for it.
PATIENCE_STEPS: Final = 4

#: Why a second does not confirm a lock: it is not there that it is found, but elsewhere, or only its beginning is.
ELSEWHERE: Final = "the newest second, or the end of it, is not where it should be in the stimulus"

#: Evidence beyond what chance gives (1 per second compared) for a lock and for keeping it.
_LOCK_EVIDENCE, _KEEP_EVIDENCE = 60.0, 20.0
_KEEP_CONFIDENCE = 0.25
#: A second whose evidence is above this is so clear that its end must speak for the same place, if the stimulus has so
#: much of its power there (fraction; .5 is even).
_CLEAR_EVIDENCE, _END_SHARE = 600.0, 0.3
#: An end that has less than this part of the power that it should have is silent.
_SILENT = 0.1
#: A measurement further than this from the line does not speak for it, s.
_GATE_S = 0.004
#: Lengths of the newest stretch that is sought, s, how much of it is compared wave by wave, and least to begin with.
_SOUGHT_S, _COMPARED_S, _LEAST_S = (6, 20), 6, 3
_PLACES = 5
_REACH_S = REACH / SAMPLE_RATE
_LEAST_STIMULUS_S = 5


@dataclass(frozen=True, slots=True)
class Alignment:
    """Where the stimulus is, as of the end of the newest second.

    Attributes
    ----------
    state
        'searching' before the first lock, 'locked', or 'lost' from losing it to the next lock. Only 'locked' is to be
        relied on.
    offset_s
        Session time, s, at which the stimulus began, by where it is now: session time t is second t - offset_s of the
        stimulus. Where it drifts this changes by ``drift_ppm``. NaN unless locked.
    confidence
        1 - (evidence for the next best place) / (evidence for this one), 0 where even that is chance; it falls to 0
        while seconds do not confirm it. A lock begins at ``LOCK_CONFIDENCE`` or above.
    drift_ppm
        How much slower the stimulus goes than the session, parts per million; NaN unless locked.
    reason
        Why there is no lock, or why the newest second does not confirm it; empty where it does.
    """

    state: State
    offset_s: float
    confidence: float
    drift_ppm: float
    reason: str = ""


class _Second(NamedTuple):
    """A captured second: when it began (s since the first one), its bands (50, 16), for matching, also of its end."""

    start: int
    power: Float32Array
    spectrum: NDArray[np.complex64]
    end: NDArray[np.complex64]
    share_of_end: float


class _Found(NamedTuple):
    """The best of the places that were compared: offset (s since the first second), confidence against the others."""

    offset: float
    confidence: float


class Aligner:
    """Aligns captured sound with a stimulus; one instance per session and stimulus.

    Parameters
    ----------
    stimulus
        float32 (n,), mono at 16 kHz, finite, at least 5 s and not silent.

    Raises
    ------
    SoundError
        If the stimulus is too short or silent.
    """

    def __init__(self, stimulus: Float32Array) -> None:
        _check_stimulus(stimulus)
        self._search, self._matcher = SoundSearch(stimulus), Matcher(stimulus)
        self._origin: float | None = None
        self._next = 0
        self._tail = np.full(FRAME - HOP, np.nan, np.float32)
        self._heard: deque[_Second] = deque(maxlen=max(_SOUGHT_S))
        # The line being followed, and the last one that was lost.
        self._line: OffsetLine | None = None
        self._known: OffsetLine | None = None
        # Where the last second was found, to be confirmed by the next.
        self._pending: list[float] = []
        self._forget_unsure()
        self._confidence = 0.0

    def step(self, sound: Float32Array | None, start_s: float) -> Alignment:
        """Take the next captured second and return where the stimulus is.

        Parameters
        ----------
        sound
            float32 (16000,), mono at 16 kHz; None where any of it is missing.
        start_s
            Session time of its first sample, s: whole seconds after the first call's, later than the last call's.
            Seconds left out are missing ones.
        """
        second = self._take(sound, start_s)
        now = self._next
        if self._line is not None:
            return self._track(self._line, second, now)
        if second is None:
            return self._nowhere("the newest second of sound is missing")
        return self._seek(now)

    def _take(self, sound: Float32Array | None, start_s: float) -> _Second | None:
        """Check and keep a second; return what is known of it, None where it is missing."""
        number = self._number_of(start_s)
        if sound is not None and (sound.shape != (SAMPLE_RATE,) or not np.isfinite(sound).all()):
            raise ValueError(
                f"a second of sound has shape {sound.shape}; expected (16000,) without NaN, or None for a missing one"
            )
        self._origin = start_s if self._origin is None else self._origin
        self._missed += number - self._next
        if number > self._next or sound is None:
            self._tail = np.full_like(self._tail, np.nan)
        self._next = number + 1
        while self._heard and self._heard[0].start < self._next - max(_SOUGHT_S):
            self._heard.popleft()
        if sound is None:
            return None
        second = _Second(number, band_power(sound, self._tail), *self._matcher.spectra(sound), share_of_end(sound))
        self._tail = sound[HOP - FRAME :].copy()
        self._heard.append(second)
        return second

    def _number_of(self, start_s: float) -> int:
        """Return how many seconds after the first one the second that begins at ``start_s`` does."""
        since = start_s - (start_s if self._origin is None else self._origin)
        number = round(since) if math.isfinite(since) else -1
        if number < self._next or abs(since - number) > 1e-3:
            first = "any time" if self._origin is None else f"{self._origin:g} s and whole seconds after it"
            raise ValueError(
                f"a second that begins at {start_s} s cannot come now: seconds begin at {first}, each once and in order"
            )
        return number

    # -- search ------------------------------------------------------------------------------------------------------

    def _seek(self, now: int) -> Alignment:
        newest = [second for second in self._heard if second.start >= now - _COMPARED_S]
        if len(newest) < _LEAST_S:
            return self._nowhere(f"{_LEAST_S} s of sound without a gap are needed")
        before = [*self._pending, *([self._known.at(now)] if self._known else [])]
        found = self._compare([*before, *self._places(now)], newest)
        self._pending, self._confidence = [], 0.0
        if found is None:
            return self._nowhere("what is heard is not found in the stimulus")
        self._pending, self._confidence = [found.offset], found.confidence
        if found.confidence < LOCK_CONFIDENCE:
            return self._nowhere("what is heard fits several places of the stimulus")
        if not any(abs(found.offset - offset) < _GATE_S for offset in before):
            return self._nowhere("found in the stimulus; the next second must confirm it")
        self._line = OffsetLine()
        self._line.add(now - len(newest) / 2, found.offset)
        self._forget_unsure()
        return self._here(self._line, now)

    def _places(self, now: int) -> list[float]:
        """Return the offsets, s since the first second, at which the bands go up and down as they were heard to."""
        power = np.full((max(_SOUGHT_S) * FRAMES_PER_S, BANDS), np.nan, np.float32)
        for second in self._heard:
            at = (second.start - now + max(_SOUGHT_S)) * FRAMES_PER_S
            power[at : at + FRAMES_PER_S] = second.power
        offsets = []
        for seconds in _SOUGHT_S:
            time_courses = band_courses(power[-seconds * FRAMES_PER_S :])
            offsets += [now - seconds - frame / FRAMES_PER_S for frame in self._search.find(time_courses, _PLACES)]
        return offsets

    def _compare(self, offsets: list[float], newest: list[_Second]) -> _Found | None:
        """Return the offset for which the newest seconds' waves speak best, None where none is beyond chance.

        The third of the seconds that speak most for a place is left out: one drum stroke that another piece of music
        has, too, is not enough.
        """
        found: list[tuple[float, float, float]] = []
        for number, offset in enumerate(offsets):
            if any(abs(offset - other) < _REACH_S / 2 for other in offsets[:number]):
                continue
            places = ((second.spectrum, round((second.start - offset) * SAMPLE_RATE)) for second in newest)
            each = np.stack([self._matcher.evidence(spectrum, place) for spectrum, place in places])
            # Drift moves the peak by up to 5 samples in 6 s.
            each = np.sort(maximum_filter1d(each, 5, axis=1), axis=0)
            peak = peak_of(each[: len(each) - round(len(each) / 3)].sum(axis=0))
            found.append((peak.value, offset - peak.lag / SAMPLE_RATE, peak.second))
        value, offset, second_best = max(found, default=(0.0, 0.0, 0.0))
        if value < _LOCK_EVIDENCE:
            return None
        others = [other for other, where, _ in found if abs(where - offset) > SAME_S]
        return _Found(offset, 1.0 - max([second_best, *others]) / value)

    # -- track -------------------------------------------------------------------------------------------------------

    def _track(self, line: OffsetLine, second: _Second | None, now: int) -> Alignment:
        self._missed += 1
        if second is not None:
            place = round((second.start - line.at(now - 0.5)) * SAMPLE_RATE)
            expected = second.start - place / SAMPLE_RATE
            self._unsure.append(self._matcher.evidence(second.spectrum, place))
            measured = self._confirmed(expected)
            broken = measured is not None and self._breaks_off(second, place, expected - measured)
            if measured is not None and not broken:
                line.add(now - 0.5, measured)
                self._forget_unsure()
                return self._here(line, now)
            if self._jumped(expected):
                return self._lose(line, "the sound jumped against the stimulus")
            if broken:
                # It must not speak for the seconds after the break.
                self._unsure.clear()
            if broken or self._displaced:
                return self._here(line, now, ELSEWHERE)
        if self._missed >= PATIENCE_STEPS:
            return self._lose(line, "what is heard is no longer the stimulus at this place")
        return self._here(line, now, "the newest second does not confirm the alignment")

    def _confirmed(self, expected: float) -> float | None:
        """Return the offset that the seconds since the last confirmation show together, None if they show none."""
        peak = peak_of(sum(self._unsure, np.zeros(1)) - len(self._unsure))
        alone = peak.second < (1.0 - _KEEP_CONFIDENCE) * peak.value
        if peak.value < _KEEP_EVIDENCE or not alone or abs(peak.lag) > _GATE_S * SAMPLE_RATE:
            return None
        self._confidence = min(1.0, 1.0 - peak.second / peak.value)
        return expected - peak.lag / SAMPLE_RATE

    def _breaks_off(self, second: _Second, place: int, lag: float) -> bool:
        """Return whether the end of a second is not at ``lag`` (s) from ``place``, though all of it together is.

        That is told only where the stimulus goes on to its end: if nothing is heard of that, or it is another place
        than in a second that is clear.
        """
        share = self._matcher.share_of_end(place)
        if share < _END_SHARE:
            return False
        if second.share_of_end < _SILENT * share:
            return True
        at = round((lag * SAMPLE_RATE + REACH) / LAG)
        near = slice(max(0, at - 2), at + 3)
        if self._unsure[-1][near].max() < _CLEAR_EVIDENCE:
            return False
        end = self._matcher.evidence(second.end, place)
        return bool(end[near].max() < _KEEP_EVIDENCE) and peak_of(end).value >= _LOCK_EVIDENCE

    def _jumped(self, expected: float) -> bool:
        """Return whether the newest two seconds lie at one place, and not where they must."""
        peak = peak_of(self._unsure[-1])
        if peak.value < _LOCK_EVIDENCE or abs(peak.lag) <= _GATE_S * SAMPLE_RATE:
            self._displaced.clear()
            return False
        self._displaced.append(expected - peak.lag / SAMPLE_RATE)
        return len(self._displaced) > 1 and abs(self._displaced[-1] - self._displaced[-2]) < _GATE_S

    def _lose(self, line: OffsetLine, reason: str) -> Alignment:
        """Forget the lock and all that was heard while it held; the line stays as one place to look at."""
        self._known, self._line, self._confidence = line, None, 0.0
        self._pending = self._displaced[-1:]
        heard = [second for second in self._heard if second.start >= self._next - self._missed]
        self._heard.clear()
        self._heard.extend(heard)
        self._forget_unsure()
        return self._nowhere(reason)

    def _forget_unsure(self) -> None:
        self._unsure: deque[Evidence] = deque(maxlen=PATIENCE_STEPS)
        self._displaced: list[float] = []
        self._missed = 0

    # -- results -----------------------------------------------------------------------------------------------------

    def _here(self, line: OffsetLine, now: int, reason: str = "") -> Alignment:
        confidence = self._confidence * (1.0 - self._missed / PATIENCE_STEPS)
        return Alignment("locked", (self._origin or 0.0) + line.at(now), confidence, line.slope * 1e6, reason)

    def _nowhere(self, reason: str) -> Alignment:
        return Alignment("lost" if self._known else "searching", math.nan, self._confidence, math.nan, reason)


def _check_stimulus(stimulus: Float32Array) -> None:
    if stimulus.ndim != 1 or not np.isfinite(stimulus).all():
        raise ValueError(f"the stimulus has shape {stimulus.shape}; expected (n,), mono at 16 kHz, without NaN")
    seconds = len(stimulus) / SAMPLE_RATE
    if seconds < _LEAST_STIMULUS_S or not stimulus.any():
        raise SoundError(
            f"a stimulus of {seconds:.1f} s, {'silent' if not stimulus.any() else 'with sound'}, cannot be recognised; "
            f"it needs sound and at least {_LEAST_STIMULUS_S} s: give the whole file, or give the onset by a marker"
        )
