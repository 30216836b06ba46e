"""What is said of one headset alone: as a text and in a plan's file, what is refused, and what holds then."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rtaffect.cli.options import planned
from rtaffect.common.errors import RtaffectError, SettingsError
from rtaffect.common.mistakes import first_problem
from rtaffect.plan.conflicts import conflicts
from rtaffect.plan.eeg_plan import EegPlan
from rtaffect.plan.headset_plan import EXAMPLE, HeadsetPlan
from rtaffect.plan.session_plan import SessionPlan, read_plan, write_plan
from rtaffect.sources.channel_plan import prepare_eeg
from rtaffect.sources.selection import given_for, require_meant
from rtaffect.stream.source import StreamHeader

texts = st.text("abcXYZ 019&%?=.-/", min_size=1, max_size=9).filter(lambda t: t == t.strip() and t)
MUSE = StreamHeader("Muse", "EEG", 256.0, "float32", ("TP9", "AF7"), source_id="muse-1", host="lab")
OTHER = StreamHeader("Muse", "EEG", 256.0, "float32", ("TP9", "AF7"), source_id="muse-2", host="lab")
CAP = StreamHeader("Cap", "EEG", 500.0, "float32", ("Fz", "Cz"), source_id="cap", host="lab")


def parsed(text: str) -> HeadsetPlan:
    return HeadsetPlan.model_validate(text)


def test_a_text_says_what_replaces_the_description():
    found = parsed("brainflow:cyton?serial_port=COM3?channels=Fz, Cz&unit=microvolts&rate=250&profile=none")
    assert found == HeadsetPlan(
        stream="brainflow:cyton?serial_port=COM3", channels=("Fz", "Cz"), unit="microvolts", rate=250.0, profile="none"
    )
    assert found.is_board
    assert parsed(EXAMPLE) == HeadsetPlan(stream="Muse-A", unit="microvolts", without=("AF7", "AF8"))


@settings(max_examples=60)
@given(
    stream=texts.filter(lambda t: not t.lower().startswith("type")),
    channels=st.lists(texts, max_size=3).map(tuple),
    unit=st.none() | texts,
    rate=st.none() | st.sampled_from((0.5, 250.0, 499.9)),
    only=st.lists(texts, max_size=2).map(tuple),
    profile=texts,
)
def test_a_text_comes_back(stream, channels, unit, rate, only, profile):
    plan = HeadsetPlan(stream=stream, channels=channels, unit=unit, rate=rate, only=only, profile=profile)
    assert parsed(plan.text) == plan


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Muse", "is not STREAM?NAME=VALUE; expected as in Muse-A?unit=microvolts"),
        ("?unit=V", "is not STREAM?NAME=VALUE"),
        ("Muse?", "is not STREAM?NAME=VALUE"),
        ("Muse?color=red", "'color=red' is none of channels=, unit=, rate=, without=, only=, profile= and a value"),
        ("Muse?unit=", "'unit=' is none of"),
        ("Muse?unit=V&unit=mV", "gives 'unit' twice"),
        ("Muse?without=A&only=B", "without and only exclude each other"),
        ("type=EEG?unit=V", "means any headset; expected one by its name"),
        ("Muse?rate=fast", "rate = 'fast': expected a number above 0 and at most 384000"),
        ("Muse?rate=-1", "rate = -1.0: expected a number above 0 and at most 384000"),
    ],
)
def test_a_text_that_is_wrong_is_refused(text, message):
    with pytest.raises(ValidationError) as caught:
        parsed(text)
    assert message in first_problem(caught.value, HeadsetPlan)


def test_the_option_and_the_file_make_one_plan(tmp_path):
    made: list[SessionPlan] = []

    @planned("live")
    def command(plan: SessionPlan) -> None:
        made.append(plan)

    import click

    command = click.command()(command)
    given = ["--unit", "V", "--headset", EXAMPLE, "--headset", "source_id=cap?channels=Fz,Cz"]
    assert CliRunner().invoke(command, given, catch_exceptions=False).exit_code == 0
    write_plan(made[0], tmp_path / "session.toml")
    written = (tmp_path / "session.toml").read_text(encoding="utf-8")
    assert '[[eeg.headsets]]\nstream = "Muse-A"\nunit = "microvolts"\n' in written
    assert read_plan(tmp_path / "session.toml") == made[0]
    assert [each.stream for each in made[0].eeg.headsets] == ["Muse-A", "source_id=cap"]
    (tmp_path / "session.toml").write_text(f'[eeg]\nheadsets = ["{EXAMPLE}"]\n', encoding="utf-8")
    assert read_plan(tmp_path / "session.toml").eeg.headsets == (parsed(EXAMPLE),)
    wrong = CliRunner().invoke(command, ["--headset", "Muse"])
    assert str(wrong.exception).startswith("--headset Muse: headset 'Muse' is not STREAM?NAME=VALUE")
    assert "\n" not in str(wrong.exception)
    wrong = CliRunner().invoke(command, ["--headset", EXAMPLE, "--headset", "Muse-B?rate=fast"])
    assert str(wrong.exception) == (
        "--headset Muse-B?rate=fast: rate = 'fast': expected a number above 0 and at most 384000; see --help"
    )


def test_plans_of_before_are_read():
    old = SessionPlan.model_validate({"format": 1, "eeg": {"streams": ["Muse"], "unit": "uV", "channels": ["A", "B"]}})
    assert old.eeg.headsets == ()
    assert given_for(old.eeg, MUSE)["unit"] == "uV"


def eeg(*headsets: str, **common: object) -> EegPlan:
    return EegPlan.model_validate({"headsets": headsets, **common})


def test_what_is_said_of_one_stands_in_place_of_what_is_said_of_all():
    plan = eeg("source_id=muse-1?unit=uV&only=TP9", "Cap?rate=512", unit="V", rate=250.0, without=("AF7",))
    muse, other, cap = (given_for(plan, each) for each in (MUSE, OTHER, CAP))
    assert (muse["unit"], muse["rate"], muse["without"], muse["only"]) == ("uV", 250.0, (), ("TP9",))
    assert (other["unit"], other["rate"], other["without"], other["only"]) == ("V", 250.0, ("AF7",), ())
    assert (cap["unit"], cap["rate"], cap["without"]) == ("V", 512.0, ("AF7",))
    board = eeg("brainflow:cyton?unit=mV", unit="V")
    assert given_for(board, CAP)["unit"] == "V"
    assert given_for(board, CAP, "brainflow:cyton")["unit"] == "mV"
    require_meant(plan, [MUSE, OTHER, CAP])
    require_meant(board, [CAP], ["brainflow:cyton"])


def test_what_is_wrong_with_one_headset_names_its_text_and_the_part_of_it():
    """And not an option that was not given, which would be of all headsets."""
    without_rate = replace(MUSE, rate=0.0, units=("", ""))
    for text, stream, expected in (
        ("Muse?unit=furlongs", MUSE, "--headset Muse?unit=furlongs: stream 'Muse': EEG unit 'furlongs'"),
        ("Muse?only=Oz", MUSE, "none of the channels Oz; it has TP9, AF7: name its own with only="),
        ("Muse?profile=musse", MUSE, "--headset Muse?profile=musse: profile=musse is not known"),
        ("Muse?channels=A,B", without_rate, "give what is right, as in unit=microvolts rate=250"),
        ("Muse?channels=A,B&unit=V", without_rate, "expected a regular one; name it with rate=HZ"),
    ):
        with pytest.raises(RtaffectError) as caught:
            prepare_eeg(stream, given_for(eeg(text), stream))
        assert expected in str(caught.value)
        assert str(caught.value).startswith(f"--headset {text}: ")
        assert str(caught.value).count("--") == 1
    with pytest.raises(RtaffectError, match="name it with --rate HZ"):
        prepare_eeg(without_rate, given_for(eeg(unit="V"), without_rate))


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (eeg("Muse?unit=V"), "--headset Muse?unit=V means 2 headsets of the session, which has Muse, Cap; name it by "
         "source_id="),
        (eeg("Musa?unit=V"), "--headset Musa?unit=V means no headset of the session, which has Muse, Cap; name one of "
         "them"),
        (eeg("brainflow:cyton?unit=V"), "means no headset"),
    ],
)  # fmt: skip
def test_what_means_none_or_several_is_refused(plan, message):
    with pytest.raises(SettingsError, match=re.escape(message)):
        require_meant(plan, [MUSE, OTHER, CAP])


def test_two_that_mean_one_headset_are_refused():
    with pytest.raises(SettingsError, match="both mean 'Cap'; give one of them"):
        given_for(eeg("Cap?unit=V", "source_id=cap?rate=9"), CAP)
    twice = SessionPlan(eeg=eeg("Cap?unit=V", "Cap?rate=9"))
    (error,) = conflicts(twice)
    assert str(error) == (
        "--headset Cap?unit=V and --headset Cap?rate=9 are of one headset; give one of them, with all that "
        "is to be said"
    )
    replayed = SessionPlan(mode="replay", recording=Path("r.xdf"), eeg=EegPlan(without=("A",), only=("B",)))
    assert "exclude each other" in str(next(conflicts(replayed)))
