"""What the report says of parts of the sound left out, as data."""

from __future__ import annotations

from dataclasses import dataclass

from calibration.report.set_content import SetNumbers, UniqueNumbers


@dataclass(frozen=True, slots=True)
class ElementPair:
    """Two elements of the sound compared over stimuli: mean difference of Fisher z, p alone and family-wise."""

    first: str
    second: str
    difference: float | None
    p: float | None
    p_family: float | None


@dataclass(frozen=True, slots=True)
class ElementStimulus:
    """Of a stimulus the voice's share of energy, 0 to 1, and held-out r from each element.

    ``bias`` is Fisher z of the voice's r less that of the background's.
    """

    name: str
    voice_share: float | None
    mix: float | None
    voice: float | None
    background: float | None
    bias: float | None


@dataclass(frozen=True, slots=True)
class ElementValue:
    """Held-out r of a row from one element, and its p, family-wise."""

    r: float | None
    p_family: float | None


@dataclass(frozen=True, slots=True)
class ElementRow:
    """A row: what each element tells of it, and the voice less the background over stimuli.

    ``p_family`` is that of the difference, among all pairs of elements and rows of its kind; ``wins`` names the element
    that tells more where that is below ``LEVEL`` and the element itself is above chance, else it is empty.
    """

    name: str
    kind: str
    counted: bool
    resolved: bool
    mix: ElementValue
    voice: ElementValue
    background: ElementValue
    difference: float | None
    p_family: float | None
    wins: str


@dataclass(frozen=True, slots=True)
class JoinedNumbers:
    """Voice and background in one model: its scores, what each has in r, and each one's share of the penalties."""

    scores: SetNumbers
    voice_portion: float | None
    background_portion: float | None
    voice_share: float
    background_share: float


@dataclass(frozen=True, slots=True)
class AblationNumbers:
    """Parts of the sound left out: of which layer, by which separator, and what came of it.

    ``unique`` has what each element tells beyond the other, ``no_unique`` why that is not told; ``joined`` both in one
    model, stacked and banded. ``rank_r`` is Spearman's correlation over stimuli of the voice's share with how much more
    the voice tells than the background, ``rank_p`` its one-sided p.
    """

    feature_set: str
    separator: str
    separator_sha256: str
    pairs: tuple[ElementPair, ...]
    rows: tuple[ElementRow, ...]
    unique: tuple[UniqueNumbers, ...]
    no_unique: str
    joined: tuple[JoinedNumbers, ...]
    stimuli: tuple[ElementStimulus, ...]
    rank_r: float | None
    rank_p: float | None
    notes: tuple[str, ...]

    def won(self, kind: str) -> str:
        """Return in words how many rows of a kind each element wins."""
        rows = [row for row in self.rows if row.kind == kind]
        voice, background = (sum(row.wins == name for row in rows) for name in ("voice", "background"))
        return f"{voice} voice, {background} background, of {len(rows)}"
