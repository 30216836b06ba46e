"""The speech encoders known by a short name: where their weights are, at which commit, and on which terms.

What is written here was looked up in public code and model cards in 2026 and not on the hub itself. A revision is given
only where public code pins that very commit. Most of these repositories hold only ``pytorch_model.bin`` on their main
branch; the safetensors then lie at a commit of the hub's conversion branch (``refs/pr/N``). Where such a commit is
known it is the pinned one; else the export looks for the branch, and records the commit that it took.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Family = Literal["wav2vec2", "hubert", "wavlm", "moonshine"]

_MOONSHINE_LICENCE: Final = "MIT"
_WAVLM_LICENCE: Final = "CC BY-SA 3.0 by its model card, MIT by the unilm repository (microsoft/unilm issue 1757)"
_CONVERTED: Final = "The revision is the hub's safetensors conversion of the main branch."
_LOOKED_FOR: Final = (
    "The revision is the main branch, seen with pytorch_model.bin only: the export takes the hub's safetensors "
    "conversion if there is one, and records its commit; else convert the weights once."
)


@dataclass(frozen=True, slots=True)
class KnownEncoder:
    """One encoder of the catalogue.

    ``revision`` is a commit (40 hex digits) that public code pins, or None: then the newest commit is taken.
    ``safetensors`` says whether weights in that format were seen at the revision, ``conversion`` names the branch that
    has them where the revision does not. ``hub_name`` is None for an encoder that comes with a package.
    """

    name: str
    family: Family
    hub_name: str | None
    revision: str | None
    licence: str
    trained_on: str
    n_layers: int
    hidden_size: int
    megabytes: int
    safetensors: bool
    note: str
    conversion: str | None = None

    @property
    def how_to_get(self) -> str:
        """How a user gets a featurizer of it."""
        if self.hub_name is None:
            return 'pip install "rtaffect[embedded]"; built when it is first needed'
        return "rtaffect export --model NAME --layer K --out FILE.onnx"


CATALOGUE: Final = (
    KnownEncoder(
        name="wav2vec2-base",
        family="wav2vec2",
        hub_name="facebook/wav2vec2-base",
        revision="0b5b8e868dd84f03fd87d01f9c4ff0f080fecfe8",
        licence="Apache-2.0",
        trained_on="English: LibriSpeech, 960 h",
        n_layers=12,
        hidden_size=768,
        megabytes=380,
        safetensors=False,
        note=_LOOKED_FOR,
    ),
    KnownEncoder(
        name="wav2vec2-large",
        family="wav2vec2",
        hub_name="facebook/wav2vec2-large",
        revision="312b2410566b698c7a649068d413b2067848bd75",
        licence="Apache-2.0",
        trained_on="English: LibriSpeech, 960 h",
        n_layers=24,
        hidden_size=1024,
        megabytes=1270,
        safetensors=False,
        note=_LOOKED_FOR,
    ),
    KnownEncoder(
        name="wav2vec2-xls-r-300m",
        family="wav2vec2",
        hub_name="facebook/wav2vec2-xls-r-300m",
        revision="1a640f32ac3e39899438a2931f9924c02f080a54",
        licence="Apache-2.0",
        trained_on="128 languages, 436,000 h",
        n_layers=24,
        hidden_size=1024,
        megabytes=1270,
        safetensors=False,
        note=_LOOKED_FOR,
    ),
    KnownEncoder(
        name="hubert-base-ls960",
        family="hubert",
        hub_name="facebook/hubert-base-ls960",
        revision="af46f65f540dc3ca7aa59f46c6c3d5dbb4374fa8",
        licence="Apache-2.0",
        trained_on="English: LibriSpeech, 960 h",
        n_layers=12,
        hidden_size=768,
        megabytes=378,
        safetensors=True,
        note=f"{_CONVERTED} Main is dba3bb02fda4248b6e082697eee756de8fe8aa8a.",
    ),
    KnownEncoder(
        name="hubert-large-ll60k",
        family="hubert",
        hub_name="facebook/hubert-large-ll60k",
        revision="1c513b9a0780f7afa32e4480311fa444e56c3a2e",
        licence="Apache-2.0",
        trained_on="English: Libri-Light, 60,000 h",
        n_layers=24,
        hidden_size=1024,
        megabytes=1260,
        safetensors=True,
        note=f"{_CONVERTED} Main is ff022d095678a2995f3c49bab18a96a9e553f782.",
    ),
    KnownEncoder(
        name="wavlm-base-plus",
        family="wavlm",
        hub_name="microsoft/wavlm-base-plus",
        revision="98fd61b9c652129c839c0a25a05987d8f59256a4",
        licence=_WAVLM_LICENCE,
        trained_on="English: Libri-Light, GigaSpeech, VoxPopuli, 94,000 h",
        n_layers=12,
        hidden_size=768,
        megabytes=378,
        safetensors=True,
        note=f"{_CONVERTED} Main is 4c66d4806a428f2e922ccfa1a962776e232d487b.",
    ),
    KnownEncoder(
        name="wavlm-large",
        family="wavlm",
        hub_name="microsoft/wavlm-large",
        revision="07d9d3d8576fd3d718ee7b16b2b6242e9610d9af",
        licence=_WAVLM_LICENCE,
        trained_on="English: Libri-Light, GigaSpeech, VoxPopuli, 94,000 h",
        n_layers=24,
        hidden_size=1024,
        megabytes=1262,
        safetensors=True,
        note=f"{_CONVERTED} Main is c1423ed94bb01d80a3f5ce5bc39f6026a0f4828c.",
    ),
    KnownEncoder(
        name="chinese-wav2vec2-base",
        family="wav2vec2",
        hub_name="TencentGameMate/chinese-wav2vec2-base",
        revision="3991242c806928916fff4a8c0e4f76acf661b743",
        licence="MIT",
        trained_on="Mandarin: WenetSpeech, 10,000 h",
        n_layers=12,
        hidden_size=768,
        megabytes=380,
        safetensors=False,
        note=(
            "The revision is the main branch, which has pytorch_model.bin only; public code takes model.safetensors "
            "from refs/pr/1, and so does the export, which records the commit."
        ),
        conversion="refs/pr/1",
    ),
    KnownEncoder(
        name="chinese-hubert-base",
        family="hubert",
        hub_name="TencentGameMate/chinese-hubert-base",
        revision="fce0375452b1dd6c080ac3248d423d4d037bc831",
        licence="MIT",
        trained_on="Mandarin: WenetSpeech, 10,000 h",
        n_layers=12,
        hidden_size=768,
        megabytes=378,
        safetensors=False,
        note=_LOOKED_FOR,
    ),
    KnownEncoder(
        name="moonshine-tiny",
        family="moonshine",
        hub_name=None,
        revision=None,
        licence=_MOONSHINE_LICENCE,
        trained_on="English, supervised speech recognition",
        n_layers=6,
        hidden_size=288,
        megabytes=13,
        safetensors=False,
        note="The default: inside the wheel moonshine-voice 0.0.49, checked by its sha256. Not self-supervised.",
    ),
)


def find(name: str) -> KnownEncoder | None:
    """Return the encoder of this short name or hub name, in any case, or None."""
    wanted = name.casefold()
    for encoder in CATALOGUE:
        if wanted in (encoder.name.casefold(), encoder.hub_name and encoder.hub_name.casefold()):
            return encoder
    return None


def hub_encoders() -> tuple[str, ...]:
    """Return the short names of the encoders that are on the hub."""
    return tuple(encoder.name for encoder in CATALOGUE if encoder.hub_name)
