"""One step's cost by stage, against recomputing the whole window at each step."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.signal import sosfilt

from bench import Rows, interleaved, run
from rtaffect.common.correlation import fisher_mean
from rtaffect.common.settings import Settings
from rtaffect.engine.bundle import Bundle, FeaturizerIdentity, Manifest, Scores, Stimulus, save_bundle
from rtaffect.engine.engine import Engine
from rtaffect.engine.feedback import Feedback
from rtaffect.observed.reference import Reference
from rtaffect.observed.signal_path import design_filter
from rtaffect.observed.spaces import ChannelSpace
from rtaffect.observed.synchrony import others_mean, standardise
from rtaffect.plan.analysis_plan import AnalysisPlan
from rtaffect.plan.session_plan import DEMO_BUNDLE
from rtaffect.predicted.featurizer import Featurizer, featurizer_for
from rtaffect.predicted.prediction import Weights
from rtaffect.run.assemble import Model, Sound, build_engine, load_model
from rtaffect.simulation.head import CHANNELS
from rtaffect.sources.recorded import ArraySource
from rtaffect.sources.sound_file import SoundFileSource
from rtaffect.stream.audio import SAMPLE_RATE, read_sound
from rtaffect.stream.source import StreamInfo
from rtaffect.timelock.stimulus import KnownOnset

RATE = 250.0
ORIGIN = 100.0
ANALYSIS = AnalysisPlan(mains=50.0)
STAGES = ("eeg", "features", "prediction", "synchrony")


def measure(quick: bool) -> Rows:
    """Return a row for each number of headsets and channels."""
    warm, turns, seconds = (22, 3, 40) if quick else (125, 15, 180)
    rows = [_with_sound(quick, seconds, warm, turns)]
    for people, channels in ((4, 4), (8, 24)):
        eeg = [_noise(i, channels, seconds) for i in range(people)]
        engine = build_engine(_sources(eeg), ORIGIN, sound=None, model=None, analysis=ANALYSIS)
        naive = Naive(eeg, Settings(), None)
        rows.append(_compare(f"{people} headsets x {channels}, as a group", engine, naive, warm, turns))
    return rows


def _with_sound(quick: bool, seconds: int, warm: int, turns: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        model, samples = made_up_model(Path(folder), seconds) if quick else _demo_model()
        sound = SoundFileSource(samples, "sound", ORIGIN)
        sound.start()
        eeg = [_noise(0, len(CHANNELS), seconds)]
        heard = Sound.known(sound, sound.info.source_id, KnownOnset(0.0))
        engine = build_engine(_sources(eeg), ORIGIN, sound=heard, model=model, analysis=ANALYSIS)
        found = model.bundle.reference_for(heard.sha256)
        reference = found.mean if found is not None else None
        naive = Naive(eeg, model.bundle.manifest.settings, reference, (model.featurizer, samples))
        return _compare("1 headset x 24, sound and reference", engine, naive, warm, turns)


def _demo_model() -> tuple[Model, np.ndarray]:
    model = load_model(DEMO_BUNDLE, None, print)
    return model, read_sound(model.folder.parent / "sound.wav")[0]


def made_up_model(
    folder: Path,
    seconds: int,
    samples: np.ndarray | None = None,
    channels: tuple[str, ...] = CHANNELS,
    path: Path | None = None,
) -> tuple[Model, np.ndarray]:
    """Return a model of the demo's size with weights from a seed, and its sound: a step costs what the demo's costs.

    Or one of other channels, and of the featurizer at ``path``.
    """
    rng, settings, featurizer = np.random.default_rng(1), Settings(), featurizer_for(path)
    if samples is None:
        samples = (0.1 * rng.standard_normal(seconds * SAMPLE_RATE)).astype(np.float32)
    source = SoundFileSource(samples, "sound", ORIGIN)
    stimulus = Stimulus(name="sound", sha256=source.info.source_id, seconds=seconds, people=12, fitted=False)
    manifest = Manifest(
        name="bench", created="", rtaffect="", channels=channels, rows=channels, settings=settings,
        featurizer=FeaturizerIdentity(identity=featurizer.identity, sha256=featurizer.sha256, size=featurizer.size),
        stimuli=(stimulus,), lags_s=settings.prediction.lags_s,
        scores=Scores(r=(0.0,) * len(channels), r_mean=0.0, folds=1, steps=1, alpha=(1.0,)),
        synthetic=True, provenance={},
    )  # fmt: skip
    reference = rng.standard_normal((seconds * settings.signal.rate_hz, len(channels))).astype(np.float32)
    save_bundle(
        Bundle(
            manifest,
            _weights(rng, featurizer, settings, len(channels)),
            (Reference.of(reference[None]),),
            ChannelSpace(channels),
        ),
        folder,
    )
    return load_model(folder, path, print), samples


def _weights(rng: np.random.Generator, featurizer: Featurizer, settings: Settings, rows: int) -> Weights:
    count, lags = settings.prediction.n_components, settings.prediction.lags_s
    return Weights(
        pca_mean=np.zeros(featurizer.size), pca_components=rng.standard_normal((count, featurizer.size)),
        scaler_mean=np.zeros(count), scaler_scale=np.ones(count),
        coefficients=1e-3 * rng.standard_normal((len(lags) * count, rows)), intercept=np.zeros(rows),
        residual_low=-np.ones(rows + 1), residual_high=np.ones(rows + 1), lags_s=lags,
    )  # fmt: skip


def _noise(seed: int, channels: int, seconds: int) -> np.ndarray:
    return 1e-5 * np.random.default_rng(seed).standard_normal((round(seconds * RATE), channels))


def _sources(eeg: Sequence[np.ndarray]) -> list[ArraySource]:
    infos = [StreamInfo(f"headset-{i}", "eeg", RATE, CHANNELS[: x.shape[1]], "simulated") for i, x in enumerate(eeg)]
    return [ArraySource(info, x, ORIGIN) for info, x in zip(infos, eeg, strict=True)]


class Naive:
    """A step that keeps no state between steps but the history of its own results and the featurizer's.

    It filters the last window of each headset from the beginning, takes every sample at the grid's instants by linear
    interpolation, and calls ``numpy.corrcoef`` for each person, row and displaced window; the features are the
    same, from a stream of its own.
    """

    def __init__(
        self,
        eeg: Sequence[np.ndarray],
        settings: Settings,
        reference: np.ndarray | None,
        hearing: tuple[Featurizer, np.ndarray] | None = None,
    ) -> None:
        self._raw, self._settings, self._reference = eeg, settings, reference
        self._stream, self._sound = (hearing[0].stream(), hearing[1]) if hearing else (None, None)
        self._sos = design_filter(settings.signal, RATE)
        rate = settings.signal.rate_hz
        self._window = settings.synchrony.window_s * rate
        self._history = np.zeros((len(eeg), settings.synchrony.null_history_s * rate, eeg[0].shape[1]))

    def step(self, step: int) -> np.ndarray:
        """Return the observed correlations of ``step`` and of the displaced windows, (1 + shifts, rows)."""
        self.take_in(step)
        return self._correlate(step)

    def take_in(self, step: int) -> None:
        """Hear the newest second and filter the newest window; each step needs this of all before it."""
        if self._stream is not None and self._sound is not None:
            self._stream.step(self._sound[(step - 1) * SAMPLE_RATE : step * SAMPLE_RATE])
        rate, seconds = self._settings.signal.rate_hz, self._settings.synchrony.window_s
        self._history = np.roll(self._history, -rate, axis=1)
        for person, raw in enumerate(self._raw):
            stop = round(step * RATE)
            part = sosfilt(self._sos, raw[max(0, stop - round(seconds * RATE)) : stop], axis=0)
            at, times = np.arange(min(self._window, step * rate)) / rate, np.arange(len(part)) / RATE
            grid = np.stack([np.interp(at, times, column) for column in part.T], axis=1)
            self._history[person, -len(grid) :] = grid

    def _correlate(self, step: int) -> np.ndarray:
        synchrony, rate, window = self._settings.synchrony, self._settings.signal.rate_hz, self._window
        if self._reference is not None:
            windows, start = self._history[:, -window:], step * rate - window
            partners = np.broadcast_to(self._reference, (len(windows), *self._reference.shape))
        else:
            kept = min(step, synchrony.null_history_s) * rate
            people = standardise(self._history[:, -kept:])
            windows, start, partners = people[:, -window:], kept - window, others_mean(people)
        apart, stride = round(synchrony.null_separation_s * rate), round(synchrony.null_stride_s * rate)
        last = partners.shape[1] - window
        starts = [start, *range(start - apart, -1, -stride), *range(start + apart, last + 1, stride)]
        r = [
            [[np.corrcoef(w[:, k], p[s : s + window, k])[0, 1] for k in range(w.shape[1])] for s in starts]
            for w, p in zip(windows, partners, strict=True)
        ]
        return fisher_mean(np.array(r), axis=0)


def _compare(case: str, engine: Engine, naive: Naive, warm: int, turns: int) -> dict[str, object]:
    results: list[Feedback] = []
    spent: list[list[float]] = []
    for step in range(1, warm + turns + 1):
        due = engine.end_of(step) + engine.lookahead_s
        for source in engine.sources:
            source.advance(due)
        if step <= warm:
            results.append(engine.step(due))
            naive.take_in(step)
        else:
            spent.append(interleaved(1, lambda now=due: results.append(engine.step(now)), lambda k=step: naive.step(k)))
    ours, theirs = np.median(spent, axis=0)
    stages = {f"{stage}_ms": 1e3 * float(np.median([f.stage_s[stage] for f in results[warm:]])) for stage in STAGES}
    return {"case": case, **stages, "total_ms": 1e3 * ours, "naive_ms": 1e3 * theirs, "ratio": theirs / ours}


COLUMNS = (
    ("case", "case", ""), *((f"{stage}_ms", f"{stage}, ms", ".2f") for stage in STAGES),
    ("total_ms", "step, ms", ".1f"), ("naive_ms", "recomputed, ms", ".0f"), ("ratio", "ratio", ".1f"),
)  # fmt: skip

if __name__ == "__main__":
    run(
        "step", measure, COLUMNS,
        "medians; recomputed: filter the last 10 s anew, numpy.corrcoef per row and shift, the same features",
    )  # fmt: skip
