"""A live session under load, over LSL on this machine: what it costs, and how late its values are.

Headsets are real LSL outlets in a process of their own. The session runs as ``rtaffect live --headless`` does: null
band, tables, recording, results offered by LSL. Its processor time is that of the whole process, liblsl's threads
included. The alternative, turn about with it: a process that pulls the same streams by pylsl, each in a thread of its
own every 20 ms, and does nothing with them.

``age`` is from the end of a step's window, and of the filter's look-ahead after it, to when its value is on its way to
table, outlet and recording; ``missed`` are steps that come more than a second after that.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from bench import Rows, loopback, run, silent
from bench.step import made_up_model
from rtaffect.common.montage import STANDARD

ROOT = Path(__file__).parents[1]
LAYER = 7
LOADED = (sys.executable, "-m", "bench.loaded")


@dataclass(frozen=True)
class Case:
    """Headsets of some channels and rate (Hz), with sound or without, and the featurizer ('' the default one)."""

    name: str
    people: int
    channels: int
    rate: float
    sound: bool = False
    featurizer: str = ""
    seconds: int = 30
    warm_s: int = 15


CASES = (
    Case("4 x 64 at 1 kHz, sound", 4, 64, 1000.0, True),
    Case("1 x 64 at 1 kHz, wav2vec 2.0 base", 1, 64, 1000.0, True, "wav2vec2"),
    Case("32 x 8 at 250 Hz", 32, 8, 250.0),
    Case("100 x 8 at 250 Hz", 100, 8, 250.0),
)
QUICK = (Case("2 x 8 at 250 Hz", 2, 8, 250.0, seconds=3, warm_s=2),)


def measure(quick: bool) -> Rows:
    """Return a row for each case; the variable RTAFFECT_BENCH_CASES chooses some by their numbers, from 0."""
    chosen = os.environ.get("RTAFFECT_BENCH_CASES")
    cases = QUICK if quick else CASES if chosen is None else [CASES[int(number)] for number in chosen.split(",")]
    with tempfile.TemporaryDirectory() as name:
        return [_row(case, Path(name)) for case in cases]


def _row(case: Case, folder: Path) -> dict[str, Any]:
    names = STANDARD["1010-64"][: case.channels]
    spec: dict[str, Any] = {
        "people": case.people, "channels": list(names), "rate": case.rate, "sound": case.sound, "warm_s": case.warm_s,
        "seconds": case.seconds, "streams": case.people + case.sound, "out": str(folder / f"session-{case.name}"),
        "bundle": None, "model": None, "profile": bool(os.environ.get("RTAFFECT_BENCH_PROFILE")),
    }  # fmt: skip
    if case.sound:
        model = _base_model(folder) if case.featurizer else None
        bundle = folder / f"bundle-{case.name}"
        with redirect_stdout(StringIO()):
            made_up_model(bundle, 60, channels=names, path=model)
        spec |= {"bundle": str(bundle), "model": model and str(model)}
    with configured(folder) as environment, sending(spec, environment):
        ours, bare = (measured(how, spec, environment) for how in ("session", "pull"))
    each = case.people
    shares = sorted(ours["by_thread"].items(), key=lambda item: -item[1])
    return {
        "case": case.name,
        "cpu_ms": 1e3 * ours["cpu"] / each,
        "bare_ms": 1e3 * bare["cpu"] / each,
        "ratio": bare["cpu"] / ours["cpu"],
        **{key: ours[key] for key in ("step_ms", "step_p99_ms", "age_ms", "age_p99_ms", "missed")},
        "threads": ", ".join(f"{name} {1e3 * share / each:.1f}" for name, share in shares if share / each > 2e-4),
        "stages_ms": ours["stages_ms"],
    }


def _base_model(folder: Path) -> Path:
    """Export a wav2vec 2.0 of base size with weights from a seed; as bench.featurizer does."""
    from bench.featurizer import Library
    from models.checkpoint import open_checkpoint
    from models.encoder import Design
    from models.export import export

    path = folder / "wav2vec2.onnx"
    export(open_checkpoint(str(Library(folder / "base").folder)), Design("causal", LAYER), path, progress=silent)
    return path


@contextmanager
def configured(folder: Path) -> Iterator[dict[str, str]]:
    """Give an environment in which LSL keeps to this machine, and to these processes."""
    path = folder / "lsl_api.cfg"
    path.write_text(loopback())
    yield os.environ | {"LSLAPICFG": str(path)}


@contextmanager
def sending(spec: dict[str, Any], environment: dict[str, str]) -> Iterator[None]:
    """Let a process send."""
    with child([*LOADED, "send"], environment, spec) as process:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError("the sending process did not begin")
        yield


def measured(how: str, spec: dict[str, Any], environment: dict[str, str]) -> dict[str, Any]:
    """Return what a process found that does ``how``."""
    with child([*LOADED, how], environment, spec) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"the process that was to {how} ended without a word; it said why above")
    found: dict[str, Any] = json.loads(line)
    return found


@contextmanager
def child(command: Sequence[str], environment: dict[str, str], spec: dict[str, Any]) -> Iterator[subprocess.Popen[str]]:
    """Run a process that gets ``spec`` on its standard input, which ends it when it is closed."""
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(spec) + "\n")
        process.stdin.flush()
        yield process
    finally:
        process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


COLUMNS = (
    ("case", "case", ""), ("cpu_ms", "ms of CPU per s and headset", ".1f"), ("bare_ms", "pulling alone", ".1f"),
    ("ratio", "ratio", ".2f"), ("step_ms", "step, ms", ".0f"), ("step_p99_ms", "p99", ".0f"),
    ("age_ms", "age, ms", ".0f"), ("age_p99_ms", "p99", ".0f"), ("missed", "missed", "d"),
    ("threads", "by thread, ms", ""),
)  # fmt: skip

if __name__ == "__main__":
    run(
        "load", measure, COLUMNS,
        "a second of a live session with null band, tables, recording and outlet; pulling alone: pylsl in a thread for "
        "each stream, nothing else; ratio: pulling alone / the session; age: after window and look-ahead",
    )  # fmt: skip
