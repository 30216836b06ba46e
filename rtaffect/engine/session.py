"""A session: sources, engine and sinks, turned by a clock until it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from rtaffect.common.clock import Clock
from rtaffect.engine.engine import Engine
from rtaffect.engine.feedback import Feedback
from rtaffect.stream.source import Source

#: How long a step waits for samples that are late, s.
PATIENCE_S = 0.5
_POLL_S = 0.01
_LIVE = ("lsl", "soundcard", "brainflow", "fieldtrip")

Sink = Callable[[Feedback], None]


@dataclass(frozen=True, slots=True)
class Session:
    """What a run needs.

    Attributes
    ----------
    engine
        Holds the sources, and makes the steps.
    clock
        Real, paced or instant time.
    sinks
        Called with each Feedback, in order, on the engine's thread.
    stop
        Set from any thread to end the session after the present step.
    steps
        End after this many; None for no limit.
    outlast
        Go on to ``steps`` after all headsets have ended, as a live session does whose headsets died.
    """

    engine: Engine
    clock: Clock
    sinks: Sequence[Sink]
    stop: threading.Event
    steps: int | None = None
    outlast: bool = False

    def run(self) -> int:
        """Run to the end and return the number of steps; the sources are started before and stopped after."""
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[Feedback]:
        """Run as far as each Feedback is asked for, after the sinks had it."""
        sources = self.engine.sources
        with ExitStack() as cleanup:
            for source in sources:
                cleanup.callback(source.stop)
                source.start()
            step = 0
            while not self.stop.is_set() and (self.steps is None or step < self.steps):
                due = self.engine.end_of(step + 1) + self.engine.lookahead_s
                self.clock.wait_until(due, self.stop)
                for source in sources:
                    source.advance(due)
                self._wait_for_late(sources, due)
                if self.stop.is_set() or (not self.outlast and self._over(sources, due)):
                    break
                step += 1
                feedback = self.engine.step(self.clock.now())
                for sink in self.sinks:
                    sink(feedback)
                yield feedback

    def _wait_for_late(self, sources: Sequence[Source], due: float) -> None:
        """Give live samples stamped before ``due`` (s) the time to arrive."""
        live = [s for s in sources if s.info.origin in _LIVE]
        while self.clock.now() < due + PATIENCE_S and not self.stop.is_set():
            late = [s for s in live if not s.buffer.newest >= due and s.status(due).state in ("ok", "waiting")]
            if not late:
                return
            self.clock.wait_until(self.clock.now() + _POLL_S, self.stop)
            for source in late:
                source.advance(due)

    def _over(self, sources: Sequence[Source], due: float) -> bool:
        """Return whether nothing more can come: the headsets, or without any the sound, have ended."""
        people = [s for s in sources if s.info.kind == "eeg"] or sources
        return all(s.status(due).state == "ended" for s in people)
