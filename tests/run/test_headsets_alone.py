"""A session reads each headset by what is said of it alone: the same from the command line and from the window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from rtaffect.cli.options import planned
from rtaffect.common.errors import RtaffectError
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.run.replay import RecordingReplay
from rtaffect.start.choices import Choices, plan_of
from rtaffect.start.found import Found, asks_of, in_session
from rtaffect.start.look import look_at
from rtaffect.start.of_stream import OfStream
from tests.support.xdf_writer import FakeStream, image


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two headsets that describe nothing, of other units."""
    rng, stamps = np.random.default_rng(0), 100 + np.arange(1500) / 100
    streams = [
        FakeStream(
            (rng.standard_normal((1500, 3)) * size).astype(np.float32), stamps, name=name, labels=("", "", ""), unit="",
            source_id=f"{name}-id", offsets=[(100.0, 0.0)],
        )
        for name, size in (("One", 10.0), ("Two", 0.01))
    ]  # fmt: skip
    path = tmp_path_factory.mktemp("headsets") / "two.xdf"
    path.write_bytes(image(streams).data)
    return path


def by_command(recording: Path, *options: str) -> SessionPlan:
    made: list[SessionPlan] = []

    @click.command()
    @click.argument("recording", type=Path)
    @planned("replay")
    def command(plan: SessionPlan) -> None:
        made.append(plan)

    result = CliRunner().invoke(command, [str(recording), *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return made[0]


def opened(plan: SessionPlan) -> RecordingReplay:
    assert plan.recording is not None
    return RecordingReplay.open(plan, plan.recording, lambda _: None)


def test_the_window_and_the_command_line_give_the_same_session(recording):
    choices = Choices(
        mode="replay", recording=str(recording), sound="none", unit="microvolts",
        headsets=(OfStream("source_id=One-id", channels="Fz, Cz, Pz"),
                  OfStream("Two", channels="Cz, Pz, EOG", unit="mV", without="EOG")),
    )  # fmt: skip
    known = Found()
    known = replace(known, facts={ask: look_at(ask) for ask in asks_of(choices, known)})  # type: ignore[misc]
    of_window = plan_of(in_session(choices, known))
    given = ["--unit", "microvolts", "--headset", "source_id=One-id?channels=Fz,Cz,Pz"]
    of_command = by_command(recording, *given, "--headset", "Two?channels=Cz,Pz,EOG&unit=mV&without=EOG")
    assert of_window.eeg == of_command.eeg
    people = opened(of_command).people
    assert [person.info.channels for person in people] == [("Fz", "Cz", "Pz"), ("Cz", "Pz")]
    for person in people:
        person.advance(200.0)
    sizes = [float(np.nanstd(person.buffer.tail(10.0)[1])) for person in people]
    assert sizes == pytest.approx([1e-5, 1e-5], rel=0.1)


@pytest.mark.parametrize(
    ("headset", "message"),
    [
        (
            "Three?unit=V",
            "--headset Three?unit=V means no headset of the session, which has One, Two; name one of them",
        ),
        ("One?unit=V", "does not name its 3 channels"),
    ],
)
def test_what_means_nobody_or_is_not_enough_is_refused(recording, headset, message):
    plan = by_command(recording, "--headset", headset, "--unit", "uV", *(
        ["--channels", "Fz,Cz,Pz"] if headset.startswith("Three") else []))  # fmt: skip
    with pytest.raises(RtaffectError) as caught:
        opened(plan)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
