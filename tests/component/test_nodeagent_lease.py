"""A node's Lease in an API server: what the other nodes read there."""

from nodeagent.core.config import Unconfigured, choose
from nodeagent.settings import load
from nodeagent.shell.leases import lease_content
from purelb.api.identifiers import NodeName, Uid
from purelb.api.resources import LocalSpec, NodeAgent, NodeAgentSpec, decode_lease
from purelb.api.views import LeaseView, NodeView, view_lease
from purelb.runtime.credentials import Access
from purelb.runtime.kube import Kube
from purelb.runtime.leases import LeaseStore
from tests.component.harness import NAMESPACE, Api, scenario

NAME = "purelb-node-node-a"
SETTINGS = load([], {"PURELB_NODE_NAME": "node-a", "PURELB_NAMESPACE": NAMESPACE})


def test_a_node_is_a_candidate_as_soon_as_it_is_configured() -> None:
    """Its Lease is older than its LBNodeAgent: what it said before must not stay."""

    async def work(api: Api) -> None:
        made = await api.send("POST", "/api/v1/nodes", {"metadata": {"name": "node-a"}})
        node = NodeView(name=NodeName("node-a"), uid=Uid(made["metadata"]["uid"]))
        said = []
        async with Kube(Access(server=api.server.url, token_text="nodeagent"), "test") as kube:
            store = LeaseStore(kube, NAMESPACE, NAME)
            for agents in ((), (NodeAgent(spec=NodeAgentSpec(local=LocalSpec())),)):
                config = choose(agents, node)
                await store.renew(lease_content(SETTINGS, node, config, (), ""))
                said.append((isinstance(config, Unconfigured), (await read(kube)).is_announcing))
        assert said == [(True, False), (False, True)]

    scenario(work)


async def read(kube: Kube) -> LeaseView:
    """Return the Lease as another node sees it."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/{NAME}"
    view = view_lease(decode_lease(await kube.get(path)))
    assert view is not None
    return view
