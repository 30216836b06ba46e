"""What could mislead during a session, before and after: scales of groups, arms, the null where the EEG changes.

Rates, not times: ``before`` is how it was done at first, written out here, ``after`` what the program does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from bench import Rows, run
from rtaffect.common.correlation import fisher_mean
from rtaffect.common.group_size import in_a_group_of
from rtaffect.common.settings import SynchronySettings
from rtaffect.engine.scale import among
from rtaffect.observed import observer
from rtaffect.observed.observer import GroupObserver, ReferenceObserver
from rtaffect.observed.synchrony import RowLayout, others_mean, running_correlation, standardise
from rtaffect.predicted.prediction import Prediction
from rtaffect.protocol.arms import ArmSource, Delayed, DonorLevels, Place, Real, Yoked
from rtaffect.protocol.choice import alike
from rtaffect.protocol.model import FeedbackRule, Protocol
from rtaffect.protocol.protocol_step import Shown
from rtaffect.protocol.rule import level_of, scale_of
from rtaffect.protocol.success_by_chance import success_range

Array = NDArray[np.float64]
RATE, WINDOW_S = 100, 10
SETTINGS = SynchronySettings()


def measure(quick: bool) -> Rows:
    """Return a row for each figure."""
    return [*_scales(quick), *_null(quick), *_missing(quick), *_arms(quick), *_success(quick)]


def _row(case: str, truth: str, before: float, after: float) -> dict[str, object]:
    ratio = after / before if before > 0 and after > 0 else 1.0
    return {"case": case, "truth": truth, "before": before, "after": after, "ratio": ratio}


# Scales of groups of different size --------------------------------------------------------------------------------


def noise(rng: np.random.Generator, samples: int, rows: int) -> Array:
    """Return unit-variance noise (samples, rows) of 1 to 30 Hz with a 1/f spectrum."""
    frequency = np.fft.rfftfreq(samples, 1 / RATE)
    inside = (frequency >= 1) & (frequency <= 30)
    gain = np.where(inside, 1 / np.sqrt(np.maximum(frequency, 0.5)), 0.0)
    found = np.fft.irfft(np.fft.rfft(rng.standard_normal((samples, rows)), axis=0) * gain[:, None], samples, axis=0)
    return np.asarray(found / found.std(axis=0))


def _group(rng: np.random.Generator, people: int, seconds: int, pairwise: float, rows: int) -> Array:
    """Return people (P, time, rows) who all correlate pairwise so; below 0 as far as that is possible."""
    own = np.stack([noise(rng, seconds * RATE, rows) for _ in range(people)])
    covariance = np.full((people, people), pairwise) + (1 - pairwise) * np.eye(people)
    return np.einsum("pq,qtr->ptr", np.linalg.cholesky(covariance), own)


def _mean_synchrony(group: Array) -> Array:
    """Return each one's correlation with the mean of the others (P, steps, rows)."""
    partners = others_mean(standardise(group))
    each = zip(standardise(group), partners, strict=True)
    return np.stack([running_correlation(x, y, WINDOW_S * RATE, RATE)[WINDOW_S - 1 :: WINDOW_S] for x, y in each])


def _scales(quick: bool) -> Rows:
    rng, seconds, rows, fitted = np.random.default_rng(0), 100 if quick else 1500, 4, 14
    found = []
    for c in (0.05, 0.02) if quick else (-0.02, 0.0, 0.02, 0.05, 0.1, 0.2):
        calibrated = _mean_synchrony(_group(rng, fitted, seconds, c, rows))
        value = float(fisher_mean(calibrated))
        residual = np.quantile(np.arctanh(calibrated).ravel() - math.atanh(value), [0.05, 0.95])
        for now in (2, 4) if quick else (2, 3, 4, 8, 20):
            observed = fisher_mean(_mean_synchrony(_group(rng, now, seconds, c, rows)), axis=0)
            inside = _inside(value, residual, fitted, now, observed)
            moved = float(in_a_group_of(value, fitted, now))
            seen = float(fisher_mean(observed))
            case = f"predicted less observed, pairwise {c:g}, {fitted} calibrated, {now} here (inside {inside:.0%})"
            found.append(_row(case, "0", value - seen, moved - seen))
    return found


