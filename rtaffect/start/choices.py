"""What is chosen in the start window, field by field, and the plan that it makes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from pydantic import ValidationError

from rtaffect.common.errors import SettingsError
from rtaffect.common.settings import first_problem
from rtaffect.plan.session_plan import AnalysisPlan, EegPlan, ProtocolPlan, ResultsPlan, SessionPlan, SoundPlan
from rtaffect.start.fields import mains_in, path_of, rate_in, seconds_in, start_in, threads_in

Mode = Literal["live", "replay", "demo"]
SoundKind = Literal["file", "protocol", "device", "stream", "stimulus", "none"]
HeardBy = Literal["", "device", "stream"]
Against = Literal["auto", "reference", "group"]

MODES: Final[tuple[Mode, ...]] = get_args(Mode)
#: The kinds of sound that each mode has.
SOUND_KINDS: Final[dict[Mode, tuple[SoundKind, ...]]] = {
    "live": ("file", "protocol", "device", "stream", "stimulus", "none"),
    "replay": ("none", "file", "stimulus"),
    "demo": ("none",),
}


@dataclass(frozen=True, slots=True)
class Choices:
    """The start window's fields as they stand, right or wrong: texts as typed, '' where nothing is.

    What another mode needs is kept, so that going there and back loses nothing.

    Attributes
    ----------
    streams : tuple of str or None
        Queries that the EEG streams must meet; None means every stream of type EEG, () none at all.
    sound : SoundKind
        What people hear: a file that rtaffect plays, the protocol's files, a sound device, an LSL stream, a known
        stimulus that another program plays, or nothing that rtaffect knows of.
    heard_by : HeardBy
        What hears a stimulus that another program plays: a sound device, a stream, or '' (only its marker comes).
    folder, name : str
        The results go into a new folder ``name`` in ``folder``.
    with_protocol : bool
        Whether the demo runs its own short protocol, which lies in ``demo_protocol`` once the demo is made.
    wait_s, headless
        Have no field in the window: they come from a plan that was opened.
    as_it_ran : bool
        Whether these are what a recorded session ran with (:func:`rtaffect.start.found.in_effect`), not what is chosen.
    """

    mode: Mode = "live"
    participant: str = ""
    recording: str = ""
    speed: str = "1"
    streams: tuple[str, ...] | None = None
    boards: tuple[str, ...] = ()
    channels: str = ""
    unit: str = ""
    rate: str = ""
    sound: SoundKind = "file"
    sound_file: str = ""
    sound_start: str = ""
    in_reference: bool = False
    silent: bool = False
    speaker: str = ""
    device: str = ""
    sound_stream: str = ""
    stimulus: str = ""
    heard_by: HeardBy = ""
    onset_marker: str = ""
    marker_stream: str = ""
    bundle: str = ""
    featurizer: str = ""
    threads: str = "1"
    against: Against = "auto"
    mains: str = ""
    settings: str = ""
    head: str = ""
    protocol: str = ""
    allocation: str = ""
    with_protocol: bool = False
    demo_protocol: str = ""
    screen: int | None = None
    preview: bool = False
    tone_device: str = ""
    folder: str = ""
    name: str = ""
    seconds: str = ""
    outlet: bool = True
    wait_s: float = 5.0
    headless: bool = False
    as_it_ran: bool = False

    @property
    def protocol_file(self) -> str:
        """The protocol that holds in this mode; '' for none."""
        if self.mode == "demo":
            return self.demo_protocol if self.with_protocol else ""
        return self.protocol if self.mode == "live" or self.as_it_ran else ""

    @property
    def sound_kind(self) -> SoundKind:
        """The kind of sound that holds in this mode."""
        kinds = SOUND_KINDS[self.mode]
        return self.sound if self.sound in kinds else kinds[0]

    @property
    def channel_names(self) -> tuple[str, ...] | None:
        """The names that replace those of the streams; None where none are given."""
        names = tuple(name.strip() for name in self.channels.replace(";", ",").split(","))
        return names if any(names) else None

    @property
    def listens_by(self) -> HeardBy:
        """Whether a sound device or a stream is listened to."""
        if self.mode != "live":
            return ""
        kind = self.sound_kind
        if kind == "stimulus":
            return self.heard_by
        return kind if kind in ("device", "stream") else ""

    @property
    def plays(self) -> bool:
        """Whether rtaffect plays a sound itself, so that an output device matters."""
        return self.may_play and not self.silent

    @property
    def may_play(self) -> bool:
        """Whether there is something that rtaffect can play: a file, or a protocol's sounds."""
        kind = self.sound_kind
        may = kind in ("file", "protocol") or (kind != "stimulus" and bool(self.protocol.strip()))
        return self.mode == "live" and may

    @property
    def out(self) -> Path | None:
        """The folder of the results; None where nothing is kept."""
        if not self.folder.strip():
            return None
        return path_of(self.folder) / self.name.strip()


def plan_of(choices: Choices) -> SessionPlan:
    """Return the plan of a session with these choices.

    What has its default is left unset: a replay of a session takes it from the session.

    Raises
    ------
    SettingsError
        If a number is none, or the choices leave out what a plan must have.
    """
    mode = choices.mode
    if mode == "replay" and not choices.recording.strip():
        raise SettingsError("a replay needs a recording: choose an XDF file or a session's folder")
    try:
        return SessionPlan(
            mode=mode,
            participant=choices.participant.strip() or None,
            recording=path_of(choices.recording) if mode == "replay" else None,
            speed=choices.speed.strip() or "1" if mode != "live" else "1",
            eeg=_eeg(choices) if mode != "demo" else EegPlan(),
            sound=_sound(choices) if mode != "demo" else SoundPlan(),
            analysis=_analysis(choices),
            protocol=_protocol(choices),
            results=ResultsPlan(
                out=choices.out, seconds=seconds_in(choices.seconds), headless=choices.headless, outlet=choices.outlet
            ),
        )
    except ValidationError as error:
        raise SettingsError(f"{first_problem(error)}; correct it in the window") from None


