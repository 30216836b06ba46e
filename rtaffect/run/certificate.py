"""The certificate of a session with clicks: its figures, its aims, and the file that holds them."""

from __future__ import annotations

import importlib.metadata
import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rtaffect import __version__
from rtaffect.common.arrays import FloatArray
from rtaffect.common.errors import SettingsError
from rtaffect.common.files import write_whole
from rtaffect.common.settings import STEP_S
from rtaffect.plan.session_folder import SessionTable, cell_number
from rtaffect.run.certify import Certified
from rtaffect.run.certify_clicks import CHIRP_S, click_times, expected_eeg, expected_sound
from rtaffect.run.certify_engine import StepSeen
from rtaffect.run.certify_measure import (
    MS_PER_HOUR_PER_PPM,
    Aim,
    Drift,
    Offsets,
    Spread,
    delay_of,
    delays_in,
    gross_delay,
)
from rtaffect.run.certify_plan import LEAD_S
from rtaffect.stream.audio import SAMPLE_RATE

CERTIFICATE_FILE: Final = "certificate.json"
#: Aims: sound against EEG, ms; age of a value that leaves beyond the look-ahead, ms.
MEDIAN_MS, P99_MS, AGE_MS = 2.0, 5.0, 20.0
#: Displacements up to this are found, s; around a click so much is compared, s before and after.
SEARCHED_S: Final = 0.18
_EEG_SPAN_S: Final = (0.1, 0.3)
_SOUND_SPAN_S: Final = 0.19
#: The pattern of all clicks is sought so far, s, in loudness at this rate, Hz, smoothed by so much, s.
_FURTHEST_S, _COARSE_HZ, _COARSE_WIDTH_S = 4, 200, 0.03
#: Where a session writes when its values left, if it does.
_TIMING_FILE: Final = "timing.tsv"
_LIBRARIES: Final = ("pylsl", "sounddevice", "numpy", "scipy", "PySide6-Essentials")


def certificate_of(done: Certified) -> dict[str, Any]:
    """Return the certificate as JSON has it; times in ms, ages in ms, None for what was not measured."""
    sound, eeg = sound_delays(done), eeg_delays(done)
    # All pairs of a click's sound and a headset's EEG, headset after headset.
    offsets = (sound[None] - eeg).ravel()
    times = np.tile(done.clicks, len(eeg))
    found, remaining = Offsets.of(offsets, times), Drift.of(offsets, times)
    sure = ~np.tile(clicks_in_doubt(done), len(eeg))
    trusted = Offsets.of(offsets[sure], times[sure])
    ages, steps = _ages(done), _steps(done)
    aims = _aims(done, (found, trusted), ages, steps)
    plan = done.plan
    content = {
        "certificate": 1,
        "rtaffect": __version__,
        "made": datetime.now().astimezone().isoformat(timespec="seconds"),
        "machine": _machine(),
        "devices": done.devices,
        "asked": asdict(plan) | {"out": plan.out.name, "bundle": str(plan.bundle) if plan.bundle else None},
        "captured": plan.captured,
        "met": all(aim.met for aim in aims),
        "aims": [asdict(aim) | {"met": aim.met} for aim in aims],
        "offset_ms": asdict(found) | {"missing": found.missing},
        "offset_without_doubt_ms": asdict(trusted) | {"missing": trusted.missing},
        "sound_ms": asdict(Spread.of(1e3 * sound)),
        "eeg_ms": [
            {"headset": name, **asdict(Spread.of(1e3 * delays))}
            for name, delays in zip(done.engine.people, eeg, strict=True)
        ],
        "drift": {
            "remaining": asdict(remaining),
            "devices": [
                {"device": name, "ppm": ppm, "ms_per_hour": ppm * MS_PER_HOUR_PER_PPM}
                for name, ppm in done.drift_ppm.items()
            ],
        },
        "lookahead_ms": 1e3 * done.engine.lookahead_s,
        "window_centre_s": done.engine.settings.synchrony.window_s / 2,
        "ages_ms": ages,
        "steps": steps,
        "notes": [*done.notes, *_advice(done, sound)],
        "clicks": {
            "time_s": done.clicks,
            "sound_ms": 1e3 * sound,
            "eeg_ms": 1e3 * eeg,
            "searched_ms": 1e3 * SEARCHED_S,
        },
    }
    return {name: _plain(value) for name, value in content.items()}


