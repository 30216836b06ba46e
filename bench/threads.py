"""Small work on one BLAS thread, as rtaffect does it, against all threads, as numpy is installed; alone and in company.

Company are as many processes as there are cores, which do nothing but compute. Each piece of work runs turn about with
the limit and without it, and gives the same: ``same`` says how near.

- outer fold: one fit of the model with its inner folds, 12 components x 5 lags, 340 steps, for each of 90 rows;
- draws of the exact null: the same for 22 draws of 5 sounds of 120 s, and the rows that count;
- step of an engine: 8 headsets of 64 channels at 250 Hz, 68 regions;
- correlated components: 15 people of 64 channels, whose sums are large, so that they keep all threads;
- principal components: of 3600 steps of 768 features, large too.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
from numpy.typing import NDArray

from bench import Rows, run, turn_about
from bench.calibration import QUICK, REAL, SETTINGS, Size, layer, space_of, wander
from calibration.corrca import Moments
from calibration.corrca import fit as fit_components
from calibration.exact import exact_null
from calibration.model import RidgeSynchrony, basis_of
from rtaffect.common.montage import STANDARD
from rtaffect.common.settings import Settings
from rtaffect.common.threads import BLAS, one_thread
from rtaffect.engine.engine import Engine
from rtaffect.sources.recorded import ArraySource
from rtaffect.stream.source import StreamInfo

Array = NDArray[np.float64]
Work = Callable[[], Array]

CORES = os.cpu_count() or 1
FOLD = Size(stimuli=2, seconds=174, features=64)
DRAWS = Size(stimuli=5, seconds=120, features=128)
#: A row ends after the turn in which this is over, s.
MOST_S = 20.0
_COMPANY = "import sys\nprint(flush=True)\nwhile sys.stdin is not None: sum(range(9999))"


@contextmanager
def without_limit() -> Iterator[None]:
    """Let small work have all threads, as without :mod:`rtaffect.common.threads`."""
    before, BLAS.small = BLAS.small, CORES
    try:
        yield
    finally:
        BLAS.small = before


@contextmanager
def company(count: int) -> Iterator[None]:
    """Have so many processes beside this one that use all the time that they are given."""
    with ExitStack() as cleanup:
        for _ in range(count):
            process = subprocess.Popen([sys.executable, "-c", _COMPANY], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            cleanup.callback(process.communicate)
            cleanup.callback(process.kill)
            assert process.stdout is not None
            process.stdout.readline()
        yield


def outer_fold(quick: bool) -> Work:
    """Return one fit of the model, and its predictions."""
    features, targets, _ = layer(FOLD)
    x, y = np.concatenate(features), np.concatenate(targets)
    sounds = np.repeat(np.arange(FOLD.stimuli), FOLD.seconds)
    model = RidgeSynchrony(n_components=12, lag_sets=((0, 1, 2, 3, 4),), gap=10)
    return lambda: model.fit(x, y[:, : 20 if quick else 90], sounds).predict(x, sounds)


def draws(quick: bool) -> Work:
    """Return some draws of the exact null."""
    features, targets, counted = layer(QUICK if quick else DRAWS)
    return lambda: exact_null(features, [t[:, counted] for t in targets], SETTINGS, 2 if quick else 22)


def step(quick: bool) -> Work:
    """Return steps of an engine, one more with each call."""
    people, seconds = (2, 30) if quick else (8, 60)
    names, rng = STANDARD["1010-64"], np.random.default_rng(1)
    sources = [
        ArraySource(StreamInfo(f"{n}", "eeg", 250.0, names, "memory"), 1e-5 * wander(rng, 250 * seconds, 64), 0.0)
        for n in range(people)
    ]
    engine = Engine(sources, space_of(names), Settings(), 0.0)
    number = 0

    def work() -> Array:
        nonlocal number
        number += 1
        due = engine.end_of(number) + engine.lookahead_s
        for source in sources:
            source.advance(due)
        return engine.step(due).observed

    return work


def correlated(quick: bool) -> Work:
    """Return the correlated components of a group."""
    people, seconds = (4, 5) if quick else (15, 40)
    rng = np.random.default_rng(2)
    group = np.stack([wander(rng, 100 * seconds, 64) for _ in range(people)])

    def work() -> Array:
        moments = Moments(people, 64)
        moments.add(group)
        return fit_components(moments).isc

    return work


def principal(quick: bool) -> Work:
    """Return the principal components of features."""
    features = np.concatenate(layer(QUICK if quick else REAL)[0])

    def work() -> Array:
        with one_thread():
            return basis_of(features, 12)[1]

    return work


#: What is measured, and how often.
WORKS: dict[str, tuple[Callable[[bool], Work], int]] = {
    "outer fold, 12 x 5 columns": (outer_fold, 7),
    "draws of the exact null": (draws, 2),
    "step, 8 x 64 channels to regions": (step, 25),
    "correlated components, 15 x 64": (correlated, 3),
    "principal components, 768": (principal, 3),
}


def measure(quick: bool) -> Rows:
    """Return a row for each piece of work, alone and in company."""
    rows: Rows = []
    for beside in (0, CORES):
        for name, (make, turns) in WORKS.items():
            rows.append(_row(name, make, 2 if quick else turns, beside, quick))
    return rows


def _row(name: str, make: Callable[[bool], Work], turns: int, beside: int, quick: bool) -> dict[str, object]:
    ours, theirs = make(quick), make(quick)
    found: tuple[list[Array], list[Array]] = ([], [])

    def limited() -> None:
        found[0].append(ours())

    def unlimited() -> None:
        with without_limit():
            found[1].append(theirs())

    with company(beside):
        # Once to warm up; then as often as fits in some time, because in company all threads may take minutes.
        turn_about(1, [limited])
        found[0].clear()
        begin, kept = time.perf_counter(), []
        while not kept or (len(kept) < turns and time.perf_counter() - begin < MOST_S):
            kept.append(turn_about(1, [limited, unlimited])[0])
        spent = np.array(kept)
    one, every = np.median(spent, axis=0)
    return {
        "case": name,
        "beside": beside,
        "one_ms": 1e3 * one,
        "all_ms": 1e3 * every,
        "worst_ms": 1e3 * spent[:, 0].max(),
        "worst_all_ms": 1e3 * spent[:, 1].max(),
        "ratio": every / one,
        "same": _same(*found),
    }


def _same(ours: list[Array], theirs: list[Array]) -> str:
    """Say how near results are, as a share of the largest value."""
    apart = scale = 0.0
    for a, b in zip(ours, theirs, strict=True):
        assert np.array_equal(np.isnan(a), np.isnan(b))
        there = np.isfinite(a)
        apart = max(apart, float(np.abs(a - b)[there].max(initial=0.0)))
        scale = max(scale, float(np.abs(a)[there].max(initial=0.0)))
    return "every bit" if not apart else f"{apart / scale:.0e}"


COLUMNS = (
    ("case", "case", ""), ("beside", "processes beside", "d"), ("one_ms", "with the limit, ms", ".1f"),
    ("worst_ms", "worst", ".0f"), ("all_ms", "all threads, ms", ".1f"), ("worst_all_ms", "worst", ".0f"),
    ("ratio", "ratio", ".2f"), ("same", "same to", ""),
)  # fmt: skip

if __name__ == "__main__":
    run(
        "threads", measure, COLUMNS,
        "medians and worst of turns; ratio: all threads / with the limit; same to: largest difference of results, as a "
        "share of the largest value",
    )  # fmt: skip
