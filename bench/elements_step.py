"""A whole live step with voice and background beside the sound, against the same step without them.

Unknown sound, which either streaming separator takes apart as it comes, and a known file, whose elements are there;
one headset of 24 channels, the embedded featurizer, one thread, weights of no meaning. The rule: at most a quarter of
each second on one core.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from bench import Rows, interleaved, run, silent
from bench.step import ANALYSIS, ORIGIN, RATE, made_up_model
from rtaffect.engine.engine import Engine
from rtaffect.predicted.elements import separator_for
from rtaffect.predicted.separator import Separator
from rtaffect.run.assemble import Model, Sound, build_engine
from rtaffect.run.elements import ReadyElements
from rtaffect.simulation.head import CHANNELS
from rtaffect.simulation.sounds import compose, speech_from_wheel
from rtaffect.sources.recorded import ArraySource
from rtaffect.sources.sound_file import SoundFileSource
from rtaffect.stream.source import StreamInfo
from rtaffect.timelock.stimulus import KnownOnset

#: A step with all elements may take so much of each second, s.
MOST_S = 0.25


def step_rows(quick: bool) -> Rows:
    """Return what a step takes without elements, with known ones, and with those of a sound that is taken apart."""
    warm, turns = (16, 4) if quick else (40, 40)
    seconds = warm + turns + 20
    sound = compose(3, seconds, speech=speech_from_wheel())
    separators = [separator_for(name, progress=silent) for name in ("dtln", "spleeter-stream")]
    with tempfile.TemporaryDirectory() as folder:
        model, _ = made_up_model(Path(folder), seconds, sound)
        taken = [f"voice and background as it comes, {each.manifest.name}" for each in separators]
        ways = ("sound alone", "voice and background of the file", *taken)
        engines = [_engine(model, sound, separators, way, seconds) for way in range(len(ways))]
        spent = []
        for step in range(1, warm + turns + 1):
            cost = interleaved(1, *(partial(_step, engine, step) for engine in engines))
            spent.append(cost)
    costs = np.median(spent[warm:], axis=0)
    return [
        {
            "step": way,
            "ms": 1e3 * cost,
            "ratio": cost / costs[0],
            "within": "yes" if cost <= MOST_S else "no",
        }
        for way, cost in zip(ways, costs, strict=True)
    ]


def _step(engine: Engine, step: int) -> None:
    due = engine.end_of(step) + engine.lookahead_s
    for source in engine.sources:
        source.advance(due)
    found = engine.step(due)
    if step > 10 and not (np.isfinite(found.predicted).all() and all(each.there for each in found.elements[1:])):
        raise RuntimeError(f"step {step} predicts nothing ({found.reason}), so what it took says nothing")


def _engine(model: Model, sound: np.ndarray, separators: list[Separator], way: int, seconds: int) -> Engine:
    names = ("voice", "background")
    file = SoundFileSource(sound, "sound", ORIGIN)
    file.start()
    ready = None
    if way == 1:
        known = separators[0].elements_of(sound, sound[:, None], 16_000)
        ready = ReadyElements(names, {file.info.source_id: known})
    elif way > 1:
        ready = ReadyElements(names, separator=separators[way - 2])
    bundle = replace(model.bundle, elements=dict.fromkeys(names, model.bundle.weights))
    eeg = 1e-5 * np.random.default_rng(0).standard_normal((round(seconds * RATE), len(CHANNELS)))
    person = ArraySource(StreamInfo("P", "eeg", RATE, CHANNELS, "simulated", "P"), eeg, ORIGIN)
    heard = Sound.known(file, file.info.source_id, KnownOnset(0.0))
    return build_engine(
        [person], ORIGIN, sound=heard, model=replace(model, bundle=bundle, elements=ready), analysis=ANALYSIS
    )


COLUMNS = (
    ("step", "a step with", ""), ("ms", "ms", ".1f"), ("ratio", "against the sound alone", ".2f"),
    ("within", "within a quarter of a second", ""),
)  # fmt: skip

if __name__ == "__main__":
    run(
        "elements_step", step_rows, COLUMNS,
        "medians; one thread, the embedded featurizer, 1 headset x 24 with a reference",
    )  # fmt: skip
