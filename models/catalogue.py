"""The encoders of speech and music known by a short name: where their weights are, at which commit, and on which terms.

What is written here was looked up in public code and model cards in 2026 and not on the hub itself. A revision is given
only where public code pins that very commit. Most of these repositories hold only ``pytorch_model.bin`` on their main
branch; the safetensors then lie at a commit of the hub's conversion branch (``refs/pr/N``). Where such a commit is
known it is the pinned one; else the export looks for the branch, and records the commit that it took.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from rtaffect.predicted.embedded import EMBEDDED


@dataclass(frozen=True, slots=True)
class KnownEncoder:
    """One encoder of the catalogue.

    ``revision`` is a commit (40 hex digits) that public code pins, or None: then the newest commit is taken.
    ``safetensors`` says whether weights in that format were seen at the revision, ``conversion`` names the branch that
    has them where the revision does not. ``hub_name`` is None for an encoder that comes with a package.
    """

    name: str
    family: Literal["wav2vec2", "hubert", "wavlm", "moonshine", "wakehubert", "musicnn"]
    licence: str
    trained_on: str
    n_layers: int
    hidden_size: int
    megabytes: int
    safetensors: bool
    note: str
    hub_name: str | None = None
    revision: str | None = None
    conversion: str | None = None

    @property
    def how_to_get(self) -> str:
        """How a user gets a featurizer of it."""
        if self.hub_name is None:
            return f"{EMBEDDED[self.name].install}; built when it is first needed, as --featurizer {self.name}"
        return "rtaffect export --model NAME --layer K --out FILE.onnx"


CATALOGUE: Final = tuple(
    KnownEncoder(**entry)
    for entry in tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["encoder"]
)


def find(name: str) -> KnownEncoder | None:
    """Return the encoder of this short name or hub name, in any case, or None."""
    wanted = name.casefold()
    named = ((known, (known.name, known.hub_name or known.name)) for known in CATALOGUE)
    return next((known for known, names in named if wanted in map(str.casefold, names)), None)


def hub_encoders() -> tuple[str, ...]:
    """Return the short names of the encoders that are on the hub."""
    return tuple(encoder.name for encoder in CATALOGUE if encoder.hub_name)
