"""Options that many commands have, and what they come to.

The connection's options may stand before or after the command's name, as with kubectl.
"""

from collections.abc import Callable
from functools import reduce
from typing import Any, TypeVar

import click

from plugin.cli.complete import complete_contexts, complete_namespaces
from plugin.cli.flags import INSTALL_NAMESPACE, keep
from plugin.core.problem import PluginError
from plugin.shell.output import Format

F = TypeVar("F", bound=Callable[..., Any])

_CONNECTION: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("--kubeconfig",), "kubeconfig", "Path of the kubeconfig."),
    (("--context",), "context", "Context of the kubeconfig."),
    (("--cluster",), "cluster", "Cluster of the kubeconfig."),
    (("--user",), "user", "User of the kubeconfig."),
    (("-n", "--namespace"), "namespace", f"Install namespace; {INSTALL_NAMESPACE} if not given."),
    (("-s", "--server"), "server", "Address of the API server."),
    (("--token",), "token", "Bearer token."),
    (("--as",), "act_as", "User to act as."),
    (("--as-uid",), "act_as_uid", "UID to act as."),
    (("--certificate-authority",), "certificate_authority", "File of the certificate authority."),
    (("--client-certificate",), "client_certificate", "File of the client's certificate."),
    (("--client-key",), "client_key", "File of the client's key."),
    (("--tls-server-name",), "tls_server_name", "Name in the server's certificate."),
    (("--request-timeout",), "request_timeout", "How long to wait for an answer; 0 for ever."),
    (("--cache-dir",), "cache_dir", "Taken, as kubectl does; nothing is cached."),
)
_SWITCHES = (
    ("--insecure-skip-tls-verify", "Trust any server."),
    ("--disable-compression", "Taken, as kubectl does; nothing is compressed."),
)
_COMPLETE = {"context": complete_contexts, "namespace": complete_namespaces}
_FILES = ("kubeconfig", "certificate_authority", "client_certificate", "client_key", "cache_dir")


def connection(command: F) -> F:
    """Give a command the connection's options, hidden in its own help."""
    return reduce(lambda found, add: add(found), reversed(_options(is_hidden=True)), command)


def long_connection(command: F) -> F:
    """Give a command the long ones of the options only: it passes short ones on."""
    options = _options(is_hidden=True, has_short=False)
    return reduce(lambda found, add: add(found), reversed(options), command)


def shown_connection(command: F) -> F:
    """Give the root its options, shown in its help."""
    return reduce(lambda found, add: add(found), reversed(_options(is_hidden=False)), command)


def _options(*, is_hidden: bool, has_short: bool = True) -> list[Callable[[F], F]]:
    made: list[Callable[[F], F]] = [
        click.option(
            *(name for name in names if has_short or name.startswith("--")),
            field,
            type=click.Path() if field in _FILES else str,
            metavar="TEXT",
            help=text,
            hidden=is_hidden,
            expose_value=False,
            callback=keep,
            shell_complete=_COMPLETE.get(field),
        )
        for names, field, text in _CONNECTION
    ]
    made.append(
        click.option(
            "--as-group",
            "act_as_groups",
            multiple=True,
            help="Group to act as; may be repeated.",
            hidden=is_hidden,
            expose_value=False,
            callback=keep,
        )
    )
    made += [
        click.option(
            name, is_flag=True, help=text, hidden=is_hidden, expose_value=False, callback=keep
        )
        for name, text in _SWITCHES
    ]
    return made


def _format(context: click.Context, _: click.Parameter, value: str | None) -> Format:
    name = (value or "").removeprefix("=") or Format.TABLE
    try:
        return Format(name)
    except ValueError:
        known = ", ".join(Format)
        raise PluginError(f'there is no output format "{name}"; choose one of: {known}') from None


output = click.option(
    "-o",
    "--output",
    metavar="FORMAT",
    callback=_format,
    shell_complete=lambda *_: [one.value for one in Format],
    help="table, wide, json or yaml.",
)
exit_code = click.option(
    "--exit-code", is_flag=True, help="Exit with 1 if a problem is found; else 0 in any case."
)
watch = click.option("-w", "--watch", is_flag=True, help="Show it again whenever it has changed.")
