"""How often trends pass for evidence: p < .05 with time taken out as a nuisance, and with it left in.

Everything is simulated at the level of courses, by the program's own statistics: studies whose synchrony wanes in every
sound while some features trend, one slowly drifting sound, courses that both trend, sessions whose values wane by .06
in ten minutes, groups of 12 of them, and noise that is slow by itself. Beside each stands the power where there is an
effect. Values are moving averages of ten seconds, as synchrony's are. Nominal is 5 %, +- the standard error of what was
found; a rate within 2 % of it takes hundreds of trials.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from bench import Rows, run
from calibration.exact import exact_null
from calibration.finished.regulation import Timetable, mean_contrast
from calibration.finished.report.members import sign_flip_test
from calibration.nulls import p_values
from calibration.statistics import score
from calibration.trends import paired, untrended
from calibration.validation import held_out
from rtaffect.common.chance import correlation_by_chance
from rtaffect.common.settings import NO_DRIFT, DriftSettings, PredictionSettings, Settings

Array = NDArray[np.float64]
#: From a seed whether p < .05 came, with trends left in and taken out, and a number to average (NaN for none).
Trial = Callable[[np.random.Generator], tuple[bool, bool, float]]

WINDOW, SMOOTHING, FEATURES = 10, 5, 16
DRAWS: Final = 39
TAKEN, LEFT = (
    Settings(prediction=PredictionSettings(n_components=12, lags_s=(0, 3)), drift=drift)
    for drift in (DriftSettings(), NO_DRIFT)
)
#: Blocks of a session: kind (b: baseline, f: feedback, -: no value of the rule is used) and seconds.
BEFORE: Final = (("b", 180), ("f", 600), ("-", 600), ("f", 600))
AROUND: Final = (("b", 180), ("f", 480), ("-", 60), ("f", 480), ("b", 180))
#: Standard deviation of a session's values, Fisher z, and how much they wane in ten minutes.
SPREAD: Final = 0.05
WANES: Final = 0.06


def moving(noise: Array, window: int = WINDOW) -> Array:
    """Return means of ``window`` neighbours (n - window + 1, ...), as windows that overlap make them; variance 1."""
    sums = np.cumsum(np.concatenate([np.zeros((1, *noise.shape[1:])), noise]), axis=0)
    return np.asarray((sums[window:] - sums[:-window]) / np.sqrt(window))


def waning(steps: int) -> Array:
    """Return a course (steps, 1) that falls from 1 to 0, faster at first; mean 0."""
    fall = np.exp(-2.0 * np.arange(steps) / steps)
    return np.asarray((fall - fall.mean())[:, None] / fall.std())


def study(
    rng: np.random.Generator, trending: int, *, sounds: int, seconds: int, link: float = 0.0
) -> tuple[list[Array], list[Array]]:
    """Return features and targets of a study whose synchrony wanes in every sound and follows features by ``link``."""
    features, targets = [], []
    for _ in range(sounds):
        x = moving(rng.standard_normal((seconds + WINDOW - 1, FEATURES)))
        target = (
            moving(rng.standard_normal((seconds + WINDOW - 1, 1))) + link * x[:, :4].mean(axis=1, keepdims=True) * 2
        )
        x[:, :trending] += 1.5 * waning(seconds)
        features.append(x)
        targets.append(0.05 * (target + waning(seconds)))
    return features, targets


def predicts(trending: int, *, sounds: int = 6, seconds: int = 120, link: float = 0.0) -> Trial:
    """Return a trial of a study's held-out r of the mean row, and its null."""

    def trial(rng: np.random.Generator) -> tuple[bool, bool, float]:
        features, targets = study(rng, trending, sounds=sounds, seconds=seconds, link=link)
        return judged(rng, features, targets)

    return trial


def judged(rng: np.random.Generator, features: list[Array], targets: list[Array]) -> tuple[bool, bool, float]:
    """Return whether p <= .05 with drifts left in and taken out, and r with them taken out."""
    verdicts, r = [], np.nan
    for settings in (LEFT, TAKEN):
        fitted = untrended(targets, settings.drift)
        found = score(paired(held_out(features, fitted, settings), fitted, settings, np.ones((1, 1), np.bool_)))
        null = exact_null(features, fitted, settings, DRAWS, seed=int(rng.integers(1 << 31)))
        r = float(found.r[-1])
        verdicts.append(bool(p_values(found.r[-1:], null[:, -1:]).single[0] <= 0.05))
    return verdicts[0], verdicts[1], r


