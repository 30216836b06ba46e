"""The embedded featurizers beside each other: what a step costs, what gain and noise do to them, what they predict.

Sounds are composed as for the synthetic study, speech among them. *Gain and noise*: one sound, louder or softer as a
whole, or with white noise. Of features, the correlation over seconds with those of the sound as it was (median over
dimensions that vary); of a readout, the same for predictions by weights that were fitted to other sounds as they
were, and by how many of their standard deviations the predictions move on average. *Planted*: courses that follow one
acoustic descriptor and noise of the same memory, so that the best that can be is ``CEILING``; predicted from each layer
by the nested cross-validation of a calibration, mean held-out r within sounds over draws of the noise. Neither model
has a part in what is planted. Nothing here says what brains follow.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import Rows, run, silent
from bench.alone import alone
from calibration.descriptors import DESCRIPTORS, descriptors_of
from calibration.features import FeatureStore
from calibration.statistics import pair, score
from calibration.validation import fit
from rtaffect.common.settings import Settings
from rtaffect.predicted.embedded import MOONSHINE, WAKEHUBERT, EmbeddedModel
from rtaffect.predicted.featurizer import Featurizer, cached_path, embedded_featurizer
from rtaffect.predicted.prediction import components_of, lagged_design
from rtaffect.simulation.sounds import compose, speech_from_wheel
from rtaffect.stream.audio import SAMPLE_RATE

Array = NDArray[np.float64]
Sound = NDArray[np.float32]

#: r of a prediction that knows what was planted, and not the noise.
CEILING = 0.6
DRIVES = ("loudness", "centroid", "harmonicity", "modulation")
#: How much later than the sound planted courses follow it, s.
DELAY_S = 2
#: The encoders of speech, which the default is chosen from.
MODELS = {model.name: model for model in (MOONSHINE, WAKEHUBERT)}


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    sounds: int = 4
    sound_s: float = 70.0
    changed_s: float = 70.0
    draws: int = 6
    turns: int = 20
    gains_db: tuple[float, ...] = (-12.0, 6.0)
    snrs_db: tuple[float, ...] = (20.0, 10.0)


QUICK = Size(sounds=2, sound_s=60.0, changed_s=30.0, draws=1, turns=2)


def measure(quick: bool) -> Rows:
    """Return a row of each layer of each model."""
    size = QUICK if quick else Size()
    speech = speech_from_wheel()
    sounds = [compose(seed, size.sound_s, speech=speech) for seed in range(size.sounds)]
    changed = compose(100, size.changed_s, speech=speech)
    targets = planted(sounds, size.draws)
    every = {name: embedded_featurizer(model, None, silent) for name, model in MODELS.items()}
    costs = _costs(size.turns)
    rows: Rows = []
    for name, featurizer in every.items():
        found = _of_model(featurizer, sounds, changed, targets, size)
        rows += [row | {"model": name} | _cost_of(MODELS[name], row["layer"], costs) for row in found]
    return rows


def planted(sounds: Sequence[Sound], draws: int) -> list[Array]:
    """Return for each sound courses (steps, drives * draws): what a descriptor does, over a window, and noise."""
    rng, window = np.random.default_rng(0), Settings().synchrony.window_s
    raw = [np.asarray(descriptors_of(sound), np.float64)[:, _columns()] for sound in sounds]
    together = np.concatenate(raw)
    found = []
    for values in raw:
        drive = np.repeat((values - together.mean(axis=0)) / together.std(axis=0), draws, axis=1)
        late = np.concatenate([np.repeat(drive[:1], DELAY_S, axis=0), drive[:-DELAY_S]])
        course, noise = (_over_window(x, window) for x in (late, rng.standard_normal(late.shape)))
        course, noise = (x / np.nanstd(x, axis=0) for x in (course, noise))
        found.append(0.1 * (CEILING * course + np.sqrt(1 - CEILING**2) * noise))
    return found


def _columns() -> list[int]:
    names = [descriptor.name for descriptor in DESCRIPTORS]
    return [names.index(drive) for drive in DRIVES]


def _over_window(x: Array, window: int) -> Array:
    """Return the mean (steps, n) over the window that ends at each step; NaN until there is a whole one."""
    total = np.cumsum(np.concatenate([np.zeros((1, x.shape[1])), x]), axis=0)
    means = (total[window:] - total[:-window]) / window
    return np.concatenate([np.full((window - 1, x.shape[1]), np.nan), means])


def _of_model(
    featurizer: Featurizer, sounds: Sequence[Sound], changed: Sound, targets: Sequence[Array], size: Size
) -> Rows:
    """Return the figures of each layer but for costs."""
    store, settings = FeatureStore(), Settings()
    clean = [store.layers(sound, featurizer) for sound in sounds]
    before = store.layers(changed, featurizer)
    changes = [*(("gain", gain) for gain in size.gains_db), *(("noise", snr) for snr in size.snrs_db)]
    after = {change: store.layers(altered(changed, change), featurizer) for change in changes}
    rows: Rows = []
    for name in before:
        features = [np.asarray(each[name], np.float64) for each in clean]
        found = fit(features, targets, settings)
        predicted = np.split(found.held_out, np.cumsum([len(t) for t in targets])[:-1])
        r = score(pair(predicted, targets, settings.synchrony.window_s)).r.reshape(len(DRIVES), size.draws)
        row: dict[str, Any] = {"layer": name, **dict(zip(DRIVES, r.mean(axis=1).tolist(), strict=True))}
        row["planted"] = float(r.mean())
        x = np.asarray(before[name], np.float64)
        for (kind, level), layers in after.items():
            y, what = np.asarray(layers[name], np.float64), f"{kind}{level:+.0f}"
            read, moved = _read(found.weights, x, y)
            row |= {what: _similar(x, y), f"{what} read": read, f"{what} by": moved}
        rows.append(row)
    return rows


def altered(sound: Sound, change: tuple[str, float]) -> Sound:
    """Return the sound with another gain, or with white noise at a signal-to-noise ratio, dB."""
    kind, level = change
    if kind == "gain":
        return np.asarray(sound * 10 ** (level / 20), np.float32)
    noise = np.random.default_rng(5).standard_normal(len(sound))
    return np.asarray(sound + noise * np.sqrt((sound.astype(np.float64) ** 2).mean()) * 10 ** (-level / 20), np.float32)


def _similar(x: Array, y: Array) -> float:
    """Return the median over dimensions of their correlation over seconds; of those that vary in both."""
    vary = (x.std(axis=0) > 1e-6) & (y.std(axis=0) > 1e-6)
    x, y = ((v - v.mean(axis=0)) / v.std(axis=0) for v in (x[:, vary], y[:, vary]))
    return float(np.median((x * y).mean(axis=0)))


def _read(weights: Any, before: Array, after: Array) -> tuple[float, float]:
    """Return how a readout's predictions of both correlate, and by how many standard deviations they move; medians."""
    x, y = (lagged_design(components_of(v, weights), weights.lags_s) @ weights.coefficients for v in (before, after))
    usable = np.isfinite(x + y).all(axis=1)
    x, y = x[usable], y[usable]
    vary = x.std(axis=0) > 1e-9
    x, y = x[:, vary], y[:, vary]
    r = [np.corrcoef(a, b)[0, 1] for a, b in zip(x.T, y.T, strict=True)]
    return float(np.median(r)), float(np.median(np.abs((y - x).mean(axis=0)) / x.std(axis=0)))


