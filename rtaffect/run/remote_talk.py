"""One program's talk with the remote control: lines in, answers out.

The words of LabRecorder (``select``, ``filename``, ``start``, ``stop``, ``update``) are answered as it does, with two
letters, OK (github.com/labstreaminglayer/App-LabRecorder, ``src/tcpinterface.cpp``); those of rtaffect with one JSON
object on a line, and so are all after the word ``json``.
"""

from __future__ import annotations

import hmac
import json
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple, Protocol

from rtaffect.common.errors import RtaffectError
from rtaffect.common.text import clean

#: A line has at most so many bytes.
MOST_LINE: Final = 4096
#: Lines of one program in a second; marks beyond are refused, because their time would not be that of their arrival.
MOST_LINES: Final = 100
#: After so many lines that mean nothing, a program is not listened to any more.
MOST_UNKNOWN: Final = 10

Answer = dict[str, Any]
#: What can be done to blocks.
BlockWord = Literal["next", "pause", "resume", "repeat"]
BLOCK_WORDS: Final[tuple[BlockWord, ...]] = ("next", "pause", "resume", "repeat")


class Desk(Protocol):
    """What the words do. Each may wait, and returns what is to be told of it, or raises RtaffectError."""

    def start(self) -> Answer:
        """Begin a session, and wait until it has begun."""

    def stop(self) -> Answer:
        """End the session, and wait until all of it is on disk."""

    def look(self) -> Answer:
        """Look for streams anew."""

    def name(self, line: str) -> Answer:
        """Take names for the next session from a ``filename`` line."""

    def mark(self, text: str, arrived: float) -> Answer:
        """Note a marker that arrived at a time, s on the LSL clock."""

    def note(self, text: str, arrived: float) -> Answer:
        """Keep a note of the time at which it arrived, s on the LSL clock."""

    def block(self, what: BlockWord) -> Answer:
        """Let the protocol's next block begin, or the present one stand still, go on, or begin again."""

    def status(self) -> Answer:
        """Return how everything is."""


class Reply(NamedTuple):
    """What a program is sent, and whether it is listened to no more."""

    text: str
    ends: bool = False


class Talk:
    """What one program has said so far, and how it is answered.

    Parameters
    ----------
    desk
        Does what is asked.
    token
        What the first line has to have after the word ``token``; empty where nothing is needed.
    """

    def __init__(self, desk: Desk, token: str = "") -> None:
        self._desk, self._token = desk, token
        self.known = not token
        self._json = self._open = False
        self._unknown = 0
        self._arrived: deque[float] = deque(maxlen=MOST_LINES + 1)
        self._legacy: dict[str, Callable[[str], Answer]] = {
            "select": lambda _: {},
            "filename": desk.name,
            "start": lambda _: desk.start(),
            "stop": lambda _: desk.stop(),
            "update": lambda _: desk.look(),
        }

    @property
    def floods(self) -> bool:
        """Whether more lines come than are taken in a second."""
        return len(self._arrived) > MOST_LINES and self._arrived[-1] - self._arrived[0] < 1.0

    def answer(self, line: bytes, arrived: float) -> Reply:
        """Return the answer to a line that arrived at a time, s on the LSL clock."""
        self._arrived.append(arrived)
        text = line.decode("utf-8", "replace").strip()
        word, _, rest = text.partition(" ")
        if not self.known:
            return self._meet(word, rest)
        if " HTTP/" in text:
            # A web page can send to this computer, too; no page may start or stop a session.
            return Reply("", ends=True)
        legacy = next((name for name in self._legacy if text == name or text.startswith((f"{name} ", f"{name}{{"))), "")
        try:
            if legacy:
                return self._as_labrecorder(legacy, self._legacy[legacy](text))
            return self._line({"ok": True, **self._own(word, rest, arrived)})
        except RtaffectError as error:
            words = clean(str(error))
            if legacy and not self._json:
                self._open = False
                return Reply(f"ERROR: {words}\n")
            return self._line({"ok": False, "error": words}, ends=self._unknown >= MOST_UNKNOWN)

    def too_long(self) -> Reply:
        """Return the answer to a line without an end."""
        return self._line({"ok": False, "error": f"a line has more than {MOST_LINE} bytes"}, ends=True)

    def _meet(self, word: str, rest: str) -> Reply:
        """Take the first line, which has to have the token."""
        if word == "token" and hmac.compare_digest(rest.strip().encode(), self._token.encode()):
            self.known = True
            return self._line({"ok": True})
        return self._line({"ok": False, "error": "the first line has to be: token, and the right one"}, ends=True)

    def _as_labrecorder(self, name: str, told: Answer) -> Reply:
        if self._json:
            return self._line({"ok": True, "did": name, **told})
        self._open = True
        return Reply("OK")

    def _own(self, word: str, rest: str, arrived: float) -> Answer:
        if word == "json" and not rest:
            self._json = True
            return {"rtaffect": "remote control", "answers": "one JSON object a line"}
        if word == "token":
            return {"note": "no token is needed"}
        if word == "mark":
            if self.floods:
                raise RtaffectError(f"more than {MOST_LINES} lines came within a second: this mark is not taken")
            return {"did": "mark", **self._desk.mark(clean(rest), arrived)}
        if word == "note":
            if self.floods:
                raise RtaffectError(f"more than {MOST_LINES} lines came within a second: this note is not taken")
            return {"did": "note", **self._desk.note(clean(rest), arrived)}
        if word == "block" and (what := next((each for each in BLOCK_WORDS if each == rest.strip()), None)):
            return {"did": f"block {what}", **self._desk.block(what)}
        if word == "status" and not rest:
            return self._desk.status()
        self._unknown += 1
        known = (*self._legacy, "mark TEXT", "note TEXT", *(f"block {each}" for each in BLOCK_WORDS), "status", "json")
        raise RtaffectError(f"{clean(f'{word} {rest}', 60)!r} means nothing here", f"one of {', '.join(known)}")

    def _line(self, answer: Answer, *, ends: bool = False) -> Reply:
        # LabRecorder's OK has no end of line: what follows it begins on a new one.
        begin, self._open = "\n" if self._open else "", False
        return Reply(f"{begin}{json.dumps(answer, ensure_ascii=False, allow_nan=False)}\n", ends)
