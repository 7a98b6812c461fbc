"""Commands inside Pods, by kubectl: it has the user's login, and speaks the stream protocol."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from plugin.core.problem import PluginError
from plugin.core.wire import Pod
from plugin.shell.kubeconfig import Flags

AT_ONCE = 8  # nodes asked side by side
_OPTIONS = (
    ("--kubeconfig", "kubeconfig"),
    ("--context", "context"),
    ("--cluster", "cluster"),
    ("--user", "user"),
    ("--server", "server"),
    ("--token", "token"),
    ("--as", "act_as"),
    ("--as-uid", "act_as_uid"),
    ("--certificate-authority", "certificate_authority"),
    ("--client-certificate", "client_certificate"),
    ("--client-key", "client_key"),
    ("--tls-server-name", "tls_server_name"),
    ("--request-timeout", "request_timeout"),
)


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command in a Pod came to; `error` is empty if it ran and was content."""

    out: str
    error: str


class Kubectl:
    """Runs kubectl with the options that the plugin was called with."""

    def __init__(self, flags: Flags) -> None:
        self._command = [_found(), *_arguments(flags)]

    def run_in(self, namespace: str, pod: str, container: str, command: Sequence[str]) -> Ran:
        """Run a command in a container to its end."""
        where = ["exec", f"--namespace={namespace}", pod, f"--container={container}", "--"]
        done = subprocess.run(
            [*self._command, *where, *command], capture_output=True, text=True, check=False
        )
        why = done.stderr.strip() or f"exit code {done.returncode}"
        return Ran(done.stdout, why if done.returncode else "")

    def run_on(
        self, namespace: str, pods: Sequence[Pod], container: str, command: Sequence[str]
    ) -> Iterator[tuple[str, Ran]]:
        """Run a command in a container of each Pod; yield node and outcome in the order of Pods."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            runs = pool.map(
                lambda pod: self.run_in(namespace, pod.metadata.name, container, command), pods
            )
            for pod, ran in zip(pods, runs, strict=True):
                yield pod.spec.node_name, ran


def _found() -> str:
    path = shutil.which("kubectl")
    if path is None:
        raise PluginError("this command needs kubectl, which is not in PATH; install it")
    return path


def _arguments(flags: Flags) -> list[str]:
    found = [
        f"{option}={getattr(flags, name)}" for option, name in _OPTIONS if getattr(flags, name)
    ]
    found += [f"--as-group={group}" for group in flags.act_as_groups]
    return [*found, "--insecure-skip-tls-verify"] if flags.insecure_skip_tls_verify else found
