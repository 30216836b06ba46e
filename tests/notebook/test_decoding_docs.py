"""The examples of docs/decoding.md run as they stand, in order, and say what was planted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

PAGE = Path(__file__).parents[2] / "docs" / "decoding.md"


def test_the_examples_decode_who_is_attended_to(capsys) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    left: dict[str, Any] = {}
    for number, block in enumerate(blocks, start=1):
        exec(compile(block, f"{PAGE.name}, example {number}", "exec"), left)
    attended, other = left["whole"]
    assert attended > 0.15
    assert attended > 2 * other
    assert left["whitened"][0] < 0.5 * attended
    assert left["predicted"] == np.float64(left["predicted"])
    np.testing.assert_allclose(left["by_hand"], left["predicted"], rtol=1e-8)
    assert left["r2"].shape == (6,)
    assert "by 12 whitened components" in capsys.readouterr().out
