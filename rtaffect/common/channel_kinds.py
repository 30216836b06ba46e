"""What a channel carries, told from its name, its type and its unit: the one place where that is decided.

LSL streams, recordings and files ask here, so that what is no EEG in one of them is none in the others. A channel whose
name says nothing stays EEG: a true one must never be lost to a guess.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final, Literal, get_args

from rtaffect.common.montage import is_eog, known_name

Kind = Literal[
    "eeg", "eog", "emg", "ecg", "eda", "respiration", "ppg", "motion", "battery", "counter", "trigger", "timestamp",
    "quality", "reference", "temperature", "aux",
]  # fmt: skip
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


def _by_text(kinds: dict[Kind, str]) -> dict[str, Kind]:
    return {text: kind for kind, texts in kinds.items() for text in texts.split()}


#: What senders and files declare as a channel's type, in lower case without blanks, '-' and '_'.
_TYPES: Final = _by_text(
    {
        "eeg": "eeg",
        "eog": "eog heog veog reog",
        "emg": "emg",
        "ecg": "ecg ekg",
        "eda": "eda gsr scr scl",
        "respiration": "resp respiration breathing",
        "ppg": "ppg pleth plethysmogram optics pulse bvp spo2 nirs fnirs",
        "motion": "acc accel accelerometer gyro gyr gyroscope accgyro mag magnetometer magn motion imu orn orientation "
        "quaternion position mocap",
        "battery": "battery batterylevel bat",
        "counter": "counter samplecounter packetcounter cnt count",
        "trigger": "trigger trig trg marker markers event events stim sti stimulus status din digital digitalio "
        "digitalios ttl sync syncpulse annotations syst sysclock",
        "timestamp": "timestamp time timestamps",
        "quality": "quality linkquality signalquality contactquality validationindicator valid impedance imp cq hpi "
        "exci ias",
        "reference": "ref reference refmeg",
        "temperature": "temp temperature",
        "aux": "aux auxiliary misc analog ana exg bipolar bip audio other",
    }
)
#: Words of a name that say by themselves what a channel is.
_WORDS: Final = _by_text(
    {
        "emg": "emg chin",
        "ecg": "ecg ekg",
        "eda": "eda gsr scr scl electrodermal skin",
        "respiration": "resp respiration breath breathing thorax abdomen airflow flow nasal pneumo rip tho abd",
        "ppg": "ppg pleth plet pulse spo sao bvp optics optic nirs nir hbo",
        "motion": "acc accel accelerometer acceleration gyro gyr gyroscope mag magn magnetometer imu quat quaternion "
        "motion orientation euler yaw pitch roll",
        "battery": "battery batt bat batterypercent fuel",
        "counter": "counter cnt count samplecount packet seq sequence sampleno samplenumber framecount",
        "trigger": "trigger triggers trig trg dtrig marker markers mrk mk mkidx stim sti stimulus event events status "
        "din dig digital ttl sync photo photodiode button annotations code gpio triggerstream",
        "timestamp": "timestamp timestamps time datetime unixtime",
        "quality": "quality cq impedance imp link validation valid contact hsi rssi interpolate interpolated "
        "saturation leadoff loff",
        "temperature": "temp temperature thermistor",
        "aux": "aux auxl auxr auxiliary misc ana analog aib pib audio sound mic microphone pupil gaze light unused "
        "spare",
    }
)
#: With what a word that is none of these may begin or end, as in AccX, GyroscopeX, HardwareMarker and samplecounter.
_BEGINS: Final[tuple[tuple[str, Kind], ...]] = (
    ("acceler", "motion"), ("accx", "motion"), ("accy", "motion"), ("accz", "motion"), ("gyro", "motion"),
    ("gyrx", "motion"), ("gyry", "motion"), ("gyrz", "motion"), ("magnet", "motion"), ("magx", "motion"),
    ("magy", "motion"), ("magz", "motion"), ("batter", "battery"), ("trigger", "trigger"), ("marker", "trigger"),
    ("timestamp", "timestamp"), ("impedanc", "quality"), ("temperatur", "temperature"), ("counter", "counter"),
)  # fmt: skip
_ENDS: Final[tuple[tuple[str, Kind], ...]] = (
    ("counter", "counter"), ("marker", "trigger"), ("markers", "trigger"), ("trigger", "trigger"),
    ("timestamp", "timestamp"), ("quality", "quality"),
)  # fmt: skip
#: A name of these alone is a reference or ground; the rest of the name is numbers.
_REFERENCES: Final = frozenset({"ref", "refs", "reference", "cref", "vref", "cms", "drl", "gnd", "ground"})
_WITH_REFERENCE: Final = frozenset({*_REFERENCES, "eeg", "electrode", "bias"})
#: Whole names, in lower case, that only mean something so.
_WHOLE: Final[dict[str, Kind]] = {
    **dict.fromkeys(("x", "y", "z", "q0", "q1", "q2", "q3"), "motion"), **dict.fromkeys(("loc", "roc"), "eog"),
    **dict.fromkeys(("ir", "red", "lux", "spo2", "sao2"), "ppg"), "hr": "ecg", "overall": "quality",
    **dict.fromkeys(("adc voltage", "unknown (fuel?)"), "battery"),
}  # fmt: skip
#: External, bipolar and direct inputs of BioSemi, TMSi and Nihon Kohden amplifiers.
_INPUTS: Final = re.compile(r"^(exg?|ext|bip|dc|erg|plet)[\s_-]?\d+(_box\d)?$")
#: Names by number alone, as amplifiers give them to electrodes: E17, A1, EEG 001, Ch3, Channel 12, 7.
_BY_NUMBER: Final = re.compile(r"^((eeg[\s_:-]*)?(ch|chan|channel|e|electrode)?[\s_:-]*\d+|[a-h]\d+(_box\d)?)$")
_PREFIX: Final = re.compile(r"^eeg[\s_:-]+")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_]+")
_DASHES: Final = re.compile("[\N{HYPHEN}-\N{HORIZONTAL BAR}\N{MINUS SIGN}]")

#: Units that say nothing: some senders fill the field with them.
_UNSAID: Final = frozenset({"", "unknown", "none", "n/a", "na", "-", "a.u.", "au", "counts", "raw", "adc"})
_VOLTS: Final = re.compile(r"^(([munpμµ]|milli|micro|nano)?\s*(v|volts?)|0|-3|-6|-9|microv|-?10\^-?\d+\s*v)$")


def plain(text: str) -> str:
    """Return a name in the usual letters: full-width ones, and dashes of all kinds, become those of a keyboard."""
    return _DASHES.sub("-", unicodedata.normalize("NFKC", text)).strip()


def is_place(label: str) -> bool:
    """Return whether a channel's name is an electrode of the 10-05 system, or two: ``Fp1``, ``EEG FPz-CPz``."""
    bare = plain(label)
    if known_name(bare):
        return True
    one, dash, other = _PREFIX.sub("", bare.casefold()).partition("-")
    return bool(dash and known_name(one) and known_name(other))


