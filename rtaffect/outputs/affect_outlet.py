"""Valence and arousal for other programs on the lab network: an LSL outlet beside that of the feedback."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from rtaffect.affect.values import SOURCES
from rtaffect.common.arrays import FloatArray
from rtaffect.engine.feedback import Feedback
from rtaffect.outputs.outlet import open_outlet, stamp_of, texts_of

AFFECT_STREAM: Final = "rtaffect-affect"
AFFECT_TYPE: Final = "Affect"
#: Of each source, and their units: ratings are in -1..1 of the scale.
QUANTITIES: Final = {
    "valence": "rating",
    "arousal": "rating",
    "valence_high": "probability",
    "arousal_high": "probability",
    "novelty": "limit",
}


def affect_channels(people: Sequence[str]) -> list[dict[str, str]]:
    """Return what the stream says of its channels, in the order of :func:`affect_values`: by person and source."""
    return [
        {
            "label": f"{quantity}/{source}/{person}",
            "unit": unit,
            "type": quantity,
            "source": source,
            "person": person,
        }
        for person in people
        for source in SOURCES
        for quantity, unit in QUANTITIES.items()
    ]


def affect_values(feedback: Feedback) -> FloatArray:
    """Return the sample of one step, float64; absent is NaN, and so is all of a step that is late, but novelty."""
    late = any(doubt.reason == "late" for doubt in feedback.doubts)
    return np.array(
        [
            math.nan if late and quantity != "novelty" else getattr(values.estimate(source), quantity)
            for values in feedback.affect
            for source in SOURCES
            for quantity in QUANTITIES
        ],
        np.float64,
    )


class AffectOutlet:
    """Offers valence and arousal of ``people`` at each step to other programs: a sink of Feedback.

    ``about`` and ``session`` are as for :class:`rtaffect.outputs.outlet.FeedbackOutlet`.
    """

    def __init__(self, people: Sequence[str], *, about: Mapping[str, object], session: str) -> None:
        said = texts_of(about, session)
        self._outlet = open_outlet(AFFECT_STREAM, AFFECT_TYPE, "double64", affect_channels(people), said)

    def __call__(self, feedback: Feedback) -> None:
        """Send one step; a closed outlet sends nothing."""
        self._outlet.push_sample(affect_values(feedback), stamp_of(feedback.lsl_time))

    def close(self) -> None:
        """Take the stream off the network; may be called twice."""
        self._outlet.close()
