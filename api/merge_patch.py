"""Change some members of a JSON object and leave the others: JSON Merge Patch, RFC 7396."""

from typing import Any

MEDIA_TYPE = "application/merge-patch+json"


def merged(target: Any, patch: Any) -> Any:
    """Return `target` with `patch` applied; neither is changed.

    An object's members replace those of the same name, objects member by member; null removes
    one; anything else replaces the whole.
    """
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result