def _inside(value: float, residual: Array, fitted: int, now: int, observed: Array) -> float:
    """Return which part of what a group shows lies in the interval that a single listener's residuals give."""
    ends = np.tanh(math.atanh(value) + residual)
    before = Prediction(np.array([value]), ends[:1], ends[1:], value, float(ends[0]), float(ends[1]))
    sizes = (np.array([float(fitted)]), np.array([float(now)]))
    after = among(before, *sizes, RowLayout.plain(1))
    return float(((observed > after.low) & (observed < after.high)).mean())


# The null where everybody closes their eyes ------------------------------------------------------------------------


def _closing(  # noqa: PLR0917 - who they are
    rng: np.random.Generator, people: int, seconds: int, when: int, rows: int, width_hz: float
) -> Array:
    """Return people (P, time, rows) who share nothing, in whom alpha rules from ``when`` on: 3 times the rest.

    ``width_hz`` is the full width of its peak at half of the power.
    """
    samples, spread = seconds * RATE, rng.standard_normal((3, rows))
    towards = np.abs(rng.standard_normal((2, rows)))
    spread, towards = (each / np.linalg.norm(each, axis=0) for each in (spread, towards))
    frequency = np.fft.rfftfreq(samples, 1 / RATE)
    band = np.exp(-2 * math.log(2) * ((frequency - 10) / width_hz) ** 2)[:, None]
    gain = np.where(np.arange(samples) >= when * RATE, 3.0, 0.5)[:, None]
    found = []
    for _ in range(people):
        alpha = np.fft.irfft(np.fft.rfft(rng.standard_normal((samples, 2)), axis=0) * band, samples, axis=0)
        rest = math.sqrt(0.5) * (noise(rng, samples, rows) + noise(rng, samples, 3) @ spread)
        found.append(rest + gain * (alpha / alpha.std(axis=0)) @ towards)
    return np.stack(found)


def _null(quick: bool) -> Rows:
    found = []
    kinds = (
        (("group of 2", 2), ("reference of 6", 7))
        if quick
        else (("group of 2", 2), ("group of 4", 4), ("group of 8", 8), ("reference of 8", 9))
    )
    for width_hz in (2.0,) if quick else (2.0, 1.0):
        for name, people in kinds:
            rates = _null_rates(name, people, width_hz, *((1, 150, 75) if quick else (8, 250, 120)))
            for when, (before, after) in rates.items():
                case = f"outside the null band, {name}, alpha {width_hz:g} Hz wide, {when}"
                found.append(_row(case, ".05", before, after))
    return found


def _null_rates(  # noqa: PLR0917 - what is simulated
    name: str, people: int, width_hz: float, sessions: int, seconds: int, when: int
) -> dict[str, tuple[float, float]]:
    rows, rng = 8, np.random.default_rng(people)
    outside: dict[str, list[list[bool]]] = {}
    for _ in range(sessions):
        group = _closing(rng, people, seconds, when, rows, width_hz)
        both = [_observe(name, group, by_spectrum) for by_spectrum in (False, True)]
        for step in range(40, seconds, 3):
            if both[0][step] is None:
                continue
            spans = ((when, "eyes open"), (when + 60, "first minute of closed eyes"), (seconds, "later"))
            span = next(name for until, name in spans if step < until)
            for kind, attributes in (
                ("rows", ("mean", "low", "high")),
                ("mean", ("overall", "overall_low", "overall_high")),
            ):
                hits = [_out(*(getattr(each[step], a) for a in attributes)) for each in both]
                outside.setdefault(f"{kind}, {span}", []).append(hits)
    return {key: tuple(float(x) for x in np.mean(values, axis=0)) for key, values in outside.items()}  # type: ignore[misc]


