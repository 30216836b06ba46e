"""Certifies the timing of a computer: a session with clicks whose times are known, in its sound and in its EEG.

The session is an ordinary one, with its recording, its window and its streams. Its sound is what is captured of the
clicks that it plays itself, its headsets are simulated ones in processes of their own, which send the same clicks over
LSL. What a step reads of both from the session's own grids is compared with the clicks' true times. After the model of
Wilson et al., IEEE Trans. Biomed. Eng. 57:1785, 2010.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Final

import numpy as np
from pylsl import local_clock
from rich.console import Console

from rtaffect.common.arrays import Float32Array, FloatArray
from rtaffect.common.clock import LslClock
from rtaffect.common.errors import SettingsError
from rtaffect.common.settings import Settings
from rtaffect.outputs.sound_player import SoundPlayer, describe_counts
from rtaffect.plan.eeg_plan import EegPlan
from rtaffect.plan.programs_plan import ProgramsPlan
from rtaffect.plan.results_plan import ResultsPlan
from rtaffect.plan.session_folder import RECORDING_FILE
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.plan.sound_plan import SoundPlan
from rtaffect.predicted.featurizer import Progress
from rtaffect.record.recorder import Recorder
from rtaffect.run.assemble import Sound, load_model
from rtaffect.run.certify_clicks import click_times, eeg_of, sound_of
from rtaffect.run.certify_engine import CertifiedEngine
from rtaffect.run.certify_measure import MS_PER_HOUR_PER_PPM, Drift, without_jumps
from rtaffect.run.certify_plan import LEAD_S, SPARE_S, CertifyPlan
from rtaffect.run.certify_receiver import Receiver
from rtaffect.run.describing import describe_session
from rtaffect.run.live_sound import device_of
from rtaffect.run.recognised import describe_headset
from rtaffect.run.runners import WindowRunner
from rtaffect.run.running import run_session
from rtaffect.run.session_sources import Beginning, Run, SessionSources
from rtaffect.simulation.headset import SimulatedHeadset
from rtaffect.sources.lsl import LslSource
from rtaffect.sources.lsl_streams import find_stream
from rtaffect.sources.selection import Query
from rtaffect.sources.sound_card import SoundCardSource
from rtaffect.sources.sound_devices import choose_sound_device

#: The sound goes on for so long after the last step, s.
_TAIL_S: Final = 2
#: From everything being ready to the session's zero, s.
_WARNING_S: Final = 2.0
#: Headsets begin so long after they are made, s, and each more so much later.
_START_S, _START_EACH_S = 2.0, 0.3
#: They have so long to answer, and what was sent last has so long to come, s.
_WAIT_S, _LAST_S = 20.0, 0.2
#: A player's device that is later by more than this from one step to the next stood still, and does not drift, s.
_JUMP_S: Final = 0.003


@dataclass(kw_only=True)
class _Sources(SessionSources):
    """What the certified session is made of; it is known before when it begins."""

    begins: Beginning

    def begin(self, cleanup: ExitStack, progress: Progress) -> Beginning:
        """Return when it does."""
        return self.begins


@dataclass(kw_only=True)
class Certified:
    """What a certified session left to be analysed; times are s on the LSL clock.

    Attributes
    ----------
    plan
        What was asked for.
    engine
        What each step read, and when.
    clicks
        Times of the clicks that count, s from the session's zero.
    eeg_start, eeg_count
        Time of the first sample of the simulated EEG, and how many there are.
    arrivals
        By the time of a value, when another program had it by LSL.
    devices
        What was used, in words, by what it is for.
    osc_arrivals
        By the number of a step, when another program had all of it by OSC; None if nothing was sent so.
    drift_ppm
        Of the devices' clocks against this computer's, by device.
    notes
        What should be known.
    """

    plan: CertifyPlan
    engine: CertifiedEngine
    clicks: FloatArray
    eeg_start: float
    eeg_count: int
    arrivals: dict[float, float]
    devices: dict[str, str]
    osc_arrivals: dict[int, float] | None = None
    drift_ppm: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def certify(plan: CertifyPlan, console: Console, show: WindowRunner, progress: Progress) -> Certified:
    """Run the session that is certified; ``show`` shows its window.

    Raises
    ------
    RtaffectError
        If a device or stream is missing, or the session cannot go on.
    """
    plan.check()
    with ExitStack() as cleanup:
        speaker = choose_sound_device(device_of(plan.speaker), "output")
        captured = _captured(plan)
        featurizer = load_model(plan.bundle, None, progress).featurizer if plan.bundle is not None else None
        progress("starting simulated headsets")
        start = local_clock() + _START_S + _START_EACH_S * plan.headsets
        count = round((plan.seconds + SPARE_S) * plan.rate)
        names = _start_headsets(plan, cleanup, start, count)
        people = [LslSource(find_stream(Query("source_id", name), timeout=_WAIT_S, settle=0.0)) for name in names]
        progress("starting the program that receives")
        receiver = cleanup.enter_context(Receiver())
        whole = _whole_seconds(start)
        origin = start + whole
        engine = CertifiedEngine(people, Settings(), origin, captured, featurizer)
        engine.player = player = SoundPlayer(*_sound(plan, whole, speaker.rate), device_of(plan.speaker))
        engine.on_step = lambda step: progress(f"step {step} of {plan.seconds}")
        player.doubts = engine.place
        cleanup.callback(player.stop)
        player.start(origin)
        run_session(_run(plan, engine, people, captured, osc := _by_osc(receiver)), console, show)
        # What was sent last is on its way.
        time.sleep(_LAST_S)
        receiver.close()
        done = Certified(
            plan=plan,
            engine=engine,
            clicks=click_times(whole + LEAD_S, whole + len(engine.seen) - 1) - whole,
            eeg_start=start,
            eeg_count=count,
            arrivals=receiver.arrivals,
            osc_arrivals=receiver.osc_arrivals if osc else None,
            devices={
                "speaker": speaker.describe(),
                "capture": _describe(captured),
                "eeg": _describe_eeg(plan),
                "features": featurizer.identity if featurizer is not None else "none",
            },
        )
        _note_devices(done, people, captured)
        _note_player(done, player)
    return done


def _by_osc(receiver: Receiver) -> tuple[str, ...]:
    """Return where it receives by OSC; nothing where the package that sends is not installed."""
    return (f"127.0.0.1:{receiver.osc_port}",) if find_spec("pythonosc") is not None else ()


def _whole_seconds(start: float) -> int:
    """Return how many whole seconds after ``start`` (s, LSL clock) the session begins; raises SettingsError.

    Whole ones, so that clicks have the same times in their second for the headsets and the session.
    """
    whole = math.ceil(max(0.0, float(local_clock()) + _WARNING_S - start))
    if whole > SPARE_S - LEAD_S:
        raise SettingsError(
            f"it took {whole} s to get ready",
            f"at most {SPARE_S - LEAD_S}",
            "use fewer headsets or channels, or try again when the computer is less busy",
        )
    return whole


def _sound(plan: CertifyPlan, whole: int, rate: float) -> tuple[Float32Array, float]:
    """Return the clicks to be played from the session's zero on, and their rate, Hz."""
    seconds = plan.seconds + _TAIL_S
    return sound_of(click_times(whole, whole + seconds) - whole, seconds, rate), rate


