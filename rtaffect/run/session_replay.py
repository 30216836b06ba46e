"""Replays a session's folder as the session ran: the same sources, zero, sounds, protocol and keys."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, get_args

from rtaffect.common.clock import Clock, clock_of
from rtaffect.common.errors import RecordingError, SettingsError, under
from rtaffect.engine.bundle import bundle_sha256
from rtaffect.measures.choice import is_file
from rtaffect.plan.analysis_plan import AnalysisPlan
from rtaffect.plan.conflicts import BROUGHT, brought_by_bundle
from rtaffect.plan.session_folder import DOUBTS_FILE, PROTOCOL_FILE, RecordedSession, open_session
from rtaffect.plan.session_plan import DEMO_BUNDLE, SessionPlan, parse_speed
from rtaffect.predicted.featurizer import Progress
from rtaffect.protocol.donors import as_recorded, blocks_that_ran, keys_that_counted
from rtaffect.protocol.reading import read_protocol
from rtaffect.protocol.timeline import keys_that_gave
from rtaffect.run.assemble import Model, Sound
from rtaffect.run.kept import Heard, read_heard
from rtaffect.run.programme import Programme, SessionSound
from rtaffect.run.session_affect import SessionAffect
from rtaffect.run.session_sources import Beginning, ProtocolSetup, SessionSources
from rtaffect.run.told import marks_and_notes
from rtaffect.run.wearing import sent_by
from rtaffect.sources.osc_markers import OSC_MARKERS
from rtaffect.sources.peripheral import BY_BOARD
from rtaffect.sources.selection import ANY_MARKERS, Query, given_for
from rtaffect.sources.sound_file import SoundFileSource
from rtaffect.sources.xdf import XdfRecording
from rtaffect.sources.xdf_source import XdfSource
from rtaffect.stream.doubt import About, Doubt
from rtaffect.stream.markers import Marker, flooded_at
from rtaffect.timelock.stimulus import MarkerOnset, TimeLock

#: Of ``[ran]``: what was removed from the recording, by ``rtaffect scrub``.
SCRUBBED: Final = "scrubbed"


@dataclass(kw_only=True)
class SessionReplay(SessionSources):
    """What a session ran with: the same sources, zero, sounds, protocol and keys."""

    session: RecordedSession
    beginning: Beginning
    heard: Heard | None = None

    @classmethod
    def open(cls, plan: SessionPlan, progress: Progress) -> Self:
        """Read the session's folder; what the plan says of the analysis replaces what the session had.

        Raises
        ------
        RtaffectError
            If the folder is no session's, or lacks what it ran with.
        """
        assert plan.recording is not None
        factor, session = parse_speed(plan.speed), open_session(plan.recording)
        if session.plan.mode == "replay":
            raise RecordingError(
                f"{session.path} is the folder of a replay, which has no recording of its own; replay "
                f"{session.plan.recording}"
            )
        progress("reading the session")
        recorded = XdfRecording.open(session.checked_recording())
        people = _people(session, recorded)
        setup = _setup(session)
        origin = float(_said(session, "origin"))
        clock = clock_of(origin, factor)
        heard = read_heard(session) if SCRUBBED in session.ran else None
        sound = _sound(session, recorded, setup.programme, origin, clock, heard=heard)
        path = _stimulus(session, setup.programme)
        about: dict[str, object] = {
            key: session.ran[key] for key in ("sound", "locked_by", "eeg", "peripheral", "rating") if key in session.ran
        }
        return cls(
            plan=plan.model_copy(update={"participant": session.plan.participant}),
            described=session.plan,
            analysis=_analysis(plan.analysis, session),
            title=f"rtaffect replay: {session.path.name}",
            people=people,
            body=_body(session, recorded),
            rating=_rating(session, recorded),
            hears=sound is not None,
            setup=setup,
            notes=[*recorded.warnings, *filter(None, [session.unchecked, *_left_out(plan.analysis, session)])],
            stimuli={path: sound.sha256} if sound is not None and path is not None else {},
            doubts=_doubts(session),
            steps=int(session.ran.get("steps", 0)) or None,
            session=session,
            heard=heard,
            beginning=Beginning(origin, clock, sound, about),
        )

    def check(self, model: Model | None) -> Sequence[str]:
        """Return whether the bundle is another one than when the session ran, and what is missing of the sound."""
        scrubbed = self._without_sound(model)
        before = self.session.ran.get("bundle_sha256")
        if model is None or before is None or "bundle" in self.plan.analysis.model_fields_set:
            return scrubbed
        with suppress(OSError):
            if bundle_sha256(model.folder) == before:
                return scrubbed
        return (
            *scrubbed,
            f"bundle {model.folder} has changed since the session ran: its results will differ",
        )

    def check_affect(self, affect: SessionAffect | None) -> Sequence[str]:
        """Return what of it is another one than when the session ran, unless that is asked for."""
        given = self.plan.analysis.model_fields_set & {"affect", "library"}
        return affect.changed(self.session.ran) if affect is not None and not given else ()

    def _without_sound(self, model: Model | None) -> tuple[str, ...]:
        """Return what is missing since the sound was removed, and leave out what belongs to another bundle."""
        scrubbed, sound = self.session.ran.get(SCRUBBED), self.beginning.sound
        if not isinstance(scrubbed, dict) or sound is None or sound.source is not None:
            return ()
        removed = f"the session's sound was removed ({scrubbed.get('when')})"
        if self.heard is None or model is None:
            return (
                f"{removed}, and nothing is kept of it: there is no prediction, and no place in a stimulus to find",
            )
        if bundle_sha256(model.folder) != self.heard.bundle_sha256:
            self.beginning = replace(self.beginning, sound=replace(sound, kept=None))
            return (f"{removed}, and what is kept of it belongs to the session's own bundle: there is no prediction",)
        if self.analysis.elements == "off":
            whole = replace(self.heard.sound, elements=None)
            self.beginning = replace(self.beginning, sound=replace(sound, kept=whole))
        return (f"{removed}: predictions are made of what is kept of it",)

    @property
    def demo_of_elements(self) -> bool:
        """Whether the session's own demo was that of voice and background, whatever is wanted of them now."""
        return self.session.plan.analysis.elements == "on"

    @property
    def sound_is_gone(self) -> bool:
        """Whether the session's sound was removed since it ran."""
        sound = self.beginning.sound
        return sound is not None and sound.source is None

    def begin(self, cleanup: ExitStack, progress: Progress) -> Beginning:
        """Begin where the session began."""
        return self.beginning


