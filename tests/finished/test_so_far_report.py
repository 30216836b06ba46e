"""The figure of synchrony so far is the same live and in the report of the session's folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calibration.finished.report.as_json import as_json
from calibration.finished.report.data import load_session
from calibration.finished.report.figures import so_far_figure
from calibration.finished.report.numbers import session_report
from calibration.finished.report.page import session_page
from rtaffect.present.session_presenter import Presenter
from tests.support.session_files import BLOCKS, ROWS, channel_rows, fake_steps, write_session


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_session(tmp_path_factory.mktemp("s") / "P01", seed=4, with_recording=False, with_sounds=False)


def test_it_is_the_figure_of_the_operators_window(folder: Path) -> None:
    presenter = Presenter()
    for feedback in fake_steps(BLOCKS, channel_rows(ROWS), ("Muse-1A2F",), 4, 1.0, 0.06).feedback:
        presenter.add(feedback)
    live = presenter.state().so_far
    found = session_report(load_session(folder), None).synchrony
    assert live is not None
    assert found is not None
    assert found.words == live.words
    assert (found.steps, found.beyond) == (live.found.steps, live.found.beyond)
    # Tables have six digits.
    assert found.mean == pytest.approx(live.found.mean, abs=2e-6)
    np.testing.assert_allclose(found.means, live.mean, atol=2e-6)
    np.testing.assert_allclose(found.highs, live.high, atol=2e-6)


def test_it_stands_in_the_page_and_its_numbers(folder: Path) -> None:
    data = load_session(folder)
    report = session_report(data, None)
    text = session_page(data, report)
    assert "Is there synchrony at all?" in text
    assert report.synchrony is not None
    assert report.synchrony.words[1:] in text
    numbers = as_json(report.synchrony)
    assert set(numbers) == {"steps", "mean", "low", "high", "p", "beyond", "words"}
    picture = so_far_figure(report.synchrony)
    assert picture is not None
