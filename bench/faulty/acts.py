"""What befalls the session's own process, folder and disk, and how its outcome is judged."""

from __future__ import annotations

import resource
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import pyxdf

from bench.faulty.sound_server import SoundServer
from rtaffect.common.errors import RtaffectError
from rtaffect.plan.session_folder import open_session
from rtaffect.sources.xdf_file import PYXDF


@dataclass
class Scene:
    """A session that runs: its process, where it writes, and the sound server that it hears and plays through.

    ``zero`` is the script's on the LSL clock; ``notes`` are times (s after it) that acts keep for the verdict.
    """

    process: subprocess.Popen[str]
    out: Path
    folder: Path
    zero: float
    sound: SoundServer | None = None
    ear: subprocess.Popen[bytes] | None = None
    notes: dict[str, float] = field(default_factory=dict)

    def now(self) -> float:
        """Return the time, s after the script's zero."""
        return float(pylsl.local_clock() - self.zero)

    def sleep_until(self, when: float) -> None:
        """Wait until ``when``, s after the script's zero."""
        time.sleep(max(0.0, when - self.now()))


@dataclass(frozen=True)
class Act:
    """What is done at ``at`` (s after the script's zero)."""

    at: float
    do: Callable[[Scene], object]


def perform(scene: Scene, acts: Sequence[Act]) -> threading.Thread:
    """Do all acts at their times in a thread."""

    def play() -> None:
        for act in acts:
            scene.sleep_until(act.at)
            if scene.process.poll() is None:
                act.do(scene)

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    return thread


# --- what befalls it ---


def sent(name: str) -> Callable[[Scene], object]:
    """A signal is sent to the session."""

    def do(scene: Scene) -> None:
        scene.notes["signal"] = scene.now()
        scene.process.send_signal(getattr(signal, name))

    return do


def asleep(seconds: float) -> Callable[[Scene], object]:
    """The session's process sleeps, as with a laptop's lid."""

    def do(scene: Scene) -> None:
        scene.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        scene.process.send_signal(signal.SIGCONT)

    return do


def removed(scene: Scene) -> None:
    """The session's folder is removed."""
    shutil.rmtree(scene.out, ignore_errors=True)


def moved(scene: Scene) -> None:
    """The session's folder is moved."""
    scene.out.rename(scene.folder / "moved")


def full(seconds: float) -> Callable[[Scene], object]:
    """The session's files may not grow for a while, as on a disk that is full (Linux: a limit set from outside)."""

    def do(scene: Scene) -> None:
        pid, none = scene.process.pid, resource.RLIM_INFINITY
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, none))
        time.sleep(seconds)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (none, none))

    return do


# --- what became of it ---


def where(scene: Scene) -> Path:
    """Return the folder in which the session ended: its own, where it was moved to, or where it went on."""
    there = [scene.out, *sorted(scene.out.parent.glob(f"{scene.out.name}-rescued*"))]
    return next((path for path in reversed(there) if (path / "session.toml").exists()), scene.out)


def loaded(path: Path, **options: bool) -> list[dict[str, Any]]:
    """Return the streams of a recording."""
    with PYXDF:
        return list(pyxdf.load_xdf(str(path), **options)[0])


def recorded(folder: Path, zero: float, name: str = "-B") -> np.ndarray:
    """Return the stamps of a headset's samples in a recording, s after the script's zero."""
    as_sent = {"synchronize_clocks": False, "dejitter_timestamps": False, "handle_clock_resets": False}
    streams = loaded(folder / "recording.xdf", **as_sent)
    kept = [s["time_stamps"] for s in streams if s["info"]["name"][0].endswith(name)]
    return np.concatenate([*kept, []]) - zero


def in_order(scene: Scene, terminal: str) -> str:
    """Return whether the session ended as Ctrl-C ends it: an outcome, an end among the events, and footers."""
    try:
        session = open_session(scene.out)
    except RtaffectError as error:
        return f"WRONG: {error}"
    streams = loaded(scene.out / "recording.xdf")
    checks = {
        "outcome": session.ran["outcome"] == "stopped by the user",
        "end in events.tsv": [e["name"] for e in session.table("events.tsv")][-1:] == ["session/end"],
        "footers": all(stream["footer"] for stream in streams),
        "exit status": scene.process.returncode == 0,
    }
    missing = [name for name, right in checks.items() if not right]
    return f"WRONG: no {', no '.join(missing)}" if missing else "ends in order, nothing lost"


def whole_after_kill(scene: Scene, terminal: str) -> str:
    """Return what is lost by ``kill -9``: at most .3 s, with whole tables, and the folder is still a session."""
    try:
        session = open_session(scene.out)
    except RtaffectError as error:
        return f"WRONG: {error}"
    stamps = recorded(scene.out, scene.zero)
    lost = scene.notes["signal"] - float(stamps[-1]) if len(stamps) else np.inf
    steps = len(session.table("timing.tsv"))
    torn = [n for n in ("feedback.tsv", "quality.tsv", "doubts.tsv") if not _ends_whole(scene.out / n)]
    if torn or lost > 0.35 or steps < 20:
        return f"WRONG: {lost:.2f} s lost, {steps} steps, torn: {torn}"
    return f"killed: {lost:.2f} s lost, tables whole"


def _ends_whole(path: Path) -> bool:
    text = path.read_bytes()
    return not text or text.endswith(b"\n")


def all_kept(scene: Scene, terminal: str) -> str:
    """Return '' if the folder in which it ended up has everything from the fault on, and the terminal told of it."""
    folder = where(scene)
    try:
        open_session(folder)
        stamps = recorded(folder, scene.zero)
    except (RtaffectError, OSError) as error:
        return f"SILENT: nothing is left ({error})"
    gaps = np.diff(stamps[stamps > 0])
    moved_to = folder.name if folder != scene.out else ""
    if len(gaps) == 0 or gaps.max() > 0.02:
        return f"WRONG: {gaps.max() if len(gaps) else np.nan:.2f} s are not in the recording"
    words = " ".join(terminal.split())
    if moved_to and "rescued" not in words:
        return "SILENT: it goes on elsewhere, and nothing says so"
    return f"goes on in {moved_to}, nothing lost" if moved_to else ""
