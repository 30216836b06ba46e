"""The page to watch a session: what happens in it is made events on a thread of its own, so that no step waits."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final

from rtaffect.common.text import clean
from rtaffect.common.worker import Worker
from rtaffect.engine.feedback import Feedback
from rtaffect.outputs.page_feed import PageFeed
from rtaffect.outputs.page_server import PageServer
from rtaffect.plan.programs_plan import PAGE_PORT, Address, ProgramsPlan
from rtaffect.present.page_state import block_told, now_told, rows_told, step_told
from rtaffect.present.protocol_state import ProtocolState, for_operator
from rtaffect.present.session_state import STALL_S
from rtaffect.protocol.event import SessionEvent
from rtaffect.protocol.protocol_step import ProtocolStep
from rtaffect.run.agreeing import MeanAgreement
from rtaffect.run.serving import cannot_serve
from rtaffect.run.session_sources import Run
from rtaffect.run.token import read_token

_log = logging.getLogger(__name__)

#: Where a token stands that is not in a file.
TOKEN_VARIABLE: Final = "RTAFFECT_PAGE_TOKEN"
#: Steps and blocks that wait to be made events at most; beyond, the oldest are left out, and counted.
MOST_WAITING: Final = 256
#: The marker that a session ends with.
SESSION_END: Final = "session/end"
#: Faults that are told, the newest.
_FAULTS: Final = 6
_WAIT_S: Final = 0.5


def page_token(plan: ProgramsPlan) -> str:
    """Return what opens the page of a plan; '' for nothing. Raises SettingsError if one is needed and not given."""
    if plan.page is None:
        return ""
    address = Address.parse(plan.page)
    return read_token(address, plan.page_token, "page", TOKEN_VARIABLE, "everybody on the network could watch")


def check_page(plan: ProgramsPlan) -> None:
    """Refuse a page that cannot be served, before any work is done; raises SettingsError."""
    page_token(plan)
    if plan.page is not None:
        address = Address.parse(plan.page)
        with _told(address):
            PageServer.check(*address)


@contextmanager
def _told(address: Address) -> Iterator[None]:
    """Tell why a page cannot be served."""
    try:
        yield
    except (OSError, UnicodeError) as error:
        raise cannot_serve("page", address, error) from None


def serve_page(run: Run, trouble: Callable[[], Sequence[str]], cleanup: ExitStack) -> PageOut | None:
    """Serve the page of a session, if that is asked for, until the ``cleanup``; parameters are those of PageOut."""
    if run.sources.plan.programs.page is None:
        return None
    page = PageOut(run, trouble)
    cleanup.callback(page.close)
    return page


class PageOut:
    """Serves the page of a session until it is closed: takes steps, blocks and events from the session's threads.

    Parameters
    ----------
    run
        The session.
    trouble
        Returns what is wrong outside the steps, in words; asked on the page's own thread.

    Attributes
    ----------
    dropped : int
        Steps that were not made events because too many waited.

    Raises
    ------
    SettingsError
        If it cannot be served.
    """

    def __init__(self, run: Run, trouble: Callable[[], Sequence[str]]) -> None:
        self._run, self._trouble, plan = run, trouble, run.sources.plan
        settings = run.engine.settings
        self._agreement = MeanAgreement(settings.synchrony.window_s, settings.drift)
        self._waiting: deque[Feedback | ProtocolState] = deque(maxlen=MOST_WAITING)
        self._faults: deque[str] = deque(maxlen=_FAULTS)
        self._lock, self._rows, self.dropped = threading.Lock(), 0, 0
        self._ended, self._end_told = "", False
        self.feed = PageFeed()
        address = Address.parse(plan.programs.page or str(PAGE_PORT))
        with _told(address):
            self._server = PageServer(*address, self.feed, page_token(plan.programs))
        #: Where this computer's own browser opens it; where all addresses are served, by one of them.
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address.host, address.host)
        self.url = f"http://{Address(host, self._server.port)}/"
        self.feed.put("about", self._about())
        self._worker = Worker("page events", self._work)
        self._worker.start()

    def step(self, feedback: Feedback) -> None:
        """Take a step; never waits."""
        self._take(feedback)

    def protocol_step(self, step: ProtocolStep) -> None:
        """Take where the protocol is, if there is one; what the participant is shown goes no further than here."""
        if self._run.sources.setup.protocol is not None:
            self._take(for_operator(step))

    def event(self, event: SessionEvent) -> None:
        """Take an event, of which faults and the session's end are told; from any thread."""
        if event.type == "fault":
            self._faults.append(f"{event.onset:.0f} s: {event.name}")
        elif event.type == "marker" and event.name == SESSION_END:
            self.end("the session has ended")

    def end(self, words: str) -> None:
        """Say that the session has ended, when all of it has been told."""
        self._ended = self._ended or words
        self._worker.wake()

    def close(self) -> None:
        """Let all watchers go; may be called twice."""
        self.end("the session has ended")
        self._worker.stop(timeout=4 * _WAIT_S)
        self._server.close()

    def _about(self) -> dict[str, Any]:
        run, plan = self._run, self._run.sources.plan
        return {
            "session": secrets.token_hex(8),
            "title": clean(run.sources.title, 120),
            "participant": plan.participant or "",
            "banner": clean(run.banner or "", 200),
            "mode": plan.mode,
            "window_s": run.engine.settings.synchrony.window_s,
            # A step that is older, counted from the end of its window, is not how things are now.
            "stale_s": run.engine.lookahead_s + STALL_S,
            "protocol": run.sources.setup.protocol is not None,
        }

    def _take(self, what: Feedback | ProtocolState) -> None:
        with self._lock:
            self.dropped += len(self._waiting) == MOST_WAITING
            self._waiting.append(what)
        self._worker.wake()

    def _work(self) -> None:
        while not self._worker.stopping:
            self._tell_waiting()
            with self._worker.changed:
                self._worker.changed.wait_for(
                    lambda: self._worker.stopping or self._waiting or (self._ended and not self._end_told), _WAIT_S
                )
        self._tell_waiting()

    def _tell_waiting(self) -> None:
        while self._waiting:
            with self._lock:
                what = self._waiting.popleft()
            try:
                self._tell(what)
            except Exception:
                # One step that cannot be told must not end all others.
                _log.exception("page: a step cannot be told")
        if self._ended and not self._end_told:
            self._end_told = True
            self.feed.put("end", {"words": self._ended})

    def _tell(self, what: Feedback | ProtocolState) -> None:
        if isinstance(what, ProtocolState):
            self.feed.put("block", block_told(what))
            return
        rows = hash((what.rows, what.row_kinds))
        if rows != self._rows:
            self._rows = rows
            self.feed.put("rows", rows_told(what))
        self._agreement(what)
        self.feed.put("step", step_told(what), keep=True)
        if self._waiting:
            # The next one is told at once: this is not how things are now.
            return
        now = now_told(what, self._told_trouble())
        found = "" if what.rating is not None else self._agreement.now().text
        self.feed.put("now", now | {"agreement": found, "dropped": self.dropped} | self._age(what))

    def _age(self, feedback: Feedback) -> dict[str, float]:
        """Return how old the step's window is, s, and when that was said, s on this computer's monotonic clock."""
        return {"age_s": round(self._run.clock.now() - feedback.lsl_time, 3), "made": time.monotonic()}

    def _told_trouble(self) -> list[str]:
        found: list[str] = []
        with suppress(Exception):
            found += self._trouble()
        return [*found, *self._faults]
