"""Our client, and openssl s_server."""

import ssl

import pytest

from programs import CINCH, OpensslServer, Running, agreed, connect, refused

VERSIONS = {"-tls1_2": "TLSv1.2", "-tls1_3": "TLSv1.3"}
TLS12 = {"AES128-GCM-SHA256": "AES_128_GCM_SHA256", "AES256-GCM-SHA384": "AES_256_GCM_SHA384",
         "CHACHA20-POLY1305": "CHACHA20_POLY1305_SHA256"}
TLS13 = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
OLD = ("-cipher", "ALL:@SECLEVEL=0")


def serving(pki, *args, name="good"):
    return OpensslServer("-cert", pki / f"{name}.pem", "-key", pki / f"{name}.key", "-cert_chain",
                         pki / "intermediate.pem", *args)


def serving_leaf(leaf, *args):
    return OpensslServer("-cert", leaf.path, "-key", leaf.key, *args)


@pytest.mark.parametrize("option", VERSIONS)
def test_page(pki, option):
    """s_server's own web page, as a person would fetch it."""
    with serving(pki, "-www", option) as server:
        outcome = connect(server.port, "--ca", pki / "root.pem", stdin=b"GET / HTTP/1.0\r\n\r\n")
        assert outcome.code == 0, outcome.text
        assert outcome.out.startswith(b"HTTP/1.0 200 ok")
        assert b"</HTML>" in outcome.out.upper() and VERSIONS[option].encode() in outcome.out
        assert outcome.err.startswith(b"verified localhost"), outcome.text


@pytest.mark.parametrize("option", VERSIONS)
def test_raw(pki, option):
    """Both ways, line by line, with s_server's commands for new keys in between."""
    with serving(pki, option) as server, \
            Running(CINCH, "connect", "--ca", pki / "root.pem", f"localhost:{server.port}") as client:
        client.wait_for("^verified localhost")
        client.send(b"from the client\n")
        server.wait_for("^from the client$")
        server.send(b"from the server\n")
        client.wait_for("^from the server$")
        for command in ("k", "K") if option == "-tls1_3" else ():
            server.send(f"{command}\n".encode())
            client.send(f"after {command}\n".encode())
            server.wait_for(f"^after {command}$")
            server.send(f"answer to {command}\n".encode())
            client.wait_for(f"^answer to {command}$")
        # Its command to quit does not say close_notify.
        server.send(b"q\n")
        assert client.wait() == 10
        assert "without close_notify" in client.text


@pytest.mark.parametrize("kind", ["p256", "p384", "rsa", "rsa-pss", "ed25519"])
@pytest.mark.parametrize("option", VERSIONS)
def test_kind_of_key(workshop, option, kind):
    with serving_leaf(workshop.server(kind), "-www", option) as server:
        peer = agreed(server.port, "--ca", workshop.root().path)
        assert peer["version"] == VERSIONS[option]
        assert len(peer["chain"]) == 2


def test_authority_with_a_pss_key(workshop):
    """Root, intermediate and leaf are all signed with RSA-PSS."""
    root = workshop.authority("PSS Root", kind="rsa-pss")
    leaf = workshop.leaf(root, kind="rsa-pss")
    for option in VERSIONS:
        with serving_leaf(leaf, "-www", option) as server:
            assert agreed(server.port, "--ca", root.path)["version"] == VERSIONS[option]


@pytest.mark.parametrize("suite", TLS12)
@pytest.mark.parametrize("kind", ["ECDSA", "RSA"])
def test_suite_of_tls12(workshop, kind, suite):
    leaf = workshop.server("p256" if kind == "ECDSA" else "rsa")
    with serving_leaf(leaf, "-www", "-tls1_2", "-cipher", f"ECDHE-{kind}-{suite}") as server:
        peer = agreed(server.port, "--ca", workshop.root().path)
        assert peer["cipher"] == f"TLS_ECDHE_{kind}_WITH_{TLS12[suite]}"


@pytest.mark.parametrize("suite", TLS13)
def test_suite_of_tls13(pki, suite):
    with serving(pki, "-www", "-tls1_3", "-ciphersuites", suite) as server:
        assert agreed(server.port, "--ca", pki / "root.pem")["cipher"] == suite


@pytest.mark.parametrize("option", VERSIONS)
@pytest.mark.parametrize("group", ["X25519", "P-256", "P-384"])
def test_group(workshop, option, group):
    """In TLS 1.3 all but the first cost a HelloRetryRequest."""
    with serving_leaf(workshop.server("rsa"), "-www", option, "-groups", group) as server:
        assert agreed(server.port, "--ca", workshop.root().path)["group"] == group


