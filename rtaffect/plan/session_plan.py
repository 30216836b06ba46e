"""What a session is: which headsets and sound, what predicts, the protocol, and where the results go, as one TOML."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import tomli_w
from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from rtaffect.common.errors import SettingsError, setting
from rtaffect.common.files import write_whole
from rtaffect.common.reading import path_problem, read_toml
from rtaffect.common.settings import Frozen, first_problem
from rtaffect.plan.setting import MODES, DefinedSetting, Mode, Setting, settings_of

#: The name of the demo's bundle, which is synthetic: made in the user's cache where it is asked for.
DEMO_BUNDLE: Final = Path("demo")
#: Faster is 'max'.
MOST_SPEED: Final = 1000.0


def is_code(text: str) -> bool:
    """Return whether ``text`` can be a participant's code: letters and digits."""
    return text.isascii() and text.isalnum()


class _Part(Frozen):
    """A part of the plan; a text that can be no path is refused where one is expected."""

    @field_validator("*", mode="before")
    @classmethod
    def _can_be_a_path(cls, value: Any, info: ValidationInfo) -> Any:
        kind = str(cls.model_fields[info.field_name or ""].annotation)
        if isinstance(value, str) and "Path" in kind and (wrong := path_problem(value)):
            raise ValueError(f"{value[:80]!r}: {wrong}")
        return value


class EegPlan(Frozen):
    """Which headsets, and what replaces their own description."""

    streams: Annotated[tuple[str, ...], Setting("eeg", "&EEG streams", metavar="QUERY", multiple=True)] = Field(
        (),
        description="Headset: a stream's exact name, or name=, type= or source_id= and a value; may be given several "
        "times. Default: every stream of type EEG",
    )
    boards: Annotated[tuple[str, ...], Setting("board", "Board", modes=("live",), metavar="TEXT", multiple=True)] = (
        Field(
            (),
            description="Headset without LSL, as in brainflow:muse_2, brainflow:cyton?serial_port=COM3 or "
            "fieldtrip:localhost:1972; may be given several times. LSL streams are then taken only where "
            f"{setting('eeg')} asks for them",
        )
    )
    channels: Annotated[tuple[str, ...], Setting("channels", "Channel &names", metavar="A,B,...")] = Field(
        (), description="Channel names in order, instead of the stream's own"
    )
    unit: Annotated[str | None, Setting("unit", "&Unit")] = Field(
        None, description="Unit of the EEG (V, mV, uV), instead of the stream's own"
    )
    rate: Annotated[float | None, Setting("rate", "Rate", unit="&Hz", expected="a number of Hz above 0, as in 250")] = (
        Field(None, gt=0, le=384_000, description="Rate of the EEG in Hz, instead of the declared one")
    )
    expect: Annotated[tuple[str, ...], Setting("expect", modes=("live",), metavar="QUERY", multiple=True)] = Field(
        (),
        description="Headset that may come later: a stream's exact name, or source_id= and a value; may be given "
        "several times. It joins when it appears, with the channels and the rate that the others have",
    )
    adopt: Annotated[Literal["never", "same-name"], Setting("adopt", modes=("live",))] = Field(
        "never",
        description="What is taken, without asking, for a headset that was lost: only what is surely the same, or "
        "also a stream of another source_id with its name, type and computer, if no other of that name was there, and "
        "a board that is found by searching",
    )
    wait_s: Annotated[float, Setting("wait", modes=("live",))] = Field(
        5.0, gt=0, le=3600, description="How long to look for streams, s"
    )


class SoundPlan(_Part):
    """What people hear. At most one of ``file``, ``device`` and ``stream``; a protocol brings its own files."""

    file: Annotated[
        Path | None,
        Setting(
            "audio",
            "File",
            "sound_file",
            other_help={"replay": "Sound file that was heard, if the recording has none"},
        ),
    ] = Field(None, description="Sound file that rtaffect plays and listens to")
    speaker: Annotated[str | None, Setting("speaker", "Plays on", modes=("live",))] = Field(
        None, description="Sound device to play on: index or part of its name"
    )
    start: Annotated[
        float | None,
        Setting(
            "audio-start",
            "Began at",
            "sound_start",
            expected="seconds after the recording's start, as in 12.5",
            modes=("replay",),
        ),
    ] = Field(
        None,
        ge=-1e7,
        le=1e7,
        allow_inf_nan=False,
        description=f"When {setting('audio')} began, s after the recording's start [default: 0]",
    )
    in_reference: Annotated[
        bool, Setting("in-reference", "the person is in the reference: leave them out", modes=("replay",))
    ] = Field(False, description="The person is one of those that the bundle was calibrated on: leave them out")
    silent: Annotated[bool, Setting("silent", "do not play it: it is started elsewhere", modes=("live",))] = Field(
        False, description="Do not play: the sound is started elsewhere at the session's zero"
    )
    device: Annotated[str | None, Setting("mic", "Device", modes=("live",), bare="")] = Field(
        None, description="Listen to a sound device: index or part of its name"
    )
    stream: Annotated[
        str | None, Setting("audio-stream", "Stream", "sound_stream", modes=("live",), metavar="QUERY")
    ] = Field(None, description="Listen to an LSL stream of sound")
    stimulus: Annotated[
        Path | None,
        Setting("stimulus", "Stimulus", other_help={"replay": "Sound file to be found in the recorded sound"}),
    ] = Field(
        None,
        description="Sound file that another program plays, to compare with the bundle's reference: where in it people "
        f"are is told by {setting('onset-marker')}, or heard by {setting('mic')} or {setting('audio-stream')}",
    )
    onset_marker: Annotated[
        str | None,
        Setting(
            "onset-marker",
            "Marker",
            metavar="TEXT",
            other_help={"replay": f"Marker that says when {setting('audio')} began; of several: TEXT@first, @last, @2"},
        ),
    ] = Field(None, description=f"LSL marker sent when {setting('stimulus')} begins; of several: TEXT@first, @last, @2")
    markers: Annotated[str | None, Setting("markers", "of stream", "marker_stream", metavar="QUERY")] = Field(
        None, description="Stream of that marker; default: the one of type Markers"
    )


