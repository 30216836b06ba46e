"""Raters' agreement on simulated raters: how often its interval has the truth, and how often chance seems agreement.

Run as ``python -m bench.raters``. Raters follow one course, each with a gain of their own, and add a course of their
own; all have the memory of a first-order autoregression.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from calibration.ratings.agreement import rater_agreement

#: Stimuli, seconds of each, time constant (s), raters, mean gain.
STUDIES = ((1, 600, 15, 5, 0.5), (4, 300, 15, 5, 0.5), (1, 600, 30, 5, 0.8), (4, 300, 15, 3, 0.5), (8, 300, 20, 8, 0.3))
REPEATS, DRAWS = 100, 99


def wander(rng: np.random.Generator, shape: tuple[int, ...], seconds: int, constant: float) -> np.ndarray:
    """Return courses (*shape, seconds) of unit variance whose memory falls to 1/e in ``constant`` s."""
    keep = np.exp(-1 / constant)
    noise = rng.standard_normal((*shape, seconds + int(8 * constant)))
    return lfilter([np.sqrt(1 - keep**2)], [1, -keep], noise, axis=-1)[..., -seconds:]


def raters(  # noqa: PLR0917 - a study's numbers, as in STUDIES
    rng: np.random.Generator, stimuli: int, seconds: int, constant: float, people: int, gain: float
) -> list[dict[str, np.ndarray]]:
    """Return what raters say in each stimulus, whose gains lie between 0 and twice ``gain``."""
    gains = rng.uniform(0, 2 * gain, people)
    found = []
    for _ in range(stimuli):
        common = wander(rng, (1,), seconds, constant)
        said = gains[:, None] * common + wander(rng, (people,), seconds, constant)
        found.append({f"rater {i}": course for i, course in enumerate(said)})
    return found


def main() -> None:
    """Print one line for each kind of study."""
    rng = np.random.default_rng(0)
    for study in STUDIES:
        stimuli, seconds, constant, people, gain = study
        long = [rater_agreement(raters(rng, 1, 20_000, constant, people, gain), draws=1) for _ in range(40)]
        truth = np.tanh(np.mean([np.arctanh(each.r) for each in long if each]))
        found = [rater_agreement(raters(rng, *study), DRAWS, seed) for seed in range(REPEATS)]
        held = np.mean([each.low <= truth <= each.high for each in found if each])
        none = [rater_agreement(raters(rng, stimuli, seconds, constant, people, 0.0), DRAWS, s) for s in range(REPEATS)]
        false = np.mean([each.p <= 0.05 for each in none if each])
        print(
            f"{stimuli} x {seconds} s, memory {constant} s, {people} raters, r {truth:.2f}: interval has it in "
            f"{100 * held:.0f} %, p <= .05 in {100 * false:.0f} % of studies without agreement"
        )


if __name__ == "__main__":
    main()
