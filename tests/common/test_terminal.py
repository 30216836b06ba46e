"""What the terminal says, and what is said where there is none."""

from __future__ import annotations

import io

import pytest

from rtaffect.common import terminal
from rtaffect.common.terminal import Terminal


def test_without_a_terminal_what_is_done_is_said_in_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 1.0, 2.5, 3.0])
    monkeypatch.setattr(terminal.time, "monotonic", lambda: next(clock))
    out = io.StringIO()
    with Terminal(file=out).status("getting ready") as status:
        for text in ("EEG of [red]P1", "EEG of P2", "EEG of P3", "EEG of P4"):
            status.update(text)
    assert capsys.readouterr().err.splitlines() == ["EEG of [red]P1", "EEG of P3"]
    assert out.getvalue() == ""


def test_on_a_terminal_it_is_the_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    with Terminal(file=out, force_terminal=True).status("getting ready") as status:
        status.update("EEG of [red]P1")
    assert "EEG of [red]P1" in out.getvalue()
    assert capsys.readouterr().err == ""
