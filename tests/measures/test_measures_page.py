"""What docs/measures.md shows runs as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from rtaffect.common.settings import Settings
from rtaffect.engine.engine import Engine
from rtaffect.engine.measuring import Measuring
from rtaffect.measures.choice import SHIPPED, choose_measures
from rtaffect.measures.host import MeasureHost
from rtaffect.observed.spaces import ChannelSpace
from tests.support.helpers import RATE, brain_noise, headset

PAGE = (Path(__file__).parents[2] / "docs" / "measures.md").read_text(encoding="utf-8")
EXAMPLE = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL).group(1)


def test_the_example_is_twenty_lines_at_most() -> None:
    assert sum(bool(line.strip()) for line in EXAMPLE.splitlines()) <= 20


def test_the_example_gives_the_ratio_of_its_bands_in_a_session(tmp_path: Path) -> None:
    file = tmp_path / "my_measure.py"
    file.write_text(EXAMPLE, encoding="utf-8")
    rng, t = np.random.default_rng(0), np.arange(20 * RATE) / RATE
    eeg = 1e-7 * brain_noise(rng, 20 * RATE, 2)
    eeg += 1e-5 * np.stack([np.sin(12 * np.pi * t), np.sin(20 * np.pi * t)], axis=1)
    settings, space = Settings(), ChannelSpace(("C1", "C2"), False)
    chosen = choose_measures([f"{file}:ThetaAlpha"], ["8-12"], settings.signal, space.channels)
    source = headset(eeg, "A", float(RATE))
    host = MeasureHost(chosen, ["A"], space.channels, RATE, 30.0)
    engine = Engine([source], space, settings, 1000.0, measures=Measuring(host))
    for step in range(1, 16):
        source.advance(engine.end_of(step) + 1)
        feedback = engine.step(engine.end_of(step) + 1)
    (measure,) = feedback.measures
    assert (measure.name, measure.kind, measure.unit, measure.rows) == ("ThetaAlpha", "person", "ratio", ("C1", "C2"))
    theta, alpha = measure.value
    assert theta > 100
    assert alpha < 0.01
    assert not any(doubt.about == "measure" for doubt in feedback.doubts)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_page_names_every_shipped_measure(name: str) -> None:
    assert f"| `{name}` |" in PAGE
