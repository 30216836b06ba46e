"""Brings a checkpoint's folder here: from the hub's cache, or from the hub.

Only safetensors weights are taken, never pickle. Everything about the network is here, so that the rest of the export
works without one.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any, Final

from models.catalogue import KnownEncoder
from models.weights import INDEX, convert_command, download_command, no_weights, weight_files
from rtaffect.common.errors import ArtifactError
from rtaffect.predicted.featurizer import Progress

_ALLOWED: Final = ("config.json", "preprocessor_config.json", "*.safetensors", INDEX, "README.md")
#: Language adapters beside the model: hundreds of files that no encoder of ours reads.
_IGNORED: Final = ("adapter*",)
_TIMEOUT_S: Final = 10.0
_CONVERTER: Final = "SFconvertbot"
_CONVERSION_TITLE: Final = "Adding `safetensors` variant of this model"


def fetch(hub_name: str, revision: str | None, known: KnownEncoder | None, progress: Progress) -> Path:
    """Return the folder of ``hub_name`` in the hub's cache; download what is missing.

    Parameters
    ----------
    hub_name
        ``owner/name``.
    revision
        A commit, branch or tag, taken as it is. None: the catalogue's commit, else the newest; where that has no
        safetensors weights, the hub's own conversion to them.
    known
        What the catalogue says of this encoder, or None.
    progress
        Called with one line of text per stage.
    """
    hub = _hub()
    hub.utils.disable_progress_bars()
    wanted = revision or (known.revision if known else None)
    if wanted and (cached := [path for path in _snapshots(hub, hub_name) if path.name == wanted]):
        return cached[0]
    try:
        info = _info(hub, hub_name, wanted)
        if not _has_weights(info) and revision is None:
            info = _converted(hub, hub_name, known, progress) or info
        if not _has_weights(info):
            raise ArtifactError(no_weights(hub_name, "pytorch_model.bin", hub_name))
        progress(f"Downloading {hub_name} at {info.sha}")
        folder = hub.snapshot_download(
            hub_name, revision=info.sha, allow_patterns=list(_ALLOWED), ignore_patterns=list(_IGNORED)
        )
    except (OSError, hub.errors.HFValidationError, hub.errors.HTTPError) as error:
        there = _snapshots(hub, hub_name) if revision is None else []
        if len(there) != 1:
            raise ArtifactError(_why(hub, hub_name, revision, known, error)) from error
        folder = there[0]
        progress(f"The hub cannot be asked; taking {hub_name} at {folder.name} from its cache")
    return Path(folder)


def is_commit(text: str) -> bool:
    """Whether ``text`` is a commit: 40 hex digits."""
    return re.fullmatch("[0-9a-f]{40}", text) is not None


def _hub() -> Any:
    try:
        hub = importlib.import_module("huggingface_hub")
        importlib.import_module("huggingface_hub.errors")
        importlib.import_module("huggingface_hub.utils")
    except ImportError as error:
        raise ArtifactError(
            'an encoder on the hub needs huggingface_hub, which is not installed; pip install "rtaffect[export]", '
            "or give a folder"
        ) from error
    return hub


def _info(hub: Any, hub_name: str, revision: str | None) -> Any:
    return hub.HfApi().model_info(hub_name, revision=revision, timeout=_TIMEOUT_S)


def _has_weights(info: Any) -> bool:
    names = [file.rfilename for file in info.siblings or ()]
    return any(re.fullmatch(r"model[\w.-]*\.safetensors", name) for name in names)


def _converted(hub: Any, hub_name: str, known: KnownEncoder | None, progress: Progress) -> Any | None:
    """Return what the hub says of its safetensors conversion, or None if there is none."""
    branch = known.conversion if known and known.conversion else _conversion_branch(hub, hub_name)
    if branch is None:
        return None
    progress(f"{hub_name} has its safetensors weights on the branch {branch}")
    return _info(hub, hub_name, branch)


def _conversion_branch(hub: Any, hub_name: str) -> str | None:
    """Return the branch of the hub's own conversion robot; another user's of the same title does not count."""
    for discussion in hub.HfApi().get_repo_discussions(hub_name):
        ours = discussion.is_pull_request and discussion.author == _CONVERTER
        if ours and discussion.title == _CONVERSION_TITLE and discussion.status in ("open", "merged"):
            return str(discussion.git_reference)
    return None


def _snapshots(hub: Any, hub_name: str) -> list[Path]:
    """Return the whole checkpoints of this name in the hub's cache."""
    root = Path(hub.constants.HF_HUB_CACHE) / f"models--{hub_name.replace('/', '--')}" / "snapshots"
    return [path for path in sorted(root.glob("*")) if _is_whole(path)]


def _is_whole(folder: Path) -> bool:
    try:
        return bool(weight_files(folder)) and (folder / "config.json").is_file()
    except ArtifactError:
        return False


def _why(hub: Any, hub_name: str, revision: str | None, known: KnownEncoder | None, error: Exception) -> str:
    errors = hub.errors
    if isinstance(error, errors.HFValidationError):
        return f"{hub_name}: not a name on the hub; expected OWNER/NAME, such as facebook/wav2vec2-base, or a folder"
    if isinstance(error, errors.GatedRepoError):
        return f"{hub_name}: its owner asks for consent; accept the terms on huggingface.co, hf auth login, try again"
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"{hub_name}: neither a folder here nor a public name on the hub; see the names that are known with "
            "rtaffect featurizers"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{hub_name}: the hub has no such revision; give a commit, branch or tag of it instead of {revision}"
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return (
        f"{hub_name}: not on this computer, and the hub did not give it ({reason:.120}); "
        f"{_by_hand(hub_name, revision, known)}"
    )


def _by_hand(hub_name: str, revision: str | None, known: KnownEncoder | None) -> str:
    """Return how to bring the weights to a computer that has no internet."""
    if known and revision is None and not (known.safetensors or known.conversion):
        return (
            f"on a computer with internet, either rtaffect export --model {known.name} --layer K --out FILE.onnx and "
            f"copy that file, or, with torch and transformers, {convert_command(hub_name)}; then give FOLDER "
            "instead of the name"
        )
    at = revision or (known and (known.revision if known.safetensors else known.conversion))
    command = download_command(hub_name, at or None)
    return f"on a computer with internet: {command}; then give FOLDER instead of the name"
