"""What listeners' EEG shows in each row: by the live code, second by second, and from it synchrony offline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from calibration.corrca import Moments, fit, leave_one_out
from rtaffect.listener import Listener
from rtaffect.response import Response
from rtaffect.settings import STEP_S, Settings
from rtaffect.simulation.study import StudySound
from rtaffect.sources.base import Source
from rtaffect.spaces import ComponentSpace, Space
from rtaffect.synchrony import RowLayout, fisher_mean, means_of_others, running_correlation, standardise

Array = NDArray[np.float64]

#: Steps taken together; well within what a source's buffer keeps.
STRIDE_S = 10


def clean_channels(
    source: Source, onset: float, sound: StudySound, channels: Sequence[str], settings: Settings
) -> Array:
    """Return one listener's channels during a sound (time, C), V, as a live session has them; NaN where missing or bad.

    Several steps at once: the signal path gives the same for any chunking.
    """
    listener = Listener(source, channels, settings, onset, partial=True)
    pieces = []
    for start in range(0, sound.seconds, STRIDE_S):
        stop = min(start + STRIDE_S, sound.seconds)
        source.advance(onset + stop * STEP_S + listener.lookahead_s)
        listener.advance(stop)
        pieces.append(listener.window(stop, stop - start))
    return np.concatenate(pieces)


def group_responses(people: Sequence[Array], space: Space, settings: Settings) -> tuple[Array, RowLayout]:
    """Return the listeners' standardised responses (P, time, M * k) from their channels (time, C), and their layout."""
    second = STEP_S * settings.signal.rate_hz
    out = []
    for channels in people:
        response = Response(space, settings)
        out.append(np.concatenate([response(channels[a : a + second]) for a in range(0, len(channels), second)]))
    return standardise(np.stack(out), response.layout.k), response.layout


def synchrony_courses(group: Array, settings: Settings, layout: RowLayout) -> Array:
    """Return each one's correlation with the mean of the others (or with each of them) after each step, in Fisher z.

    From standardised people (P, time, M * k) to (P, steps, rows).
    """
    pairwise = settings.synchrony.method == "pairwise"
    each = range(len(group))
    partners = (np.delete(group, p, axis=0) for p in each) if pairwise else (m[None] for m in means_of_others(group))
    return np.stack([_course(p, them, settings, layout) for p, them in zip(group, partners, strict=True)])


def left_out_courses(people: Sequence[Array], spaces: Sequence[Space], settings: Settings) -> Array:
    """Return the same from the listeners' channels (time, C), each one's by the space that was fitted without them."""
    found = []
    for number, space in enumerate(spaces):
        group, layout = group_responses(people, space, settings)
        found.append(synchrony_courses(group, settings, layout)[number])
    return np.stack(found)


def _course(person: Array, partners: Array, settings: Settings, layout: RowLayout) -> Array:
    """Return one person's synchrony (steps, rows), Fisher z, with partners (partners, time, M * k), averaged."""
    rate, synchrony = settings.signal.rate_hz, settings.synchrony
    window = synchrony.window_s * rate
    least = int(np.ceil(synchrony.min_good * window))
    r = [running_correlation(person, p, window, STEP_S * rate, least, k=layout.k) for p in partners]
    return np.arctanh(layout.complete(fisher_mean(np.stack(r), axis=0)))


def component_spaces(
    sounds: Sequence[Sequence[Array]], channels: Sequence[str], settings: Settings
) -> tuple[ComponentSpace, list[ComponentSpace]]:
    """Return the space of the correlated components of all, and for each listener that of all but them.

    From each sound's listeners' channels (time, C), V, NaN where missing or bad.
    """
    moments = Moments(len(sounds[0]), len(channels))
    for people in sounds:
        moments.add(np.stack(people))
    whole = fit(moments, settings.synchrony.components, settings.synchrony.corrca_gamma)
    without = leave_one_out(moments, whole, settings.synchrony.corrca_gamma)
    spaces = [ComponentSpace(channels, c.filters, c.covariance) for c in (whole, *without)]
    return spaces[0], spaces[1:]


def mean_of(group: Array) -> Array:
    """Return the mean over those present (time, M * k) of standardised people; NaN where nobody is."""
    present = np.isfinite(group)
    count = present.sum(axis=0)
    total = np.where(present, group, 0.0).sum(axis=0)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))
