"""The plugin's HTTP client against a small server: TLS, kept connections, pages, time."""

import contextlib
import datetime
import ipaddress
import itertools
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from plugin.core import snapshot as kinds
from plugin.core.problem import PluginError
from plugin.shell.client import Client
from plugin.shell.cluster import Cluster
from plugin.shell.kubeconfig import Target
from plugin.shell.proxy import proxy_of


class Handler(BaseHTTPRequestHandler):
    """Answers with what the request looked like; a list has two pages."""

    protocol_version = "HTTP/1.1"
    expired = 0  # lists that expire on their second page
    closes = False  # after each answer, without saying so
    token = ""  # that is accepted; empty for any

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if self.token not in self.headers.get("Authorization", ""):
            self._answer(401, {"message": "Unauthorized"})
            return
        if url.path.endswith("/services"):
            self._list("continue" in parse_qs(url.query))
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._answer(200, {"path": self.path, "port": self.client_address[1], **headers})

    def _list(self, is_second: bool) -> None:
        if is_second and type(self).expired:
            type(self).expired -= 1
            self._answer(410, {"message": "expired"})
            return
        number = 2 if is_second else 1
        item = {"metadata": {"name": f"s{number}", "namespace": "x"}}
        token = {} if is_second else {"continue": "more"}
        self._answer(200, {"metadata": token, "items": [item]})

    def _answer(self, code: int, body: dict[str, object]) -> None:
        content = json.dumps(body).encode()
        self.send_response_only(code)
        self.send_header("Date", "Fri, 01 Jan 2027 00:00:00 GMT")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = self.closes

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def server(tls: ssl.SSLContext | None = None, **switches: object) -> Iterator[str]:
    """Run a server with switched faults; yield its URL."""
    handler = type("Switched", (Handler,), switches)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as found:
        found.daemon_threads = True
        if tls is not None:
            found.socket = tls.wrap_socket(found.socket, server_side=True)
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        try:
            scheme = "https" if tls is not None else "http"
            yield f"{scheme}://127.0.0.1:{found.server_address[1]}"
        finally:
            found.shutdown()
            thread.join()


@contextmanager
def client(target: Target) -> Iterator[Client]:
    """Make a client and close it."""
    found = Client(target)
    try:
        yield found
    finally:
        found.close()


def asked(found: Client, path: str = "/x") -> dict[str, object]:
    """Return what the server saw."""
    answer: dict[str, object] = json.loads(found.get(path))
    return answer


def test_a_connection_is_kept_for_the_next_request() -> None:
    """A handshake for each page would cost more than the page."""
    with server() as url, client(Target(server=url)) as found:
        assert asked(found)["port"] == asked(found)["port"]


def test_a_kept_connection_that_was_closed_is_made_anew() -> None:
    """Servers and proxies close what idles."""
    with server(closes=True) as url, client(Target(server=url)) as found:
        assert asked(found)["port"] != asked(found)["port"]


def test_the_time_is_that_of_the_server() -> None:
    """A workstation's clock may be wrong."""
    with server() as url, client(Target(server=url)) as found:
        found.get("/x")
        moment = datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC).timestamp()
        assert 0 <= found.now() - moment < 60


def test_a_path_before_the_api_is_kept() -> None:
    """Proxies such as Rancher's have one."""
    with server() as url, client(Target(server=f"{url}/k8s/clusters/c-1")) as found:
        assert asked(found, "/api")["path"] == "/k8s/clusters/c-1/api"


def test_whom_to_act_as_is_sent() -> None:
    """Impersonation of a user and of groups."""
    user = {"token": "t", "as": "jane", "as-groups": ["a"]}
    with server() as url, client(Target(server=url, user=user)) as found:
        seen = asked(found)
        assert seen["authorization"] == "Bearer t"
        assert (seen["impersonate-user"], seen["impersonate-group"]) == ("jane", "a")


def test_whom_to_act_as_may_have_any_letters() -> None:
    """As the API server reads them: in UTF-8."""
    user = {"as": "Jürgen 共", "as-groups": ["Grüße"]}
    with server() as url, client(Target(server=url, user=user)) as found:
        seen = asked(found)
        for name, text in (("impersonate-user", "Jürgen 共"), ("impersonate-group", "Grüße")):
            assert str(seen[name]).encode("latin-1").decode() == text


