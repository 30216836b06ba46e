"""Runs a session with a window or on the terminal, and writes what it finds."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

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
    """Where the results go: a window called ``title`` or, ``headless``, the terminal; and the folder ``out``.

    ``about`` is what ``session.json`` says of the session, ``banner`` what the window says of it. A session of a given
    number of ``steps`` closes its window at the end.
    """

    title: str
    headless: bool
    out: Path | None = None
    banner: str | None = None
    about: dict[str, Any] = field(default_factory=dict)
    steps: int | None = None


def run_session(engine: Engine, clock: Clock, outputs: Outputs, console: Console) -> int:
    """Run to the end, or until the window is closed or Ctrl-C is pressed; return the number of steps.

    Raises
    ------
    RtaffectError
        If the session could not go on; what was found until then is on disk.
    """
    headless = outputs.headless
    if not headless and not has_screen():
        console.print("there is no screen here: results go to the terminal, as with --headless", style="dim")
        headless = True
    folder = SessionFolder(outputs.out, outputs.about) if outputs.out is not None else None
    sinks: list[Sink] = [folder] if folder else []
    run = _run_on_terminal if headless else _run_with_window
    outcome = "failed"
    try:
        steps = run(engine, clock, outputs, sinks, console)
        outcome = "completed"
    except KeyboardInterrupt:
        outcome = "stopped by the user"
        raise
    finally:
        if folder:
            folder.close(outcome)
    return steps


def _run_on_terminal(engine: Engine, clock: Clock, outputs: Outputs, sinks: list[Sink], console: Console) -> int:
    with ConsoleSink(console) as shown:
        return Session(engine, clock, [*sinks, shown], threading.Event(), outputs.steps).run()


def _run_with_window(engine: Engine, clock: Clock, outputs: Outputs, sinks: list[Sink], _: Console) -> int:
    """Run the engine on a thread of its own while the window has this one."""
    presenter, stop = Presenter(), threading.Event()
    session = Session(engine, clock, [*sinks, presenter.add], stop, outputs.steps)
    result: list[int] = []
    failure: list[BaseException] = []

    def work() -> None:
        try:
            result.append(session.run())
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
            now=clock.now,
            seconds_after_end=None if outputs.steps is None else 1.0,
        )
    finally:
        stop.set()
        thread.join()
    if failure:
        raise failure[0]
    return result[0]