def _eeg(choices: Choices) -> EegPlan:
    if choices.streams == () and not choices.boards:
        raise SettingsError("no EEG stream is ticked: tick the line of each headset that takes part")
    return EegPlan(
        streams=choices.streams or (),
        boards=choices.boards if choices.mode == "live" else (),
        channels=choices.channel_names or (),
        unit=choices.unit.strip() or None,
        rate=rate_in(choices.rate),
        wait_s=choices.wait_s,
    )


def _sound(choices: Choices) -> SoundPlan:
    kind, listens, live = choices.sound_kind, choices.listens_by, choices.mode == "live"
    marked = kind == ("stimulus" if live else "file")
    marker = (choices.onset_marker.strip() or None) if marked else None
    replayed = kind == "file" and not live
    return SoundPlan(
        file=_path(choices.sound_file) if kind == "file" else None,
        speaker=(choices.speaker.strip() or None) if choices.plays else None,
        start=start_in(choices.sound_start) if replayed else None,
        in_reference=choices.in_reference and replayed,
        silent=choices.silent and choices.may_play,
        device=choices.device.strip() if listens == "device" else None,
        stream=(choices.sound_stream.strip() or None) if listens == "stream" else None,
        stimulus=_path(choices.stimulus) if kind == "stimulus" else None,
        onset_marker=marker,
        markers=(choices.marker_stream.strip() or None) if marker else None,
    )


def _analysis(choices: Choices) -> AnalysisPlan:
    everywhere = {"featurizer": _path(choices.featurizer), "threads": threads_in(choices.threads)}
    if choices.mode == "demo":
        return _without_defaults(everywhere)
    return _without_defaults(
        everywhere
        | {
            "bundle": _path(choices.bundle),
            "against": choices.against,
            "mains": mains_in(choices.mains),
            "settings": _path(choices.settings),
            "head": _path(choices.head),
        }
    )


def _without_defaults(values: dict[str, Any]) -> AnalysisPlan:
    defaults = AnalysisPlan()
    return AnalysisPlan(**{name: value for name, value in values.items() if value != getattr(defaults, name)})


def _protocol(choices: Choices) -> ProtocolPlan:
    if choices.mode == "demo" and choices.with_protocol and not choices.demo_protocol:
        raise SettingsError("the demo is not made yet, so its protocol is not there: wait until it is, or leave it out")
    return ProtocolPlan(
        file=_path(choices.protocol_file),
        allocation=_path(choices.allocation) if choices.mode == "live" else None,
        screen=choices.screen,
        preview=choices.preview,
        tone_device=choices.tone_device.strip() or None,
    )


def _path(text: str) -> Path | None:
    return path_of(text) if text.strip() else None


def choices_of(plan: SessionPlan) -> Choices:
    """Return the choices that make ``plan``."""
    eeg, sound, analysis, protocol, results = plan.eeg, plan.sound, plan.analysis, plan.protocol, plan.results
    # Boards alone mean that no LSL stream takes part.
    streams = eeg.streams or (() if eeg.boards else None)
    return Choices(
        mode=plan.mode,
        participant=plan.participant or "",
        recording=_text(plan.recording),
        speed=plan.speed,
        streams=streams,
        boards=eeg.boards,
        channels=", ".join(eeg.channels),
        unit=eeg.unit or "",
        rate=_number(eeg.rate),
        sound=_kind_of(plan),
        sound_file=_text(sound.file),
        sound_start="" if sound.start is None else _number(sound.start),
        in_reference=sound.in_reference,
        silent=sound.silent,
        speaker=sound.speaker or "",
        device=sound.device or "",
        sound_stream=sound.stream or "",
        stimulus=_text(sound.stimulus),
        heard_by="device" if sound.device is not None else "stream" if sound.stream is not None else "",
        onset_marker=sound.onset_marker or "",
        marker_stream=sound.markers or "",
        bundle=_text(analysis.bundle),
        featurizer=_text(analysis.featurizer),
        threads=str(analysis.threads),
        against=analysis.against,
        mains=_number(analysis.mains),
        settings=_text(analysis.settings),
        head=_text(analysis.head),
        protocol=_text(protocol.file) if plan.mode != "demo" else "",
        allocation=_text(protocol.allocation),
        with_protocol=plan.mode == "demo" and protocol.file is not None,
        demo_protocol=_text(protocol.file) if plan.mode == "demo" else "",
        screen=protocol.screen,
        preview=protocol.preview,
        tone_device=protocol.tone_device or "",
        folder=_text(results.out.parent) if results.out else "",
        name=results.out.name if results.out else "",
        seconds="" if results.seconds is None else str(results.seconds),
        outlet=results.outlet,
        wait_s=eeg.wait_s,
        headless=results.headless,
    )


def _kind_of(plan: SessionPlan) -> SoundKind:
    sound = plan.sound
    if sound.stimulus is not None:
        return "stimulus"
    if sound.file is not None:
        return "file"
    if sound.device is not None:
        return "device"
    if sound.stream is not None:
        return "stream"
    return "protocol" if plan.mode == "live" and plan.protocol.file is not None else "none"


def _text(path: Path | None) -> str:
    return "" if path is None else str(path)


def _number(value: float | None) -> str:
    return "" if value is None else repr(value).removesuffix(".0")
