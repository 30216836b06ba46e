"""A film's start and its picture against its sound: our player, QtMultimedia and mpv, as far as they are installed.

Sound goes into a private PulseAudio server and is heard at its monitor; the picture is painted without a screen.
QtMultimedia is in PySide6_Addons, mpv needs libmpv and python-mpv; what is missing is left out and named.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import numpy as np

from bench import LOOPBACK, Rows, run
from tests.sources.test_sound_card import PulseServer
from tests.support.counted_films import make_film

CHILD = Path(__file__).with_name("film_child.py")
PLAYERS = {"ours": "rtaffect", "qt": "QtMultimedia", "mpv": "mpv"}
_MISSING: dict[str, str] = {}


def measure(quick: bool) -> Rows:
    """Return a row for each player that is there."""
    starts = 2 if quick else 8
    rows: Rows = []
    with tempfile.TemporaryDirectory(prefix="film-") as scratch:
        folder = Path(scratch)
        (folder / "lsl.cfg").write_text(LOOPBACK.format(session=uuid.uuid4().hex), encoding="utf-8")
        film = make_film(folder / "count.mkv", 4.0)
        server = PulseServer(folder)
        server.env |= {"LSLAPICFG": str(folder / "lsl.cfg"), "QT_QPA_PLATFORM": "offscreen"}
        server.env["PYTHONPATH"] = os.pathsep.join(
            filter(None, (server.env["PYTHONPATH"], os.environ.get("PYTHONPATH")))
        )
        try:
            server.start()
            ears = _child(server, "ears", film, 0, folder / "heard.npz")
            while not (folder / "hears").exists() and ears.poll() is None:
                time.sleep(0.05)
            played = {}
            for kind, name in PLAYERS.items():
                out = folder / f"{kind}.json"
                done = _child(server, kind, film, starts, out)
                _, said = done.communicate(timeout=40 + 10 * starts)
                if done.returncode:
                    _MISSING[name] = (said.strip().splitlines() or ["no reason given"])[-1]
                else:
                    played[kind] = json.loads(out.read_text())
            (folder / "stop").touch()
            ears.wait(30)
            heard = np.load(folder / "heard.npz")
            rows = [_row(kind, found, heard["samples"], heard["times"]) for kind, found in played.items()]
        finally:
            server.stop()
    others = [row["picture_sd_ms"] for row in rows if row["player"] != "rtaffect" and row["starts"]]
    for row in rows:
        row["ratio"] = (min(others) if others else row["picture_sd_ms"]) / row["picture_sd_ms"]
    return rows


def _child(server: PulseServer, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(CHILD), *map(str, arguments)]
    return subprocess.Popen(command, env=server.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def clicks_in(samples: np.ndarray, times: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return when the film's clicks, one a second from its beginning, are heard between two times, s."""
    inside = (times >= low) & (times <= high)
    loud, at = np.abs(samples[inside]) > 0.15, times[inside]
    edges = at[np.flatnonzero(loud)]
    return edges[np.diff(edges, prepend=-math.inf) > 0.3]


def _row(kind: str, found: list[dict], samples: np.ndarray, times: np.ndarray) -> dict[str, object]:
    begins, errors, lost = [], [], 0
    for start in found:
        clicks = clicks_in(samples, times, start["asked"] - 0.1, start["asked"] + 2.9)
        if not len(clicks):
            lost += 1
            continue
        begins.append(clicks[0] - start["asked"])
        # The sound's own clock: what it says of the frame's place.
        zero = float(np.median(clicks - np.arange(len(clicks))))
        frames = {number: at for number, at in reversed(start["frames"]) if 0 < number < 60}
        errors += [at - zero - number / 25 for number, at in frames.items()]
    ms = 1000 * np.array(errors or [math.nan])
    return {
        "player": PLAYERS[kind],
        "starts": len(begins),
        "begin_ms": 1000 * float(np.median(begins)) if begins else math.nan,
        "begin_sd_ms": 1000 * float(np.std(begins)) if begins else math.nan,
        "frames": len(errors),
        "picture_ms": float(np.median(ms)),
        "picture_sd_ms": float(np.std(ms)),
        "picture_p95_ms": float(np.quantile(np.abs(ms - np.median(ms)), 0.95)),
        "silent": lost,
    }


COLUMNS = (
    ("player", "player", ""), ("starts", "starts", "d"), ("begin_ms", "sound after asked, ms", ".1f"),
    ("begin_sd_ms", "SD, ms", ".2f"), ("frames", "frames", "d"), ("picture_ms", "picture after sound, ms", ".1f"),
    ("picture_sd_ms", "SD, ms", ".1f"), ("picture_p95_ms", "95 % within, ms", ".1f"), ("ratio", "ratio", ".2f"),
)  # fmt: skip

if __name__ == "__main__":
    run(
        "film", measure, COLUMNS,
        "From asking for the start to the first click in the sound, and each frame against the sound; medians, "
        "standard deviations. Ratio: the picture's SD of the best alternative to that of the row",
        lambda rows: {"not there": _MISSING},
    )  # fmt: skip
