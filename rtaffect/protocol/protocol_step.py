"""Where in its protocol a session is at one step, and what the participant is shown: frozen, like Feedback."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

BlockKind = Literal["baseline", "rest", "listen", "feedback", "transfer"]
Phase = Literal["waiting", "running", "paused", "done"]


@dataclass(frozen=True, slots=True)
class Shown:
    """What the participant is shown.

    Attributes
    ----------
    level : float or None
        0 to 1: how full the ring or bar is, how high the tone. None: neutral, because there is no value to be trusted,
        or none is to be shown in this block.
    reason : str
        Why it is neutral, in words; empty where there is a level.
    success : bool
        Whether the level is one of success by the rule; False where it is neutral.
    """

    level: float | None
    reason: str = ""
    success: bool = False


@dataclass(frozen=True, slots=True)
class ProtocolStep:
    """The protocol at one step. Times are seconds on the session's clock (0 at its zero).

    Attributes
    ----------
    step : int
        The step's number: it is the end of second ``step``.
    block : int
        Number of the block, from 1; of the one waited for where ``phase`` is 'waiting', of the last where it is 'done'.
    blocks : int
        How many there are.
    kind : BlockKind
        What kind of block it is.
    name : str
        The block's name.
    phase : "waiting", "running", "paused" or "done"
        Waiting for the operator or for the block's start, inside it, standing still, or after the last.
    started : float
        When the block began, or went on after its last pause; NaN while it does not run.
    left_s : float
        Until the block ends; infinite where it has no end, NaN while it is waited for; while it stands still what is
        left of it.
    next_name : str
        The next block's name; empty where there is none.
    instruction : str
        What the participant reads now; empty for nothing.
    value : float
        The value of the feedback's rule (after smoothing), a correlation; NaN where there is none.
    low, high : float
        The values that are level 0 and 1; NaN where they are not known yet.
    threshold : float
        The value from which on it is success; NaN where none is set.
    own : Shown
        What this session's own value would show.
    shown : Shown
        What the participant is shown: by the arm, which the operator does not know.
    for_operator : str
        What the operator is to do now ('press Space when the participant is ready'); empty for nothing.
    practice : bool
        Whether the block is one of practice, whose values do not count.
    seconds : float
        How long the block lasts; infinite where it has no end.
    can_pause : bool
        Whether the block runs and can stand still.
    """

    step: int
    block: int
    blocks: int
    kind: BlockKind
    name: str
    phase: Phase
    started: float
    left_s: float
    next_name: str = ""
    instruction: str = ""
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    threshold: float = math.nan
    own: Shown = Shown(None)
    shown: Shown = Shown(None)
    for_operator: str = ""
    practice: bool = False
    seconds: float = math.inf
    can_pause: bool = False
