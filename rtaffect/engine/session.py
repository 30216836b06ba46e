"""A session: sources, engine and sinks, turned by a clock until it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial

from rtaffect.common.clock import Clock
from rtaffect.common.threads import quick_turns
from rtaffect.engine.engine import Engine
from rtaffect.engine.feedback import Feedback
from rtaffect.engine.patience import PATIENCE_S, Patience
from rtaffect.engine.timing import StepTiming, Timings
from rtaffect.stream.source import LIVE_ORIGINS, Source
from rtaffect.stream.status import StreamState

#: Steps that are further behind than this come after a time in which nothing ran, s: what was sent meanwhile is on its
#: way, and is waited for once.
HICCUP_S = 1.0
#: What has come is taken in so long before a step is due, s: each time a third is left, so that only the newest samples
#: are left for the step itself, at the cost of few turns. By the last one what looks ahead for less than others, as EEG
#: of 1 kHz beside a converted sound, is mostly whole, with the chunk that holds its last sample.
EARLY_S: tuple[float, ...] = (0.3, 0.1, 0.03, 0.01)
_POLL_S = 0.002
#: So many sources are started at once.
_AT_ONCE = 16

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
    patience
        How long a step waits for samples that are late.
    """

    engine: Engine
    clock: Clock
    sinks: Sequence[Sink]
    stop: threading.Event
    steps: int | None = None
    outlast: bool = False
    timings: Timings = field(default_factory=Timings)
    patience: Patience = field(default_factory=Patience)

    def run(self) -> int:
        """Run to the end and return the number of steps; the sources are started before and stopped after."""
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[Feedback]:
        """Run as far as each Feedback is asked for, after the sinks had it."""
        sources = self.engine.sources
        with ExitStack() as cleanup:
            cleanup.enter_context(quick_turns(len(sources)))
            for source in sources:
                cleanup.callback(source.stop)
            _start(sources)
            step, behind, waited = 0, 0.0, 0.0
            while not self.stop.is_set() and (self.steps is None or step < self.steps):
                due = self.engine.end_of(step + 1) + self.engine.lookahead_s
                self._prepare(step + 1, due)
                self.clock.wait_until(due, self.stop)
                before, behind = behind, max(0.0, self.clock.now() - due - waited)
                for source in sources:
                    source.advance(due)
                if behind > HICCUP_S > before:
                    self._catch_up(sources)
                waited = self._wait_for_late(step + 1, due, behind)
                if self.stop.is_set() or (not self.outlast and self._over(sources, due)):
                    break
                step += 1
                yield self._step(due, behind, waited)

    def _step(self, due: float, behind: float, waited: float) -> Feedback:
        """Make a step that was due at ``due``, is ``behind`` and has ``waited`` so much, s; give it to the sinks."""
        begun = self.clock.now()
        feedback = self.engine.step(begun, behind_s=behind, waited_s=waited, present=self.clock.now)
        self.timings.add(StepTiming.of(feedback, due, begun, self.clock.now()))
        for sink in self.sinks:
            sink(feedback)
        return feedback

    def _prepare(self, step: int, due: float) -> None:
        """Take in what sources of a live session have brought, until ``step`` is nearly due, at ``due`` (s)."""
        if not any(source.info.origin in LIVE_ORIGINS for source in self.engine.sources):
            return
        for early in EARLY_S:
            if self.clock.now() > due - early / 2:
                continue
            self.clock.wait_until(due - early - _POLL_S, self.stop)
            self._ask_early(step)
            # What is asked for comes meanwhile.
            self.clock.wait_until(self.clock.now() + _POLL_S, self.stop)
            if self.stop.is_set():
                return
            self.engine.prepare(self.clock.now)

    def _ask_early(self, step: int) -> None:
        """Ask the sources that can have all that ``step`` needs by now; a live one only then, as it rests after looks.

        A sound that is played here is known before it is heard: protocol and player change it between steps alone.
        """
        now = self.clock.now()
        for source, stamp in zip(self.engine.sources, self.engine.needs(step), strict=True):
            if source.info.origin not in LIVE_ORIGINS or stamp <= now:
                source.advance(stamp)

    def _wait_for_late(self, step: int, due: float, behind: float) -> float:
        """Give the live samples that ``step`` needs the time to arrive; return how long after ``due`` that was, s.

        What comes before others is worked on meanwhile, but in a step that is ``behind`` (s), which may leave it out.
        """
        needs = [
            (source, stamp)
            for source, stamp in zip(self.engine.sources, self.engine.needs(step), strict=True)
            if _is_waited_for(source)
        ]
        self.patience.learn([source for source, _ in needs], self.clock.now())
        meanwhile = partial(self.engine.prepare, self.clock.now) if behind < PATIENCE_S else None
        has_waited = self._wait_for(needs, due + self.patience.now, ("ok", "waiting"), meanwhile)
        now = self.clock.now()
        waited = now - due if has_waited else 0.0
        self.patience.note(needs, now, waited)
        return waited

    def _catch_up(self, sources: Sequence[Source]) -> None:
        """Wait, once after a hiccup, for all that was sent meanwhile: the steps behind it are made with that.

        A source that seems to have stalled was merely not heard.
        """
        now = self.clock.now()
        stamp = now - PATIENCE_S / 2
        live = [(source, stamp) for source in sources if _is_waited_for(source)]
        self._wait_for(live, now + PATIENCE_S, ("ok", "waiting", "stalled"))

    def _wait_for(
        self,
        needs: Sequence[tuple[Source, float]],
        until: float,
        states: Sequence[StreamState],
        meanwhile: Callable[[], None] | None = None,
    ) -> bool:
        """Wait until live sources in one of ``states`` have samples as new as each needs (s), at most ``until`` (s).

        ``meanwhile`` is called where one has and others have not. Returns whether there was anything to wait for.
        """
        has_waited, late, missing = False, list(needs), len(needs)
        while self.clock.now() < until and not self.stop.is_set():
            late = [(s, stamp) for s, stamp in late if not s.buffer.newest >= stamp and s.status(stamp).state in states]
            if not late:
                break
            has_waited = True
            if meanwhile is not None and len(late) < missing:
                missing = len(late)
                meanwhile()
            self.clock.wait_until(self.clock.now() + _POLL_S, self.stop)
            for source, stamp in late:
                source.advance(stamp)
        return has_waited

    def _over(self, sources: Sequence[Source], due: float) -> bool:
        """Return whether nothing more can come: the headsets, or without any the sound, have ended."""
        people = [s for s in sources if s.info.kind == "eeg"]
        people = people or [s for s in sources if s.info.kind == "audio"] or list(sources)
        return all(s.status(due).state == "ended" for s in people)


def _start(sources: Sequence[Source]) -> None:
    """Start all together: to measure a sender's clock takes half a second, and longer where it does not answer.

    Raises what the first of them that cannot be started raises.
    """
    if len(sources) < 2:
        for source in sources:
            source.start()
        return
    with ThreadPoolExecutor(min(len(sources), _AT_ONCE), thread_name_prefix="start") as pool:
        begun = [pool.submit(source.start) for source in sources]
    for each in begun:
        each.result()


def _is_waited_for(source: Source) -> bool:
    """Return whether a step waits for a source's samples: what the body shows is known some seconds later anyway."""
    return source.info.origin in LIVE_ORIGINS and source.info.kind != "body"
