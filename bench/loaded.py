"""Processes of ``bench.load``: one that sends, one that is the live session, one that only pulls.

``python -m bench.loaded send|session|pull`` with a specification in JSON on standard input, which ends them when it is
closed; a session and a puller write what they cost as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from contextlib import ExitStack
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pylsl

CHUNK_S = 0.02
SOUND_HZ = 16_000
_TICK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def send(spec: dict[str, Any]) -> None:
    """Be so many headsets, and a sound, until standard input ends: 1/f noise, in chunks of 20 ms.

    Stamps are even; or, if chunks are to be ``stamped`` when they are sent, that is the stamp of the newest sample,
    whose first channel is 1, where it is 0 else.
    """
    rate, names = spec["rate"], spec["channels"]
    rng = np.random.default_rng(1)
    noise = np.cumsum(rng.standard_normal((round(10 * rate), len(names))), axis=0)
    noise = (20 * (noise - noise.mean(axis=0)) / noise.std(axis=0)).astype(np.float32)
    noise += 3 * rng.standard_normal(noise.shape).astype(np.float32)
    streams = [(_outlet(f"head-{n}", "EEG", rate, names, "microvolts"), rate, noise) for n in range(spec["people"])]
    if spec["sound"]:
        voice = (0.1 * rng.standard_normal((10 * SOUND_HZ, 1))).astype(np.float32)
        hz = float(spec.get("sound_hz", SOUND_HZ))
        streams.append((_outlet("sound", "Audio", hz, ["mono"], "normalized"), hz, voice))
    print("ready", flush=True)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    onset, sent = pylsl.local_clock(), [0] * len(streams)
    for turn in range(1, 1 << 62):
        if ended.wait(max(0.0, onset + turn * CHUNK_S - pylsl.local_clock())):
            return
        for number, (outlet, hz, values) in enumerate(streams):
            stop = round(turn * CHUNK_S * hz)
            chunk = np.take(values, range(sent[number], stop), axis=0, mode="wrap")
            stamp = onset + (stop - 1) / hz
            if spec.get("stamped") == "sent":
                stamp, chunk[:, 0] = 0.0, np.arange(1 - len(chunk), 1) == 0
            outlet.push_chunk(chunk, stamp)
            sent[number] = stop


def _outlet(name: str, kind: str, rate: float, channels: list[str], unit: str) -> pylsl.StreamOutlet:
    info = pylsl.StreamInfo(name, kind, len(channels), rate, "float32", f"bench-{name}")
    info.set_channel_labels(channels)
    info.set_channel_units(unit)
    return pylsl.StreamOutlet(info)


def pull(spec: dict[str, Any]) -> dict[str, Any]:
    """Pull every stream by pylsl in a thread of its own, into one array, and do nothing with it."""
    found = pylsl.resolve_bypred("starts-with(source_id, 'bench-')", spec["streams"], 20.0)
    stop = threading.Event()

    def work(info: pylsl.StreamInfo) -> None:
        inlet = pylsl.StreamInlet(info, max_buflen=60, recover=False)
        inlet.open_stream(10.0)
        into = np.empty((max(100, round(info.nominal_srate())), info.channel_count()), np.float32)
        while not stop.is_set():
            inlet.pull_chunk(timeout=CHUNK_S, max_samples=len(into), dest_obj=into)

    threads = [threading.Thread(target=work, args=(info,)) for info in found]
    for thread in threads:
        thread.start()
    time.sleep(spec["warm_s"])
    cpu, begin = time.process_time(), time.monotonic()
    time.sleep(spec["seconds"])
    spent = (time.process_time() - cpu) / (time.monotonic() - begin)
    stop.set()
    for thread in threads:
        thread.join()
    return {"cpu": spent}


def session(spec: dict[str, Any]) -> dict[str, Any]:
    """Run a live session with null band, tables and recording, without a window; return what it costs."""
    from rich.console import Console

    from rtaffect.engine.engine import Engine
    from rtaffect.engine.feedback import Feedback
    from rtaffect.plan.session_plan import SessionPlan
    from rtaffect.run.recipe import prepare
    from rtaffect.run.running import RunningSession
    from rtaffect.run.session_record import SessionRecord

    if not spec.get("early", True):
        Engine.prepare = lambda engine, present: None
    warm, seconds = spec["warm_s"], spec["seconds"]
    marks: list[tuple[float, float, dict[int, float]]] = []
    ages, steps, stages = [], [], []

    def note(feedback: Feedback) -> None:
        ages.append(pylsl.local_clock() - feedback.lsl_time)
        stages.append(dict(feedback.stage_s))
        steps.append(sum(feedback.stage_s.values()))
        if len(ages) in (warm, warm + seconds):
            marks.append((time.process_time(), time.monotonic(), _by_thread()))

    os.environ["COLUMNS"] = "200"
    with ExitStack() as cleanup:
        run = prepare(SessionPlan.model_validate(_plan(spec)), cleanup, _quiet, _quiet)
        stop, console = threading.Event(), Console(file=StringIO())
        record = SessionRecord.open(run, cleanup, console)
        running = RunningSession(run, record, stop, cleanup)
        ahead = run.engine.lookahead_s
        profile = _profiled(spec)
        running.work(note)
        profile()
        record.close("completed")
    (cpu, begin, threads), (cpu_end, end, threads_end) = marks
    by = _share_of_threads(threads, threads_end, end - begin)
    late = np.array(ages[warm:]) - ahead
    took = np.array(steps[warm:])
    assert len(late) == seconds, (len(late), seconds)
    return {
        "cpu": (cpu_end - cpu) / (end - begin),
        "age_ms": 1e3 * float(np.median(late)),
        "age_p99_ms": 1e3 * float(np.quantile(late, 0.99)),
        "step_ms": 1e3 * float(np.median(took)),
        "step_p99_ms": 1e3 * float(np.quantile(took, 0.99)),
        "missed": int((late > 1.0).sum()),
        "by_thread": by,
        "stages_ms": {k: 1e3 * float(np.median([s[k] for s in stages[warm:]])) for k in stages[-1]},
    }


def _share_of_threads(before: dict[int, float], after: dict[int, float], seconds: float) -> dict[str, float]:
    """Return the processor time of each kind of thread between two looks, s per s."""
    names_of = {t.native_id: t.name.split(" ")[0] for t in threading.enumerate()} | _seen
    by: dict[str, float] = {}
    for tid, spent in after.items():
        key = names_of.get(tid, "liblsl and others")
        by[key] = by.get(key, 0.0) + (spent - before.get(tid, 0.0)) / seconds
    return by


def _plan(spec: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {
        "mode": "live",
        "eeg": {"wait_s": 60.0, "streams": [f"source_id=bench-head-{n}" for n in range(spec["people"])]},
        "results": {"out": spec["out"], "seconds": spec["warm_s"] + spec["seconds"], "headless": True},
    }
    if spec["sound"] or spec.get("played"):
        sound = {"file": spec["played"]} if spec.get("played") else {"stream": "sound"}
        content |= {"sound": sound, "analysis": {"bundle": spec["bundle"], "featurizer": spec["model"]}}
    return content


_seen: dict[int | None, str] = {}


def _by_thread() -> dict[int, float]:
    """Return the processor time of each thread so far, s; of this system's threads only where /proc tells it."""
    _seen.update({t.native_id: t.name.split(" ")[0] for t in threading.enumerate()})
    found = {}
    for task in Path("/proc/self/task").glob("*"):
        try:
            fields = (task / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found[int(task.name)] = (int(fields[11]) + int(fields[12])) / _TICK
    return found


def _profiled(spec: dict[str, Any]) -> Any:
    """Profile this thread, the engine's, if that is asked for; return what ends and prints it."""
    if not spec.get("profile"):
        return lambda: None
    import cProfile
    import pstats

    profile = cProfile.Profile(time.thread_time)
    profile.enable()

    def done() -> None:
        profile.disable()
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(35)

    return done


def _quiet(_: str) -> None:
    pass


if __name__ == "__main__":
    asked = json.loads(sys.stdin.readline())
    if sys.argv[1] == "send":
        send(asked)
    else:
        print(json.dumps({"session": session, "pull": pull}[sys.argv[1]](asked)))
        sys.stdout.flush()
