"""Tokens that do not live long: daemons take each new one, and outlive the ones before.

The API server issues none for less than ten minutes. Where that is too long the tests sign them as
it does, with its own key, and put them where a kubelet would. Prints what was measured
(`pytest -s`).
"""

import asyncio
import base64
import json
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from playground import kubelet
from playground.api import path_of
from playground.cluster import Cluster
from playground.nodes import INSTALL_NAMESPACE
from tests.e2e.install import daemon_pods, exposed, installed
from tests.e2e.journal import journal
from tests.e2e.outsider import asking
from tests.e2e.world import World

LEEWAY = 60.0  # seconds that the API server accepts a token after its end
CACHED = 10.0  # seconds that it remembers a token as good
LIFE = 12.0
EVERY = 3.0  # between two tokens, beside a second or so of work
PATIENCE = 180.0  # daemons look for a new token once a minute, or when one is refused
POLL_SECONDS = 1.0
EXTRA = "authentication.kubernetes.io"

pytestmark = pytest.mark.timeout(300)

Object = dict[str, Any]
Uses = Mapping[str, Set[str]]  # Pod → the ids of the tokens it has used


@pytest.fixture(scope="module")
def cluster_world() -> Iterator[World]:
    """Run scenarios in one cluster with everything installed."""
    with installed() as world:
        yield world


async def all_pods(cluster: Cluster) -> list[Object]:
    """Return the Pods of all daemons that ask for something: an allocator that follows does not."""
    agents = await daemon_pods(cluster, "lbnodeagent")
    lease = await cluster.api.get(path_of("Lease", INSTALL_NAMESPACE, "purelb-allocator"))
    leader = lease["spec"]["holderIdentity"]
    allocators = await daemon_pods(cluster, "allocator")
    return [*agents, *(pod for pod in allocators if leader.endswith(pod["metadata"]["uid"]))]


def token_file(cluster: Cluster, pod: Object) -> Path:
    """Return where a Pod finds its token."""
    node, uid = str(pod["spec"]["nodeName"]), str(pod["metadata"]["uid"])
    return cluster.paths.folder / "kubelet" / node / uid / ".credentials/token"


def short_lived(cluster: Cluster, token: str) -> tuple[str, str]:
    """Return a token of the same Pod that soon ends, and its id."""
    head, claims, _ = token.split(".")
    now, name = time.time(), str(uuid.uuid4())
    times = {"iat": int(now - LEEWAY), "nbf": int(now - LEEWAY), "exp": int(now + LIFE - LEEWAY)}
    body = json.loads(_decoded(claims)) | times | {"jti": name}
    text = f"{head}.{_encoded(json.dumps(body).encode())}"
    pem = (cluster.paths.certificates / "service-accounts.key").read_bytes()
    key = load_pem_private_key(pem, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    numbers = utils.decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    signature = b"".join(number.to_bytes(32, "big") for number in numbers)  # RFC 7518, 3.4
    return f"{text}.{_encoded(signature)}", name


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def replace(file: Path, token: str) -> None:
    """Replace a token as a kubelet does: it is there as a whole or not at all."""
    fresh = file.with_suffix(".test")
    fresh.write_text(token)
    fresh.replace(file)


def accepted(cluster: Cluster) -> Uses:
    """Return which tokens of which Pods the API server has accepted, by its audit log."""
    found: dict[str, set[str]] = defaultdict(set)
    for line in cluster.log("audit").splitlines():
        if not line.endswith("}"):
            continue  # it is being written
        event = json.loads(line)
        extra = event["user"].get("extra", {})
        if event["verb"] != "watch" and f"{EXTRA}/pod-name" in extra:
            (pod,), (name,) = extra[f"{EXTRA}/pod-name"], extra[f"{EXTRA}/credential-id"]
            found[pod].add(name.removeprefix("JTI="))
    return found


async def valid(cluster: Cluster, token: str) -> bool:
    """Tell whether the API server accepts a token."""
    body = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenReview",
        "spec": {"token": token},
    }
    answer = await cluster.api.post("/apis/authentication.k8s.io/v1/tokenreviews", body)
    return bool(answer["status"].get("authenticated", False))


