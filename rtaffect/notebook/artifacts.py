"""Bundles and featurizers, from their paths."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rtaffect.engine import bundle as bundles
from rtaffect.predicted.featurizer import Featurizer, featurizer_for


def load_bundle(folder: str | Path) -> bundles.Bundle:
    """Read and check the bundle in ``folder``, which ``rtaffect calibrate`` wrote.

    Raises
    ------
    ArtifactError
        If it is missing, damaged, of another format, or its parts do not fit each other.
    """
    return bundles.load_bundle(Path(folder))


def load_featurizer(
    path: str | Path | None = None, *, threads: int = 1, progress: Callable[[str], None] = print
) -> Featurizer:
    """Load the featurizer of one layer.

    Parameters
    ----------
    path
        ONNX file that ``rtaffect export`` wrote; None for the default one (Moonshine tiny, layer 2), which the first
        use builds in the user's cache.
    threads
        Processor threads of one call.
    progress
        Told what is built, and where it runs if not where it was meant to.

    Raises
    ------
    ArtifactError
        If it is missing, damaged or of all layers at once, or onnxruntime is not installed.
    """
    return featurizer_for(None if path is None else Path(path), threads, progress)