def _captured(plan: CertifyPlan) -> SoundCardSource | LslSource | None:
    if not plan.captured:
        return None
    if plan.capture_stream is not None:
        return LslSource(find_stream(Query.parse(plan.capture_stream)), kind="audio")
    return SoundCardSource(device_of(plan.capture))


def _start_headsets(plan: CertifyPlan, cleanup: ExitStack, start: float, count: int) -> list[str]:
    """Start simulated headsets whose first sample is of ``start``, s on the LSL clock; return their source ids."""
    at, seconds = np.arange(count) / plan.rate, math.ceil(count / plan.rate)
    labels = [f"E{n + 1}" for n in range(plan.channels)]
    made = []
    for number in range(plan.headsets):
        name = f"rtaffect-certify-{number + 1}-{start:.6f}"
        eeg = eeg_of(click_times(0, seconds), at, plan.channels, seed=number)
        made.append(SimulatedHeadset(f"simulated {number + 1}", name, eeg, plan.rate, labels, onset=start))
        cleanup.callback(made[-1].close)
        made[-1].start()
    for headset in made:
        headset.wait_ready(_WAIT_S + _START_EACH_S * plan.headsets)
    return [f"rtaffect-certify-{number + 1}-{start:.6f}" for number in range(plan.headsets)]


