"""What a session's folder says of it in ``session.toml``: the run."""

from __future__ import annotations

from rtaffect.engine.engine import Engine
from rtaffect.plan.session_plan import SessionPlan
from rtaffect.protocol.model import Protocol
from rtaffect.protocol.seal import allocation_sha256
from rtaffect.run.assemble import Model


def describe_session(
    command: str, plan: SessionPlan, engine: Engine, model: Model | None, protocol: Protocol | None = None
) -> dict[str, object]:
    """Return what ``session.toml`` says of any session's run; the participant's arm is not in it."""
    allocation = plan.protocol.allocation
    return {
        "command": command,
        "participant": plan.participant,
        "origin": engine.origin,
        "people": list(engine.people),
        "rows": list(engine.space.rows),
        "space": engine.space.kind,
        "protocol": protocol.name if protocol else None,
        "protocol_sha256": protocol.sha256 if protocol else None,
        "allocation_sha256": allocation_sha256(allocation) if allocation else None,
        "arm": "sealed" if allocation else None,
        **(model.describe() if model else {}),
        "measures": engine.measures.describe() or None,
        "elements": _way(engine, model),
        "rating_scale": engine.rated.describe() if engine.rated is not None else None,
        "settings": engine.settings.model_dump(mode="json"),
    }


def _way(engine: Engine, model: Model | None) -> str | None:
    """Return how a session has the elements that it predicts from; None where it does not."""
    if engine.elements is None:
        return None
    return model.elements.way if model is not None and model.elements is not None else "as they were kept"
