"""How streams of peripheral signals, and those beside EEG, are taken in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rtaffect.common.errors import StreamError, under
from rtaffect.sources.body_channels import body_channels
from rtaffect.sources.channel_plan import ChannelPlan
from rtaffect.stream.body import Body
from rtaffect.stream.buffer import SampleBuffer
from rtaffect.stream.source import StreamHeader, StreamInfo


def plan_body(stream: StreamHeader) -> ChannelPlan:
    """Return the plan for a stream of peripheral signals, which stay in their unit; StreamError if it has none."""
    body = body_channels(stream)
    if not body:
        named = ", ".join(f"{label} ({kind})" for label, kind in zip(stream.labels, stream.types, strict=True))
        raise StreamError(
            f"stream {stream.name!r} has no peripheral channel, only {named}; expected EDA, ECG, PPG or respiration by "
            f"type or name: choose another {under('peripheral')}"
        )
    columns = tuple(each.column for each in body)
    used = tuple(replace(each, column=place) for place, each in enumerate(body))
    return ChannelPlan(columns, tuple(each.name for each in body), np.ones(len(body)), body=used)


def body_of_plan(info: StreamInfo, plan: ChannelPlan, buffer: SampleBuffer, seconds: float = 30.0) -> Body | None:
    """Return where the peripheral signals of a source go, whose own samples go into ``buffer``; None without any."""
    if not plan.body:
        return None
    return Body(plan.body, buffer if info.kind == "body" else SampleBuffer(info.rate, len(plan.body), seconds=seconds))