def _people(session: RecordedSession, recorded: XdfRecording) -> list[XdfSource]:
    """Return the headsets of the session, in its order, as it used them."""
    eeg = session.plan.eeg
    found = []
    for described in _said(session, "eeg"):
        query = Query("source_id", described["source_id"]) if described.get("source_id") else None
        query = query or Query("name", described["stream"])
        sources = recorded.eeg_sources([query], silent=True, of=partial(given_for, eeg))
        kind = str(described.get("type", ""))
        chosen = [s for s in sources if s.info.name == described["stream"]] or sources
        if len(chosen) != 1:
            raise RecordingError(
                f"{session.recording} has {len(chosen)} streams of {query.describe()} (type {kind}), expected the one "
                f"that the session used; replay the file {under('eeg')}"
            )
        chosen[0].info = replace(chosen[0].info, name=str(described["name"]))
        found.append(chosen[0])
    return found


def _body(session: RecordedSession, recorded: XdfRecording) -> list[XdfSource]:
    """Return the streams of peripheral signals of the session, by their names in it."""
    found = []
    for described in session.ran.get("peripheral", ()):
        known = described.get("source_id")
        query = Query("source_id", str(known)) if known else Query("name", str(described["stream"]))
        for source in recorded.beside("body", [query], name=str(described["stream"]))[:1]:
            source.info = replace(source.info, name=str(described["name"]))
            if described.get("of_by") == BY_BOARD:
                sent_by(source, str(described["of"]))
            found.append(source)
    return found


