"""Add models and versions, each with its event."""

from dataclasses import replace
from datetime import datetime

from registry.domain import Model, ModelVersion
from registry.events import EventKind
from registry.history import record
from registry.port import Rows
from registry.registration import content_digest


def locked_or_added(rows: Rows, draft: Model) -> tuple[Model, bool]:
    """Lock the model, added with its event unless it exists; say whether it was added."""
    model, added = rows.add_model(draft)
    if not added:
        return model, False
    kind, by = EventKind.MODEL_CREATED, draft.created_by
    return record(rows, model, kind, by=by, now=draft.created_at), True


def add_version(rows: Rows, draft: ModelVersion, now: datetime) -> ModelVersion:
    """Add the draft under the next number, unless a version of that content is there."""
    content, by = content_digest(draft), draft.created_by
    model, _ = locked_or_added(rows, Model(draft.name, draft.description, 0, now, by))
    existing = rows.version_by_content(draft.name, content)
    if existing is not None:
        return existing
    version = replace(draft, version=model.last_version + 1)
    rows.add_version(version, content=content)
    counted = replace(model, last_version=version.version)
    kind, number = EventKind.VERSION_REGISTERED, version.version
    record(rows, counted, kind, by=by, now=now, version=number)
    return version
