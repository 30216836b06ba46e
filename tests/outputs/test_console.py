"""What the terminal says of a session: steps, what is wrong for as long as it lasts, and the log's warnings."""

from __future__ import annotations

import io
import logging
from dataclasses import replace

from rich.console import Console

from rtaffect.outputs.console import console_sink, number, step_line, warnings_shown
from tests.support.fake_affect import with_affect
from tests.support.fake_feedback import fake_session


def test_what_is_wrong_stands_at_each_step_until_it_is_over() -> None:
    text, trouble = io.StringIO(), ["the disk is full"]
    with console_sink(Console(file=text, width=80), lambda: trouble[0]) as shown:
        steps = fake_session(3)
        shown(steps[0])
        shown(steps[1])
        trouble[0] = ""
        shown(steps[2])
    lines = text.getvalue().splitlines()
    assert ["the disk is full" in line for line in lines] == [True, True, False]


def test_affect_stands_in_the_line_of_a_step() -> None:
    (step,) = with_affect(fake_session(1), ("cap",))
    assert "valence" not in step_line(replace(step, affect=()))
    (values,) = step.affect
    expected = ", ".join(
        f"{name} {number(each.valence)} {number(each.arousal)}"
        for name, each in (("EEG", values.eeg), ("sound", values.sound), ("both", values.both))
    )
    assert f"  valence, arousal: {expected}  good" in step_line(step)
    assert "valence, arousal of cap: EEG" in step_line(replace(step, affect=(values, values)))


def test_warnings_reach_the_terminal_and_nothing_else_does() -> None:
    text, log = io.StringIO(), logging.getLogger("rtaffect.some.part")
    before = logging.getLogger("rtaffect").level
    logging.getLogger("rtaffect").setLevel(logging.INFO)
    try:
        with warnings_shown(Console(file=text, width=30)):
            log.info("all is well")
            log.warning("lsl '%s' is lost: [bold]it does not answer, as long as this line is", "cap")
            log.error("gone\nfor good")
        log.error("after the session")
    finally:
        logging.getLogger("rtaffect").setLevel(before)
    assert text.getvalue().splitlines() == [
        "warning: lsl 'cap' is lost: [bold]it does not answer, as long as this line is",
        "error: gone for good",
    ]


def test_a_terminal_that_is_gone_does_not_end_what_warns() -> None:
    class Gone(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError("Input/output error")

    with warnings_shown(Console(file=Gone())):
        logging.getLogger("rtaffect.some.part").error("nobody reads this")
