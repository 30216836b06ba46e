"""A live session: headsets on the network, and what is heard in the room."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Final, Self

from rtaffect.common.clock import LslClock
from rtaffect.common.errors import SettingsError, StreamError, at_terminal, setting
from rtaffect.engine.engine import Engine
from rtaffect.outputs.programme_player import ProgrammePlayer
from rtaffect.outputs.sound_player import CuePlayer, SoundPlayer, describe_counts
from rtaffect.plan.eeg_plan import EegPlan
from rtaffect.plan.session_folder import RECORDING_FILE
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.predicted.featurizer import Progress
from rtaffect.protocol.choice import choose_arm
from rtaffect.protocol.reading import practice_alone, read_protocol
from rtaffect.record.recorder import Recorder
from rtaffect.run.assemble import Model, require_reference
from rtaffect.run.film import passed_over, projector_of
from rtaffect.run.live_checks import LiveChecks
from rtaffect.run.live_sound import LiveSound, check_sound, device_of, known_sound
from rtaffect.run.newcomers import Newcomers, Offers
from rtaffect.run.programme import Programme
from rtaffect.run.rating import live_rating, rated_bundle, rating_as_sent, wears_none
from rtaffect.run.recognised import about_headsets, describe_headset, describe_rating
from rtaffect.run.session_sources import Beginning, ProtocolSetup, SessionSources
from rtaffect.run.wearing import Wearing
from rtaffect.sources.board_preset import BoardPreset, presets_of
from rtaffect.sources.boards import BoardAddress, open_board, parse_board, refuse_same
from rtaffect.sources.channel_plan import Given
from rtaffect.sources.foreign_clock import Foreign
from rtaffect.sources.lsl import LslSource
from rtaffect.sources.lsl_expected import ExpectedHeadset, parse_expected
from rtaffect.sources.lsl_markers import LslMarkers
from rtaffect.sources.lsl_streams import FoundStream, Network, absent, find_streams
from rtaffect.sources.osc_markers import OscMarkers
from rtaffect.sources.peripheral import Asked
from rtaffect.sources.selection import (
    ANY_EEG,
    ANY_MARKERS,
    Query,
    distinct_names,
    given_for,
    queries_of,
    require_meant,
    undescribed,
)
from rtaffect.stream.limits import MOST_MARKER_STREAMS
from rtaffect.stream.source import Source, StreamHeader

#: From everything being ready to the session's zero, s: the window opens and a sound device starts in it.
_WARNING_S: Final = 2.0
#: Streams of markers have this long to answer, s.
_MARKERS_S: Final = 1.0
#: A sound that begins this far from the session's zero is mentioned, s.
_LATE_S: Final = 0.01
_OWN: Final = "rtaffect-"


#: A headset, the name of its stream or board, and its type.
Headset = tuple[Source, str, str]


@dataclass(kw_only=True)
class LiveSources(SessionSources):
    """What a live session is made of."""

    headsets: Sequence[Headset]
    heard: LiveSound
    newcomers: Newcomers
    wearing: Wearing
    player: SoundPlayer | None = None
    checks: LiveChecks | None = None

    @classmethod
    def open(cls, plan: SessionPlan, cleanup: ExitStack, progress: Progress) -> Self:
        """Find headsets, sound and markers; raises RtaffectError if something is missing or does not go together."""
        check_sound(plan.sound)
        plan = _with_folder(plan)
        setup = _setup(plan)
        progress("looking for streams")
        rated = rated_bundle(plan)
        headsets = [] if wears_none(plan.eeg, rated) else find_headsets(plan.eeg)
        people = [source for source, _, _ in headsets]
        body = _body(plan.eeg, headsets)
        wearing = Wearing(plan.eeg, body, [(source, stream) for source, stream, _ in headsets])
        rating = live_rating(plan, rated, [*people, *body])
        newcomers = Newcomers([*people, *body], (*queries_of(plan.eeg), ANY_EEG))
        osc, foreign = _osc_markers(plan, cleanup), plan.eeg.foreign_clock
        heard = LiveSound(plan.sound, plan.eeg.wait_s, cleanup, setup.programme, foreign=foreign, osc=osc)
        lsl, notes = _all_markers(heard.markers if isinstance(heard.markers, LslMarkers) else None, foreign)
        markers: list[LslMarkers | OscMarkers] = [*([osc] if osc is not None else []), *lsl]
        protocol = setup.protocol
        unused = [*passed_over(protocol, plan), *practice_alone(protocol)] if protocol is not None else []
        recorder = Recorder(plan.results.out / RECORDING_FILE) if plan.results.out is not None else None
        if recorder is not None:
            for source in (*people, *body, rating, rating_as_sent(rating), heard.captured, *markers):
                if source is not None:
                    recorder.record(source)  # type: ignore[arg-type]  # every live source has a header and a tap
        return cls(
            plan=plan,
            analysis=plan.analysis,
            title=protocol.name if protocol is not None else "rtaffect live",
            people=people,
            hears=heard.source is not None,
            setup=setup,
            notes=[*about_headsets(people), *wearing.notes, *notes, *unused],
            recorder=recorder,
            markers=markers,
            body=body,
            rating=rating,
            stimuli=heard.stimuli,
            headsets=headsets,
            heard=heard,
            newcomers=newcomers,
            wearing=wearing,
        )

    def check(self, model: Model | None) -> Sequence[str]:
        """Refuse a stimulus without a reference, and say which of a protocol's sounds have none."""
        sound, programme = self.plan.sound, self.setup.programme
        if sound.stimulus is not None and self.heard.file is not None:
            bundle = model.bundle if model else None
            require_reference(bundle, self.heard.file.info.source_id, setting("stimulus", sound.stimulus))
        if programme is None or model is None or self.analysis.against == "group":
            return ()
        if model.bundle.space.kind == "ratings":
            return ()
        files = programme.sounds.values()
        without = [file.path.name for file in files if model.bundle.reference_for(file.sha256) is None]
        if not without:
            return ()
        return (
            f"the bundle has no reference for {', '.join(without)}: nothing is observed while it is played, unless "
            "people are compared with each other",
        )

    def begin(self, cleanup: ExitStack, progress: Progress) -> Beginning:
        """Open boards and the sound file, which takes time; the session begins soon after."""
        if any(person.info.origin != "lsl" for person in self.people):
            progress("opening boards")
            for person in self.people:
                cleanup.callback(person.stop)
                # Starting twice does nothing.
                person.start()
        sound = self.plan.sound
        if sound.file is not None and not sound.silent:
            self.player = SoundPlayer.open(sound.file, device_of(sound.speaker))
        self.newcomers.begin()
        clock = LslClock()
        origin = clock.now() + _WARNING_S
        eeg = [describe_headset(*headset) for headset in self.headsets]
        about = self.heard.describe() | {"eeg": eeg}
        if self.body:
            about["peripheral"] = self.wearing.describe()
        if self.rating is not None:
            about["rating"] = describe_rating(self.rating)
        self.checks = LiveChecks.of(self.plan, self.speaker)
        if self.speaker is not None and self.checks.level_db is not None:
            self.speaker.gain_db = self.checks.level_db
        if known := self.checks.content():
            about["checks"] = known
        return Beginning(origin, clock, self.heard.sound(origin), about)

    def notices(self) -> Sequence[str]:
        """Return which headset is offered for one that is lost, and which are new."""
        return (*filter(None, [self.offers.notice()]), *self.newcomers.notices())

    @cached_property
    def offers(self) -> Offers:
        """What may be taken for sources that are lost."""
        return Offers([*self.people, self.heard.captured])

    @property
    def speaker(self) -> CuePlayer | None:
        """What lets the session's sound be heard: the file, or the protocol's sounds."""
        return self.player or self.setup.player

    def play(self, engine: Engine, cleanup: ExitStack, note: Callable[[str], None]) -> None:
        """Play the sound file from the session's zero on, unless another program does, and say what checks found."""
        for line in self.checks.lines() if self.checks is not None else ():
            note(at_terminal(line))
        if self.player is not None:
            cleanup.callback(_end, self.player, engine.origin, note)
            self.player.doubts = engine.place
            self.player.start(engine.origin)


