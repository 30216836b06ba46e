"""The operator's keys in a terminal: what each does to a session, and what is said of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from rtaffect.common.errors import SettingsError
from rtaffect.protocol.arms import Real
from rtaffect.protocol.conductor import Conductor
from rtaffect.protocol.event import SessionEvent
from rtaffect.protocol.protocol_step import ProtocolStep
from rtaffect.run.runners import require_no_operator
from rtaffect.run.session_sources import ProtocolSetup
from rtaffect.run.stage import Stage
from rtaffect.run.typed_keys import TypedKeys
from rtaffect.sources.programme import ProgrammeSource
from rtaffect.timelock.stimulus import PlannedOnsets
from tests.support.protocol_files import protocol_of, step_of

BLOCKS = (
    {"kind": "listen", "name": "A", "duration_s": 30, "start": "operator"},
    {"kind": "listen", "name": "B", "duration_s": 30, "start": "auto"},
)


@dataclass
class Typist:
    """Who types, and the session that gets it; time is moved by hand."""

    led: bool = True
    now: float = 1000.0
    steps: int = 0
    events: list[SessionEvent] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)
    sinks: list[Callable[[ProtocolStep], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        protocol = protocol_of(BLOCKS, rule=None, mark=[{"key": "F6", "name": "moved"}])
        self.stage = Stage(
            Conductor(protocol, Real(), 10), 1000.0, sounds={}, programme=ProgrammeSource(), lock=PlannedOnsets(),
            player=None, on_protocol_step=self.sinks,
            on_event=[self.events.append], now=lambda: self.now, stop=threading.Event(),
        )  # fmt: skip
        self.keys = TypedKeys(self.stage, self.stop.set, lambda: self.now, protocol=self.led)
        self.sinks.append(self.keys.protocol_step)

    def step(self) -> None:
        self.steps += 1
        self.now = 1000.0 + self.steps
        self.stage(step_of(self.steps, 0.1))

    def told(self) -> list[tuple[str, str, float]]:
        return [(e.type, e.name, e.onset) for e in self.events if e.type != "marker"]


def test_blocks_are_led_by_the_keys_of_the_window() -> None:
    one = Typist()
    one.step()
    assert "Press Space to begin 'A'" in one.keys.line
    one.keys.press([" "])
    one.step()
    assert one.keys.line.startswith("1 of 2: A (listening); 0:30 left")
    one.keys.press(["b"])
    one.step()
    one.keys.press(["b"])
    one.step()
    assert [what for what, *_ in one.told()] == ["key", "block", "key", "block-pause", "key", "block-resume"]
    one.keys.press(["n"])
    assert "N again to skip the block" in one.keys.line
    one.step()
    assert one.told()[-1][0] == "block-resume", "once is not enough"
    one.keys.press(["n", "n"])
    one.step()
    assert [each[:2] for each in one.told()[-3:]] == [("key", "skip"), ("block-end", "A"), ("block", "B")]
    one.keys.press(["B"])
    one.keys.press(["B"])
    one.step()
    assert [each[:2] for each in one.told()[-3:]] == [("key", "repeat"), ("block-end", "B"), ("block", "B")]


def test_notes_have_the_time_of_their_key_and_markers_that_of_return() -> None:
    one = Typist()
    one.now = 1004.0
    one.keys.press(["t"])
    one.now = 1009.0
    one.keys.press([*"cougx", "Backspace", "h", "Other"])
    assert one.keys.line.startswith("note: cough_")
    one.keys.press(["Return"])
    one.keys.press(["m", *"qq", "Return"])
    one.keys.press(["t", *"no", "Escape"])
    one.keys.press(["t", "Return"])
    one.keys.press(["F6", "F5"])
    assert one.told() == [
        ("note", "cough", 4.0), ("key", "qq", 9.0), ("mark", "moved", 9.0), ("key", "F5", 9.0),
    ]  # fmt: skip
    assert not one.stop.is_set(), "letters of a text are no keys"


def test_the_session_ends_by_a_key_that_is_pressed_twice_soon() -> None:
    one = Typist(led=False)
    one.keys.press(["q"])
    one.now += 5.0
    one.keys.press(["q"])
    assert not one.stop.is_set()
    one.keys.press(["x"])
    one.keys.press(["Q"])
    assert not one.stop.is_set(), "another key comes between"
    one.keys.press(["q"])
    assert one.stop.is_set()


def test_what_is_pasted_is_no_keys() -> None:
    one = Typist()
    one.keys.press(list("question: was it loud? nnqq"))
    assert one.told() == []
    assert not one.stop.is_set()
    assert "pasted" in one.keys.line


def test_without_a_protocol_there_are_no_keys_for_blocks() -> None:
    one = Typist(led=False)
    assert "Space" not in one.keys.line
    one.step()
    one.keys.press([" ", "b", "n", "n"])
    one.step()
    assert one.told() == []


def test_blocks_that_wait_need_a_window_or_a_terminal() -> None:
    setup = ProtocolSetup(protocol=protocol_of(BLOCKS, rule=None))
    require_no_operator(setup, typing=True)
    with pytest.raises(SettingsError, match="no terminal to type it in"):
        require_no_operator(setup)
