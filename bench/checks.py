"""The sound check and the light check against planted delays, in noise, with misses, and with nothing to be found.

*clicks*: twenty clicks of a sound check in white noise, 40 draws of each case. *flashes*: forty flashes of a light
check as a photodiode of 1 kHz sees them, 40 draws. *server*: whole sound checks through a private PulseAudio server
whose monitor is the microphone, with the delay planted in what is played; each is measured against the same check
without a planted delay. *stream*: whole light checks against a simulated photodiode that sends by LSL in real time.

``python -m bench.checks`` takes some 12 minutes; ``--quick`` leaves out what needs real time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np

from bench import Rows, loopback, run
from bench.faulty.sound_server import SoundServer, absent
from rtaffect.checks.clicks_heard import SAMPLE_RATE, clicks_heard
from rtaffect.checks.flashes_seen import Flash, flashes_seen
from rtaffect.common.arrays import FloatArray
from rtaffect.run.certify_clicks import click_times, sound_of

DRAWS, CLICKS, FLASHES = 40, 20, 40
#: What is planted: delays, s, and noise, of full scale (a click's peak is .5) or of a flash's height.
CLICK_DELAYS, CLICK_NOISE = (0.0, 0.0123, 0.35), (0.001, 0.1, 0.2, 0.4, 0.8, 1.6)
FLASH_DELAYS, FLASH_NOISE = (0.008, 0.035, 0.2), (0.02, 0.2, 0.5, 1.0, 2.0)
#: A value that is further off is wrong, ms.
NEAR_MS = {"clicks": 0.5, "flashes": 2.0, "server": 2.0, "stream": 2.0}
#: Through the sound server: delay, s, and noise.
SERVED = ((0.0, 0.0), (0.03, 0.0), (0.12, 0.0), (0.3, 0.0), (0.12, 0.1), (0.12, 0.3))
#: By LSL: delay, ms, and which of the flashes is missed, 0 for none.
STREAMED = ((12.0, 0), (35.0, 8), (80.0, 5))
_ROOT = Path(__file__).parents[1]


def measure(quick: bool) -> Rows:
    """Return a row for each case: share with a value, its median and its worst error, and errors of misses."""
    rows = _of_clicks(2, CLICK_NOISE[:2]) if quick else _of_clicks(DRAWS, CLICK_NOISE)
    rows += _of_flashes(2, FLASH_NOISE[:2]) if quick else _of_flashes(DRAWS, FLASH_NOISE)
    return rows if quick else rows + _served() + _streamed()


def _of_clicks(draws: int, noises: tuple[float, ...]) -> Rows:
    rows = [
        _row("clicks", f"noise {noise:g}", delay, [_clicks(delay, noise, seed) for seed in range(draws)])
        for noise in noises
        for delay in CLICK_DELAYS
    ]
    rows.append(_row("clicks", "none, noise alone", np.nan, [_clicks(np.nan, 0.1, s) for s in range(2 * draws)]))
    rows.append(_row("clicks", "of another program", np.nan, [_others(seed) for seed in range(2 * draws)]))
    return rows


def _of_flashes(draws: int, noises: tuple[float, ...]) -> Rows:
    rows = [
        _row("flashes", f"noise {noise:g}", delay, [_flashes(delay, noise, seed)[0] for seed in range(draws)])
        for noise in noises
        for delay in FLASH_DELAYS
    ]
    for missed in (4, 12):
        found = [_flashes(0.035, 0.1, seed, missed) for seed in range(draws)]
        wrong = sum(each[1] != missed for each in found)
        rows.append(_row("flashes", f"{missed} missed; {wrong} miscounted", 0.035, [each[0] for each in found]))
    rows.append(_row("flashes", "none", np.nan, [_flashes(0.035, 0.5, s, FLASHES)[0] for s in range(2 * draws)]))
    return rows


def _row(what: str, case: str, planted_s: float, found_s: list[float]) -> dict[str, Any]:
    """Return a row; ``ratio`` is the share of draws that are not wrong, %: without a value, or within ``NEAR_MS``."""
    found = np.array(found_s)
    known = found[np.isfinite(found)]
    off = 1e3 * np.abs(known - planted_s)
    return {
        "what": what,
        "case": case,
        "planted": 1e3 * planted_s,
        "valued": 100 * len(known) / len(found),
        "ratio": 100 * (1 - float(np.sum(~(off <= NEAR_MS[what]))) / len(found)),
        "median": 1e3 * float(np.median(known)) if len(known) else np.nan,
        "worst": float(off.max()) if len(known) else np.nan,
    }


def _clicks(delay_s: float, noise: float, seed: int) -> float:
    """Return where clicks are heard that come ``delay_s`` late, s; NaN plants none."""
    rng, clicks = np.random.default_rng([1, seed]), click_times(6, 6 + CLICKS)
    seconds = 8 + CLICKS
    sound = rng.normal(0.0, noise, seconds * SAMPLE_RATE)
    if np.isfinite(delay_s):
        sound += sound_of(clicks + delay_s, seconds, SAMPLE_RATE)[:, 0]
    return clicks_heard(sound, clicks).latency_s


def _others(seed: int) -> float:
    """Return where clicks are heard among twice as many of somebody else's, which are at other times."""
    rng, seconds = np.random.default_rng([2, seed]), 8 + CLICKS
    sound = sound_of(np.sort(rng.uniform(5.0, seconds - 1.0, 2 * CLICKS)), seconds, SAMPLE_RATE)[:, 0]
    return clicks_heard(sound + rng.normal(0.0, 0.001, len(sound)), click_times(6, 6 + CLICKS)).latency_s


