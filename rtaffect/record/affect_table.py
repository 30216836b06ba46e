"""Tables of a session's affect: ``affect.tsv``, step by step, and ``affect_baseline.tsv``, people's rest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Final

from rtaffect.affect.values import SOURCES
from rtaffect.common.arrays import FloatArray
from rtaffect.common.text import clean
from rtaffect.engine.feedback import Feedback
from rtaffect.record.table import ABSENT, cell

#: So many of the nearest sounds have columns.
_NEAREST: Final = 3
AFFECT_COLUMNS: Final = (
    "step", "time", "person", "source", "valence", "arousal", "valence_high", "arousal_high", "novelty", "reason",
    "baseline_s", *(f"{what}_{place}" for place in range(1, _NEAREST + 1) for what in ("near", "similarity")),
)  # fmt: skip
BASELINE_COLUMNS: Final = ("person", "channel", "band", "entropy")


def affect_lines(f: Feedback) -> list[tuple[str, ...]]:
    """Return one line of cells per person and source; the nearest sounds stand with the EEG, by which they are."""
    lines = []
    for values in f.affect:
        for source in SOURCES:
            e = values.estimate(source)
            numbers = map(cell, (e.valence, e.arousal, e.valence_high, e.arousal_high, e.novelty))
            near = values.nearest[:_NEAREST] if source == "eeg" else ()
            places = [
                text
                for _, sound in zip_longest(range(_NEAREST), near)
                for text in ((ABSENT, ABSENT) if sound is None else (clean(sound.name), cell(sound.similarity)))
            ]
            who = (str(f.step), f"{f.time:g}", clean(values.person) or ABSENT, source)
            lines.append((*who, *numbers, clean(e.reason) or ABSENT, cell(values.baseline_s), *places))
    return lines


def baseline_lines(
    baselines: Mapping[str, FloatArray], channels: Sequence[str], bands: Sequence[str]
) -> list[tuple[str, ...]]:
    """Return one line of cells per person, channel and band: the mean entropy at rest, nats; 'n/a' for bad channels."""
    return [
        (clean(person), clean(channel), clean(band), cell(float(value)) if math.isfinite(value) else ABSENT)
        for person, means in baselines.items()
        for channel, row in zip(channels, means, strict=True)
        for band, value in zip(bands, row, strict=True)
    ]
