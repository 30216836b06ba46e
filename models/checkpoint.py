"""Opens a speech encoder's checkpoint (config.json and safetensors) without torch and without transformers.

The export writes ONNX straight from these numbers. A checkpoint is a folder, or a name on the Hugging Face hub, whose
folder :mod:`models.hub` brings here. Everything that the graphs of :mod:`models.encoder` cannot represent is refused
when the checkpoint is opened, not when its features turn out wrong.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, cast

import numpy as np

from models import catalogue
from models.hub import fetch, is_commit
from models.weights import Entry, find_tensors, is_untrained, read_tensor, sha256_of_all, weight_files
from rtaffect.common.arrays import Float32Array
from rtaffect.common.errors import ArtifactError
from rtaffect.common.reading import path_problem, read_json
from rtaffect.predicted.featurizer import Progress

Family = Literal["wav2vec2", "hubert", "wavlm"]

SAMPLE_RATE: Final = 16_000
UNKNOWN_LICENCE: Final = "unknown: see where the weights come from"

#: What the transformers library assumes where config.json says nothing (the same for all three families).
_DEFAULTS: Final[dict[str, Any]] = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-5,
    "feat_extract_norm": "group",
    "feat_extract_activation": "gelu",
    "conv_dim": [512] * 7,
    "conv_stride": [5, 2, 2, 2, 2, 2, 2],
    "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
    "conv_bias": False,
    "num_conv_pos_embeddings": 128,
    "num_conv_pos_embedding_groups": 16,
    "do_stable_layer_norm": False,
}
_FAMILY_DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    "wav2vec2": {"adapter_attn_dim": None, "add_adapter": False},
    "hubert": {"feat_proj_layer_norm": True, "conv_pos_batch_norm": False},
    "wavlm": {"num_buckets": 320, "max_bucket_distance": 800, "add_adapter": False},
}
#: Settings with the values that the graphs know; a checkpoint with another one is refused.
_SUPPORTED: Final[dict[str, tuple[Any, ...]]] = {
    "hidden_act": ("gelu",),
    "feat_extract_activation": ("gelu",),
    "feat_extract_norm": ("group", "layer"),
    "conv_kernel": ([10, 3, 3, 3, 3, 2, 2],),
    "conv_stride": ([5, 2, 2, 2, 2, 2, 2],),
    "adapter_attn_dim": (None,),
    "add_adapter": (False,),
    "conv_pos_batch_norm": (False,),
    "feat_proj_layer_norm": (True,),
    "position_embeddings_type": (None, "relative"),
}
#: Settings that are numbers of something: whole and above 0.
_COUNTS: Final = tuple(key for key, value in _DEFAULTS.items() if type(value) is int)
_POSITIONAL: Final = "encoder.pos_conv_embed.conv"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An encoder's weights and settings; tensors are read from the files when they are asked for.

    ``source`` is a hub name or ``local folder NAME``; ``revision`` a commit or None where it is not known; ``sha256``
    that of the safetensors files, joined in the order of their names. ``config`` has every setting that the encoder
    depends on, with the library's defaults. ``do_normalize`` says whether the sound is brought to mean 0 and variance 1
    first; without a preprocessor_config.json it is True, as the library's feature extractor has it. ``untrained``
    weights are random ones: every normalisation still has the gain 1 and the bias 0.
    """

    family: Family
    name: str
    source: str
    revision: str | None
    sha256: str
    config: dict[str, Any]
    do_normalize: bool
    licence: str
    untrained: bool
    folder: Path
    _entries: Mapping[str, Entry] = field(repr=False)

    def has(self, name: str) -> bool:
        """Whether there is a tensor of this name, without the prefix of a head (``encoder.layer_norm.weight``)."""
        return name in self._entries

    def tensor(self, name: str, shape: tuple[int, ...] | None = None) -> Float32Array:
        """Read one tensor as float32.

        Parameters
        ----------
        name
            Its name without the prefix of a head; ArtifactError if there is none.
        shape
            The shape that it must have; None takes any.
        """
        if name not in self._entries:
            raise ArtifactError(
                f"{self.source}: has no tensor {name}, so it is no whole {self.family} encoder; download it again, or "
                "take another checkpoint"
            )
        values = read_tensor(self._entries[name])
        if shape is not None and values.shape != shape:
            raise ArtifactError(
                f"{self.source}: {name} has the shape {values.shape}, expected {shape} by config.json; the two are of "
                "different models: download both again"
            )
        return values

    def norm(self, name: str) -> tuple[Float32Array, Float32Array]:
        """Return gain and bias (width,) of a layer normalisation."""
        return self.tensor(f"{name}.weight"), self.tensor(f"{name}.bias")

    def linear(self, name: str) -> tuple[Float32Array, Float32Array]:
        """Return matrix (in, out) and bias (out,) of a linear layer."""
        return self.tensor(f"{name}.weight").T, self.tensor(f"{name}.bias")

    def positional_kernel(self) -> Float32Array:
        """Return the weights of the positional convolution, (hidden_size, hidden_size / groups, kernel).

        They are kept plain, or as direction v and length g per position of the kernel (weight normalisation over
        dimension 2): ``g * v / |v|``, with the names of either generation of torch.
        """
        size, groups = self.config["hidden_size"], self.config["num_conv_pos_embedding_groups"]
        length = self.config["num_conv_pos_embeddings"]
        shape = (size, size // groups, length)
        for g, v in (
            ("parametrizations.weight.original0", "parametrizations.weight.original1"),
            ("weight_g", "weight_v"),
        ):
            if self.has(f"{_POSITIONAL}.{v}"):
                gain = self.tensor(f"{_POSITIONAL}.{g}", (1, 1, length)).astype(np.float64)
                direction = self.tensor(f"{_POSITIONAL}.{v}", shape).astype(np.float64)
                norm = np.sqrt(np.square(direction).sum(axis=(0, 1), keepdims=True))
                return cast(Float32Array, (gain * direction / norm).astype(np.float32))
        return self.tensor(f"{_POSITIONAL}.weight", shape)


def open_checkpoint(name_or_folder: str, revision: str | None = None, progress: Progress = print) -> Checkpoint:
    """Open a checkpoint; ArtifactError if it is missing, damaged, or of a kind that cannot be exported.

    Parameters
    ----------
    name_or_folder
        A folder; else a short name of the catalogue or a hub name ``owner/name``, which is downloaded.
    revision
        Commit, branch or tag of a hub name. None: the commit of the catalogue, else the newest.
    progress
        Called with one line of text per stage.
    """
    if wrong := path_problem(name_or_folder):
        raise ArtifactError(f"model {name_or_folder:.60}: {wrong}; give a folder, or a model's name")
    folder = Path(name_or_folder).expanduser()
    known = None
    if folder.is_dir():
        if revision is not None:
            raise ArtifactError(
                f"revision {revision}: {name_or_folder} is a folder, which has only what is in it; give a revision "
                "with a name on the hub only"
            )
        folder = folder.resolve()
        name, source = folder.name, f"local folder {folder.name}"
    else:
        known = catalogue.find(name_or_folder)
        source = _hub_name(name_or_folder, known)
        name = known.name if known else source.split("/")[1]
        folder = fetch(source, revision, known, progress)
    return _open(folder, name, source, known)


def _hub_name(text: str, known: catalogue.KnownEncoder | None) -> str:
    if known is not None:
        if known.hub_name is None:
            raise ArtifactError(f"{text}: is no checkpoint but comes with a package; get it by {known.how_to_get}")
        return known.hub_name
    if text.startswith((".", "/", "~")) or "\\" in text or text.count("/") > 1:
        raise ArtifactError(f"{text}: there is no such folder; give a checkpoint's folder or a name on the hub")
    if "/" not in text:
        raise ArtifactError(
            f"{text}: neither a folder nor a known encoder; expected a folder, OWNER/NAME on the hub, or one of "
            f"{', '.join(catalogue.hub_encoders())}"
        )
    return text


def _open(folder: Path, name: str, source: str, known: catalogue.KnownEncoder | None) -> Checkpoint:
    family, config = _config(folder)
    files = weight_files(folder)
    entries = find_tensors(files)
    sound = _json(folder / "preprocessor_config.json") if (folder / "preprocessor_config.json").is_file() else {}
    rate = sound.get("sampling_rate", SAMPLE_RATE)
    if rate != SAMPLE_RATE:
        raise ArtifactError(
            f"{folder}: made for sound at {rate} Hz, expected {SAMPLE_RATE} Hz; take another checkpoint"
        )
    return Checkpoint(
        family=family,
        name=name,
        source=source,
        revision=_revision(folder),
        sha256=sha256_of_all(files),
        config=config,
        do_normalize=bool(sound.get("do_normalize", True)),
        licence=known.licence if known else _licence(folder / "README.md"),
        untrained=is_untrained(entries),
        folder=folder,
        _entries=entries,
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        content = read_json(path)
    except OSError as error:
        raise ArtifactError(
            f"{path}: cannot be read ({error.strerror}); expected the settings of a Hugging Face checkpoint beside its "
            "weights: download the whole folder"
        ) from error
    except ValueError as error:
        raise ArtifactError(f"{path}: damaged, no JSON ({error}); download it again") from error
    if not isinstance(content, dict):
        raise ArtifactError(f"{path}: damaged, holds a {type(content).__name__} and no table; download it again")
    return content


def _config(folder: Path) -> tuple[Family, dict[str, Any]]:
    """Return the family and the settings with defaults; ArtifactError for what cannot be exported."""
    path = folder / "config.json"
    given = _json(path)
    family = given.get("model_type")
    if family not in _FAMILY_DEFAULTS:
        raise ArtifactError(
            f"{path}: model_type is {family!r}, expected one of {', '.join(_FAMILY_DEFAULTS)}; other models cannot be "
            "exported"
        )
    config = _DEFAULTS | _FAMILY_DEFAULTS[family] | given
    for key, allowed in _SUPPORTED.items():
        if key in config and config[key] not in allowed:
            raise ArtifactError(
                f"{path}: {key} is {config[key]!r}, which cannot be exported; expected "
                f"{' or '.join(map(repr, allowed))}: take another checkpoint"
            )
    _check_counts(path, config)
    return cast(Family, family), config


def _check_counts(path: Path, config: Mapping[str, Any]) -> None:
    widths = config["conv_dim"]
    counts = {key: config[key] for key in _COUNTS}
    if not isinstance(widths, list) or len(widths) != len(config["conv_kernel"]):
        raise ArtifactError(f"{path}: conv_dim is {widths!r:.60}, expected 7 widths; download it again")
    counts |= {f"conv_dim[{i}]": width for i, width in enumerate(widths)}
    for key, value in counts.items():
        if type(value) is not int or value < 1:
            raise ArtifactError(f"{path}: {key} is {value!r:.60}, expected a whole number above 0; download it again")
    size = config["hidden_size"]
    for key in ("num_attention_heads", "num_conv_pos_embedding_groups"):
        if size % config[key]:
            raise ArtifactError(f"{path}: {key} is {config[key]}, expected a divisor of hidden_size {size}")


def _revision(folder: Path) -> str | None:
    """Return the commit that the folder is a copy of, as the hub's cache and ``hf download`` write it down."""
    if folder.parent.name == "snapshots" and is_commit(folder.name):
        return folder.name
    try:
        note = (folder / ".cache/huggingface/download/config.json.metadata").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    first = note.split("\n", 1)[0].strip()
    return first if is_commit(first) else None


def _licence(card: Path) -> str:
    """Return the licence that a model card's header (YAML between two lines of ---) names."""
    try:
        text = card.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return UNKNOWN_LICENCE
    header = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
    found = re.search(r"^license:[ \t]*[\"']?([^\s\"'#]+)", header[1], re.MULTILINE) if header else None
    return found[1] if found else UNKNOWN_LICENCE
