"""What listeners' EEG shows in each row: by the live code, second by second, and from it synchrony offline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from calibration.corrca import Moments, fit, leave_one_out
from rtaffect.common.arrays import FloatArray
from rtaffect.common.correlation import fisher_mean, fisher_z
from rtaffect.common.settings import STEP_S, Settings
from rtaffect.observed.response import Response, whole_response
from rtaffect.observed.spaces import ComponentSpace, Space
from rtaffect.observed.synchrony import RowLayout, means_of_others, running_correlation, standardise


def group_responses(people: Sequence[FloatArray], space: Space, settings: Settings) -> tuple[FloatArray, RowLayout]:
    """Return the listeners' standardised responses (P, time, M * k) from their channels (time, C), and their layout."""
    layout = Response(space, settings).layout
    group = np.stack([whole_response(channels, space, settings) for channels in people])
    return standardise(group, layout.k), layout


def synchrony_time_courses(group: FloatArray, settings: Settings, layout: RowLayout) -> FloatArray:
    """Return each one's correlation with the mean of the others (or with each of them) after each step, in Fisher z.

    From standardised people (P, time, M * k) to (P, steps, rows).
    """
    pairwise = settings.synchrony.method == "pairwise"
    each = range(len(group))
    partners = (np.delete(group, p, axis=0) for p in each) if pairwise else (m[None] for m in means_of_others(group))
    return np.stack([_course(p, them, settings, layout) for p, them in zip(group, partners, strict=True)])


def left_out_time_courses(people: Sequence[FloatArray], spaces: Sequence[Space], settings: Settings) -> FloatArray:
    """Return the same from the listeners' channels (time, C), each one's by the space that was fitted without them."""
    found = []
    for number, space in enumerate(spaces):
        group, layout = group_responses(people, space, settings)
        found.append(synchrony_time_courses(group, settings, layout)[number])
    return np.stack(found)


def _course(person: FloatArray, partners: FloatArray, settings: Settings, layout: RowLayout) -> FloatArray:
    """Return one person's synchrony (steps, rows), Fisher z, with partners (partners, time, M * k), averaged."""
    rate, synchrony = settings.signal.rate_hz, settings.synchrony
    window = synchrony.window_s * rate
    least = int(np.ceil(synchrony.min_good * window))
    r = [running_correlation(person, p, window, STEP_S * rate, least, k=layout.k) for p in partners]
    return fisher_z(layout.complete(fisher_mean(np.stack(r), axis=0)))


def component_spaces(
    sounds: Sequence[Sequence[FloatArray]], channels: Sequence[str], settings: Settings
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
