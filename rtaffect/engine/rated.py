"""What a participant says beside what is predicted of it: their own continuous rating, of the same instant of a sound.

People rate some seconds after what they rate, and so did those to whom a bundle was fitted: predicted ratings are as
late as theirs were. What comes earlier waits for what comes later. With d = lag of the participant - lag of the
bundle's ratings, a prediction waits ceil(d) steps where d is positive, and the rating is read so much before the step's
end as is left of that, ceil(d) - d; where d is negative, the prediction is shown at once, and the rating is read -d
earlier. R rows, P headsets.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import BoolArray, FloatArray
from rtaffect.common.errors import SettingsError, setting
from rtaffect.common.rating_scale import RatingScale
from rtaffect.common.settings import STEP_S
from rtaffect.common.words import listed
from rtaffect.engine.found import Compared
from rtaffect.engine.trust import Trust
from rtaffect.observed.synchrony import Observation
from rtaffect.predicted.prediction import Prediction
from rtaffect.stream.doubt import Doubt
from rtaffect.stream.source import Source
from rtaffect.stream.status import SourceStatus

#: A second needs this share of its samples.
_LEAST_PRESENT: Final = 0.5
#: So far beyond the ends of the scale a value is rounding, as a share of the scale.
_ROUNDING: Final = 1e-3
#: Doubts about the rating are remembered for so long, s: longer than any lag.
_REMEMBERED_S: Final = 30.0
_WORDS: Final = "what is newer came after the step was made, if at all"
#: States in which samples that are missing may still come.
_MAY_COME: Final = frozenset({"ok", "waiting", "stalled", "duplicate", "wrong-rate"})
#: Why nothing is observed, in words.
NO_RATING: Final = "nobody rates: nothing is observed"
SILENT: Final = "no rating came"
UNSAID: Final = "the participant has not rated yet"
NO_NUMBER: Final = f"{UNSAID}, or what the program of their rating sends is no number (NaN)"


class Rated:
    """The rows of a session with a bundle of ratings: what is predicted, and what the participant says of it.

    Parameters
    ----------
    rows
        Names of the ratings.
    scale
        Of the bundle's ratings.
    source
        The participant's rating, with a channel for each row that they rate; None where nobody rates.
    origin
        LSL time of the session's zero, s.
    lag_s
        How late the participant's rating is behind the sound, s.

    Raises
    ------
    SettingsError
        If the source has none of the rows.
    """

    def __init__(
        self, rows: Sequence[str], scale: RatingScale, source: Source | None, origin: float, lag_s: float
    ) -> None:
        self.scale, self._rows, self._origin, self._lag_s = scale, rows, origin, lag_s
        self.sources: tuple[Source, ...] = () if source is None else (source,)
        ahead_s = lag_s - scale.lag_s if source is not None else 0.0
        waits = max(0, math.ceil(ahead_s - 1e-9))
        #: How long before a step's end the rating is read that is compared at it, s.
        self.back_s = waits - ahead_s
        self._columns = _columns(source, rows) if source is not None else np.full(len(rows), -1, np.intp)
        #: Which ratings and channels do not belong together, in words; '' where all do, or nobody rates.
        self.unmatched = _unmatched(source, rows, self._columns) if source is not None else ""
        # Our own slider says nothing until it is moved; of another program's nobody knows.
        self._unsaid = UNSAID if source is None or source.info.origin not in ("lsl", "xdf") else NO_NUMBER
        self._waiting: deque[tuple[Prediction, bool]] = deque(maxlen=waits + 1)
        self._doubted: set[tuple[float, float]] = set()
        self._cursor, self._reached, self._begun = 0, -math.inf, False

    def describe(self) -> dict[str, object]:
        """Return what ``session.toml`` says of it: the scale, and lags behind the sound, s."""
        told: dict[str, object] = {"low": self.scale.low, "high": self.scale.high, "bundle_lag_s": self.scale.lag_s}
        if self.scale.each:
            told["each"] = {name: list(ends) for name, ends in self.scale.each.items()}
        return told | ({"lag_s": self._lag_s} if self.sources else {})

    @property
    def needs(self) -> list[float]:
        """How much later than a step's end the rating must reach, s, for each source there is."""
        return [-self.back_s for _ in self.sources]

    def predicted(self, prediction: Prediction, trust: Trust) -> Prediction:
        """Return the prediction that is compared now: of so many steps ago as the participant is late."""
        self._waiting.append((prediction, trust.prediction))
        relied_on = all(trusted for _, trusted in self._waiting)
        if len(self._waiting) < (self._waiting.maxlen or 1) or not relied_on:
            return Prediction.nothing(len(self._rows))
        return self._waiting[0][0]

    def observed(self, step: int, trust: Trust, people: int, before: Mapping[str, float]) -> Compared:
        """Return what the participant says, and why they say nothing.

        Parameters
        ----------
        step, trust
            The present ones.
        people
            Number of headsets; where there is one, its wearer is who rates.
        before
            Until when samples had come in the session that is replayed, by source, where not all had; s, LSL clock.
        """
        if not self.sources:
            return Compared(Observation.nothing(people, len(self._rows)), "nothing", NO_RATING)
        source = self.sources[0]
        end = self._origin + step * STEP_S - self.back_s
        block = source.buffer.read(self._cursor, min(end, before.get(source.info.name, math.inf)))
        self._cursor = block.stop
        if len(block.times):
            self._reached = float(block.times[-1])
        inside = block.times > end - STEP_S
        values, why = self._second(block.samples[inside].astype(np.float64), source.info.rate)
        if self._in_doubt(trust.doubts, end):
            values, why = np.full(len(self._rows), np.nan), ""
        nothing = np.full(len(self._rows), np.nan)
        each = np.tile(values if people == 1 else nothing, (people, 1))
        told = Observation(each, values, nothing, nothing, math.nan, math.nan, math.nan)
        return Compared(told, "rating" if np.isfinite(values).any() else "nothing", why)

    def there(self, observed: FloatArray) -> BoolArray:
        """Return which rows (R,) have what is observed in this session: all where nobody rates them."""
        return np.isfinite(observed) | (self._columns < 0)

    def late(self, step: int, status: Iterable[SourceStatus]) -> list[Doubt]:
        """Return until when ratings had come for ``step``, as a doubt; none where all had, or no more come."""
        end = self._origin + step * STEP_S - self.back_s
        states = {at.name: at.state for at in status if at.kind == "rating"}
        return [
            Doubt("late-samples", self._reached, math.inf, _WORDS, "arrival", source.info.name)
            for source in self.sources
            if self._reached < end - 1.5 / source.info.rate and states.get(source.info.name) in _MAY_COME
        ]

    def _second(self, samples: FloatArray, rate: float) -> tuple[FloatArray, str]:
        """Return the mean (R,) of a second of samples (n, channels), and why one is missing."""
        if len(samples):
            self._begun = True
        found, why = np.full(len(self._rows), np.nan), ""
        for row, column in enumerate(self._columns):
            if column < 0:
                continue
            scale = self.scale.of(self._rows[row])
            room = _ROUNDING * (scale.high - scale.low)
            said = samples[:, column]
            said = said[np.isfinite(said)]
            if len(said) < max(1.0, _LEAST_PRESENT * rate * STEP_S):
                why = why or (self._unsaid if self._begun and len(samples) else SILENT)
            elif said.min() < scale.low - room or said.max() > scale.high + room:
                odd = said.min() if said.min() < scale.low - room else said.max()
                why = (
                    f"the rating {self._rows[row]} is {odd:g}, and the bundle's are from {scale.low:g} to "
                    f"{scale.high:g}: let it be sent on that scale"
                )
            else:
                found[row] = np.clip(said.mean(), scale.low, scale.high)
        return found, why

    def _in_doubt(self, doubts: Iterable[Doubt], end: float) -> bool:
        """Return whether the second that ends at ``end`` (s, LSL clock) may not be relied on."""
        (name,) = (source.info.name for source in self.sources)
        now = [(doubt.since, doubt.until) for doubt in doubts if doubt.about == "person" and doubt.part == name]
        over = {(since, until) for since, until in (*self._doubted, *now) if math.isfinite(until)}
        self._doubted = {each for each in over if each[1] > end - _REMEMBERED_S}
        return any(since <= end and until > end - STEP_S for since, until in (*self._doubted, *now))


