"""From one person's clean channels to the signal whose synchrony is computed, second by second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rtaffect.common.arrays import FloatArray
from rtaffect.common.settings import STEP_S, Settings
from rtaffect.common.threads import one_thread
from rtaffect.observed.participant import Participant
from rtaffect.observed.spaces import Space
from rtaffect.observed.time_course import TimeCourseSignal
from rtaffect.stream.source import Source

#: Steps of a recording that are taken together; well within what a source's buffer keeps.
STRIDE_S = 10


class Response:
    """What one person's brain shows in each row; the same live, in replay and in calibration.

    Parameters
    ----------
    space
        What the rows are.
    settings
        Which signal of the rows is compared.

    Attributes
    ----------
    layout
        How the columns that come out make rows.
    """

    def __init__(self, space: Space, settings: Settings) -> None:
        self._space = space
        self._signal = TimeCourseSignal(settings, space.layout.measured, space.layout.k)
        self.layout = replace(space.layout, k=self._signal.k)

    def __call__(self, second: FloatArray) -> FloatArray:
        """Take the next second of the space's channels (n, C), V; return the columns (n, M * k), NaN where missing."""
        return self._signal(self._space.time_courses(second))


@one_thread()
def clean_channels(
    source: Source, onset: float, seconds: int, channels: Sequence[str], settings: Settings
) -> FloatArray:
    """Return a recorded person's channels during a sound (time, C), V, as a live session has them.

    NaN where missing or bad. Several steps at once: the signal path gives the same for any chunking.

    Parameters
    ----------
    source
        A recorded source that nothing was taken from yet.
    onset, seconds
        When the sound began, s on the source's clock, and how long it lasted.
    channels, settings
        Which channels, and how they are cleaned.
    """
    participant = Participant(source, channels, settings, onset, partial=True)
    pieces = []
    for start in range(0, seconds, STRIDE_S):
        stop = min(start + STRIDE_S, seconds)
        source.advance(onset + stop * STEP_S + participant.lookahead_s)
        participant.advance(stop)
        pieces.append(participant.window(stop, stop - start))
    return np.concatenate(pieces)


@one_thread()
def whole_response(channels: FloatArray, space: Space, settings: Settings) -> FloatArray:
    """Return the response (time, M * k) to a whole sound from a person's clean channels (time, C), V."""
    response, second = Response(space, settings), STEP_S * settings.signal.rate_hz
    return np.concatenate([response(channels[a : a + second]) for a in range(0, len(channels), second)])
