"""Sessions one after another, as other programs start and stop them: LabRecorder's remote control, and more."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from rich.console import Console

from rtaffect.common.errors import NotKeptError, RtaffectError, StreamError, setting
from rtaffect.common.places import check_new_folder
from rtaffect.common.signals import Ending, ending_signals
from rtaffect.observed.contact import HeadsetContact
from rtaffect.outputs.console import warnings_shown
from rtaffect.plan.programs_plan import Address
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.run.recipe import Prepared, find, noting, run_plan
from rtaffect.run.remote_desk import RemoteDesk
from rtaffect.run.remote_server import RemoteServer, read_token
from rtaffect.run.remote_talk import Talk
from rtaffect.run.remote_view import SessionView
from rtaffect.run.runners import WindowRunner
from rtaffect.run.running import STOPPED, RunningSession, run_session

#: Where sessions go if nothing is said.
_ROOT: Final = Path("sessions")
#: What was found longer ago than this, s, is looked for again before a session is given up that cannot begin with it.
_FRESH_S: Final = 5.0


def run_sessions(
    plan: SessionPlan, console: Console, show: WindowRunner, checked: Sequence[HeadsetContact] = ()
) -> None:
    """Run the session of a plan; where other programs control it, as many as they start.

    ``checked`` is what a contact check before it found.

    Raises
    ------
    RtaffectError
        As :func:`rtaffect.run.recipe.run_plan`; of sessions that programs start, if nothing can be served or prepared
        at all, or one was not kept.
    """
    if plan.programs.remote is None:
        run_plan(plan, console, show, checked)
        return
    address = Address.parse(plan.programs.remote)
    token = read_token(address, plan.programs.remote_token)
    root = plan.results.out or _ROOT
    check_new_folder(root, setting("out"))
    desk = RemoteDesk(root, plan.participant)
    with RemoteServer(address, lambda: Talk(desk, token)):
        console.print(
            f"remote control at {address}; each session gets a folder in {root}", style="dim", highlight=False
        )
        if plan.programs.at_once:
            desk.begin_at_once()
        try:
            _Remote(plan, console, show, desk).run()
        finally:
            desk.close()


class _Remote:
    """Runs what is asked for at the ``desk``, on the main thread, until the operator ends it."""

    def __init__(self, plan: SessionPlan, console: Console, show: WindowRunner, desk: RemoteDesk) -> None:
        self._plan, self._console, self._show, self._desk = plan, console, show, desk
        self._prepared_before = False
        self._not_kept: NotKeptError | None = None
        self._ending = Ending(threading.Event())

    def run(self) -> None:
        """Prepare, wait and run, again and again; raises what keeps it from being prepared at all."""
        with warnings_shown(self._console), ending_signals(self._ending.ask):
            # At any time: what is being prepared is let go when it is, and a session has its own way to end.
            while not self._ending.stop.is_set():
                with ExitStack() as cleanup:
                    self._one(cleanup)
        if self._not_kept is not None:
            raise self._not_kept

    def _one(self, cleanup: ExitStack) -> None:
        """Prepare a session, and run it when a program starts it."""
        participant, found = self._desk.participant, self._find(cleanup)
        prepared_at = time.monotonic()
        arms = found is not None and found.sources.setup.protocol is not None and found.sources.setup.protocol.arms
        # What the participant is shown was chosen by the code.
        do = self._desk.wait(self._ending.stop.is_set, lambda: bool(arms) and self._desk.participant != participant)
        if do == "start" and found is not None:
            self._run(found, cleanup, time.monotonic() - prepared_at > _FRESH_S)

    def _find(self, cleanup: ExitStack) -> Prepared | None:
        """Find what the session is made of; None where something is missing, which may come."""
        self._desk.preparing()
        note, cost = noting(self._console)
        plan = self._plan.model_copy(update={"participant": self._desk.participant})
        try:
            with self._console.status("getting ready") as status:
                found = find(plan, cleanup, status.update, note, cost)
        except RtaffectError as error:
            if not self._prepared_before and not isinstance(error, StreamError):
                raise
            self._tell(f"{error}; `update` looks again")
            self._desk.not_ready(str(error))
            return None
        self._prepared_before = True
        headsets = [source.info.name for source in found.sources.people]
        self._desk.ready(headsets)
        self._console.print(f"ready with {', '.join(headsets)}: waiting for `start`", style="dim", highlight=False)
        return found

    def _run(self, found: Prepared, cleanup: ExitStack, old: bool) -> None:
        """Run the session that was prepared; where it cannot begin with what was found long ago, look again."""
        sources, held = found.sources, _Held(self._desk, self._ending.stop)
        note, _ = noting(self._console)
        try:
            folder = self._desk.folder()
            sources.goes_into(folder, self._desk.participant)
            run = found.begin(cleanup, lambda _: None)
            # Before there is a folder, and before anybody is told that it begins: what cannot be connected to is told.
            for source in run.engine.sources:
                cleanup.callback(source.stop)
                source.start()
            sources.play(run.engine, cleanup, note)
            run_session(run, self._console, self._show, held)
        except NotKeptError as error:
            self._not_kept = self._not_kept or error
            held.trouble = str(error)
            self._tell(str(error))
        except RtaffectError as error:
            if held.view is None:
                again = old and isinstance(error, StreamError)
                self._desk.failed("" if again else str(error), again=again)
                if not again:
                    self._tell(str(error))
                return
            held.trouble = str(error)
            self._tell(str(error))
        # Its files are whole only when all is closed.
        cleanup.close()
        asked = self._desk.ended(held.told())
        if held.outcome == STOPPED and not asked:
            self._ending.stop.set()
        if said := sources.ended(held.steps):
            self._tell(said)

    def _tell(self, words: str) -> None:
        self._console.print(words, style="yellow", highlight=False, markup=False, soft_wrap=True)


class _Held:
    """A session in the hands of the desk: what is known of it while it runs, and when it has ended."""

    def __init__(self, desk: RemoteDesk, over: threading.Event) -> None:
        self._desk, self._over = desk, over
        self.view: SessionView | None = None
        self.outcome = "failed"
        self.trouble = ""

    def began(self, running: RunningSession) -> None:
        """Let programs see the session."""
        self.view = SessionView(running)
        self._desk.began(self.view)
        if self._over.is_set():
            # The end was asked for while it was being begun.
            running.stop.set()

    def ended(self, outcome: str) -> None:
        """Take how it ended."""
        self.outcome = outcome

    @property
    def steps(self) -> int:
        """How many it had."""
        return self.view.steps if self.view is not None else 0

    def told(self) -> dict[str, object]:
        """Return what is told of it afterwards."""
        folder = self.view.folder if self.view is not None else ""
        return {"folder": folder, "outcome": self.outcome, "steps": self.steps, "trouble": self.trouble}
