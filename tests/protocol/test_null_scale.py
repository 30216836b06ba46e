"""Feedback of noise: level and success are held against the null band, and noise has its nominal rate."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from rtaffect.common.errors import SettingsError
from rtaffect.protocol.arms import Real
from rtaffect.protocol.conductor import Conductor
from rtaffect.protocol.model import LEAST_VALUES, FeedbackRule
from rtaffect.protocol.null_scale import Null, NullOfMeans, OwnBaseline, null_of, worth
from rtaffect.protocol.reading import check_rows
from rtaffect.protocol.rule import Reading, Rule
from tests.support.protocol_files import WINDOW_S, conduct, protocol_of, step_of

#: Spread of the null, Fisher z, and where it lies: not about zero.
SPREAD, CENTRE = 0.08, 0.05


def band(step, centre: float = CENTRE, spread: float = SPREAD):
    """A step with that null band of 95 %, the same in both rows and in their mean."""
    low, high = np.tanh(centre - 1.959964 * spread), np.tanh(centre + 1.959964 * spread)
    rows = len(step.rows)
    return replace(
        step, null_low=np.full(rows, low), null_high=np.full(rows, high), null_mean_low=low, null_mean_high=high
    )


def noise(rng: np.random.Generator, steps: int, excess: float = 0.0) -> np.ndarray:
    """Synchrony (steps,) of noise whose windows overlap, so much beyond the null's centre in Fisher z."""
    seconds = rng.standard_normal(steps + WINDOW_S - 1)
    return np.tanh(CENTRE + excess + SPREAD * np.convolve(seconds, np.ones(WINDOW_S), "valid") / math.sqrt(WINDOW_S))


def block(rule: Rule, kind: str, values: np.ndarray) -> list[Reading]:
    """Run a block; one object stands for all steps, of which a rule keeps none: making each takes most of the time."""
    rule.begin(kind)
    step, found = band(step_of(1, 0.0)), []
    for second, value in enumerate(values):
        object.__setattr__(step, "observed", np.full(2, value))
        found.append(rule.step(step, WINDOW_S + second))
    return found


def played(
    rule: FeedbackRule, rng: np.random.Generator, *, before: float, after: float, knows: bool = True
) -> tuple[float, float]:
    """The share of success and the mean level of a session with 40 s of baseline and four minutes of feedback."""
    read = Rule(rule, WINDOW_S, 0.95 if knows else None)
    both = np.concatenate([noise(rng, 40, before), noise(rng, 240, after)])
    block(read, "baseline", both[:40])
    shown = [reading.own for reading in block(read, "feedback", both[40:])]
    return float(np.mean([each.success for each in shown])), float(np.mean([each.level for each in shown]))


def sessions(rule: FeedbackRule, *, before: float = 0.0, after: float = 0.0, knows: bool = True) -> np.ndarray:
    """Share of success and mean level of 25 people (2, 25)."""
    rng = np.random.default_rng(11)
    return np.array([played(rule, rng, before=before, after=after, knows=knows) for _ in range(25)]).T


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_noise_is_success_at_the_rate_that_the_rule_states(rate):
    success, level = sessions(FeedbackRule(scale="null", success_rate=rate))
    # 25 sessions with a standard deviation of about .1: a standard error of .02.
    assert success.mean() == pytest.approx(rate, abs=0.06)
    assert level.mean() == pytest.approx(0.5, abs=0.06)
    assert success.max() < rate + 0.4


def test_noise_of_a_short_baseline_is_success_in_half_of_the_steps_and_never_in_all():
    success, level = sessions(FeedbackRule())
    assert success.mean() == pytest.approx(0.5, abs=0.08)
    assert level.mean() == pytest.approx(0.5, abs=0.08)
    # The percentiles of the same baselines alone, as format 1 has it, take noise for regulation.
    alone, _ = sessions(FeedbackRule(), knows=False)
    assert alone.max() > 0.9
    assert success.max() < 0.9
    assert np.std(success) < 0.8 * np.std(alone)