def _out(value: object, low: object, high: object) -> float:
    value, low, high = (np.asarray(each) for each in (value, low, high))
    return float(((value < low) | (value > high)).mean())


def _observe(name: str, group: Array, by_spectrum: bool) -> list[object]:
    """Return the observation at each second, with the null of all displaced windows as they are, or by spectrum."""
    layout, kept = RowLayout.plain(group.shape[2]), observer.RESOLVED
    if not by_spectrum:
        observer.RESOLVED = ()  # type: ignore[misc]
    try:
        if name.startswith("group"):
            each: GroupObserver | ReferenceObserver = GroupObserver(len(group), RATE, SETTINGS, layout=layout)
        else:
            reference = standardise(group[1:]).mean(axis=0)
            each, group = ReferenceObserver(1, reference, 0, RATE, SETTINGS, layout=layout), group[:1]
        return [each(group[:, start : start + RATE]) for start in range(0, group.shape[1], RATE)]
    finally:
        observer.RESOLVED = kept  # type: ignore[misc]


# Missing samples ---------------------------------------------------------------------------------------------------


def _missing(quick: bool) -> Rows:
    """Return how far a session's value is from calibration's where single samples are missing."""
    rng, seconds = np.random.default_rng(5), 40 if quick else 400
    person, partner = (noise(rng, seconds * RATE, 4) for _ in range(2))
    person[rng.random(person.shape) < 0.02] = np.nan
    offline = running_correlation(person, partner, WINDOW_S * RATE, RATE, 600)
    blocks = person.reshape(-1, RATE // 10, 4)
    whole = np.where(np.isfinite(blocks).all(axis=1, keepdims=True), blocks, np.nan).reshape(person.shape)
    found = []
    for series in (whole, person):
        each = ReferenceObserver(1, partner, 0, RATE, SETTINGS, layout=RowLayout.plain(4))
        live = [each(series[None, start : start + RATE]) for start in range(0, len(series), RATE)]
        values = np.stack([np.full(4, np.nan) if one is None else one.each[0] for one in live])
        found.append(float(np.nanmax(np.abs(values - offline))))
    return [_row("live less calibration, 2 % of the samples missing (largest)", "0", *found)]


# Arms --------------------------------------------------------------------------------------------------------------

DELAY_S, BLOCK_S, SMOOTHING_S = 20, 180, 5
RULE = FeedbackRule(smoothing_s=SMOOTHING_S)


class _Bridged(ArmSource):
    """As shams were made at first: straight lines between levels, the nearest one outside them."""

    def __init__(self, delay_s: int, donor: Sequence[Shown] | None = None) -> None:
        self._delay_s, self._donor, self._past = delay_s, donor, dict[int, float]()

    def show(self, place: Place, own: Shown) -> Shown:
        if self._donor is not None:
            known = {second: each.level for second, each in enumerate(self._donor) if each.level is not None}
        else:
            if own.level is not None:
                self._past[place.second] = own.level
            known = self._past
        if own.level is None or not known:
            return own
        return Shown(float(np.interp(place.second - self._delay_s, list(known), list(known.values()))))


def own_levels(rng: np.random.Generator) -> list[Shown]:
    """Return the own levels of a block, one a second from its start: a course of its own, with losses."""
    seconds = 180 + BLOCK_S
    z = np.convolve(rng.standard_normal(seconds + WINDOW_S), np.ones(WINDOW_S) / math.sqrt(WINDOW_S), "valid")[:seconds]
    drift = np.convolve(rng.standard_normal(seconds + 60), np.hanning(61) / math.sqrt(22), "valid")[:seconds]
    values = np.tanh(0.1 + 0.08 * z + 0.05 * drift)
    lost = np.zeros(seconds, np.bool_)
    for _ in range(rng.poisson(3)):
        start, length = rng.integers(180, seconds), int(rng.exponential(8)) + 1
        lost[start : start + length] = True
    if rng.random() < 0.5:
        lost[180 : 180 + WINDOW_S + int(rng.exponential(10))] = True
    lost[180 : 180 + WINDOW_S] = True
    smooth = [float(fisher_mean(values[max(0, i - SMOOTHING_S + 1) : i + 1])) for i in range(180)]
    scale = scale_of(np.array(smooth[WINDOW_S:]), RULE)
    shown = []
    for step in range(180, seconds):
        recent = np.arange(max(180, step - SMOOTHING_S + 1), step + 1)
        there = recent[~lost[recent]]
        value = float(fisher_mean(values[there])) if not lost[step] else math.nan
        level = level_of(value, scale, 1.0) if math.isfinite(value) else None
        shown.append(Shown(level, "" if level is not None else "lost", success=value >= scale.threshold))
    return shown


def _seen(arm: ArmSource, own: Sequence[Shown], begins: int) -> Array:
    """Return what a participant sees of a block (T,), NaN where nothing is shown."""
    shown = [arm.show(Place(second, 1, second), each) for second, each in enumerate(own)]
    levels = [math.nan if each.level is None or s < begins else each.level for s, each in enumerate(shown)]
    return np.array(levels)


def _looks(seen: Array) -> Array:
    """Return what the eye, or a programme, could go by: when, how long, how still, how straight, how fast."""
    there = np.isfinite(seen)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(int)))
    runs, gaps = edges[1::2] - edges[::2], edges[2::2] - edges[1:-1:2]
    filled = np.where(there, seen, 0.5)
    speed, bend = np.abs(np.diff(seen)), np.abs(np.diff(seen, 2))
    still, straight = speed[np.isfinite(speed)] < 1e-9, bend[np.isfinite(bend)] < 1e-9
    moved = np.flatnonzero(speed > 1e-9)
    first = int(np.argmax(there)) if there.any() else len(seen)
    power = np.abs(np.fft.rfft(filled - filled.mean())) ** 2
    bands = [part.sum() / max(power.sum(), 1e-12) for part in np.array_split(power[1:], 8)]
    lags = [
        float(np.mean((filled[k:] - filled.mean()) * (filled[:-k] - filled.mean()))) for k in (1, 2, 5, 10, DELAY_S)
    ]
    early, by_onset = _onsets(edges[::2], speed, there)
    levels = seen[there] if there.any() else np.array([0.5])
    return np.array([
        first, moved[0] if len(moved) else len(seen), there.mean(), len(runs), *_summary(runs), *_summary(gaps),
        still.mean() if len(still) else 0, straight.mean() if len(straight) else 0, _longest(still), _longest(straight),
        *_summary(speed[np.isfinite(speed)]), *_summary(early), *by_onset, *bands, *lags,
        levels.mean(), levels.std(),
        (levels >= 1).mean(), (levels <= 0).mean(),
    ])  # fmt: skip


