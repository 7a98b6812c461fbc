"""Real allocator processes against an embedded API server."""

import asyncio
import os
import sys
from pathlib import Path

import yaml

from tests.component.harness import NAMESPACE


def kubeconfig(folder: Path, server: str, client: str) -> Path:
    """Write the access of one client; the server's audit knows it by this name."""
    config = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": server}}],
        "users": [{"name": "x", "user": {"token": client}}],
    }
    path = folder / f"kubeconfig-{client}"
    path.write_text(yaml.safe_dump(config))
    return path


async def start(
    config: Path, *, pod: str, lease: str = "10s", namespace: str = NAMESPACE
) -> asyncio.subprocess.Process:
    """Start a replica; one with the `pod` of a dead one takes its place at once."""
    environment = os.environ | {
        "KUBECONFIG": str(config),
        "PURELB_NAMESPACE": namespace,
        "PURELB_POD_UID": pod,
        "PURELB_LEASE_DURATION": lease,
        "DEFAULT_ANNOUNCER": "PureLB",
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "allocator", "--port", "0", env=environment,
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
