"""A bundle of ratings with the real default featurizer and weights from a seed, and a rating over real LSL."""

from __future__ import annotations

import threading
import uuid
from dataclasses import replace
from pathlib import Path

import numpy as np
import pylsl

from rtaffect.common.rating_scale import RatingScale
from rtaffect.common.settings import PredictionSettings, Settings
from rtaffect.engine.bundle import Bundle, FeaturizerIdentity, Manifest, Scores, save_bundle
from rtaffect.observed.spaces import RatingSpace
from rtaffect.predicted.featurizer import default_featurizer
from tests.support.helpers import quiet, some_weights

ROWS = ("arousal", "valence")
SCALE = RatingScale(low=1.0, high=9.0)


def rated_bundle(folder: Path, rows: tuple[str, ...] = ROWS, scale: RatingScale = SCALE) -> Path:
    """Write a bundle whose predictions lie about the middle of the scale."""
    featurizer = default_featurizer(quiet, threads=1)
    size = featurizer.manifest.hidden_size
    settings = Settings(prediction=PredictionSettings(n_components=3, lags_s=(0, 1, 3)))
    weights = some_weights(np.random.default_rng(1), features=size, rows=len(rows))
    weights = replace(weights, intercept=np.full(len(rows), scale.middle), scaler_scale=weights.scaler_scale * 20)
    manifest = Manifest(
        name="rated",
        created="2025-01-01T00:00:00+00:00",
        rtaffect="0.1.0",
        space="ratings",
        channels=(),
        rows=rows,
        settings=settings,
        featurizer=FeaturizerIdentity(identity=featurizer.identity, sha256=featurizer.sha256, size=size),
        stimuli=(),
        lags_s=(0, 1, 3),
        scores=Scores(r=(0.3,) * len(rows), r_mean=None, folds=2, steps=100, alpha=(1.0,) * len(rows)),
        synthetic=True,
        provenance={"study": "made up"},
        rating=scale,
    )
    save_bundle(Bundle(manifest, weights, (), RatingSpace(rows)), folder)
    return folder


class Knob:
    """A slider that is sent 20 times a second, but not for ``pause`` s of each 12: a context manager."""

    def __init__(self, rows: tuple[str, ...] = ROWS, pause: float = 0.0) -> None:
        self.name = f"knob-{uuid.uuid4().hex[:6]}"
        info = pylsl.StreamInfo(self.name, "Rating", len(rows), 20.0, "float32", self.name)
        listed = info.desc().append_child("channels")
        for row in rows:
            listed.append_child("channel").append_child_value("label", row)
        self._outlet = pylsl.StreamOutlet(info)
        self._rows, self._pause = len(rows), pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)

    def __enter__(self) -> Knob:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        del self._outlet

    def _send(self) -> None:
        begun, sent = pylsl.local_clock(), 0
        while not self._stop.wait(max(0.0, begun + sent / 20.0 - pylsl.local_clock())):
            at = sent / 20.0
            if at % 12.0 >= self._pause:
                self._outlet.push_sample([5.0 + 0.05 * at + row for row in range(self._rows)], begun + at)
            sent += 1
