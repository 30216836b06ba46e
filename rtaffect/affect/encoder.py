"""A bundle's ONNX models, opened by onnxruntime as featurizers are, and checked against what the bundle says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import Float32Array
from rtaffect.common.errors import ArtifactError
from rtaffect.predicted.featurizer_file import CPU, failures_to_run, onnxruntime_or_remedy, open_inference_session
from rtaffect.predicted.onnx_content import refers_outside

_REMAKE = "make the bundle anew with `rtaffect affect STUDY --out BUNDLE`"


class Encoder:
    """One ONNX model: named float32 arrays in, named float32 arrays out; it keeps no state.

    Parameters
    ----------
    path
        Where it lies, for messages.
    content
        Of the file.
    inputs, outputs
        Shape of one moment of each, without the first axis.
    threads
        Of the processor. One moment is run at a time, so that what comes out does not depend on who else is there.

    Raises
    ------
    ArtifactError
        If it cannot be read or run, or takes or gives something else.
    """

    def __init__(
        self,
        path: Path,
        content: bytes,
        inputs: Mapping[str, tuple[int, ...]],
        outputs: Mapping[str, tuple[int, ...]],
        threads: int = 1,
    ) -> None:
        try:
            outside = refers_outside(content)
        except ValueError as error:
            raise ArtifactError(f"{path}: damaged, or not an ONNX model ({error}); {_REMAKE}") from None
        if outside:
            raise ArtifactError(f"{path}: it has weights in other files, which its hash does not cover; {_REMAKE}")
        self._path, self._inputs, self._outputs = path, dict(inputs), dict(outputs)
        self._session: Any = open_inference_session(path, content, threads, CPU)
        self._check_names()
        self({name: np.zeros(shape, np.float32) for name, shape in inputs.items()})

    def __call__(self, moment: Mapping[str, NDArray[np.floating]]) -> dict[str, Float32Array]:
        """Return what the model gives for one moment: arrays without the first axis, by their names."""
        # What is too large for its type becomes infinite, and whoever reads what the model makes of that says so.
        with np.errstate(over="ignore"):
            feed = {name: np.ascontiguousarray(moment[name], np.float32)[None] for name in self._inputs}
        failures: tuple[type[Exception], ...] = (
            *failures_to_run(),
            onnxruntime_or_remedy().capi.onnxruntime_pybind11_state.InvalidArgument,
        )
        try:
            found = self._session.run(list(self._outputs), feed)
        except failures as error:
            why = " ".join(str(error).split()) or type(error).__name__
            raise ArtifactError(f"{self._path}: it cannot be run ({why:.300}); {_REMAKE}") from error
        made = dict(zip(self._outputs, found, strict=True))
        for name, array in made.items():
            wanted = (1, *self._outputs[name])
            if array.shape != wanted or array.dtype != np.float32:
                raise ArtifactError(
                    f"{self._path}: {name} is {array.dtype} {array.shape}, expected float32 {wanted}; {_REMAKE}"
                )
        return {name: array[0] for name, array in made.items()}

    def _check_names(self) -> None:
        takes = {value.name for value in self._session.get_inputs()}
        gives = {value.name for value in self._session.get_outputs()}
        if takes != set(self._inputs) or not set(self._outputs) <= gives:
            raise ArtifactError(
                f"{self._path}: it maps {', '.join(sorted(takes))} to {', '.join(sorted(gives))}; expected "
                f"{', '.join(sorted(self._inputs))} to {', '.join(sorted(self._outputs))}: {_REMAKE}"
            )
