"""Every command in every kind of trouble: one line that says what to do, never a defect.

In one process with the server, because there are some two hundred cases.
"""

import asyncio
import contextlib
import io
import itertools
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import yaml

from playground.apiserver.faults import Action, Fault
from playground.apiserver.kinds import CollectionName
from playground.apiserver.managers import Trail
from plugin.cli.root import run
from plugin.core.catalog import DOCUMENTS
from plugin.core.wire import schema_of
from tests.plugin import scenes
from tests.plugin.scenes import Object
from tests.plugin.schema import errors
from tests.plugin.stage import ROOT, Result, Stage, play
from tests.plugin.test_schemas import commands

POOLS = """
apiVersion: purelb.io/v2
kind: ServiceGroup
metadata: {name: default}
spec: {local: {v4pool: {pool: 192.0.2.16/29, subnet: 192.0.2.0/24}}}
"""
WORDS = {
    "inspect": ["shop/web"],
    "explain": ["shop/web"],
    "report": ["--html", "-"],
    "support-bundle": ["--file", "{folder}/bundle"],
    "diff": ["{folder}/pools.yaml"],
    "evacuate": ["node-b"],
    "uncordon": ["node-b"],
    "move": ["192.0.2.16", "node-a"],
    "gobgp": ["neighbor"],
    "ip": ["link"],
}
ENDLESS = {"dashboard"}  # ends by Ctrl-C only; it reads what `top` reads
ALONE = {"version"}  # it knows its own version in any case


def everything() -> list[Object]:
    """Return a cluster with objects of every kind."""
    return [
        *scenes.healthy(),
        scenes.endpoints("shop/web", "node-a"),
        scenes.bgp_config(scenes.neighbor("203.0.113.7")),
        scenes.bgp_node("node-a", scenes.session("203.0.113.7")),
        scenes.pod("gobgp-a", "k8gobgp"),
    ]


async def each(stage: Stage, *options: str, output: str = "") -> dict[str, Result]:
    """Run all commands, or those that have documents, and return what they came to."""
    folder = stage.kubeconfig.parent
    (folder / "pools.yaml").write_text(POOLS)
    found: dict[str, Result] = {}
    for name in sorted(DOCUMENTS if output else set(commands()) - ENDLESS):
        words = [word.format(folder=folder) for word in WORDS.get(name, [])]
        line = ["--kubeconfig", str(stage.kubeconfig), *options, *name.split(), *words]
        line += ["--output", output] if output else []
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = await asyncio.to_thread(run, line)
        found[name] = Result(code, out.getvalue(), err.getvalue())
    return found


def complaints(found: dict[str, Result], *, all_fail: bool) -> Iterator[str]:
    """Yield what a user should not have to read."""
    for name, result in found.items():
        lines = result.err.splitlines()
        errors = [line for line in lines if line.startswith("Error")]
        if "defect" in result.err or "Traceback" in result.err:
            yield f"{name}: {result.err}"
        if len(errors) > 1 or any(not line.startswith(("Error", "Warning: ")) for line in lines):
            yield f"{name}: not one line: {result.err}"
        if result.code not in (0, 1) or (result.code and not errors):
            yield f"{name}: {result.code} without a word"
        if all_fail and name not in ALONE and (result.code == 0 or len(lines) != 1):
            yield f"{name}: {result.code}, as if all were well: {result.err}"


def _fault(**switches: object) -> Callable[[Stage], Awaitable[None]]:
    async def turn_on(stage: Stage) -> None:
        stage.server.faults.add(Fault(**switches))  # type: ignore[arg-type]

    return turn_on


async def _old(stage: Stage) -> None:
    """Serve ServiceGroups and LBNodeAgents of an old version only."""
    for name in ("servicegroups", "lbnodeagents"):
        crd = yaml.safe_load((ROOT / "crds" / f"{name}.purelb.io.yaml").read_text())
        crd["spec"]["versions"][0]["name"] = "v1"
        await stage.put(crd)


