"""Errors as the Kubernetes API spells them: metav1.Status with code, reason and causes.

Belongs here: one constructor per kind of failure, and problems of single fields. Does not: deciding
when something is wrong. Raised everywhere below the HTTP layer, which turns `ApiError` into an
answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

JsonObject = dict[str, Any]

STALE = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


class Named(Protocol):
    """What an error says about the resource it concerns."""

    @property
    def group(self) -> str:
        """API group, "" for the core group."""

    @property
    def plural(self) -> str:
        """Name of the resource in URLs."""

    @property
    def kind(self) -> str:
        """Kind of its objects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionsKind:
    """What an error about query parameters says it concerns."""

    kind: str
    group: str = "meta.k8s.io"
    plural: str = ""


class Versioned(Named, Protocol):
    """A resource in one version."""

    @property
    def version(self) -> str:
        """API version without the group."""


class ApiError(Exception):
    """A request that is answered with a Status of `code`."""

    def __init__(
        self, code: int, reason: str, message: str, details: JsonObject | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.details = code, reason, message, details
        self.continue_token = ""  # of a LIST that cannot go on as it began

    def status(self) -> JsonObject:
        """Build the metav1.Status."""
        body: JsonObject = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {"continue": self.continue_token} if self.continue_token else {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        }
        if not self.reason:
            del body["reason"]
        if self.details is not None:
            body["details"] = self.details
        return body


class UndecodableError(ApiError):
    """400: an object that the decoder of its kind cannot read; `why` is what the decoder said."""

    def __init__(self, resource: Versioned, why: str, kind: str = "", version: str = "") -> None:
        said, version = kind or resource.kind, version or resource.version
        message = f'{said} in version "{version}" cannot be handled as a {resource.kind}: {why}'
        super().__init__(400, "BadRequest", message)
        self.why = why


class NoSuchPathError(Exception):
    """A URL that no handler is registered for: 404 in plain text, without a Status."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One cause of a 422: `kind` is a metav1.CauseType, `detail` the text after the field."""

    kind: str
    field: str
    detail: str


def shown(value: object) -> str:
    """Render a value as error messages do: JSON."""
    return msgspec.json.encode(value).decode()


def invalid_value(field: str, value: object, detail: str) -> FieldProblem:
    """Say that a value breaks a rule."""
    return FieldProblem("FieldValueInvalid", field, f"Invalid value: {shown(value)}: {detail}")


def required(field: str, detail: str = "") -> FieldProblem:
    """Say that a field is missing."""
    text = f"Required value: {detail}" if detail else "Required value"
    return FieldProblem("FieldValueRequired", field, text)


def forbidden_field(field: str, detail: str) -> FieldProblem:
    """Say that a field may not be set here."""
    return FieldProblem("FieldValueForbidden", field, f"Forbidden: {detail}")


def unsupported(field: str, value: object, allowed: Iterable[object]) -> FieldProblem:
    """Say that a value is not one of the allowed ones."""
    names = ", ".join(shown(item) for item in allowed)
    text = f"Unsupported value: {shown(value)}: supported values: {names}"
    return FieldProblem("FieldValueNotSupported", field, text)


def duplicate(field: str, value: object) -> FieldProblem:
    """Say that a list holds a value twice."""
    return FieldProblem("FieldValueDuplicate", field, f"Duplicate value: {shown(value)}")


def _details(resource: Named, name: str) -> JsonObject:
    details: JsonObject = {"name": name} if name else {}
    if resource.group:
        details["group"] = resource.group
    return details | {"kind": resource.plural}


def _qualified(resource: Named) -> str:
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def not_found(resource: Named, name: str) -> ApiError:
    """404 for an object."""
    message = f'{_qualified(resource)} "{name}" not found'
    return ApiError(404, "NotFound", message, _details(resource, name))


def precondition_failed(resource: Named, name: str, why: str) -> ApiError:
    """409 for a DELETE; it names the kind where others name the resource."""
    message = f'Operation cannot be fulfilled on {resource.kind} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(resource, name) | {"kind": resource.kind})


def no_such_resource() -> ApiError:
    """404 for a URL that names no resource of a built-in group."""
    message = "the server could not find the requested resource"
    return ApiError(404, "NotFound", message, {})


def already_exists(resource: Named, name: str) -> ApiError:
    """409 for a create."""
    message = f'{_qualified(resource)} "{name}" already exists'
    return ApiError(409, "AlreadyExists", message, _details(resource, name))


def conflict(resource: Named, name: str, why: str = STALE) -> ApiError:
    """409 for a write that was based on another version or another object."""
    message = f'Operation cannot be fulfilled on {_qualified(resource)} "{name}": {why}'
    return ApiError(409, "Conflict", message, _details(resource, name))


def forbidden(resource: Named, name: str, why: str) -> ApiError:
    """403."""
    subject = f'{_qualified(resource)} "{name}"' if name else _qualified(resource)
    message = f"{subject} is forbidden: {why}"
    return ApiError(403, "Forbidden", message, _details(resource, name))


def invalid(resource: Named, name: str, problems: Sequence[FieldProblem]) -> ApiError:
    """422 with one cause per field problem; `problems` is not empty."""
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    texts = list(dict.fromkeys(f"{item.field}: {item.detail}" for item in problems))
    joined = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    causes = [{"reason": p.kind, "message": p.detail, "field": p.field} for p in problems]
    details = {"name": name, "group": resource.group, "kind": resource.kind, "causes": causes}
    details = {key: value for key, value in details.items() if value}
    return ApiError(422, "Invalid", f'{kind} "{name}" is invalid: {joined}', details)


def bad_request(message: str) -> ApiError:
    """400."""
    return ApiError(400, "BadRequest", message)


def invalid_patch(patched: object, why: str) -> ApiError:
    """422 for a patch whose result cannot be decoded."""
    text = f"Invalid value: {shown(shown(patched))}: {why}"
    cause = {"reason": "FieldValueInvalid", "message": text, "field": "patch"}
    return ApiError(422, "Invalid", f' "" is invalid: patch: {text}', {"causes": [cause]})


def no_name(name: str) -> ApiError:
    """400 for an object without a name where the URL has one."""
    why = "undeterminable: name must be provided"
    return bad_request(f"the name of the object ({name} based on URL) was {why}")


def method_not_allowed() -> ApiError:
    """405."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", message, {})


def unsupported_media_type(accepted: Sequence[str]) -> ApiError:
    """415."""
    message = (
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join(accepted)
    )
    return ApiError(415, "UnsupportedMediaType", message)


def not_acceptable(offered: Sequence[str]) -> ApiError:
    """406."""
    message = f"406: Not Acceptable\n\nAvailable representations: {', '.join(offered)}"
    return ApiError(406, "NotAcceptable", message, {})


def expired(message: str) -> ApiError:
    """410: the version asked for is no longer kept."""
    return ApiError(410, "Expired", message)


def too_large_version(asked: int, current: int) -> ApiError:
    """504: the version asked for lies in the future."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    details = {"causes": [cause], "retryAfterSeconds": 1}
    return ApiError(504, "Timeout", message, details)


def internal(message: str) -> ApiError:
    """500."""
    details = {"causes": [{"message": message}]}
    return ApiError(500, "InternalError", f"Internal error occurred: {message}", details)


REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


def injected(code: int, retry_after_seconds: int = 0) -> ApiError:
    """Build the answer of a fault switch, with the reason that belongs to `code`."""
    details = {"retryAfterSeconds": retry_after_seconds} if retry_after_seconds else None
    return ApiError(code, REASONS.get(code, "Unknown"), "failed on request of the tester", details)
