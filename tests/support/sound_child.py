"""Runs in a child process, because PortAudio sees only the sound servers that were there when it was loaded.

``python sound_child.py FOLDER TASK``: does the task and leaves its results in FOLDER.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import soxr
from pylsl import local_clock

from rtaffect.common.errors import SoundError
from rtaffect.outputs.programme_player import ProgrammePlayer
from rtaffect.outputs.sound_player import SoundPlayer
from rtaffect.sources.sound_card import SoundCardSource
from rtaffect.stream.sound_reading import read_samples


def wait_for(condition, timeout: float, what: str) -> float:
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > timeout:
            raise TimeoutError(f"no {what} within {timeout} s")
        time.sleep(0.01)
    return time.monotonic() - start


def heard(folder: Path) -> dict[str, object]:
    source = SoundCardSource("default", rate=48000)
    source.start()
    wait_for(lambda: source.status(local_clock()).state == "ok", 10, "sound")
    time.sleep(0.5)
    begun = local_clock()
    subprocess.run(["paplay", str(folder / "played.wav")], check=True, timeout=20)
    ended = local_clock()
    player = SoundPlayer.open(folder / "played.wav")
    onset = local_clock() + 1.5
    player.start(onset)
    finished = player.wait(20)
    time.sleep(0.3)
    status = source.status(local_clock())
    block = source.buffer.read(0, np.inf)
    source.stop()
    source.stop()
    np.savez(folder / "captured.npz", samples=block.samples[:, 0], times=block.times)
    state, lag = player.state, player.lag_s
    player.stop()
    cut_short = stop_at_once(folder)
    return {
        "paplay": [begun, ended],
        "onset": onset,
        "actual_onset": player.actual_onset,
        "finished": finished,
        "state": state,
        "lag_s": lag,
        "underflows": player.underflows,
        "status": [status.state, status.message],
        "age_s": status.age_s,
        "breaks": len(block.breaks),
        "cut_short": cut_short,
    }


def programme(folder: Path) -> dict[str, object]:
    """Two sounds on time, the second at another rate, and a third that is cut."""
    source = SoundCardSource("default", rate=48000)
    source.start()
    samples, rate = read_samples(folder / "played.wav")
    player = ProgrammePlayer(rate=rate)
    player.start()
    wait_for(lambda: source.status(local_clock()).state == "ok", 10, "sound")
    first = local_clock() + 1.5
    cues = [
        player.place("a", samples, rate, first),
        player.place("b", soxr.resample(samples, rate, rate / 2), rate / 2, first + 2.5),
        player.place("c", samples, rate, first + 5.5),
    ]
    wait_for(lambda: local_clock() > first + 6.5, 20, "the third sound")
    cut = local_clock()
    player.cut()
    time.sleep(1.5)
    block = source.buffer.read(0, np.inf)
    source.stop()
    player.stop()
    np.savez(folder / "captured.npz", samples=block.samples[:, 0], times=block.times)
    return {
        "onsets": [cue.onset for cue in cues],
        "late": [cue.late_s for cue in cues],
        "cut": cut,
        "underflows": player.underflows,
    }


def stop_at_once(folder: Path) -> list[object]:
    player = SoundPlayer.open(folder / "played.wav")
    player.start(local_clock())
    wait_for(lambda: player.state == "playing", 10, "start of the sound")
    start = time.monotonic()
    player.stop()
    return [player.state, time.monotonic() - start]


def lost(folder: Path) -> dict[str, object]:
    """The sound server dies, and another takes its place."""
    source, player = SoundCardSource(), SoundPlayer(np.zeros((48000 * 60, 1), np.float32), 48000)
    told: list[str] = []
    player.tell = lambda words, at: told.append(words)
    source.start()
    player.start(local_clock() + 1.0)
    wait_for(lambda: source.status(local_clock()).state == "ok", 15, "sound")
    wait_for(lambda: player.state == "playing", 15, "start of the sound")
    os.kill(int((folder / "pulse.pid").read_text()), signal.SIGKILL)
    begun = time.monotonic()
    noticed = wait_for(lambda: source.status(local_clock()).state == "lost", 10, "loss")
    wait_for(lambda: player.state == "lost", 10, "loss of the player")
    player_noticed = time.monotonic() - begun
    status = source.status(local_clock())
    (folder / "again").touch()
    wait_for((folder / "there").exists, 30, "new sound server")
    there = time.monotonic()
    wait_for(lambda: source.status(local_clock()).state == "ok", 15, "return")
    back = time.monotonic() - there
    wait_for(lambda: player.state == "playing" and abs(player.lag_s) < 0.005, 15, "return of the player")
    player_back = time.monotonic() - there
    time.sleep(1.0)
    lasts = player.doubts.lasts("player-lost")
    breaks = len(source.buffer.read(0, np.inf).breaks)
    start = time.monotonic()
    source.stop()
    player.stop()
    return {
        "noticed": noticed,
        "player_noticed": player_noticed,
        "message": status.message,
        "stop": time.monotonic() - start,
        "back": back,
        "player_back": player_back,
        "doubts": [[d.reason, d.since, d.until] for d in player.doubts.within(0.0, np.inf)],
        "lasts": lasts,
        "breaks": breaks,
        "told": told,
    }


def player_alone(folder: Path) -> dict[str, object]:
    """Play a sound that is longer than anybody listens, and say when it was in doubt."""
    player = SoundPlayer.open(folder / "long.wav")
    onset = local_clock() + 1.5
    player.start(onset)
    (folder / "onset").write_text(repr(onset))
    player.wait(float(os.environ["PLAYED_S"]))
    doubts = [[d.reason, d.since, d.until] for d in player.doubts.within(0.0, np.inf) if np.isfinite(d.until)]
    player.stop()
    return {"doubts": doubts, "counts": player.counts, "actual": player.actual_onset}


def stopped(folder: Path) -> dict[str, object]:
    """Listen to another process that plays, and is stopped for a while."""
    source = SoundCardSource("default", rate=48000)
    source.start()
    wait_for(lambda: source.status(local_clock()).state == "ok", 15, "sound")
    time.sleep(1.0)
    other = folder / "other"
    other.mkdir()
    (other / "long.wav").symlink_to(folder / "long.wav")
    command = [sys.executable, "-W", "error", __file__, str(other), "player_alone"]
    process = subprocess.Popen(command, env=os.environ | {"PLAYED_S": "7.5"})
    wait_for((other / "onset").exists, 15, "player")
    onset = float((other / "onset").read_text())
    wait_for(lambda: local_clock() > onset + 1.8, 20, "time")
    process.send_signal(signal.SIGSTOP)
    begun = local_clock()
    time.sleep(1.2)
    process.send_signal(signal.SIGCONT)
    ended = local_clock()
    assert process.wait(30) == 0
    block = source.buffer.read(0, np.inf)
    source.stop()
    np.savez(folder / "captured.npz", samples=block.samples[:, 0], times=block.times)
    played = json.loads((other / "result.json").read_text())
    return played | {"onset": onset, "stopped": [begun, ended], "breaks": len(block.breaks)}


def errors(folder: Path) -> dict[str, object]:
    attempts = {
        "unknown": lambda: SoundCardSource("no such thing"),
        "index": lambda: SoundCardSource("99"),
        "ambiguous": lambda: SoundCardSource("alsa"),
        "rate": lambda: SoundCardSource("default", rate=7e6),
        "channels": lambda: SoundCardSource("default", channels=99),
    }
    messages = {}
    for name, attempt in attempts.items():
        try:
            attempt()
        except SoundError as error:
            messages[name] = str(error)
    return messages


if __name__ == "__main__":
    where = Path(sys.argv[1])
    tasks = (heard, lost, errors, programme, player_alone, stopped)
    result = {task.__name__: task for task in tasks}[sys.argv[2]](where)
    (where / "result.json").write_text(json.dumps(result))
