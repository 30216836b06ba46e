"""From when to when sounds are heard at their times, as far as is known: what a ledger of doubts is told."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from typing import Final

from rtaffect.outputs.cue import Cue
from rtaffect.outputs.dac_clock import DISPLACED_S
from rtaffect.stream.doubt import Doubts

#: After an interruption the times that a device tells need so long to be right, s.
UNSURE_S: Final = 0.25
_LATE: Final = "the player has not handed over the sound for this time: it may not be heard as planned"


class InPlace:
    """Tells ``ledger`` of the times at which a sound that should be heard is not, or not there where it should be.

    What was handed to the device will be heard; for all later times there is doubt until more was handed over. So a
    player that is stopped, or whose device is gone, need not notice it to be doubted.

    Attributes
    ----------
    ledger : Doubts
        Is told.
    breaks : int
        How often a sound was not in its place.
    displaced_s : float
        For how long, s; times that are told more than once count once.
    """

    def __init__(self) -> None:
        self.ledger = Doubts()
        self.breaks, self.displaced_s = 0, 0.0
        # The times that are counted, apart from each other: the newest ones, which others may touch.
        self._counted: deque[tuple[float, float]] = deque(maxlen=16)
        # All until then was heard as it should be (s, LSL clock); and what of it is sure by times that agree.
        self._handed = self._sure = -math.inf
        # When the times of the device last agreed.
        self._agreed = math.inf
        self._lost = ""
        self._news: deque[tuple[str, float]] = deque(maxlen=100)

    def expect(self, cues: Sequence[Cue]) -> None:
        """Let there be doubt from what was not handed over yet of ``cues`` on."""
        since = [max(self._sure, c.onset) if c.begun else c.onset for c in cues if not c.done]
        if not since:
            self.end()
        elif self._lost:
            self.ledger.withdraw("player-late")
            self.ledger.expect("player-lost", min(since), self._lost)
        else:
            self.ledger.withdraw("player-lost")
            self.ledger.expect("player-late", min(since), _LATE)

    def end(self) -> None:
        """Nothing more is expected."""
        self.ledger.withdraw("player-late")
        self.ledger.withdraw("player-lost")

    def lose(self, words: str, cues: Sequence[Cue]) -> None:
        """Take note that the device is gone: nothing of what it holds may have been heard since its last block."""
        self._lost = words
        self._sure = self._handed = min(self._handed, self._agreed)
        self.expect(cues)

    def handed(self, cues: Sequence[Cue], now: float, span: tuple[float, float], agrees: bool, *, torn: bool) -> None:
        """Take note of a block of frames that leave in ``span`` (first and last, s), handed over at ``now``, LSL clock.

        ``agrees`` says whether the times of the device do, and ``torn`` that it was interrupted before this block, or
        that a sound had to be moved to its place in it.
        """
        first, last = span
        since = min(self._handed, self._agreed) if torn else self._handed
        heard = [cue.onset for cue in cues if cue.next is not None or (cue.done and cue.end > since)]
        since = max(since, min(heard, default=math.inf))
        late = [cue for cue in cues if cue.actual_onset >= first and cue.late_s > DISPLACED_S]
        if late:
            self._note("player-late", min(cue.onset for cue in late), max(cue.actual_onset for cue in late))
        elif first - since > DISPLACED_S:
            self._note("player-torn", since, first + (UNSURE_S if torn else 0.0))
        self._handed, self._lost = last, ""
        if agrees:
            self._agreed, self._sure = now, last
        self.expect(cues)

    def _note(self, reason: str, since: float, until: float) -> None:
        how = "began late" if reason == "player-late" else "broke off"
        words = f"the sound {how}: for {until - since:.2f} s it was not heard at its time"
        self._count(since, until)
        self.ledger.note("player-lost" if self._lost else reason, since, until, words)
        self._news.append((f"{words}; it goes on where it should be by then", since))

    def _count(self, since: float, until: float) -> None:
        """Count a time in seconds of LSL's clock; what touches one that was counted goes on it, and is no new break.

        While a device runs dry again and again, each block tells of the whole time since its times last agreed.
        """
        touched = [span for span in self._counted if span[0] <= until and since <= span[1]]
        for span in touched:
            self._counted.remove(span)
            since, until = min(since, span[0]), max(until, span[1])
        self._counted.append((since, until))
        self.breaks += 1 - len(touched)
        self.displaced_s += until - since - sum(stop - start for start, stop in touched)

    def news(self) -> list[tuple[str, float]]:
        """Return what was noted since the last call: in words, and since when, s on the LSL clock."""
        found = []
        while self._news:
            found.append(self._news.popleft())
        return found