def _end(player: SoundPlayer, origin: float, note: Callable[[str], None]) -> None:
    player.stop()
    late = player.actual_onset - origin
    if abs(late) > _LATE_S:
        note(f"the sound began {late:+.3f} s from the session's zero")
    if said := describe_counts(player.counts):
        note(said)


def _with_folder(plan: SessionPlan) -> SessionPlan:
    """Return the plan with a folder for the session: what is recorded is never thrown away."""
    if plan.results.out is not None:
        return plan
    name = "-".join(filter(None, [datetime.now().strftime("%Y%m%d-%H%M%S"), plan.participant]))
    return plan.model_copy(update={"results": plan.results.model_copy(update={"out": Path("sessions") / name})})


def check_without_headsets(plan: SessionPlan) -> None:
    """Refuse what of a live session can be seen before its headsets are looked for; raises RtaffectError."""
    check_sound(plan.sound)
    setup = _setup(plan)
    rated_bundle(plan)
    known_sound(plan.sound, setup.programme)


def _osc_markers(plan: SessionPlan, cleanup: ExitStack) -> OscMarkers | None:
    """Return what takes markers by OSC, where that is asked for; the onset marker is one of them, unless named else."""
    port, sound = plan.programs.osc_markers, plan.sound
    if port is None:
        return None
    osc = OscMarkers(port, sound.onset_marker if sound.markers is None else None)
    cleanup.callback(osc.stop)
    return osc


