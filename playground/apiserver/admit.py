"""From a request's object to the object that would be stored.

Belongs here: identity checks, decoding by schema, what the server fills into metadata, which parts
a subresource may change, validation. Pure: nothing is stored here. Called by writes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from playground.apiserver import metadata as meta
from playground.apiserver.builtin.notation import OBJECT_META
from playground.apiserver.cel import rule_problems
from playground.apiserver.decode import MismatchError, decoded, unknown_fields
from playground.apiserver.errors import (
    FieldProblem,
    UndecodableError,
    bad_request,
    conflict,
    invalid,
    invalid_value,
    shown,
)
from playground.apiserver.kinds import Problems, Resource
from playground.apiserver.schema import MISSING, compiled
from playground.apiserver.structural import defaulted, problems_of, pruned

JsonObject = dict[str, Any]
META = compiled(OBJECT_META)
# Problems after which rules are not run, since they may rely on the schema.
BLOCKING = frozenset(
    f"FieldValue{kind}"
    for kind in ("NotSupported", "Required", "TooLong", "TooMany", "TypeInvalid")
)
UNCHECKED = (
    "some validation rules were not checked because the object was invalid; correct the existing "
    "errors to complete validation"
)
TYPE_FIELDS = ("apiVersion", "kind", "metadata")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What the URL of a request names; `name` may be empty for a create."""

    resource: Resource
    namespace: str
    name: str
    subresource: str = ""

    @property
    def is_status(self) -> bool:
        """Return whether the status subresource is meant."""
        return self.subresource == "status"


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """Query parameters of a write. `warnings` is filled on the way and becomes headers."""

    manager: str = "unknown"
    is_dry_run: bool = False
    validation: str = "Warn"  # of unknown fields: Strict, Warn or Ignore
    force: bool = False
    keeps_metadata: bool = False  # a fault: what a status write says of metadata is ignored
    warnings: list[str] = field(default_factory=list)


def checked_identity(target: Target, body: object) -> JsonObject:
    """Return the body as an object that fits the URL; 400 if it does not."""
    resource = target.resource
    if not isinstance(body, dict):
        raise bad_request(f"the object provided is unrecognized (must be of type {resource.kind})")
    _check_kind(resource, body)
    given = body.get("metadata") or {}
    if not isinstance(given, dict):
        raise bad_request("metadata must be an object")
    if target.name and given.get("name", target.name) != target.name:
        raise bad_request(
            f"the name of the object ({given['name']}) does not match the name on the URL "
            f"({target.name})"
        )
    if given.get("namespace", target.namespace) not in (target.namespace, ""):
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    return body


def _check_kind(resource: Resource, body: JsonObject) -> None:
    """Raise unless the body is of the resource's kind; built-in kinds need not say so."""
    api_version, kind = body.get("apiVersion", ""), body.get("kind", "")
    if resource.is_custom:
        if not kind:
            raise bad_request(
                f"the object provided is unrecognized (must be of type {resource.kind}): Object "
                "'Kind' is missing"
            )
        if api_version != resource.api_version:
            raise bad_request(
                f"the API version in the data ({api_version}) does not match the expected API "
                f"version ({resource.api_version})"
            )
        if kind != resource.kind:
            name = (body.get("metadata") or {}).get("name", "")
            problem = invalid_value("kind", kind, f"must be {resource.kind}")
            raise invalid(replace(resource, kind=kind), name, [problem])
    elif (api_version or resource.api_version, kind or resource.kind) != (
        resource.api_version,
        resource.kind,
    ):
        why = f'no kind "{kind}" is registered for version "{api_version}"'
        raise UndecodableError(resource, why, kind, api_version.rpartition("/")[2])