def _flashes(delay_s: float, noise: float, seed: int, missed: int = 0) -> tuple[float, int]:
    """Return where flashes are seen, s, and how many are missed."""
    rng = np.random.default_rng([3, seed])
    white = 1.5 + np.cumsum(rng.uniform(0.5, 0.9, FLASHES))
    flashes, misses = [Flash(at, at + 0.2) for at in white], set(rng.choice(FLASHES, missed, replace=False))
    times: FloatArray = np.arange(-1.0, white[-1] + 2.0, 0.001) + rng.uniform(0.0, 0.001)
    light = rng.normal(0.0, noise, len(times))
    for number, flash in enumerate(flashes):
        if number not in misses:
            light[(times >= flash.white + delay_s) & (times < flash.black + delay_s)] += 1.0
    seen = flashes_seen(times, light, flashes)
    return seen.percentile(50), seen.missed


def _served() -> Rows:
    """Return whole sound checks through a sound server, less what the same without a planted delay found."""
    if absent():
        return []
    rows: Rows = []
    with tempfile.TemporaryDirectory() as folder:
        server, own = SoundServer(Path(folder), _ROOT), np.nan
        try:
            server.start()
            for delay_s, noise in SERVED:
                command = [sys.executable, "-m", "bench.checks_child", str(delay_s), str(noise), str(CLICKS)]
                done = subprocess.run(command, env=server.env, capture_output=True, text=True, timeout=90, check=True)
                found = json.loads(done.stdout)["latency_ms"]
                latency = np.nan if found is None else found / 1e3
                own = own if np.isfinite(own) else latency
                case = f"noise {noise:g}, less {1e3 * own:.2f} ms of its own"
                rows.append(_row("server", case, delay_s, [latency - own]))
        finally:
            server.stop()
    return rows


def _streamed() -> Rows:
    """Return whole light checks against a simulated photodiode that sends by LSL."""
    from rtaffect.checks.light_check import LightCheckPlan, LightRun, ShownOn, paint_by_clock

    rows: Rows = []
    for delay_ms, every in STREAMED:
        run_of = LightRun.start(LightCheckPlan(simulate_ms=delay_ms, simulate_misses=every))
        try:
            paint_by_clock(run_of, threading.Event(), lambda _: None)
            found = run_of.result(ShownOn())
        finally:
            run_of.close()
        case = f"{found.missed} of {FLASHES // every if every else 0} planted misses"
        latency = np.nan if found.latency_ms is None else found.latency_ms / 1e3
        rows.append(_row("stream", case, delay_ms / 1e3, [latency]))
    return rows


COLUMNS = (
    ("what", "what", ""), ("case", "case", ""), ("planted", "planted, ms", ".1f"), ("valued", "with a value, %", ".0f"),
    ("ratio", "not wrong, %", ".0f"),    ("median", "median found, ms", ".2f"), ("worst", "worst error, ms", ".2f"),
)  # fmt: skip

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as _folder:
        (_config := Path(_folder) / "lsl_api.cfg").write_text(loopback(), encoding="utf-8")
        os.environ["LSLAPICFG"] = str(_config)
        run("checks", measure, COLUMNS, "planted delays of clicks and flashes against what the checks found")