def _rating(session: RecordedSession, recorded: XdfRecording) -> XdfSource | None:
    """Return the stream of the participant's rating, by its name in the session; None where nobody rated."""
    described = session.ran.get("rating")
    if not isinstance(described, dict):
        return None
    known, stream = described.get("source_id"), str(described["stream"])
    query = Query("source_id", str(known)) if known else Query("name", stream)
    found = [source for source in recorded.beside("rating", [query]) if source.info.name == stream]
    if len(found) != 1:
        raise RecordingError(
            f"{session.recording} has {len(found)} streams of ratings {stream!r}, expected the one that it used"
        )
    found[0].info = replace(found[0].info, name=str(described["name"]))
    return found[0]


def _analysis(given: AnalysisPlan, session: RecordedSession) -> AnalysisPlan:
    """Return the session's analysis, with what is given for the replay in its place."""
    said = {name: value for name, value in given.model_dump().items() if name in given.model_fields_set}
    # What is not installed is run only where it is asked for: a session's folder may be another's.
    kept = tuple(text for text in session.plan.analysis.measures if not is_file(text))
    # What was not had then is not had now, unless another bundle is given.
    had = {} if "elements" in session.ran or "bundle" in said else {"elements": "off"}
    analysis = session.plan.analysis.model_copy(update={"measures": kept, **had, **said})
    if analysis.bundle is None and "bundle" in session.ran:
        folder = Path(str(session.ran.get("bundle_folder", "")))
        # Where none was named, the demo's stood in.
        used = folder if session.plan.mode != "demo" and folder.is_dir() and folder != Path() else DEMO_BUNDLE
        analysis = analysis.model_copy(update={"bundle": used})
    for error in brought_by_bundle(analysis, tuple(name for name in said if name in BROUGHT)):
        raise error
    return analysis


def _left_out(given: AnalysisPlan, session: RecordedSession) -> list[str]:
    """Return what is said of measures that are not installed and not given anew."""
    if "measures" in given.model_fields_set:
        return []
    return [
        f"the session had --measure {text}, whose code is not run from a session's folder; give it again to "
        "have it here, too"
        for text in session.plan.analysis.measures
        if is_file(text)
    ]


def _setup(session: RecordedSession) -> ProtocolSetup:
    """Return the session's protocol, from the copy that the session keeps; raises if it is another one now."""
    kept, file = session.path / PROTOCOL_FILE, session.plan.protocol.file
    told = marks_and_notes(session)
    if file is None:
        return ProtocolSetup(told=told)
    protocol = read_protocol(kept if kept.is_file() else file)
    if protocol.sha256 != session.ran.get("protocol_sha256", protocol.sha256):
        raise SettingsError(
            f"protocol {protocol.path} has changed since the session {session.path} ran; put the file back as it was"
        )
    follow = keys_that_gave(protocol, blocks_that_ran(session), keys_that_counted(session))
    programme = Programme.of(protocol)
    for path, sound in programme.sounds.items() if programme is not None else ():
        _check_sound(session, path, sound.sha256)
    return ProtocolSetup(protocol, as_recorded(session), programme, follow=follow, told=told)


def _check_sound(session: RecordedSession, path: Path, sha256: str) -> None:
    """Refuse a sound that is not one of those that the session heard, or is not as it was kept."""
    if path.is_relative_to(session.path.absolute()):
        session.checked(path.relative_to(session.path.absolute()).as_posix())
    heard = {str(each.get("sha256")) for each in session.ran.get("stimuli", [])}
    if heard and sha256 not in heard:
        raise RecordingError(
            f"session {session.path}: {path} is another sound than the session heard (sha256 {sha256[:12]}...); put "
            "the file back that was heard"
        )


