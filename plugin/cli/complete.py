"""What the shell may complete: names out of the kubeconfig and the cluster.

A completion never fails and never says anything but names: whatever goes wrong completes nothing.
"""

import os
from collections.abc import Callable
from typing import Any

import click

from plugin.cli.flags import flags_of, target_of
from plugin.core.problem import PluginError

SECONDS = "3s"  # a person waits with a finger on the key


def complete_contexts(context: click.Context, _: click.Parameter, typed: str) -> list[str]:
    """Return the kubeconfig's contexts."""
    from plugin.shell.kubeconfig import context_names

    return _matching(lambda: context_names(flags_of(context), os.environ), typed)


def complete_namespaces(context: click.Context, _: click.Parameter, typed: str) -> list[str]:
    """Return the cluster's namespaces."""
    return _matching(lambda: _names(context, "/api/v1/namespaces"), typed)


def complete_nodes(context: click.Context, _: click.Parameter, typed: str) -> list[str]:
    """Return the cluster's nodes."""
    return _matching(lambda: _names(context, "/api/v1/nodes"), typed)


def complete_groups(context: click.Context, _: click.Parameter, typed: str) -> list[str]:
    """Return the ServiceGroups."""
    return _matching(lambda: _names(context, "/apis/purelb.io/v2/servicegroups"), typed)


def complete_services(context: click.Context, _: click.Parameter, typed: str) -> list[str]:
    """Return the Services of type LoadBalancer as namespace/name."""
    path = "/api/v1/services"
    return _matching(lambda: _names(context, path, "spec.type=LoadBalancer"), typed)


def _names(context: click.Context, path: str, selector: str = "") -> list[str]:
    from plugin.shell.client import Client
    from purelb.api.resources import decode_object, decode_page

    client = Client(target_of(context), flags_of(context).request_timeout or SECONDS)
    params = {"limit": "500", **({"fieldSelector": selector} if selector else {})}
    metas = [decode_object(raw).metadata for raw in decode_page(client.get(path, params)).items]
    with_namespace = bool(selector)
    return [f"{m.namespace}/{m.name}" if with_namespace else m.name for m in metas]


def _matching(find: Callable[[], Any], typed: str) -> list[str]:
    try:
        return [name for name in find() if name.startswith(typed)]
    except (PluginError, ValueError):
        return []
