"""A frame of a film that the participant saw, and when: for the session's tables and its recording."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ShownFrame:
    """A frame that was painted.

    Attributes
    ----------
    block : int
        Number of the block.
    film : str
        Name of the film.
    frame : int
        Its number in the film, from 0.
    time : float
        Its time in the film, s.
    painted : float
        When it was painted, s on the LSL clock.
    error_s : float
        How much later than due it is to be seen, s: painting, and what the screen takes, against its time.
    dropped : int
        Frames that were not shown between the one before and this one.
    white : bool or None
        The photodiode's square; None without one.
    """

    block: int
    film: str
    frame: int
    time: float
    painted: float
    error_s: float
    dropped: int
    white: bool | None
