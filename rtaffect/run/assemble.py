"""Puts an engine together from sources, a bundle and a featurizer, and refuses what does not fit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtaffect.affect.reader import AffectReader
from rtaffect.common.arrays import Float32Array, FloatArray
from rtaffect.common.contact_settings import ContactSettings
from rtaffect.common.errors import ArtifactError, SettingsError, setting, under
from rtaffect.common.montage import common_rows
from rtaffect.common.settings import Settings, read_settings
from rtaffect.engine.bundle import FEATURIZER_FILE, Bundle, bundle_sha256, load_bundle
from rtaffect.engine.element_stage import ElementStage
from rtaffect.engine.engine import LATE_S, Engine
from rtaffect.engine.measuring import Measuring
from rtaffect.engine.scale import fitted_people
from rtaffect.engine.taken import RecordedDoubts
from rtaffect.measures.choice import choose_measures
from rtaffect.measures.host import PATIENCE_S, WAIT_S, MeasureHost
from rtaffect.observed.operator import Operator
from rtaffect.observed.operator_file import load_operator
from rtaffect.observed.spaces import ChannelSpace, RegionSpace, Space
from rtaffect.plan.analysis_plan import AnalysisPlan
from rtaffect.predicted.element_input import ElementInput, KnownParts, PartsOf, StreamedParts
from rtaffect.predicted.element_levels import SILENT_DB
from rtaffect.predicted.embedded import embedded_of
from rtaffect.predicted.featurizer import (
    Featurizer,
    Progress,
    embedded_featurizer,
    featurizer_for,
)
from rtaffect.predicted.kept_sound import KeptSound
from rtaffect.predicted.no_features import NoFeatures
from rtaffect.predicted.prediction import Predictor
from rtaffect.predicted.sound_input import SoundInput
from rtaffect.run.demo_material import demo_folder, is_demos
from rtaffect.run.elements import ReadyElements
from rtaffect.run.rating import rated_of
from rtaffect.stream.source import Source
from rtaffect.timelock.stimulus import TimeLock

#: From a space and a number of samples to a person's standardised response (samples, M * k) to a whole sound.
OwnResponse = Callable[[Space, int], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Model:
    """What predicts: a bundle, which lies in ``folder``, and its featurizer, whose step takes ``cost_s`` here.

    ``elements`` takes the sound apart, where voice and background are predicted from.
    """

    bundle: Bundle
    featurizer: Featurizer
    folder: Path
    cost_s: float
    elements: ReadyElements | None = None

    def describe(self) -> dict[str, object]:
        """Return what identifies it, for ``session.toml``."""
        return {
            "bundle": self.bundle.manifest.name,
            "bundle_sha256": bundle_sha256(self.folder),
            "bundle_folder": str(self.folder),
            "synthetic_bundle": self.bundle.manifest.synthetic,
            "featurizer": self.featurizer.identity,
            "featurizer_sha256": self.featurizer.sha256,
        }


def load_model(
    folder: Path, featurizer_path: Path | None, progress: Progress, threads: int = 1, *, elements: bool = False
) -> Model:
    """Load a bundle (the demo's where ``folder`` is its name) and the featurizer that it was calibrated with.

    ``elements`` says that the demo's is to be that which has weights of voice and background.

    Raises
    ------
    ArtifactError
        If either cannot be used, or they do not belong together.
    """
    if is_demos(folder, "bundle"):
        folder = demo_folder(featurizer_path, progress, elements=elements) / "bundle"
    bundle = load_bundle(folder)
    featurizer = _featurizer_of(bundle, folder, featurizer_path, threads, progress)
    wanted = bundle.manifest.featurizer
    if wanted.sha256 != featurizer.sha256:
        raise ArtifactError(
            f"bundle {folder} was calibrated with featurizer {wanted.identity} (sha256 {wanted.sha256[:12]}...), but "
            f"{featurizer.identity} ({featurizer.sha256[:12]}...) is loaded; pass the right one "
            f"{under('featurizer')}, or calibrate anew"
        )
    return Model(bundle, featurizer, folder, featurizer.cost_s())


def _featurizer_of(bundle: Bundle, folder: Path, path: Path | None, threads: int, progress: Progress) -> Featurizer:
    """Return the featurizer in ``path``, else that in the bundle's folder, else the embedded one of its name."""
    beside = folder / FEATURIZER_FILE
    if path is None and beside.is_file():
        path = beside
    if path is None and (found := embedded_of(bundle.manifest.featurizer.identity)):
        return embedded_featurizer(*found, progress, threads)
    return featurizer_for(path, threads, progress)


@dataclass(frozen=True, slots=True)
class Sound:
    """The sound of a session: its source, and what tells where in which known stimulus people are.

    ``stimuli`` has the hash of each by the name that ``lock`` gives it. Where the sound was removed from a recording,
    there is no ``source``, but what was ``kept`` of it, if anything was.
    """

    source: Source | None
    stimuli: Mapping[str, str] = field(default_factory=dict)
    lock: TimeLock | None = None
    kept: KeptSound | None = None

    @classmethod
    def known(cls, source: Source, sha256: str, lock: TimeLock) -> Sound:
        """Return the sound of a session with one known stimulus."""
        return cls(source, {lock.stimulus: sha256}, lock)

    @property
    def sha256(self) -> str:
        """Hash of the only known stimulus; empty where there is none."""
        return next(iter(self.stimuli.values()), "")


def require_reference(bundle: Bundle | None, sha256: str, option: str) -> None:
    """Refuse a sound that the bundle has no reference for.

    Raises
    ------
    SettingsError
        If it has none; ``option`` is what asked for it.
    """
    if bundle is None:
        raise SettingsError(
            f"{option}: there is no bundle, so no reference for this sound", remedy=f"give one {under('bundle')}"
        )
    manifest = bundle.manifest
    if manifest.space == "ratings":
        raise SettingsError(
            f"{option}: the bundle predicts ratings, for which nobody is compared with a reference",
            remedy="leave it out",
        )
    if manifest.settings.synchrony.method == "pairwise":
        raise SettingsError(
            f"{option}: the bundle compares people pairwise, for which there is no reference; calibrate with "
            'synchrony.method = "leave-one-out"'
        )
    if bundle.reference_for(sha256) is None:
        heard = ", ".join(s.name for s in manifest.stimuli)
        raise SettingsError(
            f"{option}: the bundle has no reference for this sound (it has {heard}); play one of those, or calibrate "
            "with this sound"
        )


def build_engine(
    people: Sequence[Source],
    origin: float,
    *,
    sound: Sound | None,
    model: Model | None,
    analysis: AnalysisPlan,
    own: OwnResponse | None = None,
    recorded: RecordedDoubts | None = None,
    late_s: float = LATE_S,
    patient: bool = False,
    body: Sequence[Source] = (),
    rating: Source | None = None,
    affect: AffectReader | None = None,
    contact: ContactSettings | None = None,
) -> Engine:
    """Return the engine of a session; the model's settings hold where there is one.

    ``own`` gives the response of the one person who was part of the reference, which is then that of the others.
    ``recorded`` is what was in doubt at each step of a session that is replayed; beyond a lag of ``late_s``, s, a
    step is late; a ``patient`` one waits for own measures. ``body`` are streams of peripheral signals alone, ``affect``
    reads valence and arousal, ``rating`` is what is said where the bundle is of ratings, ``contact`` has its limits.

    Raises MontageError, SettingsError if headsets do not fit the bundle or each other, or there is no such reference.
    """
    bundle, sound = model.bundle if model else None, sound or Sound(None)
    settings = bundle.manifest.settings if bundle else read_settings(analysis.settings, analysis.mains)
    montages = {p.info.name: p.info.channels for p in people}
    space, rows = _fitted(bundle.space if bundle else space_of(analysis.head, montages, settings), montages)
    _check_partner(analysis.against, len(people), bundle, sound)
    references = _references(bundle, sound, rows, space, own) if bundle and analysis.against != "group" else {}
    heard = _heard(sound, model, origin, affect)
    return Engine(
        people,
        space,
        settings,
        origin,
        sound=sound.source,
        sound_input=heard,
        predictor=_predictor(bundle, sound, rows, space) if bundle else None,
        lock=sound.lock,
        references=references,
        recorded=recorded,
        late_s=late_s,
        measures=Measuring(_measures(analysis, montages, space, settings, patient), people, body, origin, contact),
        fitted_people=_fitted_people(bundle, rows, space) if bundle and not references and len(people) > 1 else None,
        rated=rated_of(bundle, rating, origin, analysis.rating_lag_s),
        affect=affect,
        elements=stage_of(model, sound, heard, rows, space.layout.counted) if model is not None else None,
    )


def _fitted_people(bundle: Bundle, rows: NDArray[np.intp], space: Space) -> FloatArray:
    """Return how many people the synchrony was of that the weights predict, for each row (R,); NaN if not known."""
    if bundle.manifest.settings.synchrony.method == "pairwise":
        return np.full(len(space.rows), 2.0)
    heard = (number for number, stimulus in enumerate(bundle.manifest.stimuli) if stimulus.fitted)
    measured = rows[rows < bundle.space.layout.measured]
    return fitted_people((bundle.references[n] for n in heard if n < len(bundle.references)), measured, space.layout)


def _measures(
    analysis: AnalysisPlan, people: Collection[str], space: Space, settings: Settings, patient: bool
) -> MeasureHost | None:
    """Return the session's own measures, for which a step waits, long if it is ``patient``; None without any."""
    wait_s = PATIENCE_S if patient else WAIT_S
    chosen = choose_measures(analysis.measures, analysis.measure_bands, settings.signal, space.channels)
    return MeasureHost(chosen, list(people), space.channels, settings.signal.rate_hz, wait_s) if chosen else None


def _heard(
    sound: Sound, model: Model | None, origin: float, affect: AffectReader | None
) -> SoundInput | KeptSound | None:
    """Return what brings the sound, and the features to predict from; None where nothing is made of it."""
    if sound.source is None:
        return sound.kept if model is not None else None
    if model is None:
        return SoundInput(sound.source, NoFeatures(), origin) if affect is not None else None
    return SoundInput(sound.source, model.featurizer, origin, model.elements.ahead if model.elements else 0)


def _predictor(bundle: Bundle, sound: Sound, rows: NDArray[np.intp], space: Space) -> Predictor | None:
    """Return what predicts from a second's features, or from what is kept of them; None where there is neither."""
    if sound.source is None and sound.kept is None:
        return None
    plain = bundle.space.kind == "ratings"
    return Predictor(bundle.weights, rows, space.layout.counted, reduced=sound.source is None, plain=plain)


def _fitted(whole: Space, montages: Mapping[str, Sequence[str]]) -> tuple[Space, NDArray[np.intp]]:
    """Return a bundle's space as these montages have it, and which of its rows are left; raises MontageError."""
    space = whole.fit_to(montages)
    return space, np.array([whole.rows.index(row) for row in space.rows], np.intp)


def _check_partner(against: str, people: int, bundle: Bundle | None, sound: Sound | None) -> None:
    """Refuse what people are to be compared with where that is not there, or nobody is compared."""
    if bundle is not None and bundle.space.kind == "ratings":
        _refuse_partner(against, bundle)
    else:
        _require_partner(against, people, bundle, sound)


def _refuse_partner(against: str, bundle: Bundle) -> None:
    if against != "auto":
        raise SettingsError(
            f"{setting('against', against)} is for synchrony, and the bundle predicts ratings "
            f"({', '.join(bundle.manifest.rows)})",
            remedy="leave it out",
            field="against",
        )


def stage_of(
    model: Model,
    sound: Sound,
    heard: SoundInput | KeptSound | None,
    rows: NDArray[np.intp],
    counted: NDArray[np.bool_],
) -> ElementStage | None:
    """Return what predicts from the elements of a session's sound; None where nothing does."""
    weights, ready = model.bundle.elements, model.elements
    if isinstance(heard, KeptSound) and heard.elements is not None and weights:
        predictors = {name: Predictor(weights[name], rows, counted, reduced=True) for name in heard.elements.names}
        return ElementStage(heard.elements, predictors, len(rows), known=sound.lock is not None)
    if ready is None or not isinstance(heard, SoundInput):
        return None
    made = {name: Predictor(weights[name], rows, counted) for name in ready.names}
    parts: PartsOf
    if ready.separator is not None:
        parts = StreamedParts(ready.separator, heard)
    else:
        known = {name: ready.known[sha256] for name, sha256 in sound.stimuli.items() if sha256 in ready.known}
        parts = KnownParts(known)
    memory_s, about = {name: each.memory_s for name, each in made.items()}, model.bundle.manifest.elements
    voice_db = about.voice_db if about is not None else SILENT_DB
    found = ElementInput(parts, model.featurizer, memory_s, voice_db)
    return ElementStage(found, made, len(rows), known=ready.separator is None)


def _require_partner(against: str, people: int, bundle: Bundle | None, sound: Sound | None) -> None:
    if bundle is not None and bundle.space.kind == "ratings":
        _refuse_partner(against, bundle)
        return
    if against == "reference":
        require_reference(bundle, sound.sha256 if sound else "", setting("against", "reference"))
    if against == "group" and people < 2:
        raise SettingsError(
            f"{setting('against', 'group')} needs at least 2 headsets, but there is {people}",
            remedy="connect another",
        )


def space_of(head: Operator | Path | None, montages: Mapping[str, Sequence[str]], settings: Settings) -> Space:
    """Return the space of a session without a bundle; raises MontageError if people have no channel in common."""
    if head is not None:
        return RegionSpace(load_operator(head) if isinstance(head, Path) else head)
    return ChannelSpace(common_rows(montages, None), settings.signal.average_reference)


def _references(
    bundle: Bundle, sound: Sound, rows: NDArray[np.intp], space: Space, own: OwnResponse | None
) -> dict[str, Float32Array]:
    """Return what people are compared with (time, M * k) in each stimulus of the sound that the bundle knows.

    That is the reference's mean, or the mean of all but one of its people.
    """
    # A group's mean is no partner where people are compared with each of the others.
    if sound.lock is None or bundle.manifest.settings.synchrony.method == "pairwise":
        return {}
    measured = rows[rows < bundle.space.layout.measured]
    known = {name: bundle.reference_for(sha256) for name, sha256 in sound.stimuli.items()}
    found = {name: reference.of_rows(measured) for name, reference in known.items() if reference is not None}
    return {name: ref.mean if own is None else ref.without(own(space, len(ref.mean))) for name, ref in found.items()}
