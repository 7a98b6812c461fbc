"""Who is who in a real control plane, and what its certificates say."""

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from playground.controlplane.certificates import AUTHORITY, Authority
from playground.controlplane.identities import Identity, ServiceAccount, User, identity


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ("allocator", ServiceAccount("allocator")),
        ("allocator-2", ServiceAccount("allocator")),
        ("nodeagent-node-a", ServiceAccount("lbnodeagent")),
        ("k8gobgp-node-a", ServiceAccount("lbnodeagent")),
        ("kubelet-node-a", User("system:node:node-a", ("system:nodes",))),
        ("kube-proxy", User("system:kube-proxy")),
        ("kube-scheduler", User("system:kube-scheduler")),
        ("kube-controller-manager", User("system:kube-controller-manager")),
        ("endpoints", User("endpoints", ("system:masters",))),
        ("kubelet", User("kubelet", ("system:masters",))),
    ],
)
def test_a_client_is_who_it_would_be_in_a_cluster(client: str, expected: Identity) -> None:
    """Everybody else is an administrator by its own name."""
    assert identity(client) == expected


def usages(pem: str) -> set[str]:
    """Return what a certificate may be used for."""
    certificate = x509.load_pem_x509_certificate(pem.encode())
    found = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    return {usage.dotted_string for usage in found}


def test_an_authority_that_was_written_signs_on(tmp_path: Path) -> None:
    """From outside the world, where kubeconfigs are made."""
    authority = Authority.create()
    authority.pair.write(tmp_path, AUTHORITY)
    pair = Authority.load(tmp_path).client("somebody", ("some", "others"))
    certificate = x509.load_pem_x509_certificate(pair.certificate.encode())
    certificate.verify_directly_issued_by(authority.certificate)
    assert certificate.subject.rfc4514_string() == "CN=somebody,O=others,O=some"
    assert usages(pair.certificate) == {ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string}
    pair.write(tmp_path, "somebody")
    ssl.create_default_context().load_cert_chain(
        tmp_path / "somebody.crt", tmp_path / "somebody.key"
    )
    assert (tmp_path / "somebody.key").stat().st_mode & 0o077 == 0


def test_a_server_is_known_by_its_addresses_and_names() -> None:
    """Of both families."""
    pair = Authority.create().server("control", ("192.0.2.2", "2001:db8:0:1::2", "localhost"))
    certificate = x509.load_pem_x509_certificate(pair.certificate.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == [
        "192.0.2.2",
        "2001:db8:0:1::2",
    ]
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert usages(pair.certificate) == {ExtendedKeyUsageOID.SERVER_AUTH.dotted_string}
