"""What a held-out r says where the truth is known: sounds that differ only in level, and descriptors of any unit.

``before`` is how it was done at first: r pooled over sounds, and principal components of raw values; ``after`` is what
the program does, r within sounds, and descriptors divided by their standard deviation. Made-up studies:

- *levels*: eight sounds whose synchrony and features each have a level and else only noise of their own. Nothing of the
  course within a sound can be predicted: truth 0.
- *loudness*: six sounds whose synchrony follows the first of twelve descriptors, each in its usual unit; by the
  settings of ``--quick`` (four components) and by the usual ones. Truth is r with all twelve, each of unit variance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from bench import Rows, run, silent
from calibration.command import QUICK
from calibration.statistics import score
from calibration.sweep import Question, sweep
from calibration.validation import fit
from rtaffect.common.settings import NO_DRIFT, PredictionSettings, Settings

Array = NDArray[np.float64]

STEPS, ROWS = 120, 2
#: Standard deviations of the twelve descriptors in composed soundtracks, each in its own unit.
UNITS = np.array([12.7, 0.25, 590, 495, 1180, 8.8, 0.33, 631, 8.6, 0.21, 9.9, 7.0])


def measure(quick: bool) -> Rows:
    """Return a row for each case: mean r over studies before and after, and what is true."""
    studies = 2 if quick else 40
    cases = [("levels alone, in the mean over rows", levels), ("loudness, --quick", _quick), ("loudness", _usual)]
    rows = []
    for case, of in cases:
        before, after, truth = np.mean([of(seed) for seed in range(studies)], axis=0)
        rows.append({"case": case, "studies": studies, "before": before, "after": after, "truth": truth,
                     "ratio": after / before})  # fmt: skip
    return rows


def levels(seed: int) -> tuple[float, float, float]:
    """Return r pooled over sounds, within them, and 0."""
    rng = np.random.default_rng(seed)
    level = np.linspace(-1, 1, 8)
    features = [x + 0.3 * rng.standard_normal((STEPS, 4)) for x in level]
    targets = [0.1 * x + 0.05 * windowed(rng) for x in level]
    settings = Settings(prediction=PredictionSettings(n_components=4, lags_s=(0, 3)))
    found = score(fit(features, targets, settings).pairs(settings))
    return float(found.pooled[-1]), float(found.r[-1]), 0.0


def _quick(seed: int) -> tuple[float, float, float]:
    return loudness(seed, Settings(prediction=QUICK, drift=NO_DRIFT))


def _usual(seed: int) -> tuple[float, float, float]:
    return loudness(seed, Settings(drift=NO_DRIFT))


def loudness(seed: int, settings: Settings) -> tuple[float, float, float]:
    """Return r of the descriptors by raw values, by the program, and by features of unit variance, all components."""
    rng = np.random.default_rng(seed)
    features = [lfilter([0.44], [1, -0.9], rng.standard_normal((STEPS + 50, 12)), axis=0)[50:] for _ in range(6)]
    kernel = np.ones(10) / 10
    targets = []
    for each in features:
        drive = np.convolve(each[:, 0], kernel)[:STEPS, None]
        target = 0.1 + 0.1 * drive + 0.05 * windowed(rng)
        target[:9] = np.nan
        targets.append(target)
    raw = [each * UNITS for each in features]
    question = Question(targets, [t[None] for t in targets], np.ones(ROWS, np.bool_))
    found = sweep({"lld": raw}, question, settings, silent, draws=9).of("lld")
    whole = settings.model_copy(update={"prediction": settings.prediction.model_copy(update={"n_components": 12})})
    before, best = (score(fit(x, targets, s).pairs(s)).r[-1] for x, s in ((raw, settings), (features, whole)))
    return float(before), float(found.score.r[-1]), float(best)


def windowed(rng: np.random.Generator) -> Array:
    """Return noise (steps, rows) of windows of ten steps."""
    return np.asarray(lfilter(np.ones(10) / np.sqrt(10), 1, rng.standard_normal((STEPS + 10, ROWS)), axis=0)[10:])


COLUMNS = [
    ("case", "case", ""), ("studies", "studies", "d"), ("before", "r, before", ".3f"), ("after", "r, after", ".3f"),
    ("truth", "truth", ".3f"),
]  # fmt: skip

if __name__ == "__main__":
    run("evidence_scores", measure, COLUMNS, "before: pooled over sounds, raw values; after: as the program does it")
