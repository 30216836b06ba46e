"""A figure in a notebook that goes on while a session runs."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterable
from typing import Any

from rtaffect.common.errors import RtaffectError, SettingsError
from rtaffect.engine.feedback import Feedback
from rtaffect.notebook.plot import plot_feedback


def plot_live(
    session: Iterable[Feedback], row: str | None = None, *, every_s: float = 1.0, last_s: float = 300.0
) -> list[Feedback]:
    """Run a session in a notebook, and draw it as it goes: :func:`plot_feedback`, again and again, in one place.

    Parameters
    ----------
    session
        A :class:`Session`, or what :func:`replay` returns: it is run to its end. Interrupting the cell ends the drawing
        and gives what there was until then.
    row
        A row to be drawn below the mean over rows; None: the mean alone.
    every_s
        The figure is drawn no more often than this, s.
    last_s
        How much is drawn, s of the session.

    Returns
    -------
    list of Feedback
        All steps.

    Raises
    ------
    RtaffectError
        If IPython or matplotlib is not installed, there is no step, or the row does not exist.
    """
    if not (every_s >= 0 and last_s > 0):
        raise SettingsError(f"every_s is {every_s} and last_s is {last_s}", "seconds")
    try:
        display: Any = importlib.import_module("IPython.display").display
    except ModuleNotFoundError:
        raise RtaffectError("a live plot needs IPython, as Jupyter has it, which is not installed here") from None
    steps: list[Feedback] = []
    place, drawn = None, -every_s
    try:
        for feedback in session:
            steps.append(feedback)
            if time.monotonic() - drawn >= every_s or place is None:
                place, drawn = _draw(display, place, steps, row, last_s), time.monotonic()
    except KeyboardInterrupt:
        # The notebook's way to end it.
        if not steps:
            raise
    _draw(display, place, steps, row, last_s)
    return steps


def _draw(display: Any, place: Any, steps: list[Feedback], row: str | None, last_s: float) -> Any:
    """Draw the newest steps, in place of what was drawn before; return where that is."""
    since = steps[-1].time - last_s if steps else 0.0
    # From the newest back: a long session is not read through for each figure.
    first = next((i for i in range(len(steps) - 1, -1, -1) if steps[i].time <= since), -1) + 1
    figure = plot_feedback(steps[first:], row)
    if place is None:
        return display(figure, display_id=True)
    place.update(figure)
    return place