def parsed(
    target: Target, body: JsonObject, old: JsonObject | None, options: WriteOptions
) -> JsonObject:
    """Return a new object with the fields its schema has, defaults included.

    Parts that are the same objects as in `old` are taken over unseen. Metadata is the client's,
    decoded but not yet completed.
    """
    resource, before = target.resource, old or {}
    changed = {
        key: value
        for key, value in body.items()
        if key not in TYPE_FIELDS and value is not before.get(key, MISSING)
    }
    given = body.get("metadata") or {}
    metadata = given if given is before.get("metadata") else _decoded_metadata(resource, given)
    parse = _parsed_custom if resource.is_custom else _parsed_builtin
    fresh = parse(resource, changed)
    if fresh is not changed or metadata is not given:
        _report_unknown(resource, {**changed, "metadata": given}, options)
    rest = {
        key: fresh.get(key, value)
        for key, value in body.items()
        if key not in TYPE_FIELDS and (key in fresh or key not in changed)
    }
    if resource.is_custom:
        rest |= {key: value for key, value in fresh.items() if key not in rest}
        head: JsonObject = {"apiVersion": resource.api_version, "kind": resource.kind}
    else:
        head = {"kind": resource.kind, "apiVersion": resource.api_version}
    return head | {"metadata": metadata} | rest


def _decoded_metadata(resource: Resource, given: JsonObject) -> object:
    try:
        return decoded(given, META)
    except MismatchError as error:
        error.path += ["metadata", "ObjectMeta"]
        raise UndecodableError(resource, str(error)) from error


def _parsed_builtin(resource: Resource, changed: JsonObject) -> JsonObject:
    try:
        result = decoded(changed, resource.node)
    except MismatchError as error:
        raise UndecodableError(resource, str(error)) from error
    assert isinstance(result, dict)  # decoded from a dict
    return result


def _parsed_custom(resource: Resource, changed: JsonObject) -> JsonObject:
    result = defaulted(pruned(changed, resource.node), resource.node)
    assert isinstance(result, dict)  # made from a dict
    return result


def _report_unknown(resource: Resource, body: JsonObject, options: WriteOptions) -> None:
    if options.validation == "Ignore":
        return
    names = list(unknown_fields(body["metadata"], META, "metadata"))
    rest = {key: value for key, value in body.items() if key != "metadata"}
    names += unknown_fields(rest, resource.node)
    texts = [f"unknown field {shown(name)}" for name in names]
    if texts and options.validation == "Strict":
        raise UndecodableError(resource, f"strict decoding error: {', '.join(texts)}")
    options.warnings.extend(texts)


def admitted_new(target: Target, obj: JsonObject) -> JsonObject:
    """Complete and validate an object that is to be created; 422 with all problems."""
    resource = target.resource
    given = obj["metadata"]
    name = target.name or given.get("name", "")
    if not name and given.get("generateName"):
        name = meta.generated_name(given["generateName"])
    fixed: JsonObject = {
        "name": name,
        "uid": meta.new_uid(),
        "resourceVersion": "",  # in its place; the store fills it in
        "creationTimestamp": meta.timestamp(),
    }
    if resource.is_namespaced:
        fixed["namespace"] = target.namespace
    if resource.has_generation:
        fixed["generation"] = 1
    dropped = ("deletionTimestamp", "deletionGracePeriodSeconds", "managedFields", "generation")
    metadata = {key: value for key, value in given.items() if key not in dropped} | fixed
    new = obj | {"metadata": meta.ordered(metadata)}
    if resource.has_status and not resource.keeps_status:
        new.pop("status", None)
    problems: Problems = list(meta.problems_of(metadata, None, _rules(resource)))
    new = resource.admission.spec(new, None, problems)
    _validate(resource, new, None, problems)
    return new


