"""What is kept of a session's sound when it is removed, as a file in the session's folder, and back."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, Self

import numpy as np
from pydantic import Field, ValidationError

from rtaffect.common.errors import RecordingError
from rtaffect.common.mistakes import first_problem
from rtaffect.common.settings import Frozen
from rtaffect.plan.session_folder import RecordedSession
from rtaffect.predicted.element_input import ElementFeature
from rtaffect.predicted.feature_cache import Element
from rtaffect.predicted.featurizer import Featurizer
from rtaffect.predicted.kept_sound import KeptElements, KeptSound
from rtaffect.predicted.prediction import Weights, components_of
from rtaffect.predicted.sound_input import HeardSecond, SoundInput
from rtaffect.stream.doubt import Doubts
from rtaffect.stream.source import Source
from rtaffect.timelock.alignment import Alignment
from rtaffect.timelock.stimulus import TimeLock

KEPT_FILE: Final = "heard.json"


class _Place(Frozen):
    """Where the stimulus was at a step; absent numbers are None."""

    state: str
    offset_s: float | None
    confidence: float | None
    drift_ppm: float | None
    reason: str
    since: float | None


class _Element(Frozen):
    """What was found of one element at a step: its components, level and reason."""

    components: tuple[float, ...] | None
    level_db: float | None
    reason: str

    @classmethod
    def of(cls, found: ElementFeature, weights: Weights) -> Self:
        """Return what is kept of an element's features."""
        components = components_of(found.feature, weights)
        there = tuple(components.tolist()) if np.isfinite(components).all() else None
        return cls(components=there, level_db=_number(found.level_db), reason=found.reason)

    def feature(self, size: int) -> ElementFeature:
        """Return it as a step takes it; ``size`` components."""
        components = self.components or (math.nan,) * size
        return ElementFeature(np.array(components, np.float64), _float(self.level_db), self.reason)


class _Kept(Frozen):
    """What ``heard.json`` holds: for each step the components, whether they were doubtful, and the place.

    Format 2 also has what was found of voice and background.
    """

    format: int = Field(2, ge=1, le=2)
    bundle_sha256: str
    featurizer_sha256: str
    lookahead_s: float
    components: tuple[tuple[float, ...] | None, ...]
    warming: tuple[bool, ...]
    places: tuple[_Place | None, ...]
    elements: dict[Literal["voice", "background"], tuple[_Element, ...]] = Field(default_factory=dict)


@dataclass(slots=True)
class Keeper:
    """Takes what is to be kept, step by step, while a session is replayed with its sound."""

    source: Source
    featurizer: Featurizer
    weights: Weights
    origin: float
    lock: TimeLock | None
    elements: Mapping[Element, Weights] = field(default_factory=dict)
    ahead: int = 0
    _input: SoundInput = field(init=False)
    _components: list[tuple[float, ...] | None] = field(default_factory=list)
    _warming: list[bool] = field(default_factory=list)
    _places: list[_Place | None] = field(default_factory=list)
    _elements: dict[Element, list[_Element]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin to listen, beside the engine."""
        self._input = SoundInput(self.source, self.featurizer, self.origin, self.ahead)

    def add(
        self,
        step: int,
        alignment: Alignment | None,
        elements: Mapping[Element, ElementFeature] = MappingProxyType({}),
    ) -> None:
        """Take what step ``step`` heard, where it was in the stimulus, and what was found of its elements."""
        for name, found in elements.items():
            self._elements.setdefault(name, []).append(_Element.of(found, self.elements[name]))
        self._input.advance(step)
        components = components_of(self._input.feature(step), self.weights)
        self._components.append(tuple(components.tolist()) if np.isfinite(components).all() else None)
        self._warming.append(self._input.warming_up)
        place = None
        if alignment is not None and self.lock is not None:
            said = {name: _number(value) for name, value in asdict(alignment).items()}
            place = _Place(**said, since=_number(self.lock.since))
        self._places.append(place)

    def content(self, bundle_sha256: str) -> str:
        """Return the file's text."""
        kept = _Kept(
            bundle_sha256=bundle_sha256,
            featurizer_sha256=self.featurizer.sha256,
            lookahead_s=self._input.lookahead_s,
            components=tuple(self._components),
            warming=tuple(self._warming),
            places=tuple(self._places),
            elements={name: tuple(steps) for name, steps in self._elements.items()},
        )
        return json.dumps(kept.model_dump(), separators=(",", ":")) + "\n"


def _number(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True, slots=True)
class Heard:
    """What a session that was scrubbed still knows of its sound: ``bundle_sha256`` is what it belongs to."""

    sound: KeptSound
    bundle_sha256: str
    places: tuple[Alignment, ...]
    since: tuple[float, ...]

    def lock(self) -> TimeLock | None:
        """Return what tells where in the stimulus the session was; None where nothing did."""
        return _KeptLock(self.places, self.since) if self.places else None


class _KeptLock:
    """Where the stimulus was, step by step, as it was found in the sound."""

    stimulus = ""

    def __init__(self, places: Sequence[Alignment], since: Sequence[float]) -> None:
        self._steps: Iterator[tuple[Alignment, float]] = iter(zip(places, since, strict=True))
        self.since, self.doubts = math.inf, Doubts()

    def step(self, heard: Sequence[HeardSecond]) -> Alignment:
        """Return where it was at the next step."""
        found, self.since = next(
            self._steps, (Alignment("lost", math.nan, 0.0, math.nan, "the sound is removed"), math.inf)
        )
        return found


def read_heard(session: RecordedSession) -> Heard | None:
    """Return what is kept of a session's sound; None where nothing is.

    Raises
    ------
    RecordingError
        If it is damaged, or not as it was kept.
    """
    if not (session.path / KEPT_FILE).exists():
        return None
    path = session.checked(KEPT_FILE)
    try:
        kept = _Kept.model_validate_json(path.read_bytes())
        size = next((len(each) for each in kept.components if each is not None), 1)
        components = np.array([each or (math.nan,) * size for each in kept.components], np.float64)
        places = [
            Alignment(p.state, _float(p.offset_s), _float(p.confidence), _float(p.drift_ppm), p.reason)  # type: ignore[arg-type]
            for p in kept.places
            if p is not None
        ]
    except (OSError, ValueError) as error:
        why = first_problem(error, _Kept) if isinstance(error, ValidationError) else str(error).splitlines()[0]
        raise RecordingError(
            f"session {session.path}: {KEPT_FILE} is damaged ({why}); copy the whole folder again"
        ) from None
    since = tuple(_since(p.since, p.state) for p in kept.places if p is not None)
    elements: dict[Element, list[ElementFeature]] = {}
    elements |= {name: [each.feature(size) for each in steps] for name, steps in kept.elements.items()}
    sound = KeptSound(components, kept.warming, kept.lookahead_s, KeptElements(elements) if elements else None)
    return Heard(sound, kept.bundle_sha256, tuple(places), since)


def _float(value: float | None) -> float:
    return math.nan if value is None else value


def _since(value: float | None, state: str) -> float:
    """Return the time from which a place has held, which is without end before any, s."""
    return (math.inf if state != "locked" else -math.inf) if value is None else value
