"""Writes the table of docs/headsets.md from the device profiles: ``python -m tests.profiles_page``."""

from __future__ import annotations

from pathlib import Path

from rtaffect.sources.device_profile import DeviceProfile, shipped_profiles

PAGE = Path(__file__).parents[1] / "docs" / "headsets.md"
_BEGIN, _END = "<!-- begin profiles -->", "<!-- end profiles -->"


def row(profile: DeviceProfile) -> str:
    """Return the line of one profile."""
    unit = f"{profile.unit or 'as declared'}{', though another is declared' if profile.unit_is_wrong else ''}"
    names = "by number" if profile.numbered else "by the profile" if profile.layouts else "as declared"
    late = "" if profile.latency_s is None else f"{profile.latency_s:g}"
    cells = (
        f"`{profile.name}`", profile.device, profile.program, unit, names, profile.clock or "not known", late,
        "yes" if profile.verified else "partly", profile.note,
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def page(text: str) -> str:
    """Return the page with the table as the profiles are now."""
    before, _, rest = text.partition(_BEGIN)
    after = rest.partition(_END)[2]
    heads = (
        "profile",
        "device",
        "program",
        "unit",
        "names if none are sent",
        "clock",
        "latency, s",
        "verified",
        "note",
    )
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}", *map(row, shipped_profiles())]
    return "\n".join([before + _BEGIN, *lines, _END]) + after


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
