"""What a featurizer hears of speech: the words, or how they are said; by layer, without any EEG.

The same words said with other pitch, rate and level (:mod:`rtaffect.simulation.prosody`). Features of a second of words
are held against each other over all ways of saying it, and over all words: sums of squares over feature dimensions,
each in units of its own standard deviation. ``words`` is the part that a second's words have whatever the way (with the
speaker's own melody, which goes with them), ``prosody`` the part that a way of saying has whatever the words, ``both``
the rest: a way that changes different words differently, with what resynthesis and the second's grid add. They are
shares of all of it. ``pitch``, ``rate`` and ``level`` tell how far features move when that alone is changed, as a share
of how far they are from one word to another (mean squared distances; 1: as far). 'As it is' is resynthesised, too.

Speech is the reading that comes with the default model; where RTAFFECT_SPEECH names a folder, the recordings in it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench import Rows, run
from rtaffect.predicted.featurizer import all_layers_for, features_of
from rtaffect.simulation.prosody import CHANGES, Change, variants
from rtaffect.simulation.sounds import speech_from_wheel
from rtaffect.stream.audio import SAMPLE_RATE, read_sound

Array = NDArray[np.float64]
MODELS = ("moonshine-tiny", "wakehubert-tiny")
#: First seconds that a featurizer's context is not yet whole in, and how much speech is taken, s.
WARM_UP_S, QUICK_S, WHOLE_S = 5, 16, 60


def shares(table: Array) -> tuple[float, float, float]:
    """Return the shares of words, of prosody and of both in features (words, ways, F), as sums of squares.

    An analysis of variance with two crossed factors and one value each: the interaction is the rest.
    """
    centred = table - table.mean(axis=(0, 1))
    words = centred.mean(axis=1, keepdims=True)
    ways = centred.mean(axis=0, keepdims=True)
    rest = centred - words - ways
    parts = [
        table.shape[1] * float((words**2).sum()),
        table.shape[0] * float((ways**2).sum()),
        float((rest**2).sum()),
    ]
    whole = sum(parts)
    return parts[0] / whole, parts[1] / whole, parts[2] / whole


def moved(table: Array, changes: tuple[Change, ...]) -> dict[str, float]:
    """Return for pitch, rate and level how far features (words, ways, F) move with it, in distances between words."""
    base = table[:, [change.of for change in changes].index("none")]
    about = base - base.mean(axis=0)
    between = 2.0 * float((about**2).sum()) / (len(base) - 1)
    found = {}
    for of in ("pitch", "rate", "level"):
        ways = [i for i, change in enumerate(changes) if change.of == of]
        found[of] = float(np.mean([((table[:, i] - base) ** 2).sum(axis=1).mean() for i in ways])) / between
    return found


def at_words(features: Array, rate: float, words: int) -> Array:
    """Return the features (words, ...) of each of so many seconds of the words, which last 1 / ``rate`` s now.

    Row k of ``features`` is of the second that ends at k + 1; between rows it is linear.
    """
    ends = (np.arange(WARM_UP_S, WARM_UP_S + words) + 0.5) / rate + 0.5
    at = np.clip(ends - 1.0, 0.0, len(features) - 1.0)
    low = np.minimum(at.astype(np.intp), len(features) - 2)
    part = (at - low).reshape(-1, *([1] * (features.ndim - 1)))
    return np.asarray((1 - part) * features[low] + part * features[low + 1])


def tables(speech: NDArray[np.float32], model: str) -> Array:
    """Return features (layers, words, ways, F) of one speech, each in units of its own standard deviation."""
    featurizer = all_layers_for(Path(model), 1, lambda _: None)
    words = int(len(speech) / SAMPLE_RATE) - WARM_UP_S - 1
    found = [
        at_words(np.asarray(features_of(samples, featurizer), np.float64), change.rate, words)
        for change, samples in variants(speech, CHANGES).items()
    ]
    table = np.stack(found, axis=1).transpose(2, 0, 1, 3)
    spread = table.std(axis=(1, 2), keepdims=True)
    return table / np.where(spread > 0, spread, 1.0)


def speeches(seconds: int) -> Mapping[str, NDArray[np.float32]]:
    """Return what is spoken, at most so many seconds of each."""
    folder = os.environ.get("RTAFFECT_SPEECH")
    if folder is None:
        return {"reading": speech_from_wheel()[: seconds * SAMPLE_RATE]}
    files = sorted(path for path in Path(folder).iterdir() if path.suffix in {".wav", ".flac", ".ogg", ".mp3"})
    return {path.stem: read_sound(path)[0][: seconds * SAMPLE_RATE] for path in files}


def measure(quick: bool) -> Rows:
    """Return a row for each layer of both embedded models, the mean over what is spoken."""
    rows: Rows = []
    spoken = speeches(QUICK_S if quick else WHOLE_S)
    for model in MODELS:
        found = [tables(speech, model) for speech in spoken.values()]
        for layer in range(len(found[0])):
            parts = np.mean([shares(table[layer]) for table in found], axis=0)
            steps = [moved(table[layer], CHANGES) for table in found]
            rows.append(
                {
                    "model": model,
                    "layer": "final" if layer == len(found[0]) - 1 else layer,
                    "words": float(parts[0]),
                    "prosody": float(parts[1]),
                    "both": float(parts[2]),
                    **{of: float(np.mean([each[of] for each in steps])) for of in steps[0]},
                    "ratio": float(parts[1] / parts[0]),
                }
            )
    return rows


if __name__ == "__main__":
    run(
        "prosody",
        measure,
        [
            ("model", "model", ""),
            ("layer", "layer", ""),
            ("words", "words", ".3f"),
            ("prosody", "prosody", ".3f"),
            ("both", "both", ".3f"),
            ("pitch", "pitch, 4 semitones", ".3f"),
            ("rate", "rate, a quarter", ".3f"),
            ("level", "level, 6 dB", ".3f"),
            ("ratio", "prosody / words", ".3f"),
        ],
        "shares of all variance; pitch, rate, level: squared distance, that from one word to another is 1",
    )
