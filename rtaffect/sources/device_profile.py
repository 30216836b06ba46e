"""Device profiles: what is known of headsets and their programs that their streams do not say themselves.

Each is a TOML file: those in ``rtaffect/sources/profiles``, and those of the user, which come first. A stream is
recognised by its name, type, maker, source id, number of channels and rate.
"""

from __future__ import annotations

import fnmatch
import functools
import logging
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, ValidationError, model_validator

from rtaffect.common.channel_kinds import Kind
from rtaffect.common.config_folder import config_folder
from rtaffect.common.errors import SettingsError, StreamError, setting
from rtaffect.common.mistakes import problems
from rtaffect.common.reading import read_toml, toml_content
from rtaffect.common.settings import Frozen
from rtaffect.stream.source import StreamHeader, volts_per

_log = logging.getLogger(__name__)

#: What is given for a profile where none is to be used, whatever is recognised.
NONE: Final = "none"
#: More files in the user's folder are not profiles.
MOST_FILES: Final = 500

#: How much each criterion tells: the profile whose met criteria tell most is taken.
_TELLS: Final[dict[str, int]] = {"name": 4, "source_id": 4, "maker": 3, "type": 1, "channels": 1, "rates": 1}

#: Paths, and when each file was changed.
_Files = tuple[tuple[str, int], ...]


class Criteria(Frozen):
    """What a stream must be, all of it: texts with ``*`` and ``?``, in any case; one of the numbers and rates."""

    name: str | None = None
    type: str | None = None
    maker: str | None = None
    source_id: str | None = None
    channels: tuple[int, ...] = ()
    rates: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Criteria:
        if not (self.name or self.source_id or self.maker):
            raise ValueError("a [[match]] has neither name, source_id nor maker, so that it would fit any headset")
        return self

    def met_by(self, header: StreamHeader) -> tuple[int, str] | None:
        """Return how much tells that a stream is meant, and what, in words; None if something speaks against it."""
        tells = 0
        words: list[str] = []
        for field in ("name", "type", "maker", "source_id"):
            wanted, found = getattr(self, field), getattr(header, field)
            if wanted is None:
                continue
            if not fnmatch.fnmatchcase(found.casefold(), wanted.casefold()):
                return None
            tells, words = tells + _TELLS[field], [*words, f"its {field.replace('_', ' ')}"]
        if self.channels:
            if header.channels not in self.channels:
                return None
            tells, words = tells + _TELLS["channels"], [*words, f"{header.channels} channels"]
        if self.rates:
            if not any(abs(header.rate - rate) < 0.01 * rate for rate in self.rates):
                return None
            tells, words = tells + _TELLS["rates"], [*words, f"{header.rate:g} Hz"]
        return tells, ", ".join(words)


class Sends(Frozen):
    """What a device's stream looks like, for its simulation.

    ``channels`` are all that it sends, in order; ``labelled`` whether it says so, under the key ``label_as``. ``units``
    and ``types`` are of each channel, or one for all; '' where nothing is said. ``offset_v`` is the usual offset of an
    electrode, V, ``chunk_s`` how much is sent at once, s.
    """

    name: str
    type: str
    rate: float = Field(gt=0)
    channels: tuple[str, ...] = Field(min_length=1)
    source_id: str = ""
    maker: str = ""
    maker_in: Literal["", "acquisition"] = ""
    format: Literal["float32", "double64", "int32"] = "float32"
    labelled: bool = True
    label_as: str = "label"
    units: str | tuple[str, ...] = ""
    types: str | tuple[str, ...] = ""
    offset_v: float = 0.0
    chunk_s: float = Field(0.02, gt=0, le=10)

    @model_validator(mode="after")
    def _fits(self) -> Sends:
        for name in ("units", "types"):
            said = getattr(self, name)
            if not isinstance(said, str) and len(said) != len(self.channels):
                raise ValueError(f"{len(said)} {name} for {len(self.channels)} channels")
        return self


