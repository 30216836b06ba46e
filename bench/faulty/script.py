"""Scripts of what headsets send: clean ones, and what makes of them each fault that a lab meets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline
from scipy.signal import butter, sosfilt

from bench.faulty.sender import CHUNK_S

FloatArray = NDArray[np.float64]
RATE = 250.0
LABELS = ("Fz", "Cz", "Pz", "Oz")
#: The two people share this much of their power: right values lie near .95, foreign or displaced ones far below.
SHARED = 0.95


@dataclass(frozen=True)
class Sent:
    """Samples in the order in which they are sent: ``values`` (n, channels), microvolts, ``stamps`` and ``when`` (n,).

    Times are s after the script's zero: as stamped, and as sent. ``true`` is when they were really taken.
    """

    values: FloatArray
    stamps: FloatArray
    when: FloatArray
    true: FloatArray

    def where(self, keep: NDArray[np.bool_]) -> Sent:
        """Return those that are kept."""
        return Sent(self.values[keep], self.stamps[keep], self.when[keep], self.true[keep])


@dataclass(frozen=True)
class Life:
    """An outlet while it is open: from ``begin`` to ``end`` (s), with what it declares and sends."""

    key: str
    about: dict[str, Any]
    begin: float
    end: float
    sent: Sent


@dataclass(frozen=True)
class Script:
    """All outlets of a case."""

    lives: tuple[Life, ...] = ()
    texts: tuple[tuple[float, str, list[tuple[str, float]]], ...] = ()

    def with_life(self, *lives: Life) -> Self:
        """Return it with more outlets."""
        return replace(self, lives=self.lives + lives)

    def write(self, folder: Path, zero: float) -> tuple[Path, Path]:
        """Write it for the sender, with ``zero`` on the LSL clock; return both files."""
        actions: list[dict[str, Any]] = []
        arrays: dict[str, np.ndarray] = {}
        for number, life in enumerate(self.lives):
            actions.append({"at": life.begin, "do": "open", "outlet": life.key, "about": life.about})
            actions.append({"at": life.end, "do": "close", "outlet": life.key})
            inside = (life.sent.when >= life.begin) & (life.sent.when < life.end)
            sent = life.sent.where(inside)
            arrays[f"{number}.values"], arrays[f"{number}.stamps"] = sent.values, sent.stamps
            turn = np.floor(sent.when / CHUNK_S).astype(np.int64)
            edges = [0, *(np.flatnonzero(np.diff(turn)) + 1).tolist(), len(turn)]
            actions += [
                {"at": float(sent.when[stop - 1]), "do": "send", "outlet": life.key, "array": str(number),
                 "first": first, "stop": stop}
                for first, stop in pairwise(edges) if stop > first
            ]  # fmt: skip
        for at, key, texts in self.texts:
            actions.append({"at": at, "do": "texts", "outlet": key, "texts": texts})
        order = {"close": 0, "open": 1, "send": 2, "texts": 3}
        actions.sort(key=lambda action: (action["at"], order[action["do"]]))
        script, data = folder / "script.json", folder / "arrays.npz"
        script.write_text(json.dumps({"zero": zero, "actions": actions}), encoding="utf-8")
        np.savez(data, **arrays)
        return script, data


def brains(seconds: float, rate: float = RATE, seed: int = 0, people: int = 2) -> list[FloatArray]:
    """Return EEG (n, 4), microvolts, of people who share most of it: noise of 2 to 20 Hz on an electrode's offset."""
    rng, n = np.random.default_rng(seed), round(seconds * rate)
    sos = butter(2, (2.0, 20.0), "bandpass", fs=rate, output="sos")

    def noise() -> FloatArray:
        raw = sosfilt(sos, rng.standard_normal((n + 500, len(LABELS))), axis=0)[500:]
        return np.asarray(15.0 * raw / raw.std(axis=0))

    shared = noise()
    # The network is never without noise: a value never stands still.
    own = [np.sqrt(SHARED) * shared + np.sqrt(1 - SHARED) * noise() for _ in range(people)]
    return [x + 0.05 * rng.standard_normal(x.shape) + 800.0 for x in own]


def at_rate(values: FloatArray, rate: float) -> FloatArray:
    """Return what a device whose clock runs at ``rate`` takes of a signal at the usual rate."""
    true = np.arange(len(values)) / RATE
    taken = np.arange(0, true[-1], 1 / rate)
    return np.asarray(make_interp_spline(true, values, k=3)(taken))


def clean(values: FloatArray, rate: float = RATE) -> Sent:
    """Return them as a good headset sends them: stamped when taken, sent 10 ms later."""
    true = np.arange(len(values)) / rate
    return Sent(values, true.copy(), true + 0.01, true)


def about(
    name: str, source_id: str | None = None, rate: float = RATE, labels: Sequence[str] = LABELS
) -> dict[str, Any]:
    """Return what an outlet declares."""
    return {"name": name, "source_id": name if source_id is None else source_id, "rate": rate, "labels": list(labels)}
