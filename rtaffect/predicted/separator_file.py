"""What a separator file says of itself, and how it is read.

A separator is an ONNX model that leaves the voice of a mixture; its manifest lies among its metadata, as a featurizer's
does. A ``streaming`` one takes a second of mono sound at 16 kHz, ``lookahead`` samples ahead of the second whose voice
it gives, and its state. One of ``spectra`` takes the magnitudes of a block of a whole sound, and gives the voice's
mask.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from rtaffect.common.errors import ArtifactError
from rtaffect.common.mistakes import first_problem
from rtaffect.common.settings import Frozen
from rtaffect.predicted.element_levels import SILENT_DB
from rtaffect.predicted.featurizer_file import check_state
from rtaffect.predicted.manifest import MANIFEST_KEY, StatePart


class SeparatorManifest(Frozen):
    """What a separator file says of itself.

    ``sample_rate`` is in Hz, ``lookahead`` in samples, ``frame`` and ``hop`` those of its spectra in samples, ``block``
    their number in a call, ``bins`` how many of each it reads, from 0 Hz on. ``voice_db`` is the level against the
    sound from which a voice that it leaves counts as one, dB: of music without a voice it leaves less than that.
    """

    format_version: Literal[1]
    family: str = Field(min_length=1)
    name: str = Field(min_length=1)
    mode: Literal["streaming", "spectra"]
    source: str
    source_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    sample_rate: int = Field(ge=8000, le=96_000)
    channels: Literal[1, 2]
    lookahead: int = Field(ge=0, le=16_000)
    state: tuple[StatePart, ...] = ()
    frame: int = Field(0, ge=0, le=65_536)
    hop: int = Field(0, ge=0, le=65_536)
    block: int = Field(0, ge=0, le=65_536)
    bins: int = Field(0, ge=0, le=32_769)
    voice_db: float = Field(SILENT_DB, ge=-60, le=0)
    precision: Literal["fp32", "int8"] = "fp32"
    licence: str
    note: str = ""


def read_separator_manifest(session: Any, path: Path) -> SeparatorManifest:
    """Return what the file opened as ``session`` says of itself; ArtifactError if that is nothing, or wrong."""
    try:
        text = session.get_modelmeta().custom_metadata_map.get(MANIFEST_KEY)
    except UnicodeDecodeError:
        text = None
    if text is None:
        raise ArtifactError(
            f"{path}: an ONNX model without manifest, so not a separator; build it with rtaffect export"
        )
    try:
        manifest = SeparatorManifest.model_validate_json(text)
    except ValidationError as error:
        raise ArtifactError(
            f"{path}: its manifest is not that of a separator of this version of rtaffect: "
            f"{first_problem(error, SeparatorManifest)}; build it again"
        ) from error
    _check(session, manifest, path)
    return manifest


def _check(session: Any, manifest: SeparatorManifest, path: Path) -> None:
    """Raise ArtifactError unless the model takes and gives what its manifest says."""
    takes = "audio" if manifest.mode == "streaming" else "magnitudes"
    expected = (
        {takes, *(f"state.{part.name}" for part in manifest.state)},
        {"voice", *(f"new.{part.name}" for part in manifest.state)},
    )
    found = {value.name for value in session.get_inputs()}, {value.name for value in session.get_outputs()}
    if found != expected:
        raise ArtifactError(
            f"{path}: maps {sorted(found[0])} to {sorted(found[1])}, but its manifest says {sorted(expected[0])} to "
            f"{sorted(expected[1])}; build it again"
        )
    for part in manifest.state:
        check_state(session, part, path)
    size, hop, bins = manifest.frame, manifest.hop, manifest.bins
    if manifest.mode == "spectra" and not (0 < hop < size and 1 < bins <= size // 2 + 1 and manifest.block):
        raise ArtifactError(f"{path}: spectra of {size} samples each {hop} make no sense; build it again")
