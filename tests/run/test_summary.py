"""What a session says at its end, whether or not it is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rtaffect.affect.values import SOURCES
from rtaffect.common.settings import Settings
from rtaffect.engine.feedback import Feedback
from rtaffect.run.summary import Summary
from tests.support.fake_affect import with_affect
from tests.support.fake_feedback import fake_session


def told(steps: list[Feedback], **options: bool) -> tuple[str, ...]:
    summary = Summary(Settings(), **options)
    for step in steps:
        summary(step)
    return summary.words


def made(predicted: np.ndarray, observed: np.ndarray, band: float = 0.05) -> list[Feedback]:
    one = fake_session(12)[-1]
    means = ({"predicted_mean": p, "observed_mean": o} for p, o in zip(predicted, observed, strict=True))
    edges = {"null_mean_low": -band, "null_mean_high": band, "trusted": np.ones(len(one.rows), np.bool_)}
    return [replace(one, step=n, **mean, **edges) for n, mean in enumerate(means, 1)]


def test_values_bands_and_agreement_are_said() -> None:
    draw = np.random.default_rng(0)
    course = np.convolve(draw.standard_normal(209), np.ones(10) / 10, "valid") * 0.1 + 0.1
    observed = course + 0.01 * draw.standard_normal(200)
    observed[:9] = np.nan
    first, second = told(made(course, observed))
    outside = np.mean(np.abs(observed[9:]) > 0.05)
    assert first.startswith("200 steps, 191 with an observed value that is trusted: mean over rows +0.")
    assert f"outside of its null band in {outside:.0%} of them (5 % by chance)" in first
    assert second.startswith("predicted and observed: r = 0.9")
    assert "outside of what chance gives" in second
    assert told(made(course, observed), blocks=True) == (first,)


def test_values_that_are_not_trusted_are_none() -> None:
    steps = [replace(step, trusted=np.zeros(len(step.rows), np.bool_)) for step in made(np.ones(20), np.ones(20) / 2)]
    assert told(steps) == ("20 steps, 0 with an observed value that is trusted",)


def test_what_was_told_of_affect_is_said() -> None:
    steps = with_affect(fake_session(80), ("cap",), bad=(40, 48))
    counts = {source: sum(step.affect[0].estimate(source).there for step in steps) for source in SOURCES}
    assert 0 < counts["eeg"] < counts["sound"]
    assert told(steps)[-1] == (
        f"valence and arousal: from the EEG in {counts['eeg']} of them, from the sound in {counts['sound']} of them, "
        f"from both in {counts['both']} of them"
    )


def test_without_a_step_there_is_nothing_to_say() -> None:
    assert told([]) == ()
