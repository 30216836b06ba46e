"""``study.toml``: the fields, and the files that it names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from pydantic import AfterValidator, Field, StringConstraints, ValidationError, field_validator

from calibration.studies.bids import DESCRIPTION, Dataset, read_dataset
from calibration.studies.layout import Layout, RecordingFile, SoundFile, find_notes, find_problems
from rtaffect.common.errors import RecordingError
from rtaffect.common.mistakes import problems
from rtaffect.common.rating_scale import RatingScale
from rtaffect.common.reading import path_problem, read_toml, why
from rtaffect.common.settings import Frozen

MANIFEST = "study.toml"


def _file(name: str) -> str:
    if wrong := path_problem(name):
        raise ValueError(wrong)
    return name


#: The name of a file, as the manifest has it.
FileName = Annotated[str, AfterValidator(_file)]


class Channels(NamedTuple):
    """Channels to leave out, and the only ones to use; of neither: what is EEG."""

    without: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    def of(self, recording: RecordingFile) -> RecordingFile:
        """Return a recording with this choice."""
        return replace(recording, without=self.without, only=self.only)


#: No choice: what is EEG.
ALL_EEG: Final = Channels()
_UNHEARD = "correct study.toml: add it to [listener.onset]"
_UNHEARD_EVENTS = (
    "no row of their *_events.tsv has it as stim_file and begins at a number; add one, or name the sounds and the "
    "listeners to be used in study.toml"
)


#: A name that says something.
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class SoundEntry(Frozen):
    """One ``[[sound]]``; with ``fit = false`` it gets a reference but no weights are fitted to it.

    ``rating`` is one table, or a table of each rater by their name.
    """

    name: Name
    file: FileName
    fit: bool = True
    covariates: FileName | None = None
    rating: FileName | dict[Name, FileName] = Field(default_factory=dict)


class ListenerEntry(Frozen):
    """One ``[[listener]]``, a recording; several of the same name are one person.

    ``onset`` has, for each sound's name, the time at which it began: on the LSL clock for XDF, else from the
    recording's first sample (s). ``rest`` has stretches in which they rested, from and to, on the same clock.
    """

    name: Name
    file: FileName
    onset: dict[str, float]
    channels: tuple[str, ...] | None = None
    unit: str | None = None
    described: FileName | None = None
    without: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    profile: str = ""
    rest: tuple[tuple[float, float], ...] = ()


class AffectEntry(Frozen):
    """``[affect]``: what was rated, and how.

    ``ratings`` is a table with one rating of each stimulus: columns ``sound``, ``listener`` unless everybody's are the
    same, and those named by ``valence`` and ``arousal``. Without it the tables of the sounds hold ratings of each
    second, in columns of these names. ``scale`` is its lowest, middle and highest value. So many whole seconds before
    each sound, ``rest_before_s``, count as rest.
    """

    ratings: FileName | None = None
    valence: Name = "valence"
    arousal: Name = "arousal"
    scale: tuple[float, float, float] = (1.0, 5.0, 9.0)
    rest_before_s: int = Field(0, ge=0, le=5)

    @field_validator("scale")
    @classmethod
    def _rises(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        if not value[0] < value[1] < value[2]:
            raise ValueError("expected the lowest, the middle and the highest value, rising, such as [1, 5, 9]")
        return value


class BidsEntry(Frozen):
    """``[bids]``: the dataset that the listeners are taken from, and which of them and of its tasks; default: all."""

    folder: FileName = "."
    listeners: tuple[str, ...] | None = None
    tasks: tuple[str, ...] | None = None


class ExcerptsEntry(Frozen):
    """``[excerpts]``: a table with a row for each excerpt, and what its columns are.

    ``ratings`` are to be predicted from ``sound``, columns with features, or from what is computed of the files in
    column ``file``, and from ``picture``. ``split`` has train or test, ``group`` the film that an excerpt is from.
    """

    table: FileName
    excerpt: Name = "excerpt"
    ratings: tuple[Name, ...]
    sound: tuple[Name, ...] = ()
    picture: tuple[Name, ...] = ()
    file: Name | None = None
    split: Name | None = None
    group: Name | None = None


class StudyManifest(Frozen):
    """What ``study.toml`` holds; ``without`` and ``only`` are of every listener that has none of its own.

    ``ratings`` is the scale of the sounds' ratings.
    """

    name: str
    synthetic: bool = False
    without: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    bids: BidsEntry | None = None
    excerpts: ExcerptsEntry | None = None
    affect: AffectEntry | None = None
    ratings: RatingScale | None = None
    sound: tuple[SoundEntry, ...] = ()
    listener: tuple[ListenerEntry, ...] = ()


def read_layout(folder: Path, channels: Channels = ALL_EEG) -> Layout:
    """Return the files of the study in ``folder``: by its ``study.toml``, else as a BIDS dataset.

    ``channels`` are chosen in every recording, in place of what its description says.

    What forbids its use, as far as names and files tell, is among its problems.

    Raises
    ------
    RecordingError
        If it is neither, or its description cannot be read.
    """
    if not (folder / MANIFEST).is_file() and (folder / DESCRIPTION).is_file():
        found = _taken(folder, read_dataset(folder), ())
        return _complete(_with(found, channels), _UNHEARD_EVENTS)
    manifest = read_manifest(folder / MANIFEST)
    sounds = tuple(_sound(folder, entry) for entry in manifest.sound)
    if manifest.bids is None:
        recordings = tuple(_recording(folder, entry) for entry in manifest.listener)
        layout = Layout(folder, manifest.name, manifest.synthetic, sounds, recordings)
        return _complete(_with(_with_own(layout, manifest), channels), _UNHEARD)
    if manifest.listener:
        raise RecordingError(
            f"{folder / MANIFEST} has both [bids] and [[listener]]; expected one of them: leave the other out"
        )
    chosen = manifest.bids
    dataset = read_dataset(folder / chosen.folder, chosen.listeners, chosen.tasks)
    taken = _taken(folder, dataset, sounds)
    taken = _with_own(replace(taken, name=manifest.name, synthetic=manifest.synthetic), manifest)
    return _complete(_with(taken, channels), _UNHEARD_EVENTS)


def read_manifest(path: Path) -> StudyManifest:
    """Read ``study.toml``; raises RecordingError, with all fields that are wrong, if that is impossible."""
    try:
        return StudyManifest.model_validate(read_toml(path))
    except FileNotFoundError:
        raise RecordingError(
            f"no study in {path.parent}: {path.name} is not there, nor a BIDS {DESCRIPTION}; "
            "`rtaffect simulate --out DIR` writes an example"
        ) from None
    except ValidationError as error:
        wrong = "; ".join(problems(error, StudyManifest))
        raise RecordingError(f"{path}: {wrong}; see docs/formats.md for the fields") from None
    except (OSError, ValueError) as error:
        raise RecordingError(f"{path} cannot be read ({why(error)}); expected TOML in UTF-8: correct it") from None


def _taken(folder: Path, dataset: Dataset, sounds: tuple[SoundFile, ...]) -> Layout:
    """Return the part of a dataset that has to do with ``sounds`` (default: with any), by their names there."""
    names = {path.resolve(): name for name, path in dataset.sounds.items()}
    wanted = sounds or tuple(SoundFile(name, path) for name, path in dataset.sounds.items())
    given = {names[s.path.resolve()]: s.name for s in wanted if s.path.resolve() in names}
    recordings = [
        replace(each, onset={given[name]: onset for name, onset in each.onset.items() if name in given})
        for each in dataset.recordings
    ]
    # A recording without any of them is of no use, unless to say that its listener hears none.
    useful = {r.listener for r in recordings if r.onset}
    recordings = [r for r in recordings if r.onset or r.listener not in useful]
    return Layout(folder, dataset.name, False, wanted, tuple(recordings), dataset.problems, dataset.notes)


def _complete(layout: Layout, unheard: str) -> Layout:
    problems = find_problems(layout, unheard)
    if not layout.sounds:
        problems = (*problems, "no sound; expected at least one: add [[sound]] with its file to study.toml")
    return replace(layout, problems=problems, notes=find_notes(layout, unheard))


def _sound(folder: Path, entry: SoundEntry) -> SoundFile:
    covariates = folder / entry.covariates if entry.covariates is not None else None
    tables = entry.rating if isinstance(entry.rating, dict) else {"": entry.rating}
    rating = {rater: folder / table for rater, table in tables.items()}
    return SoundFile(entry.name, folder / entry.file, entry.fit, covariates, rating)


def _recording(folder: Path, entry: ListenerEntry) -> RecordingFile:
    described = folder / entry.described if entry.described is not None else None
    path = folder / entry.file
    return RecordingFile(
        entry.name, path, entry.onset, folder / MANIFEST, entry.channels, entry.unit, described, entry.without,
        entry.only, entry.profile, entry.rest,
    )  # fmt: skip


def _with_own(layout: Layout, manifest: StudyManifest) -> Layout:
    """Return a layout with the channels that the manifest chooses for all, in recordings without a choice.

    And with the scale of ratings that it tells.
    """
    own = Channels(manifest.without, manifest.only)
    recordings = (each if each.without or each.only else own.of(each) for each in layout.recordings)
    return replace(layout, recordings=tuple(recordings), ratings=manifest.ratings)


def _with(layout: Layout, channels: Channels) -> Layout:
    if not (channels.without or channels.only):
        return layout
    return replace(layout, recordings=tuple(map(channels.of, layout.recordings)))
