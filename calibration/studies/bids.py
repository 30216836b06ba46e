"""A BIDS dataset as a study: subjects are the listeners, ``*_events.tsv`` says when which stimulus began.

The layout is that of the Brain Imaging Data Structure 1.10, *Electroencephalography* and *Task events*
(https://bids-specification.readthedocs.io); of it only what tells recordings, sounds and onsets is read.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from calibration.studies.layout import RecordingFile, shown
from calibration.studies.tables import ABSENT, number, read_table
from rtaffect.common.errors import RecordingError
from rtaffect.common.reading import path_problem, read_json, why
from rtaffect.stream.film_sound import FILM_ENDINGS

DESCRIPTION = "dataset_description.json"
#: What holds the EEG; other files beside it are parts of these.
_EEG = (".vhdr", ".edf", ".bdf", ".set", ".fif", ".fif.gz")
#: What stands for a name where nobody gave one, by the programs that write datasets, without regard to case.
_NAMELESS = ABSENT | {"[unspecified]", "untitled"}
#: What ``trial_type`` says where a listener rests.
_RESTS = frozenset({"rest", "resting", "resting state", "baseline"})
_SOUNDS = frozenset({".wav", ".flac", ".ogg", ".mp3", ".opus", ".aif", ".aiff", ".au", ".w64", ".caf"})


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a dataset says: its sounds by name, recordings (onsets by those names), and what is wrong or doubtful."""

    name: str
    sounds: dict[str, Path]
    recordings: tuple[RecordingFile, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Hearing:
    """One row of an ``*_events.tsv``: which stimulus began at which time of the recording, s."""

    recording: Path
    events: Path
    stimulus: Path
    onset: float


def read_dataset(root: Path, listeners: Sequence[str] | None = None, tasks: Sequence[str] | None = None) -> Dataset:
    """Read a BIDS dataset: of each listener every recording in which a sound begins.

    Where a listener hears a sound more than once, the first time counts.

    Parameters
    ----------
    root
        The folder with ``dataset_description.json``.
    listeners, tasks
        Which subjects (with or without ``sub-``) and tasks are used; default: all.

    Raises
    ------
    RecordingError
        If there is no such dataset, or its description cannot be read.
    """
    name, problems = _name(root), list[str]()
    files = _files(root, listeners, tasks, problems)
    heard: dict[str, list[_Hearing]] = {}
    for listener, paths in files.items():
        heard[listener] = [hearing for path in paths for hearing in _hearings(root, path, problems)]
        if not heard[listener]:
            problems.append(
                f"{listener}: none of their {len(paths)} recordings has an *_events.tsv with onset and stim_file that "
                "names a sound; expected the sounds that they heard: add it"
            )
    names = _sound_names(root, (h.stimulus for each in heard.values() for h in each))
    recordings, notes = _first_hearings(heard, names)
    recordings = [replace(r, described=_sidecar(root, r.path, "channels.tsv")) for r in recordings]
    sounds = {name: path for path, name in names.items()}
    return Dataset(name, sounds, tuple(recordings), tuple(dict.fromkeys(problems)), tuple(notes))


def _files(
    root: Path, listeners: Sequence[str] | None, tasks: Sequence[str] | None, problems: list[str]
) -> dict[str, list[Path]]:
    """Return the recordings of each listener, and add to ``problems`` which are not there."""
    files: dict[str, list[Path]] = {}
    for path in _recordings(root):
        if tasks is None or _entities(path).get("task") in tasks:
            files.setdefault(f"sub-{_entities(path).get('sub', '?')}", []).append(path)
    if not files:
        of = f" of task {' or '.join(tasks)}" if tasks else ""
        problems.append(
            f"{root}: no recording{of}; expected sub-*/[ses-*/]eeg/*_eeg.* ({', '.join(_EEG)}): add them, or correct "
            "bids.tasks in study.toml"
        )
    if listeners is None or not files:
        return files
    wanted = [f"sub-{each.removeprefix('sub-')}" for each in listeners]
    problems += [
        f"{each}: no such listener in {root}; expected some of {', '.join(files)}: correct bids.listeners in study.toml"
        for each in wanted
        if each not in files
    ]
    return {each: files[each] for each in wanted if each in files}


def _name(root: Path) -> str:
    path = root / DESCRIPTION
    try:
        name = str(read_json(path).get("Name") or "").strip()
        return root.resolve().name if name.casefold() in _NAMELESS else name
    except FileNotFoundError:
        raise RecordingError(f"no BIDS dataset in {root}: {DESCRIPTION} is not there; correct bids.folder") from None
    except (OSError, ValueError, AttributeError) as error:
        raise RecordingError(
            f"{path} cannot be read ({why(error)}); expected a JSON object in UTF-8: correct it"
        ) from None


def _recordings(root: Path) -> list[Path]:
    """Return the EEG files in order; of a FIF in pieces the first, which leads to the others."""
    found = [p for pattern in ("sub-*/eeg/*_eeg.*", "sub-*/ses-*/eeg/*_eeg.*") for p in root.glob(pattern)]
    found += [p for pattern in ("sub-*/eeg/*_split-*", "sub-*/ses-*/eeg/*_split-*") for p in root.glob(pattern)]
    used = [p for p in set(found) if p.name.endswith(_EEG) and _entities(p).get("split", "1").lstrip("0") == "1"]
    return sorted(used, key=lambda p: [(int(t), "") if t.isdecimal() else (-1, t) for t in re.split(r"(\d+)", str(p))])


def _entities(path: Path) -> dict[str, str]:
    """Return what a file's name says: ``sub-01_task-story_run-2_eeg.edf`` is of sub 01, task story, run 2."""
    parts = path.name.split("_")[:-1]
    return dict(part.split("-", 1) for part in parts if "-" in part)


def _sidecar(root: Path, recording: Path, suffix: str) -> Path | None:
    """Return the file that says more of a recording, by BIDS's inheritance: the nearest one upwards."""
    own, folder = _entities(recording).items(), recording.parent
    while True:
        fitting = [p for p in sorted(folder.glob(f"*{suffix}")) if _entities(p).items() <= own]
        if fitting:
            return max(fitting, key=lambda p: len(_entities(p)))
        if folder == root:
            return None
        folder = folder.parent


def _hearings(root: Path, recording: Path, problems: list[str]) -> Iterator[_Hearing]:
    """Yield what is heard in a recording, and add to ``problems`` what its events lack."""
    events = _sidecar(root, recording, "events.tsv")
    if events is None:
        return
    try:
        header, rows = read_table(events)
    except RecordingError as error:
        problems.append(str(error))
        return
    if not {"onset", "stim_file"} <= set(header):
        return
    at, file = header.index("onset"), header.index("stim_file")
    for row in rows:
        onset = number(row[at])
        if row[file].casefold() in ABSENT or onset is None or not math.isfinite(onset):
            continue
        named = row[file].replace("\\", "/").removeprefix("bids::").removeprefix("stimuli/")
        stimulus = root / "stimuli" / named
        if wrong := path_problem(stimulus):
            problems.append(f"{events}: stim_file {named:.60}: {wrong}; correct it")
            continue
        sound = _sound_of(stimulus)
        if sound is not None:
            yield _Hearing(recording, events, sound, onset)


def _rests(events: Path) -> tuple[tuple[float, float], ...]:
    """Return from when to when a listener rested, s: rows of a table of events whose ``trial_type`` says so."""
    header, rows = read_table(events)
    if not {"onset", "duration", "trial_type"} <= set(header):
        return ()
    kind, at, lasting = (header.index(name) for name in ("trial_type", "onset", "duration"))
    found = [(number(row[at]), number(row[lasting])) for row in rows if row[kind].casefold() in _RESTS]
    return tuple(
        (onset, onset + duration)
        for onset, duration in found
        if onset is not None and duration is not None and math.isfinite(onset) and 0 < duration < math.inf
    )


def _sound_of(stimulus: Path) -> Path | None:
    """Return the file with the sound of a stimulus: itself, or of a film one of the same name beside it, if any."""
    if stimulus.suffix.lower() in _SOUNDS:
        return stimulus
    if stimulus.suffix.lower() in FILM_ENDINGS:
        beside = (stimulus.with_suffix(suffix) for suffix in sorted(_SOUNDS))
        return next((path for path in beside if path.is_file()), stimulus)
    return None


def _sound_names(root: Path, stimuli: Iterable[Path]) -> dict[Path, str]:
    """Return a name for each sound: its path in ``stimuli/`` without the ending; with it where two share one."""
    whole = {path: shown(path, root / "stimuli") for path in sorted(set(stimuli))}
    bare = {path: Path(name).with_suffix("").as_posix() for path, name in whole.items()}
    shared = Counter(bare.values())
    return {path: name if shared[name] == 1 else whole[path] for path, name in bare.items()}


def _first_hearings(heard: dict[str, list[_Hearing]], names: dict[Path, str]) -> tuple[list[RecordingFile], list[str]]:
    recordings, notes = [], []
    for listener, hearings in heard.items():
        first: dict[str, _Hearing] = {}
        for hearing in hearings:
            first.setdefault(names[hearing.stimulus], hearing)
        for name, chosen in first.items():
            times = sum(names[h.stimulus] == name for h in hearings)
            if times > 1:
                notes.append(
                    f"{listener} hears {name} {times} times; the first counts, at {chosen.onset:g} s of "
                    f"{chosen.recording.name}"
                )
        for path, events in dict.fromkeys((h.recording, h.events) for h in first.values()):
            onset = {name: h.onset for name, h in first.items() if h.recording == path}
            recordings.append(RecordingFile(listener, path, onset, events, rest=_rests(events)))
    return recordings, notes