@pytest.mark.parametrize("scale", ["null", "baseline"])
def test_who_truly_rises_has_more(scale):
    success, level = sessions(FeedbackRule(scale=scale), after=2 * SPREAD)
    assert success.mean() > 0.85
    assert level.mean() > 0.85


def test_who_is_synchronous_throughout_has_that_in_the_own_baseline():
    """Its noise is believed to a part only: the baseline of 40 s counts as four values."""
    success, _ = sessions(FeedbackRule(), before=6 * SPREAD, after=6 * SPREAD)
    assert success.mean() == pytest.approx(0.52, abs=0.08)
    against, _ = sessions(FeedbackRule(scale="null"), before=6 * SPREAD, after=6 * SPREAD)
    assert against.mean() > 0.99


def test_the_null_of_a_mean_over_overlapping_windows_is_that_of_simulated_ones():
    rng = np.random.default_rng(3)
    z = np.arctanh(noise(rng, 200_000))
    kept = [0, 2, 3, 4]
    means = NullOfMeans(WINDOW_S, 5)
    for place in range(5):
        found = means.add(Null(CENTRE, SPREAD) if place in kept else Null())
    means_of = np.lib.stride_tricks.sliding_window_view(z, 5)[:, kept].mean(axis=1)
    assert found.centre == pytest.approx(CENTRE)
    assert found.spread == pytest.approx(means_of.std(), rel=0.02)
    assert not means.add(Null()).known


