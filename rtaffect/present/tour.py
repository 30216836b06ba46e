"""The tour of the operator's window: seven notes that say what matters, and where that is. No Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

#: What a note points at: a part of the window.
Target = Literal["mean", "row", "rows", "map", "quality", "agreement", "footer"]

#: Keys of the tour, as Qt names them: the next note, which begins it, and the one before.
NEXT_KEY, BACK_KEY = "F2", "Shift+F2"


@dataclass(frozen=True, slots=True)
class Note:
    """One note: what it points at, on which page (from 0), and what it says."""

    target: Target
    page: int
    title: str
    words: str


NOTES: Final[tuple[Note, ...]] = (
    Note(
        "mean",
        0,
        "Predicted and observed",
        "Blue is the synchrony that this sound should evoke, predicted from the sound alone. Orange is what the "
        "headset shows: how much this brain goes along with the others who heard it, in the last 10 s. The thick line "
        "is its mean over 5 s.",
    ),
    Note(
        "row",
        0,
        "The null band is noise",
        "Grey is where observed values lie when the time lock is broken, so that nothing is shared. An observed value "
        "inside of it, drawn hollow, is noise. The blue band is the interval of the prediction.",
    ),
    Note(
        "rows",
        0,
        "One row, or the mean",
        "Each row is a place on the head. The arrow keys choose the one that is drawn. What is not trusted has a mark, "
        "and never counts: bad contact, a late step, or a place that this montage cannot tell apart.",
    ),
    Note(
        "map",
        1,
        "The head",
        "All rows at once, of the newest step: O observed, P predicted, D the difference. Grey places have no value to "
        "be trusted now. A picture of 10 s is noisy: look for what stays.",
    ),
    Note(
        "quality",
        0,
        "Quality comes first",
        "The share of the last 10 s in which each channel was good. Mend what is poor before the session begins: wet "
        "it, press it, part the hair. Without enough good data there is no value, and none is made up.",
    ),
    Note(
        "agreement",
        3,
        "Do they agree?",
        "How predicted and observed have gone together so far, and what chance would give: the same curves displaced "
        "in time. Two curves that merely drift alike do not count. Some minutes are needed.",
    ),
    Note(
        "footer",
        0,
        "Whether all is well",
        "Ages, losses, disk and recording; below, why values are missing. F1 lists all keys, F2 begins this tour "
        "again. In the demo, participant and bundle are synthetic: it shows that the chain works, and nothing about "
        "brains.",
    ),
)
