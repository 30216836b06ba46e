"""Arrays in a cache: the ``.npy`` format followed by the SHA-256 of what stands before it, so that damage is noticed.

``numpy.load`` reads such a file as it is. It is written beside its place and moved there: what stands there is whole.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.files import sha256_of, write_whole

_DIGEST_BYTES = 32


def read_array(path: Path) -> NDArray[Any] | None:
    """Return the array that is kept at ``path``, or None where there is none or it is damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    body, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    if sha256_of(body) != digest.hex():
        return None
    try:
        return np.asarray(np.load(io.BytesIO(body), allow_pickle=False))
    # numpy evaluates the header as text of Python's, which may fail in any way.
    except Exception:
        return None


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Keep an array at ``path``; its folder is made if absent. Raises OSError."""
    body = io.BytesIO()
    np.save(body, np.ascontiguousarray(array), allow_pickle=False)
    content = body.getvalue()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content + bytes.fromhex(sha256_of(content)))
