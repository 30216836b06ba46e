"""Runs a session with a window or on the terminal: engine, protocol, recording, outlets, participant's view."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from rich.console import Console

from rtaffect.common.errors import RtaffectError
from rtaffect.common.keyboard import can_type, keyboard
from rtaffect.common.screen import has_screen
from rtaffect.common.signals import Ending, ending_signals
from rtaffect.engine.feedback import Feedback
from rtaffect.engine.patience import Patience
from rtaffect.engine.session import Session, Sink
from rtaffect.outputs.affect_outlet import AffectOutlet
from rtaffect.outputs.console import console_sink
from rtaffect.outputs.element_outlet import ElementOutlet
from rtaffect.outputs.measure_outlet import MeasureOutlet
from rtaffect.outputs.outlet import FeedbackOutlet, MarkerOutlet, new_session_id
from rtaffect.outputs.tone import Tone
from rtaffect.present.participant_state import ParticipantPresenter
from rtaffect.present.protocol_state import PlannedBlock
from rtaffect.present.session_presenter import Presenter
from rtaffect.protocol.conductor import Conductor
from rtaffect.protocol.event import SessionEvent
from rtaffect.protocol.measured import reach_in
from rtaffect.protocol.model import Protocol as SessionProtocol
from rtaffect.protocol.model import open_ended
from rtaffect.protocol.protocol_step import ProtocolStep
from rtaffect.record.recorder import RecordingStatus
from rtaffect.run.film import require_view
from rtaffect.run.incidents import Incidents
from rtaffect.run.noticing import noticing
from rtaffect.run.osc_out import OscOut
from rtaffect.run.page import serve_page
from rtaffect.run.programme import Programme
from rtaffect.run.runners import Control, WindowRunner, require_no_operator
from rtaffect.run.safety import Alarm, Guarded
from rtaffect.run.session_record import SessionRecord
from rtaffect.run.session_sources import Run
from rtaffect.run.slider import slider_of
from rtaffect.run.stage import Stage
from rtaffect.run.summary import Summary
from rtaffect.run.typed_keys import TypedKeys
from rtaffect.run.window_parts import join, operator_calls, seen_of

#: How a session ended that was asked to.
STOPPED: Final = "stopped by the user"
#: A device may need so much longer than it usually does, s.
LATER_S: Final = 0.3

Told = TypeVar("Told")


def run_session(run: Run, console: Console, show: WindowRunner, control: Control[RunningSession] | None = None) -> int:
    """Run to the end, or until the window is closed or a signal asks for it; return the number of steps.

    Ctrl-C, the end of the terminal and a kill without -9 end a session in order; a second one leaves off what is being
    done, and closes the files. ``control`` is another program that can end it and lead its protocol.

    Raises
    ------
    RtaffectError
        If the session could not go on; what was found until then is on disk.
    NotKeptError
        If the session ended, but not all of it is where it was to be.
    """
    headless = run.sources.plan.results.headless
    if not headless and not has_screen():
        console.print("there is no screen here: results go to the terminal, as with --headless", style="dim")
        headless = True
    if headless and control is None:
        require_no_operator(run.sources.setup, typing=can_type(console))
        if run.sources.setup.projector is not None and run.sources.setup.protocol is not None:
            require_view(run.sources.setup.protocol, run.sources.plan, headless=True)
    ending, outcome = Ending(threading.Event()), "failed"
    with ending_signals(ending.ask), ExitStack() as cleanup:
        record = SessionRecord.open(run, cleanup, console)
        for markers in run.sources.markers:
            cleanup.callback(markers.stop)
            markers.start()
        running = RunningSession(run, record, ending.stop, cleanup)
        if running.page is not None:
            console.print(f"a page to watch: {running.page.url}", style="dim", highlight=False, soft_wrap=True)
        summary = Summary(run.engine.settings, blocks=run.sources.setup.protocol is not None)
        running.sinks.append(summary)
        try:
            if control is not None:
                control.began(running)
            outcome = _on_terminal(running, console) if headless else _with_window(running, show)
        except KeyboardInterrupt:
            outcome = STOPPED
        finally:
            ending.stop.set()
            record.close(outcome)
            if control is not None:
                control.ended(outcome)
    for line in summary.words:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    record.require_kept()
    return running.steps


class RunningSession:
    """All that takes part in a session while it runs; ``stop`` ends it, ``cleanup`` its outlets, player and tone."""

    def __init__(self, run: Run, record: SessionRecord, stop: threading.Event, cleanup: ExitStack) -> None:
        self.run, self.record, self.stop, self.steps = run, record, stop, 0
        self.plan, self.setup = run.sources.plan, run.sources.setup
        setup, engine = self.setup, run.engine
        protocol = setup.protocol or open_ended()
        window_s = reach_in(protocol.feedback, engine)
        level = engine.settings.synchrony.null_level if engine.rated is None else None
        conductor = Conductor(protocol, setup.arm, window_s, follow=setup.follow, null_level=level)
        programme = setup.programme or Programme(protocol)
        self.alarm = Alarm(record.timings, run.clock.now, self.plan.results.late_s, engine.lookahead_s, self._fault)
        self.participant = ParticipantPresenter(
            protocol.feedback.show,
            age=lambda step: run.clock.now() - engine.end_of(step),
            on_seen=partial(self.alarm.left, "seen"),
            film=setup.projector,
            slider=slider_of(run.sources),
        )
        self.on_event: list[Callable[[SessionEvent], None]] = [self._guard("writing an event", record.event)]
        on_protocol_step: list[Callable[[ProtocolStep], None]] = [
            self._guard("writing a step of the protocol", record.protocol_step),
            self.participant.add,
            self._rests,
        ]
        self.incidents = Incidents(engine, self._tell)
        looks: Sink = self._guard("looking for incidents", self.incidents)
        self.sinks: list[Sink] = [self._guard("writing a step", record.feedback), looks]
        self._tell_others(cleanup, on_protocol_step)
        self.tone = self._tone(protocol)
        if self.tone is not None:
            on_protocol_step.append(self._guard("the feedback tone", self.tone))
        self.on_protocol_step = on_protocol_step
        self._end_with(cleanup)
        self.stage = Stage(
            conductor,
            engine.origin,
            sounds=record.with_files(programme.sounds),
            programme=programme.source,
            lock=programme.lock,
            player=setup.player,
            on_protocol_step=on_protocol_step,
            on_event=self.on_event,
            now=run.clock.now,
            stop=stop,
            projector=setup.projector,
            told=setup.told,
        )
        if self.tone is not None:
            self.tone.tell = self.stage.fault

    def _tell_others(self, cleanup: ExitStack, on_protocol_step: list[Callable[[ProtocolStep], None]]) -> None:
        """Tell other programs of the session, as far as that is asked for: by LSL first, which takes no thread."""
        if self.plan.programs.osc:
            self._offer_osc(cleanup)
        if self.plan.results.outlet and self.plan.mode != "replay":
            self._offer(cleanup)
        sources = self.run.sources
        self.page = serve_page(self.run, lambda: [self.record.trouble, *sources.notices()], cleanup)
        if self.page is not None:
            self.sinks.append(self._guard("telling the page of a step", self.page.step))
            on_protocol_step.append(self.page.protocol_step)
            self.on_event.append(self.page.event)

    def _end_with(self, cleanup: ExitStack) -> None:
        """Let what is heard and seen end with the session, and keep which frames of films were seen."""
        if self.tone is not None:
            cleanup.callback(self.tone.stop)
        if self.setup.player is not None:
            cleanup.callback(self.setup.player.stop)
        if self.setup.projector is not None:
            cleanup.callback(self.setup.projector.stop)
            self.sinks.append(self._guard("writing the film's frames", self._frames))

    def status(self) -> RecordingStatus:
        """Return how the recording is, and what else is in trouble."""
        status = self.record.status()
        tone = self.tone.trouble if self.tone is not None else ""
        return replace(status, trouble="; ".join(filter(None, [status.trouble, tone])))

    def _frames(self, _: object = None) -> None:
        """Write which frames of films were seen since the last step."""
        if self.setup.projector is not None:
            self.record.frames(self.setup.projector.take())

    def _guard(self, name: str, sink: Callable[[Told], object]) -> Callable[[Told], None]:
        return Guarded(name, sink, self._fault)

    def _fault(self, text: str) -> None:
        """Tell that something goes wrong now; from any thread."""
        now = self.run.clock.now()
        self._tell(SessionEvent(now - self.run.engine.origin, now, "fault", text))

    def _tell(self, event: SessionEvent) -> None:
        for sink in self.on_event:
            sink(event)

    def _offer(self, cleanup: ExitStack) -> None:
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
        for what, outlet in self._own_outlets(about, session):
            cleanup.callback(outlet.close)
            self.sinks.insert(0, self._guard(f"sending {what} to other programs", outlet))
        cleanup.callback(markers.close)

        def send_step(step: Feedback) -> None:
            feedback(step)
            self.alarm.left("lsl", step.step)

        def send(event: SessionEvent) -> None:
            if (text := event.marker) is not None:
                markers.send(text, event.lsl_time)

        # Before all else, so that no disk keeps other programs waiting.
        self.sinks.insert(0, self._guard("sending a step to other programs", send_step))
        self.on_event.append(self._guard("sending a marker to other programs", send))

    def _own_outlets(
        self, about: Mapping[str, object], session: str
    ) -> Iterator[tuple[str, MeasureOutlet | AffectOutlet | ElementOutlet]]:
        """Yield the outlets of what not every session has, each with what it sends."""
        engine = self.run.engine
        if measured := engine.measures.described:
            yield "own measures", MeasureOutlet(measured, about=about, session=session)
        if (read := engine.affect.described) is not None:
            yield "affect", AffectOutlet(read.people, about=about, session=session)
        if (stage := engine.elements) is not None:
            yield "predictions of elements", ElementOutlet(engine.space, stage.elements, about=about, session=session)

    def _offer_osc(self, cleanup: ExitStack) -> None:
        """Send feedback and markers by OSC."""
        sent = OscOut(self.plan.programs, cleanup, self.run.engine.settings, self.run.clock.now, self._fault)
        self.sinks.insert(0, self._guard("sending a step by OSC", sent.step))
        self.on_event.append(self._guard("sending a marker by OSC", sent.event))

    def _tone(self, protocol: SessionProtocol) -> Tone | None:
        """Return the tone, where that is the feedback; a replay is silent."""
        if protocol.feedback.show != "tone" or self.plan.mode == "replay":
            return None
        if not any(block.kind == "feedback" for block in protocol.blocks):
            return None
        return Tone(self.plan.protocol.tone_device)

    def _rests(self, step: ProtocolStep) -> None:
        """Let affect know whether people rest in the next second."""
        self.run.engine.affect.rests(step.phase == "running" and step.kind == "rest")

    def take_offered(self) -> None:
        """Take the headset that is offered for one that is lost, and note that; from any thread."""
        offers = self.run.sources.offers
        if offers is not None and (taken := offers.take()):
            self.stage.mark(f"taken: {taken}")

    def session(self, *shown: Sink) -> Session:
        """Return what turns the engine."""
        steps = self.run.sources.steps
        latencies = [source.info.about.latency_s or 0.0 for source in self.run.engine.sources]
        return Session(
            self.run.engine,
            self.run.clock,
            [*self.sinks, *(self._guard("showing a step", sink) for sink in shown), self.stage],
            self.stop,
            min(filter(None, (steps, self.plan.results.seconds)), default=None),
            outlast=steps is not None,
            timings=self.record.timings,
            patience=Patience(self.plan.eeg.patience_s, max(latencies, default=0.0) + LATER_S, self._fault),
        )

    def work(self, *shown: Sink) -> str:
        """Run to the end, which the events tell whatever it is, and return how it ended."""
        session = self.session(*shown)
        if self.setup.player is not None:
            self.setup.player.doubts = self.run.engine.place
            self.setup.player.start()
        if self.tone is not None:
            self.tone.start()
        self.stage.begin()
        speaker = self.run.sources.speaker
        if speaker is not None:
            speaker.tell = self.stage.fault
        try:
            for _ in session:
                self.steps += 1
        finally:
            if speaker is not None:
                speaker.tell = None
                self.record.note(played=speaker.counts)
            if self.tone is not None:
                self.tone.tell = None
            if self.setup.projector is not None:
                self._frames()
                self.record.note(film=self.setup.projector.counts)
            self.incidents.end()
            self.stage.end(float(self.steps) if self.plan.mode == "replay" else None)
        over = self.stage.conductor.done or not self.stop.is_set()
        return "completed" if over else STOPPED


def _on_terminal(running: RunningSession, console: Console) -> str:
    def print_fault(event: SessionEvent) -> None:
        if event.type == "fault":
            console.print(f"{event.onset:.1f} s: {event.name}", style="yellow", highlight=False, markup=False)

    if running.plan.results.out is None:
        # Else the session's log tells.
        running.on_event.append(print_fault)
    keys = None
    if can_type(console):
        led = running.setup.protocol is not None
        keys = TypedKeys(running.stage, running.stop.set, running.run.clock.now, protocol=led)
        running.on_protocol_step.extend([keys.protocol_step] if led else [])
    with console_sink(console, lambda: running.record.trouble, keys) as shown, keyboard(keys.press if keys else None):
        return running.work(shown, noticing(running.run.sources, console))


def _plan_blocks(running: RunningSession, presenter: Presenter) -> None:
    """Let the window know the protocol, if there is one."""
    if running.setup.protocol is not None:
        blocks = running.setup.protocol.blocks
        presenter.plan([PlannedBlock(b.name, b.kind, math.nan if b.seconds is None else b.seconds) for b in blocks])
        running.on_protocol_step.append(presenter.add_protocol_step)


def _presenter_of(running: RunningSession) -> Presenter:
    settings, painted = running.run.engine.settings, partial(running.alarm.left, "painted")
    how = settings.synchrony
    presenter = Presenter(window_s=how.window_s, drift=settings.drift, synchrony=how, on_painted=painted)
    _plan_blocks(running, presenter)
    return presenter


def _with_window(running: RunningSession, show: WindowRunner) -> str:
    """Run the engine on a thread of its own while the window has this one."""
    run = running.run
    presenter = _presenter_of(running)
    result, failure = list[str](), list[BaseException]()

    def work() -> None:
        try:
            result.append(running.work(presenter.add))
            presenter.end("the session has ended")
        except BaseException as error:
            failure.append(error)
            presenter.fail(str(error) if isinstance(error, RtaffectError) else repr(error))

    # Where the user cannot wait for the end of a step, it must not hold the program.
    thread = threading.Thread(target=work, name="engine", daemon=True)
    thread.start()
    plan, conductor, offers = running.plan, running.stage.conductor, run.sources.offers
    try:
        show(
            presenter,
            title=run.sources.title,
            banner=run.banner,
            on_close=running.stop.set,
            now=run.clock.now,
            # Where another program may start the next one, nobody need close this one's.
            seconds_after_end=None if plan.results.seconds is None and plan.programs.remote is None else 1.0,
            sources=run.engine.sources,
            on_go=conductor.go,
            on_skip=conductor.skip,
            on_marker=running.stage.mark,
            operator=operator_calls(running.stage),
            on_take=running.take_offered if offers is not None else None,
            on_next_offer=offers.show_next if offers is not None else None,
            notices=run.sources.notices,
            recording=running.status if running.record.recording else None,
            blinded=plan.protocol.allocation is not None,
            plane_first=run.is_of_affect_alone,
            **seen_of(run.engine),
            tour=plan.mode == "demo",
            participant=running.participant if plan.protocol.screen is not None or plan.protocol.preview else None,
            screen=None if plan.protocol.preview else plan.protocol.screen,
        )
    finally:
        running.stop.set()
        join(thread)
    if failure:
        raise failure[0]
    return result[0] if result else STOPPED
