"""Processes of ``bench.age``: each takes what ``bench.loaded send`` sends, and tells how old it was by then.

``python bench/ways_in.py asked|ring|pylsl|mne_lsl`` with a specification in JSON on standard input. Only the
first two need rtaffect.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from functools import partial
from typing import Any

import numpy as np

SOURCE_ID = "bench-head-0"


class Ages:
    """By how much later than they were stamped chunks arrive, s, and what that costs, from a time on."""

    def __init__(self) -> None:
        self._ages: list[float] = []

    def note(self, first: Any, stamps: Any, now: float) -> None:
        """Take that samples with these values of the ``first`` channel (n,) and ``stamps`` (n,), s, are there ``now``.

        Those that end a chunk were sent at their stamp.
        """
        self._ages += (now - np.asarray(stamps)[np.asarray(first) > 0]).tolist()

    def over(self, spec: dict[str, Any]) -> dict[str, float]:
        """Wait, and return what was noted in the seconds that count."""
        time.sleep(spec["warm_s"])
        first, cpu, begun = len(self._ages), time.process_time(), time.monotonic()
        time.sleep(spec["seconds"])
        share = (time.process_time() - cpu) / (time.monotonic() - begun)
        ages = np.array(self._ages[first:])
        return {"median": float(np.median(ages)), "p99": float(np.quantile(ages, 0.99)), "cpu": share}


def ring(spec: dict[str, Any], *, asked: bool = False) -> dict[str, float]:
    """Take samples until they are in the ring: all of them; or those that are ``asked`` for, each second by a step."""
    from pylsl import local_clock

    from rtaffect.sources.lsl import LslSource
    from rtaffect.sources.lsl_streams import find_streams
    from rtaffect.sources.selection import Query

    (found,) = find_streams([Query("source_id", SOURCE_ID)], timeout=20.0)
    source, ages = LslSource(found), Ages()
    push = source.buffer.push

    def noted(samples: Any, stamps: Any) -> None:
        push(samples, stamps)
        ages.note(samples[:, 0], stamps, local_clock())

    stop = threading.Event()

    def ask() -> None:
        while not stop.wait(1.0):
            due = local_clock()
            # As a session waits for what a step needs.
            while not source.buffer.newest >= due and not stop.wait(0.002):
                source.advance(due)
            ages.note(1, source.buffer.newest, local_clock())

    if not asked:
        source.buffer.push = noted  # type: ignore[method-assign]
    source.start()
    thread = threading.Thread(target=ask)
    if asked:
        thread.start()
    try:
        return ages.over(spec)
    finally:
        stop.set()
        source.stop()


def pylsl(spec: dict[str, Any]) -> dict[str, float]:
    """Wait for samples in liblsl, take what is there, and do nothing with it."""
    from pylsl import StreamInlet, local_clock, resolve_byprop

    (info,) = resolve_byprop("source_id", SOURCE_ID, timeout=20.0)
    inlet, ages, stop = StreamInlet(info, max_buflen=60, recover=False), Ages(), threading.Event()
    into = np.empty((1000, info.channel_count()), np.float32)

    def work() -> None:
        while not stop.is_set():
            _, stamps = inlet.pull_chunk(timeout=0.1, max_samples=len(into), dest_obj=into, min_samples=1)
            ages.note(into[: len(stamps), 0], stamps, local_clock())

    thread = threading.Thread(target=work)
    thread.start()
    try:
        return ages.over(spec)
    finally:
        stop.set()
        thread.join()


def mne_lsl(spec: dict[str, Any]) -> dict[str, float]:
    """Take samples by mne-lsl as it does by itself, until its callback has them."""
    from mne_lsl.lsl import local_clock
    from mne_lsl.stream import StreamLSL

    stream, ages = StreamLSL(bufsize=60, source_id=SOURCE_ID), Ages()
    stream.connect(timeout=20.0)

    def noted(data: Any, timestamps: Any, info: Any) -> tuple[Any, Any]:
        ages.note(data[:, 0], timestamps, local_clock())
        return data, timestamps

    stream.add_callback(noted)
    try:
        return ages.over(spec)
    finally:
        stream.disconnect()


if __name__ == "__main__":
    asked = json.loads(sys.stdin.readline())
    ways = {"asked": partial(ring, asked=True), "ring": ring, "pylsl": pylsl, "mne_lsl": mne_lsl}
    print(json.dumps(ways[sys.argv[1]](asked)))
    sys.stdout.flush()
