"""A step of observed synchrony, from the newest second alone, against correlating the whole window anew."""

from __future__ import annotations

import numpy as np

from bench import Rows, interleaved, run
from rtaffect.common.settings import SynchronySettings
from rtaffect.observed.observer import GroupObserver, ReferenceObserver
from rtaffect.observed.synchrony import RowLayout, others_mean, standardise
from tests.support.whole_windows import observe

RATE = 100
SETTINGS = SynchronySettings()


def measure(quick: bool) -> Rows:
    """Return a row for groups of several sizes, and for references of several lengths."""
    groups = [(2, 8), (4, 8), (8, 8)] if quick else [(2, 64), (8, 64), (32, 64)]
    references = [(1, 24, 180)] if quick else [(1, 64, 300), (1, 340, 300), (1, 64, 7200)]
    turns = 3 if quick else 5
    regions = (8, 2, 3) if quick else (68, 5, 14)
    return [
        *(_group(*size, turns) for size in groups),
        *(_reference(*size, turns) for size in references),
        _regions(*regions, turns),
    ]


def _group(people: int, rows: int, turns: int) -> dict[str, object]:
    history, window = SETTINGS.null_history_s * RATE, SETTINGS.window_s * RATE
    eeg = 1e-5 * np.random.default_rng(0).standard_normal((people, history, rows))
    observer = GroupObserver(people, RATE, SETTINGS, layout=RowLayout.plain(rows))
    for start in range(0, history, RATE):
        observer(eeg[:, start : start + RATE])

    def whole() -> None:
        scaled = standardise(eeg)
        observe(scaled[:, -window:], others_mean(scaled), history - window, RATE, SETTINGS, mutual=True)

    ours, theirs = interleaved(turns, lambda: observer(eeg[:, -RATE:]), whole)
    return _row(f"{people} people x {rows}, each other", ours, theirs)


def _reference(people: int, rows: int, seconds: int, turns: int) -> dict[str, object]:
    rng, window = np.random.default_rng(1), SETTINGS.window_s * RATE
    reference = rng.standard_normal((seconds * RATE, rows))
    eeg = 1e-5 * rng.standard_normal((people, window, rows))
    observer = ReferenceObserver(people, reference, 0, RATE, SETTINGS, layout=RowLayout.plain(rows))
    warm = seconds // 2
    for step in range(warm):
        at = step % SETTINGS.window_s * RATE
        observer(eeg[:, at : at + RATE])
    # The same reach to either side.
    reach = SETTINGS.null_history_s * RATE
    near = reference[max(0, warm * RATE - reach) : warm * RATE + reach]
    partner = np.broadcast_to(near, (people, *near.shape))

    def whole() -> None:
        observe(eeg, partner, len(near) // 2, RATE, SETTINGS)

    ours, theirs = interleaved(turns, lambda: observer(eeg[:, :RATE]), whole)
    return _row(f"{people} person x {rows}, reference of {seconds} s", ours, theirs)


def _regions(regions: int, k: int, listeners: int, turns: int) -> dict[str, object]:
    """One person in regions of ``k`` components: with a reference and its null, against each listener without one."""
    rng, window = np.random.default_rng(2), SETTINGS.window_s * RATE
    people = rng.standard_normal((listeners, 180 * RATE, regions * k))
    layout = RowLayout(k, np.zeros((0, regions), np.bool_), np.ones(regions, np.bool_))
    eeg = 1e-5 * rng.standard_normal((1, window, regions * k))
    observer = ReferenceObserver(1, standardise(people, k).mean(axis=0), 0, RATE, SETTINGS, layout=layout)
    for step in range(90):
        at = step % SETTINGS.window_s * RATE
        observer(eeg[:, at : at + RATE])
    theirs = people[:, 80 * RATE : 90 * RATE]

    def whole() -> None:
        for listener in theirs:
            for region in range(regions):
                own = slice(region * k, region * k + k)
                np.corrcoef(eeg[0, :, own].ravel(), listener[:, own].ravel())

    ours, other = interleaved(turns, lambda: observer(eeg[:, :RATE]), whole)
    case = f"1 person x {regions} regions x {k}, reference of {listeners}, with its null; corrcoef with each, without"
    return _row(case, ours, other)


def _row(case: str, ours: float, theirs: float) -> dict[str, object]:
    return {"case": case, "step_ms": 1e3 * ours, "whole_ms": 1e3 * theirs, "ratio": theirs / ours}


COLUMNS = (
    ("case", "case", ""), ("step_ms", "newest second, ms", ".1f"), ("whole_ms", "whole window, ms", ".0f"),
    ("ratio", "ratio", ".1f"),
)  # fmt: skip

if __name__ == "__main__":
    run("synchrony", measure, COLUMNS, "medians; whole window: every displaced window's correlation computed anew")
