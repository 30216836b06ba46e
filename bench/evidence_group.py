"""How often a group is called synchronised that is not, how often one that is, and what copies and decoding give.

Simulated EEG with a 1/f spectrum, 1 to 30 Hz, ten people, as in the tables of docs/how-it-works.md. Each row is a
question with a rate, or a mean, over studies (``n``), what would be right (nominal; of power: 1), and beside it what
the program gave or would give without it (``before``): the noise ceiling of listeners against everybody else for the
ceiling, a check of bytes for copies, a dozen whitened components for decoding. ``ratio`` is the figure, with half a
study more and two studies more of each kind (so that it is above 0), by what would be right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench import Rows, run
from bench.kept import Kept
from calibration.ceiling import ceiling_of_halves
from calibration.copies import People
from calibration.group_synchrony import PairSums
from calibration.intervals import half_means, noise_ceiling
from calibration.measured import half_time_courses
from calibration.model import RidgeSynchrony
from calibration.responses import synchrony_time_courses
from rtaffect.common.arrays import FloatArray
from rtaffect.common.settings import Settings
from rtaffect.observed.synchrony import RowLayout, standardise
from tests.support.attention import RATE as ATTENTION_RATE
from tests.support.attention import attention
from tests.support.helpers import brain_noise, people_with

SETTINGS = Settings()
RATE, WINDOW = SETTINGS.signal.rate_hz, SETTINGS.synchrony.window_s
CHANNELS = ("Fp1", "Fz", "Cz", "Pz", "O1", "O2", "T7", "T8")


@dataclass(frozen=True)
class Size:
    """Of a study, and how many of each kind; ``draws`` of chance, ``splits`` of the group."""

    studies: int = 200
    planted: int = 30
    people: int = 10
    sounds: int = 6
    seconds: int = 120
    rows: int = 4
    draws: int = 199
    splits: int = 4


REAL, QUICK = Size(), Size(4, 2, 6, 3, 40, 2, 39, 2)


#: Pairwise correlations of the studies in which people share something.
PLANTED = (0.001, 0.002, 0.005, 0.02, 0.05)


def study(seed: int, isc: float, size: Size) -> dict[str, Any]:
    """Return what a study of people with this pairwise correlation gives, as JSON."""
    rng, layout = np.random.default_rng([seed, round(1000 * isc)]), RowLayout.plain(size.rows)
    pairs, halves, courses = PairSums(layout, RATE, size.draws, seed), [], []
    for _ in range(size.sounds):
        group = standardise(people_with(rng, size.people, size.seconds * RATE, size.rows, isc))
        pairs.add(group)
        halves.append(half_time_courses(group, SETTINGS, layout, size.splits))
        courses.append(synchrony_time_courses(group, SETTINGS, layout).mean(axis=-1, keepdims=True))
    ceiling = ceiling_of_halves(halves, size.people, layout.counted, WINDOW, size.draws)
    before = noise_ceiling(size.people, half_means(courses), splits=20).r
    found = pairs.found()
    return {
        "synchronised": bool(found.synchronised),
        "p": float(found.p[-1]),
        "interval": [float(found.low[-1]), float(found.high[-1])],
        "ceiling": bool(ceiling.told[-1]),
        "before": float(before[0]),
    }


def measure(quick: bool, kept: Kept) -> Rows:
    """Return a row for each question."""
    size = QUICK if quick else REAL
    return [*_groups(size, kept), *_copies(size), *_decoding(size)]


def _groups(size: Size, kept: Kept) -> Iterator[dict[str, Any]]:
    found: dict[float, list[dict[str, Any]]] = {}
    # In turn, so that a run that is stopped has its share of each.
    counts = {0.0: size.studies} | dict.fromkeys(PLANTED, size.planted)
    for _, seed, isc in sorted((seed / n, seed, isc) for isc, n in counts.items() for seed in range(n)):
        each = kept.of(f"study {seed}, pairwise {isc:g}", lambda seed=seed, isc=isc: study(seed, isc, size))
        found.setdefault(isc, []).extend([] if each is None else [each])
    null = found.pop(0.0)
    yield _rate("unrelated: synchronised (any row, or the mean)", [f["synchronised"] for f in null], 0.05)
    yield _rate("unrelated: mean over rows, p < .05", [f["p"] < 0.05 for f in null], 0.05)
    yield _rate("unrelated: interval holds 0", [_holds(f, 0.0) for f in null], 0.95)
    before = float(np.mean([f["before"] for f in null]))
    yield _rate("unrelated: noise ceiling told", [f["ceiling"] for f in null], 0.05, before=before)
    for isc, each in found.items():
        yield _rate(f"pairwise {isc:g}: synchronised", [f["synchronised"] for f in each], 1.0)
        yield _rate(f"pairwise {isc:g}: interval holds it", [_holds(f, isc) for f in each], 0.95)


def _holds(found: dict[str, Any], isc: float) -> bool:
    low, high = found["interval"]
    return bool(low <= isc <= high)


def _copies(size: Size) -> Iterator[dict[str, Any]]:
    def people(isc: float, seed: int) -> FloatArray:
        rng = np.random.default_rng([seed, 7])
        return np.asarray(15e-6 * people_with(rng, 6, 6200, len(CHANNELS), isc))

    for isc in (0.1, 0.3, 0.5):
        found = [bool(_alike(people(isc, seed))) for seed in range(size.planted)]
        yield _rate(f"different people, pairwise {isc:g}: taken for one", found, 0.0)
    kinds: dict[str, Callable[[FloatArray, np.random.Generator], FloatArray]] = {
        "other unit, reference and rounding": lambda x, _: np.round(0.3 * (x - x[:, [2]]), 6),
        "1.7 s late": lambda x, _: np.roll(x, 170, axis=0),
        "with 80 % noise": lambda x, rng: x + 0.8 * 15e-6 * brain_noise(rng, len(x), x.shape[1]),
    }
    for name, change in kinds.items():
        found = []
        for seed in range(size.planted):
            group = people(0.05, seed)
            copy = change(group[0], np.random.default_rng([seed, 8]))
            found.append(bool(_alike(np.concatenate([group, copy[None]]))))
        yield _rate(f"copy, {name}: told", found, 1.0, before=0.0)


def _alike(group: FloatArray) -> int:
    found = People()
    for number, signals in enumerate(group):
        found.add(str(number), str(number), "sound", channels=CHANNELS, clean=signals[:6000], rate=RATE)
    return len(found.alike())


def _decoding(size: Size) -> Iterator[dict[str, Any]]:
    lags = tuple(range(-ATTENTION_RATE // 4, 1, 2))
    r: dict[int | None, list[list[float]]] = {None: [], 12: []}
    for seed in range(max(1, size.planted // 6)):
        trials = attention(strength=0.2, seed=seed)
        for components, each in r.items():
            for left_out in (0, 3):
                test = trials.trial == left_out
                model = RidgeSynchrony(components, lag_sets=(lags,), alphas=np.logspace(-6, 3, 10), edges="mean")
                model.fit(trials.eeg[~test], trials.attended[~test], trials.trial[~test])
                envelope = model.predict(trials.eeg[test])
                both = (trials.attended[test], trials.other[test])
                each.append([float(np.corrcoef(envelope, talker)[0, 1]) for talker in both])
    for place, name in enumerate(("attended", "other")):
        now, before = (float(np.mean([each[place] for each in r[n]])) for n in (None, 12))
        yield {
            "question": f"decoding: r with the {name} talker", "n": len(r[None]), "found": now, "error": None,
            "right": None, "before": before, "ratio": max(now, 1e-3) / max(before, 1e-3),
        }  # fmt: skip


def _rate(question: str, yes: list[bool], right: float, before: float | None = None) -> dict[str, Any]:
    n, rate = len(yes), float(np.mean(yes))
    return {
        "question": question, "n": n, "found": rate, "error": float(np.sqrt(max(right * (1 - right), 0.0) / n)),
        "right": right, "before": before, "ratio": (rate * n + 0.5) / (n + 2) / ((right * n + 0.5) / (n + 2)),
    }  # fmt: skip


if __name__ == "__main__":
    run(
        "evidence_group",
        measure,
        [("question", "question", ""), ("n", "n", "d"), ("found", "found", ".3f"), ("error", "+-", ".3f"),
         ("right", "right", ".2f"), ("before", "before", ".3f")],
        "rates over n simulated studies, +- the standard error of a nominal rate; before: of the ceiling its mean, of "
        "copies a check of bytes, of decoding 12 whitened components",
        keeps=True,
    )  # fmt: skip