def _columns(source: Source, rows: Sequence[str]) -> NDArray[np.intp]:
    """Return the channel of each row (R,), -1 where there is none."""
    names = [name.strip().casefold() for name in source.info.channels]
    columns = [names.index(row.casefold()) if row.casefold() in names else -1 for row in rows]
    if max(columns, default=-1) < 0:
        raise SettingsError(
            f"{setting('rating', source.info.name)} has the channels {listed(list(source.info.channels))}, and the "
            f"bundle's ratings are {listed(list(rows))}",
            remedy="name its channels as the ratings are named",
            field="rating",
        )
    return np.array(columns, np.intp)


def _unmatched(source: Source, rows: Sequence[str], columns: NDArray[np.intp]) -> str:
    """Return in words which ``rows`` a rating has no channel for, and which channels are no rows; '' for none."""
    lacking = [row for row, column in zip(rows, columns, strict=True) if column < 0]
    others = [name for at, name in enumerate(source.info.channels) if at not in columns]
    if not lacking:
        return ""
    unused = (
        f" (its {listed(others)} {'is' if len(others) == 1 else 'are'} none of the bundle's ratings)" if others else ""
    )
    return (
        f"the rating {source.info.name!r} has no channel {listed(lacking)}{unused}: nothing is observed of that; name "
        "its channels as the ratings, if it is there"
    )
