"""A session that records, in a process of its own: to be killed, or to meet a full disk.

``python recording_child.py endless FILE``: records until it is killed; prints the time of the newest sample, s.
``python recording_child.py full FILE COPY``: records beyond a limit of file size that is lifted, and one that stays.
``python recording_child.py disk FOLDER COPY``: the same with a small disk of its own, mounted at FOLDER.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
from pylsl import local_clock

from rtaffect.record import recorder
from rtaffect.record.recorder import Recorder, RecordingStatus
from rtaffect.stream.source import StreamHeader

EEG = StreamHeader("Cap", "EEG", 1000.0, "double64", ("a", "b"), ("V", "V"), ("EEG", "EEG"), "cap", "lab")
LIMIT = 200_000


def give(track: recorder.Track, first: int, n: int = 50) -> None:
    numbers = np.arange(first, first + n, dtype=np.float64)
    track.samples(local_clock() + np.arange(n) / 1000.0, np.stack([numbers, -numbers], axis=1))


def endless(path: Path) -> None:
    with Recorder(path) as recording:
        track, at = recording.track(EEG), 0
        while True:
            give(track, at)
            at += 50
            print(local_clock(), flush=True)
            time.sleep(0.05)


def tell(status: RecordingStatus) -> None:
    print(json.dumps(asdict(status) | {"path": str(status.path)}), flush=True)


def wait(recording: Recorder, condition) -> RecordingStatus:
    deadline = time.monotonic() + 10
    while not condition(status := recording.status()):
        assert time.monotonic() < deadline, status
        time.sleep(0.02)
    return status


def until_full(path: Path, copy: Path, make_room) -> None:
    recorder.RETRY_S = 0.3
    with Recorder(path) as recording:
        track = recording.track(EEG)
        for at in range(0, 20_000, 50):
            give(track, at)
        tell(wait(recording, lambda status: status.trouble))
        shutil.copy(path, copy)
        make_room()
        tell(wait(recording, lambda status: not status.trouble and not status.pending_bytes))
    tell(recording.status())
    shutil.copy(path, copy.with_suffix(".whole.xdf"))


def full(path: Path, copy: Path) -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, hard))

    until_full(path, copy, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, hard))
    with Recorder(path.with_name("stuck.xdf")) as recording:
        track = recording.track(EEG)
        for at in range(0, 20_000, 50):
            give(track, at)
    tell(recording.status())


def disk(folder: Path, copy: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=True)
    filler = folder / "filler"
    filler.write_bytes(bytes((2 << 20) - LIMIT))
    until_full(folder / "session.xdf", copy, filler.unlink)


if __name__ == "__main__":
    task, *paths = sys.argv[1:]
    {"endless": endless, "full": full, "disk": disk}[task](*map(Path, paths))
