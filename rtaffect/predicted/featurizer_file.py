"""Reading a featurizer file: opened by onnxruntime, its manifest read, and both compared with each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rtaffect.common.errors import ArtifactError
from rtaffect.common.mistakes import first_problem
from rtaffect.common.reading import read_bytes
from rtaffect.predicted.manifest import MANIFEST_KEY, FeaturizerManifest, StatePart
from rtaffect.predicted.onnx_content import refers_outside

CPU = "CPUExecutionProvider"


def onnxruntime_or_remedy() -> Any:
    """Return the module onnxruntime, or raise ArtifactError with the remedy."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ArtifactError(
            'a featurizer needs onnxruntime, which is not installed; pip install "rtaffect[cpu]" '
            '(or "rtaffect[gpu]" with an NVIDIA GPU)'
        ) from error
    return onnxruntime


def failures_to_run() -> tuple[type[Exception], ...]:
    """Return what onnxruntime raises where a device lacks memory, a library or an operator."""
    native = onnxruntime_or_remedy().capi.onnxruntime_pybind11_state
    return native.Fail, native.EPFail, native.RuntimeException, native.NotImplemented, RuntimeError


def featurizer_content(path: Path) -> bytes:
    """Return the content of the featurizer at ``path``, of which hash and model are both made.

    Raises
    ------
    ArtifactError
        If it cannot be read, is no ONNX model, or has weights in other files, which no hash of its own covers.
    """
    try:
        content = read_bytes(path, None)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ArtifactError(f"{path}: the featurizer cannot be read ({why}); build or name another one") from error
    try:
        outside = refers_outside(content)
    except ValueError as error:
        raise ArtifactError(f"{path}: damaged, or not an ONNX model ({error}); build it again") from None
    if outside:
        raise ArtifactError(
            f"{path}: it has weights in other files, which its hash does not cover; expected all in one file: export "
            "it again with rtaffect export"
        )
    return content


def open_inference_session(path: Path, content: bytes, threads: int, provider: str) -> Any:
    """Return the onnxruntime session of the file at ``path``, on ``provider`` if that can be, else on the processor.

    It is made of ``content``, so that it is that whose hash was taken.
    """
    ort = onnxruntime_or_remedy()
    native = ort.capi.onnxruntime_pybind11_state
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    # Its message, and its names, may have bytes of the file that are no text.
    damage = (
        UnicodeDecodeError,
        native.Fail,
        native.InvalidArgument,
        native.InvalidGraph,
        native.InvalidProtobuf,
        native.NotImplemented,
    )
    try:
        session = ort.InferenceSession(content, options, providers=list(dict.fromkeys((provider, CPU))))
        for value in (*session.get_inputs(), *session.get_outputs()):
            _ = value.name, value.shape
        return session
    except damage as error:
        raise ArtifactError(
            f"{path}: damaged, or not an ONNX model that this onnxruntime ({ort.__version__}) can read; build it again"
        ) from error


def read_manifest(session: Any, path: Path) -> FeaturizerManifest:
    """Return what the file opened as ``session`` says of itself; raises ArtifactError if that is nothing, or wrong."""
    try:
        text = session.get_modelmeta().custom_metadata_map.get(MANIFEST_KEY)
    except UnicodeDecodeError:
        raise ArtifactError(f"{path}: its manifest is no text, so it is damaged; build it again") from None
    if text is None:
        raise ArtifactError(
            f"{path}: an ONNX model without manifest, so not a featurizer; build it with rtaffect export"
        )
    try:
        return FeaturizerManifest.model_validate_json(text)
    except ValidationError as error:
        raise ArtifactError(
            f"{path}: its manifest does not fit this version of rtaffect: {first_problem(error, FeaturizerManifest)}; "
            "export it again with rtaffect export"
        ) from error


def check_signature(session: Any, manifest: FeaturizerManifest, path: Path) -> None:
    """Raise ArtifactError unless the model takes and gives what its manifest says."""
    found = {value.name for value in session.get_inputs()}, {value.name for value in session.get_outputs()}
    expected = (
        {"audio", *(f"state.{part.name}" for part in manifest.state)},
        {"features", *(f"new.{part.name}" for part in manifest.state)},
    )
    shape: list[Any] = next((value.shape for value in session.get_outputs() if value.name == "features"), [])
    if found != expected or tuple(shape) != manifest.features_shape:
        raise ArtifactError(
            f"{path}: maps {sorted(found[0])} to {sorted(found[1])} with features {tuple(shape)}, but its manifest "
            f"says {sorted(expected[0])} to {sorted(expected[1])} with {manifest.features_shape}; export it again with "
            "rtaffect export"
        )
    for part in manifest.state:
        check_state(session, part, path)


def check_state(session: Any, part: StatePart, path: Path) -> None:
    """Raise ArtifactError unless the model takes and gives this part of its state as the manifest says."""
    wanted = "tensor(double)" if part.dtype == "float64" else "tensor(float)"
    names = f"state.{part.name}", f"new.{part.name}"
    for value in (*session.get_inputs(), *session.get_outputs()):
        if value.name not in names:
            continue
        row = tuple(value.shape[1:])
        known = all(size == given for size, given in zip(row, part.shape, strict=False) if isinstance(size, int))
        if value.type != wanted or len(row) != len(part.shape) or not known:
            raise ArtifactError(
                f"{path}: {value.name} is {value.type} with rows {row}, but its manifest says {wanted} with "
                f"{part.shape}; export it again with rtaffect export"
            )
