"""Channel bindings, the key log and late certificates, against programs that are not ours."""

import hashlib
import os
import pathlib
import socket
import ssl
import threading

import pytest

import programs

EXAMPLES = pathlib.Path(os.environ["CINCH_BUILD"]) / "examples"


def bindings(port, pki, env=None):
    """What our client has, by name."""
    outcome = programs.run(EXAMPLES / "example-channel_binding", "localhost", port,
                           pki / "root.pem", env={**os.environ, **(env or {})})
    assert outcome.code == 0, outcome.text
    return dict(line.split(": ", 1) for line in outcome.out.decode().splitlines())


def end_point(pki):
    der = ssl.PEM_cert_to_DER_cert((pki / "good.pem").read_text())
    return hashlib.sha256(der).hexdigest()


def test_tls_unique_as_python_has_it(pki, tmp_path):
    chain = tmp_path / "chain.pem"
    chain.write_bytes((pki / "good.pem").read_bytes() + (pki / "intermediate.pem").read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(chain, pki / "good.key")
    theirs = []

    def serve(listener):
        with listener.accept()[0] as plain, context.wrap_socket(plain, server_side=True) as tls:
            theirs.append(tls.get_channel_binding("tls-unique").hex())
            tls.settimeout(programs.LIMIT)
            assert tls.recv(1) == b""

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        ours = bindings(listener.getsockname()[1], pki)
        thread.join()
    assert [ours["tls-unique"]] == theirs
    assert ours["tls-server-end-point"] == end_point(pki)


def serving(pki, *args):
    return programs.OpensslServer("-cert", pki / "good.pem", "-key", pki / "good.key",
                                  "-cert_chain", pki / "intermediate.pem", *args)


def test_exporter_as_openssl_has_it(pki):
    # With TLS 1.3 a context of no bytes and none are the same.
    with serving(pki, "-tls1_3", "-keymatexport", "EXPORTER-Channel-Binding", "-keymatexportlen",
                 "32") as server:
        ours = bindings(server.port, pki)
        theirs = server.wait_for(r"Keying material: ([0-9A-F]{64})$").group(1).decode().lower()
    assert ours["tls-exporter"] == theirs
    assert ours["tls-unique"].startswith("none")
    assert ours["tls-server-end-point"] == end_point(pki)


@pytest.mark.parametrize("option", ["-tls1_2", "-tls1_3"])
def test_key_log_as_openssl_writes_it(pki, tmp_path, option):
    """The same secrets on the other side, in the same words."""
    with serving(pki, option, "-keylogfile", tmp_path / "theirs") as server:
        bindings(server.port, pki, {"SSLKEYLOGFILE": str(tmp_path / "ours")})

    def lines(name):
        return sorted(line for line in (tmp_path / name).read_text().splitlines()
                      if not line.startswith("#"))

    assert lines("ours") and lines("ours") == lines("theirs")


@pytest.fixture(scope="module")
def asking(pki, tmp_path_factory):
    identity = tmp_path_factory.mktemp("late") / "server.pem"
    identity.write_bytes(b"".join((pki / name).read_bytes()
                                  for name in ("good.pem", "intermediate.pem", "good.key")))
    with programs.Running(EXAMPLES / "example-late_certificate", identity, pki / "root.pem",
                          "0") as running:
        running.port = int(running.wait_for(r"^listening on .*:(\d+)$").group(1))
        yield running


def s_client(asking, pki, *args):
    return programs.Running("openssl", "s_client", "-connect", f"localhost:{asking.port}", "-quiet",
                            "-CAfile", pki / "root.pem", *args)


def test_late_certificate(asking, pki):
    with s_client(asking, pki, "-enable_pha", "-cert", pki / "client.pem", "-key",
                  pki / "client.key", "-cert_chain", pki / "intermediate.pem") as client:
        client.send(b"something\n")
        client.wait_for("^hello$")
        client.send(b"secret\n")
        client.wait_for(r"^who are you\?$")
        client.send(b"and now?\n")
        client.wait_for("^welcome, CN=")


def test_late_certificate_of_somebody_else(asking, pki):
    with s_client(asking, pki, "-enable_pha", "-cert", pki / "unknown-ca.pem", "-key",
                  pki / "unknown-ca.key") as client:
        client.send(b"secret\n")
        client.wait_for(r"^who are you\?$")
        client.send(b"and now?\n")
        client.wait_for("alert unknown ca")
    asking.wait_for("^error: .*not trusted")


def test_late_certificate_is_not_offered(asking, pki):
    with s_client(asking, pki, "-cert", pki / "client.pem", "-key", pki / "client.key") as client:
        client.send(b"secret\n")
        asking.wait_for("^error: .*does not offer to show a certificate later")
        client.end_input()


@pytest.mark.parametrize("guess, answer", [("sesame", b"right"), ("Sesame", b"wrong")])
def test_kept_password(guess, answer):
    outcome = programs.run(EXAMPLES / "example-helpers", "sesame", guess)
    assert outcome.code == 0, outcome.text
    assert outcome.out == b"the guess is " + answer + b"\n"
