"""The participant's own rating in a session: what its bundle rates, and where the rating comes from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rtaffect.common.errors import SettingsError, setting
from rtaffect.engine.bundle import Bundle, Manifest, load_manifest
from rtaffect.engine.rated import Rated
from rtaffect.plan.conflicts import SLIDER
from rtaffect.plan.eeg_plan import EegPlan
from rtaffect.plan.session_plan import DEMO_BUNDLE, SessionPlan
from rtaffect.sources.held_rating import AsSent, HeldRating
from rtaffect.sources.lsl import LslSource
from rtaffect.sources.lsl_streams import find_streams
from rtaffect.sources.selection import Query, distinct_names
from rtaffect.sources.slider import SliderSource
from rtaffect.sources.xdf import XdfRecording
from rtaffect.sources.xdf_source import XdfSource
from rtaffect.stream.source import Source

#: A slider in the participant's view has so many directions.
MOST_DIRECTIONS: Final = 2


def rated_bundle(plan: SessionPlan) -> Manifest | None:
    """Return what the plan's bundle says of itself where its rows are ratings; None for any other, or none.

    Raises
    ------
    ArtifactError
        If the bundle cannot be used.
    SettingsError
        If a rating is asked for, and the bundle has none.
    """
    folder, asked = plan.analysis.bundle, plan.eeg.rating
    manifest = load_manifest(folder) if folder is not None and folder != DEMO_BUNDLE else None
    rated = manifest if manifest is not None and manifest.space == "ratings" else None
    if asked is not None and rated is None:
        raise SettingsError(
            f"{setting('rating', asked)} is for a bundle of ratings, and "
            f"{setting('bundle', str(folder)) + ' predicts synchrony' if folder is not None else 'there is no bundle'}",
            remedy="give a bundle that `rtaffect calibrate` made of ratings, or leave it out",
            field="rating",
        )
    return rated


def wears_none(eeg: EegPlan, rated: Manifest | None) -> bool:
    """Return whether a session is without headsets: where ratings are predicted, they are worn only if named."""
    return rated is not None and not (eeg.streams or eeg.boards or eeg.expect)


def live_rating(
    plan: SessionPlan, rated: Manifest | None, taken: Sequence[Source]
) -> SliderSource | LslSource | HeldRating | None:
    """Return the source of the participant's rating; None where nobody rates.

    Parameters
    ----------
    plan
        The session's.
    rated
        What is rated.
    taken
        The session's other sources, whose names are not to be had again.

    Raises
    ------
    SettingsError, StreamError
        If there is no such stream, it is no rating, or a slider cannot move so many.
    """
    eeg = plan.eeg
    if rated is None or rated.rating is None or eeg.rating is None:
        return None
    if eeg.rating == SLIDER:
        if len(rated.rows) > MOST_DIRECTIONS:
            raise SettingsError(
                f"{setting('rating', SLIDER)} moves one or two ratings, and the bundle has {len(rated.rows)}",
                remedy="let another program send them as a stream, and name that",
                field="rating",
            )
        return SliderSource(rated.rows, rated.rating)
    found = find_streams([Query.parse(eeg.rating)], timeout=eeg.wait_s)
    if len(found) > 1:
        raise SettingsError(
            f"{setting('rating', eeg.rating)} means {len(found)} streams, expected one",
            remedy="name it by source_id=",
            field="rating",
        )
    names = [(source.info.name, source.info.source_id) for source in taken]
    header = found[0].header
    name = distinct_names([*names, (header.name, header.source_id)])[-1]
    if header.rate == 0:
        return HeldRating(found[0], adopt=eeg.adopt, foreign=eeg.foreign_clock, name=name)
    return LslSource(found[0], "rating", adopt=eeg.adopt, foreign=eeg.foreign_clock, name=name)


def rating_as_sent(rating: Source | None) -> AsSent | None:
    """Return what is recorded of a rating beside the course that is made of it; None where it is recorded as it is."""
    return rating.as_sent if isinstance(rating, HeldRating) else None


def recorded_rating(recorded: XdfRecording, asked: str | None) -> XdfSource | None:
    """Return the recorded rating that is asked for; None without.

    Raises
    ------
    SettingsError, RecordingError, StreamError
        If the recording has none such, or several, or it is no rating.
    """
    if asked is None:
        return None
    found = recorded.beside("rating", [Query.parse(asked)])
    if len(found) != 1:
        raise SettingsError(
            f"{setting('rating', asked)} means {len(found)} streams of the recording, expected one",
            remedy="name it by source_id=",
            field="rating",
        )
    return found[0]


def rated_of(bundle: Bundle | None, source: Source | None, origin: float, lag_s: float) -> Rated | None:
    """Return what stands for the rows of a session with a bundle of ratings; None with any other.

    Raises
    ------
    SettingsError
        If the source rates nothing that the bundle predicts.
    """
    if bundle is None or bundle.manifest.rating is None or bundle.space.kind != "ratings":
        return None
    return Rated(bundle.space.rows, bundle.manifest.rating, source, origin, lag_s)
