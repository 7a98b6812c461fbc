"""PATCH by means of GET and PUT, for clusters whose RBAC grants no `patch` (PureLB's own roles)."""

from collections.abc import Mapping
from typing import Any

from purelb.api.resources import decode_json
from purelb.runtime.kube import Kube


async def replace_object(
    kube: Kube, path: str, patch: Mapping[str, Any], subresource: str = ""
) -> bytes:
    """Apply a merge patch to a whole object; raises ConflictError as PATCH would.

    Reads the object itself even to write a subresource: `get` may be granted on the former only.
    """
    current = decode_json(await kube.get(path))
    return await kube.put(path + subresource, merge_patch(current, patch))


def merge_patch(target: object, patch: object) -> object:
    """Apply a JSON merge patch (RFC 7386) and return the result."""
    if not isinstance(patch, Mapping):
        return patch
    merged: dict[str, Any] = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged
