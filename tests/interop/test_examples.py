"""The programs of examples/ do what they say, with each other."""

import concurrent.futures
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess

import pytest

import programs

EXAMPLES = pathlib.Path(os.environ["CINCH_BUILD"]) / "examples"


def example(name, *args, stdin=b"", env=None):
    return programs.run(EXAMPLES / f"example-{name}", *args, stdin=stdin,
                        env={**os.environ, **(env or {})})


class Server(programs.Running):
    """An example that prints where it listens."""

    def __init__(self, name, *args):
        super().__init__(EXAMPLES / f"example-{name}", *args)
        try:
            self.port = int(self.wait_for(r"^listening on .*:(\d+)$").group(1))
        except BaseException:
            self.__exit__()
            raise


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    """A development CA, with what it issued; `other` is somebody else's."""
    folder = tmp_path_factory.mktemp("ca")
    for name in ("ca", "other"):
        assert programs.run(programs.CINCH, "ca", "init", "--dir", folder / name).code == 0
    for name, args in {"server": ("localhost",), "alice": ("--client", "alice@example.test"),
                       "bob": ("--client", "bob@example.test"),
                       "renamed": ("renamed.test",)}.items():
        outcome = programs.run(programs.CINCH, "ca", "issue", "--dir", folder / "ca", "--out",
                               folder / f"{name}.pem", *args)
        assert outcome.code == 0, outcome.text
    (folder / "ca.pem").symlink_to(folder / "ca" / "cinch-ca.pem")
    (folder / "other.pem").symlink_to(folder / "other" / "cinch-ca.pem")
    return folder


@pytest.fixture(scope="module")
def server(ca):
    with Server("server", ca / "server.pem", "0") as running:
        yield running


def test_wire_shows_what_is_in_clear(ca, server):
    outcome = example("wire", "localhost", server.port, ca / "ca.pem")
    assert outcome.code == 0, outcome.text
    lines = outcome.out.decode().splitlines()
    assert lines[1] == "->     ClientHello: for localhost, offers TLS 1.3, TLS 1.2"
    assert lines[3].startswith("<-     ServerHello: TLS 1.3, TLS_AES_")
    assert any(line.startswith("<- application_data") and line.endswith(", protected")
               for line in lines)
    assert not any("certificate for" in line for line in lines)
    with programs.OpensslServer("-cert", ca / "server.pem", "-tls1_2") as old:
        outcome = example("wire", "localhost", old.port, ca / "ca.pem")
        assert outcome.code == 0, outcome.text
        assert b"a certificate for localhost" in outcome.out


def test_client_gets_its_answer(ca, server):
    outcome = example("client", "localhost", server.port, ca / "ca.pem")
    assert outcome.code == 0, outcome.text
    assert outcome.out == b"hello, is anybody there?\n" and outcome.err == b""


def test_memory_gets_its_answer(ca, server):
    outcome = example("memory", "localhost", server.port, ca / "ca.pem")
    assert outcome.code == 0, outcome.text
    assert outcome.out == b"hello from a loop\n" and outcome.err == b""


def test_nonblocking_joins_both_ways(ca, server):
    data = os.urandom(1 << 20)
    outcome = example("nonblocking", "localhost", server.port, ca / "ca.pem", stdin=data)
    assert outcome.code == 0, outcome.err
    assert outcome.out == data


def test_peer_reports(ca, server):
    outcome = example("peer", "localhost", server.port, ca / "ca.pem")
    assert outcome.code == 0, outcome.text
    assert b"TLSv1.3" in outcome.out and b"verified: yes\nCN=localhost" in outcome.out


def test_peer_shows_whom_it_refused(ca, server):
    outcome = example("peer", "localhost", server.port, ca / "other.pem")
    assert outcome.code == 5
    assert outcome.out.startswith(b"refused: CN=localhost")


@pytest.mark.parametrize("name", ["client", "memory", "nonblocking"])
def test_nobody_accepts_an_unknown_ca(ca, server, name):
    outcome = example(name, "localhost", server.port, ca / "other.pem")
    assert outcome.code == 5 and outcome.out == b""
    assert b"not trusted" in outcome.err


@pytest.mark.parametrize("name", ["client", "memory", "nonblocking"])
def test_nobody_accepts_a_wrong_name(ca, name):
    with Server("server", ca / "renamed.pem", "0") as wrong:
        outcome = example(name, "localhost", wrong.port, ca / "ca.pem")
    assert outcome.code == 6 and outcome.out == b""
    assert b"renamed.test" in outcome.err


