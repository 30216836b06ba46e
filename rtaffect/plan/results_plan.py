"""Of a session plan: where the results go, when the session ends, and what other programs get."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from rtaffect.plan.plan_part import PlanPart
from rtaffect.plan.setting import MODES, Setting


class ResultsPlan(PlanPart):
    """Where the results go and when the session ends."""

    out: Annotated[Path | None, Setting("out", "&Folder", "folder", modes=MODES)] = Field(
        None, description="New folder for what is recorded and found"
    )
    seconds: Annotated[
        int | None,
        Setting("seconds", "Ends after", unit="s", expected="a whole number of seconds, as in 600", modes=MODES),
    ] = Field(None, ge=1, le=1_000_000, description="End after so many seconds")
    headless: Annotated[bool, Setting("headless", modes=MODES)] = Field(
        False, description="No window: a line a step, or a table"
    )
    outlet: Annotated[
        bool,
        Setting(
            "no-outlet",
            "offer the feedback to other programs (LSL)",
            modes=("live",),
            other_help={"live": "Offer no LSL streams to others"},
        ),
    ] = Field(True, description="Offer the feedback to other programs over LSL")
    late_s: Annotated[
        float, Setting("late", expected="a number of seconds above 0.6, as in 1", modes=("live", "demo"), metavar="S")
    ] = Field(
        1.0,
        gt=0.6,
        le=60,
        description="A step that is made more than S seconds after it could be is late: that is told, none of its rows "
        "is trusted, and the participant sees none of them",
    )
