"""Protocols that have the same blocks in another order, as counterbalanced ones do: their sessions are one group."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from calibration.finished.report.data import SessionData

#: What a block is, whatever its place.
_OF_BLOCK = ("kind", "name", "stimulus", "film", "duration_s")
#: What must be alike beside the blocks.
_OF_PROTOCOL = ("feedback", "arm")


def contents_of(data: SessionData) -> str:
    """Return what a session's protocol asks for, in words that are the same for every order of its blocks.

    By its hash where its blocks are not known.
    """
    blocks = _blocks(data.protocol)
    if not blocks:
        return str(data.ran.get("protocol_sha256", ""))
    told = [sorted(blocks), {name: data.protocol.get(name) for name in _OF_PROTOCOL}]
    return json.dumps(told, sort_keys=True, default=str)


def are_orders(sessions: Sequence[SessionData]) -> bool:
    """Return whether the sessions' protocols differ in nothing but the order of their blocks."""
    hashes = {str(data.ran.get("protocol_sha256", "")) for data in sessions}
    orders = {tuple(_blocks(data.protocol)) for data in sessions}
    return len({contents_of(data) for data in sessions}) == 1 and len(orders) == len(hashes)


def in_order_of(data: SessionData, first: SessionData) -> SessionData:
    """Return a session with its blocks numbered as those of ``first``: to be drawn beside each other, and no more."""
    own, theirs = (_places(each.protocol) for each in (data, first))
    if own == theirs:
        return data
    numbers = {number: theirs[key] for key, number in own.items() if key in theirs}
    return replace(data, blocks=tuple(replace(run, number=numbers.get(run.number, run.number)) for run in data.blocks))


def _blocks(protocol: Mapping[str, Any]) -> list[str]:
    found = protocol.get("block", [])
    some = found if isinstance(found, list) else []
    return [json.dumps([str(each.get(name)) for name in _OF_BLOCK]) for each in some if isinstance(each, dict)]


def _places(protocol: Mapping[str, Any]) -> dict[tuple[str, int], int]:
    """Return the number of each block, from 1, by what it is and how many such there were before."""
    seen, found = Counter[str](), dict[tuple[str, int], int]()
    for number, block in enumerate(_blocks(protocol), start=1):
        found[block, seen[block]] = number
        seen[block] += 1
    return found