def test_what_a_mean_is_worth_is_that_of_simulated_ones():
    rng = np.random.default_rng(4)
    smooth = np.convolve(np.arctanh(noise(rng, 300_000)), np.ones(5) / 5, "valid")
    means = smooth[: len(smooth) // 60 * 60].reshape(-1, 60).mean(axis=1)
    assert worth(60, WINDOW_S, 5) == pytest.approx(smooth.var() / means.var(), rel=0.06)
    assert worth(1, WINDOW_S, 5) == 1


def test_what_a_baseline_has_beyond_the_null_is_believed_as_far_as_its_noise_lets_it():
    own = OwnBaseline(WINDOW_S, 5)
    assert own.beyond() == 0
    for _ in range(50):
        own.add(math.tanh(0.25), Null(0.05, 0.1))
    error = 0.1**2 / worth(50, WINDOW_S, 5)
    assert own.beyond() == pytest.approx(0.2 * (1 - error / 0.04))
    little = OwnBaseline(WINDOW_S, 5)
    for _ in range(50):
        little.add(math.tanh(0.06), Null(0.05, 0.1))
    assert little.beyond() == 0


def test_which_rows_a_null_is_of():
    step = band(step_of(1, [0.2, 0.6]))
    step = replace(step, null_low=np.tanh([-0.2, -0.4]), null_high=np.tanh([0.2, 0.8]))
    both, first = np.array([True, True]), np.array([True, False])
    assert null_of(step, both, both) == pytest.approx((CENTRE, SPREAD), abs=1e-6)
    # Of one row of two, and of named rows, the spread is at most the mean of the rows' own.
    assert null_of(step, first, both) == pytest.approx((0.0, 0.2 / 1.959964), abs=1e-6)
    assert null_of(step, both, None) == pytest.approx((0.1, 0.4 / 1.959964), abs=1e-6)
    assert not null_of(step, ~both, both).known
    assert null_of(step, first, None, 0.9).spread == pytest.approx(0.2 / 1.644854)


def test_the_level_by_hand():
    rule = Rule(FeedbackRule(scale="null", smoothing_s=1, low_percentile=2.5, high_percentile=97.5), WINDOW_S, 0.95)
    rule.begin("feedback")
    reading = rule.step(band(step_of(1, 0.1)), WINDOW_S)
    low, high = math.tanh(CENTRE - 1.959964 * SPREAD), math.tanh(CENTRE + 1.959964 * SPREAD)
    assert reading.scale == pytest.approx((low, high, math.tanh(CENTRE)))
    assert reading.own.level == pytest.approx((0.1 - low) / (high - low))
    assert reading.own.success


def test_without_a_band_or_a_baseline_nothing_is_shown_and_it_is_said_why():
    rule = Rule(FeedbackRule(scale="null"), WINDOW_S, 0.95)
    rule.begin("feedback")
    nothing = replace(step_of(1, 0.3), null_mean_low=math.nan, null_mean_high=math.nan)
    assert rule.step(nothing, WINDOW_S).own.reason == "there is no null band yet to hold it against"
    few = Rule(FeedbackRule(), WINDOW_S, 0.95)
    block(few, "baseline", noise(np.random.default_rng(1), LEAST_VALUES - 1))
    (reading,) = block(few, "feedback", np.array([0.1]))
    assert f"gave {LEAST_VALUES - 1} trusted values, the scale needs {LEAST_VALUES}" in reading.own.reason
    block(few, "baseline", noise(np.random.default_rng(1), 1))
    assert block(few, "feedback", np.array([0.1]))[0].own.level is not None


def test_a_threshold_that_goes_on_learning_takes_values_of_feedback():
    rng = np.random.default_rng(5)
    values = noise(rng, 40, 0.1), noise(rng, 40, 0.6)
    still, learning = (Rule(FeedbackRule(learn_s=learn), WINDOW_S, 0.95) for learn in (0, 30))
    for rule in (still, learning):
        block(rule, "baseline", values[0])
    one, other = (block(rule, "feedback", values[1]) for rule in (still, learning))
    assert one[0].scale == other[0].scale
    assert all(b.scale.threshold > a.scale.threshold for a, b in zip(one[10:], other[10:], strict=True))
    assert other[31].scale == other[-1].scale


def test_a_protocol_of_format_1_is_read_as_it_always_was():
    """So that what was recorded is replayed as it was shown."""
    rng = np.random.default_rng(6)
    steps = [band(replace(step_of(i + 1, value), step=i + 1)) for i, value in enumerate(noise(rng, 130))]
    blocks = ({"kind": "baseline", "name": "B", "duration_s": 60}, {"kind": "feedback", "name": "F", "duration_s": 60})
    old, new = (conduct(protocol_of(blocks, format=number), steps) for number in (1, 2))
    values = np.array([step.value for step in old if step.kind == "baseline" and math.isfinite(step.value)])
    shown = [step for step in old if step.own.level is not None]
    assert shown[0].threshold == pytest.approx(np.median(values))
    assert {step.threshold for step in shown} == {shown[0].threshold}
    assert [step.threshold for step in new if step.own.level is not None] != [step.threshold for step in shown]
    # Ratings have no null band.
    rated = conduct(
        protocol_of(blocks, format=2),
        steps,
        conductor=Conductor(protocol_of(blocks, format=2), Real(), WINDOW_S, null_level=None),
    )
    assert [step.threshold for step in rated if step.own.level is not None] == [step.threshold for step in shown]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"scale": "null", "value": "predicted"}, "only observed synchrony has a null band"),
        ({"scale": "null", "rows": ["Fz", "Cz"]}, "needs one row, or 'mean'"),
        ({"scale": "null", "low_percentile": 0.0}, "more than 0 and less than 100"),
        ({"scale": "null", "threshold": 0.1}, "threshold belongs to scale = baseline or fixed"),
        ({"scale": "baseline", "success_rate": 0.4}, "success_rate belongs to scale = null or adaptive"),
    ],
)
def test_what_does_not_go_with_the_null_is_refused(rule, said):
    with pytest.raises(ValueError, match=said):
        FeedbackRule(**rule)


def test_ratings_have_no_null_band():
    with pytest.raises(SettingsError, match="ratings have no null band"):
        check_rows(protocol_of(rule={"scale": "null", "rows": ["valence"]}), ("valence",), rated=True)
