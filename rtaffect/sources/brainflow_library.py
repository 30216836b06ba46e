"""BrainFlow, loaded only when a board is asked for: its boards by name, their parameters, its errors in words."""

from __future__ import annotations

import difflib
import importlib
import importlib.resources
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rtaffect.common.errors import StreamError
from rtaffect.common.text import clean
from rtaffect.sources.package_counter import Numbering

INSTALL = 'pip install "rtaffect[brainflow]"'
#: Boards that stand for another one, which ``master_board`` names.
STANDING_FOR = ("playback_file", "streaming")

#: Peripheral signals that a board may have beside its electrodes, as BrainFlow and streams call them.
BODY_TYPES: Final = ("EDA", "ECG", "PPG", "TEMPERATURE")

#: Parameters of a board's text that are not BrainFlow's: they say nothing of which board it is.
OWN_PARAMETERS: Final = ("config", "peripheral")

#: Parameters of boards that stand for another one which say where its presets beside the default one come from.
_FROM: Final = {"auxiliary": ("file_aux", "ip_address_aux"), "ancillary": ("file_anc", "ip_address_anc")}

#: What BrainFlow does not say: parameters that boards need, their units and numbering, and what errors mean.
KNOWN: Final[dict[str, Any]] = tomllib.loads(
    importlib.resources.files("rtaffect.sources").joinpath("brainflow.toml").read_text(encoding="utf-8")
)


@dataclass(frozen=True, slots=True)
class BoardDescription:
    """What BrainFlow says of a board.

    ``rate`` is in Hz; ``rows`` are those of its data that hold EEG (or, where it has none, other electrode signals),
    ``names`` theirs, '' where BrainFlow has none; ``unit`` that of the values, '' where they have none. ``body`` are
    the rows beside them that hold peripheral signals, each with its type.
    """

    board: str
    rate: float
    rows: tuple[int, ...]
    names: tuple[str, ...]
    stamps: int
    packages: int
    numbering: Numbering | None
    unit: str
    body: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PresetDescription:
    """What BrainFlow says of peripheral signals that a board sends in a preset beside the default one.

    ``number`` and ``name`` are the preset's ('auxiliary', 'ancillary'), ``rate`` is in Hz. ``rows`` of its data hold
    the signals, of which ``kinds`` and ``labels`` are types and names; the rest is as in :class:`BoardDescription`.
    """

    number: int
    name: str
    rate: float
    rows: tuple[int, ...]
    kinds: tuple[str, ...]
    labels: tuple[str, ...]
    stamps: int
    packages: int
    numbering: Numbering | None


def brainflow() -> Any:
    """Return the module ``brainflow.board_shim``, its native log switched off.

    Raises
    ------
    StreamError
        If BrainFlow is not installed or its library cannot be loaded.
    """
    try:
        shim: Any = importlib.import_module("brainflow.board_shim")
    except ImportError as error:
        if (error.name or "").partition(".")[0] == "brainflow":
            raise StreamError(f"boards need BrainFlow, which is not installed: {INSTALL}") from None
        raise StreamError(f"BrainFlow cannot be loaded ({error}); install a newer one: {INSTALL} --upgrade") from None
    if hasattr(shim, "files"):
        # BrainFlow 5.23 asks for the files of a module, which Python 3.11 knows for packages only; it then falls back
        # on pkg_resources, which setuptools no longer has.
        shim.files = lambda _: importlib.resources.files("brainflow")
    try:
        shim.BoardShim.set_log_level(shim.LogLevels.LEVEL_OFF.value)
    except (OSError, ImportError) as error:
        raise StreamError(
            f"BrainFlow's library cannot be loaded on this computer ({error}); it must be built for it: "
            "https://brainflow.readthedocs.io/en/stable/BuildBrainFlow.html"
        ) from None
    return shim


def board_name(text: str) -> str:
    """Return the name of a board as it stands in :func:`board_names`: in lower case, with underscores."""
    return text.strip().lower().replace("-", "_")


def board_names(shim: Any) -> dict[str, int]:
    """Return BrainFlow's board numbers by name: BoardIds' without 'BOARD', in lower case."""
    return {
        each.name.lower().replace("_board", ""): each.value for each in shim.BoardIds if each != shim.BoardIds.NO_BOARD
    }


def board_number(shim: Any, board: str) -> int:
    """Return the number of the board called ``board``; StreamError with the nearest names if there is none."""
    names = board_names(shim)
    if board not in names:
        near = difflib.get_close_matches(board, names, n=3, cutoff=0.5)
        raise StreamError(
            f"board {board!r} is none of BrainFlow's; expected one of those that rtaffect devices --boards lists"
            + (f", perhaps {' or '.join(near)}" if near else "")
        )
    return names[board]


