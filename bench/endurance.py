"""Eight hours of a session in some minutes, with something going wrong every minute: does anything grow?

Headsets deliver by an injected clock and have gaps, are lost and come back, have flat and missing channels, and clocks
that jump for a while (:mod:`rtaffect.simulation.faulty`). The session is a whole one: null band, tables, recording,
the window's history. After each part, the process's resident memory, threads and open files are looked at; at the
end, that each table has a whole line for each step, and the recording every sample that was sent.

The ratio is session time to real time: the alternative is to wait for eight hours.
"""

from __future__ import annotations

import gc
import logging
import os
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from bench import Rows, run
from rtaffect.common.clock import InstantClock
from rtaffect.engine.feedback import Feedback
from rtaffect.plan.analysis_plan import AnalysisPlan
from rtaffect.plan.results_plan import ResultsPlan
from rtaffect.plan.session_folder import RECORDING_FILE
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.present.session_presenter import Presenter
from rtaffect.record.recorder import Recorder
from rtaffect.record.table import FEEDBACK_COLUMNS, PEOPLE_COLUMNS, QUALITY_COLUMNS
from rtaffect.run.assemble import build_engine
from rtaffect.run.describing import describe_session
from rtaffect.run.running import RunningSession
from rtaffect.run.session_record import SessionRecord
from rtaffect.run.session_sources import Beginning, Run, SessionSources
from rtaffect.simulation.faulty import FaultySource, troubles
from rtaffect.sources.xdf import XdfRecording
from rtaffect.stream.source import StreamInfo

PEOPLE, RATE, ORIGIN = 2, 128.0, 1000.0
NAMES = ("Fz", "C3", "C4", "Pz")
PARTS = 8
#: What is in memory for the session's whole length, such as the caches of libraries, is there after so many s.
SETTLED_S = 300


class FaultySources(SessionSources):
    """Headsets that go wrong."""

    def begin(self, cleanup: ExitStack, progress: Any) -> Beginning:
        """Begin at once."""
        return Beginning(ORIGIN, InstantClock(ORIGIN), None, {"eeg": []})


@dataclass(frozen=True)
class Look:
    """What the process holds after ``step`` steps, and the oldest newest sample since the look before."""

    step: int
    at: float
    memory_mb: float | None
    threads: int
    files: int | None
    age_s: float
    valued: int


def headsets(seconds: int, every_s: float) -> list[FaultySource]:
    """Return people who hear the same, each with troubles of their own."""
    rng = np.random.default_rng(1)
    shared = rng.standard_normal((round(97 * RATE), len(NAMES)))
    return [
        FaultySource(
            StreamInfo(f"head-{n}", "eeg", RATE, NAMES, "simulated", f"head-{n}"),
            1e-5 * (0.4 * shared + rng.standard_normal(shared.shape)),
            ORIGIN - 1.0,
            seconds + 3.0,
            troubles(seconds, len(NAMES), n, every_s),
        )
        for n in range(PEOPLE)
    ]


