"""How often do controls for covariates credit the sound with what follows the picture alone, and find what does not?

Made-up studies of six sounds of 120 s, feature and synchrony courses with temporal memory: synchrony is the mean of a
drive over the window of 10 s, and as much noise of windows. Twelve features, of which six correlate with a picture
covariate at ``rho``. The drive is the picture alone, or the picture and one feature's own part, too.

The alternative is the paper's control: covariates join in the ridge regression and are zeroed when predicting; it is
asked of the first 40 studies. Each study is tested by 19 draws that are fitted anew: p <= .05 is to be above them all,
which comes in exactly 5 % where study and draws are alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from bench import Rows, run
from calibration.exact import exact_null
from calibration.statistics import pair, score
from calibration.unique import unique
from calibration.validation import held_out_each
from rtaffect.common.settings import PredictionSettings, Settings

Array = NDArray[np.float64]

SETTINGS = Settings(prediction=PredictionSettings(lags_s=(0, 3, 6, 9)))
WINDOW = SETTINGS.synchrony.window_s
FEATURES, LIKE_THE_PICTURE, ROWS = 12, 6, 2
#: How much of a course stays from second to second.
KEEP = 0.9
LEVEL = 0.05
#: Studies of which the paper's control is asked.
CONTROLLED = 40


@dataclass(frozen=True)
class Case:
    """What is planted: ``rho`` of features and picture, ``own`` the weight of a feature's own part."""

    name: str
    rho: float
    own: float
    covariates: int = 1


CASES = (
    Case("picture alone, rho .7", 0.7, 0.0),
    Case("picture alone, rho .3", 0.3, 0.0),
    Case("picture alone, rho .7, 4 covariates", 0.7, 0.0, 4),
    Case("picture and sound alike, rho .7", 0.7, 1.0),
    Case("picture, and half as much the sound, rho .7", 0.7, 0.5),
)


def study(seed: int, case: Case, *, sounds: int = 6, steps: int = 120) -> tuple[list[Array], list[Array], list[Array]]:
    """Return features (steps, 12), covariates (steps, V) and synchrony (steps, 2), Fisher z, of each sound."""
    rng = np.random.default_rng(seed)
    found: tuple[list[Array], list[Array], list[Array]] = ([], [], [])
    for _ in range(sounds):
        seen, own = (_wander(rng, steps + WINDOW, n) for n in (case.covariates, FEATURES))
        features = own.copy()
        like = slice(0, LIKE_THE_PICTURE)
        features[:, like] = case.rho * seen[:, :1] + np.sqrt(1 - case.rho**2) * own[:, like]
        drive = _windowed(seen[:, :1] + case.own * own[:, :1])
        noise = np.sqrt(WINDOW) * _windowed(rng.standard_normal((steps + WINDOW, ROWS)))
        synchrony = (0.1 + 0.1 * drive + 0.07 * noise)[WINDOW:]
        synchrony[: WINDOW - 1] = np.nan
        for parts, part in zip(found, (features[WINDOW:], seen[WINDOW:], synchrony), strict=True):
            parts.append(part)
    return found


def _wander(rng: np.random.Generator, steps: int, columns: int) -> Array:
    noise = rng.standard_normal((steps + 100, columns))
    return np.asarray(lfilter([np.sqrt(1 - KEEP**2)], [1, -KEEP], noise, axis=0)[100:])


def _windowed(course: Array) -> Array:
    return np.asarray(lfilter(np.ones(WINDOW) / WINDOW, 1, course, axis=0))


def zeroed(
    features: list[Array], covariates: list[Array], synchrony: list[Array], draws: int, seed: int
) -> tuple[float, float]:
    """Return held-out r of the mean over rows, and its p, with the paper's control."""
    predicted = held_out_each(features, [lambda: synchrony], SETTINGS, covariates)[0]
    r = score(pair(predicted, synchrony, WINDOW, averages=np.ones((1, ROWS), np.bool_))).r[-1]
    null = exact_null(features, synchrony, SETTINGS, draws, covariates=covariates, seed=seed)[:, -1]
    return float(r), float((1 + (null >= r).sum()) / (1 + draws))


def measured(case: Case, studies: int, draws: int) -> dict[str, Any]:
    """Return what both controls say of so many studies; r and p are (studies,)."""
    told, control = [], []
    for seed in range(studies):
        parts = study(seed, case)
        features, covariates, synchrony = parts
        found = unique("", features, synchrony, covariates, SETTINGS, draws=draws, seed=seed)
        told.append((found.r.value[-1], found.r.p_mean, found.gain.value[-1], found.gain.p_mean))
        if seed < CONTROLLED:
            control.append(zeroed(*parts, draws, seed))
    (r, p, rise, rise_p), (zeroed_r, zeroed_p) = np.array(told).T, np.array(control).T
    shares = [100 * float((each <= LEVEL).mean()) for each in (zeroed_p, p, rise_p)]
    return {
        "case": case.name,
        "studies": studies,
        "zeroed_r": zeroed_r.mean(),
        "zeroed_p": shares[0],
        "unique_r": r.mean(),
        "error": r.std(ddof=1) / np.sqrt(studies),
        "unique_p": shares[1],
        "rise": rise.mean(),
        "rise_p": shares[2],
        "ratio": (shares[0] + 1) / (shares[1] + 1),
    }


def measure(quick: bool) -> Rows:
    """Return the figures of each case."""
    studies, draws = (2, 19) if quick else (400, 19)
    rows: Rows = []
    for case in CASES:
        rows.append(measured(case, studies if case.own == 0 else max(2, studies // 4), draws))
        print(
            {key: round(value, 4) if isinstance(value, float) else value for key, value in rows[-1].items()}, flush=True
        )
    return rows


COLUMNS = (
    ("case", "planted", ""), ("studies", "studies", "d"), ("zeroed_r", "r zeroed", ".2f"),
    ("zeroed_p", "p <= .05, %", ".1f"), ("unique_r", "unique r", ".3f"), ("error", "its error", ".3f"),
    ("unique_p", "p <= .05, %", ".1f"), ("rise", "rise of r", ".3f"), ("rise_p", "p <= .05, %", ".1f"),
    ("ratio", "ratio", ".2f"),
)  # fmt: skip

if __name__ == "__main__":
    note = "means over studies; ratio: shares of p <= .05 by the paper's control and by unique r, each plus 1 %"
    run("evidence_covariates", measure, COLUMNS, note)
