"""What a session's folder holds, read as far as it can be read: what is missing is told, not raised."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from calibration.finished.report.blocks import BlockRun, ProtocolSteps, blocks_of, protocol_steps_of
from calibration.finished.report.contact import HeadsetContact, contact_of
from calibration.finished.report.protocol import protocol_of
from calibration.finished.report.recording import StreamReport, stream_facts
from calibration.finished.report.tables import (
    Columns,
    has_columns,
    numbers,
    read_table,
    whole_numbers,
    why_not,
)
from rtaffect.common.arrays import BoolArray, FloatArray
from rtaffect.common.errors import RecordingError, RtaffectError
from rtaffect.common.rating_scale import RatingScale
from rtaffect.common.reading import read_json
from rtaffect.common.settings import DriftSettings
from rtaffect.engine.feedback import MEAN_ROW
from rtaffect.plan.session_folder import RecordedSession, SessionTable, open_session
from rtaffect.plan.session_plan import SessionPlan

#: Columns of ``feedback.tsv`` that hold numbers.
_VALUES: Final = ("predicted", "predicted_low", "predicted_high", "observed", "null_low", "null_high")
_PREDICTED: Final = _VALUES[:3]
#: What is said of a session of an earlier version whose people were compared with each other.
_TWO_SCALES: Final = (
    "predicted synchrony: feedback.tsv is of an earlier version, in which it was for as many people as the calibration "
    "had, and observed for those who were here: two scales, which are not shown together; `replay` the session with "
    "its bundle to have both on one"
)
#: No table of a session has more values: two days of 68 regions have 12 million.
MOST_CELLS: Final = 50_000_000
#: Tables that are read.
_TABLES: Final = ("feedback.tsv", "moments.tsv", "events.tsv", "quality.tsv")


@dataclass(frozen=True, slots=True, eq=False)
class FeedbackTable:
    """``feedback.tsv``: S steps, R rows. Values are correlations, or ratings in their unit, NaN where absent.

    ``mean`` has the columns of the mean over rows, each (S,); ``predicted``, ``observed`` and ``trusted`` are (S, R),
    as are both ends of the predicted ``interval``; ``mean_trusted`` and ``stimulus_offset`` are (S,). Of ratings, which
    have no mean, any one's trust counts for it. ``reference`` (S,): whether people were compared with a stored one, at
    this step or when they last were compared. ``reasons`` has the text of each step, empty for none; ``mean_of`` over
    what the mean is.
    """

    step: NDArray[np.intp]
    time: FloatArray
    lsl_time: FloatArray
    rows: tuple[str, ...]
    kinds: tuple[str, ...]
    predicted: FloatArray
    observed: FloatArray
    trusted: BoolArray
    interval: tuple[FloatArray, FloatArray]
    mean: dict[str, FloatArray]
    mean_trusted: BoolArray
    mean_of: str
    reasons: tuple[str, ...]
    stimulus_offset: FloatArray
    reference: BoolArray

    def counted(self, name: Literal["predicted", "observed"]) -> int:
        """Return in how many steps the mean over rows has a value; of ratings, any row."""
        if set(self.kinds) == {"rating"}:
            return int(np.isfinite(self.predicted if name == "predicted" else self.observed).any(axis=1).sum())
        return int(np.isfinite(self.mean[name]).sum())


@dataclass(frozen=True, slots=True, eq=False)
class QualityTable:
    """``quality.tsv``: share of each window (0 to 1) that was good, ``good`` (P, C, S), NaN where absent."""

    people: tuple[str, ...]
    channels: tuple[str, ...]
    good: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class SessionData:
    """All of a session. ``missing`` says in words what is not there or cannot be read.

    ``blocks`` are those that count, ``apart`` those for practice and those that were begun again later.
    """

    path: Path
    plan: SessionPlan
    ran: dict[str, Any]
    course: FeedbackTable | None
    protocol_steps: ProtocolSteps | None
    blocks: tuple[BlockRun, ...]
    apart: tuple[BlockRun, ...]
    events: tuple[dict[str, str], ...]
    quality: QualityTable | None
    streams: tuple[StreamReport, ...]
    markers: tuple[tuple[str, float], ...]
    environment: dict[str, Any]
    log: tuple[str, ...]
    protocol: dict[str, Any]
    missing: tuple[str, ...]
    contact: tuple[HeadsetContact, ...] = ()

    def setting(self, group: str, name: str, default: float) -> float:
        """Return a number from the analysis' settings."""
        value = self.ran.get("settings", {}).get(group, {}).get(name, default)
        return float(value) if isinstance(value, (int, float)) else default

    @property
    def window_s(self) -> int:
        """How far back a value reaches, s: the window of synchrony, or a rating's second."""
        return round(self.setting("synchrony", "window_s", 10)) if self.rating is None else 1

    @property
    def rating(self) -> RatingScale | None:
        """The scale of the rows where they are ratings; None where they are synchrony."""
        found = self.ran.get("rating_scale")
        try:
            known = (
                {key: found[key] for key in ("low", "high", "each") if key in found} if isinstance(found, dict) else {}
            )
            return RatingScale.model_validate(known) if known else None
        except ValidationError:
            return None

    @property
    def quantity(self) -> str:
        """What rows are of, in a word."""
        return "synchrony" if self.rating is None else "rating"

    @property
    def drift(self) -> DriftSettings:
        """What is a drift: as the session was set, or by default where it does not say."""
        try:
            return DriftSettings.model_validate(self.ran.get("settings", {}).get("drift", {}))
        except ValidationError:
            return DriftSettings()

    @property
    def has_arm(self) -> bool:
        """Whether the participant is in an arm, so that the level that was shown need not be their own."""
        return self._allocated or bool(self.protocol.get("arm"))

    @property
    def sealed(self) -> bool:
        """Whether the participant is in an arm that the session does not tell; a single one is no secret."""
        return self._allocated and len(self.protocol.get("arm", [])) != 1

    @property
    def _allocated(self) -> bool:
        return self.ran.get("arm") is not None or "allocation_sha256" in self.ran

    @property
    def rule(self) -> dict[str, Any]:
        """The protocol's ``[feedback]``, as far as it is known."""
        found = self.protocol.get("feedback", {})
        return found if isinstance(found, dict) else {}


