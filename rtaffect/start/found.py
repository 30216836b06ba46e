"""What is known of the network, the devices and the chosen files when the choices are checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from numpy.typing import NDArray

from rtaffect.affect.bundle import AffectManifest
from rtaffect.common.errors import RtaffectError
from rtaffect.common.settings import Settings
from rtaffect.engine.bundle import Bundle
from rtaffect.observed.operator import Operator
from rtaffect.plan.session_folder import RecordedSession
from rtaffect.present.participant_state import ScreenInfo
from rtaffect.protocol.model import Protocol
from rtaffect.sources.sound_devices import SoundDevice
from rtaffect.start.choices import Choices
from rtaffect.start.fields import is_demo_bundle, path_of
from rtaffect.start.of_stream import of_plan
from rtaffect.start.streams import StreamFacts, taking_part
from rtaffect.start.wording import in_window
from rtaffect.stream.markers import Marker
from rtaffect.stream.source import StreamHeader, StreamInfo

AskKind = Literal[
    "bundle", "featurizer", "sound", "protocol", "allocation", "arm", "recording", "out", "settings", "head", "demo",
    "affect", "library",
]  # fmt: skip


class Ask(NamedTuple):
    """What is to be looked at: the text of a field, and what else the answer depends on."""

    kind: AskKind
    path: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why something cannot be used, with the remedy, in the window's words; ``field`` is the option that mends it.

    ``uid`` is that of the stream that it is about, '' for none in particular.
    """

    text: str
    field: str = ""
    uid: str = ""


def trouble_of(error: RtaffectError, stream: StreamHeader | None = None) -> Trouble:
    """Return what an error, about a ``stream``, says in the window's words."""
    return Trouble(in_window(error), error.field, stream.uid if stream is not None else "")


@dataclass(frozen=True, slots=True, eq=False)
class BundleFacts:
    """A bundle that was loaded; ``demo`` where it is the demo's."""

    folder: Path
    bundle: Bundle
    demo: bool = False


@dataclass(frozen=True, slots=True)
class FeaturizerFacts:
    """What the bundle's featurizer takes of each second, s (NaN where it is only made when it is needed), in words."""

    text: str
    cost_s: float


@dataclass(frozen=True, slots=True)
class SoundFacts:
    """A sound file: its length, s, the hash of its samples, and what is to be known of it, one line each."""

    name: str
    seconds: float
    sha256: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProtocolFacts:
    """A protocol, None where its file says something impossible, and all that is wrong with it, one line each."""

    protocol: Protocol | None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AllocationFacts:
    """A sealed allocation: nothing but its hash, so that the operator stays blind."""

    sha256: str


@dataclass(frozen=True, slots=True)
class ArmFacts:
    """That there is an arm for the participant; which one is not kept, so that nobody can be shown it."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordingFacts:
    """A recording, or the folder of a session: its streams, how long it is, s, and what is odd about it.

    By a stream's ``uid``, ``glimpses`` has some seconds from the middle of it, (n, channels) as sent, and ``markers``
    what a stream of text, or of the type of markers, says.
    """

    path: Path
    streams: tuple[StreamFacts, ...]
    seconds: float
    warnings: tuple[str, ...] = ()
    session: RecordedSession | None = None
    glimpses: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    markers: Mapping[str, tuple[Marker, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AffectFacts:
    """What a bundle of affect says of itself."""

    manifest: AffectManifest

    @property
    def rest_s(self) -> int | None:
        """How much of people's rest it subtracts, s; None for none."""
        settings = self.manifest.settings
        return settings.baseline_s if settings.baseline == "rest" else None


@dataclass(frozen=True, slots=True)
class LibraryFacts:
    """A folder of sounds: how many files are in it and in its folders."""

    files: int


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """Where results would go: free space, bytes, what lies there already, and whether ``name`` holds a session."""

    free: int
    taken: frozenset[str]
    holds_session: bool


@dataclass(frozen=True, slots=True, eq=False)
class DemoFacts:
    """Whether the demo's bundle and sounds are in the cache, and its protocol if that was asked for."""

    made: bool
    protocol: Path | None = None


