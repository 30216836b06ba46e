"""Where programs that control sessions meet the one that runs them: what was asked for, and what became of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Literal

from rtaffect.common.errors import SettingsError
from rtaffect.run.remote_names import Naming
from rtaffect.run.remote_talk import BlockWord
from rtaffect.run.remote_view import SessionView

_log = logging.getLogger(__name__)

#: preparing: streams are looked for; not ready: something is missing; ready: `start` begins a session; starting: it is
#: being begun; running; ending: its files are being closed; closed: the program ends.
State = Literal["preparing", "not ready", "ready", "starting", "running", "ending", "closed"]
#: What whoever runs sessions is to do.
Do = Literal["start", "look", "end"]
#: It is looked so often whether the operator has asked for the end, s.
_LOOK_S: Final = 0.2


class _Asked:
    """A start that was asked for: ``told`` of it once it is ``done``, or why it was ``refused``."""

    def __init__(self) -> None:
        self.done = False
        self.told: dict[str, Any] = {}
        self.refused = ""


class RemoteDesk:
    """All that is asked and told from any thread; one that asks waits for what becomes of it.

    Parameters
    ----------
    root
        The folder that sessions get theirs in.
    participant
        Whose code they have where no program says another.
    """

    def __init__(self, root: Path, participant: str | None) -> None:
        self.root, self._planned = root, participant
        self._changed = threading.Condition()
        self._state: State = "preparing"
        self._naming = Naming()
        self._start: _Asked | None = None
        self._look = self._stopped = False
        self._view: SessionView | None = None
        self._ended, self._last = 0, dict[str, Any]()
        self._words, self._headsets = "", list[str]()

    # What programs ask for.

    def start(self) -> dict[str, Any]:
        """Begin a session, and wait until it has begun; raises SettingsError if it cannot."""
        with self._changed:
            if self._state in ("starting", "running") or self._start is not None:
                raise SettingsError("a session runs already, or is being started", remedy="send stop before")
            asked = self._ask()
            self._changed.wait_for(lambda: asked.done)
        if asked.refused:
            raise SettingsError(asked.refused)
        return asked.told

    def stop(self) -> dict[str, Any]:
        """End the session, and wait until all of it is on disk; one that is not begun yet does not begin."""
        with self._changed:
            if self._start is not None and self._state not in ("starting", "running"):
                self._resolve(refused="it was stopped before it began")
                return {"note": "the session had not begun"}
            self._changed.wait_for(lambda: self._state != "starting")
            ended = self._ended
            if self._state == "running" and self._view is not None:
                self._state, self._stopped = "ending", True
                self._view.stop()
            if self._state != "ending":
                return {"note": "no session ran"}
            self._changed.wait_for(lambda: self._ended > ended or self._state == "closed")
            return dict(self._last)

    def look(self) -> dict[str, Any]:
        """Look for streams anew, where no session runs."""
        with self._changed:
            self._look = self._state in ("ready", "not ready")
            self._changed.notify_all()
            return {"state": self._state}

    def name(self, line: str) -> dict[str, Any]:
        """Take names for the next session; raises SettingsError if there are none in the line."""
        with self._changed:
            self._naming = self._naming.with_line(line)
            self._changed.notify_all()
            folder, notes = self._naming.folder(self.root, self._planned), self._naming.notes(self.root)
        for words in notes:
            # LabRecorder's scripts do not read what they are answered.
            _log.warning("filename: %s", words)
        return {"folder": str(folder), "notes": notes}

    def mark(self, text: str, arrived: float) -> dict[str, Any]:
        """Note a marker that came at a time, s on the LSL clock; raises SettingsError where no session runs."""
        return self._running("mark").mark(text, arrived)

    def note(self, text: str, arrived: float) -> dict[str, Any]:
        """Keep a note of a time, s on the LSL clock; raises SettingsError where no session runs."""
        return self._running("note").note(text, arrived)

    def block(self, what: BlockWord) -> dict[str, Any]:
        """Lead the protocol, as :meth:`SessionView.block` does; raises SettingsError where that is impossible."""
        return self._running(f"block {what}").block(what)

    def status(self) -> dict[str, Any]:
        """Return how everything is."""
        with self._changed:
            state, view = self._state, self._view
            told: dict[str, Any] = {"ok": True, "state": state, "headsets": self._headsets, "sessions": self._ended}
            if self._words and state == "not ready":
                told["words"] = self._words
            if self._last:
                told["last"] = self._last
        # Outside of the lock: it may take a while.
        return told | (view.status() if view is not None and state == "running" else {})

    def _running(self, what: str) -> SessionView:
        with self._changed:
            if self._view is None or self._state != "running":
                raise SettingsError(f"{what}: no session runs (it is {self._state})", remedy="send start before")
            return self._view

    def _ask(self) -> _Asked:
        if self._state == "closed":
            raise SettingsError("the program is ending")
        self._start = _Asked()
        self._changed.notify_all()
        return self._start

    # What whoever runs sessions tells and takes.

    def begin_at_once(self) -> None:
        """Ask for a session as a program would, without waiting."""
        with self._changed:
            self._ask()

    @property
    def participant(self) -> str | None:
        """The code of the next session's participant."""
        with self._changed:
            return self._naming.participant(self._planned)

    def preparing(self) -> None:
        """Streams are being looked for."""
        self._enter("preparing")

    def ready(self, headsets: Sequence[str]) -> None:
        """A session could begin, with these headsets."""
        self._headsets = list(headsets)
        self._enter("ready")

    def not_ready(self, words: str) -> None:
        """Something is missing: who waits for a start is told."""
        with self._changed:
            self._words, self._headsets = words, []
            self._resolve(refused=words)
            self._enter("not ready")

    def wait(self, ended: Callable[[], bool], stale: Callable[[], bool]) -> Do:
        """Wait for a start, or for what asks to prepare anew; ``ended`` says whether it is over."""
        with self._changed:
            while True:
                if ended():
                    return "end"
                if self._look or stale():
                    self._look = False
                    return "look"
                if self._start is not None:
                    if self._state == "ready":
                        self._enter("starting")
                    return "start"
                self._changed.wait(_LOOK_S)

    def folder(self) -> Path:
        """Return the next session's folder; raises SettingsError as :meth:`Naming.folder` does."""
        with self._changed:
            return self._naming.folder(self.root, self._planned)

    def began(self, view: SessionView) -> None:
        """A session runs."""
        with self._changed:
            self._view, self._stopped = view, False
            self._enter("running")
            self._resolve(told=view.begun)

    def ended(self, told: dict[str, Any]) -> bool:
        """A session has ended, as is ``told``, and its files are closed; return whether a program asked for it."""
        with self._changed:
            self._last, self._view = told, None
            self._ended += 1
            self._enter("preparing")
            return self._stopped

    def failed(self, words: str, *, again: bool) -> None:
        """No session began: who waits for it is told why, or waits for one more try."""
        with self._changed:
            if not again:
                self._resolve(refused=words)
            self._enter("preparing")

    def close(self) -> None:
        """Let everybody who waits go."""
        with self._changed:
            self._resolve(refused="the program is ending")
            self._enter("closed")

    def _enter(self, state: State) -> None:
        with self._changed:
            self._state = state
            self._changed.notify_all()

    def _resolve(self, *, told: dict[str, Any] | None = None, refused: str = "") -> None:
        asked, self._start = self._start, None
        if asked is not None:
            asked.told, asked.refused, asked.done = told or {}, refused, True
        self._changed.notify_all()
