"""The page "Get started", typed in as it is written: every block of it, in its order.

In the playground's network, which is that of the page's example; `nginx` is played by its echo.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

from playground.cluster import Cluster
from playground.controlplane.binaries import find
from playground.state import INSIDE, Paths
from tests.e2e.install import ROOT
from tests.e2e.release import bare, inventory

PAGE = ROOT / "docs/get-started.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)
SECONDS = 180.0

pytestmark = pytest.mark.timeout(400)


async def type_in(cluster: Cluster, block: str) -> str:
    """Run a block in a shell on the control machine, as an administrator; returns what it said."""
    folder = Paths(INSIDE).scratch / "person"
    programs = {find(name, os.environ).parent for name in ("kubectl", "helm")}
    path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
    settings = (f"KUBECONFIG={cluster.kubeconfig('kubectl')}", f"HOME={folder}", f"PATH={path}")
    script = f"mkdir -p {folder} && cd {ROOT} && set -euo pipefail\n{block}"
    command = ("env", *settings, "bash", "-c", script)
    try:
        return (await cluster.run("control", *command, seconds=SECONDS)).stdout
    except subprocess.CalledProcessError as error:
        error.add_note(f"{block}\n{error.stdout}{error.stderr}")
        raise


def test_every_block_of_the_page_works_as_it_is_written() -> None:
    """And leaves nothing behind but definitions."""
    blocks = BLOCK.findall(PAGE.read_text())
    assert len(blocks) == 6
    said: list[str] = []
    left: list[frozenset[str]] = []

    async def scenario(cluster: Cluster) -> None:
        left.append(await inventory(cluster))
        for block in blocks:
            said.append(await type_in(cluster, block))
        left.append(await inventory(cluster))

    with bare() as world:
        world(scenario)
    answered = said[3]
    assert '"pod": "web-' in answered
    assert "192.0.2.200" in said[4]
    gone = {line for line in left[1] - left[0] if "purelb" in line or " web" in line}
    assert {line.split()[0] for line in gone} <= {"CustomResourceDefinition", "APIService"}


def test_the_page_says_nothing_that_is_not_typed_in() -> None:
    """Blocks of another kind would not be run."""
    assert set(re.findall(r"^```(\w+)$", Path(PAGE).read_text(), re.M)) == {"sh"}