def drifting_sound(seconds: int) -> Trial:
    """Return a trial of one sound alone whose synchrony drifts slowly, cut into blocks."""

    def trial(rng: np.random.Generator) -> tuple[bool, bool, float]:
        slow = np.cumsum(rng.standard_normal(seconds))[:, None]
        slow = (slow - slow.mean()) / slow.std()
        features = [moving(rng.standard_normal((seconds + WINDOW - 1, FEATURES)))]
        targets = [0.05 * (0.3 * moving(rng.standard_normal((seconds + WINDOW - 1, 1))) + slow)]
        return judged(rng, features, targets)

    return trial


def agrees(steps: int, blocks: tuple[int, ...], *, trend: float = 0.0, link: float = 0.0) -> Trial:
    """Return a trial of agreement: of the operator's window with one block, of the session's report with several."""

    def trial(rng: np.random.Generator) -> tuple[bool, bool, float]:
        x, y = (moving(rng.standard_normal(steps + WINDOW - 1)) for _ in range(2))
        y += link * x
        for a, b in zip(blocks, (*blocks[1:], steps), strict=True):
            fall = waning(b - a)[:, 0]
            x[a:b] += trend * fall
            y[a:b] += trend * fall
        found = [
            correlation_by_chance(np.tanh(0.1 * x), np.tanh(0.1 * y), WINDOW, np.array(blocks), drift)
            for drift in (NO_DRIFT, DriftSettings())
        ]
        left, taken = (each is not None and each.beyond for each in found)
        return left, taken, found[1].r if found[1] is not None else np.nan

    return trial


def seconds_noise(rng: np.random.Generator, steps: int, kind: float | str) -> Array:
    """Return noise of each second (steps,): of an autoregression of a coefficient, or 'pink': of 1/f."""
    if kind == "pink":
        frequency = np.fft.rfftfreq(8 * steps)
        size = np.concatenate([[0.0], frequency[1:] ** -0.5])
        phases = rng.standard_normal(len(size)) + 1j * rng.standard_normal(len(size))
        return np.asarray(np.fft.irfft(size * phases)[:steps])
    return np.asarray(lfilter([1.0], [1.0, -float(kind)], rng.standard_normal(steps + 500))[500:])


class Sessions:
    """Values of a rule in sessions of one timetable."""

    def __init__(self, parts: tuple[tuple[str, int], ...]) -> None:
        self.times, self.blocks, self.kinds = [], [], []
        at = 0
        for kind, seconds in parts:
            if kind != "-":
                self.times.append(at + np.arange(WINDOW, seconds))
                self.blocks.append(np.full(seconds - WINDOW, len(self.kinds)))
                self.kinds.append(kind)
            at += seconds + 5
        self.steps, self.at = at, np.concatenate(self.times)
        block, kinds = np.concatenate(self.blocks), np.array(self.kinds)
        self.in_feedback = kinds[block] == "f"
        counts = np.bincount(block)
        sides = (np.flatnonzero(kinds == kind).tolist() for kind in "fb")
        first, second = (mean_contrast(side, counts) for side in sides)
        self.contrast = first - second
        self.left, self.taken = (
            Timetable(self.at.astype(float), block, window=WINDOW, smoothing=SMOOTHING, trend=trend)
            for trend in (False, True)
        )
        rng = np.random.default_rng(0)
        self._spread = {
            kind: np.mean([self._smooth(seconds_noise(rng, 2000, kind)).std() for _ in range(30)])
            for kind in (0.0, 0.97, "pink")
        }

    def values(self, rng: np.random.Generator, kind: float | str, *, wanes: float = 0.0, effect: float = 0.0) -> Array:
        """Return a session's values (n,), Fisher z."""
        found = self._smooth(seconds_noise(rng, self.steps + 40, kind))[self.at] / self._spread[kind]
        return np.asarray(SPREAD * found - wanes * self.at / 600 + effect * self.in_feedback)

    @staticmethod
    def _smooth(noise: Array) -> Array:
        return moving(moving(noise), SMOOTHING)


