"""What writes the featurizer of each embedded model (:mod:`rtaffect.predicted.embedded`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from models import moonshine, musicnn, wakehubert
from rtaffect.predicted.embedded import MOONSHINE, MUSICNN_MSD, MUSICNN_MTT, WAKEHUBERT, EmbeddedModel
from rtaffect.predicted.manifest import FeaturizerManifest


class _Build(Protocol):
    def __call__(self, target: Path, layer: int | None, progress: Callable[[str], None]) -> Path:
        """Write the featurizer of a layer, or with None of all, to ``target``."""
        ...


@dataclass(frozen=True, slots=True)
class Builder:
    """How an embedded model's featurizer is made: the hash of its weights, and the one form that it has."""

    model: EmbeddedModel
    source_sha256: str
    mode: Literal["windowed", "causal"]
    context_s: int
    build: _Build


BUILDERS: Final = {
    builder.model.name: builder
    for builder in (
        Builder(MOONSHINE, moonshine.SOURCE_SHA256, "windowed", moonshine.CONTEXT_S, moonshine.build),
        Builder(WAKEHUBERT, wakehubert.SOURCE_SHA256, wakehubert.MODE, wakehubert.CONTEXT_S, wakehubert.build),
        Builder(MUSICNN_MSD, musicnn.MSD.sha256, musicnn.MODE, musicnn.CONTEXT_S, musicnn.build_msd),
        Builder(MUSICNN_MTT, musicnn.MTT.sha256, musicnn.MODE, musicnn.CONTEXT_S, musicnn.build_mtt),
    )
}


def builder_of(manifest: FeaturizerManifest) -> Builder | None:
    """Return what writes the model that a featurizer file was made of, None where that is no embedded one."""
    return next((b for b in BUILDERS.values() if b.source_sha256 == manifest.source_sha256), None)
