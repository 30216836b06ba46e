"""What a featurizer file says of itself."""

from __future__ import annotations

import math
from typing import Final, Literal

from pydantic import Field, model_validator

from rtaffect.common.settings import Frozen

MANIFEST_KEY: Final = "rtaffect"
SAMPLE_RATE: Final = 16_000
NEWEST_S: Final = 1
#: A part of the state is no larger, values: half an hour of sound.
MOST_VALUES: Final = 30_000_000


class StatePart(Frozen):
    """One part of what a featurizer carries from call to call.

    The model takes it as the input ``state.NAME`` (n, ...): the newest ``keep`` rows of what it has given as the
    output ``new.NAME`` (n, ...) so far, none at the first call. ``made`` says how many rows it gives at the first
    call, and at each later one.
    """

    name: str = Field(pattern="^[a-z0-9_]+$")
    dtype: Literal["float32", "float64"]
    shape: tuple[int, ...] = ()
    keep: int = Field(ge=0)
    made: tuple[int, int]

    @model_validator(mode="after")
    def _can_be_kept(self) -> StatePart:
        values = (self.keep + max(self.made)) * math.prod(self.shape)
        if min((*self.made, *self.shape), default=0) < 0 or values > MOST_VALUES:
            raise ValueError(
                f"{self.keep} and {max(self.made)} rows of shape {self.shape} are {values:.3g} values; expected at "
                f"most {MOST_VALUES}"
            )
        return self


class Fidelity(Frozen):
    """How near the streamed hidden states of a sound come to those of the whole clip, seen at once by the whole model.

    ``r`` is the median over dimensions of the correlation over frames, ``r_low`` its lower decile; ``cka`` the linear
    centred kernel alignment (Kornblith et al., ICML 2019).
    """

    mode: Literal["causal", "windowed"]
    context_s: int
    lookahead: int
    r: float
    r_low: float
    cka: float


class FeaturizerManifest(Frozen):
    """What a featurizer file says of itself.

    ``layer`` counts transformer blocks from 0 (0 is the output of the first) to ``n_layers`` - 1, None stands for all
    of them; ``paper_layer`` is the same with the convolutions counted first. ``frame_rate`` is in frames/s,
    ``lookahead`` in frames: that much later than its sound a frame is given. ``normalisation`` says whose statistics
    level the sound: ``running`` those of the newest ``context_s``, ``frozen`` those of a reference, ``context`` those
    of the context that the model sees anew; ``none`` needs none. ``fidelity`` was measured on ``fidelity_sound``.
    """

    format_version: Literal[2]
    family: str = Field(min_length=1)
    name: str = Field(min_length=1)
    source: str
    revision: str | None = None
    source_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    layer: int | None = Field(ge=0)
    paper_layer: int | None = None
    n_layers: int = Field(ge=1)
    hidden_size: int = Field(ge=1)
    sample_rate: Literal[16000]
    frame_rate: float = Field(gt=0)
    mode: Literal["windowed", "causal"]
    context_s: int = Field(ge=NEWEST_S)
    lookahead: int = Field(ge=0, default=0)
    precision: Literal["fp32", "int8", "fp16"] = "fp32"
    normalisation: Literal["running", "frozen", "context", "none"]
    statistics: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    state: tuple[StatePart, ...]
    untrained: bool = False
    fidelity: tuple[Fidelity, ...] = ()
    fidelity_sound: str = ""
    licence: str
    note: str = ""

    @property
    def feature_set(self) -> str:
        """The name of the feature set: ``final`` for the last layer, ``layer-<k>``, or ``all-layers``."""
        if self.layer is None:
            return "all-layers"
        return "final" if self.layer == self.n_layers - 1 else f"layer-{self.layer}"

    @property
    def features_shape(self) -> tuple[int, ...]:
        """Shape of one step's features: (hidden_size,), or (n_layers, hidden_size) for all layers."""
        return (self.hidden_size,) if self.layer is not None else (self.n_layers, self.hidden_size)
