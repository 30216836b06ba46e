"""The sound check: clicks are played as a session plays its sound, and heard as a session hears it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

import numpy as np
from pylsl import local_clock

from rtaffect.checks.clicks_heard import Heard, clicks_heard
from rtaffect.common.arrays import BoolArray, Float32Array, FloatArray
from rtaffect.common.errors import RtaffectError, SettingsError
from rtaffect.outputs.sound_player import SoundPlayer
from rtaffect.plan.kept_checks import LEAST_DB, KeptChecks, SoundCheck, SoundLevel, ms
from rtaffect.predicted.featurizer import Progress
from rtaffect.predicted.sound_input import SoundInput
from rtaffect.run.certify_clicks import CHIRP_S, click_times, sound_of
from rtaffect.run.certify_engine import Listener
from rtaffect.run.certify_plan import LEAD_S
from rtaffect.run.live_sound import device_of
from rtaffect.sources.lsl import LslSource
from rtaffect.sources.lsl_streams import find_stream
from rtaffect.sources.selection import Query
from rtaffect.sources.sound_card import SoundCardSource
from rtaffect.sources.sound_devices import SoundDevice, choose_sound_device
from rtaffect.stream.audio import SAMPLE_RATE
from rtaffect.stream.doubt import Doubts

#: How many clicks there are, one a second, and how many there may be.
CLICKS: Final = 20
LEAST_CLICKS, MOST_CLICKS = 10, 300
#: Where fewer of them than this part were played in their place, nothing is said.
LEAST_PLAYED: Final = 0.5
#: From everything being ready to the check's zero, s; what is heard after its last second is waited for so long.
_WARNING_S: Final = 1.0
_AFTER_S: Final = 2
_LOOK_S: Final = 0.1


class _Player(Protocol):
    """What plays the clicks."""

    gain_db: float
    doubts: Doubts

    def start(self, onset: float) -> None: ...

    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class SoundCheckPlan:
    """What is checked: devices by index or part of their name, None for the default ones.

    ``capture_stream`` is an LSL stream of sound that hears the clicks in place of a device. ``level_db`` is how loud
    they are, dB against full scale; None for what was set for the device last.
    """

    speaker: str | None = None
    capture: str | None = None
    capture_stream: str | None = None
    clicks: int = CLICKS
    level_db: float | None = None

    def check(self) -> None:
        """Refuse what does not go together; raises SettingsError."""
        if self.capture is not None and self.capture_stream is not None:
            raise SettingsError("--capture and --capture-stream exclude each other; give the one that hears the clicks")
        if not LEAST_CLICKS <= self.clicks <= MOST_CLICKS:
            raise SettingsError(f"{self.clicks} clicks", f"{LEAST_CLICKS} to {MOST_CLICKS}")


def now() -> datetime:
    """Return the present date and time."""
    return datetime.now(UTC).astimezone()


def level_for(speaker: SoundDevice, wanted: float | None, kept: KeptChecks) -> float:
    """Return how loud a device plays, dB: as ``wanted``, or as it was set last; 0 where it never was."""
    if wanted is not None:
        return min(0.0, max(LEAST_DB, wanted))
    level = kept.level_of(speaker.name, speaker.host_api)
    return level.level_db if level is not None else 0.0


def level_set(speaker: SoundDevice, level_db: float) -> SoundLevel:
    """Return the level that was just set for a device, to be kept."""
    return SoundLevel(at=now(), speaker=speaker.name, host_api=speaker.host_api, level_db=level_db)


def check_sound(
    plan: SoundCheckPlan,
    progress: Progress,
    stop: threading.Event | None = None,
    make_player: Callable[[Float32Array, float, int | str | None], _Player] = SoundPlayer,
) -> SoundCheck | None:
    """Play the clicks, hear them, and return where they were; None where ``stop`` ended it before.

    ``make_player`` makes what plays samples (n, 1) at a rate, Hz, on a device. Nothing is kept.

    Raises
    ------
    RtaffectError
        If a device or stream is missing, or cannot be opened.
    """
    plan.check()
    speaker = choose_sound_device(device_of(plan.speaker), "output")
    level = level_for(speaker, plan.level_db, KeptChecks())
    captured = _captured(plan)
    last, stop = LEAD_S + plan.clicks, stop or threading.Event()
    clicks = click_times(LEAD_S, last)
    sound = sound_of(clicks, last + _AFTER_S, speaker.rate)
    with ExitStack() as cleanup:
        player = make_player(sound, speaker.rate, device_of(plan.speaker))
        player.gain_db = level
        cleanup.callback(captured.stop)
        cleanup.callback(player.stop)
        captured.start()
        origin = local_clock() + _WARNING_S
        player.start(origin)
        heard = _listen(captured, origin, last + 1, lambda step: progress(_said(step, plan.clicks)), stop)
        if heard is None:
            return None
        played = np.array([_sure(player.doubts, origin + click) for click in clicks])
        found = clicks_heard(heard, clicks[played]) if played.sum() >= LEAST_PLAYED * len(clicks) else _torn(played)
    return SoundCheck(
        at=now(),
        latency_ms=ms(found.latency_s),
        low_ms=ms(found.low_s),
        high_ms=ms(found.high_s),
        why=found.why,
        speaker=speaker.name,
        host_api=speaker.host_api,
        capture=captured.info.name,
        level_db=level,
        clicks=found.clicks,
        found=found.found,
    )


def _sure(doubts: Doubts, at: float) -> bool:
    """Return whether the player does not doubt that a click was played in its place at ``at``, s on the LSL clock."""
    return not doubts.within(at - CHIRP_S, at + CHIRP_S)


def _torn(played: BoolArray) -> Heard:
    """Return that nothing can be said, where too few clicks were played in their place."""
    why = (
        f"the device that plays was interrupted: {int((~played).sum())} of {len(played)} clicks were not in their "
        "place; close other programs and check again"
    )
    return Heard(np.nan, np.nan, np.nan, len(played), 0, why)


def _said(step: int, clicks: int) -> str:
    done = step - 1 - LEAD_S
    return f"click {done} of {clicks}" if 0 < done <= clicks else "letting the sound settle"


def _captured(plan: SoundCheckPlan) -> SoundCardSource | LslSource:
    if plan.capture_stream is not None:
        return LslSource(find_stream(Query.parse(plan.capture_stream)), kind="audio")
    return SoundCardSource(device_of(plan.capture))


def _listen(
    source: SoundCardSource | LslSource,
    origin: float,
    seconds: int,
    on_step: Callable[[int], None],
    stop: threading.Event,
) -> FloatArray | None:
    """Return what was heard of the first ``seconds`` s from ``origin`` on, mono at 16 kHz, NaN where nothing was."""
    reads = SoundInput(source, Listener(), origin)  # type: ignore[arg-type]  # it is only listened to
    heard: list[FloatArray] = []
    for step in range(1, seconds + 1):
        on_step(step)
        due = origin + step + reads.lookahead_s + _LOOK_S
        while (left := due - local_clock()) > 0:
            if stop.wait(min(left, _LOOK_S)):
                return None
        source.advance(due)
        reads.advance(step)
        second = reads.second(step)
        heard.append(np.full(SAMPLE_RATE, np.nan) if second is None else second.astype(np.float64))
    return np.concatenate(heard)


def explain(check: SoundCheck) -> list[str]:
    """Return what is to be known of a check, a line each."""
    lines = [check.line]
    if check.latency_ms is not None:
        lines.append(
            "this is added up of all that lies between: what the outputs' and inputs' drivers do not say, and the air "
            "(3 ms a metre); sessions state it, and move nothing by it"
        )
    return lines


def keep(*found: SoundLevel | SoundCheck) -> str:
    """Keep what was found for later sessions; return why that is impossible, '' if it was done."""
    try:
        KeptChecks().keep(*found)
    except RtaffectError as error:
        return error.message
    return ""
