"""Bounded history of the session between the engine's thread and the display. No Qt."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from rtaffect.common.arrays import FloatArray
from rtaffect.common.chance import USUAL
from rtaffect.common.rating_scale import RatingScale
from rtaffect.common.settings import DriftSettings, SynchronySettings
from rtaffect.engine.feedback import Feedback
from rtaffect.present.affect_state import AffectHistory, affect_plane, joined_planes
from rtaffect.present.element_state import ElementHistory, resolve_elements
from rtaffect.present.measure_state import MeasureHistory, resolve_measures
from rtaffect.present.plane_state import PATH_S, PlaneState, rated_plane
from rtaffect.present.protocol_state import PlannedBlock, ProtocolState, for_operator, planned_blocks
from rtaffect.present.sections import list_lines
from rtaffect.present.session_state import Mark, ViewState
from rtaffect.present.so_far_state import SoFarHistory
from rtaffect.present.time_courses import QUANTITIES, TimeCourse, resolve_time_course
from rtaffect.protocol.protocol_step import ProtocolStep

#: Events that are kept to be shown.
KEPT_MARKS = 64


class Presenter:
    """Takes a Feedback a step from the engine's thread, and the protocol's step if there is one; gives frozen states.

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
    window_s : float
        Length of the window that an observed value is of, s (``SynchronySettings.window_s``).
    drift
        What is taken out of predicted and observed before they are held against each other.
    synchrony
        How windows and null bands were made; by default as usual.
    on_painted
        Gets the number of each step that is on the screen, on the display's thread.
    """

    def __init__(
        self,
        *,
        history_s: float = 300.0,
        step_s: float = 1.0,
        smooth_steps: int = 5,
        window_s: float = 10.0,
        drift: DriftSettings = USUAL,
        synchrony: SynchronySettings | None = None,
        on_painted: Callable[[int], None] | None = None,
    ) -> None:
        if history_s < step_s or step_s <= 0 or smooth_steps < 1 or window_s < step_s:
            raise ValueError(
                f"history_s={history_s}, step_s={step_s}, smooth_steps={smooth_steps}, window_s={window_s}: expected "
                "history_s >= step_s > 0, smooth_steps >= 1 and window_s >= step_s"
            )
        self.history_s, self.step_s, self.smooth_steps, self.window_s = history_s, step_s, smooth_steps, window_s
        self._drift, self._on_painted, self._painted = drift, on_painted, 0
        self._capacity = int(np.ceil(history_s / step_s))
        self._lock = threading.Lock()
        self._revision = 0
        self._selected = 0
        self._fault: str | None = None
        self._ended: str | None = None
        self._latest: Feedback | None = None
        self._longest_step_s = 0.0
        self._protocol: ProtocolState | None = None
        self._planned: tuple[PlannedBlock, ...] = ()
        self._seen: dict[int, PlannedBlock] = {}
        self._marks: deque[Mark] = deque(maxlen=KEPT_MARKS)
        self._measures, self._affect = MeasureHistory(self._capacity), AffectHistory(self._capacity)
        self._elements = ElementHistory(self._capacity)
        self._so_far = SoFarHistory(synchrony or SynchronySettings())
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
                self._measures.clear()
                self._so_far.clear()
                self._elements.clear()
                self._affect.clear()
            self._write(feedback)
            block = self._protocol
            practice = block is not None and block.phase == "running" and block.practice
            self._so_far.add(feedback, practice=practice)
            self._measures.add(feedback)
            self._elements.add(feedback)
            self._affect.add(feedback)
            self._latest = feedback
            self._longest_step_s = max(self._longest_step_s, sum(feedback.stage_s.values()))
            self._revision += 1

    def painted(self, step: int) -> None:
        """Note that the values of ``step`` are on the screen; again does nothing."""
        if step != self._painted:
            self._painted = step
            if self._on_painted is not None:
                self._on_painted(step)

    def add_protocol_step(self, protocol_step: ProtocolStep) -> None:
        """Keep where the protocol is; called from the engine's thread. What the participant is shown is not kept."""
        state = for_operator(protocol_step)
        with self._lock:
            before, self._protocol = self._protocol, state
            self._seen[state.block] = PlannedBlock(state.name, state.kind)
            begun = state.phase == "running" and (
                before is None or (before.block, before.phase) != (state.block, "running")
            )
            if begun and np.isfinite(state.started):
                self._marks.append(Mark(state.started, state.name, "block"))
            self._revision += 1

    def plan(self, blocks: Sequence[PlannedBlock]) -> None:
        """Take the blocks that are to come, so that all of them can be named."""
        with self._lock:
            self._planned = tuple(blocks)
            self._revision += 1

    def mark(self, time: float, text: str) -> None:
        """Keep a marker of the operator at session time ``time``, s."""
        with self._lock:
            self._marks.append(Mark(time, text, "marker"))
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

    def select_measure(self, row: int) -> None:
        """Choose the row of own measures whose course is shown, counted over all of them; ValueError for none."""
        with self._lock:
            if not 0 <= row < self._measures.rows:
                raise ValueError(f"row {row} of own measures does not exist; there are {self._measures.rows}")
            self._measures.selected = row
            self._revision += 1

    def select_affect(self, person: int) -> None:
        """Choose whose valence and arousal are shown, by number; ValueError for nobody's."""
        with self._lock:
            if not 0 <= person < self._affect.people:
                raise ValueError(f"person {person} has no affect; there are {self._affect.people}")
            self._affect.selected = person
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
            fault, ended, longest = self._fault, self._ended, self._longest_step_s
            protocol, marks = self._protocol, tuple(self._marks)
            blocks = planned_blocks(protocol, self._planned, dict(self._seen)) if protocol is not None else ()
            other = _other_row(latest, selected)
            time, values = self._columns(selected, other)
            plane, so_far = self._plane(latest), self._so_far.resolve()
            measured, elements, affect = self._measures.copy(), self._elements.copy(), self._affect.copy()
        if time.size:
            kept = time > time[-1] - self.history_s
            time, values = time[kept], values[kept]
        names = ("", "mean over rows")
        if latest is not None:
            names = (latest.rows[selected], f"mean over {latest.mean_of}" if other == -1 else latest.rows[other])
        rating = latest.rating if latest is not None else None
        row, mean = (
            self._course(name, time, values[:, :, i], rating.of(name) if rating is not None else None)
            for i, name in enumerate(names)
        )
        oldest = time[-1] - self.history_s if time.size else -np.inf
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
            step_s=self.step_s,
            window_s=self.window_s,
            longest_step_s=longest,
            protocol=protocol,
            blocks=blocks,
            marks=tuple(mark for mark in marks if mark.time >= oldest),
            measures=resolve_measures(*measured, self.history_s),
            elements=resolve_elements(elements, selected, self.history_s, self.step_s),
            drift=self._drift,
            so_far=so_far,
            plane=joined_planes(plane, affect_plane(*affect, self.history_s)),
        )

    def _course(self, name: str, time: FloatArray, values: FloatArray, rating: RatingScale | None) -> TimeCourse:
        return resolve_time_course(
            name, time, values, step_s=self.step_s, smooth_steps=self.smooth_steps, window_s=self.window_s,
            drift=self._drift, rating=rating,
        )  # fmt: skip

    def _plane(self, latest: Feedback | None) -> PlaneState | None:
        """Return the plane of the newest step; None where there is none."""
        if latest is None or latest.rating is None:
            return None
        order = self._order()[-math.ceil(PATH_S / self.step_s) :]
        return rated_plane(latest, self._time[order], self._values[order, 0, :-1], self._values[order, 3, :-1])

    def _begin(self, feedback: Feedback) -> None:
        """Allocate for the rows of ``feedback`` and keep the chosen one by its kind and name, else take the first."""
        rows = _identity(feedback)
        chosen = _identity(self._latest)[self._selected] if self._latest is not None else None
        first = next((line for line in list_lines(feedback.row_kinds) if isinstance(line, int)), 0)
        self._selected = rows.index(chosen) if chosen in rows else first
        # The last column is the mean over rows.
        self._values = np.empty((self._capacity, len(QUANTITIES), len(rows) + 1))
        self._written = 0
        self._elements.clear()

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

    def _columns(self, selected: int, other: int) -> tuple[FloatArray, FloatArray]:
        """Return copies, oldest first: times (T,) and values (T, 6, 2) of the chosen row and of another, -1: mean."""
        order = self._order()
        return self._time[order], self._values[:, :, [selected, other]][order]

    def _order(self) -> NDArray[np.intp]:
        """Return where the kept steps are, oldest first."""
        held = min(self._written, self._capacity)
        return np.arange(self._written - held, self._written) % self._capacity


def _other_row(latest: Feedback | None, selected: int) -> int:
    """Return what is shown beside the chosen row: the mean over rows, -1, or the next one where there is none."""
    if latest is None or latest.rating is None:
        return -1
    return (selected + 1) % len(latest.rows)


def _identity(feedback: Feedback) -> tuple[tuple[str, str], ...]:
    """Return what tells the rows apart: a zone and a group may have the same name."""
    return tuple(zip(feedback.row_kinds, feedback.rows, strict=True))
