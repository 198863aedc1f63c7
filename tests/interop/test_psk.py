"""Pre-shared keys with programs that are not ours, both ways, for TLS 1.2 and 1.3."""

import os
import pathlib

import pytest

import programs

EXAMPLE = pathlib.Path(os.environ["CINCH_BUILD"]) / "examples" / "example-psk"
SECRET = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
WRONG = "ff" + SECRET[2:]
VERSIONS = {"-tls1_2": "TLSv1.2", "-tls1_3": "TLSv1.3"}
# Not for TLS 1.2: gnutls-cli 3.7 itself crashes then, after the handshake.
GNUTLS = "NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+ECDHE-PSK"


class Echo(programs.Running):
    def __init__(self):
        super().__init__(EXAMPLE, "listen", "0", "alice", SECRET)
        try:
            self.port = int(self.wait_for(r"^listening on .*:(\d+)$").group(1))
        except BaseException:
            self.__exit__()
            raise


@pytest.fixture(scope="module")
def echo():
    with Echo() as running:
        yield running


def ask(port, identity="alice", secret=SECRET):
    return programs.run(EXAMPLE, "connect", port, identity, secret)


def s_client(port, option, identity="alice", secret=SECRET, *more):
    return programs.Running("openssl", "s_client", "-connect", f"localhost:{port}", option,
                            "-psk_identity", identity, "-psk", secret, *more)


def test_both_ours(echo):
    outcome = ask(echo.port)
    assert outcome.code == 0, outcome.text
    assert outcome.out == b"hello\n"
    echo.wait_for("^alice was here, with TLSv1.3$")


@pytest.mark.parametrize("option", VERSIONS)
def test_s_client(echo, option):
    with s_client(echo.port, option) as client:
        client.send(b"from s_client\n")
        client.wait_for("^from s_client$")
        client.end_input()
        assert client.wait() == 0, client.text
        assert "no peer certificate available" in client.text
    echo.wait_for(f"^alice was here, with {VERSIONS[option]}$")


@pytest.mark.parametrize("option", VERSIONS)
@pytest.mark.parametrize("identity, secret", [("alice", WRONG), ("mallory", SECRET)])
def test_s_client_is_refused(echo, option, identity, secret):
    with s_client(echo.port, option, identity, secret) as client:
        assert client.wait() == 1, client.text
    echo.wait_for("^error: ")


def test_gnutls_cli(echo):
    outcome = programs.run("gnutls-cli", "--priority", GNUTLS, "--pskusername", "alice", "--pskkey",
                           SECRET, "-p", echo.port, "localhost", stdin=b"from gnutls\n")
    assert b"from gnutls\n" in outcome.out, outcome.text
    echo.wait_for("^alice was here, with TLSv1.3$")


@pytest.mark.parametrize("option", VERSIONS)
def test_s_server(option):
    with programs.OpensslServer("-nocert", "-rev", option, "-psk_identity", "alice", "-psk",
                                SECRET) as server:
        outcome = ask(server.port)
        assert outcome.out == b"olleh\n", outcome.text
        outcome = ask(server.port, secret=WRONG)
        assert outcome.code != 0 and outcome.out == b""
        assert b'does not accept the pre-shared key "alice"' in outcome.err


def test_s_server_with_a_certificate_instead(pki):
    """It would do, for a client that trusts it; this one wants the secret and nothing else."""
    with programs.OpensslServer("-cert", pki / "good.pem", "-key", pki / "good.key", "-rev",
                                "-tls1_3") as server:
        outcome = ask(server.port)
        assert outcome.code != 0 and outcome.out == b""
        assert b"shows a certificate and does not prove" in outcome.err
