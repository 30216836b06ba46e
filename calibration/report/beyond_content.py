"""What the report says of other featurizers and of other scales of time, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LayerNumbers:
    """Held-out r of the mean over rows from one layer, with its p and what 95 % of draws stay below."""

    name: str
    r: float | None
    p: float | None
    chance: float | None


@dataclass(frozen=True, slots=True)
class ArchitectureNumbers:
    """A featurizer: its layers, the place of the one that inner folds choose (0 first, 1 last), r with that choice."""

    name: str
    layers: tuple[LayerNumbers, ...]
    middle: str
    best: str
    best_depth: float | None
    auto_r: float | None
    auto_p: float | None

    @property
    def middle_layer(self) -> LayerNumbers:
        """The middle layer."""
        return next(layer for layer in self.layers if layer.name == self.middle)

    @property
    def middle_is_highest(self) -> bool:
        """Whether no layer has a higher r than the middle one; what that is worth, the comparison tells."""
        values = [layer.r for layer in self.layers if layer.r is not None]
        return self.middle_layer.r is not None and self.middle_layer.r >= max(values)


@dataclass(frozen=True, slots=True)
class QuestionNumbers:
    """Side ``a`` less side ``b``: mean difference of Fisher z over stimuli, p alone and in the family of all."""

    a: str
    b: str
    difference: float | None
    p: float | None
    p_family: float | None


@dataclass(frozen=True, slots=True)
class ArchitecturesNumbers:
    """Featurizers side by side; ``units`` stimuli were compared, 0 where they could not be."""

    members: tuple[ArchitectureNumbers, ...]
    questions: tuple[QuestionNumbers, ...]
    units: int


@dataclass(frozen=True, slots=True)
class ScaleNumbers:
    """A scale of time, and what it predicts of the mean over rows."""

    name: str
    window_s: int
    longest_lag_s: int
    span_s: int
    r: float | None
    chance: float | None
    z: float | None
    votes: int


@dataclass(frozen=True, slots=True)
class BestScaleNumbers:
    """The scale that predicts a row best: p corrected for the choice of the scale, and for the rows too."""

    row: str
    scale: str
    r: float | None
    z: float | None
    p: float | None
    p_family: float | None
    votes: int


@dataclass(frozen=True, slots=True)
class ScalesNumbers:
    """All scales, the study's own first, the best of each row that counts, the mean over rows last."""

    feature_set: str
    stimuli: int
    scales: tuple[ScaleNumbers, ...]
    rows: tuple[BestScaleNumbers, ...]
    left_out: tuple[str, ...]
