"""Where the connection's options are kept, and the cluster that they name."""

import os
import re
from dataclasses import fields

import click

from plugin.core.problem import PluginError
from plugin.shell.client import Client
from plugin.shell.cluster import Cluster
from plugin.shell.kubeconfig import Flags, Target, find_target

INSTALL_NAMESPACE = "purelb-system"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")  # of any object that we ask for


def keep(context: click.Context, option: click.Parameter, value: object) -> None:
    """Take note of an option, in place of a parameter of the command."""
    if value and option.name:
        found = value.removeprefix("=") if isinstance(value, str) else value  # -n=NAME
        context.meta[option.name] = found


def flags_of(context: click.Context) -> Flags:
    """Return the connection's options, wherever they stood."""
    names = [field.name for field in fields(Flags)]
    return Flags(**{name: context.meta[name] for name in names if name in context.meta})


def target_of(context: click.Context) -> Target:
    """Return the API server that options and kubeconfig name."""
    return find_target(flags_of(context), os.environ)


def cluster_of(context: click.Context) -> Cluster:
    """Return the cluster that options and kubeconfig name; nothing is sent yet."""
    flags = flags_of(context)
    if flags.namespace and not is_name(flags.namespace):
        raise PluginError(
            f'--namespace: "{flags.namespace}" is no name of a namespace; see kubectl get ns'
        )
    client = Client(target_of(context), flags.request_timeout)
    context.call_on_close(client.close)
    return Cluster(client, flags.namespace or INSTALL_NAMESPACE)


def is_name(text: str) -> bool:
    """Tell whether an object may have that name: it is to be a part of a path."""
    return _NAME.fullmatch(text) is not None
