"""What a report says of other sounds, of time on task, and of counterbalanced orders."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from calibration.finished.regulation import Estimate
from calibration.finished.report.blocks import BlockRun, HeardPart
from calibration.finished.report.cautions import line_caution, sounds_caution, trend_caution
from calibration.finished.report.orders import contents_of, in_order_of

STIMULI = [{"file": "stimuli/a.wav", "sha256": "1"}, {"file": "stimuli/b.wav", "sha256": "1"}]
STIMULI += [{"file": "stimuli/2/a.wav", "sha256": "2"}]


def heard(file: str, first: float = 0.0, last: float = 60.0) -> list[BlockRun]:
    part = HeardPart(file.rpartition("/")[2], file, first, last)
    return [BlockRun(1, "baseline", "x", 0.0, 60.0, True, parts=(part,))]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (heard("stimuli/a.wav"), ""),
        (heard("stimuli/b.wav", last=61.0), ""),
        (heard("stimuli/2/a.wav"), "of the same name as in the baseline (a.wav) were others by their content"),
        (heard("c.wav"), "other sounds were heard than in the baseline (c.wav; a.wav)"),
        (heard("stimuli/a.wav", 60.0, 120.0), "other parts of the sounds were heard than in the baseline (a.wav 1:00"),
    ],
)
def test_sounds_are_compared_by_content_and_part(other: list[BlockRun], said: str) -> None:
    found = sounds_caution("feedback", other, heard("stimuli/a.wav"), STIMULI)
    assert said in found
    assert bool(found) == bool(said)


@pytest.mark.parametrize(
    ("baseline", "feedback", "told"),
    [([0], [1, 2], True), ([0, 3], [1, 2], False), ([1, 2], [0, 3], False), ([0, 2], [1, 3], True)],
)
def test_baselines_on_one_side_leave_a_trend_uncontrolled(baseline: list[int], feedback: list[int], told: bool) -> None:
    sides = [[BlockRun(n, "", "", 100.0 * n, 100.0 * n + 90, True) for n in some] for some in (feedback, baseline)]
    assert ("uncontrolled trend" in trend_caution("feedback", *sides, line=True)) == told


def test_a_verdict_that_hangs_on_the_line_is_told() -> None:
    sure, unsure = Estimate(-0.1, -0.15, -0.05, 0.01, 9.0), Estimate(-0.01, -0.1, 0.08, 0.8, 9.0)
    assert not line_caution("x", sure, sure, -0.1)
    assert "the value falls by .06 in ten minutes" in line_caution("feedback less baseline", unsure, sure, -0.06)
    assert "not to be told from time on task" in line_caution("x", unsure, sure, -0.06)
    assert "rests on the line" in line_caution("x", sure, unsure, 0.06)


def protocol(*names: str, duration: int = 60) -> dict:
    return {
        "feedback": {"rows": ["mean"]},
        "block": [{"kind": n[:1], "name": n, "duration_s": duration} for n in names],
    }


def test_the_same_blocks_in_another_order_are_one_protocol() -> None:
    one, other, third = (
        SimpleNamespace(protocol=each, ran={})
        for each in (protocol("b", "f", "f", "b2"), protocol("f", "b", "b2", "f"), protocol("f", "b", "f"))
    )
    assert contents_of(one) == contents_of(other)  # type: ignore[arg-type]
    assert contents_of(one) != contents_of(third)  # type: ignore[arg-type]
    assert contents_of(one) != contents_of(SimpleNamespace(protocol=protocol("b", "f", "f", "b2", duration=61), ran={}))


def test_blocks_of_another_order_are_drawn_where_the_first_has_them(monkeypatch) -> None:
    monkeypatch.setattr("calibration.finished.report.orders.replace", lambda data, **new: (
        SimpleNamespace(**{**vars(data), **new}) if isinstance(data, SimpleNamespace)
        else BlockRun(new["number"], data.kind, data.name, data.start, data.end, data.ended)
    ))  # fmt: skip
    runs = tuple(BlockRun(n, "", "", float(n), n + 1.0, True) for n in (1, 2, 3, 4))
    first = SimpleNamespace(protocol=protocol("b", "f", "f", "b2"), blocks=runs)
    other = SimpleNamespace(protocol=protocol("f", "b", "b2", "f"), blocks=runs)
    assert [run.number for run in in_order_of(other, first).blocks] == [2, 1, 4, 3]  # type: ignore[arg-type]
    assert in_order_of(first, first) is first  # type: ignore[arg-type]
