"""Our client and our server, as two programs."""

import hashlib
import os

import pytest

from programs import CINCH, Running, Serve, agreed, connect, refused

BULK = 8 << 20


@pytest.fixture
def echo(pki):
    with Serve("--echo", "--identity", pki / "good-all.pem") as server:
        yield server


def test_both_say_the_same(echo, pki):
    ours = agreed(echo.port, "--ca", pki / "root.pem")
    theirs = echo.agreed()
    for name in ("version", "cipher", "cipher_bits", "group", "alpn", "server_name", "resumed"):
        assert ours[name] == theirs[name], name
    assert ours["version"] == "TLSv1.3" and ours["server_name"] == "localhost"


def test_bulk(echo, pki):
    data = os.urandom(1 << 16) * (BULK >> 16)
    outcome = connect(echo.port, "--quiet", "--ca", pki / "root.pem", stdin=data)
    assert (outcome.code, outcome.err) == (0, b""), outcome.err.decode()
    assert hashlib.sha256(outcome.out).digest() == hashlib.sha256(data).digest()


@pytest.mark.parametrize("name,code,cause,alert", [
    ("expired", 7, "expired", "certificate_expired"),
    ("not-yet-valid", 7, "not-yet-valid", None),
    ("wrong-name", 6, "wrong-host-name", "bad_certificate"),
    ("no-san", 6, "wrong-host-name", "bad_certificate"),
    ("self-signed", 5, "self-signed", None),
    ("unknown-ca", 5, "unknown-issuer", "unknown_ca"),
    ("client-only-eku", 5, "wrong-purpose", "unsupported_certificate"),
])
def test_refusals_on_both_sides(pki, name, code, cause, alert):
    """The client says why, and the server is told as much as an alert can tell."""
    with Serve("--echo", "--identity", pki / f"{name}-all.pem") as server:
        assert refused(server.port, "--ca", pki / "root.pem") == (code, cause)
        error = server.failed()
        assert error["cause"] == "peer-distrusts-us", error
        assert alert in (None, error["alert_received"]["name"]), error


@pytest.fixture
def mutual(pki):
    with Serve("--echo", "--identity", pki / "good-all.pem", "--client-ca",
               pki / "root.pem") as server:
        yield server


def test_mutual(mutual, pki):
    trusted = ("--ca", pki / "root.pem")
    agreed(mutual.port, *trusted, "--cert", pki / "client-all.pem")
    assert mutual.agreed()["chain"][0]["subject"].startswith("CN=Test Client")
    agreed(mutual.port, *trusted, "--cert", pki / "client-chain.pem", "--key", pki / "client.key")
    assert mutual.agreed()["verified"]


@pytest.mark.parametrize("name,theirs", [
    (None, "client-certificate-missing"),
    ("expired", "expired"),
    ("unknown-ca", "unknown-issuer"),
    ("self-signed", "self-signed"),
])
def test_mutual_refused(mutual, pki, name, theirs):
    """TLS 1.3 tells the client late; that must not turn into success."""
    more = ("--cert", pki / f"{name}-all.pem") if name else ()
    code, cause = refused(mutual.port, "--ca", pki / "root.pem", *more)
    assert code == 8
    assert cause == ("client-certificate-refused" if name else "client-certificate-wanted")
    assert mutual.failed()["cause"] == theirs


@pytest.mark.parametrize("client,server,agreed_on", [
    ("one,two", "two,one", "two"),
    ("one", "one", "one"),
    ("one", None, ""),
    (None, "one", ""),
])
def test_alpn(pki, client, server, agreed_on):
    more = ("--alpn", server) if server else ()
    with Serve("--echo", "--identity", pki / "good-all.pem", *more) as running:
        peer = agreed(running.port, "--ca", pki / "root.pem",
                      *(("--alpn", client) if client else ()))
        assert peer["alpn"] == running.agreed()["alpn"] == agreed_on


def test_alpn_without_overlap(pki):
    with Serve("--echo", "--identity", pki / "good-all.pem", "--alpn", "one") as server:
        assert refused(server.port, "--ca", pki / "root.pem", "--alpn", "two") == \
            (4, "no-common-alpn")
        assert server.failed()["cause"] == "no-common-alpn"


@pytest.mark.parametrize("client", ["default", "modern"])
@pytest.mark.parametrize("server", ["default", "modern"])
def test_policies(pki, client, server):
    with Serve("--echo", "--identity", pki / "good-all.pem", "--policy", server) as running:
        peer = agreed(running.port, "--ca", pki / "root.pem", "--policy", client)
        assert peer["version"] == "TLSv1.3"


@pytest.mark.parametrize("kind", ["p256", "p384", "rsa", "rsa-pss", "ed25519"])
def test_kind_of_key(workshop, kind):
    with Serve("--echo", "--identity", workshop.identity(workshop.server(kind))) as server:
        agreed(server.port, "--ca", workshop.root().path)


def test_a_server_that_is_killed(pki):
    """The client says that the connection was cut, whatever it had read."""
    with Serve("--echo", "--identity", pki / "good-all.pem") as server, \
            Running(CINCH, "connect", "--ca", pki / "root.pem", f"localhost:{server.port}") as client:
        client.send(b"there and back\n")
        client.wait_for("^there and back$")
        server.process.kill()
        server.wait()
        assert client.wait() == 10
        assert "error: " in client.text


def test_a_client_that_is_killed(echo, pki):
    with Running(CINCH, "connect", "--ca", pki / "root.pem", f"localhost:{echo.port}") as client:
        client.send(b"there and back\n")
        client.wait_for("^there and back$")
        client.process.kill()
        client.wait()
    echo.agreed()
    assert echo.failed()["cause"] in ("truncated", "reset")


def test_files(pki, web):
    with Serve("--identity", pki / "good-all.pem", web) as server:
        request = b"GET /hello.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        outcome = connect(server.port, "--ca", pki / "root.pem", "--alpn", "http/1.1",
                          stdin=request)
        assert outcome.code == 0, outcome.text
        assert outcome.out.startswith(b"HTTP/1.1 200 ") and outcome.out.endswith(b"interop\n")
