"""How often unrelated people leave the null band of one window alone, which is shown while the EEG has just changed.

``alpha``: everybody's alpha rules all the time; each window of 10 s is held against its own band, 16 windows a study.
``before`` is the band of ten turns of whole seconds, written out here. ``eyes close``: a session of a group whose eyes
close at 120 s, by the program's own observer; the first minute after that, as in ``bench.evidence_live``.

Rates of 8 rows and of their mean, nominal .05, +- the standard error over studies; ``width``: of the band, as a share
of the former one's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import t as student_t

from bench import Rows, run
from bench.evidence_live import RATE, SETTINGS, WINDOW_S, _closing, _out
from bench.kept import Kept
from rtaffect.common.correlation import fisher_z, pearson
from rtaffect.observed.observer import GroupObserver
from rtaffect.observed.reversal import reversed_sums
from rtaffect.observed.seconds import Seconds
from rtaffect.observed.synchrony import Observation, RowLayout, others_mean, summarise

ROWS, WINDOWS, FIRST_S, CLOSE_S = 8, 16, 5, 120
LAYOUT = RowLayout.plain(ROWS)


def windows(people: int, width_hz: float, seed: int) -> list[list[float]]:
    """Return for each way (before, now) the rates of rows and mean, and the band's width, of one study."""
    rng = np.random.default_rng([people, round(10 * width_hz), seed, 6])
    group = _closing(rng, people, FIRST_S + WINDOWS * WINDOW_S, 0, ROWS, width_hz)
    everybody, others = (_kept(each) for each in (group, others_mean(group)))
    found: list[list[list[float]]] = []
    for last in range(FIRST_S + WINDOW_S - 1, group.shape[1] // RATE, WINDOW_S):
        everybody.stop = last + 1
        chance = pearson(reversed_sums(everybody, others, last, WINDOW_S)[0], RATE)
        window = slice((last + 1 - WINDOW_S) * RATE, (last + 1) * RATE)
        x, y = (each[:, window] - each[:, window].mean(axis=1, keepdims=True) for each in (group, others_mean(group)))
        r = (x * y).sum(axis=1) / np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
        values = np.concatenate([r[:, :, None], chance], axis=-1).transpose(0, 2, 1)
        now = summarise(values, SETTINGS, LAYOUT, mutual=False, circle=True)
        found.append([_by_whole_seconds(values), _told(now)])
    return np.mean(found, axis=0).tolist()


def _kept(courses: np.ndarray) -> Seconds:
    seconds = courses.shape[1] // RATE
    found = Seconds(len(courses), courses.shape[2], RATE, seconds)
    for start in range(0, seconds * RATE, RATE):
        found.append(courses[:, start : start + RATE])
    return found


def _by_whole_seconds(values: np.ndarray) -> list[float]:
    """Return what ten turns of whole seconds tell, as ten values that do not depend on each other."""
    z = fisher_z(values).mean(axis=0)
    z = np.concatenate([z, z.mean(axis=1, keepdims=True)], axis=1)
    turned = z[1 :: (len(z) - 1) // WINDOW_S]
    reach = student_t.ppf(0.975, WINDOW_S - 1) * np.sqrt((1 + 1 / WINDOW_S) * turned.var(axis=0, ddof=1))
    out = np.abs(z[0] - turned.mean(axis=0)) > reach
    return [float(out[:-1].mean()), float(out[-1]), float(reach[:-1].mean())]


def _told(o: Observation) -> list[float]:
    reach = (np.arctanh(o.high) - np.arctanh(o.low)) / 2
    return [_out(o.mean, o.low, o.high), _out(o.overall, o.overall_low, o.overall_high), float(reach.mean())]


def closing(people: int, width_hz: float, seed: int) -> list[list[float]]:
    """Return the rates of rows and mean in the first minute of closed eyes, by the program's observer."""
    rng = np.random.default_rng([people, round(10 * width_hz), seed])
    group = _closing(rng, people, CLOSE_S + 70, CLOSE_S, ROWS, width_hz)
    observer = GroupObserver(people, RATE, SETTINGS, layout=LAYOUT)
    seen = [observer(group[:, start : start + RATE]) for start in range(0, (CLOSE_S + 60) * RATE, RATE)]
    told = [_told(each) for each in seen[CLOSE_S::2] if each is not None]
    return [[float("nan")] * 3, np.mean(told, axis=0).tolist()]


def measure(quick: bool, kept: Kept) -> Rows:
    """Return a row for each kind of study."""
    kinds = [("alpha", windows, people, width) for width in (0.5, 1.0, 2.0) for people in (2, 4, 8)]
    kinds.append(("eyes close", closing, 4, 1.0))
    sizes = {"alpha": 1 if quick else 50, "eyes close": 1 if quick else 55}
    found: dict[str, list[list[list[float]]]] = {}
    # In turn, so that a run that is stopped has its share of each.
    for seed in range(max(sizes.values())):
        for name, trial, people, width in kinds:
            case = f"{name}, group of {people}, {width:g} Hz wide"
            if seed < sizes[name]:
                work = lambda trial=trial, people=people, width=width, seed=seed: trial(people, width, seed)  # noqa: E731
                one = kept.of(f"{case}, {seed}", work)
                found.setdefault(case, []).extend([] if one is None else [one])
    return [_row(case, np.array(each)) for case, each in found.items() if each]


def _row(case: str, each: np.ndarray) -> dict[str, Any]:
    before, now = each.mean(axis=0)
    error = each[:, 1].std(axis=0) / np.sqrt(len(each))
    return {
        "case": case, "n": len(each), "rows before": before[0], "rows": now[0], "rows se": error[0],
        "mean before": before[1], "mean": now[1], "mean se": error[1], "width": now[2] / before[2],
        "ratio": max(float(now[0]), 1e-3) / 0.05,
    }  # fmt: skip


if __name__ == "__main__":
    run(
        "null_window",
        measure,
        [("case", "case", ""), ("n", "studies", "d"), ("rows before", "rows, before", ".3f"), ("rows", "rows", ".3f"),
         ("rows se", "+-", ".3f"), ("mean before", "mean, before", ".3f"), ("mean", "mean", ".3f"),
         ("mean se", "+-", ".3f"), ("width", "width", ".2f")],
        "nominal .05; width of the band as a share of the former one's",
        keeps=True,
    )  # fmt: skip
