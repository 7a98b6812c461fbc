"""One kind of object as the API server has it now, read in pages.

Belongs here: paths, pages, objects that do not decode. Does not: several kinds together
(`cluster`), watches (`following`).
"""

from dataclasses import dataclass, field
from typing import TypeAlias

from plugin.core.problem import PluginError
from plugin.core.snapshot import Gap, Kind, Scope
from plugin.core.wire import decode_named
from plugin.shell.client import Client, ExpiredError
from purelb.api.resources import DecodeError, decode_page

PAGE = "500"  # objects in one answer
TRIES = 3  # of a list that expires while it is read
Key: TypeAlias = tuple[str, str]  # namespace and name


@dataclass(frozen=True, slots=True)
class Source:
    """One kind, and where the suite is installed."""

    kind: Kind
    namespace: str

    @property
    def path(self) -> str:
        """The path of the collection."""
        kind = self.kind
        where = f"/namespaces/{self.namespace}" if kind.scope is Scope.INSTALL else ""
        return f"{kind.path}{where}/{kind.plural}"

    @property
    def selectors(self) -> dict[str, str]:
        """The parameters that choose objects."""
        kind = self.kind
        selectors = {"fieldSelector": kind.selector, "labelSelector": kind.labels}
        return {name: text for name, text in selectors.items() if text}


@dataclass(slots=True)
class Listing:
    """Objects as the snapshot keeps them, and those that do not decode.

    `version` is the resourceVersion from which on changes are missing.
    """

    kind: Kind
    found: dict[Key, object] = field(default_factory=dict)
    gaps: dict[Key, Gap] = field(default_factory=dict)
    version: str = ""

    def take(self, raw: bytes) -> bool:
        """Keep an object in place of what it was before; tell whether that is news."""
        key = self._key(raw)
        old, gap = self.found.get(key), self.gaps.pop(key, None)
        try:
            new = self.kind.view(raw)
        except DecodeError as error:
            self.found.pop(key, None)
            name = "/".join(filter(None, key)) or "without a name"
            self.gaps[key] = Gap(what=f"{self.kind.resource} {name}", why=str(error))
            return self.gaps[key] != gap
        if new is None:
            self.found.pop(key, None)
        else:
            self.found[key] = new
        return gap is not None or self.kind.is_news(old, new)

    def drop(self, raw: bytes) -> bool:
        """Forget an object; tell whether that is news."""
        key = self._key(raw)
        old, gap = self.found.pop(key, None), self.gaps.pop(key, None)
        return old is not None or gap is not None

    def see(self, raw: bytes) -> None:
        """Take note of the version that a bookmark has."""
        self._key(raw)

    def objects(self) -> tuple[object, ...]:
        """Return what was kept, sorted by namespace and name."""
        return tuple(self.found[key] for key in sorted(self.found))

    def _key(self, raw: bytes) -> Key:
        try:
            meta = decode_named(raw).metadata
        except DecodeError:
            return "", ""
        self.version = meta.resource_version or self.version
        return meta.namespace, meta.name


def read_all(client: Client, source: Source) -> Listing:
    """Read all objects of a kind; raises as the client does."""
    for _ in range(TRIES - 1):
        try:
            return _read(client, source)
        except ExpiredError:
            continue
    return _read(client, source)


def _read(client: Client, source: Source) -> Listing:
    listing, token = Listing(source.kind), ""
    while True:
        more = {"continue": token} if token else {}
        body = client.get(source.path, {**source.selectors, "limit": PAGE, **more})
        try:
            page = decode_page(body)
        except DecodeError as error:
            raise PluginError(
                f"the answer to a list of {source.kind.resource} is not understood ({error});"
                " is this address a Kubernetes API server?"
            ) from error
        for raw in page.items:
            listing.take(bytes(raw))
        listing.version, token = page.metadata.resource_version, page.metadata.continue_
        if not token:
            return listing
