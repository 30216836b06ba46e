"""Writing a separator, whatever its network is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from models.files import write_atomically
from models.graph import Graph, require_onnx
from rtaffect.predicted.manifest import MANIFEST_KEY
from rtaffect.predicted.separator_file import SeparatorManifest


def write_separator(graph: Graph, about: SeparatorManifest, target: Path, progress: Callable[[str], None]) -> Path:
    """Write ``graph`` with its manifest ``about`` to ``target`` and return that; ArtifactError if it is impossible."""
    model = graph.model(about.name)
    require_onnx().helper.set_model_props(model, {MANIFEST_KEY: about.model_dump_json()})
    write_atomically(target, model.SerializeToString(deterministic=True))
    progress(f"Wrote {target}")
    return target
