"""The rule: values, smoothing, scales and levels, held against plain arithmetic."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtaffect.common.errors import SettingsError
from rtaffect.measures.measure import MeasureValues
from rtaffect.protocol.measured import Named, window_of
from rtaffect.protocol.model import LEAST_VALUES, FeedbackRule
from rtaffect.protocol.reading import check_rows
from rtaffect.protocol.rule import Reading, Rule, Scale, Staircase, level_of, rows_that_count, synchrony_of
from rtaffect.stream.doubt import Doubt
from tests.support.protocol_files import WINDOW_S, protocol_of, step_of

correlations = st.floats(-0.95, 0.95)


def block(rule: Rule, kind: str, values: list[float], trusted: bool = True) -> list[Reading]:
    """Run a block in which the first settled step has the first value."""
    rule.begin(kind)
    early = [rule.step(step_of(1, 0.9), second) for second in range(WINDOW_S)]
    assert all(math.isnan(reading.value) and reading.own.level is None for reading in early)
    return [rule.step(step_of(1, value, trusted=trusted), WINDOW_S + i) for i, value in enumerate(values)]


def smoothed(values: list[float], width: int) -> np.ndarray:
    """The mean by Fisher z of the last ``width`` values, the plain way."""
    return np.array([np.tanh(np.mean(np.arctanh(values[max(0, i + 1 - width) : i + 1]))) for i in range(len(values))])


@given(correlations, correlations, st.floats(1e-3, 1), st.floats(0.01, 20))
def test_a_level_is_between_0_and_1_and_grows_with_the_value(value, low, width, gain):
    scale = Scale(low, low + width, low)
    level = level_of(value, scale, gain)
    assert 0 <= level <= 1
    assert level_of(value + 0.01, scale, gain) >= level
    assert level_of(low + width / 2, scale, gain) == pytest.approx(0.5)


def test_the_level_by_hand():
    scale = Scale(0.1, 0.3, 0.2)
    assert level_of(0.25, scale, 1.0) == pytest.approx(0.75)
    assert level_of(0.25, scale, 0.5) == pytest.approx(0.625)
    assert level_of(0.1, scale, 1.0) == 0
    assert level_of(0.4, scale, 1.0) == 1


def test_the_scale_is_the_baselines_percentiles_of_smoothed_values():
    rng = np.random.default_rng(1)
    baseline, run = list(rng.uniform(-0.1, 0.4, 50)), list(rng.uniform(-0.1, 0.4, 40))
    rule = Rule(FeedbackRule(smoothing_s=3, low_percentile=20, high_percentile=80, gain=1.5), WINDOW_S)
    readings = block(rule, "baseline", baseline)
    assert all(reading.own.level is None for reading in readings)
    assert [reading.value for reading in readings] == pytest.approx(smoothed(baseline, 3))
    low, middle, high = np.percentile(smoothed(baseline, 3), [20, 50, 80])
    expected = smoothed(run, 3)
    for reading, value in zip(block(rule, "feedback", run), expected, strict=True):
        assert reading.value == pytest.approx(value)
        assert reading.scale == pytest.approx((low, high, middle))
        wanted = min(1.0, max(0.0, 0.5 + 1.5 * ((value - low) / (high - low) - 0.5)))
        assert reading.own.level == pytest.approx(wanted)
        assert reading.own.success == (value >= middle)


def test_nothing_is_smoothed_across_blocks_and_a_gap_takes_no_part():
    rule = Rule(FeedbackRule(smoothing_s=4, scale="fixed", low=0.0, high=1.0), WINDOW_S)
    block(rule, "feedback", [0.9] * 5)
    readings = block(rule, "feedback", [0.2, math.nan, 0.4])
    assert readings[0].value == pytest.approx(0.2)
    assert math.isnan(readings[1].value)
    assert readings[1].own.level is None
    assert readings[2].value == pytest.approx(smoothed([0.2, 0.4], 4)[-1])


@pytest.mark.parametrize("kind", ["baseline", "rest", "listen", "transfer"])
def test_only_feedback_is_shown_but_the_value_is_there(kind):
    rule = Rule(FeedbackRule(scale="fixed", low=0.0, high=1.0), WINDOW_S)
    (reading,) = block(rule, kind, [0.3])
    assert reading.value == pytest.approx(0.3)
    assert reading.own.level is None
    assert not reading.own.success
    assert "nothing is shown" in reading.own.reason


def test_what_is_not_trusted_is_neutral_with_the_reason():
    rule = Rule(FeedbackRule(scale="fixed", low=0.0, high=1.0), WINDOW_S)
    rule.begin("feedback")
    reading = rule.step(step_of(1, 0.5, trusted=False, reason="A: Fz is loose"), WINDOW_S)
    assert reading.own.level is None
    assert reading.own.reason == "A: Fz is loose"
    reading = rule.step(step_of(2, 0.5, trusted=False), WINDOW_S + 1)
    assert reading.own.reason == "no trusted value of mean"
    assert rule.step(step_of(3, 0.5), WINDOW_S + 2).own.level == pytest.approx(0.5)


def test_a_baseline_with_too_few_values_shows_nothing_and_says_so():
    rule = Rule(FeedbackRule(), WINDOW_S)
    block(rule, "baseline", [0.1, 0.2] * ((LEAST_VALUES - 2) // 2) + [math.nan] * 20)
    (reading,) = block(rule, "feedback", [0.15])
    assert reading.own.level is None
    assert f"gave {LEAST_VALUES - 2} trusted values, the scale needs {LEAST_VALUES}" in reading.own.reason
    block(rule, "baseline", [0.1, 0.2])
    assert block(rule, "feedback", [0.15])[0].own.level is not None


def test_a_baseline_that_does_not_vary_shows_nothing():
    rule = Rule(FeedbackRule(), WINDOW_S)
    block(rule, "baseline", [0.2] * 40)
    (reading,) = block(rule, "feedback", [0.2])
    assert reading.own.level is None
    assert "do not vary" in reading.own.reason


@pytest.mark.parametrize(("value", "expected"), [("observed", 0.5), ("predicted", 0.2), ("difference", 0.3)])
def test_which_synchrony(value, expected):
    rule = Rule(FeedbackRule(value=value, scale="fixed", low=-1.0, high=1.0), WINDOW_S)
    rule.begin("feedback")
    assert rule.step(step_of(1, 0.5, 0.2), WINDOW_S).value == pytest.approx(expected)


@pytest.mark.parametrize("value", ["predicted", "difference"])
def test_without_a_prediction_there_is_no_value(value):
    rule = Rule(FeedbackRule(value=value, scale="fixed", low=-1.0, high=1.0), WINDOW_S)
    rule.begin("feedback")
    reading = rule.step(step_of(1, 0.5, math.nan, reason="no sound to predict from"), WINDOW_S)
    assert math.isnan(reading.value)
    assert reading.own.reason == "no sound to predict from"
    observed = Rule(FeedbackRule(scale="fixed", low=-1.0, high=1.0), WINDOW_S)
    observed.begin("feedback")
    assert observed.step(step_of(1, 0.5, math.nan), WINDOW_S).own.level is not None


ROWS = {
    "rows": ("insula-lh", "frontal", "occipital", "frontal"),
    "kinds": ("region", "zone", "zone", "group"),
    "specificity": (0.1, 0.6, 0.2, 0.5),
}


def test_rows_by_name_and_their_mean():
    step = step_of(1, [0.1, 0.2, 0.4, 0.6], **ROWS)
    assert rows_that_count(step, ("mean",)).tolist() == [False, True, False, False]
    assert rows_that_count(step, ("frontal",)).tolist() == [False, True, False, True]
    assert synchrony_of(step, ("occipital", "insula-lh"))[0] == pytest.approx(np.tanh(np.arctanh([0.4, 0.1]).mean()))
    lost = step_of(1, [0.1, 0.2, 0.4, 0.6], trusted=[True, True, False, True], **ROWS)
    assert synchrony_of(lost, ("occipital", "insula-lh"))[0] == pytest.approx(0.1)
    assert math.isnan(synchrony_of(lost, ("occipital",))[0])


def test_the_mean_of_channels_is_that_of_the_trusted_ones():
    assert synchrony_of(step_of(1, [0.2, 0.6]), ("mean",))[0] == pytest.approx(np.tanh(np.arctanh([0.2, 0.6]).mean()))
    assert synchrony_of(step_of(1, [0.2, 0.6], trusted=[True, False]), ("mean",))[0] == pytest.approx(0.2)


@given(
    st.lists(st.floats(-1, 1), min_size=1, max_size=300), st.floats(0.05, 0.95), st.floats(0.05, 1), st.integers(10, 90)
)
def test_the_share_of_success_is_bound_whatever_the_values(values, rate, width, adapt_s):
    """Exactly p + (change of threshold) / (n s), so that it comes near p while values stay in a range."""
    stairs = Staircase(0.1, width, rate, adapt_s)
    success = []
    for value in values:
        success.append(value >= stairs.threshold)
        stairs.update(value)
    change = (stairs.threshold - 0.1) / (len(values) * width / adapt_s)
    assert np.mean(success) == pytest.approx(rate + change, abs=1e-6)
    step = width / adapt_s
    assert min(0.1, *values) - step <= stairs.threshold <= max(0.1, *values) + step


@pytest.mark.parametrize("rate", [0.3, 0.7])
def test_an_adaptive_threshold_keeps_its_rate_through_drift(rate):
    rng = np.random.default_rng(2)
    rule = Rule(FeedbackRule(scale="adaptive", success_rate=rate, adapt_s=30, smoothing_s=1), WINDOW_S)
    baseline = list(0.1 + 0.05 * rng.standard_normal(60))
    block(rule, "baseline", baseline)
    run = 0.1 + np.linspace(0, 0.15, 900) + 0.05 * rng.standard_normal(900)
    readings = block(rule, "feedback", list(run))
    assert readings[0].scale.threshold == pytest.approx(np.percentile(baseline, 100 * (1 - rate)))
    low, high = np.percentile(baseline, [10, 90])
    for reading in readings:
        assert reading.own.level is not None
        assert reading.scale.high - reading.scale.low == pytest.approx(high - low)
        assert reading.own.success == (reading.own.level >= 0.5)
    assert np.mean([reading.own.success for reading in readings[300:]]) == pytest.approx(rate, abs=0.06)
    (after,) = block(rule, "feedback", [0.1])
    change = after.scale.threshold - readings[-1].scale.threshold
    assert abs(change) <= (high - low) / 30, "the threshold goes on from block to block"


def test_an_adaptive_scale_without_a_baseline_is_made_of_the_first_values():
    rule = Rule(FeedbackRule(scale="adaptive", smoothing_s=1), WINDOW_S)
    values = list(np.linspace(0.1, 0.3, LEAST_VALUES + 5))
    readings = block(rule, "feedback", values)
    assert [reading.own.level is None for reading in readings] == [True] * LEAST_VALUES + [False] * 5
    assert f"make the scale: {LEAST_VALUES - 1} so far" in readings[LEAST_VALUES - 2].own.reason


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.one_of(st.just(math.nan), correlations), min_size=40, max_size=60),
    st.lists(st.one_of(st.just(math.nan), correlations), min_size=1, max_size=60),
    st.sampled_from(["baseline", "adaptive"]),
    st.floats(0.1, 5),
    st.integers(1, 8),
)
def test_a_level_is_there_exactly_where_a_trusted_value_meets_a_scale(baseline, run, scale, gain, smoothing_s):
    rule = Rule(FeedbackRule(scale=scale, gain=gain, smoothing_s=smoothing_s), WINDOW_S)
    block(rule, "baseline", baseline)
    for reading, value in zip(block(rule, "feedback", run), run, strict=True):
        assert math.isfinite(reading.value) == math.isfinite(value)
        level = reading.own.level
        known = math.isfinite(value) and reading.scale.high > reading.scale.low
        assert (level is not None) == known
        assert (level is None) == bool(reading.own.reason)
        assert level is None or 0 <= level <= 1


class TestOfAMeasure:
    """A rule that is of a session's own measure, not of synchrony."""

    fixed: ClassVar = {"value": "measure", "measure": "plv 8-12 Hz", "scale": "fixed", "low": 0.0, "high": 1.0}

    def step(self, values: list[float], *, rows=("mean", "Fz"), late: bool = False, trouble: str = ""):
        value, no = np.array(values, float), np.full(len(values), np.nan)
        found = MeasureValues(
            "plv 8-12 Hz", "pair", "", 0.0, 1.0, rows, ("A / B",), value[None], value, no, no, trouble
        )  # fmt: skip
        doubts = (Doubt("late", 0.0, math.inf, "made 2 s too late", "step"),) if late else ()
        # Synchrony is not trusted, and stands for nothing here.
        return replace(step_of(1, 0.9, trusted=False, reason="no bundle"), measures=(found,), doubts=doubts)

    def read(self, *steps, **more) -> list[Reading]:
        rule = Rule(FeedbackRule(**self.fixed | more), WINDOW_S)
        rule.begin("feedback")
        return [rule.step(step, WINDOW_S + number) for number, step in enumerate(steps)]

    def test_its_row_is_smoothed_by_a_plain_mean(self):
        found = self.read(self.step([0.2, 0.9]), self.step([0.5, 0.9]), self.step([math.nan, 0.9]), smoothing_s=2)
        assert [reading.value for reading in found] == pytest.approx([0.2, 0.35, math.nan], nan_ok=True)
        assert [reading.own.level for reading in found] == pytest.approx([0.2, 0.35, None])
        assert found[2].own.reason == "no value of plv 8-12 Hz in mean"
        (reading,) = self.read(self.step([0.2, 0.9]), rows=("Fz",))
        assert reading.value == pytest.approx(0.9)

    def test_without_a_row_of_that_name_the_mean_is_over_all(self):
        (reading,) = self.read(self.step([0.2, 0.6, math.nan], rows=("Fz", "Cz", "Pz")))
        assert reading.value == pytest.approx(0.4)

    def test_what_is_late_or_in_trouble_or_not_there_is_neutral_with_the_reason(self):
        late, wrong, none = (
            self.read(self.step([0.5, 0.5], late=True))[0],
            self.read(self.step([math.nan, math.nan], trouble="it raised ValueError: switched off"))[0],
            self.read(step_of(1, 0.9))[0],
        )
        assert [each.own.level for each in (late, wrong, none)] == [None] * 3
        assert late.own.reason == "made 2 s too late"
        assert wrong.own.reason.endswith("switched off")
        assert none.own.reason == "the session has no measure plv 8-12 Hz"

    def test_the_session_must_have_it_and_its_rows(self):
        there: list[Named] = [SimpleNamespace(name="plv 8-12 Hz", rows=("mean", "Fz"), reach_s=11)]
        protocol = protocol_of(rule=self.fixed)
        check_rows(protocol, ("Fz",), there)
        check_rows(protocol, ("Fz",))
        with pytest.raises(
            SettingsError, match=r"feedback.measure is plv 8-12 Hz, which .* not have \(it has no measures"
        ):
            check_rows(protocol, ("Fz",), [])
        with pytest.raises(SettingsError, match="names Oz, which measure plv 8-12 Hz does not have; it has mean, Fz"):
            check_rows(protocol_of(rule=self.fixed | {"rows": ["Oz"]}), ("Oz",), there)
        assert window_of(protocol.feedback, 10, there) == 11
        assert window_of(FeedbackRule(), 10, there) == 10

    @pytest.mark.parametrize("wrong", [{"value": "measure"}, {"measure": "plv"}])
    def test_a_measure_goes_with_its_value(self, wrong):
        with pytest.raises(ValueError, match="a measure's name goes with value = measure"):
            FeedbackRule(**wrong)