def write_certificate(folder: Path, certificate: Mapping[str, Any]) -> Path:
    """Write it into ``folder`` and return the file; raises SettingsError if that is impossible."""
    path = folder / CERTIFICATE_FILE
    try:
        write_whole(path, json.dumps(certificate, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise SettingsError(f"{path} cannot be written ({error.strerror}); name another folder with --out") from None
    return path


def aims_of(certificate: Mapping[str, Any]) -> list[Aim]:
    """Return the aims of a certificate."""
    return [
        Aim(a["name"], a["limit"], math.nan if a["found"] is None else a["found"], a["unit"])
        for a in certificate["aims"]
    ]


def eeg_delays(done: Certified) -> FloatArray:
    """Return by how much each click (people, clicks) lies too late in the EEG that was compared, s; NaN: not found."""
    engine, plan = done.engine, done.plan
    rate = engine.settings.signal.rate_hz
    at = done.eeg_start - engine.origin + np.arange(done.eeg_count) / plan.rate
    everything = _all_clicks(done)
    expected = expected_eeg(everything, at, engine.settings.signal, plan.rate, len(engine.seen))
    places = np.round(done.clicks * rate).astype(int).tolist()
    span, most = (round(_EEG_SPAN_S[0] * rate), round(_EEG_SPAN_S[1] * rate)), round(SEARCHED_S * rate)
    courses = np.concatenate(engine.eeg, axis=1) if engine.eeg else np.empty((len(engine.people), 0))
    return np.array([delays_in(course, expected, places, span, most) for course in courses]) / rate


def _all_clicks(done: Certified) -> FloatArray:
    """Return the times of all clicks that the headsets sent, s from the session's zero."""
    before = done.engine.origin - done.eeg_start
    return click_times(0, math.ceil(done.eeg_count / done.plan.rate)) - before


def sound_delays(done: Certified) -> FloatArray:
    """Return by how much each click (clicks,) lies too late in the sound that was heard, s; NaN: not found.

    Where nothing was captured it is what the player says of itself in the click's step.
    """
    engine = done.engine
    if not done.plan.captured:
        said = np.array([seen.player_lag_s for seen in engine.seen])
        return said[np.floor(done.clicks).astype(int)] if len(said) else np.full(len(done.clicks), np.nan)
    most, before = round(SEARCHED_S * SAMPLE_RATE), round(_SOUND_SPAN_S * SAMPLE_RATE)
    found = np.full(len(done.clicks), np.nan)
    if abs(_pattern_delay(done)) > SEARCHED_S:
        # What lies near a click's time is another click.
        return found
    for number, click in enumerate(done.clicks):
        second = engine.sound.get(math.floor(click) + 1)
        if second is None:
            continue
        # The second has all of it: clicks keep away from its edges.
        zero = math.floor(click) * SAMPLE_RATE
        first = round(click * SAMPLE_RATE) - before
        heard = second[first - zero : first - zero + 2 * before].astype(np.float64)
        expected = expected_sound(click, first - most, len(heard) + 2 * most)
        found[number] = delay_of(heard, expected, SAMPLE_RATE)
    return found


def _ages(done: Certified) -> dict[str, Any]:
    """Return how old values are when they leave, ms: of their newest EEG sample, and of their window's end."""
    counted = [seen for seen in done.engine.seen if seen.feedback.step > LEAD_S]
    painted = _painted(done.plan.out)
    by_osc = done.osc_arrivals or {}
    ways = {
        "osc": [by_osc.get(seen.feedback.step, math.nan) for seen in counted],
        "lsl": [done.arrivals.get(seen.feedback.lsl_time, math.nan) for seen in counted],
        "painted": [seen.feedback.lsl_time + painted.get(seen.feedback.step, math.nan) for seen in counted],
    }
    result: dict[str, Any] = {}
    for way, left in ways.items():
        end = np.array([1e3 * (t - seen.feedback.lsl_time) for t, seen in zip(left, counted, strict=True)])
        newest = np.array([1e3 * (t - seen.newest) for t, seen in zip(left, counted, strict=True)])
        if not np.isfinite(end).any():
            result[way] = None
            continue
        result[way] = {
            "window_end": asdict(Spread.of(end)),
            "newest_sample": asdict(Spread.of(newest)),
            "missing": int(np.isnan(end).sum()),
            "window_end_each": end,
        }
    return result


def _painted(folder: Path) -> dict[int, float]:
    """Return by step how old its values were when they were painted, s after their window's end."""
    with suppress(OSError, UnicodeDecodeError):
        table = SessionTable.parse((folder / _TIMING_FILE).read_text(encoding="utf-8"))
        return {int(line["step"]): cell_number(line.get("painted_s", "")) for line in table.lines}
    return {}


def _steps(done: Certified) -> dict[str, Any]:
    """Return how many steps there were, how many missed their deadline, and what they took, ms."""
    seen = done.engine.seen
    stages = {stage: [s.feedback.stage_s.get(stage, math.nan) for s in seen] for stage in _stages(seen)}
    whole = [s.made - s.begun for s in seen]
    return {
        "asked": done.plan.seconds,
        "made": len(seen),
        "missed": sum(s.made > s.due + STEP_S for s in seen),
        "behind_ms": asdict(Spread.of([1e3 * (s.begun - s.due) for s in seen])),
        "taken_ms": {name: asdict(Spread.of(1e3 * np.array(took))) for name, took in (*stages.items(), ("all", whole))},
    }


def _stages(seen: Sequence[StepSeen]) -> list[str]:
    return list(dict.fromkeys(stage for each in seen for stage in each.feedback.stage_s))


def _advice(done: Certified, sound: FloatArray) -> list[str]:
    """Return what to do where no click was found at all."""
    if not done.plan.captured or not len(sound) or np.isfinite(sound).any():
        return []
    shift = _pattern_delay(done)
    if math.isfinite(shift):
        return [
            f"the clicks were heard about {shift:+.2f} s from their time: nothing that is played or captured so can be "
            "trusted; see what the player and the devices say, and certify again"
        ]
    return [
        f"no click was heard on {done.devices['capture']}: connect it to what {done.devices['speaker']} plays, by a "
        "cable or loopback device, or put the microphone to the speaker; turn it up, or name another with --capture"
    ]


def _pattern_delay(done: Certified) -> float:
    """Return how much later than it should be the whole pattern of clicks was heard, s; NaN where it was not."""
    count = len(done.engine.seen)
    loudness, expected = np.zeros(count * _COARSE_HZ), np.zeros(count * _COARSE_HZ)
    for number, second in done.engine.sound.items():
        if number <= count:
            mean = np.abs(second).reshape(_COARSE_HZ, -1).mean(axis=1)
            loudness[(number - 1) * _COARSE_HZ : number * _COARSE_HZ] = mean
    expected[np.floor(done.clicks * _COARSE_HZ).astype(int)] = 1.0
    width = np.ones(round(_COARSE_WIDTH_S * _COARSE_HZ))
    loudness, expected = np.convolve(loudness, width, "same"), np.convolve(expected, width, "same")
    return gross_delay(loudness, expected, _FURTHEST_S * _COARSE_HZ) / _COARSE_HZ


def clicks_in_doubt(done: Certified) -> NDArray[np.bool_]:
    """Return which clicks (clicks,) lie where the session says that sound or its place may not be relied on."""
    # A doubt that lasts has its end when it is told the last time.
    doubts = {
        (d.part, d.reason, d.since): d
        for seen in done.engine.seen
        for d in seen.feedback.doubts
        if d.about in ("place", "sound")
    }
    at = done.engine.origin + done.clicks
    found = np.zeros(len(at), np.bool_)
    for doubt in doubts.values():
        found |= (at + CHIRP_S / 2 > doubt.since) & (at - CHIRP_S / 2 < doubt.until)
    return found


def _aims(
    done: Certified, offsets: tuple[Offsets, Offsets], ages: Mapping[str, Any], steps: Mapping[str, Any]
) -> list[Aim]:
    """Return what was aimed at and what was found."""
    found, trusted = offsets
    lsl, ahead = ages["lsl"], 1e3 * done.engine.lookahead_s
    age = lsl["window_end"]["median"] if lsl is not None else math.nan
    osc = ages["osc"]
    by_osc = []
    if done.osc_arrivals is not None:
        found_ms = osc["window_end"]["median"] - ahead if osc is not None else math.nan
        by_osc.append(Aim("value at another program (OSC) beyond the look-ahead, median", AGE_MS, found_ms, "ms"))
    return [
        Aim("sound against EEG at the step, median", MEDIAN_MS, abs(found.median), "ms"),
        Aim("sound against EEG at the step, 99 % within", P99_MS, found.p99_abs, "ms"),
        Aim("the same of clicks that the session did not doubt, 99 % within", P99_MS, trusted.p99_abs, "ms"),
        Aim("clicks that were not found", 0, found.missing if found.expected else math.nan, ""),
        Aim("value at another program (LSL) beyond the look-ahead, median", AGE_MS, age - ahead, "ms"),
        *by_osc,
        Aim("values that another program did not get", 0, lsl["missing"] if lsl is not None else math.nan, ""),
        Aim("missed deadlines", 0, steps["missed"], ""),
    ]


def _machine() -> dict[str, Any]:
    versions = {}
    for name in _LIBRARIES:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan
    return {
        "name": platform.node(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": load,
        "python": platform.python_version(),
        "libraries": versions,
    }


def _processor() -> str:
    """Return what the processor is called, where the system tells."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: arrays as lists, NaN and infinity as None."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float | np.floating):
        return round(float(value), 6) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value