def describe_board(shim: Any, board: str) -> BoardDescription:
    """Return what BrainFlow says of ``board``, not one that stands for another.

    Raises
    ------
    StreamError
        If there is no such board, or it has no electrodes.
    """
    number, shim_class = board_number(shim, board), shim.BoardShim
    described = shim_class.get_board_descr(number)
    rows = described.get("eeg_channels") or described.get("emg_channels")
    if not rows:
        raise StreamError(f"board {board!r} measures no EEG; choose one that rtaffect devices --boards lists")
    names = described.get("eeg_names", "").split(",") if "eeg_channels" in described else []
    return BoardDescription(
        board=board,
        rate=float(described["sampling_rate"]),
        rows=tuple(rows),
        names=tuple(names) if len(names) == len(rows) else ("",) * len(rows),
        stamps=int(described["timestamp_channel"]),
        packages=int(described["package_num_channel"]),
        numbering=numbering(board),
        unit=next((unit for maker, unit in KNOWN["units"].items() if board.startswith(maker)), "microvolts"),
        body=tuple(_body(described, rows)),
    )


def describe_presets(shim: Any, board: str) -> tuple[PresetDescription, ...]:
    """Return the presets of ``board`` beside the default one that have peripheral signals, in BrainFlow's order.

    One with nothing but temperature is none: that is often the device's own. ``board`` is not one that stands for
    another.
    """
    number, shim_class = board_number(shim, board), shim.BoardShim
    found = []
    for preset in sorted(shim_class.get_board_presets(number)):
        if preset == shim.BrainFlowPresets.DEFAULT_PRESET.value:
            continue
        described = shim_class.get_board_descr(number, preset)
        body = list(_body(described, ()))
        if {kind for _, kind in body} <= {"TEMPERATURE"}:
            continue
        name = shim.BrainFlowPresets(preset).name.removesuffix("_PRESET").lower()
        named = _pulse_first(board, list(zip(body, body_labels([kind for _, kind in body]), strict=True)))
        how = KNOWN["numbering_of_presets"].get(board, {}).get(name)
        found.append(
            PresetDescription(
                number=int(preset),
                name=name,
                rate=float(described["sampling_rate"]),
                rows=tuple(row for (row, _), _ in named),
                kinds=tuple(kind for (_, kind), _ in named),
                labels=tuple(label for _, label in named),
                stamps=int(described["timestamp_channel"]),
                packages=int(described["package_num_channel"]),
                numbering=None if how is None else Numbering(**how),
            )
        )
    return tuple(found)


def _pulse_first(board: str, named: list[tuple[tuple[int, str], str]]) -> list[tuple[tuple[int, str], str]]:
    """Return the channels, the one of the PPG before the others that has the pulse."""
    pulse = f"PPG {KNOWN['pulse'].get(board, 1)}"
    return sorted(named, key=lambda each: (BODY_TYPES.index(each[0][1]), each[1] != pulse))


def body_labels(kinds: Sequence[str]) -> list[str]:
    """Return names of peripheral channels of these types: 'PPG 1', 'PPG 2', 'Temperature 1', ..."""
    numbers = [kinds[: at + 1].count(kind) for at, kind in enumerate(kinds)]
    return [f"{_plain(kind)} {n}" for kind, n in zip(kinds, numbers, strict=True)]


def presets_sent(shim: Any, board: str, master: str, given: Mapping[str, str]) -> tuple[PresetDescription, ...]:
    """Return the presets with peripheral signals that are to be taken of a board, and are sent then.

    Parameters
    ----------
    board, master
        The board's name, and that of the one that it stands for, or itself.
    given
        Its parameters, with ``config`` and ``peripheral``: 'on' takes them, 'off' does not. Without it they are taken
        where they come by themselves, or ``config`` has a command that sends them.

    Raises
    ------
    StreamError
        If ``peripheral`` is neither, or is 'on' for a board that has none.
    """
    wanted, found = given.get("peripheral", "").strip().lower(), describe_presets(shim, master)
    if wanted not in ("", "on", "off"):
        raise StreamError(f"board {board!r}: peripheral={given['peripheral']} is neither; expected on or off")
    if board in STANDING_FOR:
        found = tuple(each for each in found if any(given.get(key) for key in _FROM[each.name]))
    if wanted == "on" and not found:
        where = ", ".join(key for keys in _FROM.values() for key in keys)
        raise StreamError(
            f"board {board!r} has no peripheral signals but those that come with its EEG; leave peripheral=on out"
            + (f", or say where they are by one of {where}" if board in STANDING_FOR else "")
        )
    needed = KNOWN["peripheral"].get(board, ())
    by_itself = not needed or not set(needed).isdisjoint(commands_of(given))
    return found if wanted == "on" or (not wanted and by_itself) else ()