def regulates(sessions: Sessions, kind: float | str, *, wanes: float = 0.0, effect: float = 0.0) -> Trial:
    """Return a trial of a session's feedback less baseline."""

    def trial(rng: np.random.Generator) -> tuple[bool, bool, float]:
        values = sessions.values(rng, kind, wanes=wanes, effect=effect)
        left, taken = (table.fit(values).estimate(sessions.contrast) for table in (sessions.left, sessions.taken))
        return (left.p or 1.0) < 0.05, (taken.p or 1.0) < 0.05, taken.value

    return trial


def group_regulates(sessions: Sessions, *, wanes: float = 0.0, effect: float = 0.0) -> Trial:
    """Return a trial of 12 participants' feedback less baseline, by flipping signs; their own waning varies by half."""

    def trial(rng: np.random.Generator) -> tuple[bool, bool, float]:
        found = []
        for _ in range(12):
            own = wanes * (1 + 0.5 * rng.standard_normal())
            values = sessions.values(rng, 0.0, wanes=own, effect=effect)
            found.append([t.fit(values).estimate(sessions.contrast).value for t in (sessions.left, sessions.taken)])
        left, taken = (sign_flip_test(np.array(column)) for column in np.array(found).T)
        return (left.p or 1.0) < 0.05, (taken.p or 1.0) < 0.05, taken.value or 0.0

    return trial


def cases() -> dict[str, tuple[Trial, float]]:
    """Return each case by its name, and how many of the trials it gets."""
    before, around = Sessions(BEFORE), Sessions(AROUND)
    found: dict[str, tuple[Trial, float]] = {
        f"null study, {count} of 16 features trend": (predicts(count), 1.0) for count in (1, 8, 16)
    }
    found["planted study, 8 of 16 features trend: power"] = predicts(8, link=0.5), 0.25
    found["planted study, none trends: power"] = predicts(0, link=0.5), 0.25
    found["one drifting sound of 300 s, null"] = drifting_sound(300), 1.0
    found["window of 300 s, both trend"] = agrees(300, (0,), trend=1.0), 3.0
    found["window of 300 s, agreement of .5: power"] = agrees(300, (0,), link=0.6), 1.0
    found["report, 3 blocks of 150 s, both trend"] = agrees(450, (0, 150, 300), trend=1.0), 3.0
    found["report, 3 blocks of 150 s, agreement of .5: power"] = agrees(450, (0, 150, 300), link=0.6), 1.0
    for name, sessions in (("baseline before", before), ("baselines around", around)):
        found[f"session wanes, {name}"] = regulates(sessions, 0.0, wanes=WANES), 4.0
        found[f"session of AR .97, {name}"] = regulates(sessions, 0.97), 4.0
        found[f"session of 1/f, {name}"] = regulates(sessions, "pink"), 10.0
        found[f"session regulates by .05, {name}: power"] = regulates(sessions, 0.0, effect=0.05), 0.5
        found[f"12 sessions wane, {name}"] = group_regulates(sessions, wanes=WANES), 1.0
        found[f"12 sessions regulate by .03, {name}: power"] = group_regulates(sessions, effect=0.03), 0.25
    return found


def measure(quick: bool) -> Rows:
    """Return a row for each case."""
    rows: Rows = []
    for number, (name, (trial, share)) in enumerate(cases().items()):
        trials = max(2, round((4 if quick else 200) * share))
        found = [trial(np.random.default_rng([number, seed])) for seed in range(trials)]
        left, taken, values = np.array(found, np.float64).T
        rows.append({
            "case": name, "trials": trials, "left": left.mean(), "taken": taken.mean(), "value": np.nanmean(values),
            "error": np.sqrt(taken.mean() * (1 - taken.mean()) / trials),
            "ratio": (left.sum() + 0.5) / (taken.sum() + 0.5),
        })  # fmt: skip
        print(f"{name}: {left.mean():.3f} {taken.mean():.3f} {np.nanmean(values):.3f}", flush=True)
    return rows


COLUMNS = (
    ("case", "case", ""), ("trials", "trials", "d"), ("left", "p < .05, trends left in", ".1%"),
    ("taken", "p < .05, trends taken out", ".1%"), ("error", "+-", ".1%"),
    ("value", "mean r or difference", ".3f"), ("ratio", "ratio", ".1f"),
)  # fmt: skip

if __name__ == "__main__":
    run("evidence_trends", measure, COLUMNS, "nominal 5 %; rows of power: the more the better")