Fact = (
    BundleFacts
    | FeaturizerFacts
    | SoundFacts
    | ProtocolFacts
    | AllocationFacts
    | ArmFacts
    | RecordingFacts
    | FolderFacts
    | DemoFacts
    | AffectFacts
    | LibraryFacts
    | Settings
    | Operator
)


@dataclass(frozen=True, slots=True)
class Found:
    """All that is known when the choices are checked.

    ``streams`` are those on the network, which has been asked for ``searched_s`` s. ``devices`` are the sound devices,
    None while they are being listed, and ``devices_trouble`` says why they cannot be. ``facts`` have what was looked
    at; what is missing is still being looked at. ``boards`` are headsets without LSL that were opened to be shown: what
    they send, or why they could not be opened.
    """

    streams: tuple[StreamFacts, ...] = ()
    searched_s: float = 0.0
    devices: tuple[SoundDevice, ...] | None = None
    devices_trouble: str = ""
    screens: tuple[ScreenInfo, ...] = ()
    facts: Mapping[Ask, Fact | Trouble] = field(default_factory=dict)
    boards: Mapping[str, StreamInfo | Trouble] = field(default_factory=dict)

    def get(self, ask: Ask | None) -> Fact | Trouble | None:
        """Return what is known of ``ask``; None while it is looked at, or where there is nothing to ask."""
        return None if ask is None else self.facts.get(ask)

    def streams_for(self, choices: Choices) -> tuple[StreamFacts, ...]:
        """Return the streams that can be ticked: those of the network, or those of the recording."""
        if choices.mode != "replay":
            return self.streams if choices.mode == "live" else ()
        recording = self.get(asks_for(choices).recording)
        return recording.streams if isinstance(recording, RecordingFacts) else ()

    def session(self, choices: Choices) -> RecordedSession | None:
        """Return the recorded session that would be replayed, None where a recording is only a file."""
        recording = self.get(asks_for(choices).recording)
        return recording.session if isinstance(recording, RecordingFacts) else None

    def bundle(self, choices: Choices) -> BundleFacts | None:
        """Return the bundle that would be used, if it is loaded and can be."""
        facts = self.get(asks_for(choices).bundle)
        return facts if isinstance(facts, BundleFacts) else None

    def protocol(self, choices: Choices) -> Protocol | None:
        """Return the protocol, if it can be run."""
        facts = self.get(asks_for(choices).protocol)
        return facts.protocol if isinstance(facts, ProtocolFacts) and not facts.problems else None


def in_effect(choices: Choices, found: Found) -> Choices:
    """Return what a session would really run with: a recorded session is replayed as it ran.

    Its own streams, sound and protocol hold; what is chosen of the analysis replaces what it had.
    """
    session = found.session(choices)
    if session is None:
        return in_session(choices, found)
    ran, plan = session.ran, session.plan
    known, analysis = plan.eeg, plan.analysis
    folder = str(ran.get("bundle_folder", "")) if plan.mode != "demo" else ""
    return replace(
        choices,
        as_it_ran=True,
        participant=plan.participant or "",
        streams=tuple(
            f"source_id={each['source_id']}" if each.get("source_id") else f"name={each.get('stream', '')}"
            for each in ran.get("eeg", [])
        ),
        channels=", ".join(known.channels),
        unit=known.unit or "",
        rate="" if known.rate is None else repr(known.rate),
        without=", ".join(known.without),
        only=", ".join(known.only),
        profile=known.profile or "",
        headsets=tuple(map(of_plan, known.headsets)),
        sound="none",
        bundle=choices.bundle or folder,
        against=choices.against if choices.against != "auto" else analysis.against,
        protocol="" if plan.protocol.file is None else str(plan.protocol.file),
        allocation="",
        session_code="",
    )


def in_session(choices: Choices, found: Found) -> Choices:
    """Return what is chosen for the headsets that take part, as far as that is known: what the plan is made of.

    What is said of a stream that takes no part stands back. With a bundle of ratings headsets are worn only where they
    are ticked one by one.
    """
    if choices.mode == "demo":
        return choices
    facts = found.bundle(choices)
    if facts is not None and facts.bundle.manifest.space == "ratings":
        named = choices.streams or ()
        choices = replace(choices, streams=named, wears_none=not named and not choices.boards)
    return replace(choices, headsets=taking_part(choices, found.streams_for(choices)))


