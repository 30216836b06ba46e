"""Keys that are typed into a terminal: what they are called, and that the terminal is as it was afterwards."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from rtaffect.common.keyboard import can_type, keys_in

_CHILD = """
import sys, time
from rtaffect.common.keyboard import keyboard
print("ready", flush=True)
found = []
with keyboard(found.extend):
    print("reads", flush=True)
    until = time.monotonic() + 20
    while "q" not in found and time.monotonic() < until:
        time.sleep(0.01)
print(" ".join(found), flush=True)
"""


def test_keys_have_the_names_of_those_of_the_window() -> None:
    assert keys_in("b B\x7f\r\x1b") == ["b", " ", "B", "Backspace", "Return", "Escape"]
    sent = ("\x1bOP", "\x1bOS", "\x1b[15~", "\x1b[17~", "\x1b[19~", "\x1b[24~", "\x1b[[A", "\x1b[[E")
    assert keys_in("".join(sent)) == ["F1", "F4", "F5", "F6", "F8", "F12", "F1", "F5"]
    assert keys_in("\x1b[A\x1b[1;5Cx\x1bOH") == ["Other", "Other", "x", "Other"], "arrows are no text"
    assert keys_in("größe") == list("größe")


def test_nobody_types_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True)
    monkeypatch.setattr(sys, "stdin", io.StringIO("bbb"))
    assert not can_type(terminal)
    monkeypatch.setattr(sys, "stdin", None)
    assert not can_type(terminal)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_single_keys_come_at_once_and_the_terminal_is_given_back(tmp_path: Path) -> None:
    import termios

    typed, there = os.openpty()
    before = termios.tcgetattr(there)
    os.write(typed, b"q\n")
    child = subprocess.Popen([sys.executable, "-c", _CHILD], stdin=there, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert [child.stdout.readline() for _ in range(2)] == ["ready\n", "reads\n"]
        until = time.monotonic() + 20
        while termios.tcgetattr(there)[3] & termios.ICANON and time.monotonic() < until:
            time.sleep(0.01)
        assert not termios.tcgetattr(there)[3] & termios.ECHO
        # What was typed before is gone; these come without Return, a letter of two bytes in two pieces.
        for piece in (b"b", b"\xc3", b"\xa4", b"\x1b[15~", b"q"):
            os.write(typed, piece)
            time.sleep(0.05)
        assert child.stdout.readline().split() == ["b", "ä", "F5", "q"]
        assert child.wait(20) == 0
        assert termios.tcgetattr(there) == before
    finally:
        child.kill()
        child.communicate()
        os.close(typed)
        os.close(there)
