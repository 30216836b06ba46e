"""Each bench runs and gives ratios; no time is asserted."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("step", 3),
        ("ring", 1),
        ("replay", 4),
        pytest.param("featurizer", 6, marks=pytest.mark.slow),
        pytest.param("embedded", 14, marks=pytest.mark.slow),
        pytest.param("window", 6, marks=pytest.mark.slow),
        ("synchrony", 5),
        pytest.param("prosody", 14, marks=pytest.mark.slow),
        pytest.param("evidence_group", 22, marks=pytest.mark.slow),
        pytest.param("scoring", 6, marks=pytest.mark.slow),
        pytest.param("null_window", 10, marks=pytest.mark.slow),
        ("eeg", 2),
        ("contact", 15),
        ("affect_step", 3),
        pytest.param("affect", 5, marks=pytest.mark.slow),
        pytest.param("recovery", 2, marks=pytest.mark.slow),
        pytest.param("localisation", 2, marks=pytest.mark.slow),
        pytest.param("calibration", 7, marks=pytest.mark.slow),
        ("alignment", 2),
        pytest.param("checks", 17, marks=pytest.mark.slow),
        pytest.param("evidence_covariates", 5, marks=pytest.mark.slow),
        pytest.param("evidence_layers", 3, marks=pytest.mark.slow),
        pytest.param("evidence_scores", 3, marks=pytest.mark.slow),
        pytest.param("evidence_trends", 22, marks=pytest.mark.slow),
        pytest.param("evidence_live", 20, marks=pytest.mark.slow),
        pytest.param("feedback_scale", 32, marks=pytest.mark.slow),
        pytest.param("so_far", 6, marks=pytest.mark.slow),
        pytest.param("elements", 30, marks=pytest.mark.slow),
        pytest.param("elements_batch", 2, marks=pytest.mark.slow),
        pytest.param("voice_presence", 5, marks=pytest.mark.slow),
        pytest.param("evidence_elements", 3, marks=pytest.mark.slow),
        pytest.param("report_options", 4, marks=pytest.mark.slow),
        pytest.param("threads", 10, marks=pytest.mark.slow),
        pytest.param("load", 1, marks=pytest.mark.slow),
        pytest.param("age", 4, marks=pytest.mark.slow),
        pytest.param("endurance", 10, marks=pytest.mark.slow),
    ],
)
def test_a_bench_runs_quickly_and_writes_its_ratios(name: str, rows: int, tmp_path: Path) -> None:
    target = tmp_path / "bench.json"
    command = [sys.executable, "-W", "error", "-m", f"bench.{name}", "--quick", "--json", str(target)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(target.read_text(encoding="utf-8"))
    assert found["bench"] == name
    assert found["machine"]["processor"].split()[0] in done.stdout
    assert len(found["rows"]) == rows
    assert all(math.isfinite(row["ratio"]) and row["ratio"] > 0 for row in found["rows"])
    if name == "featurizer":
        designs = {"windowed_fp32", "windowed_int8", "causal_fp32", "causal_int8"}
        assert set(found["ratio"]) == designs
        assert min(row["gflop"] for row in found["rows"]) > 0
