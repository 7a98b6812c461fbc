"""What gobgpd's log lines say: its API has no field for why a session failed.

Belongs here: reading lines, and the last error of each neighbor. Does not: writing them to our log.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

_CODES = {  # RFC 4271 section 4.5
    1: "message header error",
    2: "OPEN message error",
    3: "UPDATE message error",
    4: "hold timer expired",
    5: "finite state machine error",
    6: "cease",
}
_OPEN = {1: "unsupported version", 2: "bad peer AS", 3: "bad BGP identifier", 6: "bad hold time"}
_OPEN |= {4: "unsupported optional parameter", 7: "unsupported capability"}
_CEASE = {  # RFC 4486, RFC 8538
    1: "maximum number of prefixes reached",
    2: "administrative shutdown",
    3: "peer is not configured there",
    4: "administrative reset",
    5: "connection rejected",
    6: "configuration change",
    7: "connection collision resolution",
    8: "out of resources",
    9: "hard reset",
}
_SUBCODES: Mapping[int, Mapping[int, str]] = {2: _OPEN, 6: _CEASE}
_LEVELS = {"panic": "error", "fatal": "error", "error": "error", "warning": "warning"}
_NOISE = ("No matching path for withdraw found",)  # one for each of our routes that comes back


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line; `level` is error, warning, info or debug, `neighbor` an address or empty.

    `error` is what went wrong with the session, empty where nothing did; `is_up` that it came up.
    """

    message: str
    level: str = "info"
    neighbor: str = ""
    error: str = ""
    is_up: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)


def read_line(text: str) -> Line:
    """Read one line; what is no JSON, such as a Go traceback, is a message as it is."""
    try:
        entry = json.loads(text)
    except ValueError:
        return Line(message=text, level="error" if text.startswith("panic:") else "info")
    if not isinstance(entry, dict):
        return Line(message=text)
    message = str(entry.get("msg", ""))
    is_noise = message.startswith(_NOISE)
    is_peer = entry.get("Topic") == "Peer"
    return Line(
        message=message,
        level="debug" if is_noise else _LEVELS.get(str(entry.get("level")), "info"),
        neighbor=str(entry.get("Key", "")) if is_peer else "",
        error=_error(message, entry) if is_peer else "",
        is_up=is_peer and message == "Peer Up",
        facts={
            name: str(entry[name])
            for name in ("Key", "Reason", "Error", "State", "Data")
            if entry.get(name) not in (None, "") and not is_noise
        },
    )


def _error(message: str, entry: Mapping[str, object]) -> str:
    match message:
        case "sent notification":
            text = entry.get("Data")
            return f"refused by us: {text}" if isinstance(text, str) and text else _coded(entry)
        case "received notification":
            said = entry.get("Communicated-Reason")
            return f"ended by the neighbor: {_coded(entry)}" + (f" ({said})" if said else "")
        case "Peer Down":
            return str(entry.get("Reason", ""))
        case "hold timer expired":
            return "hold timer expired: nothing was heard of the neighbor"
        case _:
            text = entry.get("Error")
            return f"{message}: {text}" if isinstance(text, str) and text else ""


def _coded(entry: Mapping[str, object]) -> str:
    code, subcode = entry.get("Code"), entry.get("Subcode")
    if not isinstance(code, int) or not isinstance(subcode, int):
        return "a notification"
    name = _CODES.get(code, f"code {code}")
    detail = _SUBCODES.get(code, {}).get(subcode, f"subcode {subcode}" if subcode else "")
    return f"{name}, {detail}" if detail else name


def note(errors: Mapping[str, str], line: Line) -> Mapping[str, str]:
    """Return the last error of each neighbor after a line; a session that is up has none.

    How a session went down is told last and least exactly, so it replaces nothing.
    """
    if not line.neighbor:
        return errors
    if line.is_up:
        return {name: text for name, text in errors.items() if name != line.neighbor}
    is_vague = line.message == "Peer Down" and line.neighbor in errors
    if not line.error or is_vague:
        return errors
    return {**errors, line.neighbor: line.error}