def _onsets(onsets: NDArray[np.intp], speed: Array, there: NDArray[np.bool_]) -> tuple[list[float], list[float]]:
    """Return the steps between levels just after they set in, where smoothing may not be whole; and by onset."""
    early = [speed[o + i] for o in onsets for i in range(4) if o + i < len(speed) and np.isfinite(speed[o + i])]
    whole = [float(np.mean(speed[o : o + 4])) if there[o : o + 5].sum() == 5 else 0.0 for o in onsets[:3]]
    return early, [*whole, 0.0, 0.0, 0.0][:3]


def _summary(values: Sequence[float] | Array) -> tuple[float, float, float]:
    each = np.asarray(values, np.float64)
    return (float(each.mean()), float(each.max()), float(each.min())) if len(each) else (0.0, 0.0, 0.0)


def _longest(flags: NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def _arms(quick: bool) -> Rows:
    """Return how often a classifier names the arm of a session, among three."""
    each, rng = 15 if quick else 100, np.random.default_rng(11)
    before, after, arm_of = [], [], []
    for number in range(3 * each):
        own, donor, arm = own_levels(rng), own_levels(rng), number % 3
        bridged = (Real(), _Bridged(0, donor), _Bridged(DELAY_S))[arm]
        before.append(_looks(_seen(bridged, own, WINDOW_S + DELAY_S)))
        at = np.array([s for s, shown in enumerate(donor) if shown.level is not None], np.float64)
        levels = np.array([shown.level for shown in donor if shown.level is not None])
        sources = (Real(), Yoked({1: DonorLevels(at, levels, levels > 0.5)}), Delayed(DELAY_S))
        chosen = alike(_three_arms(), sources[arm], sources)
        after.append(_looks(_seen(chosen, own, WINDOW_S + _three_arms().settle_s)))
        arm_of.append(arm)
    accuracies = [_named(np.stack(features), np.array(arm_of)) for features in (before, after)]
    reach = 1.96 * math.sqrt(1 / 3 * 2 / 3 / (3 * each))
    truth = f".333 +- {reach:.3f}"
    return [_row(f"arm named by a classifier, {each} sessions an arm", truth, *accuracies)]


def _three_arms() -> Protocol:
    return Protocol.model_validate({
        "format": 1, "name": "arms",
        "feedback": {"smoothing_s": SMOOTHING_S, "scale": "fixed", "low": 0.0, "high": 0.2},
        "block": [{"kind": "feedback", "name": "run", "duration_s": BLOCK_S}],
        "arm": [
            {"name": "own", "feedback": "real"}, {"name": "sham", "feedback": "yoked", "donors": ["donor"]},
            {"name": "late", "feedback": "delayed", "delay_s": DELAY_S},
        ],
    })  # fmt: skip


def _named(features: Array, arm_of: NDArray[np.intp]) -> float:
    """Return the share of sessions whose arm is named right, cross-validated."""
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    model = RandomForestClassifier(300, random_state=0)
    return float((cross_val_predict(model, features, arm_of, cv=folds) == arm_of).mean())


# Success by chance -------------------------------------------------------------------------------------------------


def _success(quick: bool) -> Rows:
    """Return how wide the 95 % range of success by chance is: threshold of the baseline alone, and learning on."""
    rng, sessions, run_s, learn_s = np.random.default_rng(13), 60 if quick else 1000, 600, 600
    found = []
    kernel = np.convolve(np.ones(WINDOW_S), np.ones(SMOOTHING_S))
    for baseline_s in (40, 180) if quick else (40, 180, 600):
        values = baseline_s - WINDOW_S
        fixed, learnt = np.empty(sessions), np.empty(sessions)
        for number in range(sessions):
            course = np.convolve(rng.standard_normal(values + run_s + len(kernel) - 1), kernel, "valid")
            rest = np.convolve(rng.standard_normal(20_000), kernel, "valid") if not quick else course
            before, run_ = course[:values], course[values:]
            fixed[number] = (rest >= np.median(before)).mean()
            thresholds = [np.median(course[: values + min(i, learn_s)]) for i in range(0, run_s, 5)]
            learnt[number] = (run_[::5] >= thresholds).mean()
        low, high = success_range(values, WINDOW_S, SMOOTHING_S)
        ends = [np.quantile(each, [0.025, 0.975]) for each in (fixed, learnt)]
        ranges = [f"{a:.2f} to {b:.2f}" for a, b in ends]
        case = f"success by chance, baseline {baseline_s} s: {ranges[0]}; learn_s = {learn_s}: {ranges[1]} (width)"
        widths = [float(b - a) for a, b in ends]
        found.append(_row(case, f"told: {low:.2f} to {high:.2f}", *widths))
    return found


COLUMNS = (
    ("case", "case", ""), ("truth", "truth", ""), ("before", "before", ".3f"), ("after", "after", ".3f"),
)  # fmt: skip

if __name__ == "__main__":
    run(
        "evidence_live",
        measure,
        COLUMNS,
        "before: as it was done at first, written out in the bench; after: the program",
    )
