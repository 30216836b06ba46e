"""Featurizers side by side: the middle wins where it was planted, loses where it was not, and the page says so."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest

from calibration.architectures import side_by_side
from calibration.beyond import names_of
from calibration.report.numbers import report_numbers
from calibration.report.page import write_report
from calibration.scales import Scale, Scales
from calibration.sweep import Question, sweep
from rtaffect.observed.spaces import ChannelSpace
from tests.calibration.test_report import CHANNELS, SETTINGS, Page, outcome_of, study_of
from tests.support.helpers import quiet

SPACE = ChannelSpace(CHANNELS)
LENGTHS = (70, 75, 80, 72, 78, 74, 76, 71)


@functools.cache
def compared():
    """One featurizer whose middle layer follows what drives listeners, and one whose last does."""
    features, measured = study_of(SPACE, LENGTHS)
    question = Question(measured.targets, measured.people, SPACE.layout.counted)
    good, fair, poor = features["layer-2"], features["layer-1"], features["layer-0"]
    first = sweep(
        {"lld": features["lld"], "layer-0": poor, "layer-1": good, "final": fair}, question, SETTINGS, quiet, draws=19
    )
    others = {"late": {"layer-0": poor, "layer-1": features["lld"], "final": good}}
    return side_by_side(("early", first), others, question, SETTINGS, quiet, draws=19)


def test_the_middle_wins_where_it_was_planted_and_there_alone():
    early, late = compared().members
    assert (early.middle.name, late.middle.name) == ("layer-1", "layer-1")
    assert (early.best, late.best) == ("layer-1", "final")
    assert (early.best_depth, late.best_depth) == (0.5, 1.0)
    differences = dict(zip(compared().questions, compared().comparison.difference, strict=True))
    assert differences["early/layer-1", "early/layer-0"] > 0.2
    assert differences["early/layer-1", "lld"] > 0.2
    assert differences["late/layer-1", "late/final"] < -0.2
    assert differences["early/layer-1", "late/layer-1"] > 0.2


def test_all_questions_are_one_family():
    found = compared()
    assert found.questions == (
        ("early/layer-1", "early/final"),
        ("early/layer-1", "early/layer-0"),
        ("early/layer-1", "lld"),
        ("late/layer-1", "late/final"),
        ("late/layer-1", "late/layer-0"),
        ("late/layer-1", "lld"),
        ("early/layer-1", "late/layer-1"),
    )
    comparison = found.comparison
    assert comparison.units == 8
    assert (comparison.family >= comparison.single).all()
    # As by hand: the difference of Fisher z of each stimulus' r.
    middle, last = (layer.score.each[:, -1] for layer in (found.members[0].layers[1], found.members[0].layers[2]))
    assert comparison.difference[0] == pytest.approx((np.arctanh(middle) - np.arctanh(last)).mean())


def test_the_same_layer_of_the_same_featurizer_is_no_difference():
    features, measured = study_of(SPACE, LENGTHS[:4])
    question = Question(measured.targets, measured.people, SPACE.layout.counted)
    one = {"layer-2": features["layer-2"]}
    found = side_by_side(
        ("a", sweep(one, question, SETTINGS, quiet, draws=19)), {"b": one}, question, SETTINGS, quiet, draws=19
    )
    assert found.questions == (("a/layer-2", "b/layer-2"),)
    assert found.comparison.difference[0] == 0
    assert found.comparison.family[0] == 1


def test_a_single_stimulus_is_not_compared():
    features, measured = study_of(SPACE, (300,))
    question = Question(measured.targets, measured.people, SPACE.layout.counted)
    sets = {name: features[name] for name in ("layer-0", "final")}
    first = sweep(sets, question, SETTINGS, quiet, draws=19)
    assert side_by_side(("a", first), {"b": sets}, question, SETTINGS, quiet, draws=19).comparison is None


def test_featurizers_of_one_name_are_told_apart():
    class Named:
        def __init__(self, name: str, sha256: str, layer: int | None = None) -> None:
            self.manifest = type("Manifest", (), {"name": name, "layer": layer})
            self.identity, self.sha256 = f"{name}/layer-{layer}", sha256 * 8

    found = names_of(
        (Named("hubert", "aaaaaaaa"), Named("hubert", "bbbbbbbb"), Named("moon", "c"), Named("moon", "d", 2))
    )
    assert found == ["hubert aaaaaa", "hubert bbbbbb", "moon", "moon/layer-2"]


def some_scales(rows: int) -> Scales:
    rng = np.random.default_rng(0)
    tried = (Scale(10, 2), Scale(5, 2), Scale(10, 9))
    z = rng.normal(1.0, 0.5, (3, rows + 1))
    z[1, 0], z[2, -1] = 6.0, 5.0
    p = np.full(rows + 1, 0.3)
    p[0] = p[-1] = 0.01
    votes = np.zeros((3, rows + 1), int)
    votes[z.argmax(axis=0), np.arange(rows + 1)] = 6
    return Scales(
        tried, "layer-2", z / 10, np.full(z.shape, 0.15), z, p, np.append(0.02, p[1:-1]), votes, ("too long",)
    )


def test_the_report_tells_both(tmp_path):
    outcome = outcome_of(SPACE, LENGTHS[:4], sets=("lld", "layer-0", "final"), draws=19)
    plain = report_numbers(outcome)
    assert plain.architectures is plain.scales is None
    outcome = replace(outcome, architectures=compared(), scales=some_scales(4))
    numbers = report_numbers(outcome)
    early, late = numbers.architectures.members
    assert early.middle_is_highest
    assert not late.middle_is_highest
    assert len(numbers.architectures.questions) == 7
    assert [row.row for row in numbers.scales.rows] == [*CHANNELS, "mean over 4 channels"]
    assert numbers.scales.rows[0].scale == "window 5 s, lags to 2 s, features of 1 s"
    assert numbers.scales.rows[-1].p_family is None
    write_report(outcome, tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert {"architectures.png", "scales.png"} <= {path.name for path in (tmp_path / "report").iterdir()}
    assert page.row("early", "layer-1")
    assert page.row("early/layer-1", "late/layer-1")
    assert page.row("Fz", "window 5 s, lags to 2 s, features of 1 s")
    for text in ("Featurizers side by side", "Does the middle win in each?", "Temporal resolution", "too long"):
        assert text in page.text
