"""Which channels of each device were ticked last, kept in the user's configuration folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import tomli_w
from pydantic import Field, ValidationError, model_validator

from rtaffect.common.files import write_whole
from rtaffect.common.mistakes import first_problem
from rtaffect.common.reading import read_toml, why
from rtaffect.common.settings import Frozen
from rtaffect.start.memory import memory_file
from rtaffect.stream.source import StreamHeader

FILE: Final = "devices.toml"
#: So many devices are kept, those that were ticked last.
MOST: Final = 200


class KeptTicks(Frozen):
    """What was ticked of one device: ``device`` is what stays the same of it, ``channels`` are all that it had.

    ``without`` and ``only`` are as the options of that name, ``name`` is for who reads the file.
    """

    device: tuple[str, ...] = Field(min_length=2, max_length=4)
    name: str = ""
    channels: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _goes_together(self) -> KeptTicks:
        if self.without and self.only:
            raise ValueError(f"{self.name or self.device[0]!r}: without and only exclude each other; give one")
        return self


class _File(Frozen):
    format: Literal[1] = 1
    devices: tuple[KeptTicks, ...] = ()


def devices_file() -> Path:
    """Return where the ticks are kept: beside the last choices."""
    return memory_file().with_name(FILE)


class DeviceMemory:
    """The ticks of all devices, as the file has them.

    Attributes
    ----------
    note : str
        Why the file cannot be read or written, '' if it can.
    """

    def __init__(self) -> None:
        self.note = ""
        self._damaged = True
        self._kept: dict[tuple[str, ...], KeptTicks] = {}
        try:
            self._kept = {each.device: each for each in _File.model_validate(read_toml(devices_file())).devices}
            self._damaged = False
        except FileNotFoundError:
            self._damaged = False
        except ValidationError as error:
            self.note = f"{devices_file()} is damaged ({first_problem(error, _File)}): channels are as recognised"
        except (OSError, ValueError) as error:
            self.note = f"{devices_file()} cannot be read ({why(error)}): channels are as recognised"

    def of(self, stream: StreamHeader) -> KeptTicks | None:
        """Return what was ticked of a device that has the same channels still; None for nothing."""
        kept = self._kept.get(stream.identity)
        return kept if kept is not None and kept.channels == stream.labels else None

    def keep(self, stream: StreamHeader, without: tuple[str, ...], only: tuple[str, ...]) -> None:
        """Keep what is ticked of a device, in place of what was; nothing, where it is as recognised."""
        self._kept.pop(stream.identity, None)
        if without or only:
            kept = KeptTicks(
                device=stream.identity, name=stream.name, channels=stream.labels, without=without, only=only
            )
            self._kept[stream.identity] = kept
        self._write(dict(list(self._kept.items())[-MOST:]))

    def _write(self, kept: Mapping[tuple[str, ...], KeptTicks]) -> None:
        path, content = devices_file(), _File(devices=tuple(kept.values()))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if self._damaged:
                # What it says of other devices may be read by a person, or by another version.
                path.replace(path.with_suffix(".damaged.toml"))
                self._damaged = False
            write_whole(path, tomli_w.dumps(content.model_dump(mode="json")))
            self.note = ""
        except OSError as error:
            self.note = f"the channels could not be kept for the next time ({error.strerror}: {path})"
