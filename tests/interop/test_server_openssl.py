"""Our server, and openssl s_client."""

import re

import pytest

from programs import Running, Serve

VERSIONS = {"-tls1_2": "TLSv1.2", "-tls1_3": "TLSv1.3"}

# OpenSSL's name of the suite, and the standard's.
TLS12 = {"AES128-GCM-SHA256": "AES_128_GCM_SHA256", "AES256-GCM-SHA384": "AES_256_GCM_SHA384",
         "CHACHA20-POLY1305": "CHACHA20_POLY1305_SHA256"}
TLS13 = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
GROUPS = ["X25519", "P-256", "P-384"]
WEAK12 = ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA256",
          "DHE-RSA-AES128-GCM-SHA256", "AECDH-AES128-SHA:@SECLEVEL=0", "NULL:@SECLEVEL=0",
          "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0"]


@pytest.fixture
def echo(pki):
    with Serve("--echo", "--identity", pki / "good-all.pem") as server:
        yield server


def s_client(server, pki, *args):
    """An interactive s_client that has verified the server, or ends."""
    return Running("openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-servername",
                   "localhost", "-verify_hostname", "localhost", "-CAfile", pki / "root.pem",
                   "-verify_return_error", *args)


def exchange(client, text):
    client.send(f"{text}\n".encode())
    # Not "^": s_client may have left off in the middle of a line, after showing a ticket.
    client.wait_for(f"{text}$")


def finish(client):
    """A clean end, with close_notify."""
    client.end_input()
    assert client.wait() == 0, client.text


def refused(server, pki, *args):
    """s_client must fail; what our server says of it."""
    with s_client(server, pki, *args) as client:
        assert client.wait() != 0, client.text
    return server.failed()


@pytest.mark.parametrize("option", VERSIONS)
def test_version(echo, pki, option):
    with s_client(echo, pki, option) as client:
        exchange(client, "there and back")
        client.end_input()
        assert client.wait() == 0
        assert "Verify return code: 0 (ok)" in client.text
        assert "Compression: NONE" in client.text
        assert "Secure Renegotiation IS supported" in client.text or option == "-tls1_3"
    assert echo.agreed()["version"] == VERSIONS[option]


@pytest.mark.parametrize("suite", TLS12)
@pytest.mark.parametrize("kind", ["ECDSA", "RSA"])
def test_suite_of_tls12(workshop, kind, suite):
    certificate = workshop.server("p256" if kind == "ECDSA" else "rsa")
    with Serve("--echo", "--identity", workshop.identity(certificate)) as server:
        with Running("openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile",
                     workshop.root().path, "-verify_return_error", "-tls1_2", "-cipher",
                     f"ECDHE-{kind}-{suite}") as client:
            exchange(client, "a suite")
        assert server.agreed()["cipher"] == f"TLS_ECDHE_{kind}_WITH_{TLS12[suite]}"


@pytest.mark.parametrize("suite", TLS13)
def test_suite_of_tls13(echo, pki, suite):
    with s_client(echo, pki, "-tls1_3", "-ciphersuites", suite) as client:
        exchange(client, "a suite")
    assert echo.agreed()["cipher"] == suite


@pytest.mark.parametrize("option", VERSIONS)
@pytest.mark.parametrize("group", GROUPS)
def test_group(workshop, option, group):
    """With an RSA key: in TLS 1.2 the list of groups is also one of curves of certificates."""
    with Serve("--echo", "--identity", workshop.identity(workshop.server("rsa"))) as server:
        with Running("openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile",
                     workshop.root().path, "-verify_return_error", option, "-groups",
                     group) as client:
            exchange(client, "a group")
        assert server.agreed()["group"] == group


def test_hello_retry_request(echo, pki):
    """The key share is for a group that we do not have; the next in the list is one."""
    with s_client(echo, pki, "-tls1_3", "-groups", "P-521:P-384", "-msg") as client:
        exchange(client, "a second try")
        assert len(re.findall("ClientHello", client.text)) == 2
    assert echo.agreed()["group"] == "P-384"


