"""Calibration at the size of a real study, from features to p values, against scikit-learn's parts as they are.

Random features with temporal memory stand for the layers of a model: the figures are about cost. Each stage and each
alternative runs in a process of its own, whose peak of memory is told (with ``--quick`` in this one), and on a slice of
the work where all of it would take hours: the seconds are those of the whole study, by the number of such slices.

The alternatives:

- responses: MNE-Python's filter, notch and resampling of a whole recording, and one product with the same operator;
- synchrony: ``numpy.corrcoef`` for each person, row and window;
- cross-validation and exact null: for each outer fold ``PCA``, ``StandardScaler`` and lags, then for each row
  ``RidgeCV`` with the same penalties and the same inner folds; a draw of the null is that with turned targets. ``rows
  together`` is what a careful user makes of it: one ``Ridge`` of all rows for each penalty and inner fold;
- bound nulls: a loop over draws, each of all rows at once;
- features of all layers: one pass for each layer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import Rows, interleaved, run
from bench.alone import most_memory_mb
from calibration.exact import exact_null
from calibration.nulls import phase_null, shift_null
from calibration.responses import group_responses, synchrony_time_courses
from calibration.ridge import ALPHAS, folds
from calibration.statistics import correlation_of, joint_moments, pair
from calibration.validation import fit, held_out
from rtaffect.common.montage import STANDARD
from rtaffect.common.regions import REGIONS, groups_of
from rtaffect.common.settings import Settings
from rtaffect.observed.operator import K, SpaceManifest, Zone, assemble
from rtaffect.observed.response import clean_channels
from rtaffect.observed.spaces import RegionSpace
from rtaffect.observed.synchrony import RowLayout
from rtaffect.predicted.featurizer import all_layers_for, default_featurizer, features_of
from rtaffect.predicted.prediction import lagged_design
from rtaffect.simulation.cohort import leaky
from rtaffect.simulation.sounds import compose
from rtaffect.sources.recorded import ArraySource
from rtaffect.stream.audio import SAMPLE_RATE, StudySound
from rtaffect.stream.source import StreamInfo

Array = NDArray[np.float64]

SETTINGS = Settings()
LAGS, COMPONENTS = SETTINGS.prediction.lags_s, SETTINGS.prediction.n_components
WINDOW = SETTINGS.synchrony.window_s
CHANNELS = STANDARD["1010-64"]
EEG_HZ = 500.0
ZONES, SOURCES = 9, 1000


@dataclass(frozen=True)
class Size:
    """Of a study, and of the slices that stand for it."""

    people: int = 15
    stimuli: int = 15
    seconds: int = 240
    layers: int = 13
    features: int = 768
    draws: int = 1000
    rows_tried: int = 3
    draws_tried: int = 10
    sound_s: int = 60

    @property
    def recordings(self) -> int:
        """Of one person during one stimulus."""
        return self.people * self.stimuli


REAL = Size()
QUICK = Size(4, 4, 60, 2, 40, 20, 1, 2, 10)


@dataclass(frozen=True)
class Cost:
    """What a slice cost, and how many such slices there are in the study."""

    seconds: float
    slices: float
    memory_mb: float | None = None

    @property
    def whole(self) -> float:
        """Seconds of the study."""
        return self.seconds * self.slices


def measure(quick: bool) -> Rows:
    """Return a row for each stage, their total from features to p values, and the features of all layers."""
    size = QUICK if quick else REAL
    rows = [_row(name, size, *(_cost(work, size) for work in works)) for name, works in STAGES.items()]
    total: dict[str, Any] = {"stage": "features to p values", "slice": "", "their_slice": ""}
    for key in ("ours_s", "theirs_s", "together_s"):
        total[key] = sum(row[key] if row[key] is not None else row["theirs_s"] for row in rows if row["judged"])
    for key in ("memory_mb", "their_memory_mb"):
        known = [row[key] for row in rows if row["judged"] and row[key] is not None]
        total[key] = max(known, default=None)
    total |= {"judged": False, "ratio": total["theirs_s"] / total["ours_s"]}
    total["ratio_together"] = total["together_s"] / total["ours_s"]
    return [*rows, total, _features(size)]


def _row(name: str, size: Size, ours: Cost, theirs: Cost, together: Cost | None = None) -> dict[str, Any]:
    return {
        "stage": name,
        "judged": name in JUDGED,
        "slice": f"1 / {ours.slices:g}",
        "ours_s": ours.whole,
        "memory_mb": ours.memory_mb,
        "their_slice": f"1 / {theirs.slices:g}",
        "theirs_s": theirs.whole,
        "their_memory_mb": theirs.memory_mb,
        "together_s": together.whole if together else None,
        "ratio": theirs.whole / ours.whole,
        "ratio_together": together.whole / ours.whole if together else None,
    }


def _cost(work: Callable[[Size], Cost], size: Size) -> Cost:
    """Return what a stage costs, in a process of its own if it is of a real study."""
    if size is QUICK:
        return work(size)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_with_memory, work, size).result()


def _with_memory(work: Callable[[Size], Cost], size: Size) -> Cost:
    return replace(work(size), memory_mb=most_memory_mb())


def _seconds(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


# What the stages work on.


def wander(rng: np.random.Generator, steps: int, columns: int, keep: float = 0.8) -> Array:
    """Return noise with the memory of a sound's features, (steps, columns)."""
    return np.asarray(leaky(rng.standard_normal((steps + 50, columns)), keep)[50:])


