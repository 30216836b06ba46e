"""When the stimulus began, from the markers that the stimulus program sends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from rtaffect.common.errors import StreamError
from rtaffect.common.text import clean

#: So many kinds of markers are named in a message.
_NAMED = 8


class Marker(NamedTuple):
    """A marker: its text, and its time on the LSL clock, s."""

    text: str
    time: float

    @classmethod
    def sent(cls, text: str, time: float) -> Marker:
        """Return a marker as it came from outside, its text made clean (:func:`rtaffect.common.text.clean`)."""
        return cls(clean(text), time)


def onset_so_far(markers: Sequence[Marker], name: str) -> float | None:
    """Return the time of the marker ``name``, s on the LSL clock, None while it has not come.

    Texts are compared as they are when they are clean (:func:`rtaffect.common.text.clean`), but for blanks around them.
    Markers may stand in any order.

    Raises
    ------
    StreamError
        If ``name`` is empty, or came more than once: then none of them is sure to be the one meant.
    """
    if not name.strip():
        raise StreamError("the onset marker's name is empty; give the text that the stimulus program sends")
    times = sorted(marker.time for marker in markers if marker.text.strip() == clean(name))
    if len(times) > 1:
        listed = ", ".join(f"{time:.3f}" for time in times[:_NAMED])
        raise StreamError(
            f"marker {name!r} came {len(times)} times, at {listed} s on the LSL clock; name one that is sent once per "
            "session, or let the stimulus program send distinct ones"
        )
    return times[0] if times else None


def onset_from(markers: Sequence[Marker], name: str) -> float:
    """Return the time of the marker ``name``, s on the LSL clock.

    Raises
    ------
    StreamError
        If it is not among ``markers``, or more than once; the message says what came.
    """
    onset = onset_so_far(markers, name)
    if onset is not None:
        return onset
    raise StreamError(
        f"no marker {name!r} came; {_what_came(markers)}. Name one of those, or have the stimulus program send it"
    )


def _what_came(markers: Sequence[Marker]) -> str:
    kinds = Counter(marker.text.strip() for marker in markers)
    if not kinds:
        return "none came at all"
    listed = ", ".join(f"{text!r}" + (f" ({n} times)" if n > 1 else "") for text, n in kinds.most_common(_NAMED))
    more = len(kinds) - _NAMED
    return f"what came: {listed}" + (f" and {more} more" if more > 0 else "")
