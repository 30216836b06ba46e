"""The file of a space operator: safetensors, with its description as JSON and a hash over both in the header."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from rtaffect.common.errors import ArtifactError
from rtaffect.common.files import sha256_of, write_whole
from rtaffect.common.mistakes import first_problem
from rtaffect.common.reading import json_content, read_bytes, why
from rtaffect.observed.operator import FORMAT, Operator, SpaceManifest

_KEY: Final = "rtaffect.space"
_REMAKE: Final = "make it anew with `rtaffect headmodel --montage MONTAGE --out FILE`"

#: Of each tensor: its type, and its shape in the letters of :class:`Operator`.
_DTYPES: Final[dict[str, tuple[str, str]]] = {
    "rows": ("float32", "RkC"),
    "shares": ("float32", "RR"),
    "neighbours": ("bool", "RR"),
    "positions": ("float32", "C3"),
    "lead_field": ("float32", "CN"),
    "source_region": ("int16", "N"),
    "basis": ("float32", "Nk"),
}


def to_bytes(operator: Operator) -> bytes:
    """Return the operator as a safetensors file's content; its header holds the manifest and a hash over both."""
    tensors = {name: np.ascontiguousarray(getattr(operator, name)) for name in _DTYPES}
    content = operator.manifest.model_dump(mode="json")
    text = json.dumps(content | {"sha256": _digest(content, tensors)})
    return bytes(save(tensors, metadata={_KEY: text}))


def save_operator(operator: Operator, path: Path) -> str:
    """Write the operator, the whole file or nothing; return the file's sha256."""
    data = to_bytes(operator)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
    except OSError as error:
        raise ArtifactError(f"{path} cannot be written ({error.strerror}); choose another place with --out") from None
    return sha256_of(data)


def load_operator(path: Path) -> Operator:
    """Read and check an operator; ArtifactError if it is missing, damaged, or of another format."""
    try:
        data = read_bytes(path, None)
    except (OSError, ValueError) as error:
        raise ArtifactError(f"space operator {path}: cannot be read ({why(error)}); {_REMAKE}") from None
    return from_bytes(data, f"space operator {path}")


def from_bytes(data: bytes, where: str = "space operator") -> Operator:
    """Return the operator in a safetensors file's content; ArtifactError, beginning with ``where``, if it is none."""
    try:
        tensors = load(data)
        header: dict[str, Any] = json_content(data[8 : 8 + int.from_bytes(data[:8], "little")])
    except (SafetensorError, ValueError) as error:
        raise ArtifactError(f"{where}: is not a safetensors file ({error}); {_REMAKE}") from None
    text = header.get("__metadata__", {}).get(_KEY)
    if text is None:
        raise ArtifactError(f"{where}: is a safetensors file of something else, without a {_KEY} header; {_REMAKE}")
    try:
        content = json_content(text)
    except ValueError as error:
        raise ArtifactError(f"{where}: its description is no JSON ({error}), so it is damaged; {_REMAKE}") from None
    if not isinstance(content, dict):
        raise ArtifactError(f"{where}: its description is no table, so it is damaged; {_REMAKE}")
    if content.pop("sha256", None) != _digest(content, tensors):
        raise ArtifactError(f"{where}: does not have the sha256 that it names, so it is damaged or changed; {_REMAKE}")
    manifest = _manifest(content, where)
    _check(tensors, manifest, where)
    return Operator(manifest, **{name: tensors[name] for name in _DTYPES})


def _digest(content: dict[str, Any], tensors: dict[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].dtype} {tensors[name].shape}".encode())
        digest.update(np.ascontiguousarray(tensors[name]).tobytes())
    return digest.hexdigest()


def _manifest(content: dict[str, Any], where: str) -> SpaceManifest:
    if content.get("format") != FORMAT:
        raise ArtifactError(
            f"{where}: has format {content.get('format')!r}, but this rtaffect reads format {FORMAT}; {_REMAKE}"
        )
    try:
        return SpaceManifest.model_validate_json(json.dumps(content))
    except ValidationError as error:
        raise ArtifactError(f"{where}: {first_problem(error, SpaceManifest)}; {_REMAKE}") from None


def _check(tensors: dict[str, NDArray[Any]], manifest: SpaceManifest, where: str) -> None:
    """Refuse tensors that do not fit the manifest."""
    sizes = {"R": len(manifest.regions), "Z": len(manifest.zones), "C": len(manifest.channels), "3": 3}
    sizes |= {"k": manifest.k, "N": manifest.sources}
    for name, (dtype, letters) in _DTYPES.items():
        if name not in tensors:
            raise ArtifactError(f"{where}: tensor {name} is missing; {_REMAKE}")
        found, shape = tensors[name], tuple(sizes[letter] for letter in letters)
        if found.shape != shape or found.dtype != dtype:
            raise ArtifactError(
                f"{where}: tensor {name} is {found.dtype} {found.shape}, expected {dtype} {shape}; {_REMAKE}"
            )
        if not np.isfinite(found).all():
            raise ArtifactError(f"{where}: tensor {name} holds values that are not finite; {_REMAKE}")
    unknown = {name for zone in manifest.zones for name in zone.regions} ^ set(manifest.regions)
    if unknown:
        raise ArtifactError(f"{where}: the zones do not cover the regions ({', '.join(sorted(unknown))}); {_REMAKE}")
