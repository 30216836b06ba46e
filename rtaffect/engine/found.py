"""What a step finds on its way to a Feedback."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

from rtaffect.affect.values import AffectValues
from rtaffect.engine.trust import Trust
from rtaffect.measures.measure import MeasureValues
from rtaffect.observed.synchrony import Observation
from rtaffect.predicted.prediction import Prediction
from rtaffect.stream.status import SourceStatus
from rtaffect.timelock.alignment import Alignment

Against = Literal["reference", "group", "nothing"]


class Compared(NamedTuple):
    """An observation, what the people were compared with, and why there is no value."""

    observation: Observation
    against: Against
    reason: str = ""


class Found(NamedTuple):
    """All that a step found."""

    prediction: Prediction
    compared: Compared
    alignment: Alignment | None
    trust: Trust
    status: tuple[SourceStatus, ...]
    measures: tuple[MeasureValues, ...]
    affect: tuple[AffectValues, ...]
    spent: dict[str, float]


@contextmanager
def timed(spent: dict[str, float], stage: str) -> Iterator[None]:
    """Note in ``spent`` how long a ``stage`` takes, s."""
    start = time.perf_counter()
    yield
    spent[stage] = time.perf_counter() - start
