"""What continuous ratings are told on: the ends of their scale, and how late they are behind what they are about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Self

import numpy as np
from pydantic import Field, model_validator

from rtaffect.common.arrays import FloatArray
from rtaffect.common.settings import Frozen

#: How late a rating is behind the sound that it is about, s, where nobody says otherwise. Mariooryad & Busso (*IEEE
#: Trans. Affect. Comput.* 6, 2015) found 1 to 6 s, by rater and by what is rated, and that a fixed lag of 1 to 3 s is
#: better than none.
REACTION_LAG_S: Final = 3.0
#: More is no reaction any more, s.
MOST_LAG_S: Final = 8.0


End = Annotated[float, Field(allow_inf_nan=False)]


class RatingScale(Frozen):
    """The scale of ratings: ``low`` and ``high`` are its ends, in the ratings' own unit.

    ``each`` has those of ratings that are on another one, by name. ``lag_s`` is how late they are behind the sound; 0
    where they were moved back to it already.
    """

    low: End
    high: End
    lag_s: float = Field(REACTION_LAG_S, ge=0.0, le=MOST_LAG_S)
    each: dict[str, tuple[End, End]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _rises(self) -> Self:
        for low, high in ((self.low, self.high), *self.each.values()):
            if not high > low:
                raise ValueError(f"a scale from {low:g} to {high:g}: expected its lower end first")
        return self

    def of(self, rating: str) -> RatingScale:
        """Return the scale of one rating, by name."""
        low, high = self.each.get(rating, (self.low, self.high))
        return RatingScale(low=low, high=high, lag_s=self.lag_s)

    def shares(self, ratings: Sequence[str], values: FloatArray) -> FloatArray:
        """Return values (..., R) of as many ``ratings``, by name, as -1 to 1 of each one's own scale."""
        own = [self.of(rating) for rating in ratings]
        middle, half = (np.array([f(each) for each in own]) for f in (_middle, _half))
        return np.asarray((values - middle) / half)

    @property
    def middle(self) -> float:
        """The middle of the scale: neither pleasant nor unpleasant, neither calm nor excited."""
        return (self.low + self.high) / 2

    def share(self, values: FloatArray) -> FloatArray:
        """Return ratings of any shape as -1 (the low end) to 1 (the high end)."""
        return (values - self.middle) * (2.0 / (self.high - self.low))

    def value(self, share: float) -> float:
        """Return the rating at ``share`` of the scale, -1 to 1."""
        return self.middle + share * (self.high - self.low) / 2


def _middle(scale: RatingScale) -> float:
    return scale.middle


def _half(scale: RatingScale) -> float:
    return (scale.high - scale.low) / 2