def counted_rows() -> NDArray[np.bool_]:
    """Return which rows count: of regions, zones and groups the zones."""
    return np.repeat([False, True, False], [len(REGIONS), ZONES, _n_groups()])


def layer(size: Size) -> tuple[list[Array], list[Array], NDArray[np.bool_]]:
    """Return a layer's features and the targets of all rows, of each stimulus, and which rows count.

    The features' components fall off as those of a model do, and synchrony follows some of them.
    """
    rng = np.random.default_rng(1)
    counted = counted_rows()
    rows = len(counted)
    mixing = rng.standard_normal((size.features, size.features)) / np.arange(1, size.features + 1)[:, None] ** 0.7
    relation = rng.standard_normal((COMPONENTS, rows)) / COMPONENTS
    features, targets = [], []
    for _ in range(size.stimuli):
        source = wander(rng, size.seconds, size.features)
        noise = np.cumsum(rng.standard_normal((size.seconds + WINDOW, rows)), axis=0)
        target = 0.05 * source[:, :COMPONENTS] @ relation + 0.05 * (noise[WINDOW:] - noise[:-WINDOW]) / WINDOW**0.5
        target[: WINDOW - 1] = np.nan
        features.append(source @ mixing)
        targets.append(target)
    return features, targets, counted


def space_of(channels: tuple[str, ...] = CHANNELS, sources: int = SOURCES) -> RegionSpace:
    """Return a space of 68 regions on a lead field from a seed: it costs what that of a head costs."""
    rng = np.random.default_rng(2)
    parts = np.array_split(np.array(REGIONS), ZONES)
    manifest = SpaceManifest(
        montage="random", channels=channels, regions=REGIONS,
        zones=tuple(Zone(name=f"zone {n}", regions=tuple(part.tolist())) for n, part in enumerate(parts)),
        groups=groups_of(REGIONS), k=K, sources=sources, head="none", provenance={},
    )  # fmt: skip
    places = rng.standard_normal((len(channels), 3))
    places *= 0.09 / np.linalg.norm(places, axis=1, keepdims=True)
    field = rng.standard_normal((len(channels), sources))
    apart = np.zeros((len(REGIONS), len(REGIONS)), np.bool_)
    return RegionSpace(assemble(manifest, field, places, apart, np.arange(sources) % len(REGIONS)))


