"""Window and report say the same of the same time courses."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from calibration.finished.report.agreement import agreement_of
from rtaffect.common.settings import DriftSettings
from rtaffect.present.time_courses import agreement
from tests.support.slow_courses import WINDOW, holes, slow_course

ROWS = ("Fz", "Cz", "Pz")


def session(predicted: np.ndarray, observed: np.ndarray, blocks: tuple = ()) -> SimpleNamespace:
    """Return what a report needs of a session: rows and the mean over them, (steps, 4)."""
    steps = len(predicted)
    course = SimpleNamespace(
        time=np.arange(steps, dtype=np.float64),
        rows=ROWS,
        kinds=("channel",) * 3,
        predicted=predicted[:, :3],
        observed=observed[:, :3],
        trusted=np.ones((steps, 3), np.bool_),
        mean={"predicted": predicted[:, 3], "observed": observed[:, 3]},
        mean_trusted=np.ones(steps, np.bool_),
    )
    return SimpleNamespace(
        course=course, blocks=blocks, window_s=WINDOW, ran={}, drift=DriftSettings(), rating=None,
        setting=lambda *_: WINDOW,
    )  # fmt: skip


def test_window_and_report_give_the_same_verdict() -> None:
    rng = np.random.default_rng(0)
    verdicts = []
    for number in range(40):
        shared = np.arctanh([slow_course(300, rng, 1.0) for _ in range(4)]).T
        own = np.arctanh([slow_course(300, rng, 1.0) for _ in range(4)]).T
        x, y = np.tanh(shared), holes(np.tanh((number % 4) / 8 * shared + own), rng)
        found = agreement_of(session(x, y))
        for k, said in enumerate([*found.rows, found.mean]):
            shown = agreement(x[:, k], y[:, k], WINDOW)
            assert shown.r == said.r
            assert shown.steps == said.seconds
            verdicts.append((not shown.r_chance[0] <= shown.r <= shown.r_chance[1], said.p <= 0.05))
        assert found.mean.chance == shown.r_chance[1]
        assert all(row.p <= row.p_family <= 1 for row in found.rows)
    outside, unlikely = np.array(verdicts).T
    assert (outside == unlikely).all()
    assert 20 < outside.sum() < 120, "both verdicts were seen"


def test_the_largest_of_unrelated_rows_is_seldom_found() -> None:
    rng = np.random.default_rng(1)
    seen = 0
    for _ in range(100):
        x, y = (np.stack([slow_course(300, rng) for _ in range(4)], axis=1) for _ in range(2))
        seen += min(row.p_family for row in agreement_of(session(x, y)).rows) <= 0.05
    assert seen <= 12


def test_short_blocks_do_not_count_and_few_seconds_tell_nothing() -> None:
    rng = np.random.default_rng(2)
    x, y = (np.stack([slow_course(200, rng) for _ in range(4)], axis=1) for _ in range(2))
    blocks = tuple(
        SimpleNamespace(number=number, name=f"Run {number}", start=start, end=end, stretches=((start, end),))
        for number, start, end in ((1, 0.0, 25.0), (2, 25.0, 100.0), (3, 110.0, 200.0))
    )
    found = agreement_of(session(x, y, blocks))
    assert (found.blocks, found.mean.seconds) == (("2 Run 2", "3 Run 3"), 165)
    few = agreement_of(session(x, y, blocks[:2]))
    assert few.mean is None
    assert few.note.startswith("Blocks with 30 s or more of both values have 75 s of them, where 120 are needed")
    nobody = SimpleNamespace(course=None, window_s=WINDOW, ran={}, rating=None, setting=lambda *_: WINDOW)
    assert agreement_of(nobody).note == "There are no steps."
