"""Damages files: one bit at a time, at many places; and changes bundles whose hash then fits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np


def flipped(path: Path, count: int = 40, seed: int = 0) -> Iterator[tuple[int, int]]:
    """Flip a bit of the file at ``path`` at each of ``count`` places in turn, its first and last byte among them.

    Yield the place and the bit while it is flipped; afterwards the file is as it was.
    """
    data = path.read_bytes()
    rng = np.random.default_rng(seed)
    places = {0, len(data) - 1, *rng.integers(0, len(data), count).tolist()}
    for place in sorted(places):
        bit = int(rng.integers(0, 8))
        changed = bytearray(data)
        changed[place] ^= 1 << bit
        path.write_bytes(bytes(changed))
        yield place, bit
    path.write_bytes(data)


def reseal(path: Path, content: dict) -> None:
    """Write a bundle.json with a hash that fits, so that only the change itself can be noticed."""
    content["manifest_sha256"] = "0" * 64
    found = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    path.write_text(json.dumps(content | {"manifest_sha256": found}), encoding="utf-8")
