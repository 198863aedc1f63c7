"""Our client, and gnutls-serv."""

import pytest

from programs import GnutlsServer, agreed, connect, refused

ONLY = "NORMAL:-VERS-ALL:+VERS-"
VERSIONS = {"TLS1.2": "TLSv1.2", "TLS1.3": "TLSv1.3"}
GROUPS = {"X25519": "X25519", "SECP256R1": "P-256", "SECP384R1": "P-384"}
CIPHERS = {"AES-128-GCM": "AES_128_GCM_SHA256", "AES-256-GCM": "AES_256_GCM_SHA384",
           "CHACHA20-POLY1305": "CHACHA20_POLY1305_SHA256"}


def serving(pki, priority, *args, name="good"):
    return GnutlsServer("--http", "--disable-client-cert", "--priority", priority,
                        "--x509certfile", pki / f"{name}-chain.pem", "--x509keyfile",
                        pki / f"{name}.key", *args)


@pytest.mark.parametrize("version", VERSIONS)
def test_page(pki, version):
    with serving(pki, ONLY + version) as server:
        outcome = connect(server.port, "--ca", pki / "root.pem", stdin=b"GET / HTTP/1.0\r\n\r\n")
        assert outcome.code == 0, outcome.text
        assert outcome.out.startswith(b"HTTP/1.0 200 OK") and b"</HTML>" in outcome.out
        assert VERSIONS[version].encode() in outcome.err


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("group", GROUPS)
def test_group(workshop, version, group):
    leaf = workshop.server("rsa")
    with GnutlsServer("--http", "--disable-client-cert", "--x509certfile", leaf.path,
                      "--x509keyfile", leaf.key, "--priority",
                      f"{ONLY}{version}:-GROUP-ALL:+GROUP-{group}") as server:
        assert agreed(server.port, "--ca", workshop.root().path)["group"] == GROUPS[group]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("cipher", CIPHERS)
def test_cipher(pki, version, cipher):
    with serving(pki, f"{ONLY}{version}:-CIPHER-ALL:+{cipher}") as server:
        start = "TLS_" if version == "TLS1.3" else "TLS_ECDHE_ECDSA_WITH_"
        peer = agreed(server.port, "--ca", pki / "root.pem")
        assert peer["cipher"] == start + CIPHERS[cipher]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("kind", ["p384", "rsa", "rsa-pss", "ed25519"])
def test_kind_of_key(workshop, version, kind):
    leaf = workshop.server(kind)
    with GnutlsServer("--http", "--disable-client-cert", "--priority", ONLY + version,
                      "--x509certfile", leaf.path, "--x509keyfile", leaf.key) as server:
        agreed(server.port, "--ca", workshop.root().path)


@pytest.mark.parametrize("priority", [
    "NORMAL:-VERS-ALL:+VERS-TLS1.1:%COMPAT",
    "NORMAL:-VERS-ALL:+VERS-TLS1.0:%COMPAT",
    ONLY + "TLS1.3:-GROUP-ALL:+GROUP-FFDHE2048",
    ONLY + "TLS1.2:-KX-ALL:+RSA:+DHE-RSA",
    ONLY + "TLS1.2:-KX-ALL:+ANON-ECDH",
    ONLY + "TLS1.2:-CIPHER-ALL:+AES-128-CBC",
    ONLY + "TLS1.2:-CIPHER-ALL:+NULL",
    ONLY + "TLS1.3:-CIPHER-ALL:+AES-128-CCM",
])
def test_nothing_in_common(pki, priority):
    with serving(pki, priority) as server:
        # GnuTLS calls most of these a handshake_failure and leaves the reason to guess.
        code, cause = refused(server.port, "--ca", pki / "root.pem")
        assert code == 4 and cause in ("no-common-version", "no-common-cipher", "no-common-group",
                                       "handshake-refused")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name,code,cause", [
    ("expired", 7, "expired"),
    ("wrong-name", 6, "wrong-host-name"),
    ("self-signed", 5, "self-signed"),
    ("unknown-ca", 5, "unknown-issuer"),
])
def test_bad_certificate(pki, version, name, code, cause):
    with serving(pki, ONLY + version, name=name) as server:
        assert refused(server.port, "--ca", pki / "root.pem") == (code, cause)


@pytest.mark.parametrize("version", VERSIONS)
def test_client_certificate(pki, version):
    with GnutlsServer("--http", "--require-client-cert", "--verify-client-cert", "--x509cafile",
                      pki / "root.pem", "--priority", ONLY + version, "--x509certfile",
                      pki / "good-chain.pem", "--x509keyfile", pki / "good.key") as server:
        agreed(server.port, "--ca", pki / "root.pem", "--cert", pki / "client-all.pem")
        assert refused(server.port, "--ca", pki / "root.pem") == (8, "client-certificate-wanted")
        code, _ = refused(server.port, "--ca", pki / "root.pem", "--cert",
                          pki / "unknown-ca-all.pem")
        assert code == 8


@pytest.mark.parametrize("version", VERSIONS)
def test_alpn(pki, version):
    with serving(pki, ONLY + version, "--alpn", "second", "--alpn", "first",
                 "--alpn-fatal") as server:
        peer = agreed(server.port, "--ca", pki / "root.pem", "--alpn", "first,second")
        assert peer["alpn"] in ("first", "second")
        assert refused(server.port, "--ca", pki / "root.pem", "--alpn", "third") == \
            (4, "no-common-alpn")