def load_session(path: Path, *, recording: bool = True) -> SessionData:
    """Read a session's folder; without its ``recording``, which takes longest, if that is not asked for.

    Raises
    ------
    RecordingError
        If it is no session's folder.
    SettingsError
        If its plan is impossible.
    """
    session = open_session(path)
    missing = [session.unchecked] if session.unchecked else []
    tables = {name: _table(session, name, missing) for name in _TABLES}
    missing += [] if (path / "people.tsv").exists() else ["people.tsv: there is no such file"]
    columns = {name: table.columns for name, table in tables.items()}
    events = tuple(tables["events.tsv"].lines)
    course = _course(columns["feedback.tsv"], missing)
    protocol_steps = protocol_steps_of(columns["moments.tsv"], missing)
    streams, markers = _recording(session, missing, replay=session.plan.mode == "replay") if recording else ((), ())
    protocol, notes = protocol_of(session)
    if "ended" not in session.ran or session.ran.get("outcome") == "running":
        missing.append("the end of the session: it was cut off, or still runs")
    contact = contact_of(session, missing)
    runs = blocks_of(protocol_steps, events, float(course.time[-1]) if course is not None else 0.0)
    blocks, apart = (tuple(run for run in runs if bool(run.apart) == aside) for aside in (False, True))
    return SessionData(
        path, session.plan, session.ran, course, protocol_steps, blocks, apart, events,
        _quality(columns["quality.tsv"]), streams, markers, _environment(path / "environment.json", missing),
        _log(path / "session.log", missing), protocol, (*missing, *notes), contact,
    )  # fmt: skip


def _table(session: RecordedSession, name: str, missing: list[str]) -> SessionTable:
    """Return a table as far as it can be read; nothing of one that is not as it was when the session ended."""
    try:
        if (session.path / name).exists():
            session.checked(name)
    except RecordingError as error:
        missing.append(f"{name}: {error}")
        return SessionTable({})
    return read_table(session.path / name, missing)


def _rows(columns: Columns) -> tuple[list[tuple[str, str]], list[tuple[str, str]], str]:
    """Return name and kind of each line's row, of each row once, and over what the mean is.

    A space may give two rows the same name, as a zone and a group: the kind tells them apart.
    """
    lines = list(zip(columns["row"], columns["kind"], strict=True))
    keys = list(dict.fromkeys(key for key in lines if key[0] != MEAN_ROW))
    return lines, keys, next((kind for name, kind in lines if name == MEAN_ROW), f"{len(keys)} rows")


def _too_many(steps: int, rows: int, missing: list[str]) -> bool:
    """Say so, and return it, if a table has more cells than any session's."""
    if steps * rows <= MOST_CELLS:
        return False
    missing.append(f"feedback.tsv: {steps} steps of {rows} rows are more than any session has: damaged")
    return True


