"""From a protocol, a participant and a sealed allocation to what the participant is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rtaffect.common.errors import SettingsError
from rtaffect.common.files import sha256_of
from rtaffect.protocol.allocation import Assigned
from rtaffect.protocol.arms import Alike, ArmSource, Delayed, Real, Yoked
from rtaffect.protocol.donors import open_donors
from rtaffect.protocol.model import Arm, Protocol
from rtaffect.protocol.seal import arm_of


def choose_arm(
    protocol: Protocol, participant: str | None, allocation: Path | None, session_code: str | None = None
) -> ArmSource:
    """Return what a session's participant is shown. What it does and says is the same whatever the arm is.

    Without arms it is the own level. A single arm needs no allocation: the participant's code then chooses the donor.

    Raises
    ------
    SettingsError
        If an allocation, a participant's code or the code of their session is missing or wrong, or there is an
        allocation but nothing to allocate.
    ArtifactError
        If the allocation is damaged.
    RecordingError
        If a donor cannot be used, whether or not it is this participant's.
    """
    donors = open_donors(protocol)
    if allocation is not None and len(protocol.arms) < 2:
        raise SettingsError(f"protocol '{protocol.name}' has no arms to allocate: leave the allocation out")
    if not protocol.arms:
        return Real()
    if participant is None:
        raise SettingsError(f"protocol '{protocol.name}' has arms: name the participant's code", field="participant")
    assigned = _assigned(protocol, participant, allocation, session_code)
    arm = next((arm for arm in protocol.arms if arm.name == assigned.arm), None)
    if arm is None or (arm.feedback == "yoked" and Path(assigned.donor or "") not in donors):
        raise SettingsError(f"allocation {allocation} does not fit the protocol '{protocol.name}': make it anew")
    shown = [
        _source(each, donors, Path(assigned.donor or "") if each is arm else _donor_of(each, participant))
        for each in protocol.arms
    ]
    return alike(protocol, shown[protocol.arms.index(arm)], shown)


def alike(protocol: Protocol, chosen: ArmSource, arms: Sequence[ArmSource]) -> ArmSource:
    """Return one of what all ``arms`` of a protocol show so that nothing but its level is its own."""
    if all(arm.feedback == "real" for arm in protocol.arms):
        return chosen
    others = [arm for arm in arms if arm is not chosen]
    return Alike(chosen, [Real(), *others], protocol.feedback.smoothing_s)


def _source(arm: Arm, donors: Mapping[Path, Yoked], donor: Path | None) -> ArmSource:
    if donor is not None and arm.feedback == "yoked":
        return donors[donor]
    return Real() if arm.delay_s is None else Delayed(arm.delay_s)


def _donor_of(arm: Arm, participant: str) -> Path | None:
    """Return the donor of an arm that a participant's code chooses; None where it has none."""
    return arm.donors[int(sha256_of(participant)[:16], 16) % len(arm.donors)] if arm.donors else None


def _assigned(protocol: Protocol, participant: str, allocation: Path | None, session_code: str | None) -> Assigned:
    if allocation is not None:
        return arm_of(allocation, participant, protocol, session_code)
    if len(protocol.arms) > 1:
        raise SettingsError(
            f"protocol '{protocol.name}' has {len(protocol.arms)} arms: name the allocation of participants to them; "
            "`rtaffect allocate` makes one"
        )
    (arm,) = protocol.arms
    donor = _donor_of(arm, participant)
    return Assigned(participant=participant, arm=arm.name, donor=None if donor is None else donor.as_posix())
