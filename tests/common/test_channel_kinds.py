"""What a channel carries, by its name, type and unit; a true EEG channel is never lost."""

from __future__ import annotations

import pytest

from rtaffect.common.channel_kinds import kind_of, told
from rtaffect.common.montage import KNOWN, STANDARD

EEG = [
    *KNOWN, *STANDARD, *(name.lower() for name in KNOWN), *(name.upper() for name in KNOWN),
    *(f"E{n}" for n in range(1, 257)), *(f"{bank}{n}" for bank in "ABCDEFGH" for n in range(1, 33)),
    "EEG1", "EEG 001", "EEG001", "EEG-Ch1", "Ch1", "CH 12", "Chan1", "Channel 3", "channel_7", "7", "e1", "a1",
    "EEG Fp1-Ref", "EEG Fp1-REF", "Fp1-LE", "EEG FPz-CPz", "EEG Pz-Oz", "C3-A2", "Fp1-F7", "T3", "T4", "EEG T5-REF",
    "M1", "A2", "EEG_TP9", "Fp1.", "Fc5.",
    "\N{FULLWIDTH LATIN CAPITAL LETTER F}p\N{FULLWIDTH DIGIT ONE}", "Fp1\N{MINUS SIGN}Ref", "Fp1\N{EN DASH}LE",
    "EEG Fp1-Linked",
    "C3-Avg", "F3:Ref", "SP1", "Pg2", "Left ear", "A1_Box1", "EEG C3-Ref1", "Электрод 1", "左耳", "Fp1-GND", "P7 ",
]  # fmt: skip


@pytest.mark.parametrize("declared", ["", "EEG", "eeg"])
def test_a_true_channel_is_never_lost(declared):
    lost = [label for label in EEG if kind_of(label, declared) != "eeg"]
    assert lost == []


OTHERS = {
    "eog": ["EOG", "HEOG", "VEOG 2", "EEG VEOG-REF", "LOC", "ROC"],
    "emg": ["EMG Chin", "EMG1", "chin"],
    "ecg": ["ECG", "EKG1", "EEG ECG-Ref", "ecg II"],
    "eda": ["GSR", "EDA", "SCR1"],
    "respiration": ["Resp", "Resp Belt", "RESP ORO-NASAL", "Thorax", "Airflow"],
    "ppg": ["PPG1", "Plet", "SpO2", "OPTICS_LO_NIR", "IR", "RED"],
    "motion": ["AccX", "ACC_X", "ACC32", "GyroY", "GYROX", "gyro 1", "MagZ", "Accelerometer Y", "Q0", "X", "quat_w"],
    "battery": ["Battery", "BatteryPercent", "BAT", "Battery Level"],
    "counter": ["Counter", "COUNTER", "SampleCounter", "Packet Counter", "samplecounter", "CNT", "packet_count"],
    "trigger": ["TRIGGER", "DIG DTRIG", "HardwareMarker", "Markers", "Status", "STI 014", "STI101", "TRG", "Trig1",
                "MkIdx", "DIN", "triggerStream", "EDF Annotations", "BDF Annotations", "Digital IOs", "Photodiode"],
    "timestamp": ["Timestamp", "TIMESTAMP", "Time", "Secondary Timestamp (Base)", "unix_timestamp"],
    "quality": ["RAW_CQ", "CQ_AF3", "Quality", "Impedance F3", "Link Quality", "Validation Indicator", "Interpolate"],
    "reference": ["REF", "REF-REF", "REF_EEG", "EEG REF", "CMS", "DRL", "CMS/DRL", "VREF", "GND", "CREF", "Ref1"],
    "temperature": ["Temperature", "TEMP", "Thermistor"],
    "aux": ["Right AUX", "AUX_RIGHT", "AUX", "AUX1", "AUXR", "EXG1", "EX8", "EX1_Box2", "BIP1", "DC01", "Misc", "PIB3"],
}  # fmt: skip


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_eeg_is_named_though_it_is_declared_so(kind):
    assert {label: kind_of(label, "EEG") for label in OTHERS[kind]} == dict.fromkeys(OTHERS[kind], kind)


@pytest.mark.parametrize(
    ("declared", "kind"),
    [("EOG", "eog"), ("HEOG", "eog"), ("MISC", "aux"), ("accelerometer", "motion"), ("SampleCounter", "counter"),
     ("Trigger", "trigger"), ("DIN", "trigger"), ("stim", "trigger"), ("Battery Level", "battery"), ("-", "aux"),
     ("seeg", "aux"), ("ExG", "aux"), ("STATUS", "trigger"), ("Validation Indicator", "quality")],
)  # fmt: skip
def test_a_type_other_than_eeg_decides(declared, kind):
    assert kind_of("Fz", declared) == kind


@pytest.mark.parametrize(
    ("label", "unit", "kind"),
    [("Foo", "seconds", "aux"), ("Foo", "g", "aux"), ("Ch3", "%", "aux"), ("Foo", "µV", "eeg"), ("Foo", "uV", "eeg"),
     ("Foo", "microvolts", "eeg"), ("Foo", "-6", "eeg"), ("Foo", "", "eeg"), ("Foo", "a.u.", "eeg"),
     ("Fz", "g", "eeg")],
)  # fmt: skip
def test_a_unit_that_is_no_voltage_speaks_against_eeg(label, unit, kind):
    assert kind_of(label, "EEG", unit) == kind


def test_who_leaves_out_the_same_is_told_once():
    muse = [("Counter", kind_of("Counter")), ("AccX", kind_of("AccX")), ("AccY", kind_of("AccY"))]
    said = told({"A": muse, "B": muse, "C": [("AUX", kind_of("AUX"))], "D": []})
    assert said == [
        "A, B: left out, being no EEG: Counter (counter), AccX and AccY (motion)",
        "C: left out, being no EEG: AUX (aux)",
    ]
