"""Results of own measures for other programs on the lab network: an LSL outlet beside that of the feedback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import numpy as np

from rtaffect.common.arrays import FloatArray
from rtaffect.engine.feedback import Feedback
from rtaffect.outputs.outlet import open_outlet, stamp_of, texts_of

MEASURE_STREAM: Final = "rtaffect-measures"
MEASURE_TYPE: Final = "Measures"
_QUANTITIES: Final = ("value", "null_low", "null_high")


class Named(Protocol):
    """What is known of a measure before its first value."""

    @property
    def name(self) -> str:
        """The measure's name."""

    @property
    def kind(self) -> str:
        """What its values are of: person, pair, group, or autonomic."""

    @property
    def unit(self) -> str:
        """Their unit; empty for a plain number."""

    @property
    def rows(self) -> tuple[str, ...]:
        """Names of its rows."""


def measure_channels(measures: Sequence[Named]) -> list[dict[str, str]]:
    """Return what the stream says of its channels, in the order of :func:`measure_values`.

    For each measure ``value`` of all rows, then ``null_low``, then ``null_high``.
    """
    return [
        {
            "label": f"{quantity}/{each.name}/{row}",
            "unit": each.unit or "1",
            "type": quantity,
            "measure": each.name,
            "kind": each.kind,
            "row": row,
        }
        for each in measures
        for quantity in _QUANTITIES
        for row in each.rows
    ]


def measure_values(feedback: Feedback) -> FloatArray:
    """Return the sample of one step, float64: means over people or pairs, and their null bands; absent is NaN."""
    parts = [getattr(each, quantity) for each in feedback.measures for quantity in _QUANTITIES]
    return np.concatenate(parts) if parts else np.empty(0)


class MeasureOutlet:
    """Offers what ``measures`` give at each step to other programs: a sink of Feedback.

    ``about`` and ``session`` are as for :class:`rtaffect.outputs.outlet.FeedbackOutlet`.
    """

    def __init__(self, measures: Sequence[Named], *, about: Mapping[str, object], session: str) -> None:
        said = texts_of(about, session)
        self._outlet = open_outlet(MEASURE_STREAM, MEASURE_TYPE, "double64", measure_channels(measures), said)

    def __call__(self, feedback: Feedback) -> None:
        """Send one step; a closed outlet sends nothing."""
        self._outlet.push_sample(measure_values(feedback), stamp_of(feedback.lsl_time))

    def close(self) -> None:
        """Take the stream off the network; may be called twice."""
        self._outlet.close()