def test_a_threshold_that_goes_on_learning_is_of_the_baseline_and_the_first_values_of_feedback():
    rng = np.random.default_rng(3)
    baseline, run = list(rng.uniform(-0.1, 0.4, 40)), list(rng.uniform(0.1, 0.6, 40))
    rule = Rule(FeedbackRule(smoothing_s=1, learn_s=25), WINDOW_S)
    block(rule, "baseline", baseline)
    for number, reading in enumerate(block(rule, "feedback", run)):
        low, middle, high = np.percentile([*baseline, *run[: min(number, 25)]], [10, 50, 90])
        assert reading.scale == pytest.approx((low, high, middle))
        assert reading.own.success == (run[number] >= middle)
    again = block(rule, "feedback", run[:3])
    assert {each.scale for each in again} == {again[0].scale}, "what was learnt holds in the next block"


def test_by_chance_success_is_nearer_to_one_half_with_learning():
    """Noise of windows of 10 s throughout, after a baseline of 40 s: the share of success in ten minutes."""
    rng, shares = np.random.default_rng(4), {0: [], 600: []}
    for _ in range(25):
        z = 0.1 * np.convolve(rng.standard_normal(639 + 13), np.convolve(np.ones(10), np.ones(5)) / 20, "valid")[:630]
        for learn_s, found in shares.items():
            rule = Rule(FeedbackRule(smoothing_s=1, learn_s=learn_s), WINDOW_S)
            block(rule, "baseline", list(np.tanh(z[:30])))
            found.append(np.mean([reading.own.success for reading in block(rule, "feedback", list(np.tanh(z[30:])))]))
    learnt, fixed = np.array(shares[600]), np.array(shares[0])
    assert abs(learnt - 0.5).max() < 0.2
    assert abs(fixed - 0.5).max() > 0.25
    assert learnt.mean() == pytest.approx(0.5, abs=0.05)
