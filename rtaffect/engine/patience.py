"""How long a step waits for samples that are on their way, and how that follows what streams do."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from rtaffect.stream.source import Source

#: How long a step waits for samples that are late, s: at first, at most by itself.
PATIENCE_S: Final = 0.5
MOST_S: Final = 3.0
#: What is waited beyond the longest wait of the last so many seconds: a part of it, and s.
SPARE, SPARE_S, KEPT_S = 0.1, 0.1, 60.0
#: Patience that is too long by less than this stays, s.
NEAR_S: Final = 0.3


class Patience:
    """Waits as long as streams need whose samples come late, within a bound; told where that changes.

    What does not come at all changes nothing, nor does a stream that is stalled or lost: only samples that came after
    their step was made, and those that were waited for, tell how long to wait.

    Parameters
    ----------
    seconds
        How long steps wait, s; None: as long as needed, at least ``usual_s`` and at most ``MOST_S``.
    usual_s
        What a device is known to need, s.
    tell
        Called with words where steps begin to wait for longer, or no longer.

    Attributes
    ----------
    now : float
        How long the next step waits at most, s.
    """

    def __init__(
        self, seconds: float | None = None, usual_s: float = PATIENCE_S, tell: Callable[[str], None] | None = None
    ) -> None:
        self._fixed, self._tell, self._told = seconds is not None, tell, ""
        self._least = self.now = min(max(usual_s, PATIENCE_S), MOST_S) if seconds is None else seconds
        # When a step needed to wait, and for how long, s.
        self._needed: deque[tuple[float, float]] = deque()
        # By number of the source, how late its newest sample was at its step, s, and how many had come late by then.
        self._missed: dict[int, tuple[float, int]] = {}

    def learn(self, sources: Sequence[Source], now: float) -> None:
        """See, before a step waits at ``now`` (s), what came after its step was made."""
        self._came_late(sources, now)
        self._follow(now)

    def _came_late(self, sources: Sequence[Source], now: float) -> None:
        for number, (late_s, count) in list(self._missed.items()):
            if sources[number].buffer.late_samples > count:
                self._needed.append((now, late_s))
                del self._missed[number]

    def note(self, needs: Sequence[tuple[Source, float]], now: float, waited_s: float) -> None:
        """Take that a step is made at ``now`` (s), ``waited_s`` later than it was due because of samples.

        ``needs`` are the sources, with until when (s) the samples of each were to reach.
        """
        # Where steps wait for longer than they are apart, what was missed comes while the next one waits.
        self._came_late([source for source, _ in needs], now)
        late = [number for number, (source, stamp) in enumerate(needs) if not source.buffer.newest >= stamp]
        for number in late:
            source, newest = needs[number][0], needs[number][0].buffer.newest
            if not math.isnan(newest) and source.status(now).state == "ok":
                self._missed[number] = (now - newest, source.buffer.late_samples)
        if waited_s > 0.0 and not late:
            self._needed.append((now, waited_s))

    def _follow(self, now: float) -> None:
        while self._needed and self._needed[0][0] < now - KEPT_S:
            self._needed.popleft()
        if self._fixed:
            return
        longest = max((late_s for _, late_s in self._needed), default=0.0)
        wanted = min(max(longest * (1 + SPARE) + SPARE_S, self._least), MOST_S)
        if (self.now - NEAR_S <= wanted <= self.now and wanted > self._least) or wanted == self.now:
            return
        self.now = wanted
        if self._tell is not None and (words := self._words(longest)) != self._told:
            self._told = words
            self._tell(words)

    def _words(self, longest: float) -> str:
        if self.now == self._least:
            return f"samples come in time again: steps wait for up to {self.now:.1f} s"
        most = ", which is the most; what comes later is withheld" if self.now == MOST_S else ""
        return (
            f"samples come up to {longest:.1f} s late: steps wait for up to {self.now:.1f} s{most}, and values come "
            "that much later"
        )
