"""The server that the conformance tests ask, and a namespace of its own for each.

With PURELB_E2E set it is a real control plane, else the embedded API server.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator

import pytest

from tests.conformance import servers
from tests.conformance.client import WIDGETS, Client
from tests.conformance.servers import Server

NUMBERS = itertools.count(1)
WIDGET_SCHEMA = {
    "description": "A thing to test with.",
    "type": "object",
    "required": ["spec"],
    "x-kubernetes-validations": [
        {"rule": "self.metadata.name != 'forbidden'", "message": "that name is taken"}
    ],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "x-kubernetes-validations": [
                {
                    "rule": "!has(self.low) || !has(self.high) || self.low <= self.high",
                    "messageExpression": "self.high < 0 ? 'high is negative' : 'low is above high'",
                    "fieldPath": ".low",
                },
                {"rule": "self.size >= oldSelf.size", "message": "size never shrinks"},
            ],
            "properties": {
                "size": {"type": "integer", "minimum": 1, "maximum": 10},
                "low": {"type": "integer"},
                "high": {"type": "integer"},
                "color": {"type": "string", "enum": ["red", "blue"], "default": "red"},
                "code": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2, "maxLength": 5},
                "port": {"x-kubernetes-int-or-string": True},
                "maybe": {"type": "string", "nullable": True},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "tags": {"type": "array", "maxItems": 3, "items": {"type": "string"}},
                "limits": {"type": "object", "additionalProperties": {"type": "integer"}},
                "parts": {
                    "type": "array",
                    "maxItems": 8,
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "x-kubernetes-validations": [
                            {"rule": "self.count != 13", "message": "13 is unlucky"}
                        ],
                        "properties": {
                            "name": {"type": "string", "maxLength": 63},
                            "count": {"type": "integer", "default": 1},
                        },
                    },
                },
            },
        },
        "status": {
            "type": "object",
            "properties": {
                "phase": {"type": "string"},
                "count": {"type": "integer"},
                "conditions": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["type"],
                    "items": {
                        "type": "object",
                        "required": ["type"],
                        "properties": {
                            "type": {"type": "string"},
                            "status": {"type": "string"},
                            "reason": {"type": "string"},
                        },
                    },
                },
            },
        },
    },
}
WIDGET_CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": WIDGETS},
    "spec": {
        "group": "conformance.example",
        "scope": "Namespaced",
        "names": {"kind": "Widget", "plural": "widgets", "shortNames": ["wd"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": WIDGET_SCHEMA},
                "additionalPrinterColumns": [
                    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                    {
                        "name": "Ready",
                        "type": "string",
                        "jsonPath": '.status.conditions[?(@.type=="Ready")].status',
                    },
                    {
                        "name": "Tags",
                        "type": "string",
                        "jsonPath": ".spec.tags",
                        "priority": 1,
                    },
                ],
            }
        ],
    },
}


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The one server of all tests."""
    with servers.real() if os.environ.get("PURELB_E2E") else servers.embedded() as found:
        yield found


@pytest.fixture(scope="session")
def served(server: Server) -> str:
    """Return the URL of a server that serves Widgets."""
    client = Client(server.url)
    crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    if client.get(f"{crds}/{WIDGETS}").code == 404:
        client.post(crds, WIDGET_CRD).ok()
    while client.get("/apis/conformance.example/v1/widgets").code == 404:
        time.sleep(0.05)  # a real server takes a moment to serve a new kind
    client.close()
    return server.url


@pytest.fixture
def api(served: str) -> Iterator[Client]:
    """Return a client with a namespace that is its own."""
    namespace = f"test-{os.getpid()}-{next(NUMBERS)}"
    client = Client(served, namespace=namespace)
    client.post("/api/v1/namespaces", {"metadata": {"name": namespace}}).ok()
    yield client
    client.delete(f"/api/v1/namespaces/{namespace}").ok()
    client.close()


@pytest.fixture
def compact(server: Server, api: Client) -> Callable[[], None]:
    """Return a function that makes the server forget its history."""

    def forget() -> None:
        server.compact()
        api.close()  # the server may have been started anew

    return forget
