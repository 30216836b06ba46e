"""What happens in a session, for its tables, its recording and other programs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from rtaffect.common.text import clean

EventType = Literal[
    "block", "block-end", "block-pause", "block-resume", "practice", "practice-end",
    "stimulus", "stimulus-end", "stimulus-resume", "marker", "key", "mark", "fault", "note",
    "gap", "clock-jump", "lost", "back", "doubt", "doubt-end",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """One thing that happened. ``onset`` is session time, ``lsl_time`` the same instant on the LSL clock, s.

    ``duration`` is what is planned, or that of a gap, s (NaN: nobody knows, or none); ``block`` its number, 0 for none.
    ``kind`` is that of the block, or the reason of a doubt. A ``mark`` is one that the protocol names, a ``note`` a
    text of the operator's, and a ``practice`` a block that counts in no result.
    """

    onset: float
    lsl_time: float
    type: EventType
    name: str
    duration: float = math.nan
    block: int = 0
    kind: str = ""
    stim_file: str = ""

    def __post_init__(self) -> None:
        """Make its texts fit for a cell and a line: they are names of files and blocks, and what people typed."""
        object.__setattr__(self, "name", clean(self.name))
        object.__setattr__(self, "stim_file", clean(self.stim_file))

    @property
    def marker(self) -> str | None:
        """The marker that other programs and the recording get; None where they get none."""
        if self.type == "key":
            return f"key/{self.name}"
        if self.type in ("mark", "note"):
            return f"{self.type}/{self.name}"
        return self.name if self.type == "marker" else None
