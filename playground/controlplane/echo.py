"""The echo pods as objects that a kubelet can run. Pure."""

import math
from typing import Any

from playground.pods import PORT_NAME, Pod, pod_object

IMAGE = "purelb-kopf/echo:dev"
PROBE_SECONDS = 1


def echo_pod(pod: Pod, grace_seconds: float) -> dict[str, Any]:
    """Return a Pod, bound to its node, that is not ready after that many seconds of silence."""
    body = pod_object(pod, is_ready=False)
    del body["status"]
    probe = {
        "httpGet": {"path": "/", "port": PORT_NAME},
        "periodSeconds": PROBE_SECONDS,
        "failureThreshold": max(1, math.ceil(grace_seconds / PROBE_SECONDS)),
    }
    (container,) = body["spec"]["containers"]
    container |= {"image": IMAGE, "readinessProbe": probe}
    return body