class Asks(NamedTuple):
    """What to ask for some choices; None where there is nothing to ask.

    The path of ``bundle`` is empty where it is the demo's; ``featurizer`` is that of a chosen bundle. ``sound`` is
    the file that people hear, whoever plays it: also whether it can be recognised, where it must be. ``settings`` and
    ``head`` hold where there is no bundle, ``library`` where there is one of affect. ``demo``: whether it is made, and
    where its protocol is, for which it is made.
    """

    out: Ask | None
    protocol: Ask | None
    allocation: Ask | None
    settings: Ask | None
    head: Ask | None
    demo: Ask | None
    recording: Ask | None
    bundle: Ask | None
    affect: Ask | None
    library: Ask | None
    sound: Ask | None
    featurizer: Ask | None


def asks_for(choices: Choices) -> Asks:
    """Return what to ask for choices, as far as they say so by themselves."""
    mode, kind = choices.mode, choices.sound_kind
    live, demo, chosen = mode == "live", mode == "demo", choices.bundle.strip()
    featurizer, unbundled = _path(choices.featurizer), not demo and not chosen
    of_demo = is_demo_bundle(chosen)
    file = {"file": choices.sound_file, "stimulus": choices.stimulus}.get(kind, "")
    recognised = kind == "stimulus" and not (live and choices.onset_marker.strip())
    return Asks(
        out=_ask("out", choices.folder, choices.name.strip()),
        protocol=_ask("protocol", choices.protocol_file),
        allocation=_ask("allocation", choices.allocation, when=live),
        settings=_ask("settings", choices.settings, when=unbundled),
        head=_ask("head", choices.head, when=unbundled),
        demo=Ask("demo", featurizer, ("make",) if choices.with_protocol else ()) if demo else None,
        recording=_ask("recording", choices.recording, when=mode == "replay"),
        bundle=Ask("bundle") if of_demo and not demo else _ask("bundle", chosen, when=not demo),
        affect=_ask("affect", choices.affect, when=not is_demo_bundle(choices.affect)),
        library=_ask("library", choices.library, when=bool(choices.affect.strip())),
        sound=_ask("sound", file, *(["heard"] if recognised else []), when=not demo),
        featurizer=_ask(
            "featurizer", chosen, featurizer, choices.threads.strip() or "1", when=not demo and not of_demo
        ),
    )


def ask_arm(choices: Choices, found: Found) -> Ask | None:
    """Return what to ask for whether the participant has an arm, once the protocol is read."""
    if found.protocol(choices) is None or choices.mode == "replay":
        return None
    allocation = _path(choices.allocation) if choices.mode == "live" else ""
    code = choices.session_code.strip() if allocation else ""
    return _ask("arm", choices.protocol_file, choices.participant.strip(), allocation, code)


def asks_of_protocol(choices: Choices, found: Found) -> tuple[Ask, ...]:
    """Return what to ask for the sounds that the protocol plays, once it is read."""
    protocol = found.protocol(choices)
    if protocol is None or choices.mode != "live":
        return ()
    return tuple(dict.fromkeys(Ask("sound", str(block.sound)) for block in protocol.blocks if block.sound is not None))


def asks_of(choices: Choices, found: Found) -> tuple[Ask, ...]:
    """Return all that must be looked at for these choices, what is quick before what is slow."""
    choices = in_effect(choices, found)
    *first, featurizer = asks_for(choices)
    asks = (*first, *asks_of_protocol(choices, found), ask_arm(choices, found), featurizer)
    return tuple(ask for ask in asks if ask is not None)


def _path(text: str) -> str:
    return str(path_of(text)) if text.strip() else ""


def _ask(kind: AskKind, text: str, *also: str, when: bool = True) -> Ask | None:
    return Ask(kind, _path(text), also) if when and text.strip() else None