def admitted_update(target: Target, obj: JsonObject, old: JsonObject) -> JsonObject:
    """Complete and validate an object that is to replace `old`; 409, 422.

    The result still has the resourceVersion of `old`, so that equality means nothing changed.
    """
    resource = target.resource
    new = _with_untouchable_parts(target, resource.admission.decoded(obj), old)
    problems: Problems = []
    if new["metadata"] is not old["metadata"]:
        new["metadata"] = _updated_metadata(target, new["metadata"], old["metadata"])
        problems += meta.problems_of(new["metadata"], old["metadata"], _rules(resource))
    admit = resource.admission.status if target.is_status else resource.admission.spec
    new = admit(new, old, problems)
    _validate(resource, new, old, problems)
    if resource.has_generation and _desires_something_else(resource, new, old):
        generation = old["metadata"].get("generation", 0) + 1
        new["metadata"] = meta.ordered(new["metadata"] | {"generation": generation})
    return new


def _rules(resource: Resource) -> meta.Rules:
    return meta.Rules(resource.name_rule, are_finalizers_qualified=not resource.is_custom)


def _with_untouchable_parts(target: Target, obj: JsonObject, old: JsonObject) -> JsonObject:
    """Take from `old` what this URL cannot change.

    A write to the status of a built-in kind persists its metadata; that of a custom resource does
    not (statusStrategy of Services, of custom resources).
    """
    if not target.is_status:
        new = dict(obj)
        if target.resource.has_status:
            new.pop("status", None)
            if "status" in old:
                new["status"] = old["status"]
        return new
    new = {key: value for key, value in old.items() if key != "status"}
    if "status" in obj:
        new["status"] = obj["status"]
    if not target.resource.is_custom:
        new["metadata"] = obj["metadata"]
    else:
        check_preconditions(target, obj["metadata"], old["metadata"])
    return new


def _updated_metadata(target: Target, given: JsonObject, old: JsonObject) -> JsonObject:
    check_preconditions(target, given, old)
    kept = {key: old[key] for key in meta.FIXED if key in old}
    kept |= {"name": old["name"], "resourceVersion": old["resourceVersion"]}
    for key in ("namespace", "generation"):
        if key in old:
            kept[key] = old[key]
    dropped = (*meta.FIXED, "managedFields", "generation")
    return meta.ordered({key: v for key, v in given.items() if key not in dropped} | kept)


def check_preconditions(target: Target, given: JsonObject, old: JsonObject) -> None:
    """Raise a Conflict if `given` names another version or another uid than `old`."""
    if given.get("uid") and given["uid"] != old["uid"]:
        why = f"Precondition failed: UID in precondition: {given['uid']}, UID in object meta: "
        raise conflict(target.resource, target.name, why + old["uid"])
    if given.get("resourceVersion", old["resourceVersion"]) not in (
        old["resourceVersion"],
        "",
        "0",
    ):
        raise conflict(target.resource, target.name)


def _validate(
    resource: Resource, new: JsonObject, old: JsonObject | None, problems: Problems
) -> None:
    if resource.is_custom:
        _validate_custom(resource, new, old, problems)
    if problems:
        raise invalid(resource, new["metadata"]["name"], problems)


def _validate_custom(
    resource: Resource, new: JsonObject, old: JsonObject | None, problems: Problems
) -> None:
    body = {key: value for key, value in new.items() if key != "metadata"}
    before = None if old is None else {k: v for k, v in old.items() if k != "metadata"}
    if body == before:
        return
    problems += problems_of(body, resource.node, "")
    if resource.rules is None:
        return
    if any(problem.kind in BLOCKING for problem in problems):
        problems.append(
            FieldProblem("FieldValueInvalid", "<nil>", f"Invalid value: null: {UNCHECKED}")
        )
        return
    problems += rule_problems(resource.rules, resource.node, new, MISSING if old is None else old)


def _desires_something_else(resource: Resource, new: JsonObject, old: JsonObject) -> bool:
    ignored = {"metadata", "status"} if resource.has_status else {"metadata"}
    if old["metadata"].get("deletionTimestamp") != new["metadata"].get("deletionTimestamp"):
        return True
    return any(
        new.get(key) is not old.get(key) and new.get(key) != old.get(key)
        for key in new.keys() | old.keys()
        if key not in ignored
    )
