"""The table ``elements.tsv``: what voice and background predict, step by step, where a session predicts from them."""

from __future__ import annotations

from typing import Final

from rtaffect.engine.feedback import MEAN_ROW, Feedback
from rtaffect.record.table import ABSENT, cell

ELEMENT_COLUMNS: Final = (
    "step", "time", "lsl_time", "element", "row", "kind", "predicted", "predicted_low", "predicted_high", "level_db",
    "reason",
)  # fmt: skip


def element_lines(f: Feedback) -> list[tuple[str, ...]]:
    """Return one line of cells per element and row, and one for each element's mean over rows."""
    when = (str(f.step), f"{f.time:g}", f"{f.lsl_time:.6f}")
    lines = []
    for e in f.elements:
        ends = (cell(e.level_db), e.reason or ABSENT)
        lines += [
            (*when, e.element, row, kind, *map(cell, (e.predicted[i], e.low[i], e.high[i])), *ends)
            for i, (row, kind) in enumerate(zip(f.rows, f.row_kinds, strict=True))
        ]
        lines.append((*when, e.element, MEAN_ROW, f.mean_of, *map(cell, (e.mean, e.mean_low, e.mean_high)), *ends))
    return lines
