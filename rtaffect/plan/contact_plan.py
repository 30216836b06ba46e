"""Of a session plan: the contact check of its headsets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from rtaffect.plan.plan_part import PlanPart
from rtaffect.plan.setting import Setting


class ContactPlan(PlanPart):
    """Whether contact is checked before the session, and by which limits."""

    check: Annotated[bool, Setting("check-contact", choice="check_contact", modes=("live",))] = Field(
        False,
        description="Check the electrodes' contact first; the session begins when the target is met, or the operator "
        "starts it",
    )
    settings: Annotated[
        Path | None, Setting("contact-settings", choice="contact_settings", modes=("live",), metavar="FILE")
    ] = Field(None, description="Limits and target of the contact check (TOML), where they are to differ")
