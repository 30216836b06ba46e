"""Faults of the sound: of what rtaffect plays, of what it hears, and of markers that say when a stimulus began.

One person of the demo's, whose EEG follows the demo's sound, hears it; the bundle is the demo's. What was really heard
is known: it is captured beside the session, or was sent at known times.
"""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pylsl
import soundfile
from scipy.signal import butter, correlate, sosfiltfilt

from bench.faulty.acts import Act, Scene, asleep
from bench.faulty.cases import END_S, FAULT_S, Case
from bench.faulty.ear import EAR_RATE
from bench.faulty.script import Life, Script, about, clean
from bench.faulty.truth import Truth
from rtaffect.plan.session_folder import open_session
from rtaffect.run.demo_material import demo_folder
from rtaffect.simulation.head import CHANNELS

#: The stimulus of another program begins here, s after the script's zero.
BEGIN_S = 10.0
#: The participant's EEG of the demo begins so long before its sound, s.
LEAD_S = 3.0
#: What is heard so far from its place is displaced, s.
NEAR_S = 0.03
#: Seconds with less power are too quiet to be found.
LOUD = 1e-4
#: A second is found by what lies below this, Hz, in so many parts: a device whose clock moves within it, as a sound
#: server's timer does, leaves that alike; and where all but one are so much alike. Else it is torn, or what captures
#: is. Places whose likeness differs by less than ``SAME`` are as good as each other.
LOW_HZ, PARTS, LEAST_LIKENESS, SAME = 300.0, 4, 0.8, 0.002
#: What captures needs so long to know its clock, s.
SETTLING_S = 5.0
#: From one second to the next it jumped if its place differs by more, s.
JUMP_S = 0.015


def demo() -> Path:
    """Return the demo's folder: its sound, and the EEG of a participant who hears it."""
    return demo_folder(None, lambda _: None)


def person(begin: float, cut: Callable[[np.ndarray], np.ndarray] = lambda x: x) -> Callable[[str], Script]:
    """Return the script of one headset whose wearer hears the sound, which begins at ``begin`` s."""

    def script(prefix: str) -> Script:
        eeg = np.load(demo() / "participant.npy") * 1e6
        rest = np.random.default_rng(4).normal(0, 5.0, (max(0, round((begin - LEAD_S) * 250)), eeg.shape[1]))
        sent = clean(
            np.concatenate([rest, eeg[: round(LEAD_S * 250)], cut(eeg[round(LEAD_S * 250) :])])[: round(END_S * 250)]
            + 800.0
        )
        return Script((Life("B", about(f"{prefix}B", labels=CHANNELS), 0.0, END_S, sent),))

    return script


