"""Our server, and gnutls-cli."""

import pytest

from programs import Running, Serve

ONLY = "NORMAL:-VERS-ALL:+VERS-"
VERSIONS = {"TLS1.2": "TLSv1.2", "TLS1.3": "TLSv1.3"}
GROUPS = {"X25519": "X25519", "SECP256R1": "P-256", "SECP384R1": "P-384"}
CIPHERS = {"AES-128-GCM": "AES_128_GCM_SHA256", "AES-256-GCM": "AES_256_GCM_SHA384",
           "CHACHA20-POLY1305": "CHACHA20_POLY1305_SHA256"}


@pytest.fixture
def echo(pki):
    with Serve("--echo", "--identity", pki / "good-all.pem") as server:
        yield server


def gnutls(port, trusted, priority, *args, name="localhost"):
    return Running("gnutls-cli", "--port", port, "--x509cafile", trusted, "--sni-hostname", name,
                   "--verify-hostname", name, "--priority", priority, *args, "127.0.0.1")


def talk(client):
    """There and back, then a clean end that both sides begin."""
    client.wait_for("Simple Client Mode")
    client.send(b"there and back\n")
    client.wait_for("^there and back$")
    client.end_input()
    assert client.wait() == 0, client.text


@pytest.mark.parametrize("version", VERSIONS)
def test_version(echo, pki, version):
    with gnutls(echo.port, pki / "root.pem", ONLY + version) as client:
        talk(client)
        assert "The certificate is trusted." in client.text
        assert "safe renegotiation" in client.text or version == "TLS1.3"
    assert echo.agreed()["version"] == VERSIONS[version]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("group", GROUPS)
def test_group(workshop, version, group):
    with Serve("--echo", "--identity", workshop.identity(workshop.server("rsa"))) as server:
        priority = f"{ONLY}{version}:-GROUP-ALL:+GROUP-{group}"
        with gnutls(server.port, workshop.root().path, priority) as client:
            talk(client)
        assert server.agreed()["group"] == GROUPS[group]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("cipher", CIPHERS)
def test_cipher(echo, pki, version, cipher):
    priority = f"{ONLY}{version}:-CIPHER-ALL:+{cipher}"
    with gnutls(echo.port, pki / "root.pem", priority) as client:
        talk(client)
    start = "TLS_" if version == "TLS1.3" else "TLS_ECDHE_ECDSA_WITH_"
    assert echo.agreed()["cipher"] == start + CIPHERS[cipher]


@pytest.mark.parametrize("kind", ["p256", "p384", "rsa", "rsa-pss", "ed25519"])
@pytest.mark.parametrize("version", VERSIONS)
def test_kind_of_key(workshop, version, kind):
    with Serve("--echo", "--identity", workshop.identity(workshop.server(kind))) as server:
        with gnutls(server.port, workshop.root().path, ONLY + version) as client:
            talk(client)
        assert server.agreed()["version"] == VERSIONS[version]


@pytest.mark.parametrize("version", VERSIONS)
def test_wrong_anchor(echo, pki, version):
    with gnutls(echo.port, pki / "other-root.pem", ONLY + version) as client:
        assert client.wait() != 0
        assert "The certificate is NOT trusted" in client.text


@pytest.mark.parametrize("version", VERSIONS)
def test_wrong_name(echo, pki, version):
    with gnutls(echo.port, pki / "root.pem", ONLY + version, name="other.example") as client:
        assert client.wait() != 0
        assert "The name in the certificate does not match" in client.text


@pytest.mark.parametrize("priority,cause", [
    ("NORMAL:-VERS-ALL:+VERS-TLS1.1:%COMPAT", "no-common-version"),
    ("NORMAL:-VERS-ALL:+VERS-TLS1.0:%COMPAT", "no-common-version"),
    (ONLY + "TLS1.3:-GROUP-ALL:+GROUP-FFDHE2048", "no-common-group"),
    (ONLY + "TLS1.3:-CIPHER-ALL:+AES-128-CCM", "no-common-cipher"),
    (ONLY + "TLS1.2:-CIPHER-ALL:+AES-128-CBC", "no-common-cipher"),
    (ONLY + "TLS1.2:-KX-ALL:+RSA", "no-common-cipher"),
    (ONLY + "TLS1.2:-KX-ALL:+DHE-RSA", "no-common-cipher"),
    (ONLY + "TLS1.3:-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256", "no-common-signature-algorithm"),
])
def test_nothing_in_common(echo, pki, priority, cause):
    with gnutls(echo.port, pki / "root.pem", priority) as client:
        assert client.wait() != 0
    assert echo.failed()["cause"] == cause


@pytest.fixture
def mutual(pki):
    with Serve("--echo", "--identity", pki / "good-all.pem", "--client-ca",
               pki / "root.pem") as server:
        yield server


@pytest.mark.parametrize("version", VERSIONS)
def test_client_certificate(mutual, pki, version):
    with gnutls(mutual.port, pki / "root.pem", ONLY + version, "--x509certfile",
                pki / "client-chain.pem", "--x509keyfile", pki / "client.key") as client:
        talk(client)
    assert mutual.agreed()["chain"][0]["subject"].startswith("CN=Test Client")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name,cause", [
    (None, "client-certificate-missing"),
    ("expired", "expired"),
    ("sha1-signed", "too-weak"),
])
def test_client_certificate_refused(mutual, pki, version, name, cause):
    more = () if name is None else ("--x509certfile", pki / f"{name}-chain.pem", "--x509keyfile",
                                    pki / f"{name}.key")
    with gnutls(mutual.port, pki / "root.pem", ONLY + version, *more) as client:
        assert client.wait() != 0
        assert "A TLS fatal alert has been received" in client.text
    assert mutual.failed()["cause"] == cause


@pytest.mark.parametrize("version", VERSIONS)
def test_alpn(pki, version):
    with Serve("--echo", "--alpn", "first,second", "--identity", pki / "good-all.pem") as server:
        with gnutls(server.port, pki / "root.pem", ONLY + version, "--alpn", "second", "--alpn",
                    "first") as client:
            talk(client)
        assert server.agreed()["alpn"] == "first"


def test_key_update(echo, pki):
    """gnutls-cli reads commands between carets."""
    with gnutls(echo.port, pki / "root.pem", ONLY + "TLS1.3", "--inline-commands") as client:
        client.wait_for("Simple Client Mode")
        for text in ("before", "between", "after"):
            client.send(f"{text}\n".encode())
            client.wait_for(f"^{text}$")
            client.send(b"^rekey^\n")
            client.wait_for("Rekey was completed")
        client.end_input()
        assert client.wait() == 0, client.text
    assert echo.agreed()["version"] == "TLSv1.3"
