"""All that a calibration found, for the report and for machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from calibration.architectures import Architectures
from calibration.ceiling import NoiseCeiling
from calibration.elements import ElementsFound
from calibration.measured import Measured
from calibration.scales import Scales
from calibration.sweep import Sweep
from rtaffect.common.arrays import FloatArray
from rtaffect.engine.bundle import Bundle


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A calibration with everything that a reviewer would ask for. R rows; the mean over those that count comes last.

    Attributes
    ----------
    bundle
        What a session loads.
    measured
        Observed synchrony; of a study of ratings there are no listeners.
    sweep
        Every feature set's scores and chance levels.
    chosen
        Feature set of the bundle, and ``chosen_by``: how it was chosen, in words.
    ceiling
        Between which ends a perfect prediction would correlate with the group's mean, and whether there are any.
    covariates
        Names of the covariates.
    notes
        What was left out and why, and what to beware of: one sentence each.
    untold
        What a quick calibration cannot answer, one sentence each.
    seconds
        How long each stage took, s.
    architectures
        Other featurizers beside this one; None where they were not asked for.
    scales
        Other scales of time; None where they were not asked for.
    elements
        Voice and background alone; None where they were not asked for.
    """

    bundle: Bundle
    measured: Measured
    sweep: Sweep
    chosen: str
    chosen_by: str
    ceiling: NoiseCeiling
    covariates: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    architectures: Architectures | None = None
    scales: Scales | None = None
    elements: ElementsFound | None = None

    @property
    def ceiling_ends(self) -> tuple[FloatArray, FloatArray]:
        """The ceiling's low and high end (R + 1,) where it is distinguishable from none, else NaN."""
        return self.ceiling.ends
