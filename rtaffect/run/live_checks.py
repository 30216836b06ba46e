"""What checks before a live session say of its sound and its screen: stated and kept with it, never applied unsaid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rtaffect.common.errors import setting
from rtaffect.outputs.sound_player import CuePlayer
from rtaffect.plan.kept_checks import KeptChecks, LightCheck, SoundCheck, SoundLevel, age_of, check_content
from rtaffect.plan.session_plan import SessionPlan


@dataclass(frozen=True, slots=True)
class LiveChecks:
    """How loud the session's ``player`` is, and the newest checks of its device and of the participant's screen.

    ``level_db`` is None where rtaffect plays nothing. ``level`` is where that comes from, None for the plan or nothing.
    """

    now: datetime
    level_db: float | None = None
    level: SoundLevel | None = None
    sound: SoundCheck | None = None
    light: LightCheck | None = None
    screen_delay_s: float = 0.0
    note: str = ""

    @classmethod
    def of(cls, plan: SessionPlan, player: CuePlayer | None) -> LiveChecks:
        """Return what is known of a session with this plan, whose sound ``player`` plays; None where it plays none."""
        kept, now, asked = KeptChecks(), datetime.now(UTC).astimezone(), plan.protocol
        light = kept.light_of(asked.screen) if asked.screen is not None else None
        if player is None:
            return cls(now, light=light, screen_delay_s=asked.screen_delay_s, note=kept.note if light else "")
        device = player.device.name, player.device.host_api
        level = kept.level_of(*device) if plan.sound.level_db is None else None
        level_db = plan.sound.level_db if level is None else level.level_db
        sound = kept.sound_of(*device)
        return cls(now, level_db or 0.0, level, sound, light, asked.screen_delay_s, kept.note)

    def lines(self) -> Iterator[str]:
        """Yield what the operator should know, a line each."""
        if self.note:
            yield self.note
        if self.level is not None:
            age = age_of(self.level.at, self.now)
            yield (
                f"the sound plays at {self.level.level_db:g} dB, as it was set for {self.level.speaker} {age}; "
                f"{setting('level')} sets another"
            )
        if self.sound is not None:
            yield f"sound check of {age_of(self.sound.at, self.now)}: {self.sound.line}; nothing is moved by it"
        if self.light is not None:
            yield f"light check of {age_of(self.light.at, self.now)}: {self.light.line}; {self._delay_said()}"

    def _delay_said(self) -> str:
        assert self.light is not None
        wanted, given = self.light.screen_delay_s, self.screen_delay_s
        if wanted is None or abs(wanted - given) < 0.0005:
            return f"films are shown with {setting('screen-delay', f'{given:g}')}"
        return f"films are shown with {setting('screen-delay', f'{given:g}')}; by this check: --screen-delay {wanted:g}"

    def content(self) -> dict[str, Any]:
        """Return what ``session.toml`` says of them; empty where nothing is known."""
        found: dict[str, Any] = {}
        if self.level_db is not None:
            found["level_db"] = self.level_db
            if self.level is not None:
                found["level_set"] = self.level.at.isoformat(timespec="seconds")
        for name, check in (("sound", self.sound), ("light", self.light)):
            if check is not None:
                found[name] = check_content(check, self.now) | {"line": check.line}
        return found