class Reports(Frozen):
    """Which channels tell of electrodes' contact: ``channels`` is their name, ``*`` standing for the electrode's.

    They ``mean`` impedance in a ``unit`` ('Ohm', 'kOhm'), or a quality that is ``best`` at most, from ``good`` on good
    and below ``bad`` bad. ``stream`` is the name, with ``*``, of the stream of their own that they come in; '' where
    they come with the EEG.
    """

    channels: str = "*"
    means: Literal["impedance", "quality"]
    unit: str = ""
    best: float = Field(1.0, gt=0)
    good: float = Field(1.0, ge=0)
    bad: float = Field(1.0, ge=0)
    stream: str = ""

    @model_validator(mode="after")
    def _says_enough(self) -> Reports:
        if self.channels.count("*") != 1:
            raise ValueError(f"channels = {self.channels!r} needs one * where the electrode's name stands")
        if self.means == "impedance" and not self.unit:
            raise ValueError("impedance needs a unit, as in 'kOhm'")
        if self.means == "quality" and not self.bad <= self.good <= self.best:
            raise ValueError("of a quality bad, good and best must rise")
        return self


class DeviceProfile(Frozen):
    """What is known of one device as one program sends it.

    Attributes
    ----------
    name, device, program
        What it is called here; the device, and the program that makes the stream.
    source
        Where the facts are from.
    verified, note
        Whether all of them were found in the vendor's or program's own code or documents; what was not, and what else
        should be known.
    match
        Any of these is enough to recognise it.
    layouts
        Names of all channels, for a stream that does not name as many.
    numbered
        Whether a stream without names gets Ch1, Ch2, ...: it is not known where its electrodes are.
    unit, unit_is_wrong, scale
        Unit of the EEG where none is declared, or in place of the declared one if that is wrong; a factor beside it.
    eeg_types
        Types beside EEG that its channels of EEG are declared as.
    kinds
        What channels are, by name with ``*`` and ``?``, where name and declared type do not say it rightly.
    mains_safe_rate
        Lowest rate of the device at which mains of 50 and 60 Hz can be filtered out, Hz.
    latency_s, clock
        How long samples usually take to come, s; what their stamps are.
    shares_id
        Whether its program gives one source id to all devices.
    contact
        Which channels tell of the contact of electrodes.
    sends
        What its stream looks like.
    """

    name: str
    device: str
    program: str
    source: tuple[str, ...] = ()
    verified: bool = False
    note: str = ""
    match: tuple[Criteria, ...] = Field(min_length=1)
    layouts: tuple[tuple[str, ...], ...] = ()
    numbered: bool = False
    unit: str = ""
    unit_is_wrong: bool = False
    scale: float = 1.0
    eeg_types: tuple[str, ...] = ()
    kinds: dict[str, Kind] = Field(default_factory=dict)
    mains_safe_rate: float = Field(125.0, gt=0)
    latency_s: float | None = Field(None, ge=0, le=60)
    clock: Literal["lsl", "unix", "arrival", ""] = ""
    shares_id: bool = False
    contact: Reports | None = None
    sends: Sends | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> DeviceProfile:
        if self.unit:
            try:
                volts_per(self.unit)
            except StreamError as error:
                raise ValueError(str(error)) from None
        if self.unit_is_wrong and not self.unit:
            raise ValueError("unit_is_wrong needs the right unit")
        return self

    def met_by(self, header: StreamHeader) -> tuple[int, str] | None:
        """Return how much tells that a stream is of this device, and what; None if it is not."""
        met = [found for each in self.match if (found := each.met_by(header)) is not None]
        return max(met, key=lambda found: found[0], default=None)

    def names_for(self, channels: int) -> tuple[str, ...]:
        """Return names for a stream of so many channels that has none, () if none are known."""
        known = next((layout for layout in self.layouts if len(layout) == channels), ())
        return known or (tuple(f"Ch{n}" for n in range(1, channels + 1)) if self.numbered else ())

    def kind_of(self, label: str) -> Kind | None:
        """Return what the profile says of a channel, None where it says nothing."""
        return next((kind for text, kind in self.kinds.items() if fnmatch.fnmatchcase(label, text)), None)


@dataclass(frozen=True, slots=True)
class Recognised:
    """A profile, and why it is taken for a stream."""

    profile: DeviceProfile
    why: str


