"""Single keys that are typed into a terminal, while a program runs there in the foreground."""

from __future__ import annotations

import codecs
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from rich.console import Console

#: The keyboard is looked at at least so often, s.
LOOK_S: Final = 0.2

_NAMED: Final = {"\r": "Return", "\n": "Return", "\x7f": "Backspace", "\b": "Backspace", "\x1b": "Escape"}
# What terminals send for F1 to F12: xterm and VT220; the Linux console has letters of its own for F1 to F5.
_NUMBERED: Final = {11: 1, 12: 2, 13: 3, 14: 4, 15: 5, 17: 6, 18: 7, 19: 8, 20: 9, 21: 10, 23: 11, 24: 12}
_PIECE: Final = re.compile(
    r"\x1bO(?P<f1>[P-S])|\x1b\[\[(?P<linux>[A-E])|\x1b\[(?P<number>\d*)[\d;]*[~A-Za-z]|\x1bO.|.", re.S
)
_ONE_OF_MANY: Final = "Other"


def can_type(console: Console) -> bool:
    """Return whether somebody can type, and sees on ``console`` what that does: both are terminals."""
    with suppress(ValueError, AttributeError):
        return console.is_terminal and sys.stdin.isatty()
    return False


def keys_in(text: str) -> list[str]:
    """Return the keys that a terminal sent: characters, or names as ``F5``, ``Return``, ``Escape`` and ``Backspace``.

    Keys without a meaning here, as arrows, are ``Other``.
    """
    return [_key(piece) for piece in _PIECE.finditer(text)]


def _key(piece: re.Match[str]) -> str:
    if piece["f1"]:
        return f"F{ord(piece['f1']) - ord('P') + 1}"
    if piece["linux"]:
        return f"F{ord(piece['linux']) - ord('A') + 1}"
    if piece["number"] is not None:
        number = _NUMBERED.get(int(piece["number"] or 0)) if piece[0].endswith("~") else None
        return f"F{number}" if number else _ONE_OF_MANY
    return _NAMED.get(piece[0], piece[0] if len(piece[0]) == 1 else _ONE_OF_MANY)


@contextmanager
def keyboard(press: Callable[[list[str]], None] | None) -> Iterator[None]:
    """Let each key that is typed into the standard input, a terminal, call ``press`` at once, on a thread of its own.

    Without ``press`` the terminal is left as it is. What was typed before is thrown away. Keys are not echoed;
    Ctrl-C and Ctrl-Z do what they do. While the program is in the background the terminal is left alone.
    """
    if press is None:
        yield
        return
    over = threading.Event()
    thread = threading.Thread(target=_read, args=(sys.stdin.fileno(), press, over), name="keyboard", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


if sys.platform == "win32":
    import msvcrt

    _WINDOWS: Final = {**{chr(58 + n): f"F{n}" for n in range(1, 11)}, "\x85": "F11", "\x86": "F12"}

    def _read(number: int, press: Callable[[list[str]], None], over: threading.Event) -> None:
        while msvcrt.kbhit():
            msvcrt.getwch()
        while not over.is_set():
            keys = []
            while msvcrt.kbhit():
                sent = msvcrt.getwch()
                keys += [_WINDOWS.get(msvcrt.getwch(), _ONE_OF_MANY)] if sent in "\0\xe0" else keys_in(sent)
            if keys:
                press(keys)
            time.sleep(LOOK_S / 10)

else:
    import select
    import termios
    import tty

    def _read(number: int, press: Callable[[list[str]], None], over: threading.Event) -> None:
        before: list[Any] | None = None
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        # The other end of a terminal that closes ends reading; the session is told by a signal.
        with suppress(OSError, termios.error):
            while not over.is_set():
                if not _in_front(number):
                    over.wait(LOOK_S)
                    continue
                before = _single_keys(number, before)
                if not select.select([number], [], [], LOOK_S)[0]:
                    continue
                sent = os.read(number, 1024)
                if not sent:
                    break
                if keys := keys_in(decoder.decode(sent)):
                    press(keys)
        if before is not None:
            with suppress(OSError, termios.error):
                if _in_front(number):
                    termios.tcsetattr(number, termios.TCSADRAIN, before)

    def _in_front(number: int) -> bool:
        """Return whether the program has the terminal: to read it from the background would stop the program."""
        try:
            return os.tcgetpgrp(number) == os.getpgrp()
        except OSError:
            # It is not the terminal that processes are controlled by.
            return True

    def _single_keys(number: int, before: list[Any] | None) -> list[Any]:
        """Let the terminal give single keys without echo, also after a shell set it otherwise; return how it was."""
        now = termios.tcgetattr(number)
        if now[tty.LFLAG] & termios.ICANON:
            tty.setcbreak(number, termios.TCSAFLUSH)
            return now
        return now if before is None else before
