"""Which group is agreed on when nobody asks for one: that of the post-quantum age, where this
OpenSSL has it (3.5), and X25519 with whoever does not."""

import pytest

from programs import CINCH, OpensslServer, Serve, agreed, run

HYBRID = "X25519MLKEM768"
FIRST = HYBRID if HYBRID in run("openssl", "list", "-kem-algorithms").text else "X25519"


@pytest.fixture
def server(pki):
    with Serve("--echo", "--identity", pki / "good-all.pem") as running:
        yield running


def s_client(server, pki, *args):
    """The group that our server says it has agreed on with s_client."""
    outcome = run("openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile",
                  pki / "root.pem", "-verify_return_error", *args)
    assert outcome.code == 0, outcome.text
    return server.agreed()["group"]


def test_two_of_ours(server, pki):
    assert agreed(server.port, "--ca", pki / "root.pem")["group"] == FIRST
    assert server.agreed()["group"] == FIRST


def test_our_server(server, pki):
    assert s_client(server, pki) == FIRST


def test_our_client(pki):
    with OpensslServer("-cert", pki / "good.pem", "-key", pki / "good.key", "-cert_chain",
                       pki / "intermediate.pem", "-www") as theirs:
        assert agreed(theirs.port, "--ca", pki / "root.pem")["group"] == FIRST


def test_without_it(server, pki):
    """A client that does not know it, and TLS 1.2, which cannot have it."""
    assert s_client(server, pki, "-groups", "P-256:X25519") in ("P-256", "X25519")
    assert s_client(server, pki, "-tls1_2") == "X25519"


def test_no_audit_finding(pki):
    outcome = run(CINCH, "audit", "--identity", pki / "good-all.pem")
    assert "group-no-post-quantum" not in outcome.text
