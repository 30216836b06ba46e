"""What a session is: which headsets and sound, what predicts, the protocol, and where the results go, as one TOML."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rtaffect.common.errors import SettingsError
from rtaffect.common.settings import first_problem


def is_code(text: str) -> bool:
    """Return whether ``text`` can be a participant's code: letters and digits."""
    return text.isascii() and text.isalnum()


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EegPlan(_Frozen):
    """Which headsets, and what replaces their own description."""

    streams: tuple[str, ...] = Field(
        (), description="Headsets: a stream's exact name, or name=, type= or source_id= and a value; default: all EEG"
    )
    boards: tuple[str, ...] = Field((), description="Headsets without LSL, as in brainflow:cyton?serial_port=COM3")
    channels: tuple[str, ...] = Field((), description="Channel names in order, instead of the stream's own")
    unit: str | None = Field(None, description="Unit of the EEG (V, mV, uV), instead of the stream's own")
    rate: float | None = Field(None, gt=0, description="Rate of the EEG in Hz, instead of the declared one")
    wait_s: float = Field(5.0, gt=0, description="How long to look for streams, s")


class SoundPlan(_Frozen):
    """What people hear. At most one of ``file``, ``device`` and ``stream``; a protocol brings its own files."""

    file: Path | None = Field(None, description="Sound file that rtaffect plays and listens to")
    speaker: str | None = Field(None, description="Sound device to play on: index or part of its name")
    start: float | None = Field(
        None, allow_inf_nan=False, description="For a replay: when the file began, s from its start"
    )
    in_reference: bool = Field(False, description="For a replay: the person is part of the reference, and is left out")
    silent: bool = Field(False, description="Do not play the file: it is started elsewhere at the session's zero")
    device: str | None = Field(None, description="Listen to a sound device: index or part of its name, '' the default")
    stream: str | None = Field(None, description="Listen to an LSL stream of sound")
    stimulus: Path | None = Field(None, description="Sound file that another program plays")
    onset_marker: str | None = Field(None, description="LSL marker that is sent once, when the stimulus begins")
    markers: str | None = Field(None, description="Stream of that marker; default: the one of type Markers")


class AnalysisPlan(_Frozen):
    """What is predicted with and compared against."""

    bundle: Path | None = Field(None, description="Bundle; default with sound: the demo's, which is synthetic")
    featurizer: Path | None = Field(None, description="ONNX featurizer; default: the bundle's")
    threads: int = Field(1, ge=1, description="Processor threads of the featurizer")
    against: Literal["auto", "reference", "group"] = Field("auto", description="What people are compared with")
    mains: float | None = Field(None, ge=0, description="Mains frequency, Hz; 0: none. A bundle brings its own")
    settings: Path | None = Field(None, description="TOML with settings. A bundle brings its own")
    head: Path | None = Field(None, description="Space operator (of headmodel). A bundle brings its own space")


class ProtocolPlan(_Frozen):
    """The protocol, and whose feedback the participant gets."""

    file: Path | None = Field(None, description="Protocol (TOML); without one: one block without an end")
    allocation: Path | None = Field(None, description="Sealed allocation of participants to arms")
    screen: int | None = Field(None, ge=0, description="Screen of the participant's view; none: no such view")
    preview: bool = Field(False, description="The participant's view as a small window, to look at it on one screen")
    tone_device: str | None = Field(None, description="Sound device of the feedback tone")


class ResultsPlan(_Frozen):
    """Where the results go and when the session ends."""

    out: Path | None = Field(None, description="New folder for all that is recorded and found")
    seconds: int | None = Field(None, ge=1, description="End after so many seconds")
    headless: bool = Field(False, description="No window: one line a step, or a table on a terminal")
    outlet: bool = Field(True, description="Offer the feedback to other programs over LSL")


class SessionPlan(_Frozen):
    """All choices of a session.

    Paths in a file are relative to that file's folder; in memory they are as given on the command line, or absolute.
    """

    format: Literal[1] = 1
    mode: Literal["live", "replay", "demo"] = "live"
    participant: str | None = Field(None, description="Code of the participant: letters and digits")
    recording: Path | None = Field(None, description="For a replay: XDF file or session folder")
    speed: str = Field("1", description="For a replay or demo: 1, N times as fast, or max")
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


def read_plan(path: Path) -> SessionPlan:
    """Return the plan in a TOML file; what a recorded session adds to its own (``[ran]``) is passed over.

    Raises
    ------
    SettingsError
        If the file cannot be read, or says something unknown or impossible.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        content.pop("ran", None)
        plan = SessionPlan.model_validate(content)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"session {path} cannot be read ({error}); expected TOML in UTF-8: correct it") from None
    except ValidationError as error:
        raise SettingsError(f"session {path}: {first_problem(error)}") from None
    return SessionPlan.model_validate(_map_paths(plan.model_dump(), lambda p: Path(os.path.abspath(path.parent / p))))


def plan_toml(plan: SessionPlan, folder: Path) -> dict[str, Any]:
    """Return the plan as TOML's types, without what has its default, paths relative to ``folder`` where they can be."""

    def relative(path: Path) -> str:
        try:
            return Path(os.path.relpath(path, folder)).as_posix()
        except ValueError:  # another drive of Windows
            return str(path)

    content = plan.model_dump(exclude_defaults=True)
    plain: dict[str, Any] = _map_paths(content, relative)
    return {"format": plan.format, "mode": plan.mode, **_without_none(plain)}


def write_plan(plan: SessionPlan, path: Path) -> None:
    """Write the plan to a TOML file that :func:`read_plan` reads.

    Raises
    ------
    SettingsError
        If it cannot be written.
    """
    try:
        path.write_text(tomli_w.dumps(plan_toml(plan, path.parent)), encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"session {path} cannot be written ({error.strerror}); choose another folder") from None


def _map_paths(value: Any, change: Any) -> Any:
    if isinstance(value, Path):
        return change(value)
    if isinstance(value, dict):
        return {key: _map_paths(each, change) for key, each in value.items()}
    return value


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(each) for key, each in value.items() if each is not None}
    return list(value) if isinstance(value, tuple) else value


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
    if not 0 < speed < float("inf"):
        raise SettingsError(f"--speed {text!r} is not a speed; expected a positive number, as in 1 or 8, or 'max'")
    return speed
