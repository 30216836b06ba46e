"""What is said of one stream alone in the window: what is shown, what is changed, and what of it is in the plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rtaffect.plan.headset_plan import HeadsetPlan
from rtaffect.plan.session_plan import SessionPlan, read_plan, write_plan
from rtaffect.sources.device_profile import profile_called
from rtaffect.sources.selection import given_for
from rtaffect.start.choices import Choices, choices_of, plan_of
from rtaffect.start.found import in_session
from rtaffect.start.memory import recall, remember
from rtaffect.start.of_stream import OfStream
from rtaffect.start.scope import Scope, with_own
from rtaffect.start.start_presenter import resolve
from rtaffect.start.streams import StreamFacts, given_of
from rtaffect.start.table import stream_rows
from tests.sources.test_device_profiles import header_of
from tests.start.test_problems import CHANNELS, MUSE, found, lab, notes, ready, stops, stream  # noqa: F401
from tests.support.rated_bundles import rated_bundle

BARE = ("", "", "", "")


def bare(name: str = "Muse"):
    """A stream that names neither channels nor a unit."""
    return stream(name, MUSE, rate=256.0).__class__(
        replace(stream(name, MUSE, rate=256.0).header, labels=BARE, units=BARE, types=BARE), described=True
    )


def both(lab, **changes):  # noqa: F811
    return ready(lab, streams=("name=ANT", "name=Muse"), bundle="", sound="none", sound_file="", **changes)


def test_each_stream_is_read_by_what_is_said_of_it(lab):  # noqa: F811
    wanting = both(lab)
    (line,) = [each for each in resolve(wanting, found(wanting, stream(), bare())).lines if each.where == "channels"]
    assert line.uid == "uid-Muse"
    assert "does not name its 4 channels and does not say in which unit" in line.text
    said = OfStream("source_id=id-Muse", channels="Fz, Cz, Pz, Oz", unit="mV", rate="250")
    choices = both(lab, headsets=(said,))
    known = found(choices, stream(), bare())
    assert stops(choices, known) == []
    assert given_of(choices, bare().header)["unit"] == "mV"
    assert given_of(choices, stream().header)["unit"] is None
    cells = {row.cells[0]: (row.cells[2], row.cells[4]) for row in stream_rows(choices, known)}
    assert cells == {"ANT": ("250 Hz", "uV"), "Muse": ("250 Hz", "mV")}
    # The plan says the same, by the same mechanism as the command line.
    plan = plan_of(in_session(choices, known))
    assert plan.eeg.headsets == (
        HeadsetPlan(stream="source_id=id-Muse", channels=("Fz", "Cz", "Pz", "Oz"), unit="mV", rate=250.0),
    )
    assert given_for(plan.eeg, bare().header) == given_of(choices, bare().header)
    assert plan_of(choices_of(plan)) == plan


def test_the_fields_are_of_the_selected_stream_or_of_all(lab):  # noqa: F811
    choices = both(lab, unit="V", headsets=(OfStream("Muse", unit="mV", only="TP9"),))
    known = found(choices, stream(), bare())
    rows = {row.cells[0]: row.key for row in stream_rows(choices, known)}
    muse = resolve(choices, known, rows["Muse"]).scope
    assert muse.own == choices.headsets[0]
    assert (muse.shown(choices).unit, muse.shown(choices).only) == ("mV", "TP9")
    assert muse.hints["channels"] == "no names are declared: give them in order"
    changed = muse.changed(choices, {"unit": "uV"})
    assert changed == {"headsets": (OfStream("Muse", unit="uV", only="TP9"),)}
    # Two changes, one after the other, before the window shows the first.
    after = replace(choices, **changed)
    both_changed = (OfStream("Muse", unit="uV", rate="9", only="TP9"),)
    assert muse.changed(after, {"rate": "9"}) == {"headsets": both_changed}
    ant = resolve(choices, known, rows["ANT"]).scope
    assert ant.own == OfStream("source_id=id-ANT")
    assert ant.hints["unit"] == "as for all: V"
    assert ant.words.startswith("no profile is recognised")
    assert resolve(choices, known, rows["ANT"], of_all=True).scope == Scope()
    assert Scope().changed(choices, {"unit": ""}) == {"unit": ""}


def test_a_profile_is_told_with_why(lab):  # noqa: F811
    choices, profile = ready(lab, streams=None), profile_called("muse-lsl")
    assert profile is not None
    known = found(choices, StreamFacts(replace(header_of(profile), uid="m"), described=True))
    scope = resolve(choices, known).scope
    assert scope.words.startswith(f"recognised as {profile.device} by {profile.program} (profile muse-lsl): its ")
    assert scope.hints["profile"] == "muse-lsl, as recognised"
    assert scope.hints["channels"] == "TP9, AF7, AF8, TP10"
    # Another profile, or none, for that stream alone.
    own = replace(choices, headsets=(replace(scope.own, profile="none"),))  # type: ignore[type-var]
    assert resolve(own, known).scope.words.startswith("no profile is recognised")


def test_twins_can_not_be_told_apart(lab):  # noqa: F811
    choices = ready(lab, streams=None)
    twin = replace(stream(), header=replace(stream().header, uid="other"))
    scope = resolve(choices, found(choices, stream(), twin)).scope
    assert scope.own is None
    assert "cannot be told apart" in scope.why_not
    assert scope.changed(choices, {"unit": "V"}) == {}


def test_what_is_said_of_one_keeps_its_place_and_goes_when_empty():
    first, second, third = OfStream("a", unit="V"), OfStream("b", unit="V"), OfStream("c", unit="V")
    assert with_own((first, second), replace(first, unit="mV")) == (replace(first, unit="mV"), second)
    assert with_own((first, second), third) == (first, second, third)
    assert with_own((first, second, third), OfStream("b")) == (first, third)


@pytest.mark.parametrize(
    ("said", "where", "message"),
    [
        (OfStream("Muse", rate="fast"), "rate", "Muse: Rate 'fast' is not possible"),
        (OfStream("Muse", without="TP9", only="AF7"), "without", "without and only exclude each other"),
        (OfStream("type=EEG", unit="V"), "headsets", "means any headset"),
    ],
)  # fmt: skip
def test_what_cannot_be_said_of_one_is_refused(lab, said, where, message):  # noqa: F811
    choices = both(lab, headsets=(said,))
    assert any(
        w == where and message in text for w, text in stops(choices, found(choices, stream(), stream("Muse", MUSE)))
    )


def test_what_is_said_of_who_is_not_there_stands_back_and_is_told(lab):  # noqa: F811
    gone, unticked = OfStream("name=Gone", unit="V"), OfStream("Muse", unit="V")
    choices = ready(lab, streams=("name=ANT",), headsets=(gone, unticked))
    known = found(choices, stream(), stream("Muse", MUSE))
    told = [line.text for line in notes(choices, known) if line.where == "headsets"]
    assert told == ["name=Gone takes no part now: what is said of it alone stands back"]
    assert plan_of(in_session(choices, known)).eeg.headsets == ()
    # One that was ticked, and does not answer now, is still meant.
    wanted = replace(choices, streams=("name=ANT", "name=Gone"))
    assert in_session(wanted, known).headsets == (gone,)


def test_it_is_remembered_and_kept_in_plans(tmp_path, monkeypatch):
    monkeypatch.setenv("RTAFFECT_CONFIG", str(tmp_path))
    choices = Choices(headsets=(OfStream("name=Muse", channels="A, B", unit="mV"),), folder="/f")
    assert remember(choices) == ""
    assert recall() == (choices, "")
    # What was remembered before there was such a thing is read.
    (tmp_path / "start.toml").write_text('format = 1\nfolder = "/f"\n', encoding="utf-8")
    assert recall() == (Choices(folder="/f"), "")
    plan = SessionPlan.model_validate({"eeg": {"headsets": ["Muse?unit=mV"]}})
    write_plan(plan, tmp_path / "p.toml")
    assert choices_of(read_plan(tmp_path / "p.toml")).headsets == (OfStream("Muse", unit="mV"),)
    assert Path(tmp_path / "p.toml").read_text(encoding="utf-8").count("\n") < 12


def test_a_bundle_of_ratings_needs_no_headset(lab, tmp_path):  # noqa: F811
    rated = str(rated_bundle(tmp_path / "rated"))
    choices = ready(lab, bundle=rated, streams=None)
    known = found(choices, stream())
    assert stops(choices, known) == []
    assert [row.ticked for row in stream_rows(choices, known)] == [False]
    assert plan_of(in_session(choices, known)).eeg.streams == ()
    worn = ready(lab, bundle=rated, streams=("name=ANT",))
    assert stops(worn, found(worn, stream())) == []
    assert plan_of(in_session(worn, found(worn, stream()))).eeg.streams == ("name=ANT",)
