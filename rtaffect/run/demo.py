"""The demo: a whole session with a synthetic participant, over LSL in real time, or at once."""

from __future__ import annotations

import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np

from rtaffect.common.arrays import Float32Array
from rtaffect.common.clock import Clock, InstantClock, LslClock
from rtaffect.common.errors import SettingsError, setting
from rtaffect.plan.analysis_plan import AnalysisPlan
from rtaffect.plan.conflicts import DEMO_REST_S, check_plan
from rtaffect.plan.session_folder import RECORDING_FILE
from rtaffect.plan.session_plan import DEMO_BUNDLE, SessionPlan
from rtaffect.predicted.featurizer import Progress
from rtaffect.protocol.choice import choose_arm
from rtaffect.protocol.reading import read_protocol
from rtaffect.record.recorder import Recorder
from rtaffect.run.demo_material import affect_demo_folder, demo_folder, is_demos
from rtaffect.run.programme import Programme, SessionSound
from rtaffect.run.recognised import describe_headset
from rtaffect.run.session_sources import Beginning, ProtocolSetup, SessionSources
from rtaffect.simulation.cohort import CohortSettings
from rtaffect.simulation.head import CHANNELS
from rtaffect.simulation.headset import SimulatedHeadset
from rtaffect.sources.lsl import LslSource
from rtaffect.sources.lsl_streams import find_stream
from rtaffect.sources.recorded import ArraySource
from rtaffect.sources.selection import Query
from rtaffect.sources.sound_file import SoundFileSource
from rtaffect.stream.source import StreamInfo

BANNER: Final = "synthetic participant, bundle from a synthetic cohort: a demonstration, not a person"
AFFECT_BANNER: Final = "synthetic participant, bundle of affect from synthetic people: a demonstration, not a person"
#: The demo's own protocol, in its folder.
PROTOCOL: Final = "protocol.toml"
#: The participant's own activity before the session's zero, s (calibration.demo writes it so).
LEAD_S: Final = 3.0
#: When the participant's EEG starts where nobody waits for it, s.
_ONSET_S: Final = 100.0


@dataclass(kw_only=True)
class DemoSources(SessionSources):
    """What the demo is made of: the participant's EEG (n, 24), V, and the sound where no protocol plays it."""

    eeg: Float32Array
    file: SoundFileSource | None

    @classmethod
    def open(cls, plan: SessionPlan, progress: Progress) -> Self:
        """Make the demo's material if it is not there."""
        if plan.speed not in ("1", "max"):
            raise SettingsError(f"{setting('speed', plan.speed)}: a demo runs at 1, in real time, or at max")
        check_plan(plan)
        of_affect = plan.analysis.affect == DEMO_BUNDLE
        if of_affect:
            plan = _with_rest(plan)
        folder = _folder(plan, progress)
        setup = _setup(plan, folder)
        eeg: Float32Array = np.load(folder / ("participant.npy" if setup.protocol is None else "protocol.npy"))
        path = folder / "sound.wav"
        file = SoundFileSource.open(path) if setup.programme is None else None
        chosen = plan.analysis
        analysis = AnalysisPlan(
            bundle=None if of_affect else DEMO_BUNDLE,
            featurizer=chosen.featurizer,
            threads=chosen.threads,
            elements=chosen.elements,
            against="reference" if file and not of_affect else "auto",
            measures=chosen.measures,
            measure_bands=chosen.measure_bands,
            affect=chosen.affect,
            library=chosen.library,
            affect_rest_s=chosen.affect_rest_s,
        )
        return cls(
            plan=plan,
            analysis=analysis,
            title="rtaffect demo",
            banner=AFFECT_BANNER if of_affect else BANNER,
            people=[],
            hears=True,
            setup=setup,
            recorder=Recorder(plan.results.out / RECORDING_FILE) if plan.results.out is not None else None,
            stimuli={path: file.info.source_id} if file is not None else {},
            eeg=eeg,
            file=file,
        )

    def begin(self, cleanup: ExitStack, progress: Progress) -> Beginning:
        """Let the participant begin; the session does ``LEAD_S`` after the first sample."""
        person, onset, clock = _straight(self.eeg) if self.plan.speed == "max" else _over_lsl(self.eeg, cleanup)
        self.people = [person]
        if self.recorder is not None:
            self.recorder.record(person)
        origin, own = onset + LEAD_S, self.file is None
        sound = SessionSound(self.file, programme=self.setup.programme).sound(origin)
        assert sound is not None
        assert sound.source is not None
        about: dict[str, object] = {
            "sound": {"kind": "protocol" if own else "file", "name": sound.source.info.name},
            "locked_by": "the protocol" if own else "playing it",
            "eeg": [describe_headset(person)],
        }
        return Beginning(origin, clock, sound, about)


def with_own_protocol(plan: SessionPlan) -> SessionPlan:
    """Return the plan with the demo's own protocol, which is made if it is not there."""
    if plan.analysis.affect == DEMO_BUNDLE:
        # Refused before minutes are spent on making it; the name of the file says nothing here.
        check_plan(plan.model_copy(update={"protocol": plan.protocol.model_copy(update={"file": Path(PROTOCOL)})}))
    file = _folder(plan, lambda _: None) / PROTOCOL
    return plan.model_copy(update={"protocol": plan.protocol.model_copy(update={"file": file})})


def _with_rest(plan: SessionPlan) -> SessionPlan:
    """Return the plan of the demo of affect, which says itself how long its participant rests; so a replay knows."""
    rest_s = plan.analysis.affect_rest_s or DEMO_REST_S
    return plan.model_copy(update={"analysis": plan.analysis.model_copy(update={"affect_rest_s": rest_s})})


def _folder(plan: SessionPlan, progress: Progress) -> Path:
    if plan.analysis.affect == DEMO_BUNDLE and is_demos(DEMO_BUNDLE, "affect"):
        return affect_demo_folder(plan.analysis.featurizer, progress)
    return demo_folder(plan.analysis.featurizer, progress, elements=plan.analysis.elements == "on")


def _setup(plan: SessionPlan, folder: Path) -> ProtocolSetup:
    if plan.protocol.file is None:
        return ProtocolSetup()
    if plan.protocol.file.resolve() != (folder / PROTOCOL).resolve():
        raise SettingsError(
            f"protocol {plan.protocol.file}: the demo's participant was simulated for {folder / PROTOCOL} alone; use "
            "`rtaffect demo --protocol`, or run yours live"
        )
    protocol = read_protocol(plan.protocol.file)
    arm = choose_arm(protocol, plan.participant, plan.protocol.allocation)
    return ProtocolSetup(protocol, arm, Programme(protocol))


def _straight(eeg: Float32Array) -> tuple[ArraySource, float, Clock]:
    """Return the participant without LSL and without waiting, when its EEG starts (s), and a clock that jumps."""
    info = StreamInfo("participant", "eeg", CohortSettings().rate_hz, CHANNELS, "simulated", "rtaffect-demo")
    return ArraySource(info, eeg, _ONSET_S), _ONSET_S, InstantClock(_ONSET_S)


def _over_lsl(eeg: Float32Array, cleanup: ExitStack) -> tuple[LslSource, float, Clock]:
    """Return the participant as a real LSL stream from a child process, when its EEG starts, and the LSL clock."""
    clock, source_id = LslClock(), f"rtaffect-demo-{uuid.uuid4().hex[:8]}"
    headset = SimulatedHeadset("participant", source_id, eeg, CohortSettings().rate_hz, CHANNELS)
    cleanup.enter_context(headset)
    return LslSource(find_stream(Query("source_id", source_id))), headset.onset, clock
