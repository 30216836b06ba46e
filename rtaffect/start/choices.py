"""What is chosen in the start window, field by field, and the plan that it makes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import ValidationError

from rtaffect.common.errors import SettingsError
from rtaffect.common.mistakes import first_problem
from rtaffect.common.rating_scale import REACTION_LAG_S
from rtaffect.plan.conflicts import BROUGHT, EVERYWHERE
from rtaffect.plan.session_plan import SETTINGS, SessionPlan
from rtaffect.plan.setting import DefinedSetting, Mode
from rtaffect.start.fields import channels_in, path_of, text_of, value_of
from rtaffect.start.of_stream import OfStream, of_plan, plan_of_stream

SoundKind = Literal["file", "protocol", "device", "stream", "stimulus", "none"]
HeardBy = Literal["", "device", "stream"]
Against = Literal["auto", "reference", "group"]
Wanted = Literal["auto", "on", "off"]

#: The kinds of sound that each mode has.
SOUND_KINDS: Final[dict[Mode, tuple[SoundKind, ...]]] = {
    "live": ("file", "protocol", "device", "stream", "stimulus", "none"),
    "replay": ("none", "file", "stimulus"),
    "demo": ("none",),
}


#: What is for a bundle of affect alone.
OF_AFFECT: Final = frozenset({"library", "affect-rest"})


def unseen(default: Any) -> Any:
    """Return a field of :class:`Choices` that has none in the window."""
    return field(default=default, metadata={"unseen": True})


@dataclass(frozen=True, slots=True)
class Choices:
    """The start window's fields as they stand, right or wrong: texts as typed, '' where nothing is.

    What another mode needs is kept, so that going there and back loses nothing.

    Attributes
    ----------
    streams : tuple of str or None
        Queries that the EEG streams must meet; None means every stream of EEG, () none at all.
    headsets : tuple of OfStream
        What is said of single streams and boards in place of what is said of all; also of such as take no part now.
    sound : SoundKind
        What people hear: a file that rtaffect plays, the protocol's files, a sound device, an LSL stream, a known
        stimulus that another program plays, or nothing that rtaffect knows of.
    heard_by : HeardBy
        What hears a stimulus that another program plays: a sound device, a stream, or '' (only its marker comes).
    folder, name : str
        The results go into a new folder ``name`` in ``folder``.
    with_protocol : bool
        Whether the demo runs its own short protocol, which lies in ``demo_protocol`` once the demo is made.
    all that are ``unseen``
        Have no field in the window: they come from a plan that was opened, and are not kept for the next start.
    as_it_ran : bool
        Whether these are what a recorded session ran with (:func:`rtaffect.start.found.in_effect`), not what is chosen.
    wears_none : bool
        Whether the session needs no headset (:func:`rtaffect.start.found.in_session`): it predicts ratings.
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
    without: str = ""
    only: str = ""
    profile: str = ""
    headsets: tuple[OfStream, ...] = ()
    peripheral: str = ""
    resync: bool = False
    part: str = ""
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
    measures: str = ""
    measure_bands: str = "8-12"
    elements: Wanted = "auto"
    affect: str = ""
    library: str = ""
    affect_rest_s: str = ""
    rating: str = ""
    rating_lag_s: str = text_of(REACTION_LAG_S)
    protocol: str = ""
    allocation: str = ""
    session_code: str = ""
    with_protocol: bool = False
    demo_protocol: str = ""
    screen: int | None = None
    preview: bool = False
    tone_device: str = ""
    photodiode: Literal["none", "second", "start"] = "none"
    screen_delay_s: str = "0"
    folder: str = ""
    name: str = ""
    seconds: str = ""
    outlet: bool = True
    longest_hole_s: float = unseen(60.0)
    check_contact: bool = unseen(False)
    contact_settings: Path | None = unseen(None)  # noqa: RUF009 - a field
    expect: tuple[str, ...] = unseen(())
    allow_missing: bool = unseen(False)
    adopt: str = unseen("never")
    patience: str = unseen("auto")
    foreign_clock: str = unseen("arrival")
    late_s: float = unseen(1.0)
    wait_s: float = unseen(5.0)
    headless: bool = unseen(False)
    remote: str | None = unseen(None)
    remote_token: Path | None = unseen(None)  # noqa: RUF009 - a field
    page: str | None = unseen(None)
    page_token: Path | None = unseen(None)  # noqa: RUF009 - a field
    at_once: bool = unseen(False)
    osc: tuple[str, ...] = unseen(())
    osc_markers: int | None = unseen(None)
    level_db: float | None = unseen(None)
    as_it_ran: bool = unseen(False)
    wears_none: bool = unseen(False)

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
        return channels_in(self.channels) or None

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


