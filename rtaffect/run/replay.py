"""A recording (XDF) as a session."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from rtaffect.common.clock import clock_of
from rtaffect.common.errors import SettingsError, setting
from rtaffect.plan.session_plan import SessionPlan, parse_speed
from rtaffect.predicted.featurizer import Progress
from rtaffect.run.assemble import Model, OwnResponse, require_reference
from rtaffect.run.placing import Placed, onset_of, own_response, place
from rtaffect.run.rating import rated_bundle, recorded_rating, wears_none
from rtaffect.run.recognised import about_headsets, describe_headset, describe_rating
from rtaffect.run.session_sources import Beginning, SessionSources
from rtaffect.run.wearing import Wearing
from rtaffect.sources.device_profile import is_eeg
from rtaffect.sources.peripheral import Asked
from rtaffect.sources.selection import given_for, queries_of, require_meant
from rtaffect.sources.xdf import XdfRecording


@dataclass(kw_only=True)
class RecordingReplay(SessionSources):
    """What the replay of a recording is made of."""

    path: Path
    recorded: XdfRecording
    placed: Placed
    factor: float | None
    wearing: Wearing

    @classmethod
    def open(cls, plan: SessionPlan, path: Path, progress: Progress) -> Self:
        """Read the recording and place the session in it; raises RtaffectError if that is impossible."""
        factor, eeg = parse_speed(plan.speed), plan.eeg
        if plan.protocol.file is not None:
            raise SettingsError("a protocol is replayed with its session: give the session's folder as RECORDING")
        progress("reading the recording")
        recorded = XdfRecording.open(path)
        rated = rated_bundle(plan)
        if not wears_none(eeg, rated) or any(is_eeg(stream.header) for stream in recorded.streams):
            worn = recorded.eeg_sources(queries_of(eeg), unusable=eeg.resync, of=partial(given_for, eeg))
            require_meant(eeg, [source.header for source in worn])
        rating = recorded_rating(recorded, eeg.rating)
        body = recorded.beside("body", [Asked.parse(text).query for text in eeg.peripheral])
        settled = recorded.settle(
            part=eeg.part, hole_s=eeg.longest_hole_s, resync=eeg.resync, holding=onset_of(recorded, plan.sound)
        )
        people = [source for source in settled if source.info.kind == "eeg"]
        wearing = Wearing(eeg, body, [(person, person.header.name) for person in people])
        placed = place(recorded, plan.sound)
        return cls(
            plan=plan,
            analysis=plan.analysis,
            title=f"rtaffect replay: {path.name}",
            people=people,
            body=body,
            rating=rating,
            hears=placed.sound is not None,
            wearing=wearing,
            notes=[*recorded.warnings, *about_headsets(people), *wearing.notes],
            stimuli=placed.stimuli,
            path=path,
            recorded=recorded,
            placed=placed,
            factor=factor,
        )

    def check(self, model: Model | None) -> Sequence[str]:
        """Refuse a stimulus that the bundle has no reference for."""
        stimulus, sound = self.plan.sound.stimulus, self.placed.sound
        if stimulus is not None and sound is not None:
            require_reference(model.bundle if model else None, sound.sha256, setting("stimulus", stimulus))
        return ()

    def own_response(self, model: Model | None) -> OwnResponse | None:
        """Return what gives the one person's response, where that person is part of the reference."""
        if not self.plan.sound.in_reference:
            return None
        return own_response(self.recorded, self.plan.eeg, len(self.people), self.placed, model)

    def begin(self, cleanup: ExitStack, progress: Progress) -> Beginning:
        """Begin where the session was placed."""
        placed = self.placed
        about = placed.about | {"recording_start": self.recorded.start}
        about["eeg"] = [describe_headset(person) for person in self.people]
        if self.body:
            about["peripheral"] = self.wearing.describe()
        if self.rating is not None:
            about["rating"] = describe_rating(self.rating)
        return Beginning(placed.origin, clock_of(placed.origin, self.factor), placed.sound, about)

    def ended(self, steps: int) -> str:
        """Return that a recording had no step."""
        return "" if steps else f"{self.path} is shorter than one step: nothing to show"