def responses(size: Size) -> tuple[Array, RowLayout]:
    """Return standardised responses (people, time, 68 * 5) to a stimulus, and their layout."""
    averages = np.zeros((ZONES + _n_groups(), len(REGIONS)), np.bool_)
    for number, members in enumerate(averages):
        members[number::10] = True
    shape = size.people, size.seconds * SETTINGS.signal.rate_hz, len(REGIONS) * K
    return np.random.default_rng(4).standard_normal(shape), RowLayout(K, averages, counted_rows())


def _n_groups() -> int:
    return sum(name[-3:] not in ("-lh", "-rh") for name in groups_of(REGIONS))


def recording(size: Size) -> Array:
    """Return a person's EEG (time, 64), V, of a stimulus, alike enough over channels to be held to be good."""
    rng = np.random.default_rng(3)
    n = round(size.seconds * EEG_HZ) + round(4 * EEG_HZ)
    mixed = wander(rng, n, 20) @ rng.standard_normal((20, len(CHANNELS))) + wander(rng, n, len(CHANNELS))
    return np.asarray(1e-5 * mixed / mixed.std())


# Ours.


def responses_ours(size: Size) -> Cost:
    """One person during one stimulus, from samples to standardised responses."""
    where, eeg = space_of(), recording(size)
    sound = StudySound("sound", np.zeros(size.seconds * SAMPLE_RATE, np.float32), True)

    def work() -> None:
        source = ArraySource(StreamInfo("eeg", "eeg", EEG_HZ, CHANNELS, "bench"), eeg, 100.0)
        group, _ = group_responses([clean_channels(source, 102.0, sound.seconds, CHANNELS, SETTINGS)], where, SETTINGS)
        assert np.isfinite(group).mean() > 0.9

    return Cost(_seconds(work), size.recordings)


def synchrony_ours(size: Size) -> Cost:
    """All people during one stimulus."""
    group, layout = responses(size)
    return Cost(_seconds(lambda: synchrony_time_courses(group, SETTINGS, layout)), size.stimuli)


def validation_ours(size: Size) -> Cost:
    """Nested cross-validation of one layer, all rows."""
    features, targets, counted = layer(size)
    people = [t + 0.1 * np.random.default_rng(5).standard_normal((size.people, *t.shape)) for t in targets]
    return Cost(_seconds(lambda: fit(features, targets, SETTINGS, people, counted=counted)), size.layers)


def exact_ours(size: Size) -> Cost:
    """Exact null of one layer, all draws of the rows that count."""
    features, targets, counted = layer(size)
    some = [t[:, counted] for t in targets]
    return Cost(_seconds(lambda: exact_null(features, some, SETTINGS, size.draws)), size.layers)


def bounds_ours(size: Size) -> Cost:
    """Both bound nulls of one layer."""
    predicted, targets, counted = _judged(size)
    pairs = pair(predicted, targets, WINDOW, averages=counted[None])
    works = [lambda: shift_null(pairs, size.draws), lambda: phase_null(pairs, size.draws)]
    return Cost(sum(map(_seconds, works)), size.layers)


def _judged(size: Size) -> tuple[list[Array], list[Array], NDArray[np.bool_]]:
    _, targets, counted = layer(size)
    rng = np.random.default_rng(6)
    predicted = [wander(rng, *t.shape) for t in targets]
    for course in predicted:
        course[: LAGS[-1]] = np.nan
    return predicted, targets, counted


# The alternatives.


def responses_theirs(size: Size) -> Cost:
    """MNE-Python's way with a whole recording."""
    import mne

    rows, eeg = space_of().operator.rows.reshape(-1, len(CHANNELS)), recording(size)
    info = mne.create_info(list(CHANNELS), EEG_HZ, "eeg")
    chosen = SETTINGS.signal

    def work() -> None:
        raw = mne.io.RawArray(eeg.T.copy(), info, verbose="error")
        raw.filter(chosen.highpass_hz, chosen.lowpass_hz, verbose="error")
        raw.notch_filter([chosen.mains_hz, 2 * chosen.mains_hz], verbose="error")
        raw.resample(chosen.rate_hz, verbose="error")
        time_courses = rows @ raw.get_data()
        time_courses -= time_courses.mean(axis=1, keepdims=True)
        time_courses /= time_courses.std(axis=1, keepdims=True)

    return Cost(_seconds(work), size.recordings)


