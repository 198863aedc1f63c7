"""Our server, and Python's ssl."""

import hashlib
import os
import socket
import ssl

import pytest

from programs import LIMIT, Serve
from wire import both_ways

VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
BULK = 8 << 20


@pytest.fixture
def echo(pki):
    with Serve("--echo", "--identity", pki / "good-all.pem") as server:
        yield server


def context(trusted, version=None):
    """Python's default, but for one thing: a cut connection is an error (CPython takes it for the
    end since 3.10)."""
    result = ssl.create_default_context(cafile=str(trusted))
    result.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
    if version is not None:
        result.minimum_version = result.maximum_version = VERSIONS[version]
    return result


def plain(server):
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def connect(server, made, name="localhost"):
    return made.wrap_socket(plain(server), server_hostname=name, suppress_ragged_eofs=False)


def receive(connection, size):
    data = bytearray()
    while len(data) < size:
        piece = connection.recv(65536)
        assert piece, f"ended after {len(data)} of {size} bytes"
        data += piece
    return bytes(data)


@pytest.mark.parametrize("version", VERSIONS)
def test_default_context(echo, pki, version):
    with connect(echo, context(pki / "root.pem", version)) as client:
        assert client.version() == version
        client.sendall(b"there and back")
        assert receive(client, 14) == b"there and back"
        client.unwrap().close()
    peer = echo.agreed()
    assert peer["version"] == version and peer["server_name"] == "localhost"


@pytest.mark.parametrize("name", ["127.0.0.1", "a.example.test"])
def test_other_names(echo, pki, name):
    with connect(echo, context(pki / "root.pem"), name) as client:
        client.sendall(b"x")
        assert receive(client, 1) == b"x"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name,trusted,words", [
    ("other.example", "root", "Hostname mismatch"),
    ("b.a.example.test", "root", "Hostname mismatch"),
    ("127.0.0.2", "root", "IP address mismatch"),
    ("localhost", "other-root", "unable to get"),
])
def test_refused(echo, pki, version, name, trusted, words):
    with pytest.raises(ssl.SSLCertVerificationError, match=words):
        connect(echo, context(pki / f"{trusted}.pem", version), name)
    error = echo.failed()
    assert error["alert_received"]["name"] in ("bad_certificate", "unknown_ca")


@pytest.mark.parametrize("version", VERSIONS)
def test_bulk_both_ways(echo, pki, version):
    data = os.urandom(1 << 16) * (BULK >> 16)
    with connect(echo, context(pki / "root.pem", version)) as client:
        back = both_ways(client, data, len(data))
        assert hashlib.sha256(back).digest() == hashlib.sha256(data).digest()
        client.unwrap().close()


def test_single_bytes(echo, pki):
    with connect(echo, context(pki / "root.pem")) as client:
        for number in range(256):
            client.sendall(bytes([number]))
        assert receive(client, 256) == bytes(range(256))


@pytest.mark.parametrize("version", VERSIONS)
def test_unwrap(echo, pki, version):
    """close_notify is answered with close_notify, and then TCP ends."""
    with connect(echo, context(pki / "root.pem", version)) as client:
        client.sendall(b"all of it")
        assert receive(client, 9) == b"all of it"
        left = client.unwrap()
        left.settimeout(LIMIT)
        assert left.recv(1) == b""
        left.close()
    echo.agreed()


@pytest.mark.parametrize("version", VERSIONS)
def test_truncation_by_the_client(echo, pki, version):
    """Python ends TCP without close_notify: our side does not take it for the end."""
    client = connect(echo, context(pki / "root.pem", version))
    client.sendall(b"all of it")
    assert receive(client, 9) == b"all of it"
    echo.agreed()
    socket.socket.shutdown(client, socket.SHUT_RDWR)
    client.close()
    error = echo.failed()
    assert (error["cause"], error["status"]) == ("truncated", "truncated"), error


@pytest.mark.parametrize("version", VERSIONS)
def test_truncation_by_the_server(pki, version):
    """The server dies in the middle: Python sees a violation, never the end of the data."""
    server = Serve("--echo", "--identity", pki / "good-all.pem")
    with server, connect(server, context(pki / "root.pem", version)) as client:
        client.sendall(b"x")
        assert receive(client, 1) == b"x"
        server.process.kill()
        server.wait()
        with pytest.raises((ssl.SSLError, ConnectionResetError), match="(?i)eof|reset"):
            client.recv(1)


@pytest.mark.parametrize("version", VERSIONS)
def test_client_certificate(pki, version):
    with Serve("--echo", "--identity", pki / "good-all.pem", "--client-ca",
               pki / "root.pem") as server:
        made = context(pki / "root.pem", version)
        made.load_cert_chain(pki / "client-chain.pem", pki / "client.key")
        with connect(server, made) as client:
            client.sendall(b"x")
            assert receive(client, 1) == b"x"
        assert server.agreed()["verified"]


@pytest.mark.parametrize("version", VERSIONS)
def test_client_certificate_missing(pki, version):
    with Serve("--echo", "--identity", pki / "good-all.pem", "--client-ca",
               pki / "root.pem") as server:
        # TLS 1.3 tells with the first read, TLS 1.2 in the handshake.
        with pytest.raises(ssl.SSLError, match="(?i)alert"):
            with connect(server, context(pki / "root.pem", version)) as client:
                client.recv(1)
        assert server.failed()["cause"] == "client-certificate-missing"


@pytest.mark.parametrize("version", VERSIONS)
def test_channel_binding(echo, pki, version):
    """The end point's certificate is the one in the file."""
    with connect(echo, context(pki / "root.pem", version)) as client:
        expected = ssl.PEM_cert_to_DER_cert((pki / "good.pem").read_text())
        assert client.getpeercert(binary_form=True) == expected


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_before_the_handshake(echo, version, pki):
    """Bytes in the clear, and only then TLS: they are not taken as protected."""
    raw = plain(echo)
    raw.sendall(b"early")
    with pytest.raises((ssl.SSLError, OSError)):
        context(pki / "root.pem", version).wrap_socket(raw, server_hostname="localhost")
    assert echo.failed()["category"] in ("negotiation", "protocol")


def test_many_at_once(echo, pki):
    """Handshakes that stall do not keep others waiting."""
    stalled = [plain(echo) for _ in range(20)]
    made = context(pki / "root.pem")
    clients = [connect(echo, made) for _ in range(20)]
    for number, client in enumerate(clients):
        client.sendall(b"%04d" % number)
    for number, client in enumerate(clients):
        assert receive(client, 4) == b"%04d" % number
        client.close()
    for connection in stalled:
        connection.close()
