"""Looks at chosen files and folders, each by the session's own checks, and says what is wrong with them in words."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from rtaffect.affect.bundle import JSON_FILE, load_affect_bundle
from rtaffect.affect.library import sounds_in
from rtaffect.common.errors import ArtifactError, RecordingError, RtaffectError, SettingsError, under
from rtaffect.common.reading import why
from rtaffect.common.settings import read_settings
from rtaffect.engine.bundle import FEATURIZER_FILE, load_bundle
from rtaffect.observed.operator_file import load_operator
from rtaffect.plan.session_folder import RECORDING_FILE, SESSION_FILE, open_session
from rtaffect.predicted.embedded import embedded_of
from rtaffect.predicted.featurizer import cache_root, cached_path
from rtaffect.protocol.choice import choose_arm
from rtaffect.protocol.reading import inspect_protocol
from rtaffect.protocol.seal import allocation_sha256
from rtaffect.sources.clock_offsets import correct
from rtaffect.sources.recorded_markers import markers_of
from rtaffect.sources.selection import ANY_MARKERS
from rtaffect.sources.xdf import XdfRecording
from rtaffect.sources.xdf_file import RecordedStream, read_xdf
from rtaffect.start.found import (
    AffectFacts,
    AllocationFacts,
    ArmFacts,
    Ask,
    AskKind,
    BundleFacts,
    DemoFacts,
    Fact,
    FeaturizerFacts,
    FolderFacts,
    LibraryFacts,
    ProtocolFacts,
    RecordingFacts,
    SoundFacts,
    Trouble,
    trouble_of,
)
from rtaffect.start.streams import StreamFacts
from rtaffect.stream.audio import SAMPLE_RATE, read_whole_sound, sound_sha256
from rtaffect.stream.markers import Marker
from rtaffect.stream.source import StreamHeader
from rtaffect.timelock.alignment import Aligner

#: So much of each recorded stream is kept to be shown, s.
GLIMPSE_S: Final = 4.0
#: Of what a session writes, any of these says that one is there.
_SESSION_FILES: Final = (SESSION_FILE, "session.json", "feedback.tsv", RECORDING_FILE)


def look_at(ask: Ask) -> Fact | Trouble:
    """Return what is known of ``ask``, or why it cannot be used; never raises for what a user can cause."""
    try:
        return _LOOKS[ask.kind](ask)
    except RtaffectError as error:
        return trouble_of(error)
    except (OSError, ValueError, MemoryError) as error:
        return Trouble(f"{ask.path} cannot be read ({why(error)}); choose another, or copy it again")


def stamp_of(ask: Ask) -> tuple[object, ...]:
    """Return what changes when ``ask`` must be looked at anew: times and sizes of its files."""
    path = Path(ask.path) if ask.path else None
    if ask.kind == "out" or path is None:
        return ()
    inside = {
        "bundle": ("bundle.json", "tensors.safetensors"),
        "featurizer": ("bundle.json", FEATURIZER_FILE),
        "affect": (JSON_FILE,),
    }
    files = [path, *(path / name for name in inside.get(ask.kind, ()))]
    if ask.kind == "recording":
        files += [path / SESSION_FILE, path / RECORDING_FILE]
    if ask.kind in ("featurizer", "arm"):
        files += [Path(text) for text in ask.also if len(text) > 1 and Path(text).is_absolute()]
    return tuple(_stamp(file) for file in files)


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size


def _bundle(ask: Ask) -> BundleFacts:
    folder = Path(ask.path) if ask.path else newest_demo()
    if folder is None:
        raise ArtifactError("the demo's bundle is not made yet: start the demo once, or choose another bundle")
    return BundleFacts(folder, load_bundle(folder), demo=not ask.path)


def newest_demo() -> Path | None:
    """Return the folder of the bundle that the demo made last, None where it has not run here."""
    made = sorted((cache_root() / "demo").glob("v*/bundle"), key=lambda folder: folder.stat().st_mtime)
    return made[-1] if made else None


def _featurizer(ask: Ask) -> FeaturizerFacts:
    """Load the featurizer and time a few steps, if its file is there: none is made or downloaded for this."""
    from rtaffect.run.assemble import load_model

    folder, (given, threads) = Path(ask.path), ask.also
    path = Path(given) if given else None
    wanted = load_bundle(folder).manifest.featurizer.identity
    if path is None and not (folder / FEATURIZER_FILE).is_file():
        found = embedded_of(wanted)
        if found is None:
            raise ArtifactError(
                f"bundle {folder} was calibrated with featurizer {wanted}, which is not in its folder: choose its file "
                f"{under('featurizer')}, or copy it there"
            )
        if not cached_path(*found).is_file():
            return FeaturizerFacts("its featurizer is made when the session starts: some seconds, once", float("nan"))
    loaded = load_model(
        folder, path, lambda _: None, max(1, int(threads)) if threads.isdecimal() and len(threads) < 4 else 1
    )
    return FeaturizerFacts(loaded.featurizer.describe_cost(loaded.cost_s), loaded.cost_s)


def _demo(ask: Ask) -> DemoFacts:
    """See whether the demo is made, and make it where its protocol is asked for."""
    if not ask.also:
        return DemoFacts(newest_demo() is not None)
    from rtaffect.run.demo import PROTOCOL
    from rtaffect.run.demo_material import demo_folder

    return DemoFacts(True, demo_folder(Path(ask.path) if ask.path else None, lambda _: None) / PROTOCOL)


def _sound(ask: Ask) -> SoundFacts:
    """Read a sound; one that is to be recognised in what is heard must be able to be."""
    path = Path(ask.path)
    samples, _, notes = read_whole_sound(path)
    if ask.also:
        Aligner(samples)
    return SoundFacts(path.name, len(samples) / SAMPLE_RATE, sound_sha256(samples), notes)


def _protocol(ask: Ask) -> ProtocolFacts:
    protocol, problems = inspect_protocol(Path(ask.path))
    return ProtocolFacts(protocol, tuple(problems))


def _arm(ask: Ask) -> ArmFacts:
    """See that the participant has an arm, and forget which."""
    participant, allocation, code = ask.also
    protocol, _ = inspect_protocol(Path(ask.path))
    if protocol is not None:
        choose_arm(protocol, participant or None, Path(allocation) if allocation else None, code or None)
    return ArmFacts()


def _recording(ask: Ask) -> RecordingFacts:
    path = Path(ask.path)
    session = open_session(path) if path.is_dir() else None
    if session is not None and session.plan.mode == "replay":
        raise RecordingError(
            f"{path} is the folder of a replay, which has no recording of its own; replay {session.plan.recording}"
        )
    file = session.checked_recording() if session else path
    if file.suffix == ".toml":
        raise RecordingError(f"{file} is a plan, not a recording: choose an XDF file, or a session's folder")
    recorded, warnings = read_xdf(file)
    whole = XdfRecording(file, recorded, warnings)
    unchecked = tuple(filter(None, [session.unchecked])) if session else ()
    streams = tuple(
        StreamFacts(replace(each.header, uid=str(each.number)), described=True, span=summary.span)
        for each, summary in zip(recorded, whole.streams, strict=True)
    )
    glimpses = {str(stream.number): _glimpse(stream) for stream in recorded if stream.header.format != "string"}
    markers = {str(each.number): _markers(each) for each in recorded if _may_mark(each.header)}
    return RecordingFacts(path, streams, whole.length, (*whole.warnings, *unchecked), session, glimpses, markers)


def _markers(stream: RecordedStream) -> tuple[Marker, ...]:
    stamps = correct(stream.stamps, stream.clock_times, stream.clock_values, stream.segments).stamps
    return markers_of(stream, stamps)


def _may_mark(header: StreamHeader) -> bool:
    return header.format == "string" or header.type.casefold() == ANY_MARKERS.value.casefold()


def _glimpse(stream: RecordedStream) -> NDArray[Any]:
    length = round(GLIMPSE_S * max(stream.header.rate, 1.0))
    first = max(0, len(stream.values) // 2 - length // 2)
    return stream.values[first : first + length].copy()


def _out(ask: Ask) -> FolderFacts:
    """Look whether results can go into a folder, by writing a file that vanishes into the nearest that is there."""
    folder, name = Path(ask.path), ask.also[0]
    target = folder / name
    for path in (folder, target):
        if path.exists() and not path.is_dir():
            raise SettingsError(f"{path} is a file, not a folder: choose another one for the results")
    nearest = next((path for path in (target, *target.parents) if path.is_dir()), None)
    if nearest is None:
        raise SettingsError(f"{folder} cannot be made: nothing of it is there; choose a folder on a drive that is")
    try:
        with tempfile.TemporaryFile(dir=nearest) as file:
            file.write(b"rtaffect")
    except OSError as error:
        raise SettingsError(
            f"{nearest} cannot be written to ({error.strerror}); choose another folder, or ask for the right to write"
        ) from None
    taken = frozenset(path.name for path in folder.iterdir()) if folder.is_dir() else frozenset()
    holds = bool(name or nearest == folder) and any((target / file).exists() for file in _SESSION_FILES)
    return FolderFacts(shutil.disk_usage(nearest).free, taken, holds)


_LOOKS: Final[dict[AskKind, Callable[[Ask], Fact]]] = {
    "bundle": _bundle,
    "featurizer": _featurizer,
    "sound": _sound,
    "protocol": _protocol,
    "allocation": lambda ask: AllocationFacts(allocation_sha256(Path(ask.path))),
    "arm": _arm,
    "recording": _recording,
    "out": _out,
    "settings": lambda ask: read_settings(Path(ask.path)),
    "head": lambda ask: load_operator(Path(ask.path)),
    "demo": _demo,
    "affect": lambda ask: AffectFacts(load_affect_bundle(Path(ask.path)).manifest),
    "library": lambda ask: LibraryFacts(len(sounds_in(Path(ask.path)))),
}