@pytest.mark.parametrize("options,causes", [
    (("-tls1_1", *OLD), ["no-common-version"]),
    (("-tls1", *OLD), ["no-common-version"]),
    (("-tls1_3", "-groups", "ffdhe2048:ffdhe3072"), ["no-common-group", "handshake-refused"]),
    (("-tls1_3", "-groups", "P-521"), ["no-common-group", "handshake-refused"]),
    (("-tls1_2", "-groups", "P-521"), ["no-common-cipher", "no-common-group", "handshake-refused"]),
    (("-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"),
     ["no-common-cipher", "handshake-refused"]),
    (("-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"), ["no-common-cipher", "handshake-refused"]),
    (("-tls1_2", "-cipher", "eNULL:@SECLEVEL=0"), ["no-common-cipher", "handshake-refused"]),
    (("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"), ["no-common-cipher", "handshake-refused"]),
    (("-tls1_2", "-cipher", "kRSA"), ["no-common-cipher", "handshake-refused"]),
])
def test_nothing_in_common(pki, options, causes):
    with serving(pki, *options) as server:
        code, cause = refused(server.port, "--ca", pki / "root.pem")
        assert code == 4 and cause in causes


def test_modern(pki):
    with serving(pki, "-www", "-tls1_2") as server:
        code, cause = refused(server.port, "--ca", pki / "root.pem", "--policy", "modern")
        assert (code, cause) == (4, "no-common-version")


@pytest.mark.parametrize("option", VERSIONS)
@pytest.mark.parametrize("name,code,cause", [
    ("expired", 7, "expired"),
    ("not-yet-valid", 7, "not-yet-valid"),
    ("wrong-name", 6, "wrong-host-name"),
    ("no-san", 6, "wrong-host-name"),
    ("self-signed", 5, "self-signed"),
    ("weak-rsa1024", 5, "too-weak"),
    ("sha1-signed", 5, "too-weak"),
    ("client-only-eku", 5, "wrong-purpose"),
])
def test_bad_certificate(pki, option, name, code, cause):
    with serving(pki, "-www", option, *OLD, name=name) as server:
        assert refused(server.port, "--ca", pki / "root.pem") == (code, cause)


@pytest.mark.parametrize("option", VERSIONS)
def test_unknown_issuer(pki, option):
    with OpensslServer("-www", option, "-cert", pki / "unknown-ca.pem", "-key",
                       pki / "unknown-ca.key") as server:
        assert refused(server.port, "--ca", pki / "root.pem") == (5, "unknown-issuer")


def test_missing_intermediate(pki):
    with OpensslServer("-www", "-cert", pki / "good.pem", "-key", pki / "good.key") as server:
        assert refused(server.port, "--ca", pki / "root.pem") == (5, "missing-intermediate")


def mutual(pki, *args):
    return serving(pki, "-Verify", "3", "-verify_return_error", "-CAfile", pki / "root.pem", *args)


@pytest.mark.parametrize("option", VERSIONS)
def test_client_certificate(pki, option):
    with mutual(pki, option) as server:
        agreed(server.port, "--ca", pki / "root.pem", "--cert", pki / "client-all.pem")
        server.wait_for("subject=.*Test Client")


@pytest.mark.parametrize("option", VERSIONS)
def test_client_certificate_wanted(pki, option):
    with mutual(pki, option) as server:
        code, cause = refused(server.port, "--ca", pki / "root.pem")
        assert (code, cause) == (8, "client-certificate-wanted")


@pytest.mark.parametrize("option", VERSIONS)
@pytest.mark.parametrize("name", ["expired", "unknown-ca", "self-signed"])
def test_client_certificate_refused(pki, option, name):
    with mutual(pki, option) as server:
        code, cause = refused(server.port, "--ca", pki / "root.pem", "--cert",
                              pki / f"{name}-all.pem")
        assert code in (5, 8) and cause in ("client-certificate-refused", "peer-distrusts-us")


@pytest.mark.parametrize("option", VERSIONS)
def test_client_certificate_optional(pki, option):
    with serving(pki, option, "-verify", "3", "-CAfile", pki / "root.pem") as server:
        agreed(server.port, "--ca", pki / "root.pem")
        agreed(server.port, "--ca", pki / "root.pem", "--cert", pki / "client-all.pem")


