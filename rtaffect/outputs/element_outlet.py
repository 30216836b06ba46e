"""What voice and background predict, for other programs on the lab network: an LSL outlet beside the feedback's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from rtaffect.common.arrays import FloatArray
from rtaffect.engine.feedback import MEAN_ROW, Feedback
from rtaffect.outputs.outlet import Rows, distinct_names, open_outlet, stamp_of, texts_of
from rtaffect.predicted.feature_cache import Element

ELEMENT_STREAM: Final = "rtaffect-elements"
ELEMENT_TYPE: Final = "Elements"
_QUANTITIES: Final = ("predicted", "predicted_low", "predicted_high")


def element_channels(of: Rows, elements: Sequence[Element]) -> list[dict[str, str]]:
    """Return what the stream says of its channels, in the order of :func:`element_values`.

    For each element ``predicted`` of all rows and of their mean, then ``predicted_low``, then ``predicted_high``, and
    its level: 3 R + 4 channels each.
    """
    names = [*distinct_names(of.rows, of.row_kinds), MEAN_ROW]
    rows = [*zip(names, (*of.rows, MEAN_ROW), (*of.row_kinds, MEAN_ROW), strict=True)]
    found = []
    for element in elements:
        found += [
            {
                "label": f"{quantity}/{element}/{name}",
                "unit": "correlation",
                "type": quantity,
                "element": element,
                "row": row,
                "kind": kind,
            }
            for quantity in _QUANTITIES
            for name, row, kind in rows
        ]
        found.append({"label": f"level/{element}", "unit": "dB", "type": "level", "element": element})
    return found


def element_values(feedback: Feedback) -> FloatArray:
    """Return the sample of one step, float64; absent is NaN."""
    parts = [
        part
        for e in feedback.elements
        for part in (e.predicted, [e.mean], e.low, [e.mean_low], e.high, [e.mean_high], [e.level_db])
    ]
    return np.concatenate([np.asarray(part, np.float64) for part in parts]) if parts else np.empty(0)


class ElementOutlet:
    """Offers what ``elements`` predict at each step to other programs: a sink of Feedback.

    ``of`` has the session's rows; ``about`` and ``session`` are as for
    :class:`rtaffect.outputs.outlet.FeedbackOutlet`.
    """

    def __init__(self, of: Rows, elements: Sequence[Element], *, about: Mapping[str, object], session: str) -> None:
        channels = element_channels(of, elements)
        self._outlet = open_outlet(ELEMENT_STREAM, ELEMENT_TYPE, "double64", channels, texts_of(about, session))

    def __call__(self, feedback: Feedback) -> None:
        """Send one step; a closed outlet sends nothing."""
        self._outlet.push_sample(element_values(feedback), stamp_of(feedback.lsl_time))

    def close(self) -> None:
        """Take the stream off the network; may be called twice."""
        self._outlet.close()
