"""Time courses of correlations that are as slow as overlapping windows make them."""

from __future__ import annotations

import numpy as np

WINDOW = 10


def slow_course(steps: int, rng: np.random.Generator, slow: float = 0.0) -> np.ndarray:
    """Return correlations (steps,): noise in overlapping windows of ten steps, and slower noise with it."""
    fast = np.convolve(rng.normal(size=steps + WINDOW - 1), np.ones(WINDOW) / WINDOW, "valid")
    return np.tanh(fast + slow * np.convolve(rng.normal(size=steps + 59), np.ones(60) / 60, "valid"))


def holes(values: np.ndarray, rng: np.random.Generator, share: float = 0.1) -> np.ndarray:
    """Return ``values`` with a share of them missing."""
    return np.where(rng.random(values.shape) < share, np.nan, values)
