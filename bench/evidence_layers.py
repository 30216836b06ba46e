"""How often are two feature sets told apart that predict alike, and how often is a better one found?

Made-up studies of ten sounds of 60 s: synchrony follows one source as far as ``signal`` says, with noise of windows.
Two sets of features see that source with noise of their own, alike or not. Their held-out r is compared over sounds by
flipping signs of differences of Fisher z: with the bound for predictions that were fitted to each other's sounds, and
without, which is the alternative.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from bench import Rows, run
from calibration.statistics import compare, pair, score
from calibration.validation import held_out
from rtaffect.common.settings import PredictionSettings, Settings

Array = NDArray[np.float64]

SETTINGS = Settings(prediction=PredictionSettings(n_components=2, lags_s=(0,)))
WINDOW = SETTINGS.synchrony.window_s
SOUNDS, STEPS = 10, 60
LEVEL = 0.05
#: What is planted: how much synchrony follows the source, and how much noise each set's features have.
CASES = (
    ("nothing is predicted", 0.0, (1.0, 1.0)),
    ("both predict alike", 0.5, (1.0, 1.0)),
    ("one is better", 1.0, (0.2, 2.0)),
)


def correlations(seed: int, signal: float, noise: tuple[float, float]) -> Array:
    """Return held-out r (2, sounds) of the two sets."""
    rng = np.random.default_rng(seed)
    source = [_wander(rng) for _ in range(SOUNDS)]
    kernel = np.ones(WINDOW) / np.sqrt(WINDOW)
    windowed = [lfilter(kernel, 1, rng.standard_normal((STEPS + WINDOW, 1)), axis=0)[WINDOW:] for _ in source]
    synchrony = [signal * s + w for s, w in zip(source, windowed, strict=True)]
    found = []
    for level in noise:
        features = [np.hstack([s + level * _wander(rng), _wander(rng)]) for s in source]
        predicted = held_out(features, synchrony, SETTINGS)
        found.append(score(pair(predicted, synchrony, WINDOW)).each[:, 0])
    return np.stack(found)


def _wander(rng: np.random.Generator) -> Array:
    return np.asarray(lfilter([0.6], [1, -0.8], rng.standard_normal((STEPS + 50, 1)), axis=0)[50:])


def measure(quick: bool) -> Rows:
    """Return how often p is at most .05, with the bound and without."""
    studies = 3 if quick else 300
    rows: list[dict[str, Any]] = []
    for case, signal, noise in CASES:
        each = [correlations(seed, signal, noise) for seed in range(studies)]
        with_it, without = (
            100 * float(np.mean([compare(r, cross_fitted=bound).single[0] <= LEVEL for r in each]))
            for bound in (True, False)
        )
        rows.append({
            "case": case, "studies": studies, "r": float(np.mean(each)),
            "bound": with_it, "none": without, "ratio": (without + 1) / (with_it + 1),
        })  # fmt: skip
    return rows


COLUMNS = (
    ("case", "planted", ""), ("studies", "studies", "d"), ("r", "held-out r", ".2f"),
    ("bound", "p <= .05, %", ".1f"), ("none", "without the bound, %", ".1f"), ("ratio", "ratio", ".2f"),
)  # fmt: skip

if __name__ == "__main__":
    run("evidence_layers", measure, COLUMNS, "two sets compared over ten sounds; ratio: of the shares, each plus 1 %")