def peripheral_in_words(board: BoardDescription, presets: Sequence[PresetDescription]) -> str:
    """Return the peripheral signals of a board as they are listed: what each is, its rate, and what sends it."""
    how = " by peripheral=on" if board.board in KNOWN["peripheral"] else ""
    said = [(board.rate, [kind for _, kind in board.body], ""), *((p.rate, p.kinds, how) for p in presets)]
    named = [(" ".join(map(_plain, dict.fromkeys(kinds))), rate, by) for rate, kinds, by in said if kinds]
    return "; ".join(f"{names} at {rate:g} Hz{by}" for names, rate, by in named)


def _plain(kind: str) -> str:
    return kind.title() if len(kind) > 3 else kind


def commands_of(given: Mapping[str, str]) -> list[str]:
    """Return the commands that a board is sent before it streams, by its parameter ``config``."""
    return [each.strip() for each in given.get("config", "").split(";") if each.strip()]


def failed_command(command: str, answer: object) -> str:
    """Return in words that a board's ``answer`` to a command of its ``config`` says that it failed, else ''."""
    said = clean(str(answer or ""), 200)
    if not any(word in said.casefold() for word in KNOWN["commands"]["failed"]):
        return ""
    return (
        f"does not do the command {command!r} of its config: it answers {said!r}; correct config= in its text, or "
        "leave it out"
    )


def _body(described: Mapping[str, Any], electrodes: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Yield the rows of peripheral signals, each with its type; what a board calls EEG as well is none."""
    known = set(electrodes)
    for kind in BODY_TYPES:
        for row in described.get(f"{kind.lower()}_channels") or ():
            if row not in known:
                known.add(row)
                yield int(row), kind


def numbering(board: str) -> Numbering | None:
    """Return how ``board`` (its name in lower case) counts its packages, None if that is not known."""
    how = KNOWN["numbering"].get("ant_neuro" if board.startswith("ant_neuro") else board)
    return None if how is None else Numbering(**how)


def is_searched(board: str, given: Mapping[str, str]) -> bool:
    """Return whether BrainFlow takes the first ``board`` (its name in lower case) that answers, whichever that is."""
    searched = KNOWN["searched"]
    return board.startswith(tuple(searched["boards"])) and not any(given.get(key) for key in searched["named_by"])


def input_parameters(shim: Any, board: str, given: Mapping[str, str]) -> Any:
    """Return BrainFlowInputParams with what was ``given``.

    Raises
    ------
    StreamError
        If a parameter is unknown, has a value that it cannot have, or is missing.
    """
    parameters = shim.BrainFlowInputParams()
    known = sorted(vars(parameters))
    for key, value in given.items():
        if key not in known:
            raise StreamError(
                f"board {board!r} has no parameter {key!r}; expected one of config, peripheral, {', '.join(known)}"
            )
        setattr(parameters, key, _parameter(shim, board, key, value))
    if board in STANDING_FOR and "master_board" not in given:
        raise StreamError(f"board {board!r} needs the name of the board that made the data, as in master_board=cyton")
    if board == "playback_file":
        for key in ("file", *(key for key in ("file_aux", "file_anc") if given.get(key))):
            if not Path(path := getattr(parameters, key)).is_file():
                raise StreamError(
                    f"board {board!r} has no file {path!r} to play; name one that BrainFlow recorded, as in "
                    f"{key}=recording.csv"
                )
    return parameters


def _parameter(shim: Any, board: str, key: str, value: str) -> str | int:
    if key == "master_board":
        return board_number(shim, board_name(value))
    if key == "ip_protocol":
        protocols = {each.name.lower(): int(each.value) for each in shim.IpProtocolTypes}
        if value.lower() in protocols:
            return protocols[value.lower()]
        raise StreamError(f"board {board!r}: ip_protocol={value} is none; expected one of {', '.join(protocols)}")
    if isinstance(getattr(shim.BrainFlowInputParams(), key), int):
        try:
            return int(value)
        except ValueError:
            raise StreamError(f"board {board!r}: {key}={value} is not a whole number; expected one") from None
    return value


def error_message(board: str, error: Any) -> str:
    """Return one line for BrainFlow's ``error`` at opening ``board``: what is wrong, and what to do."""
    words = KNOWN["errors"].get(str(error.exit_code), "switch it off and on and try again")
    return f"board {board} cannot be opened ({error.args[0].partition(' ')[0]}): {words}"