@pytest.mark.parametrize("option,cause", [
    (("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), "no-common-version"),
    (("-tls1", "-cipher", "ALL:@SECLEVEL=0"), "no-common-version"),
    (("-tls1_3", "-groups", "ffdhe2048"), "no-common-group"),
    (("-tls1_3", "-groups", "P-521"), "no-common-group"),
    (("-tls1_2", "-groups", "P-521"), "no-common-group"),
    (("-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"), "no-common-cipher"),
    (("-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256"), "no-common-signature-algorithm"),
])
def test_nothing_in_common(echo, pki, option, cause):
    error = refused(echo, pki, *option)
    assert error["cause"] == cause, error
    assert error["category"] == "negotiation" and error["evidence"], error


@pytest.mark.parametrize("suite", WEAK12)
def test_weak_suites_of_tls12(echo, pki, suite):
    error = refused(echo, pki, "-tls1_2", "-cipher", suite)
    assert error["cause"] == "no-common-cipher", error


@pytest.mark.parametrize("option", VERSIONS)
def test_modern_is_tls13_only(pki, option):
    with Serve("--echo", "--policy", "modern", "--identity", pki / "good-all.pem") as server:
        if option == "-tls1_3":
            with s_client(server, pki, option) as client:
                exchange(client, "modern")
            assert server.agreed()["version"] == "TLSv1.3"
        else:
            assert refused(server, pki, option)["cause"] == "no-common-version"


@pytest.fixture
def mutual(pki):
    with Serve("--echo", "--identity", pki / "good-all.pem", "--client-ca",
               pki / "root.pem") as server:
        yield server


def identity(pki, name):
    return ("-cert", pki / f"{name}.pem", "-key", pki / f"{name}.key", "-cert_chain",
            pki / f"{name}-chain.pem")


@pytest.mark.parametrize("option", VERSIONS)
def test_client_certificate(mutual, pki, option):
    with s_client(mutual, pki, option, *identity(pki, "client")) as client:
        exchange(client, "a friend")
        named = client.text.split("Acceptable client certificate CA")[1]
        assert "CN=Cinch Test Root" in named.replace(" = ", "=")
    peer = mutual.agreed()
    assert peer["verified"]
    assert [link["subject"].split(",")[0] for link in peer["chain"]] == [
        "CN=Test Client", "CN=Cinch Test Intermediate", "CN=Cinch Test Root"]
    assert {"kind": "email", "name": "client@example.test"} in peer["chain"][0]["names"]


@pytest.mark.parametrize("option", VERSIONS)
@pytest.mark.parametrize("name,cause", [
    (None, "client-certificate-missing"),
    ("unknown-ca", "unknown-issuer"),
    ("expired", "expired"),
    ("not-yet-valid", "not-yet-valid"),
    ("self-signed", "self-signed"),
    ("weak-rsa1024", "too-weak"),
])
def test_client_certificate_refused(mutual, pki, option, name, cause):
    more = identity(pki, name) if name else ()
    if name == "weak-rsa1024":
        more += ("-cipher", "ALL:@SECLEVEL=0")
    error = refused(mutual, pki, option, *more)
    assert error["cause"] == cause, error


@pytest.mark.parametrize("option", VERSIONS)
def test_client_certificate_of_a_server(mutual, workshop, pki, option):
    """One that is only for servers says nothing about a client."""
    with Serve("--echo", "--identity", pki / "good-all.pem", "--client-ca",
               workshop.root().path) as server:
        leaf = workshop.server("p256")
        error = refused(server, pki, option, "-cert", leaf.path, "-key", leaf.key)
        assert error["cause"] == "wrong-purpose", error


def test_client_certificate_without_intermediate(mutual, pki):
    error = refused(mutual, pki, "-cert", pki / "client.pem", "-key", pki / "client.key")
    assert error["cause"] == "missing-intermediate", error


@pytest.mark.parametrize("option", VERSIONS)
def test_alpn(pki, option):
    with Serve("--echo", "--alpn", "first,second", "--identity", pki / "good-all.pem") as server:
        with s_client(server, pki, option, "-alpn", "second,first") as client:
            exchange(client, "our order counts")
            finish(client)
            assert "ALPN protocol: first" in client.text
        assert server.agreed()["alpn"] == "first"
        with s_client(server, pki, option) as client:
            exchange(client, "none is fine")
            finish(client)
        assert server.agreed()["alpn"] == ""
        assert refused(server, pki, option, "-alpn", "third")["cause"] == "no-common-alpn"


@pytest.mark.parametrize("option", VERSIONS)
def test_server_name(echo, pki, option):
    with s_client(echo, pki, option, "-servername", "a.example.test", "-verify_hostname",
                  "a.example.test") as client:
        exchange(client, "a name")
        finish(client)
    assert echo.agreed()["server_name"] == "a.example.test"
    with Running("openssl", "s_client", "-connect", f"127.0.0.1:{echo.port}", "-noservername",
                 "-CAfile", pki / "root.pem", "-verify_ip", "127.0.0.1", "-verify_return_error",
                 option) as client:
        exchange(client, "no name")
    assert echo.agreed()["server_name"] == ""


def test_no_renegotiation(echo, pki):
    with s_client(echo, pki, "-tls1_2") as client:
        exchange(client, "before")
        client.send(b"R\n")
        client.wait_for("RENEGOTIATING")
        assert client.wait() != 0
        assert "no renegotiation" in client.text
    echo.agreed()
    error = echo.failed()
    assert error["cause"] == "alert-received" and "renegotiate" in error["evidence"], error


@pytest.mark.parametrize("command", ["k", "K"])
def test_key_update(echo, pki, command):
    """k: the client's keys; K: ours as well."""
    with s_client(echo, pki, "-tls1_3", "-msg") as client:
        for text in ("before", "after", "again"):
            exchange(client, text)
            client.send(f"{command}\n".encode())
            client.wait_for("KEYUPDATE")
        exchange(client, "end")
        answers = re.findall(r"<<< TLS 1.3, Handshake \[length 0005\], KeyUpdate", client.text)
        assert len(answers) == (3 if command == "K" else 0)
    assert echo.agreed()["version"] == "TLSv1.3"
