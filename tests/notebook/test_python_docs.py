"""The examples of docs/python.md run as they stand, in order, on a small synthetic study."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rtaffect
from calibration.calibrate import calibrate
from rtaffect.engine.bundle import save_bundle
from rtaffect.predicted.featurizer import default_featurizer
from tests.support.helpers import quiet, small_study

PAGE = Path(__file__).parents[2] / "docs" / "python.md"


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the examples leave behind."""
    folder, study = tmp_path_factory.mktemp("docs"), small_study()
    study.write(folder / "studies" / "example", quiet)
    bundle = calibrate(study, default_featurizer(quiet, threads=2), rtaffect.Settings(), "example", quiet)
    save_bundle(bundle, folder / "bundles" / "example")
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 7
    left: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for number, block in enumerate(blocks, start=1):
            exec(compile(block, f"{PAGE.name}, example {number}", "exec"), left)
    assert (folder / "replay.png").is_file()
    return left


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_examples_find_what_was_planted(names: dict[str, Any]) -> None:
    assert names["features"].shape == (45, 288)
    windows = names["found"]
    assert windows.each.shape[1:] == (5, 24)
    assert names["outside"] > 0.5
    assert names["onsets"].keys() >= {"soundtrack-01", "soundtrack-04"}
    assert all(part.shape == (36, 24) for part in names["y"])
    assert np.isfinite(names["score"])
    observed = np.array([f.observed_mean for f in names["steps"]])
    assert np.isfinite(observed[24:59]).all()
    assert 0.1 < np.nanmean(observed) < 0.5
    live = np.array([values[:4] for values in names["live"]])
    assert live.shape == (45, 4)
    assert np.isfinite(live[26:44, 1:3]).all()
    assert names["feedback"].step == 20


def test_every_public_name_is_in_the_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    table = text[text.index("| name |") : text.index("The examples")]
    assert set(re.findall(r"`(\w+)`", table)) >= set(rtaffect.__all__) - {"__version__", "RtaffectError"}
