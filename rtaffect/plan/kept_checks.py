"""What was found by the newest check of each sound device and screen, kept in the user's configuration folder."""

from __future__ import annotations

import math
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import tomli_w
from pydantic import AwareDatetime, Field, ValidationError, model_validator

from rtaffect.common.config_folder import config_folder
from rtaffect.common.errors import SettingsError
from rtaffect.common.files import write_whole
from rtaffect.common.mistakes import first_problem
from rtaffect.common.reading import read_toml, why
from rtaffect.common.settings import Frozen
from rtaffect.common.words import duration
from rtaffect.plan.session_plan import without_none

FILE: Final = "checks.toml"
#: Of each kind so many are kept, those that were made last.
MOST: Final = 50
#: The least level, dB against full scale; 0 plays a sound as its file has it.
LEAST_DB: Final = -60.0
_MS: Final = Field(ge=-1000, le=1000)
Ms = Annotated[float, _MS]
Level = Annotated[float, Field(ge=LEAST_DB, le=0.0)]
_SHORT: Final = Field(max_length=512)
Name = Annotated[str, _SHORT]
_Count = Annotated[int, Field(ge=0, le=100_000)]


class _Found(Frozen):
    """What a check found: when it was made, and how much later than it should something was heard or seen, ms.

    ``latency_ms`` is the median, ``low_ms`` to ``high_ms`` hold 90 % of single ones where they were found; without a
    latency nothing was found that can be relied on, and ``why`` says why.
    """

    at: AwareDatetime
    latency_ms: Ms | None = None
    low_ms: Ms | None = None
    high_ms: Ms | None = None
    why: str = Field("", max_length=2000)

    @model_validator(mode="after")
    def _says_which(self) -> _Found:
        if (self.latency_ms is None) == (not self.why):
            raise ValueError("a check has a latency, or says why it has none")
        return self

    @property
    def spread(self) -> str:
        """Where single ones lay, in words."""
        if self.low_ms is None or self.high_ms is None:
            return "single ones are not told from the noise"
        return f"90 % between {self.low_ms:.1f} and {self.high_ms:.1f} ms"


class SoundCheck(_Found):
    """How much later than planned the clicks that ``speaker`` played were heard by ``capture``; ``found`` of them."""

    speaker: Name
    host_api: Name = ""
    capture: Name = ""
    level_db: Level = 0.0
    clicks: _Count = 0
    found: _Count = 0

    @property
    def line(self) -> str:
        """It in words."""
        if self.latency_ms is None:
            return f"sound: not heard: {self.why}"
        return (
            f"sound: heard {self.latency_ms:.1f} ms after its time ({self.spread}; "
            f"{self.found} of {self.clicks} clicks), played on {self.speaker}, heard by {self.capture}"
        )


class SoundLevel(Frozen):
    """How loud a sound device plays, dB against the files' own level, as it was set by ear."""

    at: AwareDatetime
    speaker: Name
    host_api: Name = ""
    level_db: Level


class LightCheck(_Found):
    """How much later than painted the square on ``screen`` was seen by a photodiode; ``missed`` of ``flashes``.

    ``screen`` is its number and ``screen_name`` what it was; the square's side is ``size`` of its shorter side.
    """

    screen: int = Field(ge=0, le=1000)
    screen_name: Name = ""
    refresh_hz: float = Field(60.0, gt=0, le=2000)
    stream: Name = ""
    channel: Name = ""
    rate_hz: float = Field(0.0, ge=0, le=1e6)
    corner: Name = ""
    size: float = Field(0.08, gt=0, le=1)
    flashes: _Count = 0
    missed: _Count = 0

    @property
    def line(self) -> str:
        """It in words."""
        if self.latency_ms is None:
            return f"light: not seen: {self.why}"
        return (
            f"light: seen {self.latency_ms:.1f} ms after it was painted ({self.spread}; {self.missed} of "
            f"{self.flashes} flashes missed), on screen {self.screen_name or self.screen}, by {self.stream} "
            f"{self.channel}"
        )

    @property
    def screen_delay_s(self) -> float | None:
        """What goes to ``--screen-delay``, s: films are painted half a period of the screen earlier anyway."""
        if self.latency_ms is None:
            return None
        return max(0.0, round(self.latency_ms / 1e3 - 0.5 / self.refresh_hz, 4))


