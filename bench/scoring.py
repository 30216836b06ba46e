"""Should inner folds choose the penalty by squared error or by correlation? Both, on what was held out.

Simulated studies as a calibration has them (``bench.evidence_trends``: 6 sounds of 120 s, 16 features in 12 components,
whose part in synchrony is ``link``) and EEG of people who attend to one of two talkers (``tests.support.attention``).
Each row: held-out r by either, the mean difference by study +- its standard error, and the held-out squared error as a
share of the variance, which is what values and their intervals rest on. Real EEG: ``bench.decoding``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bench import Rows, run
from bench.evidence_trends import TAKEN, study
from bench.kept import Kept
from calibration.learner import SCORINGS
from calibration.model import RidgeSynchrony
from calibration.ridge import folds
from calibration.trends import untrended
from calibration.validation import model_for
from tests.support.attention import RATE, attention

LAGS = tuple(range(-RATE // 4, 1, 2))
ALPHAS = np.logspace(-6, 3, 10)
#: By either scoring: held-out r and squared error.
Trial = list[list[float]]


def calibrated(link: float, seed: int) -> Trial:
    """Return what a study gives, each sound left out."""
    features, targets = study(np.random.default_rng(seed), 0, sounds=6, seconds=120, link=link)
    targets = untrended(targets, TAKEN.drift)
    found = []
    for scoring in SCORINGS:
        model = model_for(TAKEN).set_params(scoring=scoring)
        found.append(_held_out(model, features, targets))
    return found


def decoded(strength: float, seed: int) -> Trial:
    """Return what decoding attention gives, each of six trials left out."""
    trials = attention(strength=strength, seed=seed)
    places = [trials.trial == number for number in np.unique(trials.trial)]
    eeg, heard = ([values[place] for place in places] for values in (trials.eeg, trials.attended[:, None]))
    found = []
    for scoring in SCORINGS:
        model = RidgeSynchrony(None, lag_sets=(LAGS,), alphas=ALPHAS, edges="mean", scoring=scoring)
        found.append(_held_out(model, eeg, heard))
    return found


def _held_out(model: RidgeSynchrony, x: Sequence[np.ndarray], y: Sequence[np.ndarray]) -> list[float]:
    """Return r over all that was held out, each part about its own means, and the error as a share of the variance."""
    lengths = [len(part) for part in x]
    everything, target, part = np.concatenate(x), np.concatenate(y), np.repeat(np.arange(len(x)), lengths)
    products, error = np.zeros(3), 0.0
    for train, test in folds(lengths, 0):
        found = model.fit(everything[train], target[train], part[train]).predict(everything[test])[:, 0]
        there, true = np.isfinite(found), target[test][:, 0]
        a, b = found[there] - found[there].mean(), true[there] - true[there].mean()
        products += a @ b, a @ a, b @ b
        error += float(np.square(found[there] - true[there]).sum())
    return [float(products[0] / np.sqrt(products[1] * products[2])), error / float(products[2])]


def measure(quick: bool, kept: Kept) -> Rows:
    """Return a row for each kind of study."""
    kinds: list[tuple[str, Callable[[int], Trial]]] = [
        *((f"calibration, link {link:g}", lambda seed, link=link: calibrated(link, seed)) for link in (0.2, 0.5, 1.0)),
        *((f"attention, strength {s:g}", lambda seed, s=s: decoded(s, 100 + seed)) for s in (0.05, 0.1, 0.2)),
    ]
    rows: list[dict[str, Any]] = []
    for name, trial in kinds:
        count = 2 if quick else 20 if name.startswith("calibration") else 6
        each = [kept.of(f"{name}, {seed}", lambda seed=seed, trial=trial: trial(seed)) for seed in range(count)]
        found = np.array([one for one in each if one is not None])
        if not len(found):
            continue
        (r_error, error), (r, error_r) = found.mean(axis=0)
        rise = found[:, 1, 0] - found[:, 0, 0]
        rows.append({
            "case": name, "n": len(found), "r by error": r_error, "r by r": r, "rise": float(rise.mean()),
            "se": float(rise.std() / np.sqrt(len(rise))), "error": error, "error by r": error_r,
            "ratio": max(abs(r), 1e-3) / max(abs(r_error), 1e-3),
        })  # fmt: skip
    return rows


if __name__ == "__main__":
    run(
        "scoring",
        measure,
        [("case", "study", ""), ("n", "n", "d"), ("r by error", "r, by error", ".3f"), ("r by r", "r, by r", ".3f"),
         ("rise", "rise", ".3f"), ("se", "+-", ".3f"), ("error", "error, by error", ".3f"),
         ("error by r", "error, by r", ".3f")],
        "held-out; error: as a share of the variance",
        keeps=True,
    )  # fmt: skip
