"""A session: sources, engine and sinks, turned by a clock until it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from rtaffect.common.clock import Clock
from rtaffect.engine.engine import Engine
from rtaffect.engine.feedback import Feedback
from rtaffect.engine.timing import StepTiming, Timings
from rtaffect.stream.source import Source
from rtaffect.stream.status import StreamState

#: How long a step waits for samples that are late, s.
PATIENCE_S = 0.5
#: Steps that are further behind than this come after a time in which nothing ran, s: what was sent meanwhile is on its
#: way, and is waited for once.
HICCUP_S = 1.0
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
    timings
        Gets the times of each step before the sinks get its values.
    """

    engine: Engine
    clock: Clock
    sinks: Sequence[Sink]
    stop: threading.Event
    steps: int | None = None
    outlast: bool = False
    timings: Timings = field(default_factory=Timings)

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
            step, behind = 0, 0.0
            while not self.stop.is_set() and (self.steps is None or step < self.steps):
                due = self.engine.end_of(step + 1) + self.engine.lookahead_s
                self.clock.wait_until(due, self.stop)
                before, behind = behind, max(0.0, self.clock.now() - due)
                for source in sources:
                    source.advance(due)
                if behind > HICCUP_S > before:
                    self._catch_up(sources)
                self._wait_for_late(sources, due)
                if self.stop.is_set() or (not self.outlast and self._over(sources, due)):
                    break
                step += 1
                yield self._step(due, behind)

    def _step(self, due: float, behind: float) -> Feedback:
        """Make a step that was due at ``due`` and is ``behind`` by so much, s, and give it to the sinks."""
        begun = self.clock.now()
        feedback = self.engine.step(begun, behind_s=behind, present=self.clock.now)
        self.timings.add(StepTiming.of(feedback, due, begun, self.clock.now()))
        for sink in self.sinks:
            sink(feedback)
        return feedback

    def _wait_for_late(self, sources: Sequence[Source], due: float) -> None:
        """Give live samples stamped before ``due`` (s) the time to arrive."""
        self._wait_for(sources, due, due + PATIENCE_S, ("ok", "waiting"))

    def _catch_up(self, sources: Sequence[Source]) -> None:
        """Wait, once after a hiccup, for all that was sent meanwhile: the steps behind it are made with that.

        A source that seems to have stalled was merely not heard.
        """
        now = self.clock.now()
        self._wait_for(sources, now - PATIENCE_S / 2, now + PATIENCE_S, ("ok", "waiting", "stalled"))

    def _wait_for(self, sources: Sequence[Source], stamp: float, until: float, states: Sequence[StreamState]) -> None:
        """Wait until live sources in one of ``states`` have samples as new as ``stamp`` (s), at most ``until`` (s)."""
        # What the body shows is known some seconds later anyway.
        live = [s for s in sources if s.info.origin in _LIVE and s.info.kind != "body"]
        while self.clock.now() < until and not self.stop.is_set():
            late = [s for s in live if not s.buffer.newest >= stamp and s.status(stamp).state in states]
            if not late:
                return
            self.clock.wait_until(self.clock.now() + _POLL_S, self.stop)
            for source in late:
                source.advance(stamp)

    def _over(self, sources: Sequence[Source], due: float) -> bool:
        """Return whether nothing more can come: the headsets, or without any the sound, have ended."""
        people = [s for s in sources if s.info.kind == "eeg"] or sources
        return all(s.status(due).state == "ended" for s in people)
