"""Runs a session with a window or on the terminal: engine, protocol, recording, outlets, participant's view."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol, Unpack

from rich.console import Console

from rtaffect.common.errors import RtaffectError, SettingsError
from rtaffect.common.screen import has_screen
from rtaffect.engine.feedback import Feedback
from rtaffect.engine.session import Session, Sink
from rtaffect.observed.spaces import RegionSpace, Space
from rtaffect.outputs.console import console_sink
from rtaffect.outputs.outlet import FeedbackOutlet, MarkerOutlet, new_session_id
from rtaffect.outputs.tone import Tone
from rtaffect.present.participant_state import ParticipantPresenter
from rtaffect.present.protocol_state import PlannedBlock
from rtaffect.present.session_presenter import Presenter
from rtaffect.present.window_options import WindowOptions
from rtaffect.protocol.conductor import Conductor
from rtaffect.protocol.event import SessionEvent
from rtaffect.protocol.model import Protocol as SessionProtocol
from rtaffect.protocol.model import open_ended
from rtaffect.protocol.protocol_step import ProtocolStep
from rtaffect.run.programme import Programme
from rtaffect.run.session_record import SessionRecord
from rtaffect.run.session_sources import ProtocolSetup, Run, SessionSources
from rtaffect.run.stage import Stage


class WindowRunner(Protocol):
    """Shows a session until its window is closed, as :func:`rtaffect.view.run_window` does."""

    def __call__(
        self,
        presenter: Presenter,
        *,
        participant: ParticipantPresenter | None = None,
        screen: int | None = None,
        **options: Unpack[WindowOptions],
    ) -> None:
        """Return when it is closed; raises RtaffectError if there can be no window."""


def run_session(run: Run, console: Console, show: WindowRunner) -> int:
    """Run to the end, or until the window is closed or Ctrl-C is pressed; return the number of steps.

    Raises
    ------
    RtaffectError
        If the session could not go on; what was found until then is on disk.
    """
    headless = run.sources.plan.results.headless
    if not headless and not has_screen():
        console.print("there is no screen here: results go to the terminal, as with --headless", style="dim")
        headless = True
    if headless:
        _require_no_operator(run.sources.setup)
    stop, outcome = threading.Event(), "failed"
    with ExitStack() as cleanup:
        record = SessionRecord.open(run, cleanup, console)
        for markers in run.sources.markers:
            cleanup.callback(markers.stop)
            markers.start()
        running = RunningSession(run, record, stop, cleanup)
        try:
            steps, outcome = _on_terminal(running, console) if headless else _with_window(running, show)
        finally:
            record.close(outcome)
    return steps


def _require_no_operator(setup: ProtocolSetup) -> None:
    """Refuse blocks that wait for a key where there is no window to press it in."""
    if setup.protocol is None or setup.follow is not None:
        return
    waiting = next((block.name for block in setup.protocol.blocks if block.start == "operator"), None)
    if waiting is not None:
        raise SettingsError(
            f"protocol '{setup.protocol.name}': block '{waiting}' waits for the operator's key, for which there is "
            'no window here; give its blocks start = "auto", or run it on a screen and without --headless'
        )


class RunningSession:
    """All that takes part in a session while it runs; ``stop`` ends it, ``cleanup`` its outlets, player and tone."""

    def __init__(self, run: Run, record: SessionRecord, stop: threading.Event, cleanup: ExitStack) -> None:
        self.run, self.record, self.stop = run, record, stop
        self.plan, self.setup = run.sources.plan, run.sources.setup
        setup, engine = self.setup, run.engine
        protocol = setup.protocol or open_ended()
        conductor = Conductor(protocol, setup.arm, engine.settings.synchrony.window_s, follow=setup.follow)
        programme = setup.programme or Programme(protocol)
        self.participant = ParticipantPresenter(protocol.feedback.show)
        on_protocol_step: list[Callable[[ProtocolStep], None]] = [record.protocol_step, self.participant.add]
        on_event: list[Callable[[SessionEvent], None]] = [record.event]
        self.sinks: list[Sink] = [record.feedback]
        if self.plan.results.outlet and self.plan.mode != "replay":
            self._offer(on_event, cleanup)
        self.tone = self._tone(protocol)
        if self.tone is not None:
            cleanup.callback(self.tone.stop)
            on_protocol_step.append(self.tone)
        if setup.player is not None:
            cleanup.callback(setup.player.stop)
        self.on_protocol_step = on_protocol_step
        self.stage = Stage(
            conductor,
            engine.origin,
            sounds=record.with_files(programme.sounds),
            programme=programme.source,
            lock=programme.lock,
            player=setup.player,
            on_protocol_step=on_protocol_step,
            on_event=on_event,
            now=run.clock.now,
            stop=stop,
        )

    def _offer(self, on_event: list[Callable[[SessionEvent], None]], cleanup: ExitStack) -> None:
        """Offer feedback and markers to other programs."""
        ran, session = self.run.ran, new_session_id()
        about = {
            "bundle": ran.get("bundle"),
            "bundle_sha256": ran.get("bundle_sha256"),
            "window_s": self.run.engine.settings.synchrony.window_s,
            "mode": self.plan.mode,
        }
        feedback = FeedbackOutlet(self.run.engine.space, about=about, session=session)
        markers = MarkerOutlet(about=about, session=session)
        cleanup.callback(feedback.close)
        cleanup.callback(markers.close)
        self.sinks.append(feedback)

        def send(event: SessionEvent) -> None:
            if (text := event.marker) is not None:
                markers.send(text, event.lsl_time)

        on_event.append(send)

    def _tone(self, protocol: SessionProtocol) -> Tone | None:
        """Return the tone, where that is the feedback; a replay is silent."""
        if protocol.feedback.show != "tone" or self.plan.mode == "replay":
            return None
        if not any(block.kind == "feedback" for block in protocol.blocks):
            return None
        return Tone(self.plan.protocol.tone_device)

    def take_offered(self) -> None:
        """Take the headset that is offered for one that is lost, and note that; from any thread."""
        offers = self.run.sources.offers
        if offers is not None and (taken := offers.take()):
            self.stage.mark(f"taken: {taken}")

    def session(self, *shown: Sink) -> Session:
        """Return what turns the engine."""
        steps = self.run.sources.steps
        return Session(
            self.run.engine,
            self.run.clock,
            [*self.sinks, *shown, self.stage],
            self.stop,
            min(filter(None, (steps, self.plan.results.seconds)), default=None),
            outlast=steps is not None,
        )

    def work(self, *shown: Sink) -> tuple[int, str]:
        """Run to the end and return the number of steps and how it ended."""
        session = self.session(*shown)
        if self.setup.player is not None:
            self.setup.player.start(self.run.engine.origin)
        if self.tone is not None:
            self.tone.start()
        self.stage.begin()
        steps = session.run()
        self.stage.end(float(steps) if self.plan.mode == "replay" else None)
        over = self.stage.conductor.done or not self.stop.is_set()
        return steps, "completed" if over else "stopped by the user"


def _on_terminal(running: RunningSession, console: Console) -> tuple[int, str]:
    with console_sink(console) as shown, _interrupt_sets(running.stop):
        return running.work(shown, _noticing(running.run.sources, console))


def _noticing(sources: SessionSources, console: Console) -> Sink:
    """Return what prints, at a step, what the operator should know and was not told at the step before."""
    before: list[str] = []

    def tell(_: Feedback) -> None:
        now = list(sources.notices())
        for text in (text for text in now if text not in before):
            console.print(text, style="yellow", highlight=False, markup=False, soft_wrap=True)
        before[:] = now

    return tell


@contextmanager
def _interrupt_sets(stop: threading.Event) -> Iterator[None]:
    """Let Ctrl-C end the session after the present step, not in the middle of one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, lambda *_: stop.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _zones(space: Space) -> dict[str, tuple[str, ...]] | None:
    """Return each zone's regions, where rows are regions."""
    if not isinstance(space, RegionSpace):
        return None
    return {zone.name: tuple(zone.regions) for zone in space.operator.manifest.zones}


