"""The plane of valence and arousal, and how ratings are shown, without a screen."""

from __future__ import annotations

import numpy as np
import pytest

from rtaffect.common.rating_scale import RatingScale
from rtaffect.common.settings import DriftSettings
from rtaffect.present.health import describe_health
from rtaffect.present.plane_state import path_pieces, placed, strength, value_words
from rtaffect.present.session_presenter import Presenter
from rtaffect.present.session_state import describe_step, resolve_headline
from rtaffect.present.slider_state import Slider
from rtaffect.present.time_courses import agreement
from rtaffect.sources.slider import SliderSource
from tests.support.fake_feedback import fake_session
from tests.support.fake_rated import SCALE, fake_rated_session
from tests.support.recording_tap import RecordingTap
from tests.support.waiting import wait_for


def shown(steps) -> Presenter:
    presenter = Presenter()
    for feedback in steps:
        presenter.add(feedback)
    return presenter


@pytest.mark.parametrize(("rows", "right_up"), [
    (("arousal", "valence"), (1, 0)), (("valence", "arousal"), (0, 1)), (("Pleasure", "tension", "Activation"), (0, 2)),
    (("arousal", "dominance"), (1, 0)), (("a", "b"), (0, 1)), (("arousal",), None),
])  # fmt: skip
def test_valence_goes_to_the_right_and_arousal_upwards(rows, right_up):
    assert placed(rows) == right_up


def test_points_lie_where_the_ratings_are():
    steps = fake_rated_session(90)
    plane = shown(steps).state().plane
    assert plane is not None
    assert (plane.right.name, plane.right.numbers) == ("valence", (1.0, 5.0, 9.0))
    assert (plane.up.name, plane.up.low, plane.up.high) == ("arousal", "calm", "excited")
    assert plane.quadrants
    predicted, observed = plane.points
    np.testing.assert_allclose(predicted.at, (steps[-1].predicted[[1, 0]] - 5) / 4)
    np.testing.assert_allclose(predicted.low, predicted.at - 0.35)
    np.testing.assert_allclose(observed.at, (steps[-1].observed[[1, 0]] - 5) / 4)
    assert np.isnan(observed.low).all(), "what somebody says has no interval"
    assert len(predicted.path) == 60
    np.testing.assert_allclose(predicted.path[-1], predicted.at)
    assert (predicted.ages[0], predicted.ages[-1]) == (59.0, 0.0)
    assert value_words(plane.right, *(float(x[0]) for x in (predicted.at, predicted.low, predicted.high))).startswith(
        "valence "
    )


def test_without_a_value_there_is_no_point_but_the_reason():
    plane = shown(fake_rated_session(90, silent=(70, 90))).state().plane
    assert plane is not None
    predicted, observed = plane.points
    assert predicted.there
    assert not predicted.sure, "the rating is missing, so the step is not trusted"
    assert not observed.there
    assert observed.why == "the participant has not rated yet"
    assert [(len(observed.path) - 1, last) for _, last in path_pieces(observed.path, observed.ages)] == [(59, 39)]
    nobody = shown(fake_rated_session(40, rated=False)).state().plane
    assert nobody is not None
    assert nobody.points[0].sure
    assert nobody.points[1].why == "nobody rates: nothing is observed"


def test_paths_are_parted_by_missing_values_and_steps():
    path = np.array([[0, 0], [1, 1], [np.nan, 0], [1, 0], [0, 1], [1, 1]], float)
    assert path_pieces(path, np.array([9.0, 8, 7, 6, 5, 2])) == [(0, 1), (3, 4), (5, 5)]
    assert path_pieces(np.empty((0, 2)), np.empty(0)) == []
    assert [strength(age) for age in (0, 30, 60, 90)] == [1.0, 0.5, 0.0, 0.0]


def test_other_sessions_have_no_plane():
    assert shown(fake_session(20)).state().plane is None
    assert shown(fake_rated_session(20, names=("arousal",))).state().plane is None


def test_ratings_have_no_mean_but_each_other():
    state = shown(fake_rated_session(60)).state()
    assert (state.row.name, state.mean.name) == ("arousal", "valence")
    assert state.row.rating == SCALE
    assert np.nanmax(state.row.smoothed) > 1.0, "a plain mean, which no correlation could be"
    assert describe_step(state.latest).endswith("observed: the participant's own rating")
    assert resolve_headline(state, 0.1)[0] == "running"
    assert not any(item.label == "window's centre" for item in describe_health(state, 0.1, None))


def test_agreement_of_ratings_is_pearsons_of_the_ratings():
    rng = np.random.default_rng(0)
    x = np.cumsum(rng.standard_normal(200))
    y = x + rng.standard_normal(200)
    scale = RatingScale(low=-60.0, high=80.0)
    line = np.stack([np.ones(200), np.arange(200.0)], axis=1)
    found = agreement(x, y, drift=DriftSettings(linear=True, cutoff_s=0.0), rating=scale)
    left = [v - line @ np.linalg.lstsq(line, v, rcond=None)[0] for v in (x, y)]
    assert found.r == pytest.approx(np.corrcoef(*left)[0, 1], abs=1e-9)
    assert found.distance == pytest.approx(np.abs(x - y).mean())
    assert found.distance_chance is not None


def test_keys_move_the_slider_from_its_middle_and_no_further_than_its_ends():
    source = SliderSource(("arousal", "valence"), SCALE)
    slider = Slider(source)
    assert slider.state().at == (None, None)
    assert not slider.press("A")
    assert slider.state().at == (None, None)
    assert slider.press("Right")
    assert slider.state().at == (0.05, 0.0), "valence to the right"
    slider.press("Up")
    assert source.shares == (0.05, 0.05), "arousal, valence"
    for _ in range(50):
        slider.press("Down")
    assert slider.state().at == (0.05, -1.0)
    slider.put(0.5, 0.25)
    assert source.shares == (0.25, 0.5)
    bar = Slider(SliderSource(("arousal",), SCALE))
    bar.press("Up")
    bar.press("Left")
    assert bar.state().at == (0.0,)
    assert bar.state().up is None


def test_the_slider_is_a_stream_of_its_own():
    source = SliderSource(("arousal", "valence"), SCALE)
    source.tap = tap = RecordingTap()
    source.start()
    wait_for(lambda: source.buffer.received > 4)
    source.move(0, 0.5)
    source.move(1, -1.0)
    count = source.buffer.received
    wait_for(lambda: source.buffer.received > count + 4)
    source.stop()
    times, values = source.buffer.tail(10.0)
    assert np.isnan(values[0]).all(), "before it is touched"
    np.testing.assert_allclose(values[-1], [7.0, 1.0])
    np.testing.assert_allclose(np.diff(times), 0.05, atol=1e-3)
    assert source.status(times[-1]).state == "ended"
    told = [value for what, value in tap.events if what == "samples"]
    np.testing.assert_array_equal(np.concatenate([stamps for stamps, _ in told]), times)
    assert ("offset", 0.0) in [(what, value[1]) for what, value in tap.events if what == "offset"]
