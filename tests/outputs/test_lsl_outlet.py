"""An outlet that liblsl does not let go of does not keep the program."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from rtaffect.outputs import lsl_outlet
from rtaffect.outputs.lsl_outlet import LslOutlet


class Sent:
    """Stands in for a ``pylsl.StreamOutlet``; taking it down lasts until it is ``allowed``."""

    def __init__(self, allowed: threading.Event) -> None:
        self.samples: list[Any] = []
        self.allowed = allowed

    def __del__(self) -> None:
        self.allowed.wait(30.0)

    def push_sample(self, values: Any, stamp: float) -> None:
        self.samples.append((values, stamp))


def test_closing_ends_though_the_library_does_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lsl_outlet, "CLOSE_S", 0.05)
    allowed = threading.Event()
    try:
        outlet = LslOutlet(lambda: Sent(allowed))
        begun = time.monotonic()
        outlet.close()
        outlet.close()
        assert time.monotonic() - begun < 20.0
        assert "left behind" in caplog.text
    finally:
        allowed.set()


def test_what_is_closed_sends_nothing() -> None:
    allowed = threading.Event()
    allowed.set()
    sent: list[Any] = []
    with LslOutlet(lambda: Sent(allowed)) as outlet:
        sent = outlet._held[0].samples
        outlet.push_sample([1.0], 2.0)
    outlet.push_sample([3.0], 4.0)
    assert sent == [([1.0], 2.0)]
    assert not outlet.have_consumers()
    assert outlet.uid == ""