def _holds(choices: Choices, defined: DefinedSetting) -> bool:
    """Return whether a setting belongs to the plan of these choices: other modes and other kinds of sound have more."""
    option, kind, listens = defined.setting.option, choices.sound_kind, choices.listens_by
    if _stands_back(choices, defined):
        return False
    if defined.path[0] == "sound":
        marked = kind == ("stimulus" if choices.mode == "live" else "file")
        return choices.mode in defined.setting.modes and {
            "speaker": choices.plays,
            "level": choices.plays,
            "silent": choices.may_play,
            "mic": listens == "device",
            "audio-stream": listens == "stream",
            "stimulus": kind == "stimulus",
            "onset-marker": marked,
            "markers": marked and bool(choices.onset_marker.strip()),
        }.get(option, kind == "file")
    return choices.mode in defined.setting.modes or option in EVERYWHERE


def is_of_session(choices: Choices) -> bool:
    """Return whether a session's folder is replayed, which says itself what was worn and heard."""
    return choices.mode == "replay" and bool(choices.recording.strip()) and path_of(choices.recording).is_dir()


def _stands_back(choices: Choices, defined: DefinedSetting) -> bool:
    """Return whether another choice stands in place of a setting, whose field the window then does not show as such."""
    option = defined.setting.option
    if defined.path[0] in {"eeg", "sound"}:
        return is_of_session(choices)
    return (
        (option in BROUGHT and bool(choices.bundle.strip()))
        or (option == "screen" and choices.preview)
        or (option == "session-code" and not choices.allocation.strip())
        or (option == "measure-band" and not choices.measures.strip())
        or (option == "rating-lag" and not choices.rating.strip() and not is_of_session(choices))
        or (option in OF_AFFECT and not choices.affect.strip() and not is_of_session(choices))
    )


def _refuse_unfinished(choices: Choices) -> None:
    """Refuse choices that leave out what a plan must have."""
    mode = choices.mode
    if mode == "replay" and not choices.recording.strip():
        raise SettingsError("a replay needs a recording", remedy="choose an XDF file or a session's folder")
    if mode != "demo" and choices.streams == () and not choices.boards and not choices.wears_none:
        raise SettingsError("no EEG stream is ticked: tick the line of each headset that takes part", field="eeg")
    if mode == "demo" and choices.with_protocol and not choices.demo_protocol:
        raise SettingsError("the demo is not made yet, so its protocol is not there: wait until it is, or leave it out")


def plan_of(choices: Choices) -> SessionPlan:
    """Return the plan of a session with these choices.

    What has its default is left unset: a replay of a session takes it from the session.

    Raises
    ------
    SettingsError
        If a number is none, or the choices leave out what a plan must have.
    """
    _refuse_unfinished(choices)
    mode = choices.mode
    content: dict[str, Any] = {"mode": mode}
    if mode == "replay":
        content["recording"] = path_of(choices.recording)
    headsets = tuple(plan_of_stream(each) for each in choices.headsets if not each.is_blank)
    composed = {"out": choices.out, "protocol": choices.protocol_file, "headset": headsets}
    for defined in SETTINGS:
        if _holds(choices, defined):
            value = value_of(defined, composed.get(defined.setting.option, getattr(choices, defined.choice)))
            if value != defined.field.default:
                defined.put(content, value)
    try:
        return SessionPlan.model_validate(content)
    except ValidationError as error:
        raise SettingsError(f"{first_problem(error, SessionPlan)}; correct it in the window") from None


def choices_of(plan: SessionPlan) -> Choices:
    """Return the choices that make ``plan``."""
    held: dict[str, Any] = {}
    blank = Choices()
    for defined in SETTINGS:
        value = defined.value_in(plan)
        held[defined.choice] = text_of(value) if isinstance(getattr(blank, defined.choice), str) else value
    sound, out, demo = plan.sound, plan.results.out, plan.mode == "demo"
    held |= {
        "mode": plan.mode,
        "recording": text_of(plan.recording),
        # Boards alone mean that no LSL stream takes part.
        "streams": plan.eeg.streams or (() if plan.eeg.boards else None),
        "headsets": tuple(map(of_plan, plan.eeg.headsets)),
        "sound": _kind_of(plan),
        "heard_by": "device" if sound.device is not None else "stream" if sound.stream is not None else "",
        "protocol": "" if demo else held["protocol"],
        "with_protocol": demo and plan.protocol.file is not None,
        "demo_protocol": held["protocol"] if demo else "",
        "folder": text_of(out.parent) if out else "",
        "name": out.name if out else "",
    }
    return Choices(**held)


def _kind_of(plan: SessionPlan) -> SoundKind:
    kinds: tuple[SoundKind, ...] = ("stimulus", "file", "device", "stream")
    otherwise: SoundKind = "protocol" if plan.mode == "live" and plan.protocol.file is not None else "none"
    return next((kind for kind in kinds if getattr(plan.sound, kind) is not None), otherwise)