async def work(cluster: Cluster) -> None:
    """Give every daemon something to write: at rest the allocator asks for nothing."""
    async with exposed(cluster, "work"):
        pass


async def renew_until_used(
    cluster: Cluster, pods: Sequence[Object], count: int
) -> Mapping[str, int]:
    """Give every Pod a short-lived token again and again, until each has used so many of them.

    Returns how many each has used.
    """
    ours: set[str] = set()
    first = {pod["metadata"]["name"]: token_file(cluster, pod).read_text() for pod in pods}
    async with asyncio.timeout(PATIENCE):
        while True:
            for pod in pods:
                token, name = short_lived(cluster, first[pod["metadata"]["name"]])
                ours.add(name)
                replace(token_file(cluster, pod), token)
            uses = accepted(cluster)
            counts = {name: len(ours & uses.get(name, set())) for name in first}
            if min(counts.values()) >= count:
                return counts
            await work(cluster)
            await asyncio.sleep(EVERY)


async def wait_used(cluster: Cluster, before: Uses, count: int) -> None:
    """Wait until every Pod has used so many tokens that it had not used before."""
    async with asyncio.timeout(PATIENCE):
        while True:
            uses = accepted(cluster)
            if all(len(uses[name] - seen) >= count for name, seen in before.items()):
                return
            await work(cluster)


def refusals(cluster: Cluster) -> int:
    """Return how many requests came with a token that was no good any more."""
    return cluster.log("audit").count('"code":401')


def starts(pods: Sequence[Object]) -> list[tuple[str, int]]:
    """Return how often each Pod's container was started again."""
    return sorted(
        (pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"])
        for pod in pods
    )


def test_the_tokens_of_these_tests_end_as_others_do(cluster_world: World) -> None:
    """Else what they say about tokens that have ended were worth nothing."""

    async def scenario(cluster: Cluster) -> None:
        pod = (await all_pods(cluster))[0]
        token, _ = short_lived(cluster, token_file(cluster, pod).read_text())
        assert await valid(cluster, token)
        async with asyncio.timeout(LIFE + CACHED + 10.0):
            while True:
                if not await valid(cluster, token):
                    break
                await asyncio.sleep(POLL_SECONDS)

    cluster_world(scenario)


def test_daemons_work_on_when_their_tokens_have_ended(cluster_world: World) -> None:
    """Each has used two that lived for seconds: addresses stay, new ones are given."""

    async def scenario(cluster: Cluster) -> None:
        pods = await all_pods(cluster)
        originals = {token_file(cluster, pod): token_file(cluster, pod).read_text() for pod in pods}
        async with exposed(cluster, "stays") as (address,), journal(cluster) as kept:
            await kept.wait_holder(address)
            begun = time.time()
            try:
                async with asking(cluster, address) as outsider:
                    counts = await renew_until_used(cluster, pods, 2)
                    await work(cluster)
            finally:
                for file, token in originals.items():
                    replace(file, token)
            print(
                f"\ntokens of {LIFE:g} s: used {sorted(counts.values())} in "
                f"{time.time() - begun:.0f} s, {refusals(cluster)} requests "
                f"refused; no answer for {outsider.longest_gap() * 1000:.0f} ms"
            )
            assert len(kept.spans(address)) == 1
            assert starts(await all_pods(cluster)) == starts(pods)

    cluster_world(scenario)


def test_daemons_take_what_their_kubelet_gives_them(cluster_world: World) -> None:
    """Tokens by TokenRequest, replaced every few seconds: each daemon uses a second one."""

    async def scenario(cluster: Cluster) -> None:
        pods = await all_pods(cluster)
        used = accepted(cluster)
        before = {name: used.get(name, set()) for name in (pod["metadata"]["name"] for pod in pods)}
        begun = time.time()
        for machine in cluster.topology.nodes:
            name = f"kubelet-{machine.name}"
            await cluster.stop(name)
            config = cluster.kubeconfig(name)
            await cluster.start(kubelet.spec(machine, config, token_seconds=LIFE))
        await wait_used(cluster, before, 2)
        print(f"\nkubelets' tokens: two new ones used by each in {time.time() - begun:.0f} s")
        assert starts(await all_pods(cluster)) == starts(pods)

    cluster_world(scenario)
