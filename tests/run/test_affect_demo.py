"""The demo of affect: what is asked for by its name, what is refused, and what is made and told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import calibration.affect.demo
import calibration.demo
from rtaffect.affect.bundle import load_affect_bundle
from rtaffect.cli.sessions import demo, live
from rtaffect.common.errors import SettingsError
from rtaffect.plan.conflicts import DEMO_REST_S, conflicts
from rtaffect.plan.session_folder import cell_number, open_session
from rtaffect.plan.session_plan import DEMO_BUNDLE, SessionPlan, read_plan, write_plan
from rtaffect.run import demo_material
from rtaffect.run.demo import AFFECT_BANNER, BANNER, LEAD_S, DemoSources
from rtaffect.start.choices import choices_of, plan_of
from tests.affect.test_library import write
from tests.cli.test_commands import fine, mistake
from tests.support.helpers import quiet

HEADLESS = ("demo", "--speed", "max", "--headless")


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The material of a demo of affect, which is not made."""
    folder = tmp_path / "made"
    folder.mkdir()
    np.save(folder / "participant.npy", np.zeros((2500, 24), np.float32))
    write(folder / "sound.wav", 5, 0)
    monkeypatch.setattr("rtaffect.run.demo.affect_demo_folder", lambda *_: folder)
    return folder


def plan_by(monkeypatch: pytest.MonkeyPatch, *given: str, command=demo) -> SessionPlan:
    """Return the plan that a command makes of its options."""
    plans: list[SessionPlan] = []
    monkeypatch.setattr("rtaffect.cli.sessions.run_plan", lambda plan, *_: plans.append(plan))
    done = CliRunner().invoke(command, ["--headless", *given], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return plans[0]


@pytest.mark.parametrize("given", [("--affect",), ("--affect", "demo"), ("--affect", "--speed", "max")])
def test_without_a_value_the_option_asks_for_the_demos_bundle(monkeypatch: pytest.MonkeyPatch, given) -> None:
    assert plan_by(monkeypatch, *given).analysis.affect == DEMO_BUNDLE


def test_a_bundle_of_ones_own_joins_the_usual_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    assert plan_by(monkeypatch, "--affect", "my-affect").analysis.affect == Path("my-affect")
    done = CliRunner().invoke(live, ["--affect"])
    assert done.exit_code != 0
    assert "requires an argument" in done.output, "a session with people takes no bundle that is not named"


def test_the_name_is_none_of_a_file(tmp_path: Path) -> None:
    plan = SessionPlan.model_validate({"mode": "demo", "analysis": {"affect": DEMO_BUNDLE}})
    (tmp_path / "a").mkdir()
    write_plan(plan, tmp_path / "a" / "plan.toml")
    assert 'affect = "demo"' in (tmp_path / "a" / "plan.toml").read_text(encoding="utf-8")
    assert read_plan(tmp_path / "a" / "plan.toml").analysis.affect == DEMO_BUNDLE
    assert plan_of(choices_of(plan)).analysis.affect == DEMO_BUNDLE


def test_a_folder_called_demo_is_not_taken_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("demo").mkdir()
    with pytest.raises(SettingsError, match="--affect demo names the demo's bundle, but there is a folder"):
        demo_material.is_demos(DEMO_BUNDLE, "affect")
    assert "there is a folder of that name here" in mistake(*HEADLESS, "--affect")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--elements",), "--elements on is another demo, of synchrony, and --affect demo is that of affect"),
        (("--protocol",), "the participant of --affect demo was simulated for the demo's sound alone"),
        (("--affect-rest", "31"), "--affect-rest 31: the participant of --affect demo rests 30 s"),
    ],
)
def test_what_it_does_not_have_is_refused_before_it_is_made(given, said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration.affect.demo, "ensure", lambda *_: pytest.fail("it was made"))
    monkeypatch.setattr(calibration.demo, "ensure", lambda *_, **__: pytest.fail("it was made"))
    assert said in mistake(*HEADLESS, *given, "--affect")


def test_its_sources_have_no_synchrony_and_say_when_people_rest(made: Path) -> None:
    plan = SessionPlan.model_validate({"mode": "demo", "speed": "max", "analysis": {"affect": DEMO_BUNDLE}})
    assert not list(conflicts(plan))
    sources = DemoSources.open(plan, quiet)
    assert (sources.analysis.bundle, sources.analysis.affect) == (None, DEMO_BUNDLE)
    # The plan that is kept says it, so that a replay knows.
    assert sources.plan.analysis.affect_rest_s == sources.analysis.affect_rest_s == DEMO_REST_S
    assert sources.banner == AFFECT_BANNER != BANNER


def test_what_is_written_is_what_a_session_takes_for_granted() -> None:
    assert (calibration.affect.demo.REST_S, float(calibration.affect.demo.BEFORE_S)) == (DEMO_REST_S, LEAD_S)
    assert calibration.affect.demo.HEARD.eeg.seed != calibration.affect.demo.TRAINED.eeg.seed, "clips of its own"


#: The correlation of what is planted and what is told of valence and arousal, as docs/affect.md has it.
TOLD = {"eeg": (0.72, 0.72), "sound": (0.80, 0.89), "both": (0.80, 0.87)}


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_it_is_made_tells_what_is_planted_and_is_replayed(tmp_path: Path) -> None:
    out = tmp_path / "first"
    said = fine(*HEADLESS, "--affect", "--out", out)
    assert "valence and arousal: from the EEG in" in said
    folder = demo_material.affect_demo_folder(None, quiet)
    manifest = load_affect_bundle(folder / "affect").manifest
    assert manifest.synthetic
    assert manifest.provenance["people"] == "8"
    truth = np.loadtxt(folder / "truth.tsv", skiprows=1)
    planted = {int(second): place for second, *place in truth}
    lines = open_session(out).table("affect.tsv")
    for source, correlations in TOLD.items():
        told = [each for each in lines if each["source"] == source and int(each["step"]) in planted]
        for number, dimension in enumerate(("valence", "arousal")):
            pairs = np.array([(cell_number(each[dimension]), planted[int(each["step"])][number]) for each in told])
            there = np.isfinite(pairs[:, 0])
            assert there.mean() > 0.75, (source, dimension)
            # Another processor rounds otherwise, and training goes another way from there.
            assert np.corrcoef(pairs[there].T)[0, 1] > correlations[number] - 0.1, (source, dimension)
    assert any(each["near_1"].startswith("clip-") for each in lines)
    fine("replay", out, "--speed", "max", "--headless", "--out", tmp_path / "again")
    for table in ("affect.tsv", "affect_baseline.tsv"):
        assert (out / table).read_bytes() == (tmp_path / "again" / table).read_bytes(), table
