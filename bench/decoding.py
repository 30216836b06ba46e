"""Real EEG of one listener to two talkers: how well RidgeSynchrony tells which one was attended to.

Each of five trials of 60 s is left out in turn; the EEG of 128 channels at 64 Hz decodes the attended talker's envelope
from 0 to 250 ms later, and the result is correlated with both talkers' (O'Sullivan et al., *Cereb. Cortex* 25, 2015).
Beside the class, with its channels as they are (by either scoring) and with 12 whitened components, stands ridge
regression written out here in normal equations.

RTAFFECT_RECORDINGS names a folder in which ``cocktail`` holds the sample of a cocktail party experiment in
github.com/eteohx/EEG_cocktail_decoding, ``data``, which names Dryad, doi:10.5061/dryad.070jc, for more:
``F_env.mat``, ``M_env.mat``, ``competing_speaker_order.mat`` and ``Subject1_sample/1_1.mat`` to ``1_5.mat``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.signal import resample_poly

from bench import Rows, run
from rtaffect import RidgeSynchrony

Array = NDArray[np.float64]
TRIALS, RATE = 5, 64
LAGS = tuple(range(-RATE // 4, 1, 2))
ALPHAS = np.logspace(-4, 3, 15)


class Trials(NamedTuple):
    """EEG (steps, channels), envelopes (steps,) of the attended and the other talker, and each step's trial."""

    eeg: Array
    attended: Array
    other: Array
    trial: NDArray[np.intp]


def trials_in(folder: Path, count: int = TRIALS) -> Trials:
    """Return the first ``count`` trials, each course of mean 0 and variance 1 in its trial, at ``RATE``."""
    order = loadmat(folder / "competing_speaker_order.mat")["blk1_M_Order"].ravel()
    female, male = (loadmat(folder / f"{name}_env.mat")["stim1"].ravel() for name in "FM")
    parts: list[list[Array]] = []
    for number in range(count):
        eeg = loadmat(folder / "Subject1_sample" / f"1_{number + 1}.mat")["eeg"]
        both = female[number].reshape(-1, 1), male[order[number] - 1].reshape(-1, 1)
        steps = min(len(eeg), *map(len, both))
        parts.append([_half(each[:steps]) for each in (eeg, *both)])
    eeg, attended, other = (np.concatenate(each) for each in zip(*parts, strict=True))
    return Trials(eeg, attended[:, 0], other[:, 0], np.repeat(np.arange(count), [len(p[0]) for p in parts]))


def _half(series: NDArray[np.floating]) -> Array:
    """Return a series (n, columns) of 128 Hz at 64 Hz, standardised."""
    series = series.astype(np.float64)
    return np.asarray(resample_poly((series - series.mean(axis=0)) / series.std(axis=0), 1, 2, axis=0))


def by_class(components: int | None, scoring: str = "error") -> Callable[[Trials, NDArray[np.bool_]], Array]:
    """Return what decodes the steps ``test`` of trials by the class, fitted to the others."""

    def decode(trials: Trials, test: NDArray[np.bool_]) -> Array:
        model = RidgeSynchrony(components, lag_sets=(LAGS,), alphas=ALPHAS, edges="mean", scoring=scoring)
        model.fit(trials.eeg[~test], trials.attended[~test], trials.trial[~test])
        return np.asarray(model.predict(trials.eeg[test]))

    return decode


def by_hand(trials: Trials, test: NDArray[np.bool_]) -> Array:
    """Decode by normal equations; the penalty is the one by which trials of the training are decoded best."""
    numbers = np.unique(trials.trial[~test])
    design = {n: _lagged(trials.eeg[trials.trial == n]) for n in np.unique(trials.trial)}
    gram = {n: design[n].T @ design[n] for n in numbers}
    target = {n: design[n].T @ trials.attended[trials.trial == n] for n in numbers}
    found = np.zeros(len(ALPHAS))
    for left in numbers:
        others = [n for n in numbers if n != left]
        envelope, steps = trials.attended[trials.trial == left], int(np.isin(trials.trial, others).sum())
        weights = _weights(sum(gram[n] for n in others), sum(target[n] for n in others), steps)
        found += [np.corrcoef(design[left] @ w, envelope)[0, 1] for w in weights]
    weights = _weights(sum(gram.values()), sum(target.values()), steps=int((~test).sum()))
    return np.asarray(design[trials.trial[test][0]] @ weights[int(found.argmax())])


def _lagged(eeg: Array) -> Array:
    """Return the design (steps, channels * lags), each channel as late as a lag of ``LAGS`` says; 0 beyond the ends."""
    found = np.zeros((len(LAGS), *eeg.shape))
    for each, lag in zip(found, LAGS, strict=True):
        each[: len(eeg) + lag] = eeg[-lag:]
    return found.swapaxes(0, 1).reshape(len(eeg), -1)


def _weights(gram: Array, target: Array, steps: int) -> list[Array]:
    """Return the weights for each penalty, which is per step, as the class has it."""
    values, axes = np.linalg.eigh(gram)
    return [axes @ ((axes.T @ target) / (values + alpha * steps)) for alpha in ALPHAS]


WAYS: dict[str, Callable[[Trials, NDArray[np.bool_]], Array]] = {
    "RidgeSynchrony, channels as they are, scoring r": by_class(None, "r"),
    "the same, scoring error": by_class(None),
    "normal equations": by_hand,
    "RidgeSynchrony, 12 whitened components": by_class(12),
}


def compare(trials: Trials) -> Rows:
    """Return a row for each way of decoding."""
    rows: list[dict[str, Any]] = []
    for name, decode in WAYS.items():
        found = []
        for left_out in np.unique(trials.trial):
            test = trials.trial == left_out
            envelope = decode(trials, test)
            found.append([np.corrcoef(envelope, talker[test])[0, 1] for talker in (trials.attended, trials.other)])
        attended, other = np.mean(found, axis=0)
        right = sum(a > o for a, o in found)
        rows.append({
            "by": name, "attended": attended, "other": other, "right": f"{right} of {len(found)}",
            "ratio": max(attended, 1e-3) / max(other, 1e-3),
        })  # fmt: skip
    return rows


def measure(quick: bool) -> Rows:
    """Return the figures of the recordings that are there."""
    folder = os.environ.get("RTAFFECT_RECORDINGS")
    if not folder:
        raise SystemExit("RTAFFECT_RECORDINGS names no folder: it is to have cocktail/Subject1_sample/1_1.mat")
    return compare(trials_in(Path(folder) / "cocktail", 3 if quick else TRIALS))


if __name__ == "__main__":
    run(
        "decoding",
        measure,
        [
            ("by", "decoded by", ""),
            ("attended", "attended", ".3f"),
            ("other", "other", ".3f"),
            ("right", "told right", ""),
        ],
        "r of the decoded envelope with each talker's, mean over trials that were left out",
    )
