"""Real music, real ratings: can valence and arousal of a track that was left out be told from embeddings of its sound?

Avramidis et al. made public embeddings and mean ratings of 34 music tracks (58 segments of each). Segments of a track
have its rating: a track is one sample, the mean of its segments. Each track in turn is left out, ridge regression is
fitted to the others, with features standardised and the penalty chosen by leaving tracks out again within these. Beside
it stand the mean of the other tracks' ratings and the class that most of them have; chance is told by exchanging the
tracks' ratings and doing all of that again. Intervals are of a bootstrap over tracks.

RTAFFECT_RECORDINGS names a folder with ``affect/tracks_embeds.npy`` and ``affect/tracks_labels.npy``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import Rows, run
from rtaffect.common.threads import one_thread

Array = NDArray[np.float64]
DIMENSIONS = ("valence", "arousal")
MIDDLE = 5.0
PENALTIES = np.logspace(0, 5, 11)


@dataclass(frozen=True)
class Tracks:
    """Mean embeddings (tracks, E), ratings (tracks, 2)."""

    embedding: Array
    ratings: Array


def tracks_in(folder: Path) -> Tracks:
    """Return the tracks of the two files in ``folder``."""
    embeds = np.load(folder / "tracks_embeds.npy", allow_pickle=False).astype(np.float64)
    labels = np.load(folder / "tracks_labels.npy", allow_pickle=False).astype(np.float64)
    numbers = np.unique(labels[:, 2])
    own = [labels[:, 2] == number for number in numbers]
    ratings = np.array([labels[mine, :2].mean(axis=0) for mine in own])
    return Tracks(np.array([embeds[mine].mean(axis=0) for mine in own]), ratings)


class LeftOut:
    """Predicts each sample from the others by ridge; what depends on the features alone is computed once.

    Parameters
    ----------
    features
        (n, E).
    """

    def __init__(self, features: Array) -> None:
        count, every = len(features), np.arange(len(features))
        #: Of each left-out sample and penalty: weights of the others' values, (n, penalties, n).
        self._outer = np.zeros((count, len(PENALTIES), count))
        #: The same of each other sample, which is left out, too: (n, penalties, n, n).
        self._inner = np.zeros((count, len(PENALTIES), count, count))
        for out in range(count):
            rest = every[every != out]
            self._outer[out][:, rest] = _weights(features[rest], features[out])
            for inner in rest:
                train = rest[rest != inner]
                self._inner[out, :, inner, train] = _weights(features[train], features[inner]).T

    def predict(self, values: Array) -> Array:
        """Return the prediction of each of ``values`` (n,) from the others."""
        count = len(values)
        inner = np.einsum("oaij,j->oai", self._inner, values)
        errors = (inner - values) ** 2
        errors[np.arange(count), :, np.arange(count)] = 0.0
        best = errors.sum(axis=2).argmin(axis=1)
        return np.asarray(self._outer[np.arange(count), best] @ values)


def _weights(train: Array, one: Array) -> Array:
    """Return weights (penalties, n) by which ridge with an intercept predicts ``one`` from values of ``train``."""
    mean, spread = train.mean(axis=0), np.maximum(train.std(axis=0), 1e-9)
    x, at = (train - mean) / spread, (one - mean) / spread
    power, axes = np.linalg.eigh(x @ x.T)
    along = axes.T @ (x @ at)
    found = (along / (np.maximum(power, 0.0) + PENALTIES[:, None])) @ axes.T
    # The intercept is the mean of the values; centred features make the weights of a constant 0 on average.
    return np.asarray(found - found.mean(axis=1, keepdims=True) + 1 / len(train))


def scores(predicted: Array, values: Array) -> tuple[float, float, float]:
    """Return r, balanced accuracy at the scale's middle, and root mean square error."""
    r = float(np.corrcoef(predicted, values)[0, 1]) if np.ptp(predicted) > 0 and np.ptp(values) > 0 else 0.0
    high, told = values > MIDDLE, predicted > MIDDLE
    rates = [np.mean(told[high]), np.mean(~told[~high])] if high.any() and not high.all() else [np.nan]
    return r, float(np.mean(rates)), float(np.sqrt(np.mean((predicted - values) ** 2)))


def intervals(predicted: Array, values: Array, draws: int, rng: np.random.Generator) -> Array:
    """Return the 95 % intervals (3, 2) of the scores, of a bootstrap over samples."""
    drawn = [rng.integers(0, len(values), len(values)) for _ in range(draws)]
    return np.nanquantile([scores(predicted[i], values[i]) for i in drawn], [0.025, 0.975], axis=0).T


@one_thread()
def compare(tracks: Tracks, draws: int) -> Rows:
    """Return a row of each dimension: scores with intervals, those of the baselines, and p by exchanged ratings."""
    left, rng, rows = LeftOut(tracks.embedding), np.random.default_rng(0), []
    for column, name in enumerate(DIMENSIONS):
        values = tracks.ratings[:, column]
        predicted, count = left.predict(values), len(values)
        found, around = scores(predicted, values), intervals(predicted, values, max(draws, 100), rng)
        chance = np.array([scores(left.predict(y), y) for y in (rng.permutation(values) for _ in range(draws))])
        mean = (values.sum() - values) / (count - 1)
        high = ((values > MIDDLE).sum() - (values > MIDDLE)) / (count - 1)
        row: dict[str, Any] = {"dimension": name, "tracks": count}
        for number, (score, better) in enumerate((("r", 1), ("balanced", 1), ("rmse", -1))):
            beaten = (better * chance[:, number] >= better * found[number]).sum()
            low, top = around[number]
            row |= {score: found[number], f"{score}_from": low, f"{score}_to": top}
            row[f"{score}_p"], row[f"{score}_chance"] = (1 + beaten) / (1 + draws), float(np.median(chance[:, number]))
        row["rmse_mean"] = float(np.sqrt(np.mean((mean - values) ** 2)))
        row["accuracy"] = float(np.mean((predicted > MIDDLE) == (values > MIDDLE)))
        row["accuracy_majority"] = float(np.mean((high > 0.5) == (values > MIDDLE)))
        row["ratio"] = row["rmse_mean"] / row["rmse"]
        rows.append(row)
    return rows


def measure(quick: bool) -> Rows:
    """Return the figures of the tracks that are there."""
    folder = os.environ.get("RTAFFECT_RECORDINGS")
    if not folder:
        raise SystemExit("RTAFFECT_RECORDINGS names no folder: it is to have affect/tracks_embeds.npy")
    return compare(tracks_in(Path(folder) / "affect"), 99 if quick else 1999)


COLUMNS = (
    ("dimension", "of", ""), ("tracks", "tracks", "d"),
    ("r", "r", ".2f"), ("r_from", "from", ".2f"), ("r_to", "to", ".2f"), ("r_p", "p", ".4f"),
    ("balanced", "balanced accuracy", ".2f"), ("balanced_from", "from", ".2f"), ("balanced_to", "to", ".2f"),
    ("balanced_p", "p", ".4f"), ("balanced_chance", "exchanged", ".2f"),
    ("accuracy", "accuracy", ".2f"), ("accuracy_majority", "majority", ".2f"),
    ("rmse", "rms error", ".2f"), ("rmse_mean", "of the mean", ".2f"), ("ratio", "ratio", ".2f"),
)  # fmt: skip

if __name__ == "__main__":
    run(
        "affect_tracks", measure, COLUMNS,
        "each track predicted from the others; p: exchanged ratings; from, to: 95 %, bootstrap over tracks; ratio: "
        "error of the other tracks' mean over the error of ridge",
    )  # fmt: skip
