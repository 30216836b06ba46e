"""What a session is made of: who wears headsets, what is heard, its protocol, and what was said of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from rtaffect.common.clock import Clock
from rtaffect.engine.engine import Engine
from rtaffect.engine.taken import RecordedDoubts
from rtaffect.observed.contact import HeadsetContact
from rtaffect.outputs.film_projector import Projector
from rtaffect.outputs.programme_player import ProgrammePlayer
from rtaffect.outputs.sound_player import CuePlayer
from rtaffect.plan.analysis_plan import AnalysisPlan
from rtaffect.plan.session_folder import RECORDING_FILE
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.predicted.featurizer import Progress
from rtaffect.protocol.arms import ArmSource, Real
from rtaffect.protocol.model import Protocol
from rtaffect.protocol.timeline import Key
from rtaffect.record.recorder import Recorder
from rtaffect.run.assemble import Model, OwnResponse, Sound
from rtaffect.run.newcomers import Offers
from rtaffect.run.programme import Programme
from rtaffect.run.session_affect import SessionAffect
from rtaffect.run.told import Due
from rtaffect.sources.lsl_markers import LslMarkers
from rtaffect.sources.osc_markers import OscMarkers
from rtaffect.stream.source import Source


@dataclass(frozen=True, slots=True)
class ProtocolSetup:
    """What a session's protocol needs.

    ``follow`` has the keys of a recorded session by step, in place of the operator's; ``player`` lets its sounds be
    heard, None where something else does, or nobody listens. ``projector`` shows its films, None where it has none, or
    nobody sees them. ``told`` are marks and notes of a recorded session.
    """

    protocol: Protocol | None = None
    arm: ArmSource = field(default_factory=Real)
    programme: Programme | None = None
    player: ProgrammePlayer | None = None
    projector: Projector | None = None
    follow: Mapping[int, Sequence[Key]] | None = None
    told: Sequence[Due] = ()


@dataclass(frozen=True, slots=True)
class Beginning:
    """When a session begins and what it hears then.

    ``origin`` is its zero, s on the LSL clock; ``about`` is what ``session.toml`` says of headsets and sound.
    """

    origin: float
    clock: Clock
    sound: Sound | None
    about: dict[str, object]


@dataclass(kw_only=True)
class SessionSources(ABC):
    """Everything that a session is made of beside its model and engine.

    Attributes
    ----------
    plan
        As the session's folder keeps it; a replay of a session keeps ``described`` apart, which the session was.
    analysis
        What is predicted with and compared against.
    title, banner
        Stand in the window; without a banner the model's is there.
    people
        The headsets; at the latest when the session begins.
    body
        Streams of peripheral signals alone.
    rating
        What the participant says, where ratings are predicted.
    hears
        Whether there is a sound to predict from.
    setup
        The protocol.
    notes
        What the operator should know, in words.
    recorder
        Records what sources receive; None for a replay, and where nothing is kept.
    markers
        Streams of markers that are listened to, and what comes by OSC.
    stimuli
        Files of known stimuli beside the protocol's, and their hashes; they are copied into the session's folder.
    doubts
        What was in doubt at each step of a session that is replayed; None where that is found out.
    checked
        What the contact check before the session found.
    steps
        How many there are, whatever becomes of the sources; None where that is not known.
    """

    plan: SessionPlan
    analysis: AnalysisPlan
    title: str
    people: Sequence[Source]
    hears: bool
    described: SessionPlan | None = None
    banner: str | None = None
    setup: ProtocolSetup = field(default_factory=ProtocolSetup)
    notes: Sequence[str] = ()
    recorder: Recorder | None = None
    markers: Sequence[LslMarkers | OscMarkers] = ()
    body: Sequence[Source] = ()
    rating: Source | None = None
    stimuli: Mapping[Path, str] = field(default_factory=dict)
    doubts: RecordedDoubts | None = None
    checked: Sequence[HeadsetContact] = ()
    steps: int | None = None

    def goes_into(self, folder: Path, participant: str | None) -> None:
        """Let a session that has not begun be written into ``folder``, and be that of ``participant``."""
        results = self.plan.results.model_copy(update={"out": folder})
        self.plan = self.plan.model_copy(update={"results": results, "participant": participant})
        if self.recorder is not None:
            self.recorder.path = folder / RECORDING_FILE

    def check(self, model: Model | None) -> Sequence[str]:
        """Refuse what does not fit the model (SettingsError), and return what should be known of how it fits."""
        return ()

    def check_affect(self, affect: SessionAffect | None) -> Sequence[str]:
        """Return what should be known of what reads affect."""
        return ()

    @property
    def demo_of_elements(self) -> bool:
        """Whether the demo's bundle, where that is meant, is the one of voice and background."""
        return self.analysis.elements == "on"

    @property
    def sound_is_gone(self) -> bool:
        """Whether there was a sound that has been removed since."""
        return False

    def own_response(self, model: Model | None) -> OwnResponse | None:
        """Return what gives the response of the one person who is part of the reference; None: nobody is."""
        return None

    @abstractmethod
    def begin(self, cleanup: ExitStack, progress: Progress) -> Beginning:
        """Open what takes time to open, and say when the session begins."""

    @property
    def speaker(self) -> CuePlayer | None:
        """What lets the session's sound be heard; None where something else does, or nobody listens."""
        return self.setup.player

    def play(self, engine: Engine, cleanup: ExitStack, note: Callable[[str], None]) -> None:  # noqa: B027 - most modes play nothing
        """Let be heard what this mode plays beside the protocol, from the session's zero on.

        ``engine`` is told when the sound is not heard at its time.
        """

    def notices(self) -> Sequence[str]:
        """Return what the operator should know now of devices beside the session's, in words; from any thread."""
        return ()

    @property
    def offers(self) -> Offers | None:
        """What may be taken for sources that are lost; None where nothing can come back."""
        return None

    def ended(self, steps: int) -> str:
        """Return what is to be said after a session of so many steps, '' for nothing."""
        return ""


@dataclass(frozen=True, slots=True)
class Run:
    """A session that is ready to run: ``engine`` and ``clock`` make the steps and the time.

    ``banner`` stands in the window, and ``ran`` is what ``session.toml`` says of the run.
    """

    engine: Engine
    clock: Clock
    sources: SessionSources
    banner: str | None
    ran: Mapping[str, object]

    @property
    def is_of_affect_alone(self) -> bool:
        """Whether affect is all there is: nothing is predicted, and nobody is compared with anybody."""
        analysis = self.sources.analysis
        return analysis.affect is not None and analysis.bundle is None and len(self.engine.people) < 2
