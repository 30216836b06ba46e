"""What continuous ratings are told on: the ends of their scale, and how late they are behind what they are about."""

from __future__ import annotations

from typing import Final, Self

from pydantic import Field, model_validator

from rtaffect.common.arrays import FloatArray
from rtaffect.common.settings import Frozen

#: How late a rating is behind the sound that it is about, s, where nobody says otherwise. Mariooryad & Busso (*IEEE
#: Trans. Affect. Comput.* 6, 2015) found 1 to 6 s, by rater and by what is rated, and that a fixed lag of 1 to 3 s is
#: better than none.
REACTION_LAG_S: Final = 3.0
#: More is no reaction any more, s.
MOST_LAG_S: Final = 8.0


class RatingScale(Frozen):
    """The scale of ratings: ``low`` and ``high`` are its ends, in the ratings' own unit.

    ``lag_s`` is how late they are behind the sound; 0 where they were moved back to it already.
    """

    low: float = Field(allow_inf_nan=False)
    high: float = Field(allow_inf_nan=False)
    lag_s: float = Field(REACTION_LAG_S, ge=0.0, le=MOST_LAG_S)

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if not self.high > self.low:
            raise ValueError(f"a scale from {self.low:g} to {self.high:g}: expected its lower end first")
        return self

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
