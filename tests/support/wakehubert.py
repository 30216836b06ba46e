"""Where the package with the second embedded model is missing, what needs it is skipped with the reason."""

from __future__ import annotations

import pytest

from rtaffect.common.errors import ArtifactError
from rtaffect.predicted.embedded import WAKEHUBERT


def has_it() -> str:
    """Return why the model cannot be built; '' if it can."""
    try:
        WAKEHUBERT.asset("wakehubert.onnx")
    except ArtifactError as error:
        return str(error)
    return ""


needs_it = pytest.mark.skipif(bool(has_it()), reason=has_it())