def _values_of(columns: Columns, missing: list[str]) -> dict[str, FloatArray]:
    """Return the values of all lines; of former sessions none that are predicted for another number of people."""
    values = {name: numbers(columns[name]) for name in _VALUES}
    if "group_size" not in columns and "group" in (against := np.array(columns.get("observed_against", ()))):
        missing.append(_TWO_SCALES)
        for name in _PREDICTED:
            values[name] = np.where(against == "group", np.nan, values[name])
    return values


def _course(columns: Columns, missing: list[str]) -> FeedbackTable | None:
    wanted = ("step", "time", "lsl_time", "row", "kind", *_VALUES, "own_share", "trusted", "reason")
    if not has_columns(columns, wanted, "feedback.tsv", missing):
        return None
    steps, first, place = np.unique(whole_numbers(columns["step"]), return_index=True, return_inverse=True)
    lines, keys, mean_of = _rows(columns)
    row_of = {key: i for i, key in enumerate(keys)}
    if _too_many(len(steps), len(keys), missing):
        return None
    at = np.array([row_of.get(key, -1) for key in lines], np.intp)
    mean, rows = at < 0, at >= 0
    values = _values_of(columns, missing)
    trusted = np.array([text == "true" for text in columns["trusted"]], np.bool_)

    def by_row(found: FloatArray) -> FloatArray:
        out = np.full((len(steps), len(keys)), np.nan)
        out[place[rows], at[rows]] = found[rows]
        return out

    def of_mean(found: FloatArray) -> FloatArray:
        out = np.full(len(steps), np.nan)
        out[place[mean]] = found[mean]
        return out

    each_trusted = by_row(trusted.astype(np.float64)) > 0
    rated = {kind for _, kind in keys} == {"rating"}
    return FeedbackTable(
        step=steps,
        time=numbers(columns["time"])[first],
        lsl_time=numbers(columns["lsl_time"])[first],
        rows=tuple(name for name, _ in keys),
        kinds=tuple(kind for _, kind in keys),
        predicted=by_row(values["predicted"]),
        observed=by_row(values["observed"]),
        trusted=each_trusted,
        interval=(by_row(values["predicted_low"]), by_row(values["predicted_high"])),
        mean={name: of_mean(found) for name, found in values.items()},
        mean_trusted=np.asarray(each_trusted.any(axis=1) if rated else of_mean(trusted.astype(np.float64)) > 0),
        mean_of=mean_of,
        reasons=tuple("" if columns["reason"][i] == "n/a" else columns["reason"][i] for i in first),
        stimulus_offset=numbers(columns.get("stimulus_offset", ["n/a"] * len(lines)))[first],
        reference=_against_reference(columns.get("observed_against"), first),
    )


def _against_reference(against: list[str] | None, first: NDArray[np.intp]) -> BoolArray:
    """Return at which steps (S,), whose first lines are told, people were last compared with a stored reference."""
    found = np.ones(len(first), np.bool_)
    stored = True
    for place, line in enumerate(first if against is not None else ()):
        assert against is not None
        if against[line] in ("reference", "group"):
            stored = against[line] == "reference"
        found[place] = stored
    return found


def _quality(columns: Columns) -> QualityTable | None:
    if not all(columns.get(name) for name in ("step", "person", "channel", "quality")):
        return None
    names = ("person", "channel", "step")
    axes = [list(dict.fromkeys(columns[name])) for name in names]
    index = [{key: i for i, key in enumerate(axis)} for axis in axes]
    place = [[of[key] for key in columns[name]] for of, name in zip(index, names, strict=True)]
    if math.prod(len(axis) for axis in axes) > MOST_CELLS:
        return None
    good = np.full([len(axis) for axis in axes], np.nan)
    good[tuple(np.array(each) for each in place)] = numbers(columns["quality"])
    return QualityTable(tuple(axes[0]), tuple(axes[1]), good)


def _recording(
    session: RecordedSession, missing: list[str], *, replay: bool
) -> tuple[tuple[StreamReport, ...], tuple[tuple[str, float], ...]]:
    path = session.recording
    if not path.exists() and replay:
        return (), ()
    if not path.exists():
        missing.append(f"{path.name}: there is no such file")
        return (), ()
    try:
        streams, markers, notes = stream_facts(session.checked_recording())
    except RtaffectError as error:
        missing.append(f"{path.name}: {error}")
        return (), ()
    missing += notes
    return streams, markers


def _environment(path: Path, missing: list[str]) -> dict[str, Any]:
    try:
        found = read_json(path)
    except (OSError, ValueError) as error:
        missing.append(why_not(path, error))
        return {}
    return found if isinstance(found, dict) else {}


def _log(path: Path, missing: list[str]) -> tuple[str, ...]:
    try:
        return tuple(path.read_text(encoding="utf-8", errors="replace").splitlines())
    except OSError as error:
        missing.append(why_not(path, error))
        return ()
