"""Bundles, sounds, recordings and senders for the start window, small and from seeds."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import soundfile

from rtaffect.common.settings import PredictionSettings, Settings
from rtaffect.engine.bundle import FEATURIZER_FILE, Bundle, FeaturizerIdentity, Stimulus, save_bundle
from rtaffect.observed.reference import Reference
from rtaffect.observed.spaces import ChannelSpace
from rtaffect.predicted.manifest import StatePart
from rtaffect.simulation.headset import SimulatedHeadset
from rtaffect.sources.sound_file import SoundFileSource
from tests.engine.test_bundle import some_bundle
from tests.predicted.test_feature_stream import summing_featurizer
from tests.support.helpers import some_weights
from tests.support.xdf_writer import FakeStream, image

CHANNELS = (
    "Fp1", "Fp2", "F7", "F3", "Fz", "F4", "F8", "T7", "C3", "Cz", "C4", "T8", "P7", "P3", "Pz", "P4", "P8", "Oz",
)  # fmt: skip
PROTOCOL = """
format = 1
name = "Baseline and two runs"
[feedback]
rows = ["mean"]
[[block]]
kind = "baseline"
name = "Baseline"
duration_s = 120
[[block]]
kind = "feedback"
name = "First run"
duration_s = 600
[[block]]
kind = "rest"
name = "Pause"
duration_s = 60
[[block]]
kind = "feedback"
name = "Second run"
duration_s = 600
"""


def bundle_in(folder: Path, channels: Sequence[str] = CHANNELS, sound: str = "1" * 64, name: str = "podcast") -> Path:
    """Write a small bundle with its featurizer: rows are ``channels``, the hash of its stimulus is ``sound``."""
    rng, base, rows = np.random.default_rng(0), some_bundle(), len(channels)
    folder.mkdir(parents=True)
    part = StatePart(name="audio", dtype="float32", shape=(), keep=16, made=(4, 4))
    featurizer = summing_featurizer(folder / FEATURIZER_FILE, [part])
    scores = {"r": (0.3,) * rows, "r_mean": 0.31, "r_is": "within sounds", "alpha": (1.0,) * rows}
    manifest = base.manifest.model_copy(
        update={
            "name": name,
            "channels": tuple(channels),
            "rows": tuple(channels),
            "settings": Settings(prediction=PredictionSettings(n_components=3, lags_s=(0, 1, 3))),
            "featurizer": FeaturizerIdentity(
                identity=featurizer.identity, sha256=featurizer.sha256, size=featurizer.size
            ),
            "stimuli": (Stimulus(name="story.wav", sha256=sound, seconds=3.0, people=12, fitted=True),),
            "scores": base.manifest.scores.model_copy(update=scores),
            "synthetic": False,
        }
    )
    weights = some_weights(rng, features=featurizer.size, rows=rows)
    reference = Reference.of(rng.standard_normal((3, 300, rows)))
    save_bundle(Bundle(manifest, weights, [reference], ChannelSpace(tuple(channels))), folder)
    return folder


def headset(
    name: str, channels: Sequence[str], rate: float, seconds: float = 240.0, **options: object
) -> SimulatedHeadset:
    """A headset that sends something like EEG, for longer than the tests of a file take on a busy machine."""
    rng, n, count = np.random.default_rng(len(channels)), round(seconds * rate), len(channels)
    at = np.arange(n)[:, None] / rate
    waxing = 1 + np.sin(2 * np.pi * 0.3 * at + rng.uniform(0, 6, count))
    samples = 1e-5 * np.sin(2 * np.pi * 10 * at) * waxing + rng.normal(0, 3e-6, (n, count))
    samples += np.cumsum(rng.normal(0, 4e-7, (n, count)), axis=0)
    source_id = f"{name.lower().replace(' ', '-')}-{uuid.uuid4().hex[:6]}"
    return SimulatedHeadset(name, source_id, samples, rate, channels, **options)  # type: ignore[arg-type]


def microphone(name: str = "Room microphone", seconds: float = 120.0) -> SimulatedHeadset:
    """A stream of sound of about -26 dB."""
    samples = 0.05 * np.random.default_rng(3).standard_normal((round(16_000 * seconds), 1))
    return SimulatedHeadset(name, f"mic-{uuid.uuid4().hex[:6]}", samples, 16_000.0, ["mono"], stream_type="Audio")


def recording_in(folder: Path, *, unit: str = "microvolts", name: str = "visit-3.xdf") -> Path:
    """Write a recording of one headset, a minute long, with the marker 'story' at 10 s."""
    values = (np.random.default_rng(5).standard_normal((6_000, len(CHANNELS))) * 12).astype(np.float32)
    stamps = 100 + np.arange(6_000) / 100
    stream = FakeStream(
        values, stamps, name="ANT", labels=CHANNELS, unit=unit, source_id="ant-7", offsets=[(100.0, 0.0)]
    )
    said = FakeStream(["story"], np.array([110.0]), name="PsychoPy", type="Markers", rate=0.0, format="string")
    path = folder / name
    path.write_bytes(image([stream, said]).data)
    return path


def story_in(folder: Path) -> tuple[Path, str]:
    """Write a sound of six seconds; return it and the hash of its samples."""
    path = folder / "story.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(1).standard_normal(96_000), 16_000)
    return path, SoundFileSource.open(path).info.source_id


def wait_for(condition: Callable[[], object], most_s: float = 60.0, said: Callable[[], object] = lambda: "") -> None:
    """Return when ``condition()`` holds."""
    end = time.monotonic() + most_s
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {most_s} s: {said()}")
        time.sleep(0.02)
