"""The second embedded model is fetched where its package is not installed; without internet its tests are skipped."""

from __future__ import annotations

import functools

import pytest

from models.wakehubert import verified_source
from rtaffect.common.errors import ArtifactError


@functools.cache
def why_missing() -> str:
    """Return why the model cannot be built; '' if it can."""
    try:
        verified_source(lambda _: None)
    except ArtifactError as error:
        return str(error)
    return ""


#: Asked for when such a test runs, not when tests are collected (``tests/conftest.py``).
needs_it = pytest.mark.usefixtures("second_model")
