"""How many times as fast as real time a recording is replayed, and the memory that it takes."""

from __future__ import annotations

import tempfile
import threading
import time
import tracemalloc
from pathlib import Path

import numpy as np

from bench import Rows, run
from bench.alone import most_memory_mb
from bench.step import ANALYSIS, made_up_model
from rtaffect.common.clock import InstantClock
from rtaffect.engine.session import Session
from rtaffect.predicted.featurizer import featurizer_for
from rtaffect.run.assemble import Model, Sound, build_engine
from rtaffect.simulation.study import REST_S, StudySettings, SyntheticStudy
from rtaffect.sources.sound_file import SoundFileSource
from rtaffect.sources.xdf import XdfRecording
from rtaffect.stream.audio import read_sound
from rtaffect.timelock.stimulus import KnownOnset

PEOPLE = 4


def measure(quick: bool) -> Rows:
    """Write a small study and replay its first sound in each way, turn about."""
    seconds = 12 if quick else 120
    size = StudySettings(listeners=PEOPLE, sounds=1, sound_s=max(30, seconds), spare_s=30)
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "study"
        SyntheticStudy(size, featurizer_for(None), lambda _: None).write(study, lambda _: None)
        sound = study / "sounds" / "soundtrack-01.wav"
        model, _ = made_up_model(Path(folder) / "bundle", max(30, seconds), read_sound(sound)[0])
        files = sorted((study / "eeg").glob("*.xdf"))
        cases = {
            "1 headset, no sound": (files[:1], None, None),
            "1 headset, sound and reference": (files[:1], sound, model),
            f"{PEOPLE} headsets as a group, no sound": (files, None, None),
            f"{PEOPLE} headsets, sound and reference": (files, sound, model),
        }
        spent: dict[str, list[tuple[float, float]]] = {case: [] for case in cases}
        for _ in range(1 if quick else 3):
            for case, how in cases.items():
                spent[case].append(_replay(*how, seconds))
        memory = {case: _traced_peak(*how, seconds) for case, how in cases.items()}
    return [_row(case, spent[case], memory[case]) for case in cases]


def _row(case: str, spent: list[tuple[float, float]], peak: int) -> dict[str, object]:
    recorded, took = spent[0][0], float(np.median([seconds for _, seconds in spent]))
    process_mb = most_memory_mb()
    return {
        "case": case,
        "recorded_s": recorded,
        "replay_s": took,
        "ratio": recorded / took,
        "peak_mib": peak / 2**20,
        "process_peak_mib": process_mb and process_mb * 1e3 / 2**10,
    }


def _replay(files: list[Path], sound: Path | None, model: Model | None, seconds: int) -> tuple[float, float]:
    """Return the recorded seconds and how long reading and replaying them took, s."""
    begin = time.perf_counter()
    people = [XdfRecording.open(file).eeg_sources()[0] for file in files]
    onset = people[0].first + REST_S
    heard = None
    if sound is not None:
        source = SoundFileSource.open(sound, onset)
        heard = Sound.known(source, source.info.source_id, KnownOnset(0.0))
    engine = build_engine(people, onset, sound=heard, model=model, analysis=ANALYSIS)
    steps = Session(engine, InstantClock(onset), [], threading.Event(), seconds).run()
    return float(steps), time.perf_counter() - begin


def _traced_peak(files: list[Path], sound: Path | None, model: Model | None, seconds: int) -> int:
    """Return the most memory that Python and numpy held at once, bytes; tracing slows, so it is a run of its own."""
    tracemalloc.start()
    try:
        _replay(files, sound, model, seconds)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


COLUMNS = (
    ("case", "case", ""), ("recorded_s", "recorded, s", ".0f"), ("replay_s", "replay, s", ".2f"),
    ("ratio", "times real time", ".0f"), ("peak_mib", "memory peak, MiB", ".0f"),
)  # fmt: skip

if __name__ == "__main__":
    run(
        "replay", measure, COLUMNS,
        "reading the XDF included; memory peak: Python and numpy (tracemalloc), without onnxruntime's own",
    )  # fmt: skip