def synchrony_theirs(size: Size) -> Cost:
    """``numpy.corrcoef`` for each row and window of one person."""
    group, layout = responses(size)
    rate = SETTINGS.signal.rate_hz

    def work() -> None:
        person, others = (x.reshape(len(x), -1, K) for x in (group[0], group[1:].mean(axis=0)))
        ends = range(WINDOW * rate, len(person) + 1, rate)
        r = [
            [np.corrcoef(person[e - WINDOW * rate : e, m].ravel(), others[e - WINDOW * rate : e, m].ravel())[0, 1]
             for m in range(person.shape[1])]
            for e in ends
        ]  # fmt: skip
        layout.complete(np.array(r))

    return Cost(_seconds(work), size.recordings)


def validation_theirs(size: Size) -> Cost:
    """``RidgeCV`` for some rows of one outer fold."""
    features, targets, counted = layer(size)
    prepare_s, row_s = _ridge_cv(size, features, [t[:, : size.rows_tried] for t in targets])
    return Cost(prepare_s + row_s * len(counted), size.stimuli * size.layers)


def exact_theirs(size: Size) -> Cost:
    """The same for the rows that count, with targets turned once."""
    features, targets, counted = layer(size)
    some = np.flatnonzero(counted)[: size.rows_tried]
    turned = [np.concatenate([t[: WINDOW - 1], np.roll(t[WINDOW - 1 :], 7, axis=0)])[:, some] for t in targets]
    prepare_s, row_s = _ridge_cv(size, features, turned)
    return Cost(prepare_s + row_s * counted.sum(), size.draws * size.stimuli * size.layers)


def _ridge_cv(size: Size, features: Sequence[Array], targets: Sequence[Array]) -> tuple[float, float]:
    """Return the seconds of an outer fold for its principal components and lags, and then for each row."""
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import PredefinedSplit

    begin = time.perf_counter()
    x, y, sounds, _ = _outer_fold(features, targets)
    prepared = time.perf_counter()
    inner = PredefinedSplit(sounds)
    for row in y.T:
        RidgeCV(alphas=ALPHAS * len(x), cv=inner).fit(x, row)
    return prepared - begin, (time.perf_counter() - prepared) / size.rows_tried


def _outer_fold(
    features: Sequence[Array], targets: Sequence[Array], solver: str = "auto"
) -> tuple[Array, Array, NDArray[np.intp], Array]:
    """Return design, targets and sounds of the training steps of the first outer fold, and the design of its test."""
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    basis = make_pipeline(PCA(COMPONENTS, svd_solver=solver), StandardScaler())
    basis.fit(np.concatenate(features[1:]))
    designs = [lagged_design(basis.transform(part), LAGS) for part in features]
    x, y = np.concatenate(designs[1:]), np.concatenate(targets[1:])
    sounds = np.repeat(np.arange(len(targets) - 1), [len(t) for t in targets[1:]])
    use = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
    return x[use], y[use], sounds[use], designs[0]


def validation_together(size: Size) -> Cost:
    """One ``Ridge`` of all rows for each penalty and inner fold of one outer fold; it predicts what ours predicts."""
    features, targets, _ = layer(size)
    begin = time.perf_counter()
    predicted = _ridge_together(features, targets)
    spent = time.perf_counter() - begin
    expected = held_out(features, targets, SETTINGS)[0]
    np.testing.assert_allclose(predicted, expected, atol=1e-6 * float(np.nanstd(expected)))
    return Cost(spent, size.stimuli * size.layers)


def exact_together(size: Size) -> Cost:
    """The same for one draw."""
    features, targets, counted = layer(size)
    some = [t[:, counted] for t in targets]
    return Cost(_seconds(lambda: _ridge_together(features, some)), size.draws * size.stimuli * size.layers)