class _File(Frozen):
    format: Literal[1] = 1
    levels: tuple[SoundLevel, ...] = ()
    sounds: tuple[SoundCheck, ...] = ()
    lights: tuple[LightCheck, ...] = ()


Kept = TypeVar("Kept", SoundLevel, SoundCheck, LightCheck)


def checks_file() -> Path:
    """Return where the checks are kept."""
    return config_folder() / FILE


def age_of(at: datetime, now: datetime) -> str:
    """Return how old a check is, in words."""
    seconds = (now - at).total_seconds()
    return f"{duration(seconds)} ago" if seconds >= 0 else "dated in the future by this computer's clock"


class KeptChecks:
    """The newest check of each device, as the file has them.

    Attributes
    ----------
    note : str
        Why the file cannot be read, '' if it can.
    """

    def __init__(self) -> None:
        self.note, self._kept = "", _File()
        try:
            self._kept = _File.model_validate(read_toml(checks_file()))
        except FileNotFoundError:
            pass
        except ValidationError as error:
            self.note = f"{checks_file()} is damaged ({first_problem(error, _File)}): no check is known"
        except (OSError, ValueError) as error:
            self.note = f"{checks_file()} cannot be read ({why(error)}): no check is known"

    def level_of(self, speaker: str, host_api: str) -> SoundLevel | None:
        """Return the level that was set for a sound device; None where none was."""
        return _newest([x for x in self._kept.levels if (x.speaker, x.host_api) == (speaker, host_api)])

    def sound_of(self, speaker: str, host_api: str) -> SoundCheck | None:
        """Return the newest check of a sound device; None without any."""
        return _newest([x for x in self._kept.sounds if (x.speaker, x.host_api) == (speaker, host_api)])

    def light_of(self, screen: int) -> LightCheck | None:
        """Return the newest check of a screen by its number; None without any. Its name says which it was then."""
        return _newest([x for x in self._kept.lights if x.screen == screen])

    def keep(self, *found: SoundLevel | SoundCheck | LightCheck) -> Path:
        """Keep what was found, in place of what was known of the same device, and return the file.

        Raises
        ------
        SettingsError
            If it cannot be written.
        """
        kept = self._kept
        for each in found:
            if isinstance(each, SoundLevel):
                others = [x for x in kept.levels if (x.speaker, x.host_api) != (each.speaker, each.host_api)]
                kept = kept.model_copy(update={"levels": (*others, each)[-MOST:]})
            elif isinstance(each, SoundCheck):
                sounds = [x for x in kept.sounds if (x.speaker, x.host_api) != (each.speaker, each.host_api)]
                kept = kept.model_copy(update={"sounds": (*sounds, each)[-MOST:]})
            else:
                lights = [x for x in kept.lights if x.screen != each.screen]
                kept = kept.model_copy(update={"lights": (*lights, each)[-MOST:]})
        path, content = checks_file(), without_none(kept.model_dump())
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, tomli_w.dumps(content))
        except OSError as error:
            raise SettingsError(
                f"the check could not be kept for later sessions ({error.strerror}: {path})",
                remedy="make that folder writable, or name another one in RTAFFECT_CONFIG",
            ) from None
        self._kept = kept
        return path


def _newest(found: list[Kept]) -> Kept | None:
    return max(found, key=lambda each: each.at, default=None)


def check_content(check: SoundCheck | LightCheck, now: datetime) -> dict[str, Any]:
    """Return a check as TOML or JSON has it, with its age, s."""
    content = check.model_dump(mode="json", exclude_none=True)
    return {**content, "age_s": round((now - check.at).total_seconds(), 1)}


def ms(seconds: float) -> float | None:
    """Return seconds as ms to a hundredth; None for NaN."""
    return round(1e3 * seconds, 2) if math.isfinite(seconds) else None