@pytest.mark.parametrize(
    "text", ["ftp://x", "one:6443", "http://", "http://x:0", "http://x:99999", "http://[::1"]
)
def test_a_server_that_is_no_url_is_named(text: str) -> None:
    """And where it may come from."""
    with pytest.raises(PluginError, match="URL; correct the kubeconfig, or --server"):
        Client(Target(server=text))


def test_a_token_that_ends_is_fetched_anew(tmp_path: Path) -> None:
    """From the file, once for each refusal; a watch outlives the tokens of most providers."""
    path = tmp_path / "token"
    path.write_text("old")
    user = {"tokenFile": str(path)}
    with server(token="new") as url, client(Target(server=url, user=user)) as found:
        with pytest.raises(PluginError, match="log in again"):
            found.get("/x")
        path.write_text("new")
        assert asked(found)["authorization"] == "Bearer new"
    path.write_text("old")
    with server(token="new") as url, client(Target(server=url, user=user)) as found:
        path.write_text("new")
        first, second = itertools.islice(found.lines("/x", {}, 60.0), 2)
        assert first == b""
        assert json.loads(second)["authorization"] == "Bearer new"


def test_a_token_of_the_kubeconfig_is_not_tried_twice() -> None:
    """It would be the same."""
    user = {"token": "old"}
    expected = pytest.raises(PluginError, match="log in again")
    with server(token="new") as url, client(Target(server=url, user=user)) as found, expected:
        list(found.lines("/x", {}, 60.0))


@pytest.mark.parametrize("expired", [0, 1, 2])
def test_a_list_that_expires_on_its_way_begins_again(expired: int) -> None:
    """All pages are of one moment."""
    with server(expired=expired) as url, client(Target(server=url)) as found:
        snapshot = Cluster(found, "x").read((kinds.SERVICES,))
        assert [service.key for service in snapshot.services] == ["x/s1", "x/s2"]


