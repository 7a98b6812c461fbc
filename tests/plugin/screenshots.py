"""The pictures in docs/images, made from the real command line in a made-up cluster.

    python -m tests.plugin.screenshots docs/images

Terminal pictures are SVG and the same on every run; the page is a PNG, made where a browser is.
"""

import asyncio
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from rich.console import Console, RenderableType
from rich.text import Text

from plugin.core import snapshot as kinds
from plugin.core.live import Look, look
from plugin.render.top import frame
from plugin.shell.client import Client
from plugin.shell.cluster import Cluster
from plugin.shell.kubeconfig import Flags, find_target
from plugin.shell.output import paint
from tests.plugin import scenes
from tests.plugin.scenes import Object
from tests.plugin.stage import Stage, stage

WIDTH, HEIGHT = 118, 30
MOMENT = 1_800_000_000.0  # the time on the pictures
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
COMMANDS = {"status": ["status"], "explain": ["explain", "shop/web"]}
_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
FINDING = {
    "type": "ReversePathFilter",
    "subject": "eth1",
    "severity": "Warning",
    "message": "rp_filter is 1 and the way back leads over eth0: sysctl -w"
    " net.ipv4.conf.eth1.rp_filter=2",
    "since": scenes.ago(timedelta(hours=2, minutes=30)),
}


def cluster() -> list[Object]:
    """Return a cluster with something to see."""
    sick = scenes.lease("node-a", scenes.FRONT, conditions=json.dumps([FINDING]))
    kept = [one for one in scenes.healthy() if one is not scenes.LEASES[0]]
    bank = [
        scenes.service(f"bank/teller-{n}", f"198.51.100.{64 + n}", pool="bank", slots=(slot,))
        for n in range(15)
        for slot in [f"node-c,eth0,198.51.100.{64 + n}"]
    ]
    return [
        *kept,
        sick,
        *scenes.namespaces("bank"),
        scenes.group("bank", local={"v4pool": scenes.pool("198.51.100.64/28", "198.51.100.0/24")}),
        scenes.group("tiny", local={"v4pool": scenes.pool("192.0.2.64/32", "192.0.2.0/24")}),
        scenes.service("shop/cart", "192.0.2.64", pool="tiny", slots=("node-a,eth0,192.0.2.64",)),
        scenes.service("shop/new", annotations={"service-group": "tiny"}),
        scenes.endpoints("shop/web", "node-a", "node-b"),
        *bank,
    ]


def picture(name: str, title: str, shown: RenderableType, height: int = HEIGHT) -> str:
    """Return the SVG of a terminal, without references to fonts elsewhere."""
    console = Console(
        width=WIDTH, height=height, record=True, file=io.StringIO(), force_terminal=True
    )
    console.print(shown)
    return _FONTS.sub("", console.export_svg(title=title, unique_id=name))


async def terminals(found: Stage) -> dict[str, str]:
    """Return the pictures of commands by file name."""
    pictures: dict[str, str] = {}
    for name, words in COMMANDS.items():
        result = await found.run(*words)
        text = Text.from_ansi(paint(result.out.rstrip("\n")))
        title = f"kubectl purelb {' '.join(words)}"
        pictures[f"{name}.svg"] = picture(name, title, text)
    seen = await _looks(found)
    pictures["top.svg"] = picture("top", "kubectl purelb top", frame(seen))
    return pictures


async def _looks(found: Stage) -> Look:
    """Look twice, with an address that moves in between."""
    target = find_target(Flags(kubeconfig=str(found.kubeconfig)), {})
    client = Client(target)
    reader = Cluster(client, scenes.INSTALL)
    needs = (kinds.SERVICES, kinds.GROUPS, kinds.LEASES, kinds.AGENTS)
    wishes = (kinds.PODS, kinds.NODES)
    before = look(await asyncio.to_thread(reader.read, needs, wishes), None)
    moved = {"purelb.io/announcing-IPv4": "node-b,eth0,192.0.2.64"}
    await found.annotate("shop/cart", moved)
    after = look(await asyncio.to_thread(reader.read, needs, wishes), before)
    client.close()
    changes = tuple(replace(change, at=MOMENT - 12) for change in after.changes)
    return replace(after, at=MOMENT, changes=changes)


async def page(found: Stage, folder: Path) -> bool:
    """Write the picture of the page; tell whether there is a browser to make it."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        return False
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "page.html"
        await found.run("report", "--html", str(source))
        await asyncio.to_thread(
            subprocess.run,
            [
                browser,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                f"--user-data-dir={scratch}/profile",
                "--window-size=1100,1500",
                f"--screenshot={folder / 'report.png'}",
                source.as_uri(),
            ],
            check=True,
            capture_output=True,
        )
    return True


async def make(folder: Path) -> None:
    """Make all pictures anew in a folder that exists."""
    with tempfile.TemporaryDirectory() as scratch:
        async with stage(Path(scratch), cluster()) as found:
            for name, content in (await terminals(found)).items():
                (folder / name).write_text(content)
                print(folder / name)
            shown = await page(found, folder)
            print(folder / "report.png" if shown else "no browser: report.png stays as it is")


def in_utc() -> None:
    """Let local time be that of the pictures."""
    os.environ["TZ"] = "UTC"
    time.tzset()


if __name__ == "__main__":
    in_utc()
    images = Path(sys.argv[1])
    images.mkdir(parents=True, exist_ok=True)
    asyncio.run(make(images))
