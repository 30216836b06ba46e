"""What the terminal says, and what is said where there is none."""

from __future__ import annotations

import io

import pytest

from rtaffect.common import terminal
from rtaffect.common.terminal import Terminal
from tests.support.waiting import wait_for


def test_without_a_terminal_what_takes_long_is_said_in_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "LINE_S", 0.05)
    out, said = io.StringIO(), [""]

    def is_said(text: str) -> bool:
        said[0] += capsys.readouterr().err
        return said[0].endswith(text + "\n")

    with Terminal(file=out).status("getting ready") as status:
        for text in ("EEG of [red]P1", "EEG of P2"):
            status.update(text)
            wait_for(lambda text=text: is_said(text))
    assert [line for line in said[0].splitlines() if "..." not in line][-2:] == ["EEG of [red]P1", "EEG of P2"]
    assert out.getvalue() == ""


def test_without_a_terminal_what_is_over_at_once_is_not_said(capsys: pytest.CaptureFixture[str]) -> None:
    with Terminal(file=io.StringIO()).status("getting ready") as status:
        status.update("reading the recording")
    assert capsys.readouterr().err == ""


def test_on_a_terminal_it_is_the_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    out = io.StringIO()
    with Terminal(file=out, force_terminal=True).status("getting ready") as status:
        status.update("EEG of [red]P1")
    assert "EEG of [red]P1" in out.getvalue()
    assert capsys.readouterr().err == ""


def test_what_takes_long_is_said_again_with_its_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "LINE_S", 0.02)
    monkeypatch.setattr(terminal, "AGAIN_S", 0.1)
    said = [""]

    def is_said() -> bool:
        said[0] += capsys.readouterr().err
        return said[0].count("\n") >= 3

    with Terminal(file=io.StringIO()).status("trying the window"):
        wait_for(is_said)
    first, *again = said[0].splitlines()
    assert first == "trying the window"
    assert all(line.startswith("trying the window ... ") for line in again)