def test_a_list_that_always_expires_is_an_error() -> None:
    """Three tries, then one line."""
    expected = pytest.raises(PluginError, match="expired while it was read")
    with server(expired=9) as url, client(Target(server=url)) as found, expected:
        Cluster(found, "x").read((kinds.SERVICES,))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Return a self-signed certificate for 127.0.0.1 and `kubernetes`, and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    names = [
        x509.DNSName("kubernetes"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


@pytest.fixture
def files(tmp_path: Path, pair: tuple[str, str]) -> tuple[str, str]:
    """Return the paths of the certificate and its key."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.write_text(pair[0])
    key.write_text(pair[1])
    return str(certificate), str(key)


def demanding(files: tuple[str, str]) -> ssl.SSLContext:
    """Return a server's context that wants a client certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    context.load_verify_locations(files[0])
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_both_sides_may_show_certificates(files: tuple[str, str]) -> None:
    """As kubeadm's kubeconfigs have it; under another name than the address, too."""
    user = {"client-certificate": files[0], "client-key": files[1]}
    for more in ({}, {"tls-server-name": "kubernetes"}):
        cluster = {"certificate-authority": files[0], **more}
        with (
            server(demanding(files)) as url,
            client(Target(server=url, cluster=cluster, user=user)) as found,
        ):
            assert asked(found)["path"] == "/x"


@pytest.mark.parametrize(
    "cluster", [{}, {"tls-server-name": "another"}], ids=["unknown authority", "another name"]
)
def test_a_server_that_cannot_be_trusted_is_named(
    files: tuple[str, str], cluster: dict[str, str]
) -> None:
    """The kubeconfig's key is in the line."""
    authority = {"certificate-authority": files[0]} if cluster else {}
    with (
        server(demanding(files)) as url,
        client(Target(server=url, cluster={**authority, **cluster})) as found,
        pytest.raises(PluginError, match="certificate-authority in the kubeconfig"),
    ):
        found.get("/x")


def test_trust_can_be_given_up(files: tuple[str, str]) -> None:
    """As with kubectl, on request only."""
    user = {"client-certificate": files[0], "client-key": files[1]}
    with server(demanding(files)) as url:
        target = Target(server=url, cluster={"insecure-skip-tls-verify": True}, user=user)
        with client(target) as found:
            assert asked(found)["path"] == "/x"


class Proxy(BaseHTTPRequestHandler):
    """Opens a way to wherever it is asked to, and takes note of it."""

    asked: ClassVar[list[tuple[str, str | None]]] = []

    def do_CONNECT(self) -> None:
        self.asked.append((self.path, self.headers.get("Proxy-Authorization")))
        host, _, port = self.path.partition(":")
        with socket.create_connection((host, int(port))) as there:
            self.send_response_only(200)
            self.end_headers()
            back = threading.Thread(target=_pipe, args=(there, self.connection))
            back.start()
            _pipe(self.connection, there)
            back.join()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _pipe(source: socket.socket, to: socket.socket) -> None:
    """Copy until one side ends, then let the other know."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            to.sendall(data)
    with contextlib.suppress(OSError):
        to.shutdown(socket.SHUT_WR)


def test_a_proxy_of_the_kubeconfig_is_gone_through(files: tuple[str, str]) -> None:
    """TLS is with the API server, not with the proxy."""
    Proxy.asked.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as middle:
        middle.daemon_threads = True
        thread = threading.Thread(target=middle.serve_forever, args=(0.01,))
        thread.start()
        proxy = f"http://jane:s%21@127.0.0.1:{middle.server_address[1]}"
        cluster = {"certificate-authority": files[0], "proxy-url": proxy}
        user = {"client-certificate": files[0], "client-key": files[1]}
        with (
            server(demanding(files)) as url,
            client(Target(server=url, cluster=cluster, user=user)) as found,
        ):
            assert asked(found)["path"] == "/x"
            assert Proxy.asked == [(url.removeprefix("https://"), "Basic amFuZTpzIQ==")]
        middle.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("server_url", "environment", "expected"),
    [
        ("https://api.example:6443", {}, None),
        ("https://api.example:6443", {"HTTPS_PROXY": "http://p:3128"}, "p"),
        ("https://api.example:6443", {"https_proxy": "p:3128"}, "p"),
        ("https://api.example:6443", {"HTTP_PROXY": "http://p:3128"}, None),
        ("http://api.example", {"HTTP_PROXY": "http://p:3128"}, "p"),
        ("https://localhost", {"HTTPS_PROXY": "http://p"}, None),
        ("https://127.0.0.1", {"HTTPS_PROXY": "http://p"}, None),
        ("https://[::1]", {"HTTPS_PROXY": "http://p"}, None),
        ("https://api.example", {"HTTPS_PROXY": "p", "NO_PROXY": "x, example"}, None),
        ("https://api.example", {"HTTPS_PROXY": "p", "NO_PROXY": ".example"}, None),
        ("https://api.example", {"HTTPS_PROXY": "p", "NO_PROXY": "api.example"}, None),
        ("https://api.example", {"HTTPS_PROXY": "p", "NO_PROXY": "*"}, None),
        ("https://api.example", {"HTTPS_PROXY": "p", "NO_PROXY": "ample,10.0.0.0/8"}, "p"),
        ("https://10.1.2.3", {"HTTPS_PROXY": "p", "NO_PROXY": "x,10.0.0.0/8"}, None),
        ("https://11.1.2.3", {"HTTPS_PROXY": "p", "NO_PROXY": "x,10.0.0.0/8"}, "p"),
    ],
)
def test_the_environment_names_a_proxy_as_for_kubectl(
    server_url: str, environment: dict[str, str], expected: str | None
) -> None:
    """Go's rules."""
    found = proxy_of(Target(server=server_url), environment)
    assert (found.hostname if found is not None else None) == expected


@pytest.mark.parametrize("text", ["socks5://p:1080", "https://p", "http://", "http://p:x", "[::1"])
def test_a_proxy_of_another_kind_is_named(text: str) -> None:
    """Instead of going past it."""
    target = Target(server="https://api.example", cluster={"proxy-url": text})
    with pytest.raises(PluginError, match="only http:// proxies"):
        proxy_of(target, {})


def test_a_proxy_that_is_refused_is_named_without_its_login() -> None:
    """Errors are shown to others, and pasted into reports."""
    with pytest.raises(PluginError, match="p:1080") as raised:
        proxy_of(
            Target(server="https://api.example"), {"HTTPS_PROXY": "socks5://jane:s3cret@p:1080"}
        )
    assert "s3cret" not in str(raised.value)