def kind_of(label: str, declared: str = "", unit: str = "") -> Kind:
    """Return what a channel carries.

    Parameters
    ----------
    label
        Its name. Electrodes of the 10-05 system, and names by number (E1 to E256, A1 to H32, EEG 001, Ch3), are EEG in
        whatever letters they are written.
    declared
        Its type as the sender or the file has it. Some declare everything as EEG, so that EEG decides nothing; any
        other type does.
    unit
        Its unit. One that is no voltage, in a channel whose name is no electrode, is not of EEG.

    Returns
    -------
    'eeg' where nothing says otherwise.
    """
    return kind_and_why(label, declared, unit)[0]


def kind_and_why(label: str, declared: str = "", unit: str = "") -> tuple[Kind, str]:
    """Return what a channel carries, and by what that is told, in words; parameters are those of :func:`kind_of`."""
    told = re.sub(r"[\s_-]", "", plain(declared).casefold())
    if declared.strip() and told != "eeg":
        return _TYPES.get(told, "aux"), f"its declared type, {declared.strip()}"
    name = plain(label)
    if is_eog(name):
        return "eog", "its name"
    if is_place(name):
        return "eeg", "its name, an electrode's place"
    found = _named(name, " ".join(name.casefold().split()))
    if found is not None:
        return found, "its name"
    if not _may_be_volts(unit):
        return "aux", f"its unit, {unit.strip()}, which is no voltage"
    return "eeg", "its declared type" if told else "nothing says otherwise"


def _named(name: str, lower: str) -> Kind | None:
    """Return what a name that is no place says, None for nothing."""
    if lower in _WHOLE:
        return _WHOLE[lower]
    if _INPUTS.match(lower):
        return "aux"
    if _BY_NUMBER.match(lower):
        return None
    words = [word.casefold() for word in _WORD.findall(name)]
    if any(word in _REFERENCES for word in words) and all(word in _WITH_REFERENCE for word in words):
        return "reference"
    return next((kind for word in words if (kind := _of_word(word)) is not None), None)


def _of_word(word: str) -> Kind | None:
    if word in _WORDS:
        return _WORDS[word]
    begins = next((kind for start, kind in _BEGINS if word.startswith(start)), None)
    return begins or next((kind for end, kind in _ENDS if word.endswith(end)), None)


def says_nothing(unit: str) -> bool:
    """Return whether a unit is missing, or a word that some senders fill its place with."""
    return plain(unit).casefold() in _UNSAID


def _may_be_volts(unit: str) -> bool:
    """Return whether a unit is one of voltage, or says nothing."""
    return says_nothing(unit) or _VOLTS.match(plain(unit).casefold()) is not None


def grouped(kinds: Iterable[tuple[str, str]]) -> str:
    """Return channels (name, kind) in words, gathered by kind: ``Counter (counter), AccX and AccY (motion)``."""
    by_kind: dict[str, list[str]] = {}
    for label, kind in kinds:
        by_kind.setdefault(kind, []).append(label)
    return ", ".join(f"{_joined(labels)} ({kind})" for kind, labels in by_kind.items())


def _joined(labels: list[str]) -> str:
    if len(labels) > 8:
        labels = [*labels[:6], f"{len(labels) - 6} more"]
    return labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]}"


def told(left_out: Mapping[str, Iterable[tuple[str, str]]]) -> list[str]:
    """Return what is said of channels (name, kind) that are left out, by who has them."""
    return gathered(
        (who, [f"left out, being no EEG: {text}"]) for who, held in left_out.items() if (text := grouped(held))
    )


def gathered(said: Iterable[tuple[str, Iterable[str]]]) -> list[str]:
    """Return texts about people, each once with all whom it is about: ``A, B: text``."""
    owners: dict[str, list[str]] = {}
    for who, texts in said:
        for text in texts:
            owners.setdefault(text, []).append(who)
    return [f"{', '.join(whose)}: {text}" for text, whose in owners.items()]
