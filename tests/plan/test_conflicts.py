"""Options that would be passed over: each is refused in one line that names it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rtaffect.common.reading import path_problem
from rtaffect.plan.session_plan import DEMO_BUNDLE, read_plan, write_plan
from rtaffect.start.choices import choices_of, plan_of
from tests.cli.test_commands import mistake
from tests.plan.test_plan import some_plan

LIVE = ("live", "--headless", "--eeg", "nobody-has-this", "--wait", "0.1")
SOUND = ("--audio", "x.wav")
#: What is given, and what the one line must say. None of it looks for a stream or reads a file first.
CASES = [
    ((*LIVE, "--bundle", "b", "--settings", "nope.toml"), "--settings nope.toml is for a session without a bundle"),
    ((*LIVE, "--bundle", "b", "--mains", "60"), "--mains 60.0 is for a session without a bundle"),
    ((*LIVE, "--bundle", "demo", "--head", "h.safetensors"), "--head h.safetensors is for a session without a bundle"),
    ((*LIVE, *SOUND, "--featurizer", "f.onnx"), "--featurizer f.onnx is for predictions, and without --bundle"),
    ((*LIVE, *SOUND, "--threads", "2"), "--threads 2 is for predictions"),
    ((*LIVE, "--without", "A", "--only", "B"), "--without A and --only B exclude each other"),
    ((*LIVE, "--silent"), "--silent is for a sound that another program plays"),
    ((*LIVE, "--speaker", "1"), "--speaker 1 is the device that --audio FILE is played on, and nothing is played"),
    ((*LIVE, *SOUND, "--silent", "--speaker", "1"), "with --silent nothing is played"),
    ((*LIVE, "--tone-device", "1"), "--tone-device 1 is for a protocol's feedback tone, and there is none"),
    ((*LIVE, "--session-code", "A"), "--session-code opens an entry of a sealed allocation, and there is none"),
    ((*LIVE, "--screen", "1"), "--screen 1 is a view on a screen, and --headless shows none"),
    ((*LIVE, "--preview"), "--preview is a view on a screen"),
    ((*LIVE, "--photodiode", "second"), "--photodiode second is for a film in the participant's view"),
    ((*LIVE, "--screen-delay", ".05"), "--screen-delay 0.05 is for a film in the participant's view"),
    (("live", "--preview", "--screen", "1"), "--screen 1 and --preview exclude each other"),
    (("live", "--headless", "--board", "brainflow:synthetic", "--wait", "1"), "--wait is for streams, and with"),
    (("demo", "--headless", "--preview"), "--preview is a view on a screen"),
    (("demo", "--headless", "--tone-device", "1"), "--tone-device 1 is for a protocol's feedback tone"),
    (("replay", "x.xdf", "--audio-start", "3"), "--audio-start says when --audio FILE began"),
    (("replay", "x.xdf", "--bundle", "b", "--mains", "60"), "--mains 60.0 is for a session without a bundle"),
    (("replay", "FOLDER", "--audio", "x.wav"), "--audio is for a recording"),
    (("replay", "FOLDER", "--channels", "Fz,Cz"), "--channels is for a recording"),
    (("replay", "FOLDER", "--rate", "250"), "--rate is for a recording"),
    (("allocate", "p.toml", "--participants", "A,B", "--prefix", "S", "--out", "a"), "--prefix is for codes that"),
    (("devices", "--boards", "--wait", "3"), "--wait is for LSL streams, and with --boards none is looked for"),
    (("calibrate", "STUDY", "--check", "--out", "b"), "--out is for fitting a bundle, and with --check"),
    (("calibrate", "STUDY", "--out", "b", "--dask", "tcp://h:1", "--jobs", "2"), "--jobs is for processes of this"),
    (("calibrate", "STUDY", "--out", "b", "--ratings", "--mains", "60"), "--mains is for EEG, and of ratings"),
    (("calibrate", "STUDY", "--out", "b", "--quick", "--settings", "SETTINGS"), "has choices of [prediction]"),
    (
        ("export", "--model", "moonshine-tiny", "--layer", "2", "--lookahead", "3", "--out", "m.onnx"),
        "--lookahead is for checkpoints of other encoders, and moonshine-tiny does not use it",
    ),
    (
        ("export", "--model", "m", "--layer", "2", "--fidelity", "none", "--fidelity-audio", "a", "--out", "m.onnx"),
        "--fidelity-audio is the sound of a comparison",
    ),
    ((*LIVE, "--measure-band", "4-8"), "--measure-band 4-8 is for own measures, and there is none; give one with"),
    (("protocol", "check", "p.toml", "--measure-band", "4-8"), "--measure-band is for own measures, and no --measure"),
    ((*LIVE, "--rating-lag", "2"), "--rating-lag 2 is of the participant's own rating, and there is none"),
    (("live", "--headless", "--allow-missing"), "--allow-missing is for headsets that are asked for by name"),
    (("live", "--preview", "--photodiode", "second"), "--photodiode second is for a protocol's film, and there is no"),
    ((*LIVE, "--page", "8000", "--page", "8001"), "--page is given 2 times, 8000 and 8001; expected it once:"),
    ((*LIVE, "--seconds=3", "--seconds", "3"), "--seconds is given 2 times, 3 and 3; expected it once"),
    (("allocate", "p.toml", "--count", "3", "--count", "4", "--out", "a"), "--count is given 2 times, 3 and 4"),
    (("protocol", "examples", "--out", "a", "--out", "b"), "--out is given 2 times, a and b"),
    (("live", "--board", "brainflow:muse_2?peripheral=on", "--board", "brainflow:Muse-2?peripheral=off&config=p21"),
     "--board brainflow:muse_2?peripheral=on and --board brainflow:Muse-2?peripheral=off&config=p21 are the same"),
    ((*LIVE, "--remote-token", "t"), "--remote-token is for a session that other programs start, and this one is not"),
    ((*LIVE, "--at-once"), "--at-once is for a session that other programs start"),
    ((*LIVE, "--osc", "9001", "--osc-markers", "9001"), "--osc 9001 sends to the port that --osc-markers takes"),
    ((*LIVE, "--osc", "9000", "--osc", "lab:0"), "--osc 9000, lab:0: 'lab:0' is no address; expected a port"),
    ((*LIVE, "--page-token", "t"), "--page-token opens a page, and none is served"),
    ((*LIVE, "--page", "22345", "--remote"), "--page 22345 and --remote 22345 are the same port"),
    ((*LIVE, "--page", "0.0.0.0:22350"), "everybody on the network could watch; give a token --page-token FILE"),
    ((*LIVE, "--page", "x:y:1"), "--page x:y:1: 'x:y:1' is no address"),
    ((*LIVE, "--remote", "::1"), "--remote ::1: '::1' is no address"),
    ((*LIVE, "--remote", "0.0.0.0:22345"), "other computers could start and stop sessions; give a token"),
    ((*LIVE, "--out", ""), "--out '': it is empty; expected a path"),
    ((*LIVE, "--bundle", " "), "--bundle ' ': it is empty"),
    ((*LIVE, "--out", "a\0b"), "the argument a\\x00b has a NUL"),
    ((*LIVE, "--out", "a" * 300), "a part of its name has 300 bytes; expected at most 255"),
    (("replay", ""), "it is empty; expected a path"),
    (("simulate", "--out", ""), "--out '': it is empty"),
    (("calibrate", "study", "--out", ""), "--out '': it is empty"),
    (("report", ""), "it is empty"),
    (("export-bids", "s", "--out", ""), "--out '': it is empty"),
    (("headmodel", "--montage", "1020-19", "--out", ""), "--out '': it is empty"),
    (("protocol", "examples", "--out", ""), "--out '': it is empty"),
    (("scrub", ""), "it is empty"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "expected"), CASES, ids=[" ".join(given)[:70] for given, _ in CASES])
def test_an_option_that_would_be_passed_over_is_refused(given, expected, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "settings.toml").write_text("[prediction]\nn_components = 3\n", encoding="utf-8")
    stands = {"FOLDER": "folder", "STUDY": "study", "SETTINGS": "settings.toml"}
    before = sorted(os.listdir(tmp_path))
    assert expected in mistake(*(stands.get(word, word) for word in given))
    assert sorted(os.listdir(tmp_path)) == before, "nothing is written"


def test_a_name_that_is_not_utf8_is_no_path():
    assert "not UTF-8" in path_problem(os.fsdecode(b"a\xff.wav"))
    assert path_problem("sounds/é.wav") == ""


def test_a_plan_with_an_empty_path_is_refused(tmp_path):
    (tmp_path / "plan.toml").write_text('[results]\nout = ""\n', encoding="utf-8")
    assert "results.out" in mistake("live", "--session", tmp_path / "plan.toml")


def test_the_demos_bundle_is_a_name_and_no_path(tmp_path):
    plan = some_plan(tmp_path)
    plan = plan.model_copy(update={"analysis": plan.analysis.model_copy(update={"bundle": DEMO_BUNDLE})})
    (tmp_path / "a").mkdir()
    write_plan(plan, tmp_path / "a" / "plan.toml")
    assert 'bundle = "demo"' in (tmp_path / "a" / "plan.toml").read_text(encoding="utf-8")
    assert read_plan(tmp_path / "a" / "plan.toml").analysis.bundle == DEMO_BUNDLE
    assert plan_of(choices_of(plan)).analysis.bundle == DEMO_BUNDLE


def test_a_folder_called_demo_is_not_taken_for_the_demos_bundle(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("demo").mkdir()
    from rtaffect.common.errors import SettingsError
    from rtaffect.run.assemble import load_model

    with pytest.raises(SettingsError, match="there is a folder of that name here"):
        load_model(DEMO_BUNDLE, None, print)


def test_the_session_code_is_written_nowhere(tmp_path):
    plan = some_plan(tmp_path)
    coded = plan.model_copy(update={"protocol": plan.protocol.model_copy(update={"session_code": "ABCDE-FGHIJ"})})
    write_plan(coded, tmp_path / "plan.toml")
    assert "ABCDE" not in (tmp_path / "plan.toml").read_text(encoding="utf-8")