def _costs(turns: int) -> dict[str, dict[str, float | None]]:
    """Return of each model the processor time of a step of its middle layer and of all, turn about, and its memory.

    Time of the processor, not of the clock, so that other programs have no part in it.
    """
    silence = np.zeros(SAMPLE_RATE, np.float32)
    keys = [(name, what) for name in MODELS for what in ("step_ms", "all_ms")]
    streams = []
    for name, what in keys:
        model = MODELS[name]
        streams.append(embedded_featurizer(model, model.middle if what == "step_ms" else None, silent).stream())
        for _ in range(6):
            streams[-1].step(silence)
    spent = np.empty((turns, len(streams)))
    for turn, (number, stream) in product(range(turns), enumerate(streams)):
        begin = time.process_time()
        stream.step(silence)
        spent[turn, number] = 1e3 * (time.process_time() - begin)
    found: dict[str, dict[str, float | None]] = {name: {} for name in MODELS}
    for (name, what), milliseconds in zip(keys, np.median(spent, axis=0), strict=True):
        found[name][what] = float(milliseconds)
    for name, model in MODELS.items():
        path = cached_path(model, model.middle)
        found[name] |= {"memory_mb": alone("featurizer", path, 1)["memory_mb"], "file_mb": path.stat().st_size / 1e6}
    return found


def _cost_of(model: EmbeddedModel, layer: str, costs: dict[str, dict[str, float | None]]) -> dict[str, Any]:
    mine, theirs = costs[model.name], costs["moonshine-tiny"]
    middle = layer == f"layer-{model.middle}"
    shown = mine if middle else dict.fromkeys(mine)
    return {**shown, "middle": middle, "ratio": (theirs["all_ms"] or 1.0) / (mine["all_ms"] or 1.0)}


def summarise(rows: Rows) -> dict[str, Any]:
    """Return the middle layers' figures, in which the choice of the default lies."""
    keys = ("step_ms", "all_ms", "memory_mb", "file_mb", "planted")
    return {row["model"]: {key: row[key] for key in keys} for row in rows if row["middle"]}


COLUMNS = (
    ("model", "model", ""), ("layer", "layer", ""), ("step_ms", "step ms", ".1f"), ("all_ms", "all ms", ".1f"),
    ("memory_mb", "MB", ".0f"),
    *((f"{kind}{mark}", f"{mark[:3]} {unit}", ".2f") for kind, mark, unit in (
        ("gain", "-12", "dB"), ("gain", "-12 read", "read"), ("gain", "-12 by", "by SD"),
        ("gain", "+6", "dB"), ("gain", "+6 read", "read"), ("gain", "+6 by", "by SD"),
        ("noise", "+20", "SNR"), ("noise", "+20 read", "read"), ("noise", "+10", "SNR"), ("noise", "+10 read", "read"),
    )),
    *((drive, drive, ".2f") for drive in DRIVES), ("planted", "planted", ".3f"),
)  # fmt: skip

if __name__ == "__main__":
    run(
        "embedded", measure, COLUMNS,
        "ms of processor; step, MB: of the middle layer; dB, SNR: features' correlation with those of the sound as it "
        f"was; read: a readout's; by SD: how far its predictions move; planted: held-out r, {CEILING} the best",
        summarise,
    )  # fmt: skip
