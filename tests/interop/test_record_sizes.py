"""AES-GCM in records of many sizes, each way, with programs that are not ours."""

import random
import subprocess

import pytest

from programs import CINCH, GnutlsServer, LIMIT, OpensslServer, Serve, connect

VERSIONS = ["1.2", "1.3"]
CIPHERS = ["AES-128-GCM", "AES-256-GCM"]
SUITES = {("1.2", "AES-128-GCM"): ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"),
          ("1.2", "AES-256-GCM"): ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384"),
          ("1.3", "AES-128-GCM"): ("-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256"),
          ("1.3", "AES-256-GCM"): ("-tls1_3", "-ciphersuites", "TLS_AES_256_GCM_SHA384")}
MUCH = random.Random(1).randbytes(200_001)

pytestmark = [pytest.mark.parametrize("version", VERSIONS), pytest.mark.parametrize("cipher", CIPHERS)]


def priority(version, cipher):
    return f"NORMAL:-VERS-ALL:+VERS-TLS{version}:-CIPHER-ALL:+{cipher}"


@pytest.fixture
def echo(pki):
    with Serve("--echo", "--identity", pki / "good-all.pem") as server:
        yield server


class Echoed:
    """What comes back from the echo for DATA, which a client gets in pieces."""

    def __init__(self, *args):
        self.process = subprocess.Popen([str(arg) for arg in args], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)

    def back(self, data):
        """Never so much at once that both sides only write."""
        got = b""
        while len(got) < len(data):
            self.process.stdin.write(data[len(got):len(got) + 16384])
            wanted = min(len(got) + 16384, len(data))
            while len(got) < wanted:
                piece = self.process.stdout.read(wanted - len(got))
                assert piece, f"it ended after {len(got)} bytes"
                got += piece
        return got

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate(timeout=LIMIT)


@pytest.mark.parametrize("size", [512, 700, 4097, 16383, 16384])
def test_s_client(echo, pki, version, cipher, size):
    """Its records have at most SIZE bytes; the last of each 16 KiB is what is left."""
    with Echoed("openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{echo.port}", "-CAfile",
                pki / "root.pem", "-verify_return_error", "-max_send_frag", size,
                "-split_send_frag", size, *SUITES[version, cipher]) as client:
        assert client.back(MUCH) == MUCH
    assert cipher[:7].replace("-", "_") in echo.agreed()["cipher"].replace("AES128", "AES_128")


def test_every_small_size(echo, pki, version, cipher):
    """One record each, as it is written."""
    with Echoed("openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{echo.port}", "-CAfile",
                pki / "root.pem", "-verify_return_error", *SUITES[version, cipher]) as client:
        for size in range(1, 300):
            assert client.back(MUCH[size:2 * size]) == MUCH[size:2 * size]


@pytest.mark.parametrize("size", [512, 1000, 16384])
def test_s_server(pki, tmp_path, monkeypatch, version, cipher, size):
    """A file from a server with records of at most SIZE bytes."""
    (tmp_path / "much").write_bytes(MUCH)
    monkeypatch.chdir(tmp_path)
    with OpensslServer("-cert", pki / "good.pem", "-key", pki / "good.key", "-cert_chain",
                       pki / "intermediate.pem", "-WWW", "-max_send_frag", size, "-split_send_frag",
                       size, *SUITES[version, cipher]) as server:
        outcome = connect(server.port, "--ca", pki / "root.pem", stdin=b"GET /much HTTP/1.0\r\n\r\n")
        assert outcome.code == 0, outcome.err
        assert outcome.out.partition(b"\r\n\r\n")[2] == MUCH


def test_gnutls_serv(pki, version, cipher):
    """It sends back lines, each as a record of its own."""
    text = MUCH.hex().encode()
    with GnutlsServer("--echo", "--disable-client-cert", "--priority", priority(version, cipher),
                      "--x509certfile", pki / "good-chain.pem", "--x509keyfile",
                      pki / "good.key") as server, \
            Echoed(CINCH, "connect", "--ca", pki / "root.pem", f"localhost:{server.port}") as client:
        for size in [*range(1, 300), *range(1000, 16000, 517), 16383]:
            line = text[:size - 1] + b"\n"
            assert client.back(line) == line
