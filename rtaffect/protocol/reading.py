"""Reads a protocol's file and says in words all that is wrong with it, one line for each problem."""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rtaffect.common.errors import FilmError, RtaffectError, SettingsError, SoundError
from rtaffect.common.files import sha256_of
from rtaffect.common.mistakes import Mistake, mistakes
from rtaffect.common.reading import path_problem, read_bytes, toml_content, why
from rtaffect.common.text import clean, file_name
from rtaffect.plan.session_folder import SESSION_FILE, STIMULI
from rtaffect.protocol.measured import Named, check_measure
from rtaffect.protocol.model import LEAD_S, LEAST_VALUES, MEAN, Protocol
from rtaffect.sources.film_file import inspect_film
from rtaffect.stream.sound_reading import sound_length

#: So many rows are named in a message.
_NAMED = 12
#: Letters of a block's name that a message quotes.
_MOST_NAME = 80


def read_protocol(path: Path) -> Protocol:
    """Return the protocol in a TOML file; its sounds are there and their lengths are known.

    Raises
    ------
    SettingsError
        If it cannot be read or says something unknown or impossible: the first problem, and how many more there are.
    """
    protocol, problems = inspect_protocol(path)
    if protocol is None or problems:
        raise one_of(f"protocol {path}", problems, f"`rtaffect protocol check {path}` lists them")
    return protocol


def inspect_protocol(path: Path) -> tuple[Protocol | None, list[str]]:
    """Return the protocol in a TOML file, None where it is impossible, and all problems, one line each.

    Raises
    ------
    SettingsError
        If the file cannot be read as TOML.
    """
    try:
        data = read_bytes(path)
        content = toml_content(data)
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"protocol {path} cannot be read ({why(error)}); expected TOML in UTF-8: correct it"
        ) from None
    try:
        protocol = Protocol.model_validate(content)
    except ValidationError as error:
        problems = [line for each in mistakes(error, Protocol) for line in _problem_lines(each, content)]
        tables = content.get("block")
        blocks: list[Any] = tables if isinstance(tables, list) else []
        named = [_named(block) if isinstance(block, dict) else ("stimulus", None) for block in blocks]
        return None, [*problems, *_place_sounds(named, path.parent)[1]]
    protocol._path, protocol._sha256 = Path(os.path.abspath(path)), sha256_of(data)
    lengths, problems = _place_sounds([_named(block.model_dump()) for block in protocol.blocks], path.parent)
    for block, found in zip(protocol.blocks, lengths, strict=True):
        if found is not None:
            block._sound, seconds, block._picture_s = found
            block._seconds = seconds if block.duration_s is None else block.duration_s
            if block._seconds < LEAD_S:
                problems.append(
                    f"block {block.number} '{block.name}': its sound lasts {seconds} s, a block at least {LEAD_S} s: "
                    f"give duration_s = {LEAD_S} or more; silence follows the sound"
                )
    return protocol, problems


def check_rows(
    protocol: Protocol, rows: Sequence[str], measures: Sequence[Named] | None = None, *, rated: bool = False
) -> None:
    """Refuse a rule whose rows, or whose measure, the session does not have.

    Parameters
    ----------
    protocol
        What names the rows.
    rows
        Names of the space's rows.
    measures
        The session's own measures; None where they are not known.
    rated
        Whether the rows are ratings, which have no mean.

    Raises
    ------
    SettingsError
        If a row of the rule is none of them.
    """
    if protocol.feedback.measure is not None:
        if measures is not None:
            check_measure(protocol.name, protocol.feedback, measures)
        return
    if rated and protocol.feedback.scale == "null":
        raise SettingsError(
            f"protocol '{protocol.name}': feedback.scale = null, and ratings have no null band; choose baseline, "
            "adaptive or fixed"
        )
    if rated and MEAN in protocol.feedback.rows and any(block.kind == "feedback" for block in protocol.blocks):
        raise SettingsError(
            f"protocol '{protocol.name}': feedback.rows = ['{MEAN}'] is of synchrony, and ratings have no mean; name "
            f"one of {', '.join(rows)}"
        )
    unknown = [name for name in protocol.feedback.rows if name != MEAN and name not in rows]
    if unknown:
        more = [f"and {len(rows) - _NAMED} more"] if len(rows) > _NAMED else []
        near = difflib.get_close_matches(unknown[0], rows, n=3)
        known = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join([*rows[:_NAMED], *more])}"
        raise SettingsError(
            f"protocol '{protocol.name}': feedback.rows names {', '.join(unknown)}, which this session does not have; "
            f"{known} Or choose rows = ['{MEAN}']"
        )


def check_window(protocol: Protocol, window_s: int) -> None:
    """Refuse blocks that end before a window of ``window_s`` seconds that lies inside them has told enough.

    Raises
    ------
    SettingsError
        If a block of feedback would show nothing, or the baseline cannot give enough values.
    """
    problems = window_problems(protocol, window_s)
    if problems:
        raise one_of(f"protocol '{protocol.name}'", problems, "lengthen the blocks")


