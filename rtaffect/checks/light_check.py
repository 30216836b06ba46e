"""The light check: a square flashes on the participant's screen, and a photodiode tells when it is seen."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final, Literal

from pylsl import local_clock

from rtaffect.checks.flashes_seen import Seen, flashes_seen
from rtaffect.checks.flashing import Flashing
from rtaffect.checks.photodiode import Photodiode
from rtaffect.checks.sound_check import now
from rtaffect.common.errors import RtaffectError, SettingsError
from rtaffect.plan.kept_checks import KeptChecks, LightCheck, ms
from rtaffect.simulation.photodiode import SimulatedPhotodiode

Corner = Literal["lower-left", "lower-right", "upper-left", "upper-right"]
CORNERS: Final[tuple[Corner, ...]] = ("lower-left", "lower-right", "upper-left", "upper-right")
#: How many flashes there are, and may be; and the square's side, a part of the screen's shorter side: as films have it.
FLASHES, LEAST_FLASHES, MOST_FLASHES = 40, 10, 300
SIZE: Final = 0.08
LEAST_SIZE, MOST_SIZE = 0.01, 1.0
#: From everything being ready until the square's dark begins, s; what is sent after the last flash is waited for.
_WARNING_S, _AFTER_S = 0.5, 1.5


@dataclass(frozen=True, slots=True)
class LightCheckPlan:
    """What is checked.

    ``stream`` is the photodiode's LSL stream, as a query, and ``channel`` its name or number there. ``screen`` is the
    number of the participant's screen, None for a small window. The square is in ``corner``, ``size`` of the screen's
    shorter side. ``simulate_ms`` stands for a photodiode that sees so much later, ms, and ``simulate_misses`` every
    so manyth flash not at all; nothing of that is kept.
    """

    stream: str | None = None
    channel: str | None = None
    screen: int | None = None
    flashes: int = FLASHES
    corner: Corner = "lower-left"
    size: float = SIZE
    simulate_ms: float | None = None
    simulate_misses: int = 0

    def check(self) -> None:
        """Refuse what does not go together; raises SettingsError."""
        if (self.stream is None) == (self.simulate_ms is None):
            raise SettingsError(
                "a light check needs the LSL stream of the photodiode: name it (--stream QUERY, as in "
                "name=Photodiode), or try it without one (--simulate MS)"
            )
        if self.simulate_ms is not None and self.channel is not None:
            raise SettingsError("--channel is of --stream; leave it out, or --simulate")


@dataclass(frozen=True, slots=True)
class ShownOn:
    """What the square was shown on: number and name of the screen, and how often it shows what it is given, Hz."""

    screen: int = 0
    name: str = "no screen"
    refresh_hz: float = 60.0


@dataclass(slots=True)
class LightRun:
    """A check that runs: ``flashing`` says when the square is white; :meth:`result` is asked for when it is over."""

    plan: LightCheckPlan
    flashing: Flashing
    photodiode: Photodiode
    cleanup: ExitStack = field(repr=False)

    @classmethod
    def start(cls, plan: LightCheckPlan) -> LightRun:
        """Find and open the photodiode's stream; the square is dark for a while then. Raises RtaffectError."""
        plan.check()
        with ExitStack() as cleanup:
            flashing: list[Flashing] = []
            query = plan.stream
            if plan.simulate_ms is not None:
                every = plan.simulate_misses
                misses = {n for n in range(plan.flashes) if every and n % every == every - 1}
                simulated = SimulatedPhotodiode(
                    lambda at: flashing[0].was(at) if flashing else (False, -1),
                    plan.simulate_ms / 1e3,
                    misses=misses,
                )
                query = f"source_id={cleanup.enter_context(simulated).source_id}"
            assert query is not None
            photodiode = Photodiode(query, plan.channel)
            cleanup.callback(photodiode.stop)
            photodiode.start()
            flashing.append(Flashing(plan.flashes, local_clock() + _WARNING_S))
            return cls(plan, flashing[0], photodiode, cleanup.pop_all())

    @property
    def over(self) -> bool:
        """Whether all is painted, and what it was seen as has come."""
        return bool(self.photodiode.trouble) or local_clock() > self.flashing.end + _AFTER_S

    @property
    def said(self) -> str:
        """What is being done, in words."""
        painted = len(self.flashing.flashes())
        return f"flash {painted} of {self.flashing.count}" if painted else "letting the stream settle"

    def result(self, shown: ShownOn) -> LightCheck:
        """Return what was found; :meth:`close` comes before or after it."""
        diode, flashes = self.photodiode, self.flashing.flashes()
        seen = flashes_seen(*diode.samples(), flashes, shown.refresh_hz)
        if diode.trouble:
            seen = Seen(seen.latencies_s, diode.trouble)
        known = not seen.why
        return LightCheck(
            at=now(),
            latency_ms=ms(seen.percentile(50)),
            low_ms=ms(seen.percentile(5)),
            high_ms=ms(seen.percentile(95)),
            why=seen.why,
            screen=shown.screen,
            screen_name=shown.name[:512],
            refresh_hz=shown.refresh_hz,
            stream=diode.name[:512],
            channel=diode.channel[:512],
            rate_hz=diode.rate,
            corner=self.plan.corner,
            size=self.plan.size,
            flashes=len(flashes),
            missed=seen.missed if known else 0,
        )

    def close(self) -> None:
        """Let go of the stream; may be called twice."""
        self.cleanup.close()


def paint_by_clock(run: LightRun, stop: threading.Event, progress: Callable[[str], None]) -> bool:
    """Stand for a screen, for a simulated photodiode; return whether it ran to its end."""
    while not run.over:
        at = local_clock()
        run.flashing.painted(run.flashing.white(at), at)
        progress(run.said)
        if stop.wait(max(0.0, min(run.flashing.wait_s(at), 0.05))):
            return False
        time.sleep(0)
    return True


def explain(check: LightCheck) -> list[str]:
    """Return what is to be known of a check, a line each."""
    lines = [check.line]
    if (delay := check.screen_delay_s) is not None:
        lines.append(
            f"films are in step with it by --screen-delay {delay:g} (half a period of {check.refresh_hz:g} Hz, which "
            "films have already, is taken off; an amplifier's own latency is not)"
        )
    return lines


def keep(check: LightCheck) -> str:
    """Keep a check for later sessions; return why that is impossible, '' if it was done."""
    try:
        KeptChecks().keep(check)
    except RtaffectError as error:
        return error.message
    return ""


def seconds_of(plan: LightCheckPlan) -> int:
    """Return how long a check takes, s."""
    return math.ceil(Flashing(plan.flashes, 0.0).end + _WARNING_S + _AFTER_S)