def _setup(plan: SessionPlan) -> ProtocolSetup:
    """Read the protocol and choose what the participant is shown."""
    chosen = plan.protocol
    if chosen.file is None:
        if chosen.allocation is not None:
            raise SettingsError(
                f"{setting('allocation')} is of a protocol's arms: give the {setting('protocol')}, too",
                field="protocol",
            )
        return ProtocolSetup()
    protocol = read_protocol(chosen.file)
    arm = choose_arm(protocol, plan.participant, chosen.allocation, chosen.session_code)
    programme = Programme.of(protocol)
    silent = programme is None or plan.sound.silent
    projector = projector_of(protocol, plan)
    player = None if silent else ProgrammePlayer(device_of(plan.sound.speaker), programme.rate if programme else None)
    return ProtocolSetup(protocol, arm, programme, player, projector)


def find_headsets(eeg: EegPlan) -> list[Headset]:
    """Find the streams and boards that are asked for; boards are not open yet. Raises StreamError, SettingsError."""
    addresses, expected = [parse_board(text) for text in eeg.boards], [parse_expected(text) for text in eeg.expect]
    refuse_same(addresses)
    queries = queries_of(eeg) if eeg.streams or not addresses else ()
    found = find_streams(queries, timeout=eeg.wait_s, allow_missing=eeg.allow_missing) if queries else []
    # Who is missing, if that is allowed, joins later as who is expected does.
    expected += absent(queries, found)
    later = _still_expected(expected, found)
    names = distinct_names(
        [(s.header.name, s.header.source_id) for s in found]
        + [(a.name, a.text) for a in addresses]
        + [(query.value, query.value) for query in later]
    )
    _refuse_twice(eeg, addresses)
    absentees = [_named_by(query) for query in later]
    require_meant(eeg, [*(s.header for s in found), *absentees], [a.text for a in addresses])
    lsl = partial(LslSource, adopt=eeg.adopt, foreign=eeg.foreign_clock)
    streams = _all_of(
        (partial(lsl, s, **given_for(eeg, s.header) | Given(name=name)), s.header.name, s.header.type)
        for s, name in zip(found, names, strict=False)
    )
    there = [*streams, *_boards(eeg, addresses, names[len(found) :])]
    return [*there, *_absent(later, names[len(there) :], [source for source, _, _ in there], eeg)]


def _still_expected(expected: Sequence[Query], found: Sequence[FoundStream]) -> list[Query]:
    """Return those who are ``expected`` and are not among the streams ``found``."""
    return [query for query in expected if not any(query.matches(stream.header) for stream in found)]


