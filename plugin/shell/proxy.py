"""Which proxy leads to the API server: the kubeconfig's, else the environment's, as in Go.

The rules of the environment are those of golang.org/x/net/http/httpproxy: `HTTPS_PROXY`,
`HTTP_PROXY`, `NO_PROXY`, in upper or lower case; this machine is never asked for through a proxy.
"""

import contextlib
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from plugin.core.problem import PluginError
from plugin.core.redact import redacted
from plugin.shell.kubeconfig import Target


def proxy_of(target: Target, environment: Mapping[str, str]) -> SplitResult | None:
    """Return the proxy's URL, None for a direct connection; PluginError for a kind we lack."""
    server = urlsplit(target.server)
    text = str(target.cluster.get("proxy-url") or "")
    if not text:
        if _is_excepted(server.hostname or "", _value(environment, "NO_PROXY")):
            return None
        text = _value(environment, f"{server.scheme.upper()}_PROXY")
    if not text:
        return None
    with contextlib.suppress(ValueError):  # of its port, or of an IPv6 address
        found = urlsplit(text if "://" in text else f"http://{text}")
        if found.scheme == "http" and found.hostname and found.port != 0:
            return found
    raise PluginError(
        f'the proxy "{redacted(text)}" cannot be used: only http:// proxies can; correct proxy-url'
        " in the kubeconfig, or HTTPS_PROXY"
    )


def _value(environment: Mapping[str, str], name: str) -> str:
    return environment.get(name) or environment.get(name.lower()) or ""


def _is_excepted(host: str, exceptions: str) -> bool:
    try:
        address = ip_address(host)
    except ValueError:
        address = None
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    for entry in (text.strip() for text in exceptions.split(",")):
        if entry == "*" or entry == host:
            return True
        if address is not None:
            try:
                if address in ip_network(entry, strict=False):
                    return True
            except ValueError:
                continue
        elif entry and host.endswith(entry if entry.startswith(".") else f".{entry}"):
            return True
    return False
