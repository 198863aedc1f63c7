"""Our server, and curl."""

import hashlib
import os
import socket

import pytest

from programs import Serve, run

VERSIONS = {"TLSv1.2": ("--tlsv1.2", "--tls-max", "1.2"), "TLSv1.3": ("--tlsv1.3",)}
SIZE = 64 << 20


@pytest.fixture
def files(pki, web):
    with Serve("--identity", pki / "good-all.pem", web) as server:
        yield server


def curl(server, trusted, path, *args, host="localhost"):
    """Exit statuses: 7 refused, 35 handshake, 56 receiving, 60 not trusted, or wrong name."""
    return run("curl", "--disable", "--silent", "--show-error", "--cacert", trusted, *args,
               f"https://{host}:{server.port}/{path}")


@pytest.mark.parametrize("version", VERSIONS)
def test_version(files, pki, version):
    outcome = curl(files, pki / "root.pem", "hello.txt", *VERSIONS[version])
    assert outcome.code == 0, outcome.text
    assert outcome.out == b"hello, interop\n"
    peer = files.agreed()
    assert (peer["version"], peer["alpn"]) == (version, "http/1.1")


@pytest.mark.parametrize("version", VERSIONS)
def test_wrong_anchor(files, pki, version):
    outcome = curl(files, pki / "other-root.pem", "hello.txt", *VERSIONS[version])
    assert (outcome.code, outcome.out) == (60, b"")
    error = files.failed()
    assert error["cause"] == "peer-distrusts-us" and error["alert_received"]["name"] == "unknown_ca"


def test_wrong_name(files, pki):
    outcome = curl(files, pki / "root.pem", "hello.txt", "--resolve",
                   f"other.example:{files.port}:127.0.0.1", host="other.example")
    assert (outcome.code, outcome.out) == (60, b"")


@pytest.mark.parametrize("host", ["127.0.0.1", "a.example.test"])
def test_other_names(files, pki, host):
    outcome = curl(files, pki / "root.pem", "hello.txt", "--resolve",
                   f"a.example.test:{files.port}:127.0.0.1", host=host)
    assert (outcome.code, outcome.out) == (0, b"hello, interop\n"), outcome.text
    assert files.agreed()["server_name"] == (host if host[0] == "a" else "")


def test_ipv6(pki, web):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    with Serve("--listen", "[::1]:0", "--identity", pki / "good-all.pem", web) as server:
        outcome = curl(server, pki / "root.pem", "hello.txt", host="[::1]")
        assert (outcome.code, outcome.out) == (0, b"hello, interop\n"), outcome.text
        assert server.agreed()["server_name"] == ""


@pytest.mark.parametrize("name", ["expired", "wrong-name", "self-signed", "unknown-ca"])
def test_bad_certificates(pki, web, name):
    with Serve("--identity", pki / f"{name}-all.pem", web) as server:
        outcome = curl(server, pki / "root.pem", "hello.txt")
        assert (outcome.code, outcome.out) == (60, b"")


def test_old_version(files, pki):
    outcome = curl(files, pki / "root.pem", "hello.txt", "--tlsv1.0", "--tls-max", "1.1",
                   "--ciphers", "ALL:@SECLEVEL=0")
    assert outcome.code == 35
    assert files.failed()["cause"] == "no-common-version"


@pytest.mark.parametrize("version", VERSIONS)
def test_client_certificate(pki, web, version):
    with Serve("--identity", pki / "good-all.pem", "--client-ca", pki / "root.pem", web) as server:
        outcome = curl(server, pki / "root.pem", "hello.txt", *VERSIONS[version], "--cert",
                       pki / "client-chain.pem", "--key", pki / "client.key")
        assert (outcome.code, outcome.out) == (0, b"hello, interop\n"), outcome.text
        assert server.agreed()["chain"][0]["subject"].startswith("CN=Test Client")

        outcome = curl(server, pki / "root.pem", "hello.txt", *VERSIONS[version])
        assert outcome.code in (35, 56) and outcome.out == b""
        assert server.failed()["cause"] == "client-certificate-missing"

        outcome = curl(server, pki / "root.pem", "hello.txt", *VERSIONS[version], "--cert",
                       pki / "expired-chain.pem", "--key", pki / "expired.key")
        assert outcome.code in (35, 56, 60) and outcome.out == b""
        assert server.failed()["cause"] == "expired"


