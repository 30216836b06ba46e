"""How many threads products and decompositions of matrices take: one where they are small, all where they are large.

numpy and scipy hand them to OpenBLAS (or MKL, or BLIS), which cuts each into parts for as many threads as the computer
has cores. Its threads wait for each other after every part: where parts are small, a thread that another program keeps
from its core lets all others wait, some milliseconds for some microseconds of work. One thread waits for nobody.

Their number is one for the whole process and all of its threads: so it is kept here, and nowhere else.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import scipy.linalg  # noqa: F401 - brings scipy's own BLAS beside numpy's, which are then found together
from threadpoolctl import ThreadpoolController

#: From so many multiplications on (two 512 x 512 matrices) work is large: all threads gain more than they can lose.
LARGE: Final = 512**3
#: So long may a thread of Python keep its turn while another one waits, s, where at most so many want one.
TURN_S: Final = 0.0005
FEW: Final = 8


class BlasThreads:
    """The number of BLAS threads of this process: one while any thread of the process is at small work.

    Attributes
    ----------
    small : int
        Threads for small work; only benchmarks set another number, to show what one is good for.
    """

    def __init__(self) -> None:
        self.small = 1
        self._lock = threading.Lock()
        self._mine = threading.local()
        # How many threads are at small work, and the numbers to give back to libraries that have one for all threads.
        self._busy = 0
        self._before: list[int] | None = None
        self._found: tuple[list[Any], list[Any]] | None = None

    @contextmanager
    def at_small_work(self) -> Iterator[None]:
        """Hold the number at one; may be nested, and held by several threads."""
        if getattr(self._mine, "inside", False):
            yield
            return
        with self._lock:
            shared, own = self._libraries()
            self._busy += 1
            if self._before is None:
                self._before = _set(shared, [self.small] * len(shared))
            self._mine.before = _set(own, [self.small] * len(own))
        self._mine.inside = True
        try:
            yield
        finally:
            self._mine.inside = False
            with self._lock:
                self._busy -= 1
                if not self._busy:
                    self._give_back()
                _set(own, self._mine.before)

    @contextmanager
    def at_work_of(self, multiplications: float) -> Iterator[None]:
        """Let work of so many multiplications have all threads if it is large, also inside of small work.

        Not while another thread is at small work.
        """
        if multiplications < LARGE:
            with self.at_small_work():
                yield
            return
        inside = getattr(self._mine, "inside", False)
        with self._lock:
            shared, own = self._libraries()
            raised = inside and self._busy == 1
            if raised:
                self._give_back()
            if inside:
                _set(own, self._mine.before)
        try:
            yield
        finally:
            with self._lock:
                if raised and self._before is None:
                    self._before = _set(shared, [self.small] * len(shared))
                if inside:
                    _set(own, [self.small] * len(own))

    def _give_back(self) -> None:
        if self._before is not None:
            _set(self._libraries()[0], self._before)
            self._before = None

    def _libraries(self) -> tuple[list[Any], list[Any]]:
        """Return the libraries that have one number for all threads, and those that have one for each (OpenMP)."""
        if self._found is None:
            found = ThreadpoolController().select(user_api="blas").lib_controllers
            openmp = [getattr(library, "threading_layer", "") == "openmp" for library in found]
            self._found = (
                [library for library, each in zip(found, openmp, strict=True) if not each],
                [library for library, each in zip(found, openmp, strict=True) if each],
            )
        return self._found


def _set(libraries: Sequence[Any], threads: Sequence[int]) -> list[int]:
    """Set the number of threads of each library, and return what it was."""
    before = [library.get_num_threads() for library in libraries]
    for library, number in zip(libraries, threads, strict=True):
        # Since 3.7 threadpoolctl lets one thread alone set the number, for want of a lock; here there is one.
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)
        library.set_num_threads(number)
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)
    return before


BLAS: Final = BlasThreads()


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold products and decompositions of this process at one thread: a context, or a decorator of a function.

    For all that multiplies matrices of less than some hundred rows and columns, as filters, people, folds and draws
    make. What is larger says so inside of it by :func:`threads_for`.
    """
    with BLAS.at_small_work():
        yield


@contextmanager
def threads_for(multiplications: float) -> Iterator[None]:
    """Hold the product or decomposition inside at one thread if it is small, and give it all if it is large.

    Parameters
    ----------
    multiplications
        About how many it needs: rows x inner x columns of a product, the cube of the size for a decomposition.
        ``LARGE`` or more are many.
    """
    with BLAS.at_work_of(multiplications):
        yield


@contextmanager
def quick_turns(threads: int = 1) -> Iterator[None]:
    """Let threads of Python take turns every half a millisecond: a context for work that must not wait for others'.

    A thread that comes back from a product or a filter waits for its turn as long as another one, such as a window that
    is painted, holds it: by default 5 ms, each time. Each thread that waits looks as often whether it is its turn:
    where many ``threads`` do, turns are longer, up to the usual ones, or looking takes all of the processor.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, TURN_S * max(1.0, threads / FEW)))
    try:
        yield
    finally:
        sys.setswitchinterval(before)