def _run(
    plan: CertifyPlan,
    engine: CertifiedEngine,
    people: Sequence[LslSource],
    captured: SoundCardSource | LslSource | None,
    osc: tuple[str, ...],
) -> Run:
    """Return the session as it is run, with its recording and the description in its folder; ``osc`` gets it by OSC."""
    recorder = Recorder(plan.out / RECORDING_FILE)
    for source in (*people, *([captured] if captured is not None else [])):
        recorder.record(source)
    whole = SessionPlan(
        mode="live",
        eeg=EegPlan(streams=tuple(f"source_id={person.info.source_id}" for person in people)),
        sound=SoundPlan(speaker=plan.speaker),
        results=ResultsPlan(out=plan.out, seconds=plan.seconds, headless=plan.headless),
        programs=ProgramsPlan(osc=osc),
    )
    clock, sound = LslClock(), Sound(captured) if captured is not None else None
    sources = _Sources(
        plan=whole,
        begins=Beginning(engine.origin, clock, sound, {}),
        analysis=whole.analysis,
        title="timing certificate",
        people=people,
        hears=captured is not None,
        recorder=recorder,
        banner="simulated EEG: clicks, to certify the timing of this computer",
    )
    ran = describe_session("certify", whole, engine, None) | {"eeg": [describe_headset(person) for person in people]}
    return Run(engine, clock, sources, sources.banner, ran)


def _describe(captured: SoundCardSource | LslSource | None) -> str:
    if captured is None:
        return "nothing was captured: the player's own word stands for the sound"
    if isinstance(captured, SoundCardSource):
        return captured.device.describe()
    return f"LSL stream {captured.info.name!r} on {captured.info.host}"


def _describe_eeg(plan: CertifyPlan) -> str:
    what = "simulated headset" if plan.headsets == 1 else "simulated headsets"
    return f"{plan.headsets} {what} of {plan.channels} channels at {plan.rate:g} Hz, over LSL"


def _note_devices(
    done: Certified,
    people: Sequence[LslSource],
    captured: SoundCardSource | LslSource | None,
) -> None:
    """Note the drift that devices have of themselves, and what went wrong with them and with the session."""
    done.engine.note()
    for source in (*people, *([captured] if captured is not None else [])):
        what = "captured sound of" if source.info.kind == "audio" else "headset"
        done.drift_ppm[f"{what} {source.info.name}"] = source.buffer.drift_ppm
        status = source.buffer.status(source.info.name, source.info.kind, "ok", local_clock())
        if status.gaps or status.clock_jumps or status.overruns:
            done.notes.append(
                f"{source.info.name}: {status.gaps} gaps, {status.clock_jumps} clock jumps, {status.overruns} samples "
                "overwritten before they were read"
            )
    if isinstance(captured, SoundCardSource) and captured.overflows:
        done.notes.append(f"captured sound was lost {captured.overflows} times (input overflow)")
    if done.engine.late_seconds:
        done.notes.append(f"seconds of sound that came too late for their own step: {done.engine.late_seconds}")
    if len(done.engine.seen) < done.plan.seconds:
        done.notes.append(f"the session was ended after {len(done.engine.seen)} of {done.plan.seconds} s")
    reasons = sorted({f"{d.part or d.about}: {d.reason}" for seen in done.engine.seen for d in seen.feedback.doubts})
    done.notes += [f"in doubt at some steps: {reason}" for reason in reasons]


def _note_player(done: Certified, player: SoundPlayer) -> None:
    """Note the drift of the player's device over the session, and what went wrong with it."""
    if said := describe_counts(player.counts):
        done.notes.append(said)
    zero = np.array([seen.player_zero for seen in done.engine.seen])
    ends = np.array([seen.feedback.lsl_time for seen in done.engine.seen])
    drift = Drift.of(without_jumps(zero[LEAD_S:], _JUMP_S), ends[LEAD_S:])
    done.drift_ppm[f"player on {player.device.name}"] = drift.ms_per_hour / MS_PER_HOUR_PER_PPM
