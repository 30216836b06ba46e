"""Tables and sidecars as BIDS has them: tab-separated text with ``n/a``, and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rtaffect.common.errors import RecordingError
from rtaffect.plan.session_folder import RecordedSession

#: Where the texts and sidecars are that are the same in every dataset.
TEXTS = Path(__file__).with_name("texts")
#: What stands where there is no value.
ABSENT = "n/a"


def cell(value: float) -> str:
    """Return a number as text with up to six decimals; ``n/a`` if it is not finite."""
    if not math.isfinite(value):
        return ABSENT
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def lines_of(session: RecordedSession, name: str, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return the lines of a session's table, which must have ``columns``.

    Raises
    ------
    RecordingError
        If the table is missing, cannot be read or lacks a column.
    """
    lines = session.table(name)
    if lines and (lacking := [column for column in columns if column not in lines[0]]):
        raise RecordingError(
            f"{session.path / name} has no column {', '.join(lacking)}; expected a table as rtaffect writes it"
        )
    return lines


def write_tsv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table; tabs and line breaks inside cells become blanks, and empty cells ``n/a``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in (columns, *rows):
            file.write("\t".join(" ".join(each.split()) or ABSENT for each in row) + "\n")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a sidecar."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
