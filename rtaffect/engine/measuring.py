"""What is measured beside synchrony at each step, and what goes wrong with that, as doubts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from rtaffect.common.arrays import FloatArray
from rtaffect.common.settings import STEP_S
from rtaffect.engine.trust import Trust
from rtaffect.measures.choice import ChosenMeasure
from rtaffect.measures.host import Failure, MeasureHost, NewSecond
from rtaffect.measures.measure import MeasureValues
from rtaffect.stream.doubt import Doubt


class Measuring:
    """A session's own measures; without any it gives nothing."""

    def __init__(self, host: MeasureHost | None = None) -> None:
        self._host = host

    @property
    def described(self) -> Sequence[ChosenMeasure]:
        """Names, kinds, units and rows of what is measured, in its order."""
        return self._host.chosen if self._host is not None else ()

    def describe(self) -> list[dict[str, object]]:
        """Return what ``session.toml`` says of it."""
        return self._host.describe() if self._host is not None else []

    def __call__(
        self, samples: FloatArray, trust: Trust, step: int, end: float
    ) -> tuple[tuple[MeasureValues, ...], Trust]:
        """Return what is measured at a step that ends at ``end`` (s, LSL clock), and with it what is in doubt.

        ``samples`` (P, rate, C) are everybody's newest second, V. A measure that is in doubt already, as a replay knows
        of it, has no value.
        """
        if self._host is None:
            return (), trust
        middle = end - STEP_S / 2
        told = [
            Failure(doubt.part, doubt.words, step, lasts=math.isinf(doubt.until))
            for doubt in trust.doubts
            if doubt.about == "measure" and doubt.since <= middle < doubt.until
        ]
        new = NewSecond(samples, trust.missing, trust.withheld, trust.foreign)
        values, failures = self._host.step(new, told)
        known = {failure.name for failure in told}
        doubts = [_doubt(failure, step, end) for failure in failures if failure.name not in known]
        return values, replace(trust, doubts=(*trust.doubts, *doubts))


def _doubt(failure: Failure, step: int, end: float) -> Doubt:
    since = end - (step - failure.step + 1) * STEP_S
    return Doubt("measure", since, math.inf if failure.lasts else end, failure.words, "measure", failure.name)