def test_keep_alive(files, pki):
    outcome = run("curl", "--disable", "-sS", "--cacert", pki / "root.pem", "-w",
                  "%{http_version} %{num_connects}\n", f"https://localhost:{files.port}/hello.txt",
                  f"https://localhost:{files.port}/other.txt",
                  f"https://localhost:{files.port}/missing", "-o", os.devnull)
    assert outcome.code == 0, outcome.text
    lines = outcome.out.decode().splitlines()
    assert [line for line in lines if line.startswith("1.1 ")] == ["1.1 1", "1.1 0", "1.1 0"]


def test_head(files, pki):
    outcome = curl(files, pki / "root.pem", "hello.txt", "--head")
    assert outcome.code == 0, outcome.text
    assert outcome.text.startswith("HTTP/1.1 200 OK\r\n")
    assert "\r\nContent-Length: 15\r\n" in outcome.text
    assert "hello" not in outcome.text


@pytest.mark.parametrize("wanted,status,body", [
    ("0-4", "206", "hello"),
    ("7-", "206", "interop\n"),
    ("-8", "206", "interop\n"),
    ("7-1000", "206", "interop\n"),
    ("15-", "416", None),
])
def test_range(files, pki, wanted, status, body):
    outcome = curl(files, pki / "root.pem", "hello.txt", "--range", wanted, "-w", "|%{http_code}")
    text, _, code = outcome.out.decode().rpartition("|")
    assert code == status
    assert body is None or text == body


def test_http2_is_not_ours(files, pki):
    """ALPN says so, and curl goes on with 1.1."""
    outcome = curl(files, pki / "root.pem", "hello.txt", "--http2", "-w", "%{http_version}")
    assert (outcome.code, outcome.out) == (0, b"hello, interop\n1.1"), outcome.text
    assert files.agreed()["alpn"] == "http/1.1"


def test_http2_only(files, pki):
    """Without an overlap the connection ends before any HTTP (RFC 7301, 3.2)."""
    outcome = run("openssl", "s_client", "-connect", f"127.0.0.1:{files.port}", "-alpn", "h2")
    assert outcome.code != 0
    assert files.failed()["cause"] == "no-common-alpn"


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A file without a pattern that could hide a block in the wrong place, and its digest."""
    directory = tmp_path_factory.mktemp("large")
    block = os.urandom(1 << 20)
    digest = hashlib.sha256()
    with open(directory / "large.bin", "wb") as out:
        for number in range(SIZE >> 20):
            piece = number.to_bytes(8, "big") + block[8:]
            out.write(piece)
            digest.update(piece)
    return directory, digest.hexdigest()


@pytest.mark.parametrize("version", VERSIONS)
def test_large_file(pki, large, tmp_path, version):
    directory, digest = large
    with Serve("--identity", pki / "good-all.pem", directory) as server:
        target = tmp_path / "copy"
        outcome = curl(server, pki / "root.pem", "large.bin", *VERSIONS[version], "-o", target)
        assert outcome.code == 0, outcome.text
        with open(target, "rb") as copy:
            assert hashlib.file_digest(copy, "sha256").hexdigest() == digest
        target.unlink()


def test_part_of_a_large_file(pki, large):
    directory, _ = large
    with Serve("--identity", pki / "good-all.pem", directory) as server:
        outcome = curl(server, pki / "root.pem", "large.bin", "--range", "20000000-21000000")
        with open(directory / "large.bin", "rb") as original:
            original.seek(20000000)
            assert outcome.out == original.read(1000001)


def test_plain_http(files):
    outcome = run("curl", "--disable", "-sS", f"http://localhost:{files.port}/hello.txt")
    assert b"hello, interop" not in outcome.out
    error = files.failed()
    assert error["cause"] == "not-tls" and "HTTP" in error["what"] + error["evidence"]


@pytest.mark.parametrize("words", [b"EHLO me\r\n", b"SSH-2.0-x\r\n", b"\0" * 64, b"\x16\x03"])
def test_other_bytes(files, pki, words):
    """They cost one connection, and the next client is served."""
    with socket.create_connection(("127.0.0.1", files.port)) as plain:
        plain.sendall(words)
        plain.shutdown(socket.SHUT_WR)
        assert len(plain.recv(100)) <= 7
    assert files.failed()["cause"] in ("not-tls", "closed-in-handshake", "protocol")
    assert curl(files, pki / "root.pem", "hello.txt").code == 0
