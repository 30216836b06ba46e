"""The operator's keys in a terminal, for a session without a window: what each does, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rtaffect.common.text import clean
from rtaffect.present.keys import MARKER_KEYS
from rtaffect.present.protocol_state import describe_protocol, for_operator
from rtaffect.protocol.protocol_step import ProtocolStep
from rtaffect.run.stage import Stage

#: What ends or repeats something is to be pressed twice within this time, s.
TWICE_S: Final = 4.0
#: A text that is typed has no more characters.
LONGEST: Final = 120
#: More keys at once than this were not pressed but pasted; outside of a text they are no keys.
MOST_AT_ONCE: Final = 8

_WRITTEN: Final = {"m": "marker", "t": "note"}
_TWICE: Final = {"n": "skip the block", "B": "begin the block again", "q": "end the session"}


class TypedKeys:
    """What typed keys do to a session; the keys are those of its window, and Q twice ends it.

    Parameters
    ----------
    stage
        Leads the session.
    stop
        Ends it.
    now
        Present time on the LSL clock, s.
    protocol
        Whether blocks can be led.
    said
        Is called where :attr:`line` has changed.

    Attributes
    ----------
    line : str
        What is to be seen of it: where the protocol is, the text that is typed, what was done last, or the keys.
    """

    def __init__(
        self, stage: Stage, stop: Callable[[], None], now: Callable[[], float], *, protocol: bool = False
    ) -> None:
        self._stage, self._stop, self._now = stage, stop, now
        self.said: Callable[[], None] = lambda: None
        conductor = stage.conductor
        self._marks: dict[str, str] = {mark.key: mark.name for mark in conductor.protocol.marks}
        self._once = {" ": conductor.go, "b": conductor.pause} if protocol else {}
        self._twice: dict[str, Callable[[], None]] = {"q": stop}
        self._twice |= {"n": conductor.skip, "B": conductor.repeat} if protocol else {}
        self._keys = _words_of(self._marks, protocol=protocol)
        self._asked: tuple[str, float] | None = None
        # What is written, when its key was pressed, and the text so far.
        self._writing: tuple[str, float, str] | None = None
        self._block = self._done = ""

    @property
    def line(self) -> str:
        """What is to be seen of it."""
        if self._writing is not None:
            kind, _, text = self._writing
            return f"{kind}: {text}_   Return keeps it, Esc leaves it"
        return "   ".join(filter(None, [self._block, self._done or self._keys]))

    def protocol_step(self, step: ProtocolStep) -> None:
        """Take in where the protocol is."""
        text = describe_protocol(for_operator(step), 0.0)
        self._block = "; ".join(filter(None, [text.block, f"{text.left} left" if text.left else "", text.instruction]))

    def press(self, keys: list[str]) -> None:
        """Take keys that were pressed together: characters, or ``F5``, ``Return``, ``Escape``, ``Backspace``."""
        if self._writing is None and len(keys) > MOST_AT_ONCE:
            self._done = f"{len(keys)} keys at once are no keys: was this pasted?"
        else:
            for key in keys:
                self._press(key)
        self.said()

    def _press(self, key: str) -> None:
        if self._writing is not None:
            self._write(*self._writing, key)
            return
        asked, self._asked = self._asked, None
        known = key if key == "B" else key.lower()
        if known in _WRITTEN:
            self._writing = _WRITTEN[known], self._now(), ""
        elif known in self._once:
            self._once[known]()
            self._done = "counts at the next step"
        elif known in self._twice:
            self._press_twice(known, asked)
        elif key in self._marks:
            self._stage.mark_as(self._marks[key], self._now())
            self._done = f"marked: {self._marks[key]}"
        elif key in MARKER_KEYS:
            self._stage.mark(key)
            self._done = f"marker: {key}"
        else:
            self._done = ""

    def _press_twice(self, key: str, asked: tuple[str, float] | None) -> None:
        now = self._now()
        if asked is None or asked[0] != key or now - asked[1] > TWICE_S:
            self._asked = key, now
            self._done = f"{_named(key)} again to {_TWICE[key]}"
            return
        self._twice[key]()
        self._done = "the session ends" if key == "q" else "counts at the next step"

    def _write(self, kind: str, since: float, text: str, key: str) -> None:
        """Take a key of a text that is written."""
        if key == "Escape":
            self._writing, self._done = None, ""
        elif key == "Return":
            self._writing, said = None, clean(text)
            self._done = f"{kind} kept: {said}" if said else ""
            if said and kind == "note":
                self._stage.remark(said, since)
            elif said:
                self._stage.mark(said)
        elif key == "Backspace":
            self._writing = kind, since, text[:-1]
        elif len(key) == 1 and key.isprintable():
            self._writing = kind, since, (text + key)[:LONGEST]


def _named(key: str) -> str:
    return "Shift+B" if key == "B" else key.upper()


def _words_of(marks: dict[str, str], *, protocol: bool) -> str:
    """Return which keys there are, in words."""
    blocks = ["Space begin or go on", "B pause", "Shift+B twice: again", "N twice: skip"] if protocol else []
    quick = [key for key in MARKER_KEYS if key not in marks]
    return ", ".join([
        *blocks, "M marker", "T note", *(f"{key} {name}" for key, name in marks.items()),
        *([f"{quick[0]} to {quick[-1]} quick markers"] if len(quick) == len(MARKER_KEYS) else quick), "Q twice: end",
    ])  # fmt: skip
