"""A session's plan: what is written comes back, paths move with the file, and mistakes are told in a line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtaffect.common.errors import SettingsError
from rtaffect.plan.analysis_plan import AnalysisPlan, ProtocolPlan
from rtaffect.plan.eeg_plan import EegPlan
from rtaffect.plan.results_plan import ResultsPlan
from rtaffect.plan.session_plan import SessionPlan, read_plan, write_plan
from rtaffect.plan.sound_plan import SoundPlan
from tests.cli.test_commands import mistake


def some_plan(folder: Path) -> SessionPlan:
    return SessionPlan(
        participant="P07",
        eeg=EegPlan(streams=("source_id=a", "Muse B"), channels=("Fz", "Cz"), unit="uV", rate=250.0),
        sound=SoundPlan(device=""),
        analysis=AnalysisPlan(bundle=folder / "bundles" / "one", threads=2, against="reference"),
        protocol=ProtocolPlan(file=folder.parent / "protocol.toml", screen=1),
        results=ResultsPlan(out=folder / "sessions" / "one", seconds=60, outlet=False),
    )


def test_a_plan_comes_back(tmp_path):
    plan = some_plan(tmp_path)
    write_plan(plan, tmp_path / "plan.toml")
    assert read_plan(tmp_path / "plan.toml") == plan


def test_paths_are_relative_to_the_file(tmp_path):
    (tmp_path / "a").mkdir()
    write_plan(some_plan(tmp_path / "a"), tmp_path / "a" / "plan.toml")
    text = (tmp_path / "a" / "plan.toml").read_text(encoding="utf-8")
    assert 'bundle = "bundles/one"' in text
    assert 'file = "../protocol.toml"' in text
    (tmp_path / "a").rename(tmp_path / "b")
    assert read_plan(tmp_path / "b" / "plan.toml") == some_plan(tmp_path / "b")


def test_defaults_are_not_written(tmp_path):
    write_plan(SessionPlan(), tmp_path / "plan.toml")
    assert (tmp_path / "plan.toml").read_text(encoding="utf-8") == 'format = 1\nmode = "live"\n'


@given(st.text(min_size=1, max_size=12))
def test_a_code_is_letters_and_digits(code):
    if code.isascii() and code.isalnum():
        assert SessionPlan(participant=code).participant == code
    else:
        with pytest.raises(ValueError, match="letters and digits"):
            SessionPlan(participant=code)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mode = live", "cannot be read .*expected TOML"),
        ("format = 2", "format"),
        ("[eeg]\nchanels = ['a']", "eeg: there is no field 'chanels'; did you mean channels"),
        ("[results]\nseconds = 0", "results.seconds"),
        ("mode = 'replay'", "recording is what mode = 'replay' replays"),
        ("participant = 'P 1'", "participant 'P 1': a code is letters and digits"),
    ],
)
def test_mistakes_in_a_plan_are_one_line(tmp_path, text, message):
    (tmp_path / "plan.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=message) as caught:
        read_plan(tmp_path / "plan.toml")
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "plan.toml") in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(SettingsError, match="it is not there"):
        read_plan(tmp_path / "none.toml")


def test_mistakes_on_the_command_line(tmp_path):
    assert "a code is letters and digits" in mistake("live", "--participant", "P 1", "--headless")
    (tmp_path / "demo.toml").write_text('mode = "demo"', encoding="utf-8")
    assert "use `rtaffect demo`" in mistake("live", "--session", tmp_path / "demo.toml")
    assert "give the --protocol, too" in mistake("live", "--allocation", tmp_path / "x", "--headless")