def window_problems(protocol: Protocol, window_s: int) -> list[str]:
    """Return what :func:`check_window` refuses, one line each."""
    problems, baseline, scale = [], 0, protocol.feedback.scale
    judged = False
    for block in protocol.blocks:
        seconds = block.seconds
        if seconds is None:
            continue
        if block.kind == "baseline" and not block.practice:
            baseline += max(0, seconds - window_s)
        elif block.kind in ("feedback", "transfer") and not block.practice:
            if scale == "baseline" and baseline < LEAST_VALUES and not judged:
                problems.append(
                    f"the baseline before block {block.number} '{block.name}' gives at most {baseline} values, its "
                    f"scale needs {LEAST_VALUES}: it must last {LEAST_VALUES} s beyond the window of {window_s} s"
                )
            judged = True
        if block.kind == "feedback" and seconds <= window_s + protocol.settle_s:
            late = f" and the longest delay of {protocol.delay_s} s" if protocol.delay_s else ""
            problems.append(
                f"block {block.number} '{block.name}' lasts {seconds} s, of which the first {window_s} s fill the "
                f"window{late}: nothing would be shown; make it longer"
            )
    return problems


def practice_alone(protocol: Protocol) -> list[str]:
    """Return, in words, that nothing of a protocol counts; [] where something does."""
    if not all(block.practice for block in protocol.blocks):
        return []
    return [
        f"protocol '{protocol.name}': all its blocks are for practice, so that none counts in a result; set practice = "
        "false in those that do"
    ]


def one_of(what: str, problems: Sequence[str], where: str) -> SettingsError:
    """Return the error that tells the first of several problems, how many more there are and where they are told."""
    more = f" (and {len(problems) - 1} more: {where})" if len(problems) > 1 else ""
    return SettingsError(f"{what}: {problems[0]}{more}")


def _named(block: Mapping[str, object]) -> tuple[str, object]:
    """Return the field that names what a block plays, and what it says."""
    field = "stimulus" if block.get("film") is None else "film"
    return field, block.get(field)


#: A block's sound or film, how long it lasts in whole seconds, rounded up, and how long its picture does, s.
_Placed = tuple[Path, int, float]


def _place_sounds(named: Iterable[tuple[str, object]], folder: Path) -> tuple[list[_Placed | None], list[str]]:
    """Return what each block plays, None for nothing, and what is wrong with that."""
    found: list[_Placed | None] = []
    problems: list[str] = []
    places: dict[str, Path] = {}
    for number, (field, stimulus) in enumerate(named, 1):
        path = _found(folder, stimulus) if isinstance(stimulus, (str, Path)) else None
        seconds, picture_s = None, 0.0
        if path is not None:
            try:
                picture_s = picture_seconds(path) if field == "film" else 0.0
                seconds = max(sound_seconds(path), math.ceil(picture_s))
            except RtaffectError as error:
                problems.append(f"block {number}: {field} {error}")
            other = places.setdefault(path.name, path)
            if other != path:
                problems.append(f"block {number}: {field} {path} has the same name as {other}: rename one of them")
        found.append((path, seconds, picture_s) if path is not None and seconds is not None else None)
    return found, problems


def picture_seconds(path: Path) -> float:
    """Return how long the picture of a film lasts, s; 0 where there is no file.

    Raises
    ------
    FilmError
        If it cannot be read, has no picture or no sound, or is not whole.
    """
    if path_problem(path) or not path.is_file():
        # That is told where its sound is looked for.
        return 0.0
    info = inspect_film(path)
    if info.damage:
        raise FilmError(f"{path} seems to be broken off: {info.damage}; copy or export it again")
    return info.picture_s


def _found(folder: Path, stimulus: str | Path) -> Path:
    """Return where a stimulus is, relative to the protocol's folder; in a session's folder the copy that it keeps."""
    path = Path(os.path.abspath(folder / stimulus))
    copy = Path(os.path.abspath(folder / STIMULI / file_name(path.name)))
    if path_problem(path) or path_problem(copy):
        return path
    kept = not path.is_file() or (folder / SESSION_FILE).is_file()
    return copy if copy.is_file() and kept else path


def sound_seconds(path: Path) -> int:
    """Return how long a sound file lasts, in whole seconds, rounded up.

    Raises
    ------
    SettingsError
        If it is missing, empty, or not a sound.
    """
    if not path_problem(path) and not path.is_file():
        raise SettingsError(f"{path} is not there: correct the path, which is relative to the protocol's folder")
    try:
        seconds = sound_length(path).seconds
    except SoundError as error:
        raise SettingsError(str(error)) from None
    if not seconds:
        raise SettingsError(f"{path} is empty: export it again")
    return math.ceil(seconds)


def _problem_lines(mistake: Mistake, content: dict[str, Any]) -> list[str]:
    """Return the lines in which a mistake is told: where it is, what is there, what was expected."""
    # Of a block that is no table its number is all there is to say.
    is_none = mistake.about == "value" and isinstance(mistake.path[-1], int)
    place, path = ("", mistake.path) if is_none else _place(mistake.path, content)
    within = replace(mistake, path=path)
    lines = [replace(within, wrong=wrong).line(within.where) for wrong in mistake.wrong.splitlines()]
    return [": ".join(filter(None, [place, line])) for line in lines]


def _place(path: tuple[int | str, ...], content: dict[str, Any]) -> tuple[str, tuple[int | str, ...]]:
    """Return where in the file, in words, and what is left of the path there."""
    if len(path) > 1 and path[0] in ("block", "arm", "mark") and isinstance(path[1], int):
        tables = content.get(str(path[0]))
        table = tables[path[1]] if isinstance(tables, list) else None
        name = table.get("name") if isinstance(table, dict) else None
        called = f" '{clean(name, _MOST_NAME)}'" if isinstance(name, str) else ""
        return f"{path[0]} {path[1] + 1}{called}", path[2:]
    return (str(path[0]), path[1:]) if len(path) > 1 else ("", path)
