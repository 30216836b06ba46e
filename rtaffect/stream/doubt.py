"""Why samples, or the place of a sound, may not be relied on: what each part says of its own health."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

#: What a doubt is about: one person's EEG, the sound as it is heard, the sound's place in time, its place in a known
#: stimulus, the step itself, or a measure of the lab's own. One about arrival says until when samples had come at a
#: step, and withholds nothing.
About = Literal["person", "sound", "place", "stimulus", "step", "measure", "arrival"]

#: Doubts that ended longer ago than this are forgotten, s: longer than any window and any context.
KEPT_S: Final = 300.0
#: At most so many are kept; beyond that the oldest two become one that spans both.
MOST_KEPT: Final = 256


class Reason(NamedTuple):
    """What a reason means, and what becomes of it, in words."""

    meaning: str
    ends: str


#: All reasons there are, by the name that stands in tables. ``docs/reliability.md`` lists them.
REASONS: Final[Mapping[str, Reason]] = MappingProxyType(
    {
        "stalled": Reason("connected, but nothing comes", "with the next samples"),
        "lost": Reason("the stream or device is gone", "when it is back, as the same one"),
        "duplicate": Reason("several streams cannot be told apart", "when only one of them is left"),
        "changed": Reason("what came back is not what was there", "when the device is as it was"),
        "wrong-rate": Reason("samples come at another rate than declared", "with the right rate"),
        "clock-jump": Reason("the sender's clock was set, found after use", "when the window is past it"),
        "clock-unknown": Reason("how the sender's clock stands to this one is not known", "once it is measured"),
        "by-arrival": Reason("placed by arrival, and the way may take more than 50 ms", "with stamps of the LSL clock"),
        "stamps": Reason("time stamps are not those of evenly taken samples", "when the window is past them"),
        "losses": Reason("samples are lost here and there, so that times are not sure", "when the window is past them"),
        "late-samples": Reason("samples come too late for their step", "when they come in time"),
        "player-late": Reason("the sound is heard at another time than planned", "when the window is past it"),
        "player-torn": Reason("the sound was torn: parts are heard late", "when the window is past it"),
        "player-lost": Reason("the output device of the sound is gone", "when it plays again"),
        "sound-break": Reason("the sound was paused or jumped", "when the window is past it"),
        "marker": Reason("it is not clear which marker is meant", "when one is chosen"),
        "late": Reason("the step was made too late to be shown as now", "with the next step in time"),
        "behind": Reason("computing takes longer than the time that it is for", "when it has caught up"),
        "measure": Reason("an own measure failed, or took too long", "with the next step, or never if it is off"),
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Doubt:
    """A time in which something may not be relied on.

    Attributes
    ----------
    reason
        One of ``REASONS``.
    since, until
        First and last instant that is in doubt, s on the LSL clock; ``until`` is inf while it lasts.
    words
        What is wrong, for people.
    about, part
        What it is about, and the name of who says so; filled in where it is collected.
    """

    reason: str
    since: float
    until: float
    words: str
    about: About = "person"
    part: str = ""

    def __post_init__(self) -> None:
        """Refuse what has no place in the table of reasons."""
        if self.reason not in REASONS:
            raise ValueError(f"{self.reason!r} is no reason for doubt; add it to REASONS")
        if not self.since <= self.until:
            raise ValueError(f"a doubt from {self.since} to {self.until}: it must not end before it begins")

    def overlaps(self, first: float, last: float) -> bool:
        """Return whether any instant in (``first``, ``last``], s, is in doubt."""
        return self.since <= last and self.until > first


class Doubts:
    """The doubts of one part: told from its own thread, read by the engine's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: list[Doubt] = []

    def note(self, reason: str, since: float, until: float, words: str) -> None:
        """Note a time that is over, or whose end is known, s on the LSL clock; it goes on one that it touches."""
        new = Doubt(reason, since, until, words)
        with self._lock:
            for old in [d for d in self._kept if (d.reason, d.words) == (reason, words) and math.isfinite(d.until)]:
                if old.since <= new.until and new.since <= old.until:
                    self._kept.remove(old)
                    new = replace(new, since=min(old.since, new.since), until=max(old.until, new.until))
            self._add(new)

    def begin(self, reason: str, since: float, words: str) -> None:
        """Note that from ``since`` on (s) there is doubt until :meth:`end`; again: the words are replaced."""
        with self._lock:
            for place, doubt in enumerate(self._kept):
                if doubt.reason == reason and math.isinf(doubt.until):
                    self._kept[place] = replace(doubt, since=min(doubt.since, since), words=words)
                    return
            self._add(Doubt(reason, since, math.inf, words))

    def end(self, reason: str, until: float) -> None:
        """End what :meth:`begin` began, at ``until`` (s); does nothing where nothing lasts."""
        with self._lock:
            self._kept = [
                replace(d, until=max(until, d.since)) if d.reason == reason and math.isinf(d.until) else d
                for d in self._kept
            ]

    def expect(self, reason: str, since: float, words: str) -> None:
        """Let there be doubt from ``since`` (s) on, unless this is called again in time, with a later one.

        What goes well only as long as its part is alive is told so: a part that is stopped cannot tell of it.
        """
        with self._lock:
            self._kept = [d for d in self._kept if d.reason != reason or math.isfinite(d.until)]
            self._add(Doubt(reason, since, math.inf, words))

    def withdraw(self, reason: str) -> None:
        """Forget what :meth:`expect` said and never came."""
        with self._lock:
            self._kept = [d for d in self._kept if d.reason != reason or math.isfinite(d.until)]

    def lasts(self, reason: str) -> bool:
        """Return whether ``reason`` was begun and not ended."""
        with self._lock:
            return any(doubt.reason == reason and math.isinf(doubt.until) for doubt in self._kept)

    def within(self, first: float, last: float) -> tuple[Doubt, ...]:
        """Return those that put an instant in (``first``, ``last``] in doubt, s on the LSL clock."""
        with self._lock:
            return tuple(doubt for doubt in self._kept if doubt.overlaps(first, last))

    def _add(self, doubt: Doubt) -> None:
        newest = max((d.until for d in (*self._kept, doubt) if math.isfinite(d.until)), default=-math.inf)
        self._kept = [d for d in self._kept if d.until >= newest - KEPT_S]
        self._kept.append(doubt)
        if len(self._kept) > MOST_KEPT:
            # What lasts is ended by its own name.
            first, second = [d for d in self._kept if math.isfinite(d.until)][:2]
            self._kept.remove(second)
            both = replace(first, since=min(first.since, second.since), until=max(first.until, second.until))
            self._kept[self._kept.index(first)] = both
