"""How a stream of a participant's continuous rating is taken in: all of its channels, by name, in their own unit."""

from __future__ import annotations

import numpy as np

from rtaffect.common.errors import StreamError, under
from rtaffect.sources.channel_plan import ChannelPlan
from rtaffect.stream.limits import LEAST_RATE
from rtaffect.stream.source import StreamHeader

#: A rating has so many dimensions at most.
MOST_RATINGS = 16


def plan_rating(stream: StreamHeader) -> ChannelPlan:
    """Return the plan for a stream of ratings.

    Raises
    ------
    StreamError
        If it does not name its channels, or has more than a rating has.
    """
    if stream.channels > MOST_RATINGS:
        raise StreamError(
            f"stream {stream.name!r} has {stream.channels} channels, expected {MOST_RATINGS} or fewer for a rating; "
            f"choose another {under('rating')}"
        )
    if not all(label.strip() for label in stream.labels) or len(set(stream.labels)) < stream.channels:
        raise StreamError(
            f"stream {stream.name!r} does not name each of its {stream.channels} channels; expected what is rated, as "
            "in arousal and valence: let its sender name them"
        )
    return ChannelPlan(tuple(range(stream.channels)), stream.labels, np.ones(stream.channels))


def check_rating_rate(stream: StreamHeader) -> float:
    """Return the rate of a stream of ratings that has one, Hz.

    Raises
    ------
    StreamError
        If it is too slow: then nobody can tell a rating that stays from one that does not come.
    """
    if not (np.isfinite(stream.rate) and stream.rate >= LEAST_RATE):
        raise StreamError(
            f"stream {stream.name!r} has rate {stream.rate:g} Hz, expected {LEAST_RATE:g} Hz or more, so that a rating "
            "that stays is not one that is lost, or an irregular rate (0 Hz), where each value holds until the next: "
            "let the slider's place be sent 10 times a second, or whenever it changes"
        )
    return float(stream.rate)
