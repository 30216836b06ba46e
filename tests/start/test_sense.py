"""Fields of affect, elements and ratings: where they have a use, what is wrong with them, and the plan they make."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rtaffect.plan.session_plan import DEMO_BUNDLE
from rtaffect.start.choices import Choices, choices_of, plan_of
from rtaffect.start.sense import FIELDS, why_not
from rtaffect.start.table import affect_lines
from rtaffect.stream.source import StreamHeader
from tests.start.test_problems import CHANNELS, found, lab, markers, notes, ready, stops, stream  # noqa: F401
from tests.support.affect import without_rest, write_tiny_bundle
from tests.support.rated_bundles import rated_bundle


@pytest.fixture(scope="module")
def affective(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Bundles of affect and of ratings, and a library."""
    folder = tmp_path_factory.mktemp("affective")
    (folder / "library").mkdir()
    (folder / "library" / "a.wav").touch()
    (folder / "empty").mkdir()
    return {
        "affect": str(write_tiny_bundle(folder / "affect", CHANNELS[:4])),
        "restless": str(write_tiny_bundle(folder / "restless", CHANNELS[:4], without_rest())),
        "far": str(write_tiny_bundle(folder / "far", ("E1", "E2"))),
        "rated": str(rated_bundle(folder / "rated")),
        "library": str(folder / "library"),
        "empty": str(folder / "empty"),
    }


def senseless(choices: Choices, known: object) -> dict[str, str]:
    """The fields that have no use, with why."""
    return {name: why for name, why in why_not(choices, known).items() if why}  # type: ignore[arg-type]


def test_fields_have_a_use_where_their_bundle_is_there(lab, affective):  # noqa: F811
    plain = ready(lab)
    said = senseless(plain, found(plain, stream()))
    assert set(said) == set(FIELDS) - {"affect"}
    assert said["elements"] == "the bundle has none"
    assert said["rating"] == said["rating_lag_s"] == "the bundle has none"
    assert said["library"] == "needs a bundle of affect"
    none = ready(lab, bundle="")
    assert senseless(none, found(none))["elements"] == "needs a bundle with voice and background"
    read = ready(lab, affect=affective["affect"], bundle="demo")
    assert set(senseless(read, found(read, stream()))) == {"rating", "rating_lag_s"}
    restless = replace(read, affect=affective["restless"])
    assert senseless(restless, found(restless))["affect_rest_s"] == "the bundle subtracts no rest"
    rated = ready(lab, bundle=affective["rated"])
    assert set(senseless(rated, found(rated))) == {"elements", "library", "affect_rest_s"}
    assert set(senseless(Choices(mode="demo"), found(Choices(mode="demo")))) >= {"library", "affect_rest_s"}
    assert "elements" not in senseless(Choices(mode="demo"), found(Choices(mode="demo")))


def test_a_session_with_affect_makes_the_plan_of_the_command_line(lab, affective):  # noqa: F811
    choices = ready(
        lab, affect=affective["affect"], library=affective["library"], affect_rest_s="45", elements="off",
        rating="slider", rating_lag_s="2.5", preview=True,
    )  # fmt: skip
    plan = plan_of(choices)
    analysis = plan.analysis
    assert (analysis.affect, analysis.library) == (Path(affective["affect"]), Path(affective["library"]))
    assert (analysis.affect_rest_s, analysis.elements, analysis.rating_lag_s, plan.eeg.rating) == (
        45,
        "off",
        2.5,
        "slider",
    )
    assert plan_of(choices_of(plan)) == plan
    demos = plan_of(Choices(mode="demo", affect="demo", elements="auto"))
    assert demos.analysis.affect == DEMO_BUNDLE
    # An empty field of affect is none, though the option without a value means the demo's.
    assert plan_of(Choices(mode="demo")).analysis.affect is None
    # What belongs to affect stands back where there is none, as its fields do.
    assert plan_of(replace(choices, affect="")).analysis.library is None


def test_affect_that_fits_can_be_started_and_is_told(lab, affective):  # noqa: F811
    choices = ready(lab, affect=affective["affect"], library=affective["library"], affect_rest_s="60")
    known = found(choices, stream())
    assert stops(choices, known) == []
    assert [line.text for line in affect_lines(choices, known)] == [
        "tiny (synthetic), 2026-01-01, 1 file in the library",
        "reads 4 channels, and needs 60 s of rest of each person",
    ]
    assert "The bundle of affect is synthetic" in " ".join(line.text for line in notes(choices, known))


@pytest.mark.parametrize(
    ("changes", "where", "message"),
    [
        ({"affect": "affect"}, "affect_rest_s", "nothing says when people rest: there is no protocol"),
        ({"affect": "affect", "affect_rest_s": "soon"}, "affect_rest_s", "Rest at first 'soon' is not possible"),
        ({"affect": "affect", "affect_rest_s": "2"}, "affect_rest_s", "expected whole seconds from 5"),
        ({"affect": "restless", "affect_rest_s": "30"}, "affect_rest_s", "does not subtract their rest"),
        ({"affect": "far", "affect_rest_s": "30"}, "channels", "has no channel E1, E2, and the bundle of affect tiny"),
        ({"affect": "empty"}, "affect", "affect.json"),
        ({"affect": "restless", "library": "empty"}, "library", "no file in it"),
        ({"affect": "restless", "library": "nowhere"}, "library", "Library"),
        ({"elements": "on"}, "elements", "Elements on: the bundle has none; choose another bundle"),
        ({"rating": "slider"}, "rating", "Own rating slider: the bundle has none; choose"),
        ({"rating": "slider", "bundle": ""}, "rating", "Own rating slider: needs a bundle of ratings"),
        ({"rating_lag_s": "late"}, "rating_lag_s", "expected a number of seconds from 0 to 8"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_affect_and_ratings_is_said_where_it_is(lab, affective, changes, where, message):  # noqa: F811
    paths = {name: affective.get(value, value) for name, value in changes.items() if name in ("affect", "library")}
    choices = ready(lab, **{**changes, **paths})
    said = dict(stops(choices, found(choices, stream())))
    assert where in said, said
    assert message in said[where], said


def test_a_rating_is_looked_for_among_the_streams(lab, affective):  # noqa: F811
    choices = ready(lab, bundle=affective["rated"], rating="Knob", streams=("name=ANT",))
    header = StreamHeader("Knob", "Rating", 20.0, "float32", ("arousal", "valence"), source_id="knob", uid="k")
    knob = replace(stream(), header=header)
    assert (
        "rating",
        "The stream of ratings with name 'Knob' does not answer now: name another, or leave it out",
    ) in stops(choices, found(choices, stream()))
    assert [where for where, _ in stops(choices, found(choices, stream(), knob))] == []
    slider = replace(choices, rating="slider")
    assert [where for where, _ in stops(slider, found(slider, stream()))] == ["screen"]
