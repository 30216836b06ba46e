"""Removes the recorded sound, and with it voices, from a session's folder; keeps what predictions are made of."""

from __future__ import annotations

import threading
import time
import tomllib
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import tomli_w

from rtaffect import __version__
from rtaffect.common.errors import RecordingError, RtaffectError
from rtaffect.common.files import PRIVATE, sha256_of, write_whole
from rtaffect.common.sums import SUMS_FILE, put_sums
from rtaffect.common.words import size
from rtaffect.engine.bundle import bundle_sha256
from rtaffect.plan.session_folder import SESSION_FILE, RecordedSession, open_session
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.predicted.featurizer import Progress
from rtaffect.record.sound_removal import RemovedStream, sound_streams, without_streams
from rtaffect.run.assemble import Model
from rtaffect.run.kept import KEPT_FILE, Keeper
from rtaffect.run.recipe import prepare
from rtaffect.run.running import RunningSession
from rtaffect.run.session_record import SessionRecord
from rtaffect.run.session_replay import SCRUBBED, SessionReplay
from rtaffect.timelock.stimulus import SoundOnset

#: A recording without an end that was written within this time may be of a session that still runs, s.
_STILL_S: Final = 30.0
NOT_KEPT: Final = "what is predicted and where it was in a stimulus cannot be computed again; the tables have both"


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """What was removed of a session, in words, and what is kept of its sound, or why nothing is."""

    folder: Path
    removed: tuple[str, ...]
    kept: str = ""


def scrub(folder: Path, progress: Progress, *, dry_run: bool = False) -> Scrubbed:
    """Remove the sound from the recording of the session in ``folder``; without sound nothing is changed.

    EEG, markers, tables and the stimulus files that were played stay. Of the sound the components are kept from which
    predictions are made (:mod:`rtaffect.run.kept`), where the session's bundle is here.

    Raises
    ------
    RecordingError
        If it is no session's folder, its files are not as they were, it still runs, or it cannot be written.
    """
    session = open_session(folder)
    if not session.recording.exists():
        return Scrubbed(folder, ())
    recording = session.checked_recording()
    heard = session.ran.get("sound", {})
    captured = heard.get("kind") in ("device", "stream")
    streams = sound_streams(recording, (str(heard.get("name")),) if captured else ())
    if not streams:
        return Scrubbed(folder, ())
    if "ended" not in session.ran and time.time() - recording.stat().st_mtime < _STILL_S:
        raise RecordingError(f"session {folder} still runs, or was cut off just now; end it, and try again")
    removed = tuple(f"{each.name or 'sound'} ({each.type or 'no type'}), {size(each.size)}" for each in streams)
    if dry_run:
        return Scrubbed(folder, removed, "what predictions are made of, where the session's bundle is here")
    kept, why = _kept(session, progress) if captured else ("", "nothing was predicted from it")
    about = f"the components that predictions are made of ({KEPT_FILE})" if kept else f"nothing ({why}): {NOT_KEPT}"
    try:
        _remove(session, recording, streams, kept, {"removed": list(removed), "kept": about})
    except OSError as error:
        raise RecordingError(
            f"session {folder} cannot be written ({error.strerror}); make room, and scrub it again"
        ) from None
    return Scrubbed(folder, removed, about)


def _kept(session: RecordedSession, progress: Progress) -> tuple[str, str]:
    """Return the content of the file that is kept, or '' and why there is none."""
    if SCRUBBED in session.ran and (session.path / KEPT_FILE).exists():
        # It was cut off after this had been written.
        return session.checked(KEPT_FILE).read_text(encoding="utf-8"), ""
    if "bundle" not in session.ran:
        return "", "there was no bundle to predict with"
    try:
        return _listen_again(session, progress)
    except RtaffectError as error:
        return "", " ".join(str(error).split())


def _listen_again(session: RecordedSession, progress: Progress) -> tuple[str, str]:
    models: list[Model] = []
    plan = SessionPlan(mode="replay", recording=session.path, speed="max")
    with ExitStack() as cleanup:
        run = prepare(plan, cleanup, progress, lambda _: None, models.append)
        if bundle_sha256(models[0].folder) != session.ran.get("bundle_sha256"):
            return "", f"bundle {models[0].folder} is another one than the session's"
        assert isinstance(run.sources, SessionReplay)
        sound = run.sources.beginning.sound
        if sound is None or sound.source is None:
            return "", "its sound is not in the recording"
        lock = sound.lock if isinstance(sound.lock, SoundOnset) else None
        bundle, stage, ready = models[0].bundle, run.engine.elements, models[0].elements
        keeper = Keeper(
            sound.source, models[0].featurizer, bundle.weights, run.engine.origin, lock,
            elements=bundle.elements, ahead=ready.ahead if ready is not None else 0,
        )  # fmt: skip
        running = RunningSession(run, SessionRecord(run, None), threading.Event(), cleanup)
        progress(f"listening again to {session.path.name}")
        running.stage.begin()
        for feedback in running.session():
            keeper.add(feedback.step, feedback.alignment, stage.newest if stage is not None else {})
    return keeper.content(str(session.ran["bundle_sha256"])), ""


def _remove(
    session: RecordedSession, recording: Path, streams: list[RemovedStream], kept: str, about: dict[str, Any]
) -> None:
    """Write what is kept, note it, and then remove the sound: cut off anywhere, the same command goes on."""
    folder = session.path
    (folder / SUMS_FILE).unlink(missing_ok=True)
    if kept:
        write_whole(folder / KEPT_FILE, kept, PRIVATE)
    file = folder / SESSION_FILE
    content = tomllib.loads(file.read_text(encoding="utf-8"))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    content["ran"][SCRUBBED] = {"when": now, "rtaffect": __version__, **about}
    write_whole(file, tomli_w.dumps(content), PRIVATE)
    without_streams(recording, frozenset(each.number for each in streams))
    if session.sums is not None:
        changed = [file, recording, *([folder / KEPT_FILE] if kept else [])]
        put_sums(
            folder,
            {**session.sums, **{path.relative_to(folder).as_posix(): sha256_of(path) for path in changed}},
            PRIVATE,
        )