def _boards(eeg: EegPlan, addresses: Sequence[BoardAddress], names: Sequence[str]) -> list[Headset]:
    """Return the boards by these ``names``; of more names the first ones."""
    known = [(a, given_for(eeg, undescribed(a.text), a.text)) for a in addresses]
    return _all_of(
        (partial(open_board, a, adopt=eeg.adopt, **given | Given(name=name)), a.name, "EEG")
        for (a, given), name in zip(known, names, strict=False)
    )


def _named_by(query: Query) -> StreamHeader:
    """Return what is known of a headset that is not there yet."""
    return undescribed(query.value, query.value if query.field == "source_id" else "")


def _refuse_twice(eeg: EegPlan, addresses: Sequence[BoardAddress]) -> None:
    """Refuse what a board's own text says, and its headset's, too."""
    for address, each in ((a, each) for a in addresses for each in eeg.headsets if each.stream == a.text):
        for name in ("channels", "unit", "rate"):
            if getattr(address, name) and getattr(each, name):
                raise SettingsError(
                    f"{setting('headset', each.text)} says {name} of a board whose own text does", remedy="say it once"
                )


def _all_of(opening: Iterable[tuple[Callable[[], Source], str, str]]) -> list[Headset]:
    """Return the headsets; what keeps any of them from being used is told at once (StreamError)."""
    made: list[Headset] = []
    wrong: list[StreamError] = []
    for opener, name, kind in opening:
        try:
            made.append((opener(), name, kind))
        except StreamError as error:
            wrong.append(error)
    if len(wrong) > 1:
        raise StreamError(" | ".join(dict.fromkeys(error.message for error in wrong)))
    if wrong:
        raise wrong[0]
    return made


def _body(eeg: EegPlan, headsets: Sequence[Headset]) -> list[LslSource | BoardPreset]:
    """Find the streams of peripheral signals that are asked for, and those of boards that come in other presets.

    Raises StreamError for a stream that is not there.
    """
    beside = [each for source, _, _ in headsets for each in presets_of(source)]
    if not eeg.peripheral:
        return list(beside)
    found = find_streams([Asked.parse(text).query for text in eeg.peripheral], timeout=eeg.wait_s)
    there = [*(source for source, _, _ in headsets), *beside]
    taken = [(source.info.name, source.info.source_id) for source in there]
    names = distinct_names([*taken, *((each.header.name, each.header.source_id) for each in found)])[len(taken) :]
    streams = [
        LslSource(each, "body", adopt=eeg.adopt, foreign=eeg.foreign_clock, name=name)
        for each, name in zip(found, names, strict=True)
    ]
    return [*streams, *beside]


def _absent(
    expected: Sequence[Query], names: Sequence[str], there: Sequence[Source], eeg: EegPlan
) -> Iterator[Headset]:
    """Return the headsets that are to come, with what all that are there have in common."""
    for query, name in zip(expected, names, strict=True):
        first, *others = (source.info for source in there)
        common = [channel for channel in first.channels if all(channel in other.channels for other in others)]
        given = given_for(eeg, _named_by(query)) | Given(name=name)
        yield (
            ExpectedHeadset(query, common, first.rate, adopt=eeg.adopt, foreign=eeg.foreign_clock, **given),
            query.value,
            "EEG",
        )


def _all_markers(chosen: LslMarkers | None, foreign: Foreign = "arrival") -> tuple[list[LslMarkers], list[str]]:
    """Return every stream of markers on the network, so that all of them are recorded: first the chosen one.

    And what is said of those that cannot be.
    """
    network, found, notes = Network(), [chosen] if chosen is not None else [], []
    time.sleep(_MARKERS_S)
    known = {markers.header.uid for markers in found}
    for stream in network.streams():
        header = stream.header
        if ANY_MARKERS.matches(header) and header.uid not in known and not header.name.startswith(_OWN):
            try:
                if len(found) == MOST_MARKER_STREAMS:
                    raise StreamError(f"stream {header.name!r} is one more than {MOST_MARKER_STREAMS}: close some")
                found.append(LslMarkers(stream, foreign=foreign))
            except StreamError as error:
                notes.append(f"markers are not recorded: {error}")
    return found, notes
