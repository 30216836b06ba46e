"""Runs a session with a window or on the terminal, and writes what it finds."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from rich.console import Console

from rtaffect.cli.options import Results
from rtaffect.clock import Clock
from rtaffect.engine import Engine
from rtaffect.errors import RtaffectError
from rtaffect.session import Session, Sink
from rtaffect.sinks.console import ConsoleSink
from rtaffect.sinks.table import SessionFolder
from rtaffect.view import has_screen, run_window
from rtaffect.view.presenter import Presenter


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where the results go and what is said of the session.

    ``title`` and ``banner`` stand in the window, ``about`` in ``session.json``. A session of a given number of seconds
    closes its window at the end.
    """

    title: str
    results: Results
    banner: str | None = None
    about: dict[str, Any] = field(default_factory=dict)


def run_session(engine: Engine, clock: Clock, outputs: Outputs, console: Console) -> int:
    """Run to the end, or until the window is closed or Ctrl-C is pressed; return the number of steps.

    Raises
    ------
    RtaffectError
        If the session could not go on; what was found until then is on disk.
    """
    headless = outputs.results.headless
    if not headless and not has_screen():
        console.print("there is no screen here: results go to the terminal, as with --headless", style="dim")
        headless = True
    folder = SessionFolder(out, outputs.about) if (out := outputs.results.out) is not None else None
    sinks: list[Sink] = [folder] if folder else []
    stop = threading.Event()
    run = _run_on_terminal if headless else _run_with_window
    outcome = "failed"
    try:
        steps, outcome = run(Session(engine, clock, sinks, stop, outputs.results.seconds), outputs, console)
    finally:
        if folder:
            folder.close(outcome)
    return steps


def _run_on_terminal(session: Session, _: Outputs, console: Console) -> tuple[int, str]:
    with ConsoleSink(console) as shown, _interrupt_sets(session.stop):
        return _run(replace(session, sinks=[*session.sinks, shown]))


def _run(session: Session) -> tuple[int, str]:
    """Run to the end and return the number of steps and how it ended."""
    steps = session.run()
    return steps, "stopped by the user" if session.stop.is_set() else "completed"


@contextmanager
def _interrupt_sets(stop: threading.Event) -> Iterator[None]:
    """Let Ctrl-C end the session after the present step, not in the middle of one."""
    previous = signal.signal(signal.SIGINT, lambda *_: stop.set())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _run_with_window(session: Session, outputs: Outputs, _: Console) -> tuple[int, str]:
    """Run the engine on a thread of its own while the window has this one."""
    presenter, stop = Presenter(), session.stop
    shown = replace(session, sinks=[*session.sinks, presenter.add])
    result: list[tuple[int, str]] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            result.append(_run(shown))
            presenter.end("the session has ended")
        except BaseException as error:
            failure.append(error)
            presenter.fail(str(error) if isinstance(error, RtaffectError) else repr(error))

    thread = threading.Thread(target=work, name="engine")
    thread.start()
    try:
        run_window(
            presenter,
            title=outputs.title,
            banner=outputs.banner,
            on_close=stop.set,
            now=session.clock.now,
            seconds_after_end=None if outputs.results.seconds is None else 1.0,
        )
    finally:
        stop.set()
        thread.join()
    if failure:
        raise failure[0]
    return result[0]
