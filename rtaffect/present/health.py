"""Health of the session in one line: ages, cost of a step, losses, drift, disk and recording. No Qt."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from rtaffect.engine.feedback import Feedback
from rtaffect.present.session_state import STALL_S, Level, ViewState
from rtaffect.record.recorder import RecordingStatus

#: From here on an age, s (what is read from files comes a second at a time), the part of a step that its computing
#: takes, and a drift, ppm, are to be looked at.
LATE_S, BUSY, DRIFTS_PPM = 1.5, 0.5, 500.0
#: Free space below which a recording is in danger, bytes.
LITTLE_FREE, TOO_LITTLE_FREE = 5e9, 5e8
#: What waits to be written is told from here on, bytes.
MUCH_PENDING = 5e6


@dataclass(frozen=True, slots=True)
class HealthItem:
    """One figure of the health line: its label, the figure in words, how well that is, and all of it in a hint."""

    label: str
    text: str
    level: Level
    hint: str


def describe_health(
    state: ViewState, elapsed_s: float, recording: RecordingStatus | None, ages: Mapping[str, float] | None = None
) -> tuple[HealthItem, ...]:
    """Return the health of the session ``elapsed_s`` seconds after the newest step.

    ``ages`` are those of the sources' newest samples now, s, by name; without them they are those that the newest step
    had, and ``elapsed_s`` more.
    """
    latest = state.latest
    if latest is None:
        return _recording(recording)
    # A rating is of its own second.
    centre = () if latest.rating is not None else (_centre(state, elapsed_s),)
    ages_and_cost = (_newest(latest, elapsed_s, ages or {}), *centre, _cost(state, latest))
    return (*ages_and_cost, _losses(latest), _drift(latest), *_recording(recording))


def _newest(latest: Feedback, elapsed_s: float, now: Mapping[str, float]) -> HealthItem:
    ages = {s.name: now.get(s.name, s.age_s + elapsed_s) for s in latest.sources if s.state != "ended"}
    known = {name: age for name, age in ages.items() if math.isfinite(age)}
    if not known:
        return HealthItem("newest sample", "none yet", "idle", "no source has delivered a sample")
    name = max(known, key=known.__getitem__)
    oldest, missing = known[name], len(ages) - len(known)
    # Rounded to what is shown: what is recorded is read a little ahead, and what is live cannot be.
    ahead = {source: age for source, age in known.items() if round(age, 1) < 0}
    level: Level = "bad" if oldest > STALL_S else "warn" if oldest > LATE_S or missing or name in ahead else "good"
    also = f"; {missing} without any sample" if missing else ""
    also += "".join(f"; {source} is {-age:.1f} s ahead of the clock" for source, age in ahead.items())
    hint = f"how long ago, of the source that is latest: {name}{also}"
    # Not "-0.0".
    text = f"{round(oldest, 1) + 0.0:.1f} s".replace("-", "\N{MINUS SIGN}")
    return HealthItem("newest sample", text, level, hint)


def _centre(state: ViewState, elapsed_s: float) -> HealthItem:
    age = elapsed_s + state.window_s / 2
    hint = f"how long ago: the values are of {state.window_s:g} s, and tell of their middle"
    return HealthItem("window's centre", f"{age:.1f} s", "warn" if elapsed_s > STALL_S else "good", hint)


def _cost(state: ViewState, latest: Feedback) -> HealthItem:
    if not latest.stage_s:
        return HealthItem("step", "n/a", "idle", "the cost of a step is not known")
    cost, most = sum(latest.stage_s.values()), max(state.longest_step_s, sum(latest.stage_s.values()))
    level: Level = "bad" if cost > state.step_s else "warn" if most > BUSY * state.step_s else "good"
    stages = ", ".join(f"{name} {1e3 * spent:.0f} ms" for name, spent in latest.stage_s.items())
    return HealthItem("step", f"{1e3 * cost:.0f} ms (most {1e3 * most:.0f})", level, f"newest step: {stages}")


def _losses(latest: Feedback) -> HealthItem:
    gaps, jumps, lost = (sum(getattr(s, name) for s in latest.sources) for name in ("gaps", "clock_jumps", "overruns"))
    each = [f"{s.name}: {s.gaps} gaps, {s.clock_jumps} clock jumps, {s.overruns} dropped" for s in latest.sources]
    more = [f"{jumps} clock jump{'s' if jumps > 1 else ''}"] if jumps else []
    text = ", ".join([str(gaps), *more, f"{lost} dropped"])
    return HealthItem("gaps", text, "warn" if lost else "good", "\n".join(each) or "no source")


def _drift(latest: Feedback) -> HealthItem:
    known = {s.name: s.drift_ppm for s in latest.sources if math.isfinite(s.drift_ppm)}
    if not known:
        return HealthItem("drift", "n/a", "idle", "the clocks' drift is known after some seconds")
    name = max(known, key=lambda key: abs(known[key]))
    level: Level = "warn" if abs(known[name]) > DRIFTS_PPM else "good"
    hint = "\n".join(f"{source}: {ppm:+.0f} ppm" for source, ppm in known.items())
    return HealthItem("drift", f"{known[name]:+.0f} ppm".replace("-", "\N{MINUS SIGN}"), level, hint)


def _recording(status: RecordingStatus | None) -> tuple[HealthItem, ...]:
    if status is None:
        return (HealthItem("recording", "off", "idle", "nothing is recorded"),)
    free, hint = status.free_bytes, str(status.path)
    level: Level = "bad" if free < TOO_LITTLE_FREE else "warn" if free < LITTLE_FREE else "good"
    disk = HealthItem("disk", f"{size(free)} free", level, f"free where {hint} is")
    if status.trouble or status.lost:
        lost = f"{status.lost} lost" if status.lost else ""
        text = ", ".join(part for part in (lost, status.trouble) if part)
        return (HealthItem("recording", text, "bad", hint), disk)
    waits = f", {size(status.pending_bytes)} to write" if status.pending_bytes > MUCH_PENDING else ""
    return (HealthItem("recording", f"{size(status.written_bytes)}{waits}", "good", hint), disk)


def size(count: float) -> str:
    """Return a number of bytes in words."""
    for unit, one in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if count >= one:
            return f"{count / one:.3g} {unit}"
    return f"{count / 1e3:.0f} kB"
