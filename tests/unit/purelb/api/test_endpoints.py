"""EndpointSlices as programs see them."""

import pytest

from purelb.api.endpoints import SliceView, view_slice
from purelb.api.identifiers import NodeName, ServiceKey
from purelb.api.resources import decode_endpoint_slice

META = (
    b'"metadata":{"name":"web-1","namespace":"shop","labels":{"kubernetes.io/service-name":"web"}}'
)


def view(endpoints: bytes) -> SliceView | None:
    """Return the view of a slice with these endpoints."""
    return view_slice(decode_endpoint_slice(b'{%s,"endpoints":%s}' % (META, endpoints)))


@pytest.mark.parametrize(
    ("conditions", "is_healthy"),
    [
        (b'{"ready":true,"serving":true}', True),
        (b'{"ready":false,"serving":true,"terminating":true}', True),
        (b'{"ready":false,"serving":false}', False),
        (b'{"ready":false}', False),
        (b'{"ready":null}', False),
        (b"{}", False),
    ],
)
def test_an_endpoint_counts_if_it_is_ready_or_serving(conditions: bytes, is_healthy: bool) -> None:
    """What is not said is no."""
    found = view(b'[{"addresses":["10.1.0.1"],"nodeName":"a","conditions":%s}]' % conditions)
    pair = ("10.1.0.1", NodeName("a"))
    assert found == SliceView(
        name="web-1",
        service=ServiceKey("shop/web"),
        healthy=(pair,) if is_healthy else (),
        ill=() if is_healthy else ("10.1.0.1",),
    )


def test_an_endpoint_may_lack_node_and_addresses() -> None:
    """Its node is empty then; only the first address tells endpoints apart."""
    found = view(
        b'[{"conditions":{"ready":true}},'
        b'{"addresses":["10.1.0.1","10.1.0.2"],"conditions":{"ready":true},"nodeName":null}]'
    )
    assert found is not None
    assert found.healthy == (("", NodeName("")), ("10.1.0.1", NodeName("")))


@pytest.mark.parametrize("endpoints", [b"null", b"[]"])
def test_a_slice_may_be_empty(endpoints: bytes) -> None:
    """No pod matches."""
    found = view(endpoints)
    assert found is not None
    assert (found.healthy, found.ill) == ((), ())


def test_a_slice_of_no_service_is_none_of_ours() -> None:
    """Somebody made it for something else."""
    assert view_slice(decode_endpoint_slice(b'{"metadata":{"name":"x"}}')) is None
