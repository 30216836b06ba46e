"""How often a session says that there is synchrony at all, where there is none and where there is.

Simulated people with 1/f EEG are observed by the program's own observers, as in ``bench.feedback_scale``. ``ever`` is
the share of sessions of six minutes that said so at any second, ``at the end`` of those whose p is below .05 then,
which holds for who looks once, and ``looking on`` of those whose p was below .05 at any second, as it must not be read.
"""

from __future__ import annotations

import math

import numpy as np

from bench import Rows, run
from bench.feedback_scale import AROUND_S, SETTINGS, observed
from rtaffect.common.so_far import SoFar, so_far_of


def measure(quick: bool) -> Rows:
    """Return a row for each kind of session."""
    found: Rows = []
    for against in ("reference of 8", "group of 2"):
        for shared in (0.0, 0.01, 0.03):
            rng, sessions = np.random.default_rng(len(found) + 5), 2 if quick else 100 if shared == 0 else 20
            told = [_told(rng, against, shared) for _ in range(sessions)]
            ever = float(np.mean([any(each.beyond for each in one) for one in told]))
            found.append(
                {
                    "case": f"{against}, pairwise ISC {shared:g}",
                    "ever": ever,
                    "end": float(np.mean([one[-1].p < 0.05 for one in told])),
                    "on": float(np.mean([any(each.p < 0.05 for each in one) for one in told])),
                    "mean": float(np.mean([one[-1].mean for one in told])),
                    "sessions": sessions,
                    "ratio": max(ever, 1e-3),
                }
            )
    return found


def _told(rng: np.random.Generator, against: str, shared: float) -> list[SoFar]:
    """Return what a session of people who share so much said at each second at which it said anything."""
    seen = observed(rng, against, (shared, shared))[AROUND_S:]
    means, lows, highs = (
        np.array([math.nan if each is None else getattr(each, name) for each in seen])
        for name in ("overall", "overall_low", "overall_high")
    )
    stored = np.full(len(seen), against.startswith("reference"))
    return [each for each in so_far_of(means, lows, highs, SETTINGS, stored) if each.told]


COLUMNS = (
    ("case", "case", ""), ("ever", "ever", ".2f"), ("end", "at the end", ".2f"), ("on", "looking on", ".2f"),
    ("mean", "mean beyond the null", ".3f"), ("sessions", "sessions", "d"),
)  # fmt: skip

if __name__ == "__main__":
    run("so_far", measure, COLUMNS, "nominal where ISC is 0: .05 or less")
