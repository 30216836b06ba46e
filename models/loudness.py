"""Bringing sound to the level that a network knows, within its graph, causally, and back again.

Networks that read magnitudes know sounds of usual levels; at -49 dB of full scale they leave little of a voice. A gain
for each second brings the loudest seconds of late to ``TARGET_DB``: the level of the sound goes up with a louder second
at once, and comes down by ``RELEASE_DB`` in each second that is not as loud, so that a pause is not made loud. Silence
is not raised further than from ``FLOOR_DB``. What comes out is brought back by the same gain, and lies in the sound as
it was.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from models.graph import Graph
from rtaffect.predicted.manifest import StatePart

#: The loudest seconds of late have this level, dB of full scale. Separators do best where a mixture has -30 to -22,
#: and Spleeter leaves more voice of music without one where it is louder.
TARGET_DB: Final = -24.0
RELEASE_DB: Final = 1.0
FLOOR_DB: Final = -66.0
#: What is carried from second to second: the sound's power.
LEVEL: Final = StatePart(name="level", dtype="float32", keep=1, made=(1, 1))


def gain_of(g: Graph, audio: str) -> str:
    """Return the gain (1,) of the newest second ``audio`` (16000,); declares the state ``level`` and its output."""
    before = g.input("state.level", "float32", ["n_level"])
    last = g.rows(g.join(g.weight("no_level", np.zeros(1, np.float32)), before), -1)
    kept = g.op("Mul", last, _power(g, -RELEASE_DB))
    level = g.op("Max", g.op("ReduceMean", g.op("Mul", audio, audio), g.ints(0), keepdims=1), kept)
    g.output(level, "new.level", "float32", [1])
    return str(g.op("Sqrt", g.op("Div", _power(g, TARGET_DB), g.op("Max", level, _power(g, FLOOR_DB)))))


def _power(g: Graph, db: float) -> str:
    return g.number(float(np.float32(10 ** (db / 10))))
