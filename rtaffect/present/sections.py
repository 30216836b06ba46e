"""Rows by what they are: their order in the list, and each in words. No Qt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rtaffect.engine.feedback import Feedback
from rtaffect.observed.operator import LEAST_SPECIFICITY

#: The sections of the list, in its order: what can be trusted most comes first.
HEADINGS = {
    "zone": "Zones",
    "group": "Groups",
    "region": "Regions",
    "component": "Components",
    "channel": "Channels",
    "rating": "Ratings",
}

_SECTION_HINTS = {
    "zone": "Zones: regions that this montage does not tell apart, taken together",
    "group": "Groups: named sets of regions, each an average",
    "region": "Regions of the atlas; few are told apart by a montage of some dozens of channels",
}


def list_lines(row_kinds: Sequence[str]) -> tuple[int | str, ...]:
    """Return the lines of the list: the index of a row, or the kind that a heading opens.

    Rows of one kind need no heading and stay in their order.
    """
    kinds = sorted(set(row_kinds), key=list(HEADINGS).index)
    if len(kinds) < 2:
        return tuple(range(len(row_kinds)))
    lines: list[int | str] = []
    for kind in kinds:
        lines.append(kind)
        lines.extend(row for row, its_kind in enumerate(row_kinds) if its_kind == kind)
    return tuple(lines)


def section_hint(kind: str) -> str:
    """Return what the rows of a section are."""
    return _SECTION_HINTS.get(kind, HEADINGS[kind])


def resolved(latest: Feedback) -> NDArray[np.bool_]:
    """Return which rows (R,) this montage tells apart from the rest; it stays so for the whole session."""
    return latest.specificity >= LEAST_SPECIFICITY


def lacking(latest: Feedback) -> NDArray[np.bool_]:
    """Return which rows (R,) are not trusted for now, whatever the montage tells apart: values or data are missing."""
    if latest.rating is not None:
        return ~latest.trusted
    absent = ~(np.isfinite(latest.predicted) & np.isfinite(latest.observed) & np.isfinite(latest.null_low))
    return np.where(resolved(latest), ~latest.trusted, absent)


def percent(share: float) -> str:
    """Return a share in whole percent, rounded down, so that it never seems to reach a limit that it misses."""
    return f"{np.floor(100 * share + 1e-6):.0f} %"


def row_title(latest: Feedback, row: int) -> str:
    """Return what a row is, as in 'Channel Cz' or 'Region insula-lh (12 % own)'."""
    kind, share = latest.row_kinds[row], float(latest.specificity[row])
    title = f"{kind.capitalize()} {latest.rows[row].removeprefix(f'{kind}-')}"
    return title if share >= LEAST_SPECIFICITY else f"{title} ({percent(share)} own)"


def row_remark(latest: Feedback, row: int) -> str:
    """Return why a row's values are to be doubted, in brackets; empty when they are not."""
    warnings = ["not trusted now"] if lacking(latest)[row] else []
    warnings += [] if resolved(latest)[row] else ["not told apart"]
    return f"({', '.join(warnings)})" if warnings else ""


def row_hint(latest: Feedback, row: int) -> str:
    """Return a row's kind, full name and share in words."""
    kind, share = latest.row_kinds[row], float(latest.specificity[row])
    title = f"{kind.capitalize()} {latest.rows[row].removeprefix(f'{kind}-')}"
    if share >= 1:
        return title
    warning = "" if share >= LEAST_SPECIFICITY else ": not told apart from its neighbours by this montage"
    return f"{title}\n{percent(share)} of its estimated power is its own{warning}"


def chosen_channel(latest: Feedback, selected: int) -> int | None:
    """Return the place among the channels of the chosen row, None where it is not a channel."""
    name = latest.rows[selected]
    is_channel = latest.row_kinds[selected] == "channel" and name in latest.channels
    return latest.channels.index(name) if is_channel else None
