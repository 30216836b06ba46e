"""What parts of a calibration's report cost that are asked for, or that draw chance, beside the fit of one layer.

Random features and courses with temporal memory stand for one layer and for listeners: the figures are about cost.
There are 99 draws here; work grows with them. Processor time of one process.

- one layer: the nested cross-validation of the layer, and its null, fitted anew; what else is told in multiples of;
- temporal resolution: the same at every scale (``--scales``);
- group, spectra: inter-subject correlation of all pairs, and both kinds of chance: turned, and with random phases of
  each response's spectrum. EEG of 100 Hz.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from bench import Rows, run, silent
from calibration.exact import exact_null
from calibration.group_synchrony import PairSums
from calibration.scales import scales_of, temporal_resolution
from calibration.statistics import score
from calibration.trends import paired, untrended
from calibration.validation import held_out
from rtaffect.common.settings import Settings
from rtaffect.observed.synchrony import RowLayout

Array = NDArray[np.float64]
SETTINGS = Settings()


@dataclass(frozen=True)
class Size:
    """Of a study, and draws of chance."""

    listeners: int
    sounds: int
    seconds: int
    rows: int
    features: int
    draws: int


REAL, QUICK = Size(10, 6, 120, 24, 288, 99), Size(3, 3, 60, 2, 8, 9)


def wander(rng: np.random.Generator, steps: int, columns: int) -> Array:
    """Return courses (steps, columns) that stay by .9 from step to step."""
    return np.asarray(lfilter([1.0], [1.0, -0.9], rng.standard_normal((steps, columns)), axis=0))


def measure(quick: bool) -> Rows:
    """Return a row for each part."""
    size, rng = QUICK if quick else REAL, np.random.default_rng(0)
    features = [wander(rng, size.seconds, size.features) for _ in range(size.sounds)]
    noise = {w: [0.05 * wander(rng, size.seconds, size.rows) for _ in features] for w in (3, 5, 10, 15)}
    everything = np.ones(size.rows, np.bool_)

    def one_layer() -> None:
        targets = untrended(noise[10], SETTINGS.drift)
        predicted = held_out(features, targets, SETTINGS)
        score(paired(predicted, targets, SETTINGS, everything[None]))
        exact_null(features, targets, SETTINGS, size.draws)

    def resolution() -> None:
        temporal_resolution(
            features, noise.__getitem__, SETTINGS, "layer-2", silent, counted=everything, draws=size.draws
        )

    group = rng.standard_normal((size.listeners, size.seconds * SETTINGS.signal.rate_hz, size.rows))

    def spectra(draws: int) -> Callable[[], None]:
        def work() -> None:
            sums = PairSums(RowLayout.plain(size.rows), SETTINGS.signal.rate_hz, draws)
            for _ in range(size.sounds):
                sums.add(group)

        return work

    parts = {
        "one layer, its own scale": one_layer,
        f"temporal resolution, {len(scales_of(SETTINGS))} scales": resolution,
        "group, chance of turns and of spectra": spectra(size.draws),
        "group, one draw of each": spectra(1),
    }
    spent = {name: _seconds(work) for name, work in parts.items()}
    return [_row(name, seconds, spent["one layer, its own scale"]) for name, seconds in spent.items()]


def _seconds(work: Callable[[], None]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def _row(part: str, seconds: float, one: float) -> dict[str, Any]:
    return {"part": part, "seconds": seconds, "ratio": seconds / one}


if __name__ == "__main__":
    run(
        "report_options",
        measure,
        [("part", "part", ""), ("seconds", "s", ".1f"), ("ratio", "times one layer", ".1f")],
        "processor seconds; 10 listeners, 6 sounds of 120 s, 24 rows, 288 features, 99 draws",
    )
