"""What a session is: which headsets and sound, what predicts, the protocol, and where the results go, as one TOML."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import tomli_w
from pydantic import Field, ValidationError, model_validator

from rtaffect.common.errors import SettingsError, setting
from rtaffect.common.files import write_whole
from rtaffect.common.mistakes import first_problem
from rtaffect.common.reading import read_toml, why
from rtaffect.common.settings import Frozen
from rtaffect.plan.analysis_plan import AnalysisPlan, ProtocolPlan
from rtaffect.plan.contact_plan import ContactPlan
from rtaffect.plan.eeg_plan import EegPlan
from rtaffect.plan.programs_plan import ProgramsPlan
from rtaffect.plan.results_plan import ResultsPlan
from rtaffect.plan.setting import DefinedSetting, Mode, Setting, settings_of
from rtaffect.plan.sound_plan import SoundPlan

#: The name of the demo's bundle, and of its bundle of affect: synthetic, made in the user's cache where asked for.
DEMO_BUNDLE: Final = Path("demo")
#: Which of the analysis may be that name.
MAY_BE_DEMO: Final = ("bundle", "affect")
#: Faster is 'max'.
MOST_SPEED: Final = 1000.0


def is_code(text: str) -> bool:
    """Return whether ``text`` can be a participant's code: letters and digits."""
    return text.isascii() and text.isalnum()


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
    contact: ContactPlan = ContactPlan()
    sound: SoundPlan = SoundPlan()
    analysis: AnalysisPlan = AnalysisPlan()
    protocol: ProtocolPlan = ProtocolPlan()
    results: ResultsPlan = ResultsPlan()
    programs: ProgramsPlan = ProgramsPlan()

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
        raise SettingsError(f"session {path}: {first_problem(error, SessionPlan)}", remedy="correct it there") from None
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"session {path} cannot be read ({why(error)}); expected TOML in UTF-8: correct it"
        ) from None
    return _placed(plan, _map_paths(plan.model_dump(exclude_unset=True), _absolute(path.parent)))


def _demo_bundles(plan: SessionPlan) -> list[str]:
    """Return which bundles of a plan are the demo's."""
    return [name for name in MAY_BE_DEMO if getattr(plan.analysis, name) == DEMO_BUNDLE]


def _absolute(folder: Path) -> Callable[[Path], Path]:
    return lambda path: Path(os.path.abspath(folder / path))


def _placed(plan: SessionPlan, content: dict[str, Any]) -> SessionPlan:
    """Return a plan with other paths; the name of the demo's bundle is none."""
    for name in _demo_bundles(plan):
        content["analysis"][name] = DEMO_BUNDLE
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
    for name in _demo_bundles(plan):
        plain["analysis"][name] = str(DEMO_BUNDLE)
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
