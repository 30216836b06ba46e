"""A file that is put together of stretches of another and of other bytes, without a copy of it."""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

#: Other bytes, or where a stretch of the file begins and ends.
Stretch = bytes | tuple[int, int]


class SplicedFile(io.RawIOBase):
    """What ``stretches`` of the file at ``path`` are one after another, to be read as a file."""

    def __init__(self, path: Path, stretches: Sequence[Stretch]) -> None:
        self._file = path.open("rb")
        self._stretches = [each for each in stretches if _length(each)]
        self._begins = [0, *accumulate(_length(each) for each in self._stretches)]
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at}.get(whence, self._begins[-1]))
        return self._at

    def tell(self) -> int:
        """Return the place."""
        return self._at

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill ``buffer`` as far as there is content, and return how much of it."""
        view, filled = memoryview(buffer).cast("B"), 0
        while filled < len(view) and self._at < self._begins[-1]:
            number = bisect_right(self._begins, self._at) - 1
            stretch, inside = self._stretches[number], self._at - self._begins[number]
            count = min(len(view) - filled, self._begins[number + 1] - self._at)
            if isinstance(stretch, bytes):
                view[filled : filled + count] = stretch[inside : inside + count]
            else:
                self._file.seek(stretch[0] + inside)
                count = self._file.readinto(view[filled : filled + count])
                if not count:
                    break
            filled, self._at = filled + count, self._at + count
        return filled

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def _length(stretch: Stretch) -> int:
    return len(stretch) if isinstance(stretch, bytes) else stretch[1] - stretch[0]


def patched(size: int, changes: dict[int, bytes]) -> list[Stretch]:
    """Return the stretches of a file of ``size`` bytes with other bytes at some places."""
    stretches, at = list[Stretch](), 0
    for place, content in sorted(changes.items()):
        stretches += [(at, place), content]
        at = place + len(content)
    return [*stretches, (at, size)]
