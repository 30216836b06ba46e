"""From a protocol, a participant and a sealed allocation to what the participant is shown."""

from __future__ import annotations

from pathlib import Path

from rtaffect.common.errors import SettingsError
from rtaffect.common.files import sha256_of
from rtaffect.protocol.allocation import Assigned
from rtaffect.protocol.arms import ArmSource, Delayed, Real
from rtaffect.protocol.donors import open_donors
from rtaffect.protocol.model import Protocol
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
    if arm.feedback == "yoked":
        return donors[Path(assigned.donor or "")]
    return Real() if arm.delay_s is None else Delayed(arm.delay_s)


def _assigned(protocol: Protocol, participant: str, allocation: Path | None, session_code: str | None) -> Assigned:
    if allocation is not None:
        return arm_of(allocation, participant, protocol, session_code)
    if len(protocol.arms) > 1:
        raise SettingsError(
            f"protocol '{protocol.name}' has {len(protocol.arms)} arms: name the allocation of participants to them; "
            "`rtaffect allocate` makes one"
        )
    (arm,) = protocol.arms
    number = int(sha256_of(participant)[:16], 16)
    donor = arm.donors[number % len(arm.donors)].as_posix() if arm.donors else None
    return Assigned(participant=participant, arm=arm.name, donor=donor)
