"""What the API server says: BGPConfigurations, the own Node, and Secrets with passwords.

Belongs here: reading. Does not: what of it counts (`bgp.core.merge`).
"""

import asyncio
import base64
import binascii
import logging
from collections.abc import Callable
from typing import NoReturn

from bgp.core.desired import secrets_of
from bgp.core.fields import key_defect
from bgp.core.merge import NOTHING, InUse, accept
from bgp.core.routerid import NodeFacts
from purelb.api.bgp import BgpConfiguration, decode_secret
from purelb.api.identifiers import NodeName, Uid
from purelb.api.resources import DecodeError, Node
from purelb.api.views import is_evacuated
from purelb.runtime.errors import NotFoundError, PurelbError
from purelb.runtime.kinds import BGP_CONFIGURATIONS, own_node
from purelb.runtime.kopf_host import Mirror
from purelb.runtime.kube import Kube

logger = logging.getLogger(__name__)

SECRETS_SECONDS = 10.0  # between two looks at every Secret


class WorldStore:
    """The last known state; `on_change` is called after each change of it.

    `node` None: not registered yet. A password that was read once stays known while the Secret
    cannot be read: a running session needs it.
    """

    def __init__(
        self, kube: Kube, node: NodeName, namespace: str, on_change: Callable[[], None]
    ) -> None:
        self.in_use: InUse = NOTHING
        self.node: NodeFacts | None = None
        self.uid = Uid("")
        self.passwords: dict[tuple[str, str], str] = {}
        self.configs: Mirror[BgpConfiguration] = Mirror(BGP_CONFIGURATIONS, self._changed)
        self.nodes: Mirror[Node] = Mirror(own_node(node), self._changed)
        self.namespace = namespace
        self._kube, self._on_change = kube, on_change
        self._wake = asyncio.Event()

    @property
    def objects(self) -> tuple[BgpConfiguration, ...]:
        """The BGPConfigurations of the own namespace, by name."""
        own = [
            one for one in self.configs.objects.values() if one.metadata.namespace == self.namespace
        ]
        return tuple(sorted(own, key=lambda one: one.metadata.name))

    @property
    def is_complete(self) -> bool:
        """Whether everything was listed once."""
        return self.configs.synced.is_set() and self.nodes.synced.is_set()

    async def run(self) -> NoReturn:
        """Read Secrets until cancelled."""
        while True:
            self._wake.clear()
            spec = self.in_use.spec
            for name, key in sorted(secrets_of(spec)) if spec is not None else ():
                await self._read(name, key)
            try:
                async with asyncio.timeout(SECRETS_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _read(self, name: str, key: str) -> None:
        path = f"/api/v1/namespaces/{self.namespace}/secrets/{name}"
        try:
            secret = decode_secret(await self._kube.get(path))
            text = base64.b64decode((secret.data or {})[key], validate=True).decode().strip()
        except (NotFoundError, KeyError):
            return  # the neighbor says what it lacks
        except (PurelbError, DecodeError, binascii.Error, UnicodeDecodeError) as error:
            logger.warning("secret is not read", extra={"secret": name, "error": str(error)})
            return
        if (defect := key_defect(text)) is not None:
            logger.warning("password is not used", extra={"secret": name, "error": defect})
            return
        if self.passwords.get((name, key)) != text:
            self.passwords[name, key] = text
            self._on_change()

    def _changed(self) -> None:
        if not self.is_complete:
            return
        self.in_use = accept(self.in_use, self.objects)
        node = next(iter(self.nodes.objects.values()), None)
        self.node = None if node is None else _facts(node)
        self.uid = Uid("" if node is None else node.metadata.uid)
        self._wake.set()
        self._on_change()


def _facts(node: Node) -> NodeFacts:
    return NodeFacts(
        name=NodeName(node.metadata.name),
        labels=node.metadata.labels or {},
        annotations=node.metadata.annotations or {},
        addresses=tuple((one.type, one.address) for one in node.status.addresses or ()),
        is_evacuated=is_evacuated(node),
    )
