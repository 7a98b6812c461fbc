"""What leaves the cluster in a support bundle: objects without secrets, and without noise."""

import re
from typing import Any

from plugin.core.components import AGENT, ALLOCATOR, SIDECAR
from purelb.api.annotations import BGP_LAST_GOOD

HIDDEN = "(hidden)"
_SECRETS = ("password", "secretkey", "token", "privatekey")
_LOGIN = re.compile(r"(://)[^/@\s:]*:[^/@\s]*@")  # of a URL
_OURS = (AGENT, ALLOCATOR, SIDECAR)
_WORDS = ("args", "command")  # of a container
_NOISE = ("managedFields",)
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_COPIES = (LAST_APPLIED, BGP_LAST_GOOD)  # texts with whole objects in them


def redacted(value: Any) -> Any:  # noqa: ANN401  # JSON
    """Return JSON in which the texts of fields named like a secret are hidden, and URLs' logins.

    Environment variables lose their values too, but for those of the suite itself: somebody may
    have added one with a secret. So do command lines of other containers, and headers of probes.
    """
    if isinstance(value, list):
        return [redacted(one) for one in value]
    if isinstance(value, str):
        return _LOGIN.sub(rf"\1{HIDDEN}@", value)
    if not isinstance(value, dict):
        return value
    found: dict[str, Any] = {}
    for key, one in value.items():
        if key in _NOISE or key in _COPIES:
            continue
        if key == "env" and isinstance(one, list):
            found[key] = [_variable(entry) for entry in one]
        elif key == "httpHeaders" or (key in _WORDS and value.get("name") not in _OURS):
            found[key] = [HIDDEN]
        elif isinstance(one, str) and any(word in key.lower() for word in _SECRETS):
            found[key] = HIDDEN
        else:
            found[key] = redacted(one)
    return found


def _variable(entry: Any) -> Any:  # noqa: ANN401  # JSON
    if not isinstance(entry, dict) or "value" not in entry:
        return entry
    name = str(entry.get("name", ""))
    is_ours = name.startswith("PURELB_") or name in ("DEFAULT_ANNOUNCER", "GOBGP_TARGET")
    return entry if is_ours else {**entry, "value": HIDDEN}