def _ridge_together(features: Sequence[Array], targets: Sequence[Array]) -> Array:
    from sklearn.linear_model import Ridge

    x, y, sounds, design = _outer_fold(features, targets, "covariance_eigh")
    error = np.zeros((len(ALPHAS), y.shape[1]))
    for train, test in folds(np.bincount(sounds).tolist(), WINDOW + LAGS[-1]):
        for number, alpha in enumerate(ALPHAS):
            model = Ridge(alpha=alpha * len(train)).fit(x[train], y[train])
            error[number] += ((model.predict(x[test]) - y[test]) ** 2).sum(axis=0)
    chosen = Ridge(alpha=ALPHAS[error.argmin(axis=0)] * len(x)).fit(x, y)
    return np.asarray(design @ chosen.coef_.T + chosen.intercept_)


def bounds_theirs(size: Size) -> Cost:
    """Some draws of both nulls, one after the other."""
    predicted, targets, counted = _judged(size)
    pairs = pair(predicted, targets, WINDOW, averages=counted[None])
    rng, both = np.random.default_rng(7), list(zip(pairs.predicted, pairs.observed, strict=True))

    def turned(y: Array) -> Array:
        return np.roll(y, rng.integers(len(y)), axis=0)

    def scrambled(y: Array) -> Array:
        spectrum = np.fft.rfft(np.nan_to_num(y), axis=0)
        phases = rng.uniform(0, 2 * np.pi, (len(spectrum), 1))
        return np.fft.irfft(spectrum * np.exp(1j * phases), len(y), axis=0)

    def work() -> None:
        for _ in range(size.draws_tried):
            for change in (turned, scrambled):
                correlation_of(np.sum([joint_moments(x, change(y)) for x, y in both], axis=0))

    return Cost(_seconds(work), size.draws / size.draws_tried * size.layers)


def _features(size: Size) -> dict[str, Any]:
    """Compare one pass for all layers of the default model with one for each of its layers, on one sound."""
    whole = all_layers_for(None)
    single = [default_featurizer(layer=k) for k in range(whole.manifest.n_layers)]
    sound = compose(1, size.sound_s)
    ours, theirs = interleaved(
        1 if size is QUICK else 3,
        lambda: features_of(sound, whole),
        lambda: [features_of(sound, featurizer) for featurizer in single],
    )
    return _row(f"all layers, {size.sound_s} s of sound", size, Cost(ours, 1), Cost(theirs, 1))


STAGES: dict[str, tuple[Callable[[Size], Cost], ...]] = {
    "responses": (responses_ours, responses_theirs),
    "synchrony": (synchrony_ours, synchrony_theirs),
    "cross-validation": (validation_ours, validation_theirs, validation_together),
    "exact null": (exact_ours, exact_theirs, exact_together),
    "bound nulls": (bounds_ours, bounds_theirs),
}
#: Those between features and p values.
JUDGED = ("cross-validation", "exact null", "bound nulls")

COLUMNS = (
    ("stage", "stage", ""), ("slice", "slice", ""), ("ours_s", "study, s", ".1f"), ("memory_mb", "MB", ".0f"),
    ("their_slice", "its slice", ""), ("theirs_s", "alternative, s", ".0f"), ("their_memory_mb", "MB", ".0f"),
    ("ratio", "ratio", ".1f"), ("together_s", "rows together, s", ".0f"), ("ratio_together", "ratio", ".1f"),
)  # fmt: skip


def summarise(rows: Rows) -> dict[str, Any]:
    """Return how many times cheaper all is from features to p values."""
    (total,) = (row for row in rows if row["stage"] == "features to p values")
    return {"times_cheaper": total["ratio"], "times_cheaper_than_rows_together": total["ratio_together"]}


if __name__ == "__main__":
    run(
        "calibration", measure, COLUMNS,
        "seconds of the whole study; slice: the share of it that was measured; ratio: alternative / ours; MB: peak of a"
        " process that does nothing else, libraries included",
        summarise,
    )  # fmt: skip
