"""Bounded history of the session between the engine's thread and the display. No Qt."""

from __future__ import annotations

import threading

import numpy as np

from rtaffect.feedback import Feedback, FloatArray
from rtaffect.view.sections import list_lines
from rtaffect.view.state import QUANTITIES, ViewState, resolve_course


class Presenter:
    """Takes one Feedback a step from the engine's thread; gives the display one frozen state.

    ``add`` copies into arrays allocated at the first step, under a lock that is never held for longer than a copy,
    so that a slow or hidden display cannot hold the engine up.

    Parameters
    ----------
    history_s : float
        Shown time, s; older steps are overwritten.
    step_s : float
        Distance of steps, s.
    smooth_steps : int
        Steps over which the thick observed line is a running mean.
    """

    def __init__(self, *, history_s: float = 300.0, step_s: float = 1.0, smooth_steps: int = 5) -> None:
        if history_s < step_s or step_s <= 0 or smooth_steps < 1:
            raise ValueError(
                f"history_s={history_s}, step_s={step_s}, smooth_steps={smooth_steps}: expected "
                "history_s >= step_s > 0 and smooth_steps >= 1"
            )
        self.history_s, self.step_s, self.smooth_steps = history_s, step_s, smooth_steps
        self._capacity = int(np.ceil(history_s / step_s))
        self._lock = threading.Lock()
        self._revision = 0
        self._selected = 0
        self._fault: str | None = None
        self._ended: str | None = None
        self._latest: Feedback | None = None
        self._written = 0
        self._time: FloatArray = np.empty(self._capacity)
        self._values: FloatArray = np.empty((0, len(QUANTITIES), 1))

    @property
    def revision(self) -> int:
        """Grows with every change of what :meth:`state` returns."""
        return self._revision

    def add(self, feedback: Feedback) -> None:
        """Keep one step; called from the engine's thread. A step number that does not grow begins a new history."""
        with self._lock:
            if self._latest is None or _identity(feedback) != _identity(self._latest):
                self._begin(feedback)
            elif feedback.step <= self._latest.step:
                self._written = 0
            self._write(feedback)
            self._latest = feedback
            self._revision += 1

    def select(self, row: int) -> None:
        """Choose the row whose course is shown.

        Raises
        ------
        ValueError
            If there is no such row in the newest step.
        """
        with self._lock:
            rows = self._latest.rows if self._latest is not None else ()
            if not 0 <= row < len(rows):
                raise ValueError(f"row {row} does not exist; expected 0 to {len(rows) - 1}")
            if row != self._selected:
                self._selected = row
                self._revision += 1

    def end(self, text: str) -> None:
        """Say that the session has ended, and why; the first text stays."""
        with self._lock:
            if self._ended is None:
                self._ended = text
                self._revision += 1

    def fail(self, text: str) -> None:
        """Say that the session has failed, and of what; the first text stays."""
        with self._lock:
            if self._fault is None:
                self._fault = text
                self._revision += 1

    def state(self) -> ViewState:
        """Return all that the display shows now. The lock is held while two columns are copied, no longer."""
        with self._lock:
            revision, latest, selected = self._revision, self._latest, self._selected
            fault, ended = self._fault, self._ended
            time, values = self._columns(selected)
        if time.size:
            kept = time > time[-1] - self.history_s
            time, values = time[kept], values[kept]
        names = (latest.rows[selected], f"mean over {latest.mean_of}") if latest else ("", "mean over rows")
        row, mean = (
            resolve_course(name, time, values[:, :, i], step_s=self.step_s, smooth_steps=self.smooth_steps)
            for i, name in enumerate(names)
        )
        return ViewState(
            revision=revision,
            latest=latest,
            selected=selected,
            row=row,
            mean=mean,
            fault=fault,
            ended=ended,
            smooth_steps=self.smooth_steps,
            history_s=self.history_s,
        )

    def _begin(self, feedback: Feedback) -> None:
        """Allocate for the rows of ``feedback`` and keep the chosen one by its kind and name, else take the first."""
        rows = _identity(feedback)
        chosen = _identity(self._latest)[self._selected] if self._latest is not None else None
        first = next((line for line in list_lines(feedback.row_kinds) if isinstance(line, int)), 0)
        self._selected = rows.index(chosen) if chosen in rows else first
        # The last column is the mean over rows.
        self._values = np.empty((self._capacity, len(QUANTITIES), len(rows) + 1))
        self._written = 0

    def _write(self, feedback: Feedback) -> None:
        slot = self._written % self._capacity
        self._time[slot] = feedback.time
        for values, quantity in zip(self._values[slot], QUANTITIES, strict=True):
            values[:-1] = getattr(feedback, quantity)
        self._values[slot, :, -1] = (
            feedback.predicted_mean,
            feedback.predicted_mean_low,
            feedback.predicted_mean_high,
            feedback.observed_mean,
            feedback.null_mean_low,
            feedback.null_mean_high,
        )
        self._written += 1

    def _columns(self, selected: int) -> tuple[FloatArray, FloatArray]:
        """Return copies, oldest first: times (T,) and the values (T, 6, 2) of the chosen row and of the mean."""
        held = min(self._written, self._capacity)
        order = np.arange(self._written - held, self._written) % self._capacity
        return self._time[order], self._values[:, :, [selected, -1]][order]


def _identity(feedback: Feedback) -> tuple[tuple[str, str], ...]:
    """Return what tells the rows apart: a zone and a group may have the same name."""
    return tuple(zip(feedback.row_kinds, feedback.rows, strict=True))
