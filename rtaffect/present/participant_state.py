"""What the participant sees at any instant, resolved from the protocol's moments by pure functions. No Qt."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from rtaffect.common.errors import SettingsError
from rtaffect.outputs.film_projector import Projector
from rtaffect.present.slider_state import Slider
from rtaffect.protocol.protocol_step import ProtocolStep

Show = Literal["ring", "bar", "tone"]

#: How far the picture lies behind the newest level while it glides there, s.
GLIDE_S: Final = 0.8
#: How long an instruction takes to appear, and to vanish, s.
FADE_S: Final = 0.4
#: A level without a successor for this long is no longer shown, s: moments come once a second.
STALE_S: Final = 3.0
#: Below this share a level is not seen, so that the next one need not glide from it.
_UNSEEN = 0.05


@dataclass(frozen=True, slots=True)
class ParticipantState:
    """All that the participant's view paints.

    Attributes
    ----------
    show : Show
        'ring' or 'bar', or 'tone': then only a fixation cross.
    text : str
        An instruction, painted in place of the figure; empty for the figure.
    opacity : float in [0, 1]
        Of the text, or of the figure.
    level : float in [0, 1]
        How full the figure is; has a meaning only where ``presence`` is above 0.
    presence : float in [0, 1]
        1 where a level is shown, 0 in the neutral state, between them on the way.
    success : float in [0, 1]
        1 where the level is one of success, 0 where not, between them on the way.
    """

    show: Show
    text: str = ""
    opacity: float = 1.0
    level: float = 0.0
    presence: float = 0.0
    success: float = 0.0


@dataclass(frozen=True, slots=True)
class Glide:
    """A value on its way, and its ``speed`` per second."""

    value: float = 0.0
    speed: float = 0.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where the picture glides to: a ``level`` of None is the neutral state."""

    text: str = ""
    level: float | None = None
    success: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """Where the picture is on its way: the instruction and its opacity, and what the figure shows."""

    text: str = ""
    opacity: float = 1.0
    level: Glide = Glide()
    presence: Glide = Glide()
    success: Glide = Glide()


def glide(at: Glide, target: float, seconds: float, lag_s: float = GLIDE_S) -> Glide:
    """Return the value ``seconds`` later: a critically damped approach to ``target``, ``lag_s`` behind on average.

    It starts and ends softly, and its impulse response is nowhere negative: the value never leaves the range of the
    targets that it was given. Any division of the time gives the same value.
    """
    rate = 2 / lag_s
    away = at.value - target
    pull = at.speed + rate * away
    decay = math.exp(-rate * seconds)
    return Glide(target + (away + pull * seconds) * decay, (at.speed - rate * pull * seconds) * decay)


def fade(text: str, opacity: float, wanted: str, seconds: float) -> tuple[str, float]:
    """Return text and opacity ``seconds`` later: the old one vanishes before the ``wanted`` one appears."""
    if text != wanted:
        left = seconds - opacity * FADE_S
        if left < 0:
            return text, opacity - seconds / FADE_S
        text, opacity, seconds = wanted, 0.0, left
    return text, min(1.0, opacity + seconds / FADE_S)


def target_of(protocol_step: ProtocolStep | None, age_s: float = 0.0) -> Target:
    """Return what is to be shown at a moment that is ``age_s`` old.

    A level is there only while a block runs and as long as moments come. Where there is none, the moment's instruction
    is read in place of the figure; it does not get old.
    """
    if protocol_step is None:
        return Target()
    level = protocol_step.shown.level if protocol_step.phase == "running" else None
    if level is None or not math.isfinite(level):
        return Target(protocol_step.instruction.strip())
    if age_s > STALE_S:
        return Target()
    return Target("", min(max(level, 0.0), 1.0), protocol_step.shown.success)


def advance(picture: Picture, target: Target, seconds: float) -> Picture:
    """Return the picture ``seconds`` later, with one and the same target all the time."""
    text, opacity = fade(picture.text, picture.opacity, target.text, seconds)
    held = picture.level.value if target.level is None else target.level
    return Picture(
        text=text,
        opacity=opacity,
        level=Glide(held) if target.level is None else glide(picture.level, held, seconds),
        presence=glide(picture.presence, float(target.level is not None), seconds),
        success=glide(picture.success, float(target.success), seconds),
    )


