"""Reads the safetensors weights of a checkpoint's folder, as float32 and one tensor at a time."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open

from rtaffect.common.arrays import Float32Array
from rtaffect.common.errors import ArtifactError
from rtaffect.common.reading import json_content, path_problem, read_json

INDEX: Final = "model.safetensors.index.json"
INCLUDE: Final = ("*.safetensors", "*.json", "README.md")
#: Every encoder of the three families has this tensor; what precedes the name is the prefix that a head gave it.
_FIRST: Final = "feature_extractor.conv_layers.0.conv.weight"
_FLOATS: Final = ("F64", "F32", "F16", "BF16")


class Entry(NamedTuple):
    """Where one tensor lies: its file, and its name there."""

    file: Path
    key: str


def weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files of a checkpoint's folder, sorted by name; ArtifactError if there are none."""
    index = folder / INDEX
    if index.is_file():
        names = sorted(set(_weight_map(index).values()))
    elif (folder / "model.safetensors").is_file():
        names = ["model.safetensors"]
    else:
        names = sorted(path.name for path in folder.glob("*.safetensors"))
    if not names:
        pickled = next((path.name for path in sorted(folder.glob("*.bin"))), "")
        raise ArtifactError(no_weights(str(folder), pickled, str(folder)))
    if len(names) > 1 and not index.is_file():
        raise ArtifactError(
            f"{folder}: several safetensors files ({', '.join(names[:4])}) and no {INDEX}; keep the model's own one, "
            "named model.safetensors"
        )
    if missing := [name for name in names if path_problem(name) or not (folder / name).is_file()]:
        raise ArtifactError(f"{folder}: {missing[0]!r:.80} of {INDEX} is missing; download the folder again")
    return [folder / name for name in names]


def no_weights(where: str, pickled: str, loadable: str) -> str:
    """Return the message for a checkpoint without safetensors weights."""
    if not pickled:
        return (
            f"{where}: has no *.safetensors weights; download the whole folder: {download_command('OWNER/NAME', None)}"
        )
    return (
        f"{where}: has no *.safetensors weights, only {pickled}, which is refused because it is pickle and can run "
        "code when it is read; where you trust it, convert it on another computer that has torch and transformers: "
        f"{convert_command(loadable)}; then give FOLDER instead"
    )


def convert_command(loadable: str) -> str:
    """Return the command that writes pickled weights as safetensors, with the settings beside them."""
    return (
        'python -c "from transformers import AutoFeatureExtractor as E, AutoModel as M; '
        f"M.from_pretrained('{loadable}').save_pretrained('FOLDER', safe_serialization=True); "
        f"E.from_pretrained('{loadable}').save_pretrained('FOLDER')\""
    )


def download_command(hub_name: str, revision: str | None) -> str:
    """Return the command that brings a checkpoint into a folder."""
    include = " ".join(f'--include "{pattern}"' for pattern in INCLUDE)
    at = f" --revision {revision}" if revision else ""
    return f"hf download {hub_name}{at} --local-dir FOLDER {include}"


def _weight_map(index: Path) -> dict[str, str]:
    try:
        names = read_json(index)["weight_map"]
        return {str(key): Path(str(name)).name for key, name in names.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{index}: damaged, it has no readable weight_map; download it again") from error


def find_tensors(files: list[Path]) -> dict[str, Entry]:
    """Return where each of the encoder's tensors lies, by its name without the prefix of a head."""
    found: dict[str, Entry] = {}
    for file in files:
        try:
            with safe_open(file, framework="numpy") as opened:
                found |= {key: Entry(file, key) for key in opened.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise _damaged(file, error) from error
    firsts = sorted((key for key in found if key == _FIRST or key.endswith(f".{_FIRST}")), key=len)
    if not firsts:
        raise ArtifactError(
            f"{files[0]}: has no tensor {_FIRST}, so it is not wav2vec2, hubert or wavlm; take another checkpoint"
        )
    prefix = firsts[0].removesuffix(_FIRST)
    return {key.removeprefix(prefix): entry for key, entry in found.items() if key.startswith(prefix)}


def read_tensor(entry: Entry) -> Float32Array:
    """Read one tensor of floating-point numbers, of whatever width, as float32."""
    try:
        with safe_open(entry.file, framework="numpy") as opened:
            kind = opened.get_slice(entry.key).get_dtype()
            values = _read_bfloat16(entry) if kind == "BF16" else opened.get_tensor(entry.key)
    except (SafetensorError, OSError) as error:
        raise _damaged(entry.file, error) from error
    if kind not in _FLOATS:
        raise ArtifactError(
            f"{entry.file}: {entry.key} is {kind}, expected floating-point weights; save them as float32"
        )
    return np.ascontiguousarray(values, np.float32)


def _read_bfloat16(entry: Entry) -> Float32Array:
    """Read a tensor that numpy has no type for: bfloat16 is the upper half of float32.

    The file begins with the length of its header (8 bytes, little-endian); offsets count from the header's end.
    """
    with entry.file.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        about = json_content(file.read(length))[entry.key]
        start, stop = about["data_offsets"]
        file.seek(8 + length + start)
        upper = np.frombuffer(file.read(stop - start), "<u2")
    return (upper.astype(np.uint32) << 16).view(np.float32).reshape(about["shape"])


def _damaged(file: Path, error: Exception) -> ArtifactError:
    return ArtifactError(f"{file}: damaged or cut short ({str(error).splitlines()[0]:.80}); download it again")


def sha256_of_all(files: list[Path]) -> str:
    """Return the sha256 of the files, joined in the order given."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def is_untrained(entries: Mapping[str, Entry]) -> bool:
    """Whether every normalisation still has the gain 1 and the bias 0 that it began with."""
    norms = [name for name in entries if re.search(r"(^|[._])layer_norm\.(weight|bias)$", name)]
    return bool(norms) and all((read_tensor(entries[name]) == float(name.endswith("weight"))).all() for name in norms)