def _sound(
    session: RecordedSession,
    recorded: XdfRecording,
    programme: Programme | None,
    origin: float,
    clock: Clock,
    *,
    heard: Heard | None,
) -> Sound | None:
    """Return the session's sound: recorded where it was captured, else the file or the protocol's."""
    kind, plan, path = (
        session.ran.get("sound", {}).get("kind", "none"),
        session.plan.sound,
        _stimulus(session, programme),
    )
    captures = kind in ("device", "stream")
    file = SoundFileSource.open(path) if path is not None else None
    if path is not None and file is not None:
        _check_sound(session, path.absolute(), file.info.source_id)
    marker = None
    if file is not None and plan.onset_marker is not None:
        unnamed = ANY_MARKERS if session.plan.programs.osc_markers is None else Query("name", OSC_MARKERS)
        query = unnamed if plan.markers is None else Query.parse(plan.markers)
        marker = _SeenMarkers(recorded.markers(query), clock), plan.onset_marker
    if captures and SCRUBBED in session.ran:
        told = MarkerOnset(*marker, origin) if marker is not None else None
        return _removed_sound(file, programme, told, heard)
    captured = recorded.audio_source() if captures else None
    return SessionSound(file, captured, marker, programme).sound(origin)


def _doubts(session: RecordedSession) -> dict[int, list[Doubt]] | None:
    """Return what was in doubt at each step; None for a session of a former version, which did not say."""
    if not (session.path / DOUBTS_FILE).exists():
        return None
    found: dict[int, list[Doubt]] = {}
    for line in session.table(DOUBTS_FILE):
        try:
            part, words = ("" if line[cell] == "n/a" else line[cell] for cell in ("part", "words"))
            about = next(name for name in get_args(About) if name == line["about"])
            doubt = Doubt(line["reason"], float(line["since"]), float(line["until"]), words, about, part)
            found.setdefault(int(line["step"]), []).append(doubt)
        except (KeyError, StopIteration, ValueError) as error:
            raise RecordingError(
                f"{session.path / DOUBTS_FILE}: {error!r} in the line {line}; expected what rtaffect wrote: copy the "
                "whole folder again"
            ) from None
    return found


def _removed_sound(
    file: SoundFileSource | None, programme: Programme | None, told: TimeLock | None, heard: Heard | None
) -> Sound:
    """Return what a session knows of its sound that was removed; ``told`` is what a marker says of the stimulus."""
    kept = heard.sound if heard is not None else None
    if programme is not None:
        return Sound(None, programme.stimuli, programme.lock, kept)
    lock = told if told is not None or heard is None else heard.lock()
    known = {"": file.info.source_id} if file is not None and lock is not None else {}
    return Sound(None, known, lock, kept)


class _SeenMarkers:
    """Recorded markers as a live session saw them: not before they came."""

    trouble = ""

    def __init__(self, markers: Sequence[Marker], clock: Clock) -> None:
        self._markers, self._clock = markers, clock
        self._flooded_at = flooded_at(marker.time for marker in markers)

    @property
    def flooded(self) -> bool:
        """Whether too many have come at once by now."""
        return self._flooded_at <= self._clock.now()

    @property
    def markers(self) -> tuple[Marker, ...]:
        """Those that have come by now."""
        now = self._clock.now()
        return tuple(marker for marker in self._markers if marker.time <= now)


def _stimulus(session: RecordedSession, programme: Programme | None) -> Path | None:
    """Return the known stimulus of a session whose protocol has no sounds of its own, in the session's folder."""
    kept = session.ran.get("stimuli", [])
    if not kept or programme is not None:
        return None
    return session.place(str(kept[0]["file"]))


def _said(session: RecordedSession, key: str) -> Any:
    if key not in session.ran:
        raise RecordingError(f"{session.path}: session.toml does not say {key} of the run; it is damaged")
    return session.ran[key]
