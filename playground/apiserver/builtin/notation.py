"""A short notation for OpenAPI schemas of built-in kinds.

Belongs here: constructors that return OpenAPI JSON with the list and map types that server-side
apply and strategic merge go by. Does not: the kinds themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

JsonObject = dict[str, Any]


def text(description: str, **more: object) -> JsonObject:
    """Return the schema of a string."""
    return {"description": description, "type": "string", **more}


def integer(description: str, **more: object) -> JsonObject:
    """Return the schema of an integer."""
    return {"description": description, "type": "integer", **more}


def boolean(description: str) -> JsonObject:
    """Return the schema of a boolean."""
    return {"description": description, "type": "boolean"}


def int_or_string(description: str) -> JsonObject:
    """Return the schema of a port number or name, or of a count or percentage."""
    return {"description": description, "x-kubernetes-int-or-string": True}


def moment(description: str) -> JsonObject:
    """Return the schema of a time."""
    return {"description": description, "type": "string", "format": "date-time"}


def micro_moment(description: str) -> JsonObject:
    """Return the schema of a time that is written with microseconds."""
    return {"description": description, "type": "string", "format": "micro-time"}


def struct(description: str, *required: str, **properties: JsonObject) -> JsonObject:
    """Return the schema of an object with these properties and no others."""
    schema: JsonObject = {
        "description": description,
        "type": "object",
        "properties": {key.rstrip("_"): value for key, value in properties.items()},
    }
    return schema | ({"required": list(required)} if required else {})


def loose(description: str, **properties: JsonObject) -> JsonObject:
    """Return the schema of an object that may have more than these properties."""
    return struct(description, **properties) | {"x-kubernetes-preserve-unknown-fields": True}


def mapping(description: str, *, atomic: bool = False) -> JsonObject:
    """Return the schema of a map from string to string."""
    schema: JsonObject = {
        "description": description,
        "type": "object",
        "additionalProperties": {"type": "string"},
    }
    return schema | ({"x-kubernetes-map-type": "atomic"} if atomic else {})


def several(
    description: str,
    item: JsonObject,
    *,
    keys: Sequence[str] = (),
    merge_key: str = "",
    is_set: bool = False,
) -> JsonObject:
    """Return the schema of a list: a map by `keys`, a set, or atomic.

    `merge_key` makes strategic merge patches merge its items.
    """
    schema: JsonObject = {"description": description, "type": "array", "items": item}
    if keys:
        schema |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}
    else:
        schema["x-kubernetes-list-type"] = "set" if is_set else "atomic"
    if merge_key:
        schema["x-kubernetes-patch-merge-key"] = merge_key
    if merge_key or is_set:
        schema["x-kubernetes-patch-strategy"] = "merge"
    return schema


def strings(description: str, *, is_set: bool = False) -> JsonObject:
    """Return the schema of a list of strings."""
    return several(description, {"type": "string"}, is_set=is_set)


def conditions(description: str) -> JsonObject:
    """Return the schema of a list of conditions, one per type."""
    item = struct(
        "One aspect of the state.",
        "type",
        "status",
        type=text("The aspect."),
        status=text("True, False or Unknown."),
        observedGeneration=integer("The generation this was computed from.", format="int64"),
        lastTransitionTime=moment("When status last changed."),
        lastHeartbeatTime=moment("When this was last confirmed."),
        lastProbeTime=moment("When this was last probed."),
        lastUpdateTime=moment("When this was last updated."),
        reason=text("One word for programs."),
        message=text("A sentence for people."),
    )
    return several(description, item, keys=["type"], merge_key="type")


def reference(description: str) -> JsonObject:
    """Return the schema of a reference to an object."""
    return struct(
        description,
        kind=text("Kind of the object."),
        apiVersion=text("Its API version."),
        namespace=text("Its namespace."),
        name=text("Its name."),
        uid=text("Its uid."),
        resourceVersion=text("The version referred to."),
        fieldPath=text("The part referred to."),
    ) | {"x-kubernetes-map-type": "atomic"}


OBJECT_META = struct(
    "Metadata that every object has.",
    name=text("Name, unique within the namespace; cannot be changed."),
    generateName=text("Prefix from which the server makes a name if none is given."),
    namespace=text("The namespace the object lives in; cannot be changed."),
    selfLink=text("Not used any more."),
    uid=text("Identity of this object in time and space."),
    resourceVersion=text("Version of the object; a write that states another one is refused."),
    generation=integer("Counts changes of the desired state.", format="int64"),
    creationTimestamp=moment("When the object was created."),
    deletionTimestamp=moment("When deletion was asked for; the object goes with its finalizers."),
    deletionGracePeriodSeconds=integer("Seconds granted for a graceful end.", format="int64"),
    labels=mapping("Keys and values to select objects by."),
    annotations=mapping("Keys and values for tools; cannot be selected by."),
    ownerReferences=several(
        "Objects this one depends on; it is collected when all of them are gone.",
        struct(
            "An owner.",
            "apiVersion",
            "kind",
            "name",
            "uid",
            apiVersion=text("API version of the owner."),
            kind=text("Kind of the owner."),
            name=text("Name of the owner."),
            uid=text("Uid of the owner."),
            controller=boolean("Whether it is the managing controller."),
            blockOwnerDeletion=boolean("Whether foreground deletion waits for this object."),
        )
        | {"x-kubernetes-map-type": "atomic"},
        keys=["uid"],
        merge_key="uid",
    ),
    finalizers=strings("Who must act before the object can go.", is_set=True),
    managedFields=several("Who owns which field.", loose("An entry.")),
)


def kind(description: str, **properties: JsonObject) -> JsonObject:
    """Return the schema of a top-level object."""
    return struct(
        description,
        apiVersion=text("The version of this object's schema."),
        kind=text("The kind of this object."),
        metadata=OBJECT_META,
        **properties,
    )