class AnalysisPlan(_Part):
    """What is predicted with and compared against."""

    bundle: Annotated[Path | None, Setting("bundle", "&Bundle")] = Field(
        None,
        description="Bundle to predict with and compare against; without one there is no prediction. 'demo' is the "
        "demo's, which is synthetic",
    )
    featurizer: Annotated[Path | None, Setting("featurizer", "Featuri&zer", modes=MODES)] = Field(
        None, description="ONNX featurizer; default: the embedded one"
    )
    threads: Annotated[
        int, Setting("threads", "Threads", expected="a whole number of processor threads, as in 1", modes=MODES)
    ] = Field(1, ge=1, le=256, description="Processor threads of the featurizer; leave cores for the rest")
    against: Annotated[Literal["auto", "reference", "group"], Setting("against", "&Compare with")] = Field(
        "auto", description="Compare people with the bundle's reference group, or with each other"
    )
    mains: Annotated[float | None, Setting("mains", "&Mains", expected="50 or 60 (Hz), or 0 for no notch")] = Field(
        None, ge=0, le=1000, description="Mains frequency, Hz; 0: none [default: 50]. A bundle brings its own"
    )
    settings: Annotated[Path | None, Setting("settings", "Settings")] = Field(
        None, description="TOML with settings that are not to have their default. A bundle brings its own"
    )
    head: Annotated[Path | None, Setting("head", "Operator")] = Field(
        None, description="Space operator (of headmodel): rows are brain regions. A bundle brings its own space"
    )


class ProtocolPlan(_Part):
    """The protocol, and whose feedback the participant gets."""

    file: Annotated[Path | None, Setting("protocol", "&Protocol", "protocol", modes=("live",))] = Field(
        None, description="Protocol of the session (TOML); without one: one block without an end"
    )
    allocation: Annotated[Path | None, Setting("allocation", "&Allocation", modes=("live",))] = Field(
        None, description="Sealed allocation of participants to arms"
    )
    session_code: Annotated[
        str | None, Setting("session-code", "Session code", "session_code", modes=("live",), metavar="CODE")
    ] = Field(
        None,
        description="Code that opens the participant's entry in the sealed allocation; it is not written anywhere",
    )
    screen: Annotated[int | None, Setting("screen", "Sho&wn on", modes=("live", "demo"))] = Field(
        None, ge=0, le=63, description="Screen of the participant's view, counted from 0; without it there is none"
    )
    preview: Annotated[bool, Setting("preview", "as a small window, to look at it", modes=("live", "demo"))] = Field(
        False, description="The participant's view as a small window"
    )
    tone_device: Annotated[str | None, Setting("tone-device", "Tone on", modes=("live", "demo"))] = Field(
        None, description="Sound device of a protocol's feedback tone"
    )


class ResultsPlan(_Part):
    """Where the results go and when the session ends."""

    out: Annotated[Path | None, Setting("out", "&Folder", "folder", modes=MODES)] = Field(
        None, description="New folder for what is recorded and found"
    )
    seconds: Annotated[
        int | None,
        Setting("seconds", "Ends after", unit="s", expected="a whole number of seconds, as in 600", modes=MODES),
    ] = Field(None, ge=1, le=1_000_000, description="End after so many seconds")
    headless: Annotated[bool, Setting("headless", modes=MODES)] = Field(
        False, description="No window: a line a step, or a table"
    )
    outlet: Annotated[
        bool,
        Setting(
            "no-outlet",
            "offer the feedback to other programs (LSL)",
            modes=("live",),
            other_help={"live": "Offer no LSL streams to others"},
        ),
    ] = Field(True, description="Offer the feedback to other programs over LSL")
    late_s: Annotated[
        float, Setting("late", expected="a number of seconds above 0.6, as in 1", modes=("live", "demo"), metavar="S")
    ] = Field(
        1.0,
        gt=0.6,
        le=60,
        description="A step that is made more than S seconds after it could be is late: that is told, none of its rows "
        "is trusted, and the participant sees none of them",
    )


class SessionPlan(Frozen):
    """All choices of a session.

    Paths in a file are relative to that file's folder; in memory they are as given on the command line, or absolute.
    """

    format: Literal[1] = 1
    mode: Mode = "live"
    participant: Annotated[str | None, Setting("participant", "Part&icipant", modes=("live", "demo"))] = Field(
        None, description="Code of the participant: letters and digits"
    )
    recording: Path | None = Field(None, description="For a replay: XDF file or session folder")
    speed: Annotated[
        str,
        Setting(
            "speed",
            "Speed",
            modes=("replay", "demo"),
            other_help={"demo": "1: real time, over LSL; max: straight from the simulator"},
        ),
    ] = Field("1", description="1: as recorded, N: N times as fast, max: no waiting")
    eeg: EegPlan = EegPlan()
    sound: SoundPlan = SoundPlan()
    analysis: AnalysisPlan = AnalysisPlan()
    protocol: ProtocolPlan = ProtocolPlan()
    results: ResultsPlan = ResultsPlan()

    @model_validator(mode="after")
    def _goes_together(self) -> SessionPlan:
        code = self.participant
        if code is not None and not is_code(code):
            raise ValueError(f"participant {code!r}: a code is letters and digits without blanks, as in P01")
        if (self.mode == "replay") != (self.recording is not None):
            raise ValueError("recording is what mode = 'replay' replays: give both, or neither")
        return self


#: All settings of a session.
SETTINGS: Final[tuple[DefinedSetting, ...]] = tuple(settings_of(SessionPlan))


def read_plan(path: Path) -> SessionPlan:
    """Return the plan in a TOML file; what a recorded session adds to its own (``[ran]``) is passed over.

    Raises
    ------
    SettingsError
        If the file cannot be read, or says something unknown or impossible.
    """
    try:
        content = read_toml(path)
        content.pop("ran", None)
        plan = SessionPlan.model_validate(content)
    except ValidationError as error:
        raise SettingsError(f"session {path}: {first_problem(error)}") from None
    except (OSError, ValueError) as error:
        raise SettingsError(f"session {path} cannot be read ({error}); expected TOML in UTF-8: correct it") from None
    return _placed(plan, _map_paths(plan.model_dump(exclude_unset=True), _absolute(path.parent)))


def _absolute(folder: Path) -> Callable[[Path], Path]:
    return lambda path: Path(os.path.abspath(folder / path))


def _placed(plan: SessionPlan, content: dict[str, Any]) -> SessionPlan:
    """Return a plan with other paths; the name of the demo's bundle is none."""
    if plan.analysis.bundle == DEMO_BUNDLE:
        content["analysis"]["bundle"] = DEMO_BUNDLE
    return SessionPlan.model_validate(content)


def plan_toml(plan: SessionPlan, folder: Path) -> dict[str, Any]:
    """Return the plan as TOML's types, without what has its default, paths relative to ``folder`` where they can be."""

    def relative(path: Path) -> str:
        try:
            return Path(os.path.relpath(path, folder)).as_posix()
        except ValueError:  # another drive of Windows
            return str(path)

    content = plan.model_dump(exclude_defaults=True, exclude={"protocol": {"session_code"}})
    plain: dict[str, Any] = _map_paths(content, relative)
    if plan.analysis.bundle == DEMO_BUNDLE:
        plain["analysis"]["bundle"] = str(DEMO_BUNDLE)
    return {"format": plan.format, "mode": plan.mode, **without_none(plain)}


def write_plan(plan: SessionPlan, path: Path) -> None:
    """Write the plan to a TOML file that :func:`read_plan` reads.

    Raises
    ------
    SettingsError
        If it cannot be written.
    """
    try:
        write_whole(path, tomli_w.dumps(plan_toml(plan, path.parent)))
    except OSError as error:
        raise SettingsError(f"session {path} cannot be written ({error.strerror}); choose another folder") from None


def _map_paths(value: Any, change: Any) -> Any:
    if isinstance(value, Path):
        return change(value)
    if isinstance(value, dict):
        return {key: _map_paths(each, change) for key, each in value.items()}
    return value


def without_none(value: Any) -> Any:
    """Return a value of TOML's types, which has no None."""
    if isinstance(value, Mapping):
        return {str(key): without_none(each) for key, each in value.items() if each is not None}
    if isinstance(value, list | tuple):
        return [without_none(each) for each in value if each is not None]
    return value


def parse_speed(text: str) -> float | None:
    """Return the speed as a factor, None for 'max'.

    Raises
    ------
    SettingsError
        If it is neither 'max' nor a positive number.
    """
    if text == "max":
        return None
    try:
        speed = float(text.removesuffix("x"))
    except ValueError:
        speed = 0.0
    if not 0 < speed <= MOST_SPEED:
        raise SettingsError(
            f"{setting('speed', repr(text))} is not a speed",
            f"a positive number up to {MOST_SPEED:.0f}, as in 1 or 8, or 'max'",
        )
    return speed