def _with_window(running: RunningSession, show: WindowRunner) -> tuple[int, str]:
    """Run the engine on a thread of its own while the window has this one."""
    run, presenter = running.run, Presenter(window_s=running.run.engine.settings.synchrony.window_s)
    if running.setup.protocol is not None:
        blocks = running.setup.protocol.blocks
        presenter.plan([PlannedBlock(b.name, b.kind, math.nan if b.seconds is None else b.seconds) for b in blocks])
        running.on_protocol_step.append(presenter.add_protocol_step)
    result: list[tuple[int, str]] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            result.append(running.work(presenter.add))
            presenter.end("the session has ended")
        except BaseException as error:
            failure.append(error)
            presenter.fail(str(error) if isinstance(error, RtaffectError) else repr(error))

    thread = threading.Thread(target=work, name="engine")
    thread.start()
    plan, conductor = running.plan, running.stage.conductor
    seen = plan.protocol.screen is not None or plan.protocol.preview
    try:
        show(
            presenter,
            title=run.sources.title,
            banner=run.banner,
            on_close=running.stop.set,
            now=run.clock.now,
            seconds_after_end=None if plan.results.seconds is None else 1.0,
            sources=run.engine.sources,
            on_go=conductor.go,
            on_skip=conductor.skip,
            on_marker=running.stage.mark,
            on_take=running.take_offered if run.sources.offers is not None else None,
            on_next_offer=run.sources.offers.show_next if run.sources.offers is not None else None,
            notices=run.sources.notices,
            recording=running.record.status if running.record.recording else None,
            blinded=plan.protocol.allocation is not None,
            zones=_zones(run.engine.space),
            participant=running.participant if seen else None,
            screen=None if plan.protocol.preview else plan.protocol.screen,
        )
    finally:
        running.stop.set()
        thread.join()
    if failure:
        raise failure[0]
    return result[0]