@pytest.mark.parametrize("option", VERSIONS)
def test_many_client_authorities(pki, workshop, tmp_path, option):
    """A CertificateRequest of some 50 kilobytes, over several records."""
    made = workshop.once("many", lambda: workshop.authority("One Authority of Many, 000000"))
    der = ssl.PEM_cert_to_DER_cert(made.pem)
    # s_server wants the names only, and leaves out equal ones: the signatures need not be right.
    others = [der.replace(b"000000", b"%06d" % number) for number in range(1000)]
    many = tmp_path / "many.pem"
    many.write_text((pki / "root.pem").read_text() +
                    "".join(map(ssl.DER_cert_to_PEM_cert, others)))
    with serving(pki, option, "-Verify", "3", "-verify_return_error", "-CAfile", many) as server:
        agreed(server.port, "--ca", pki / "root.pem", "--cert", pki / "client-all.pem")


@pytest.mark.parametrize("option", VERSIONS)
def test_alpn(pki, option):
    with serving(pki, "-www", option, "-alpn", "second,first") as server:
        peer = agreed(server.port, "--ca", pki / "root.pem", "--alpn", "first,second")
        assert peer["alpn"] == "second"
        assert agreed(server.port, "--ca", pki / "root.pem")["alpn"] == ""
        code, cause = refused(server.port, "--ca", pki / "root.pem", "--alpn", "third")
        assert (code, cause) == (4, "no-common-alpn")


def test_alpn_that_is_ignored(pki):
    """A server that knows nothing of ALPN is no reason to fail."""
    with serving(pki, "-www") as server:
        assert agreed(server.port, "--ca", pki / "root.pem", "--alpn", "http/1.1")["alpn"] == ""


@pytest.mark.parametrize("option", VERSIONS)
def test_server_name(pki, option):
    """s_server has another certificate for the name asked for, and an alert for others."""
    with serving(pki, "-www", option, "-servername", "a.example.test", "-cert2",
                 pki / "under-root.pem", "-key2", pki / "under-root.key",
                 name="wrong-name") as server:
        peer = agreed(server.port, "--ca", pki / "root.pem", "--servername", "a.example.test")
        assert peer["server_name"] == "a.example.test"
        assert refused(server.port, "--ca", pki / "root.pem") == (6, "wrong-host-name")


def test_server_name_that_is_not_there(pki):
    with serving(pki, "-www", "-servername", "a.example.test", "-servername_fatal", "-cert2",
                 pki / "good.pem", "-key2", pki / "good.key") as server:
        code, cause = refused(server.port, "--ca", pki / "root.pem")
        assert (code, cause) == (4, "unknown-server-name")


@pytest.mark.parametrize("option", VERSIONS)
def test_tickets(pki, option):
    """More tickets than anybody needs, before and after the data."""
    with serving(pki, "-www", option, "-num_tickets", "10") as server:
        for _ in range(2):
            outcome = connect(server.port, "--ca", pki / "root.pem",
                              stdin=b"GET / HTTP/1.0\r\n\r\n")
            assert outcome.code == 0 and b"200 ok" in outcome.out, outcome.text


def test_post_handshake_authentication(pki):
    """The server asks in the middle (s_server's command c). We never said that we could, so
    nothing happens to the connection (RFC 8446, 4.6.2)."""
    with serving(pki, "-tls1_3", "-CAfile", pki / "root.pem") as server, \
            Running(CINCH, "connect", "--ca", pki / "root.pem", f"localhost:{server.port}") as client:
        client.wait_for("^verified localhost")
        client.send(b"before\n")
        server.wait_for("^before$")
        server.send(b"c\n")
        server.wait_for("SSL_verify_client_post_handshake|extension not received")
        client.send(b"after\n")
        server.wait_for("^after$")


def test_renegotiation(pki):
    """A server of TLS 1.2 that wants to begin anew is told no, which is where s_server ends it."""
    with serving(pki, "-tls1_2") as server, \
            Running(CINCH, "connect", "--ca", pki / "root.pem", f"localhost:{server.port}") as client:
        client.wait_for("^verified localhost")
        client.send(b"before\n")
        server.wait_for("^before$")
        server.send(b"r\n")
        server.wait_for("no renegotiation")
        assert client.wait() == 10, client.text
        assert "wanted to renegotiate" in client.text


def test_old_habits(workshop):
    """TLS 1.2 as it was: no encrypt-then-MAC, no tickets, the server's order."""
    with serving_leaf(workshop.server("rsa"), "-www", "-tls1_2", "-no_etm", "-no_ticket",
                      "-serverpref", "-legacy_renegotiation") as server:
        assert agreed(server.port, "--ca", workshop.root().path)["version"] == "TLSv1.2"
