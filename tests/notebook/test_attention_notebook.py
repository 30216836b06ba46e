"""docs/notebooks/attention.ipynb runs as it stands, on simulated EEG and on the recordings, and says which it was."""

from __future__ import annotations

import base64
import json
import os
import re
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "attention.ipynb"
CELLS: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = [cell for cell in CELLS if cell["cell_type"] == "code"]
FIGURES = 4


def run_all(titles: list[str]) -> dict[str, Any]:
    """Run the cells in order, as a kernel does; collect the titles of their figures."""
    left: dict[str, Any] = {}
    plt.switch_backend("agg")
    for number, cell in enumerate(CODE, start=1):
        exec(compile("".join(cell["source"]), f"{NOTEBOOK.name}, code {number}", "exec"), left)
        for figure in map(plt.figure, plt.get_fignums()):
            figure.canvas.draw()
            titles.append(figure.get_suptitle() or figure.axes[0].get_title())
            assert all(axis.get_ylabel() for axis in figure.axes)
        plt.close("all")
    return left


def printed(text: str) -> list[str]:
    """Return the lines, without those that tell how long something took: there are none."""
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def test_without_recordings_it_runs_on_simulated_eeg_and_says_so(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("RTAFFECT_RECORDINGS", str(tmp_path))
    titles: list[str] = []
    left = run_all(titles)
    first = printed(capsys.readouterr().out)[0]
    assert "F_env.mat is not in the folder 'cocktail'" in first
    assert "github.com/eteohx/EEG_cocktail_decoding" in first
    assert len(titles) == FIGURES
    assert all("SIMULATED EEG" in title for title in titles)
    attended, other = left["r"].mean(axis=0)
    assert attended > 0.2
    assert attended > 4 * other
    assert all(left["accuracy"][length] > np.quantile(left["chance"][length], 0.99) for length in (5, 10, 30))
    assert all(abs(left["chance"][length].mean() - 0.5) < 0.03 for length in (5, 10, 30))
    # The sound is planted at 80 and 120 ms; the pattern tells the channels that have it, and better than the weights.
    assert left["after"][left["at"]] == 125
    like = [np.corrcoef(each[left["at"]], left["planted"])[0, 1] for each in (left["pattern"], left["model"].coef_)]
    assert like[0] > 0.85
    assert like[0] > like[1] + 0.1


@pytest.mark.recordings
@pytest.mark.skipif("RTAFFECT_RECORDINGS" not in os.environ, reason="RTAFFECT_RECORDINGS names no folder of recordings")
def test_on_the_recordings_it_finds_what_it_has_stored(capsys) -> None:
    titles: list[str] = []
    left = run_all(titles)
    assert len(titles) == FIGURES
    assert all("real EEG, one listener" in title for title in titles)
    assert left["r"].mean(axis=0) == pytest.approx([0.094, 0.022], abs=0.001)
    assert (left["r"][:, 0] > left["r"][:, 1]).all()
    assert [left["accuracy"][length] for length in (5, 10, 30)] == pytest.approx([40 / 60, 20 / 30, 8 / 10])
    stored = "".join("".join(output["text"]) for cell in CODE for output in cell["outputs"] if "text" in output)
    assert printed(capsys.readouterr().out) == printed(stored)


def test_what_is_stored_is_of_real_eeg_small_and_of_no_machine() -> None:
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < 400_000
    assert "SIMULATED EEG" not in "".join(str(cell["outputs"]) for cell in CODE)
    assert not re.search(r"(?:^|[\s\"'(])(?:/home/|/tmp/|/work/|/Users/|[A-Z]:\\\\)", text)
    outputs = [output for cell in CODE for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} == {"stream", "display_data"}
    pictures = [output["data"]["image/png"] for output in outputs if "data" in output]
    assert len(pictures) == FIGURES
    assert all(base64.b64decode(picture).startswith(b"\x89PNG") for picture in pictures)
    assert all(output["name"] == "stdout" for output in outputs if "name" in output)
