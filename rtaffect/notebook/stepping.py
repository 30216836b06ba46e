"""The steps of a session that is ready to run, one after the other; without a folder, window or terminal."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack

from rtaffect.common.errors import RecordingError
from rtaffect.engine.feedback import Feedback
from rtaffect.notebook.wording import in_python
from rtaffect.run.recipe import ALL_ROWS
from rtaffect.run.running import RunningSession
from rtaffect.run.session_record import SessionRecord
from rtaffect.run.session_sources import Run


def steps_of(run: Run, cleanup: ExitStack, parameters: Iterable[str]) -> Iterator[Feedback]:
    """Yield the steps of ``run``; ``cleanup`` is closed after the last, or when they are let go.

    Errors name settings by the ``parameters`` of what was called.

    Raises
    ------
    RecordingError
        If there is none.
    """
    running, number = RunningSession(run, SessionRecord(run, None), threading.Event(), cleanup), 0

    def steps() -> Iterator[Feedback]:
        nonlocal number
        with in_python(*parameters), cleanup:
            running.stage.begin()
            for feedback in running.session():
                number += 1
                yield feedback
        if said := run.sources.ended(number):
            raise RecordingError(said)

    return steps()


def warn(notes: list[str], level: int) -> None:
    """Make each note a Python warning of the caller who is so many calls up; that nothing is missing is none."""
    for text in notes:
        if not text.startswith(ALL_ROWS):
            warnings.warn(text, stacklevel=level + 1)
