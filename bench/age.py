"""How old things are: a sample when it reaches the ring, and a value when it leaves, over LSL on this machine.

**Way in**: a process sends 64 channels at 500 Hz in chunks of 20 ms, the newest sample stamped when it is sent. One
after the other, in a process each: rtaffect's source, until the chunk is in its ring, as a step asks for it, once a
second, and unasked; pylsl pulled in a blocking way, until it is in an array; mne-lsl, until its callback has it (where
another Python has it, the variable RTAFFECT_BENCH_MNE_LSL names that). Processor time is that of the whole process,
liblsl's threads included.

**Way out**: a live session as ``rtaffect live --headless`` makes it, from the end of a step's window and of the
look-ahead after it until the value is on its way; against a session that takes in all samples when a step is due. The
sound comes by LSL; and, where there is PulseAudio, to which a private server plays, the session plays it itself.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import soundfile

from bench import Rows, run
from bench.faulty.sound_server import SoundServer, absent
from bench.load import ROOT, child, configured, measured, sending
from bench.step import made_up_model
from rtaffect.common.montage import STANDARD
from rtaffect.stream.audio import SAMPLE_RATE

OTHER_PYTHON = "RTAFFECT_BENCH_MNE_LSL"
WAY_IN: dict[str, Any] = {"people": 1, "channels": list(STANDARD["1010-64"][:64]), "rate": 500.0, "streams": 1}
WAYS = (
    ("rtaffect's ring, for a step", "asked"), ("rtaffect's ring, unasked", "ring"), ("pylsl, blocking pull", "pylsl"),
    ("mne-lsl's callback", "mne_lsl"),
)  # fmt: skip
#: Headsets, channels, rate (Hz).
SESSIONS = ((1, 8, 250.0), (4, 64, 1000.0))


def measure(quick: bool) -> Rows:
    """Return a row for each way in, and two for each session."""
    with tempfile.TemporaryDirectory() as name, configured(Path(name)) as environment:
        rows = _ways_in(environment, 3 if quick else 30)
        sessions = SESSIONS[:1] if quick else SESSIONS
        for number, worn in enumerate(sessions):
            rows += _ways_out(Path(name) / str(number), environment, worn, quick)
        if not (quick or absent()):
            rows += _playing(Path(name), environment)
    return rows


def _playing(folder: Path, environment: dict[str, str]) -> Rows:
    (folder / "server").mkdir()
    server, rows = SoundServer(folder / "server", ROOT), list[dict[str, Any]]()
    try:
        server.start()
        for number, worn in enumerate(SESSIONS):
            rows += _ways_out(folder / f"played-{number}", environment | server.env, worn, quick=False, played=True)
    finally:
        server.stop()
    return rows


def _ways_in(environment: dict[str, str], seconds: int) -> Rows:
    spec = WAY_IN | {"sound": False, "stamped": "sent", "warm_s": 3, "seconds": seconds}
    found: dict[str, dict[str, Any]] = {}
    for name, how in WAYS:
        python = os.environ.get(OTHER_PYTHON, "") if how == "mne_lsl" else sys.executable
        if python:
            # A step asks but once a second.
            taking = spec | {"seconds": seconds * (4 if how == "asked" else 1)}
            with sending(spec, environment):
                found[name] = _taken(how, taking, environment, python)
    plain = found["pylsl, blocking pull"]["median"]
    return [
        {
            "case": f"way in: {name}", "age_ms": 1e3 * each["median"], "age_p99_ms": 1e3 * each["p99"],
            "cpu": 100 * each["cpu"], "step_ms": None, "ratio": plain / each["median"],
        }
        for name, each in found.items()
    ]  # fmt: skip


def _taken(how: str, spec: dict[str, Any], environment: dict[str, str], python: str) -> dict[str, Any]:
    # Another Python has the packages of the other way alone.
    command = [python, str(ROOT / "bench" / "ways_in.py"), how]
    with child(command, environment | {"PYTHONPATH": str(ROOT)}, spec) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"the process that was to take samples ({how}) ended without a word; it said why above")
    found: dict[str, Any] = json.loads(line)
    return found


def _ways_out(
    folder: Path, environment: dict[str, str], worn: tuple[int, int, float], quick: bool, *, played: bool = False
) -> Rows:
    people, channels, rate = worn
    names = STANDARD["1010-64"][:channels]
    with redirect_stdout(StringIO()):
        _, samples = made_up_model(folder / "bundle", 60, channels=names)
    if played:
        soundfile.write(folder / "sound.wav", samples, SAMPLE_RATE, "FLOAT")
    spec: dict[str, Any] = {
        "people": people, "channels": list(names), "rate": rate, "sound": not played, "sound_hz": 48_000,
        "streams": people + (not played), "played": str(folder / "sound.wav") if played else None,
        "warm_s": 2 if quick else 12, "seconds": 3 if quick else 30,
        "bundle": str(folder / "bundle"), "model": None,
    }  # fmt: skip
    found = []
    for early in (True, False):
        with sending(spec, environment):
            found.append(measured("session", spec | {"early": early, "out": str(folder / f"out-{early}")}, environment))
    case = f"{people} x {channels} at {rate:g} Hz, sound{' played here' if played else ''}"
    return [
        {
            "case": f"way out: {case}{how}", "age_ms": each["age_ms"], "age_p99_ms": each["age_p99_ms"],
            "cpu": 100 * each["cpu"], "step_ms": each["step_ms"], "ratio": found[1]["age_ms"] / each["age_ms"],
        }
        for how, each in zip(("", ", all at the step"), found, strict=True)
    ]  # fmt: skip


COLUMNS = (
    ("case", "case", ""), ("age_ms", "age, ms", ".1f"), ("age_p99_ms", "p99", ".1f"), ("cpu", "% of a core", ".1f"),
    ("step_ms", "step, ms", ".1f"), ("ratio", "ratio", ".2f"),
)  # fmt: skip

if __name__ == "__main__":
    run(
        "age", measure, COLUMNS,
        "medians; way in: from being sent; ratio: age by a blocking pull / by this; way out: after window and "
        "look-ahead; ratio: age where all is done at the step / by this",
    )  # fmt: skip