def recognise(header: StreamHeader, chosen: str = "") -> Recognised | None:
    """Return the profile of a stream.

    Parameters
    ----------
    header
        What it says of itself; of one that was only resolved, its maker is not known yet.
    chosen
        Name or file of the profile to take, 'none' for none; '' for the one that is recognised.

    Raises
    ------
    SettingsError
        If what is chosen is no profile.
    """
    if chosen.strip():
        found = profile_called(chosen.strip())
        return None if found is None else Recognised(found, "it was chosen")
    return _recognised(header, _user_files())


@functools.lru_cache(maxsize=256)
def _recognised(header: StreamHeader, own: _Files) -> Recognised | None:
    best: tuple[int, Recognised] | None = None
    for profile in (*_read_all(own)[0], *shipped_profiles()):
        met = profile.met_by(header)
        if met is not None and (best is None or met[0] > best[0]):
            best = met[0], Recognised(profile, met[1])
    return None if best is None else best[1]


def is_eeg(header: StreamHeader) -> bool:
    """Return whether a stream carries EEG: by its type, or because its device is recognised."""
    return header.type.casefold() == "eeg" or recognise(header) is not None


def profile_called(name: str) -> DeviceProfile | None:
    """Return the profile of that name, or in that file; None for 'none'.

    Raises
    ------
    SettingsError
        If there is none, or the file is none.
    """
    return None if name.casefold() == NONE else named_profile(name, setting("profile", name), NONE)


def named_profile(name: str, called: str, *others: str) -> DeviceProfile:
    """Return the profile of that name, or in that file, which a message names as it was ``called``.

    ``others`` are what may be given in its place. Raises SettingsError if there is none, or the file is none.
    """
    found = next((each for each in all_profiles() if each.name.casefold() == name.casefold()), None)
    if found is not None:
        return found
    if name.casefold().endswith(".toml"):
        try:
            return _read(Path(name))
        except ValueError as error:
            raise SettingsError(f"{called} is no device profile ({error})") from None
    known = ", ".join(each.name for each in all_profiles())
    expected = ", ".join([*others, "the file of one (.toml)"])
    raise SettingsError(f"{called} is not known; expected {expected}, or one of {known}")


def all_profiles() -> tuple[DeviceProfile, ...]:
    """Return the user's profiles and then those that are shipped, by name."""
    return (*user_profiles()[0], *shipped_profiles())


@functools.cache
def shipped_profiles() -> tuple[DeviceProfile, ...]:
    """Return the profiles that come with rtaffect, by name."""
    folder = resources.files("rtaffect.sources") / "profiles"
    files = sorted((each for each in folder.iterdir() if each.name.endswith(".toml")), key=lambda each: each.name)
    return tuple(DeviceProfile.model_validate(toml_content(each.read_bytes())) for each in files)


def user_folder() -> Path:
    """Return the folder of the user's own profiles, which need not be there."""
    return config_folder() / "profiles"


def user_profiles() -> tuple[tuple[DeviceProfile, ...], tuple[str, ...]]:
    """Return the user's own profiles, and what is wrong with files among them, one line each."""
    return _read_all(_user_files())


def _user_files() -> _Files:
    """Return the paths of the user's profiles, and when each was changed."""
    try:
        files = sorted(user_folder().glob("*.toml"))[:MOST_FILES]
        return tuple((str(path), path.stat().st_mtime_ns) for path in files)
    except OSError:
        return ()


@functools.lru_cache(maxsize=8)
def _read_all(files: _Files) -> tuple[tuple[DeviceProfile, ...], tuple[str, ...]]:
    found, wrong = [], []
    for path, _ in files:
        try:
            found.append(_read(Path(path)))
        except ValueError as error:
            wrong.append(f"{path} is no device profile and is passed over ({error})")
            _log.warning("%s", wrong[-1])
    return tuple(found), tuple(wrong)


def _read(path: Path) -> DeviceProfile:
    """Return the profile in a file; ValueError in one line if it is none."""
    try:
        return DeviceProfile.model_validate(read_toml(path))
    except ValidationError as error:
        raise ValueError("; ".join(problems(error, DeviceProfile))) from None
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from None


def describe(found: Recognised | None) -> str:
    """Return what was recognised and why, in words; '' for nothing."""
    if found is None:
        return ""
    doubt = "" if found.profile.verified else ", not all of it verified"
    return f"{found.profile.device} by {found.profile.program} (profile {found.profile.name}{doubt}): {found.why}"