def endure(folder: Path, seconds: int, parts: int, every_s: float = 60.0) -> tuple[list[Look], list[FaultySource]]:
    """Run a session of so many seconds into ``folder``; return a look at the process after each part, and before."""
    people = headsets(seconds, every_s)
    plan = SessionPlan(mode="live", results=ResultsPlan(out=folder, seconds=seconds, headless=True, outlet=False))
    recorder = Recorder(folder / RECORDING_FILE)
    for person in people:
        recorder.record(person)
    sources = FaultySources(
        plan=plan, analysis=AnalysisPlan(), title="endurance", people=people, hears=False, recorder=recorder,
        steps=seconds,
    )  # fmt: skip
    engine = build_engine(people, ORIGIN, sound=None, model=None, analysis=plan.analysis)
    presenter, looks, since = Presenter(window_s=engine.settings.synchrony.window_s), [_look(0, 0.0, 0)], [0.0, 0.0]

    def note(feedback: Feedback) -> None:
        presenter.add(feedback)
        since[0] = max(since[0], *(abs(s.age_s) for s in feedback.sources if np.isfinite(s.age_s)))
        since[1] += bool(np.isfinite(feedback.observed_mean))
        if feedback.step == SETTLED_S or feedback.step % (seconds // parts) == 0:
            looks.append(_look(feedback.step, since[0], int(since[1])))
            since[:] = 0.0, 0.0

    with ExitStack() as cleanup:
        ran = Run(engine, InstantClock(ORIGIN), sources, None, describe_session("live", plan, engine, None))
        record = SessionRecord.open(ran, cleanup, Console(file=StringIO()))
        RunningSession(ran, record, threading.Event(), cleanup).work(note)
        record.close("completed")
    return [*looks, _look(seconds, since[0], int(since[1]))], people


def _look(step: int, age_s: float, valued: int) -> Look:
    gc.collect()
    return Look(step, time.monotonic(), _resident_mb(), threading.active_count(), _open_files(), age_s, valued)


def _resident_mb() -> float | None:
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1e3


def _open_files() -> int | None:
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return None


def torn(folder: Path, seconds: int) -> list[str]:
    """Return what is wrong with the tables of a session of ``seconds`` steps, in words."""
    rows = len(NAMES)
    expected = {
        "feedback.tsv": (FEEDBACK_COLUMNS, rows + 1),
        "people.tsv": (PEOPLE_COLUMNS, PEOPLE * rows),
        "quality.tsv": (QUALITY_COLUMNS, PEOPLE * rows),
    }
    found = []
    for name, (columns, each) in expected.items():
        with (folder / name).open(encoding="utf-8") as table:
            steps = np.zeros(seconds + 2, np.int64)
            for number, line in enumerate(table):
                cells = line.rstrip("\n").split("\t")
                if len(cells) != len(columns) or not line.endswith("\n"):
                    found.append(f"{name}: line {number} has {len(cells)} cells")
                elif number:
                    steps[int(cells[0])] += 1
        if wrong := np.flatnonzero(steps[1:-1] != each).tolist():
            found.append(f"{name}: {len(wrong)} steps have not {each} lines, the first is {wrong[0] + 1}")
    return found


def unrecorded(folder: Path, people: list[FaultySource]) -> int:
    """Return how many of the samples that were sent are not in the recording."""
    recording = XdfRecording.open(folder / RECORDING_FILE)
    there = {source.info.name: source for source in recording.eeg_sources()}
    for source in there.values():
        source.advance(np.inf)
    return sum(person.sent - there[person.info.name].buffer.received for person in people)


def _grown(look: Look, base: Look) -> float | None:
    """Return by how much the memory has grown since ``base``, MB; None where that cannot be asked."""
    return None if look.memory_mb is None else look.memory_mb - (base.memory_mb or 0.0)


def measure(quick: bool) -> Rows:
    """Return a row for each part; the variable RTAFFECT_BENCH_HOURS gives another length than eight hours."""
    hours = float(os.environ.get("RTAFFECT_BENCH_HOURS", "8"))
    seconds = 640 if quick else PARTS * round(hours * 3600 / PARTS)
    logging.getLogger("rtaffect").addHandler(logging.NullHandler())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "session"
        looks, people = endure(folder, seconds, PARTS)
        wrong, lost = torn(folder, seconds), unrecorded(folder, people)
    base = next(look for look in looks if look.step >= SETTLED_S)
    rows: Rows = []
    for before, look in pairwise(looks):
        if look.step == before.step:
            continue
        rows.append(
            {
                "case": f"{look.step / 3600:.2f} h" if look.step >= 3600 else f"{look.step / 60:.1f} min",
                "memory_mb": look.memory_mb,
                "grown_mb": _grown(look, base),
                "threads": look.threads,
                "files": look.files,
                "age_s": look.age_s,
                "valued": look.valued / (look.step - before.step),
                "wrong": len(wrong) + lost,
                "ratio": (look.step - before.step) / (look.at - before.at),
            }
        )
    after, before_all = looks[-1], looks[0]
    rows.append(
        {
            "case": "after the end", "memory_mb": after.memory_mb,
            "grown_mb": _grown(after, base),
            "threads": after.threads - before_all.threads,
            "files": None if after.files is None else after.files - (before_all.files or 0),
            "age_s": max(look.age_s for look in looks), "valued": sum(look.valued for look in looks) / seconds,
            "wrong": len(wrong) + lost, "ratio": seconds / (looks[-2].at - looks[0].at),
        }
    )  # fmt: skip
    for text in wrong:
        print(text)
    return rows


COLUMNS = (
    ("case", "after", ""), ("memory_mb", "memory, MB", ".0f"), ("grown_mb", "grown since 5 min, MB", "+.1f"),
    ("threads", "threads", "d"), ("files", "open files", "d"), ("age_s", "oldest sample, s", ".1f"),
    ("valued", "steps with a value", ".0%"), ("wrong", "torn lines, lost samples", "d"),
    ("ratio", "times real time", ".0f"),
)  # fmt: skip

if __name__ == "__main__":
    run(
        "endurance", measure, COLUMNS,
        "2 headsets of 4 channels at 128 Hz, one trouble a minute each, of up to 10 s; threads and open files after "
        "the end: more than before the start",
    )  # fmt: skip