@pytest.fixture(scope="module")
def mail(ca):
    with Server("starttls_server", ca / "server.pem") as running:
        yield running


def test_starttls_gets_its_answer(ca, mail):
    outcome = example("starttls", "localhost", mail.port, ca / "ca.pem")
    assert outcome.code == 0, outcome.text
    assert outcome.out == b"250 localhost\r\n221 bye\r\n" and outcome.err == b""


def test_starttls_accepts_no_unknown_ca(ca, mail):
    outcome = example("starttls", "localhost", mail.port, ca / "other.pem")
    assert outcome.code == 5 and outcome.out == b""


def test_starttls_server_takes_nothing_in_the_clear(mail):
    with socket.create_connection(("127.0.0.1", mail.port), programs.LIMIT) as client:
        client.sendall(b"EHLO a\r\nSTARTTLS\r\nRSET\r\n")
        answer = b"".join(iter(lambda: client.recv(4096), b""))
    assert answer.endswith(b"250 STARTTLS\r\n")
    mail.wait_for(r"RSET\\x0d\\x0a")


def test_client_tells_what_is_cut(ca):
    trouble = pathlib.Path(os.environ["CINCH_SOURCE"]) / "docs" / "trouble.py"
    with programs.Running(trouble, "0", "cut", ca / "server.pem") as running:
        port = running.wait_for(r"^listening on .*:(\d+)$").group(1).decode()
        outcome = example("client", "localhost", port, ca / "ca.pem")
    assert outcome.code == 10
    assert b"this is not all of it" in outcome.err


def loops(*names):
    """Those examples whose library is here."""
    return [name for name in names if (EXAMPLES / f"example-{name}").exists()]


@pytest.mark.parametrize("name", loops("uv_server", "event_server"))
def test_loops_serve_many_at_once(ca, name):
    """Clients that open before the others are done; more than fits into any buffer; half close."""
    data = os.urandom(1 << 20)
    with Server(name, ca / "server.pem", "0") as running:
        with ssl_client(ca, running.port) as idle, ssl_client(ca, running.port) as silent:
            outcome = example("nonblocking", "localhost", running.port, ca / "ca.pem", stdin=data)
            assert outcome.code == 0 and outcome.out == data, outcome.err
            assert example("client", "localhost", running.port, ca / "ca.pem").code == 0
            idle.sendall(b"still here")
            assert idle.recv(100) == b"still here"
            idle.unwrap()  # waits for its close_notify
            # It does not say close_notify: told, and nobody else is bothered.
            silent.close()
            running.wait_for("ended the transport without close_notify")
            assert example("client", "localhost", running.port, ca / "ca.pem").code == 0
        # A client that knows nobody who would vouch for the server.
        assert example("client", "localhost", running.port, ca / "other.pem").code == 5
        running.wait_for("does not accept this server's certificate")
        running.process.send_signal(signal.SIGTERM)
        assert running.wait() == 0


@pytest.mark.parametrize("name", loops("uv_server", "event_server"))
@pytest.mark.parametrize("begun", [True, False])
def test_loops_run_out_of_patience(ca, name, begun):
    with Server(name, ca / "server.pem", "0", "1") as running:
        # Within the handshake too.
        with (ssl_client(ca, running.port) if begun
              else socket.create_connection(("127.0.0.1", running.port))) as client:
            client.settimeout(programs.LIMIT)
            running.wait_for("for 1 seconds")
            try:
                assert client.recv(10) == b""
            except (ssl.SSLEOFError, ConnectionError):
                pass


@pytest.mark.parametrize("name", loops("event_buffers"))
def test_buffers_get_their_answer(ca, server, name):
    outcome = example(name, "localhost", server.port, ca / "ca.pem")
    assert outcome.code == 0 and outcome.out == b"hello from a buffer\n", outcome.text
    outcome = example(name, "localhost", server.port, ca / "other.pem")
    assert outcome.code == 5 and b"not trusted" in outcome.err and outcome.out == b""


@pytest.mark.parametrize("name", loops("event_buffers"))
def test_buffers_refuse_another_name(ca, name):
    with Server("server", ca / "renamed.pem", "0") as wrong:
        outcome = example(name, "localhost", wrong.port, ca / "ca.pem")
    assert outcome.code == 6 and outcome.out == b"" and b"renamed.test" in outcome.err