async def _half_broken(stage: Stage) -> None:
    """Store what no API server would admit today, in every second object; nonsense in others."""
    for name in (
        "services",
        "nodes",
        "pods",
        "leases.coordination.k8s.io",
        "endpointslices.discovery.k8s.io",
        "servicegroups.purelb.io",
        "lbnodeagents.purelb.io",
        "configs.bgp.purelb.io",
        "bgpnodestatuses.bgp.purelb.io",
    ):
        collection = stage.server.store.collection(CollectionName(name))
        spoil = itertools.cycle((_undecodable, _nonsense))
        for key, item in list(collection.items.items()):
            collection.put(key, next(spoil)(item.obj), Trail())


def _undecodable(one: Object) -> Object:
    return {**one, "spec": "nonsense", "status": 7, "endpoints": True}


def _nonsense(one: Object) -> Object:
    annotations = one["metadata"].get("annotations", {})
    odd = {key: ",{" for key in annotations} | {"purelb.io/conditions": '[{"type":1}]'}
    return {**one, "metadata": {**one["metadata"], "annotations": odd}}


async def _nothing(_: Stage) -> None:
    """Leave all as it is."""


TROUBLES: dict[str, tuple[Callable[[Stage], Awaitable[None]], bool, list[str]]] = {
    "all is well": (_nothing, False, []),
    "nothing may be read": (_fault(action=Action.FORBID), True, []),
    "nothing may be written": (
        _fault(action=Action.FORBID, verbs=frozenset({"patch"})),
        False,
        [],
    ),
    "the server fails": (_fault(action=Action.FAIL, code=500), True, []),
    "the login is over": (_fault(action=Action.FAIL, code=401), True, []),
    "the server hangs up": (_fault(action=Action.REFUSE), True, []),
    "the server hangs": (_fault(action=Action.HANG), True, ["--request-timeout", "100ms"]),
    "there is no server": (_nothing, True, ["-s", "http://127.0.0.1:1"]),
    "it is no API server": (_nothing, False, ["-s", "{url}/nowhere"]),
    "objects are half broken": (_half_broken, False, []),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_every_command_says_in_one_line_what_is_wrong(tmp_path: Path, trouble: str) -> None:
    """And exits with 1 where there is no answer."""
    prepare, all_fail, options = TROUBLES[trouble]

    async def work(stage: Stage) -> None:
        await prepare(stage)
        given = [option.format(url=stage.server.url) for option in options]
        assert list(complaints(await each(stage, *given), all_fail=all_fail)) == []

    play(tmp_path, everything(), work)


@pytest.mark.parametrize("prepare", [_nothing, _old], ids=["none", "an old version"])
def test_every_command_copes_without_the_crds_of_today(
    tmp_path: Path, prepare: Callable[[Stage], Awaitable[None]]
) -> None:
    """Those that need them tell what to install."""
    objects = [one for one in everything() if "purelb.io" not in one["apiVersion"]]

    async def work(stage: Stage) -> None:
        await prepare(stage)
        found = await each(stage)
        assert list(complaints(found, all_fail=False)) == []
        for name in ("status", "validate", "doctor", "top", "report", "diff"):
            what = "apply the CRDs" if prepare is _old else "PureLB is not installed there"
            assert what in found[name].err, name

    play(tmp_path, objects, work, crds=None)


@pytest.mark.parametrize("prepare", [_nothing, _half_broken], ids=["whole", "half broken"])
def test_every_document_is_as_its_schema_says(
    tmp_path: Path, prepare: Callable[[Stage], Awaitable[None]]
) -> None:
    """Whatever the cluster is like: scripts read it."""

    async def work(stage: Stage) -> None:
        await prepare(stage)
        found = await each(stage, output="json")
        shown = {name: one for name, one in found.items() if one.out.startswith("{")}
        if prepare is _nothing:
            assert set(shown) == set(DOCUMENTS)
        for name, one in shown.items():
            schema = schema_of(DOCUMENTS[name])
            assert list(errors(one.json, schema, schema)) == [], name

    play(tmp_path, everything(), work)