class ParticipantPresenter:
    """Takes the protocol's moments from the engine's thread; gives the participant's view what to paint.

    ``show`` is the protocol's choice of what the participant perceives. ``age`` says how old the values of a step are
    now, s, by the step's number; without it they are as old as the moment is here. ``on_seen`` gets the number of each
    step that the participant sees. ``film`` says which frame of a film is to be seen; None where there are no films.
    ``slider`` is what they rate with; None where they do not.
    """

    def __init__(
        self,
        show: Show = "ring",
        *,
        age: Callable[[int], float] | None = None,
        on_seen: Callable[[int], None] | None = None,
        film: Projector | None = None,
        slider: Slider | None = None,
    ) -> None:
        self.show: Show = show
        self.film, self.slider = film, slider
        self._age, self._on_seen = age, on_seen
        self._seen: ProtocolStep | None = None
        self._newest: ProtocolStep | None = None
        self._taken: ProtocolStep | None = None
        self._taken_at = self._at = -math.inf
        self._target, self._picture = Target(), Picture()

    def add(self, protocol_step: ProtocolStep) -> None:
        """Keep the newest moment; called from the engine's thread. Never waits."""
        self._newest = protocol_step

    def state(self, now: float) -> ParticipantState:
        """Return what to paint at ``now``, s on any clock that runs evenly; called from the display's thread alone.

        What is shown is as old as its values are, and no younger than it is here.
        """
        self._picture = advance(self._picture, self._target, max(0.0, now - self._at) if self._at > -math.inf else 0.0)
        self._at = now
        if self._newest is not self._taken:
            self._taken, self._taken_at = self._newest, now
        self._head_for(target_of(self._taken, self._age_of(self._taken, now)))
        picture = self._picture
        return ParticipantState(
            show=self.show,
            text=picture.text,
            opacity=round(picture.opacity, 3),
            level=round(min(max(picture.level.value, 0.0), 1.0), 4),
            presence=round(min(max(picture.presence.value, 0.0), 1.0), 3),
            success=round(min(max(picture.success.value, 0.0), 1.0), 3),
        )

    def seen(self) -> None:
        """Note that what :meth:`state` returned last is on the screen."""
        if self._taken is not None and self._taken is not self._seen:
            self._seen = self._taken
            if self._on_seen is not None:
                self._on_seen(self._taken.step)

    def _age_of(self, taken: ProtocolStep | None, now: float) -> float:
        here = now - self._taken_at
        return here if self._age is None or taken is None else max(here, self._age(taken.step))

    def _head_for(self, target: Target) -> None:
        """Take a new target. A level that follows none appears where it is: there is nothing to glide from."""
        if target.level is not None and self._target.level is None and self._picture.presence.value < _UNSEEN:
            self._picture = replace(self._picture, level=Glide(target.level), success=Glide(float(target.success)))
        self._target = target


@dataclass(frozen=True, slots=True)
class ScreenInfo:
    """A screen of this computer: ``index`` as the operator chooses it, size in pixels as the desktop counts them."""

    index: int
    name: str
    width: int
    height: int
    primary: bool = False
    serial: str = ""

    @property
    def describe(self) -> str:
        """The screen in words, for a message or a list."""
        return f"{self.index}: {self.name} ({self.width} x {self.height}{', primary' if self.primary else ''})"

    def same_as(self, other: ScreenInfo) -> bool:
        """Return whether both are one device: the same serial number where they have one, else the same name."""
        if self.serial and other.serial:
            return self.serial == other.serial
        return self.name == other.name


def choose_screen(index: int, screens: Sequence[ScreenInfo]) -> ScreenInfo:
    """Return the screen that the participant sees, full.

    Raises
    ------
    SettingsError
        If there is no such screen, or it is the only one: then the view would cover the operator's window.
    """
    there = "; ".join(screen.describe for screen in screens) or "none"
    chosen = next((screen for screen in screens if screen.index == index), None)
    if chosen is None:
        raise SettingsError(
            f"screen {index} for the participant does not exist; there are: {there}. Choose one of them, or connect "
            "the participant's screen and extend the desktop to it"
        )
    if len(screens) == 1:
        raise SettingsError(
            f"screen {index} is the only one ({chosen.describe}): the participant's view would cover the operator's "
            "window; connect a second screen and extend the desktop to it, or take the preview"
        )
    return chosen


def operators_screen(participants: int, screens: Sequence[ScreenInfo]) -> ScreenInfo | None:
    """Return where the operator's window goes: the primary screen, or any that is not the participant's; else None."""
    others = [screen for screen in screens if screen.index != participants]
    return next((screen for screen in others if screen.primary), others[0] if others else None)
