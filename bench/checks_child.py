"""One sound check through this process's sound server, with something planted in what is played.

``python -m bench.checks_child DELAY_S NOISE CLICKS`` prints the check as JSON.
"""

from __future__ import annotations

import json
import sys

import numpy as np

from rtaffect.checks.sound_check import SoundCheckPlan, check_sound
from rtaffect.common.arrays import Float32Array
from rtaffect.outputs.sound_player import SoundPlayer


def planted(delay_s: float, noise: float) -> type[SoundPlayer]:
    """Return a player that plays everything later, and in white noise of that standard deviation, full scale 1."""

    class Planted(SoundPlayer):
        def __init__(self, samples: Float32Array, rate: float, device: int | str | None = None) -> None:
            later = np.zeros((round(delay_s * rate), 1), np.float32)
            whole = np.concatenate([later, samples])
            whole += np.random.default_rng(1).normal(0.0, noise, whole.shape).astype(np.float32)
            super().__init__(np.clip(whole, -1.0, 1.0), rate, device)

    return Planted


if __name__ == "__main__":
    plan = SoundCheckPlan(clicks=int(sys.argv[3]), level_db=0.0)
    found = check_sound(plan, lambda _: None, make_player=planted(float(sys.argv[1]), float(sys.argv[2])))
    assert found is not None
    print(json.dumps(found.model_dump(mode="json")))