def paused(rate: int, at: float, seconds: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return what makes a pause at ``at`` s: below 0 a part is skipped."""

    def change(x: np.ndarray) -> np.ndarray:
        first, gap = round(at * rate), round(abs(seconds) * rate)
        if seconds < 0:
            return np.concatenate([x[:first], x[first + gap :]])
        return np.concatenate([x[:first], np.zeros((gap, *x.shape[1:]), x.dtype), x[first:]])

    return change


def plays(change: Callable[[np.ndarray, int], np.ndarray] = lambda x, _: x) -> Act:
    """Return the act that plays the stimulus on the sound server, as another program does."""

    def do(scene: Scene) -> None:
        samples, rate = soundfile.read(demo() / "sound.wav")
        path = scene.folder / "played.wav"
        soundfile.write(path, change(samples, rate), rate)
        scene.sleep_until(BEGIN_S - 0.2)
        scene.sound.run("paplay", "--latency-msec=200", str(path))

    return Act(BEGIN_S - 2.0, do)


def server_gone(seconds: float) -> Act:
    """Return the act that kills the sound server and starts another after some seconds."""

    def do(scene: Scene) -> None:
        scene.sound.die()
        time.sleep(seconds)
        scene.sound.start()
        scene.notes["sound back"] = scene.now()

    return Act(FAULT_S, do)


def goes_on(scene: Scene) -> None:
    """The stimulus is played on by another program, from where it would be."""
    samples, rate = soundfile.read(demo() / "sound.wav")
    path, begin = scene.folder / "rest.wav", scene.now() + 1.0
    soundfile.write(path, samples[round((begin - BEGIN_S) * rate) :], rate)
    scene.sleep_until(begin - 0.2)
    scene.sound.run("paplay", "--latency-msec=200", str(path))


# --- what was really heard ---

#: When a second of the sound is to be heard, s after the script's zero; and the spans in which it is broken.
Plan = tuple[Callable[[int], float], Sequence[tuple[float, float]]]


def planned(scene: Scene) -> Plan:
    """Return when what rtaffect plays is to be heard: from the session's zero on."""
    first = open_session(scene.out).table("feedback.tsv")[0]
    zero = float(first["lsl_time"]) - float(first["time"]) - scene.zero
    return (lambda second: zero + second), ()


def by_script(pause_s: float = 0.0, *broken: tuple[float, float]) -> Callable[[Scene], Plan]:
    """Return the plan of a stimulus that another program plays, paused (or, below 0, cut) by so much."""

    def due(second: int) -> float:
        return BEGIN_S + second + (pause_s if second >= FAULT_S - BEGIN_S else 0.0)

    return lambda _: (due, broken)


def captured(plan: Callable[[Scene], Plan], *, must_be_due: bool) -> Callable[[Scene], Truth]:
    """Return the truth from what was captured: where each second of the sound was, and when it was not in its place.

    A single second that was not found is not held against anybody: what captures may itself be torn. Nor is what it
    missed while it was not back yet and the sound server was.
    """

    def truth(scene: Scene) -> Truth:
        due, broken = plan(scene)
        last = float(open_session(scene.out).table("feedback.tsv")[-1]["lsl_time"]) - scene.zero
        ear = np.load(scene.folder / "ear.npz")
        heard = ear["times"] - scene.zero, _low(ear["samples"], EAR_RATE)
        sound, rate = soundfile.read(demo() / "sound.wav")
        mono = _low(sound.mean(axis=1) if sound.ndim == 2 else sound, rate)
        parts = {s: mono[s * rate : (s + 1) * rate] for s in range(1, len(mono) // rate) if due(s) + 1 < last}
        back = scene.notes.get("sound back", math.inf)
        loud = {
            s: part
            for s, part in parts.items()
            if float((part**2).sum()) > LOUD * rate and _settled(heard[0], due(s), back)
        }
        late = {s: _heard(part, rate, due(s), 0.7, heard) - due(s) for s, part in loud.items()}
        usual = 0.0 if must_be_due else float(np.nanmedian(list(late.values())))
        late = {s: _heard(part, rate, due(s) + usual, 0.12, heard) - due(s) for s, part in loud.items()}
        order, wrong = list(late), {s for s, by in late.items() if must_be_due and abs(by) > NEAR_S}
        for before, second in pairwise(order):
            if np.isnan(late[before]) and np.isnan(late[second]):
                wrong |= {before, second}
        bad = [*broken, *((due(s), due(s) + 1.0) for s in sorted(wrong))]
        # Where it jumps from one second to the next, it does so near their edge.
        jumps = [s for before, s in pairwise(order) if abs(late[s] - late[before]) > JUMP_S]
        bad += [(due(s) - 0.1, due(s) + 0.1) for s in jumps]
        known = [s for s in order if np.isfinite(late[s])]
        at, begins = np.array([due(s) for s in known]), np.array([due(s) - s + late[s] for s in known])
        return Truth(np.array(bad).reshape(-1, 2), lambda t: float(begins[np.abs(at - (t - 0.5)).argmin()]))

    return truth


def _settled(times: np.ndarray, due: float, back: float = math.inf) -> bool:
    """Return whether what captures knows its clock (not so just after it began), or captures nothing at all.

    From ``back`` on there is something to be captured.
    """
    first = int(np.searchsorted(times, due - SETTLING_S))
    near = times[first : int(np.searchsorted(times, due + 1.0))]
    whole = len(near) > 0 and near[0] < due - SETTLING_S + 0.1 and not (np.diff(near) > 0.1).any()
    return whole or (due < back and (len(near) == 0 or bool(near[-1] < due)))


def _heard(played: np.ndarray, rate: int, due: float, within: float, ear: tuple[np.ndarray, np.ndarray]) -> float:
    """Return when a second of a sound was heard, at most ``within`` s from when it was due; NaN if it was not.

    Its parts are found each by itself, as the clock of what captures may move by some ms within a second.
    """
    size = len(played) // PARTS
    places = [
        _found(played[i * size : (i + 1) * size], rate, due + i * size / rate, within, ear) - i * size / rate
        for i in range(PARTS)
    ]
    return float(np.nanmedian(places)) if np.isnan(places).sum() <= 1 else math.nan


def _found(part: np.ndarray, rate: int, due: float, within: float, ear: tuple[np.ndarray, np.ndarray]) -> float:
    """Return when a part of a sound was heard, at most ``within`` s from when it was due; NaN if it was not."""
    grid = np.arange(round((len(part) / rate + 2 * within) * rate)) / rate + due - within
    heard = np.interp(grid, *ear, left=0.0, right=0.0)
    score = correlate(heard, part, mode="valid", method="fft")
    power = np.convolve(heard**2, np.ones(len(part)), "valid")
    score = score / np.sqrt(np.maximum(power * (part**2).sum(), 1e-9))
    peaks = np.r_[False, (score[1:-1] >= score[:-2]) & (score[1:-1] >= score[2:]), False]
    alike = np.flatnonzero(peaks & (score > max(LEAST_LIKENESS, float(score.max()) - SAME)))
    # A tone is like itself a period away: where places are as good as each other, it is the nearest.
    return float(grid[alike[np.argmin(np.abs(grid[alike] - due))]]) if len(alike) else math.nan


def _low(sound: np.ndarray, rate: float) -> np.ndarray:
    return np.asarray(sosfiltfilt(butter(3, LOW_HZ, fs=rate, output="sos"), sound))


def said(begin: float) -> Callable[[Scene], Truth]:
    """Return the truth of a stimulus whose beginning a marker says."""
    return lambda _: Truth(np.zeros((0, 2)), lambda _: begin)


def listens(scene: Scene) -> None:
    """Another process captures what is heard, for the truth."""
    command = [sys.executable, "-m", "bench.faulty.ear", str(scene.folder / "ear.npz")]
    scene.ear = subprocess.Popen(command, env=scene.sound.env, stdin=subprocess.PIPE)


def _cases() -> list[Case]:
    f, ear, begin = FAULT_S, Act(0.0, listens), BEGIN_S
    hears = ("--bundle", "demo", "--stimulus", "SOUND", "--mic", "default")
    told = ("--bundle", "demo", "--stimulus", "SOUND", "--onset-marker", "begin")
    own = ("--bundle", "demo", "--audio", "SOUND")
    alone, played = ("B",), captured(planned, must_be_due=True)

    def other(name: str, seconds: float) -> Case:
        at, broken = f - begin, [(f, f + max(seconds, 0.05))] if seconds else []
        eeg = person(begin, paused(250, at, seconds))
        truth = captured(by_script(seconds, *broken), must_be_due=False)
        play = plays(lambda x, rate: paused(rate, at, seconds)(x))
        return Case(name, eeg, f + max(seconds, 0.0), options=hears, acts=(ear, play), truth=truth, people=alone)

    def marked(
        name: str, texts: Sequence[tuple[float, str, list[tuple[str, float]]]], shows: Callable[[], float] | None = None
    ) -> Case:
        # Stamped on the LSL clock, or by one that ``shows`` a time now, s.
        eeg = person(begin)

        def script(prefix: str) -> Script:
            add = 0.0 if shows is None else shows() - pylsl.local_clock()
            sent = [(at, key, [(text, stamp + add) for text, stamp in words]) for at, key, words in texts]
            lives = eeg(prefix).lives
            declared = about(f"{prefix}M", rate=0.0, labels=("text",)) | {"type": "Markers", "format": "string"}
            outlet = Life("M", declared, 0.0, END_S, clean(np.zeros((0, 1))))
            return Script((*lives, outlet), tuple(sent))

        return Case(name, script, f, options=(*told, "--markers", "name=PREFIXM"), people=alone,
                    truth=said(begin))  # fmt: skip

    at_once = [("begin", begin)]
    storm = [(f"noise {i}", f + i * 1e-4) for i in range(78_000)]
    return [
        Case("it plays; nothing is wrong", person(0.0), options=own, acts=(ear,), truth=played, people=alone),
        Case("it plays and sleeps for 5 s", person(0.0), f + 5, options=own, acts=(ear, Act(f, asleep(5.0))),
             truth=played, people=alone),
        Case("it plays and the sound device is gone for 8 s", person(0.0), f + 8, options=own,
             acts=(ear, server_gone(8.0)), truth=played, people=alone),
        other("a stimulus is heard; nothing is wrong", 0.0),
        other("the stimulus pauses for 3 s", 3.0),
        other("the stimulus skips .05 s", -0.05),
        Case("the captured device is gone for 8 s", person(begin), f + 10, options=hears, people=alone,
             acts=(ear, plays(), server_gone(8.0), Act(f + 8.1, goes_on)),
             truth=captured(by_script(), must_be_due=False)),
        marked("a marker is sent once", [(begin, "M", at_once)]),
        marked("a marker in Unix time", [(begin, "M", at_once)], time.time),
        marked("the marker is sent twice", [(begin, "M", at_once), (begin + 12, "M", [("begin", begin + 12)])]),
        marked("78,000 markers at once", [(begin, "M", at_once), (f, "M", storm)]),
    ]  # fmt: skip


SOUND_CASES: Mapping[str, Case] = {each.name: each for each in _cases()}
