"""Our client, and Python's ssl."""

import hashlib
import os
import ssl

import pytest

from programs import CINCH, Running, agreed, connect, refused
from wire import VERSIONS, Listener, TlsServer, both_ways, reset, server_context

BULK = 8 << 20


@pytest.fixture(params=VERSIONS)
def version(request):
    return request.param


def receive(connection, size):
    data = bytearray()
    while len(data) < size:
        piece = connection.recv(65536)
        assert piece, f"ended after {len(data)} of {size} bytes"
        data += piece
    return bytes(data)


def test_there_and_back(pki, version):
    def talk(connection):
        connection.sendall(receive(connection, 14).upper())
        connection.unwrap()
    with TlsServer(server_context(pki, version), talk) as server:
        outcome = connect(server.port, "--ca", pki / "root.pem", stdin=b"there and back")
        assert (outcome.code, outcome.out) == (0, b"THERE AND BACK"), outcome.text
        assert version.encode() in outcome.err


def test_bulk_both_ways(pki, version):
    """Both directions at the same time, more than any buffer holds."""
    up, down = (os.urandom(1 << 16) * (BULK >> 16) for _ in range(2))
    seen = []

    def talk(connection):
        seen.append(hashlib.sha256(both_ways(connection, down, len(up))).digest())
        connection.unwrap()
    with TlsServer(server_context(pki, version), talk) as server:
        outcome = connect(server.port, "--ca", pki / "root.pem", stdin=up)
        assert outcome.code == 0, outcome.err.decode()
        assert hashlib.sha256(outcome.out).digest() == hashlib.sha256(down).digest()
    assert seen == [hashlib.sha256(up).digest()]


def test_end_without_close_notify(pki, version):
    """What came is printed, and the exit status says that it may not be all."""
    def talk(connection):
        connection.sendall(b"half of it")
        receive(connection, 1)
    with TlsServer(server_context(pki, version), talk) as server:
        outcome = connect(server.port, "--ca", pki / "root.pem", stdin=b"x")
        assert (outcome.code, outcome.out) == (10, b"half of it")
        assert b"without close_notify" in outcome.err


def test_reset(pki, version):
    def talk(connection):
        connection.sendall(b"half of it")
        receive(connection, 1)
        reset(connection)
    with TlsServer(server_context(pki, version), talk) as server, \
            Running(CINCH, "connect", "--ca", pki / "root.pem", f"localhost:{server.port}") as client:
        client.wait_for("half of it")
        client.send(b"x")
        assert client.wait() == 10
        assert "error: " in client.text


def test_single_bytes(pki, version):
    """Records of one byte, also empty ones in TLS 1.2's way of old."""
    def talk(connection):
        for number in range(1000):
            connection.sendall(bytes([number % 256]))
        connection.unwrap()
    with TlsServer(server_context(pki, version), talk) as server:
        outcome = connect(server.port, "--ca", pki / "root.pem", stdin=b"")
        assert outcome.code == 0, outcome.text
        assert outcome.out == bytes(number % 256 for number in range(1000))


def test_half_close(pki, version):
    """The server ends its side first and still reads."""
    seen = []

    def talk(connection):
        connection.sendall(b"bye")
        try:
            connection.unwrap()
        except OSError as error:
            seen.append(error)
    with TlsServer(server_context(pki, version), talk) as server:
        outcome = connect(server.port, "--ca", pki / "root.pem", stdin=b"")
        assert (outcome.code, outcome.out) == (0, b"bye"), outcome.text
    assert not seen


@pytest.mark.parametrize("name,code,cause", [
    ("expired", 7, "expired"),
    ("not-yet-valid", 7, "not-yet-valid"),
    ("wrong-name", 6, "wrong-host-name"),
    ("self-signed", 5, "self-signed"),
    ("unknown-ca", 5, "unknown-issuer"),
    ("client-only-eku", 5, "wrong-purpose"),
])
def test_refusals_reach_the_server(pki, version, name, code, cause):
    """The server is told with the right alert why."""
    alerts = []
    context = server_context(pki, version, name)

    def handle(connection):
        try:
            with context.wrap_socket(connection, server_side=True) as protected:
                protected.recv(1)
                alerts.append("none")
        except ssl.SSLError as error:
            alerts.append(error.reason)
    with Listener(handle) as server:
        assert refused(server.port, "--ca", pki / "root.pem") == (code, cause)
    expected = {5: ("TLSV1_ALERT_UNKNOWN_CA", "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
                    "SSLV3_ALERT_BAD_CERTIFICATE", "SSLV3_ALERT_CERTIFICATE_UNKNOWN"),
                6: ("SSLV3_ALERT_BAD_CERTIFICATE", "SSLV3_ALERT_CERTIFICATE_UNKNOWN"),
                7: ("SSLV3_ALERT_CERTIFICATE_EXPIRED", "SSLV3_ALERT_BAD_CERTIFICATE")}
    assert len(alerts) == 1 and alerts[0] in expected[code], alerts


def test_wrong_address(pki, version, workshop):
    """A certificate for localhost only, reached by address."""
    leaf = workshop.once("no-ip", lambda: workshop.leaf(workshop.root(), names=["DNS:localhost"]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.path, leaf.key)
    context.minimum_version = context.maximum_version = VERSIONS[version]
    with TlsServer(context, lambda connection: connection.unwrap()) as server:
        assert agreed(server.port, "--ca", workshop.root().path)["verified"]
        assert refused(server.port, "--ca", workshop.root().path, host="127.0.0.1") == \
            (6, "wrong-ip")


def test_client_certificate(pki, version):
    seen = []

    def talk(connection):
        seen.append(connection.getpeercert())
        connection.unwrap()
    context = server_context(pki, version)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(pki / "root.pem")
    with TlsServer(context, talk) as server:
        agreed(server.port, "--ca", pki / "root.pem", "--cert", pki / "client-all.pem")
        assert refused(server.port, "--ca", pki / "root.pem") == (8, "client-certificate-wanted")
    assert ("email", "client@example.test") in seen[0]["subjectAltName"]


def test_silent_server(pki):
    """TCP is there and nothing ever comes."""
    def handle(connection):
        while connection.recv(1 << 16):
            pass
    with Listener(handle) as server:
        assert refused(server.port, "--ca", pki / "root.pem", "--timeout", "1") == (9, "timeout")
