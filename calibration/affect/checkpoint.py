"""Where training stands, on disk: tensors as safetensors, the rest as JSON in their header, so that both fit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from calibration.affect.training import Moments, Trainer
from rtaffect.common.files import write_whole

FORMAT: Final = "1"
Array = NDArray[np.float64]


class Checkpoint:
    """The state of a training that may be stopped; without a path nothing is kept.

    A file of another study or other choices, or one that is damaged, is passed over: training begins anew.

    Attributes
    ----------
    phase
        ``inner``, ``final``, or empty where nothing was kept.
    losses, held, known
        As :class:`calibration.affect.early.Trained` has them, where something was kept.
    """

    def __init__(self, path: Path | None, choices: dict[str, Any], moments: Moments) -> None:
        self.phase = ""
        self.losses: list[float] = []
        self.held: tuple[NDArray[Any], ...] = ()
        self.known: list[Array] = []
        self._path, self._step = path, 0
        self._trainers: dict[str, NDArray[Any]] = {}
        self._of = "" if path is None else fingerprint(choices, [each.cpu().numpy() for each in moments])
        if path is not None and path.is_file():
            self._read(path)

    def restore(self, phase: str, trainers: Sequence[Trainer]) -> bool:
        """Let ``trainers`` go on from where they were in ``phase``; return whether there was anything."""
        if phase != self.phase:
            return False
        for number, trainer in enumerate(trainers):
            start = f"{number}."
            trainer.restore(
                {n.removeprefix(start): v for n, v in self._trainers.items() if n.startswith(start)}, self._step
            )
        return True

    def keep(
        self,
        phase: str,
        trainers: Sequence[Trainer],
        losses: Sequence[float],
        held: Sequence[NDArray[Any]] | None,
        known: Sequence[Array],
    ) -> None:
        """Write where training stands; raises OSError."""
        if self._path is None:
            return
        tensors = {f"trainer.{i}.{n}": v for i, trainer in enumerate(trainers) for n, v in trainer.state().items()}
        tensors |= {f"held.{i}": np.ascontiguousarray(part) for i, part in enumerate(held or ())}
        tensors |= {f"known.{i}": np.ascontiguousarray(part) for i, part in enumerate(known)}
        state = {"phase": phase, "step": trainers[0].step, "losses": list(losses)}
        header = {"format": FORMAT, "of": self._of, "state": json.dumps(state)}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self._path, save(tensors, metadata=header))

    def _read(self, path: Path) -> None:
        try:
            with safe_open(path, framework="np") as file:
                header = file.metadata() or {}
                if (header.get("format"), header.get("of")) != (FORMAT, self._of):
                    return
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
                state = json.loads(header["state"])
        except (OSError, SafetensorError, KeyError, ValueError):
            return
        self.phase, self._step, self.losses = state["phase"], state["step"], state["losses"]
        self.held = tuple(_numbered(tensors, "held."))
        self.known = _numbered(tensors, "known.")
        self._trainers = {n.removeprefix("trainer."): v for n, v in tensors.items() if n.startswith("trainer.")}


def _numbered(tensors: dict[str, NDArray[Any]], start: str) -> list[NDArray[Any]]:
    count = sum(name.startswith(start) for name in tensors)
    return [tensors[f"{start}{number}"] for number in range(count)]


def fingerprint(choices: dict[str, Any], arrays: Sequence[NDArray[Any]]) -> str:
    """Return a hash of choices and of the values, shapes and types of arrays."""
    digest = hashlib.sha256(json.dumps(choices, sort_keys=True, default=str).encode())
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
