"""All that a calibration of ratings found: each rating on its own, since the mean of two would mean nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from calibration.outcome import Outcome
from calibration.ratings.agreement import RaterAgreement
from rtaffect.engine.bundle import Bundle

#: With fewer stimuli flips of signs cannot reach p = .05, so that nothing can be said of other stimuli.
LEAST_STIMULI: Final = 6


@dataclass(frozen=True, slots=True, eq=False)
class RatedOutcome:
    """A calibration of ratings.

    Attributes
    ----------
    bundle
        What a session loads; it has all ratings, by features of one layer.
    chosen, chosen_by
        That layer, and how it was chosen, in words.
    each
        Of each rating, in the bundle's order, what was found of it alone.
    agreement
        Of each rating how far its raters agree; None where there are not two of them.
    covariates, notes, seconds
        As in :class:`calibration.outcome.Outcome`.
    """

    bundle: Bundle
    chosen: str
    chosen_by: str
    each: tuple[Outcome, ...]
    agreement: tuple[RaterAgreement | None, ...]
    covariates: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def stimuli(self) -> int:
        """How many stimuli were fitted on."""
        return len(self.each[0].measured.sounds)


def too_few(stimuli: int, noun: str = "stimulus") -> str:
    """Return what so few stimuli cannot show, '' where there are enough."""
    if stimuli >= LEAST_STIMULI:
        return ""
    many = f"one {noun}" if stimuli == 1 else f"{stimuli} {'stimuli' if noun == 'stimulus' else noun + 's'}"
    held = "blocks of itself" if stimuli == 1 else "so few others"
    return (
        f"{many} {'is' if stimuli == 1 else 'are'} too little for a claim: what is held out is predicted from {held}, "
        f"and what holds here need not hold for another stimulus; expected at least {LEAST_STIMULI} to say anything of "
        "others"
    )


def named(outcome: RatedOutcome) -> Sequence[tuple[str, Outcome, RaterAgreement | None]]:
    """Return each rating's name, what was found of it, and how far its raters agree."""
    return list(zip(outcome.bundle.space.rows, outcome.each, outcome.agreement, strict=True))
