"""Certifies the timing of a computer: a session with clicks whose times are known, in its sound and in its EEG.

The session is an ordinary one, with its recording, its window and its streams. Its sound is what is captured of the
clicks that it plays itself, its headsets are simulated ones in processes of their own, which send the same clicks over
LSL. What a step reads of both from the session's own grids is compared with the clicks' true times. After the model of
Wilson et al., IEEE Trans. Biomed. Eng. 57:1785, 2010.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from pylsl import local_clock
from rich.console import Console

from rtaffect.common.arrays import Float32Array, FloatArray
from rtaffect.common.clock import LslClock
from rtaffect.common.errors import SettingsError
from rtaffect.common.settings import Settings
from rtaffect.engine.engine import Engine
from rtaffect.engine.feedback import Feedback
from rtaffect.observed.signal_path import SignalPath
from rtaffect.observed.spaces import ChannelSpace
from rtaffect.outputs.sound_player import SoundPlayer
from rtaffect.plan.session_folder import RECORDING_FILE
from rtaffect.plan.session_plan import EegPlan, ResultsPlan, SessionPlan, SoundPlan
from rtaffect.predicted.featurizer import Featurizer, Progress
from rtaffect.predicted.sound_input import SoundInput
from rtaffect.record.recorder import Recorder
from rtaffect.run.assemble import Sound, describe_headset, describe_session, load_model
from rtaffect.run.certify_clicks import click_times, eeg_of, sound_of
from rtaffect.run.certify_receiver import Receiver
from rtaffect.run.live_sound import device_of
from rtaffect.run.running import WindowRunner, run_session
from rtaffect.run.session_sources import Beginning, Run, SessionSources
from rtaffect.simulation.headset import SimulatedHeadset
from rtaffect.sources.lsl import LslSource
from rtaffect.sources.lsl_streams import find_stream
from rtaffect.sources.selection import Query
from rtaffect.sources.sound_card import SoundCardSource
from rtaffect.sources.sound_devices import choose_sound_device
from rtaffect.stream.source import Source

#: The first clicks that count come so long after the session's zero, s: sound servers take some seconds to settle.
LEAD_S: Final = 6
#: The sound and the EEG go on for so long after the last step, s.
_TAIL_S: Final = 2
#: From everything being ready to the session's zero, s.
_WARNING_S: Final = 2.0
#: Headsets begin so long after they are made, s, and each more so much later; the session has so long to begin then.
_START_S, _START_EACH_S, _SPARE_S = 2.0, 0.3, 60
#: So many values of simulated EEG are made at most: they are in memory.
MOST_VALUES: Final = 60_000_000
_WAIT_S: Final = 20.0
#: A session of fewer seconds says too little.
LEAST_S: Final = LEAD_S + 4
_LAST_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class CertifyPlan:
    """What is certified.

    Attributes
    ----------
    out
        New folder of the certificate, which is its session's, too.
    seconds
        Length of the session.
    capture, capture_stream, captured
        Sound device (None: the default one) or LSL stream that hears the clicks, and whether they are captured at all.
    speaker
        Sound device that plays them; None for the default one.
    headsets, channels, rate
        Of the simulated EEG; Hz.
    headless
        Whether there is no window.
    bundle
        Bundle whose featurizer reads the captured sound, so that its cost is included; None for none.
    """

    out: Path
    seconds: int = 120
    capture: str | None = None
    capture_stream: str | None = None
    captured: bool = True
    speaker: str | None = None
    headsets: int = 1
    channels: int = 8
    rate: float = 250.0
    headless: bool = False
    bundle: Path | None = None

    def check(self) -> None:
        """Refuse what does not go together or into memory; raises SettingsError."""
        if self.capture is not None and self.capture_stream is not None:
            raise SettingsError("--capture and --capture-stream exclude each other; give the one that hears the clicks")
        if not self.captured and (self.capture is not None or self.capture_stream is not None):
            raise SettingsError("--no-capture says that nothing is captured; leave it out, or the device or stream")
        if not self.captured and self.bundle is not None:
            raise SettingsError("--bundle reads the sound that is captured; leave it out, or --no-capture")
        values = self.headsets * self.channels * self.rate * (self.seconds + _SPARE_S)
        if values > MOST_VALUES:
            fit = int(MOST_VALUES / (self.headsets * self.channels * self.rate)) - _SPARE_S
            raise SettingsError(
                f"{self.headsets} x {self.channels} channels at {self.rate:g} Hz for {self.seconds} s are too many "
                "simulated samples",
                f"at most {MOST_VALUES:,}, which are kept in memory",
                f"use --seconds {fit} or less" if fit >= LEAST_S else "use fewer headsets or channels",
            )
        if self.out.exists() and any(self.out.iterdir() if self.out.is_dir() else [self.out]):
            raise SettingsError(f"--out {self.out} is there already; name a new folder, nothing is overwritten")


@dataclass(frozen=True, slots=True)
class StepSeen:
    """What was noted of a step: its Feedback, when it was due, begun and made, and its newest EEG, s (LSL clock).

    ``newest`` is the time of the newest EEG sample that could enter it, of the headset that is latest; ``player_lag_s``
    is where the player says that the sound is against its place.
    """

    feedback: Feedback
    due: float
    begun: float
    made: float
    newest: float
    player_lag_s: float


class _Listener:
    """Stands for a featurizer where the sound is only listened to: it has the same second, and makes nothing of it."""

    size, seconds, warming_up = 1, 0, False

    def stream(self) -> _Listener:
        return self

    def reset(self) -> None:
        pass

    def step(self, second: Float32Array) -> Float32Array:
        return np.zeros(1, np.float32)


class CertifiedEngine(Engine):
    """The session's engine, from which is kept what each step read of EEG and sound, and when.

    Attributes
    ----------
    seen : list of StepSeen
        By step.
    eeg : list of FloatArray
        By step, its second as it was compared, the mean over channels (people, rate_hz), V.
    sound : dict of int to Float32Array
        By number of the second, from 1, the sound (16000,) that a featurizer would have been given.
    late_seconds : int
        Seconds of sound that came too late for their own step.
    """

    def __init__(
        self,
        people: Sequence[Source],
        settings: Settings,
        origin: float,
        sound: Source | None,
        featurizer: Featurizer | None = None,
    ) -> None:
        reads: Any = featurizer or _Listener()
        self._heard = SoundInput(sound, reads, origin) if sound is not None else None
        space = ChannelSpace(people[0].info.channels, settings.signal.average_reference)
        super().__init__(people, space, settings, origin, sound=sound, sound_input=self._heard)
        # Until when after a step's end samples of EEG enter it, s.
        self._ahead_s = SignalPath(settings.signal, people[0].info.rate, 1).lookahead_s
        self._headsets = people
        self.player: SoundPlayer | None = None
        self.on_step: Callable[[int], None] = lambda step: None
        self.seen: list[StepSeen] = []
        self.eeg: list[FloatArray] = []
        self.sound: dict[int, Float32Array] = {}
        self.late_seconds = 0

    def step(self, now: float, **told: Any) -> Feedback:
        """Make the next step, and note it."""
        begun = local_clock()
        newest = min(person.buffer.newest for person in self._headsets)
        feedback = super().step(now, **told)
        made, due = local_clock(), feedback.lsl_time + self.lookahead_s
        lag = self.player.lag_s if self.player is not None else math.nan
        newest = min(newest, feedback.lsl_time + self._ahead_s)
        self.seen.append(StepSeen(feedback, due, begun, made, newest, lag))
        with np.errstate(all="ignore"):
            self.eeg.append(np.stack([_mean(self.second(person)) for person in range(len(self._headsets))]))
        for second in self._heard.heard if self._heard is not None else ():
            self.late_seconds += second.number != feedback.step
            if second.sound is not None:
                self.sound[second.number] = second.sound
        self.on_step(feedback.step)
        return feedback


def _mean(second: FloatArray) -> FloatArray:
    """Return the mean (n,) over the channels of ``second`` (n, channels) that are there throughout, NaN without any."""
    there = np.isfinite(second).all(axis=0)
    return second[:, there].mean(axis=1) if there.any() else np.full(len(second), np.nan)


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
        By the time of a value, when another program had it.
    devices
        What was used, in words, by what it is for.
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
        count = round((plan.seconds + _SPARE_S) * plan.rate)
        names = _start_headsets(plan, cleanup, start, count)
        people = [LslSource(find_stream(Query("source_id", name), timeout=_WAIT_S, settle=0.0)) for name in names]
        progress("starting the program that receives")
        receiver = cleanup.enter_context(Receiver())
        # All of the clicks are whole seconds and a part from the headsets' start, and so from the session's zero.
        whole = math.ceil(max(0.0, local_clock() + _WARNING_S - start))
        if whole > _SPARE_S - LEAD_S:
            raise SettingsError(
                f"it took {whole} s to get ready",
                f"at most {_SPARE_S - LEAD_S}",
                "use fewer headsets or channels, or try again when the computer is less busy",
            )
        origin = start + whole
        engine = CertifiedEngine(people, Settings(), origin, captured, featurizer)
        engine.player = player = SoundPlayer(*_sound(plan, whole, speaker.rate), device_of(plan.speaker))
        engine.on_step = lambda step: progress(f"step {step} of {plan.seconds}")
        cleanup.callback(player.stop)
        player.start(origin)
        run_session(_run(plan, engine, people, captured), console, show)
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
            devices={
                "speaker": speaker.describe(),
                "capture": _describe(captured),
                "eeg": _describe_eeg(plan),
                "features": featurizer.identity if featurizer is not None else "none",
            },
        )
        _note_devices(done, people, captured, player)
    return done


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
) -> Run:
    """Return the session as it is run, with its recording and the description in its folder."""
    recorder = Recorder(plan.out / RECORDING_FILE)
    for source in (*people, *([captured] if captured is not None else [])):
        recorder.record(source)
    whole = SessionPlan(
        mode="live",
        eeg=EegPlan(streams=tuple(f"source_id={person.info.source_id}" for person in people)),
        sound=SoundPlan(speaker=plan.speaker),
        results=ResultsPlan(out=plan.out, seconds=plan.seconds, headless=plan.headless),
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
    player: SoundPlayer,
) -> None:
    """Note the drift that devices have of themselves, and what went wrong with them."""
    for source in (*people, *([captured] if captured is not None else [])):
        done.drift_ppm[source.info.name] = source.buffer.drift_ppm
        status = source.buffer.status(source.info.name, source.info.kind, "ok", local_clock())
        if status.gaps or status.clock_jumps or status.overruns:
            done.notes.append(
                f"{source.info.name}: {status.gaps} gaps, {status.clock_jumps} clock jumps, {status.overruns} samples "
                "overwritten before they were read"
            )
    if player.underflows:
        done.notes.append(f"the player's device ran dry {player.underflows} times (underflow)")
    if isinstance(captured, SoundCardSource) and captured.overflows:
        done.notes.append(f"captured sound was lost {captured.overflows} times (input overflow)")
    if done.engine.late_seconds:
        done.notes.append(f"seconds of sound that came too late for their own step: {done.engine.late_seconds}")
    if len(done.engine.seen) < done.plan.seconds:
        done.notes.append(f"the session was ended after {len(done.engine.seen)} of {done.plan.seconds} s")
    reasons = sorted({f"{d.part}: {d.reason}" for seen in done.engine.seen for d in seen.feedback.doubts})
    done.notes += [f"in doubt at some steps: {reason}" for reason in reasons]