@pytest.mark.parametrize("name", loops("event_buffers"))
def test_buffers_tell_of_a_reset(ca, name):
    """The server is gone, with bytes unread: nothing is OpenSSL's fault, and no signal ends the program."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        def reset():
            with listening.accept()[0] as connection:
                connection.recv(1)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            ended = pool.submit(reset)
            outcome = example(name, "localhost", listening.getsockname()[1], ca / "ca.pem")
            ended.result()
    assert outcome.code == 3 and b"broke during the handshake" in outcome.err, outcome.text


def ssl_client(ca, port):
    context = ssl.create_default_context(cafile=str(ca / "ca.pem"))
    plain = socket.create_connection(("127.0.0.1", port), programs.LIMIT)
    return context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False)


def test_server_ends_when_told(ca):
    with Server("server", ca / "server.pem", "0") as running:
        assert example("client", "localhost", running.port, ca / "ca.pem").code == 0
        running.process.send_signal(signal.SIGINT)
        assert running.wait() == 0


@pytest.mark.parametrize("program", ["signer", "signer_async"])
def test_signer_has_no_key(ca, tmp_path, program):
    blocks = (ca / "server.pem").read_text().split("-----BEGIN ")[1:]
    certificates, key = tmp_path / "certificates.pem", tmp_path / "key.pem"
    certificates.write_text("".join(f"-----BEGIN {b}" for b in blocks if b.startswith("CERT")))
    key.write_text("".join(f"-----BEGIN {b}" for b in blocks if "PRIVATE KEY" in b[:20]))
    with Server(program, certificates, key, "0") as running:
        assert example("client", "localhost", running.port, ca / "ca.pem").code == 0
        assert running.wait() == 0
    with Server(program, certificates, certificates, "0") as running:
        assert example("client", "localhost", running.port, ca / "ca.pem").code == 10
        assert running.wait() == 10


def test_error_gives_advice_and_json(ca, server):
    outcome = example("error", "localhost", server.port,
                      env={"SSL_CERT_FILE": str(ca / "other.pem")})
    report, advice = outcome.out.decode().splitlines()
    assert outcome.code == 5
    assert json.loads(report)["cause"] == "unknown-issuer"
    assert advice.startswith("trust: do not go on")
    outcome = example("error", "localhost", server.port, env={"SSL_CERT_FILE": str(ca / "ca.pem")})
    assert outcome.code == 0 and outcome.out == b"", outcome.text


def test_reload_takes_the_new_and_refuses_the_broken(ca, tmp_path):
    identity = tmp_path / "identity.pem"
    identity.write_bytes((ca / "renamed.pem").read_bytes())
    with Server("reload", identity, "0") as running:
        client = ("localhost", running.port, ca / "ca.pem")
        assert example("client", *client).code == 6
        identity.write_bytes((ca / "server.pem").read_bytes())
        running.process.send_signal(signal.SIGHUP)
        running.wait_for("^reloaded$")
        assert example("client", *client).out == b"hello\n"
        identity.write_text("half written")
        running.process.send_signal(signal.SIGHUP)
        running.wait_for("^kept the old one$")
        assert example("client", *client).out == b"hello\n"


def test_watch_follows_its_files(ca, tmp_path):
    identity, policy = tmp_path / "identity.pem", tmp_path / "policy"
    identity.write_bytes((ca / "renamed.pem").read_bytes())
    policy.write_text("default\n")
    with Server("watch", identity, policy, "0") as running:
        client = ("localhost", running.port, ca / "ca.pem")
        assert example("client", *client).code == 6
        identity.write_bytes((ca / "server.pem").read_bytes()[:-100])
        running.wait_for("identity.pem: kept the old one: ")
        identity.write_bytes((ca / "server.pem").read_bytes())
        running.wait_for("identity.pem: in use now$")
        assert example("client", *client).out == b"hello\n"
        policy.write_text("modern\n")
        running.wait_for("policy: in use now$")
        assert programs.agreed(running.port, "--ca", ca / "ca.pem")["version"] == "TLSv1.3"
        policy.write_text("none such\n")
        running.wait_for("policy: kept the old one: ")


def test_verify_lets_some_in(ca):
    with Server("verify", ca / "ca.pem", ca / "server.pem", "0") as running:
        def knock(who):
            return programs.run(programs.CINCH, "connect", "--quiet", "--ca", ca / "ca.pem", "--cert",
                                ca / f"{who}.pem", f"localhost:{running.port}")
        outcome = knock("alice")
        assert outcome.code == 0 and outcome.out == b"come in\n", outcome.text
        assert knock("bob").code == 8
        running.wait_for("no rule lets it in")
        running.wait_for("alice@example.test, URI spiffe://example.test/billing/")


@pytest.fixture
def mutual(ca):
    with Server("mutual_server", ca / "server.pem", ca / "ca.pem", "alice@example.test",
                "0") as running:
        yield running


def test_mutual_welcomes_the_one_client(ca, mutual):
    outcome = example("mutual_client", ca / "alice.pem", ca / "ca.pem", "localhost", mutual.port)
    assert outcome.code == 0 and outcome.out == b"welcome\n", outcome.text


def test_mutual_knows_the_other_and_does_not_let_it(ca, mutual):
    outcome = example("mutual_client", ca / "bob.pem", ca / "ca.pem", "localhost", mutual.port)
    assert outcome.code == 0 and outcome.out == b"you may not do this\n", outcome.text


def test_mutual_refuses_a_client_of_another_ca(ca, mutual, tmp_path):
    stranger = tmp_path / "stranger.pem"
    assert programs.run(programs.CINCH, "ca", "issue", "--dir", ca / "other", "--client", "--out",
                        stranger, "alice@example.test").code == 0
    outcome = example("mutual_client", stranger, ca / "ca.pem", "localhost", mutual.port)
    assert outcome.code == 8 and outcome.out == b"", outcome.text


@pytest.mark.parametrize("args, code", [
    ((), 8),                                          # no certificate
    (("--alpn", "http/1.1"), 4),                      # another protocol
    (("--servername", "127.0.0.1"), 4),               # no server name
])
def test_mutual_refuses_what_is_not_as_it_should_be(ca, mutual, args, code):
    alpn = () if "--alpn" in args else ("--alpn", "orders/1")
    outcome = programs.connect(mutual.port, "--ca", ca / "ca.pem", *alpn, *args)
    assert outcome.code == code, outcome.text


def test_session_is_resumed(ca, server):
    outcome = example("session", "localhost", server.port, ca / "ca.pem")
    assert outcome.code == 0, outcome.text
    assert outcome.out == b"from the beginning\nresumed\n"


def test_tickets_show_the_ring():
    outcome = example("tickets")
    assert outcome.code == 0, outcome.text
    assert b"issues for 600 s" in outcome.out


def test_trust_lists(ca):
    outcome = example("trust", ca / "ca.pem")
    assert outcome.code == 0
    assert len(outcome.out.splitlines()) == 1 and b"Cinch development CA" in outcome.out


def test_identity_asks_for_the_password(ca, tmp_path):
    key = tmp_path / "encrypted.key"
    subprocess.run(["openssl", "pkey", "-in", ca / "server.pem", "-aes256", "-passout",
                    "pass:secret", "-out", key], check=True)
    password = tmp_path / "password"
    password.write_text("secret\n")
    outcome = example("identity", ca / "server.crt", key, password)
    assert outcome.code == 0 and outcome.out.startswith(b"0 CN=localhost"), outcome.text
    assert example("identity", ca / "server.crt", key).code == 2
    assert example("identity", ca / "renamed.crt", key, password).code == 2


def test_audit_names_what_is_weak(ca):
    outcome = example("audit")
    assert outcome.code == 0
    assert "warning: cipher suites in CBC mode" in outcome.text
    assert "no certificate" in outcome.text


def test_policy_refuses_what_there_is_not():
    outcome = example("policy")
    assert outcome.code == 0, outcome.text
    assert outcome.out.splitlines()[0] == b"default"
    assert example("policy", "nonsense").code == 2


def test_certificate_reads(ca):
    der = subprocess.run(["openssl", "x509", "-in", ca / "server.crt", "-outform", "DER"],
                         capture_output=True, check=True).stdout
    outcome = example("certificate", stdin=der)
    assert outcome.code == 0, outcome.text
    assert b"DNS     localhost\n" in outcome.out
    assert (ca / "server.crt").read_bytes() in outcome.out
    assert example("certificate", stdin=der + b"x").code == 2


def test_version_is_the_one_of_the_headers():
    words = example("version").out.decode().replace(",", "").split()
    assert words[1] == words[3]
