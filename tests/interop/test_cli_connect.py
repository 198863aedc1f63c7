"""cinch connect: exit status and cause of every class, reports, and how it joins the two ends."""

import json
import os
import pty
import select
import socket
import ssl
import subprocess

import pytest

from cli_support import (CINCH, MKPKI, Peer, Serve, cinch, connect_json, environment, quiet_for,
                         server_context)


@pytest.fixture(name="pki", scope="module")
def make_pki(tmp_path_factory):
    where = tmp_path_factory.mktemp("pki")
    subprocess.run([MKPKI, str(where)], check=True)
    return where


@pytest.fixture(name="echo", scope="module")
def make_echo(pki):
    with Serve("--echo", "--identity", pki / "good-all.pem") as server:
        yield server


# ---- exit status and cause, in words and in JSON ----

def refused(code, cause, *arguments, **more):
    """Fails with CODE and CAUSE, told in words to people and in JSON to programs."""
    done = cinch("connect", *arguments, **more)
    assert done.returncode == code, (done.returncode, done.stderr)
    assert b"error:" in done.stderr and b"remedy:" in done.stderr
    answer = connect_json(*arguments, code=code, **more)
    assert answer["error"]["cause"] == cause
    return answer, done.stderr.decode()


def test_fine(echo, pki):
    answer = connect_json("--ca", pki / "root.pem", echo.place, code=0)
    peer = answer["peer"]
    assert answer["host"] == "localhost" and answer["port"] == str(echo.port)
    assert answer["address"].endswith(f":{echo.port}")
    assert peer["verified"] is True and peer["version"] == "TLSv1.3"
    assert [one["subject"] for one in peer["chain"]] == [
        "CN=localhost,O=Cinch Tests", "CN=Cinch Test Intermediate,O=Cinch Tests",
        "CN=Cinch Test Root,O=Cinch Tests"]
    assert len(peer["sent"]) == 2
    leaf = peer["chain"][0]
    assert 88 <= leaf["days_left"] <= 90
    assert {"kind": "dns", "name": "*.example.test"} in leaf["names"]
    assert {"kind": "ip", "name": "::1"} in leaf["names"]
    assert all(peer["microseconds"][step] >= 0
               for step in ("dns", "tcp", "hello", "certificate", "finished"))


@pytest.mark.parametrize("leaf, code, cause", [
    ("expired", 7, "expired"),
    ("not-yet-valid", 7, "not-yet-valid"),
    ("wrong-name", 6, "wrong-host-name"),
    ("no-san", 6, "wrong-host-name"),
    ("self-signed", 5, "self-signed"),
    ("unknown-ca", 5, "unknown-issuer"),
    ("client-only-eku", 5, "wrong-purpose"),
])
def test_certificates(pki, leaf, code, cause):
    with Serve("--echo", "--identity", pki / f"{leaf}-all.pem") as server:
        answer, words = refused(code, cause, "--ca", pki / "root.pem", server.place)
        assert answer["peer"]["verified"] is False
        assert answer["peer"]["chain"] == []
        assert len(answer["peer"]["sent"]) >= 1
        assert "not verified: what the server sent" in words
        assert "failed:" in server.connection_line()


def test_wrong_address(pki):
    with Serve("--echo", "--identity", pki / "wrong-name-all.pem", listen="127.0.0.1:0") as server:
        refused(6, "wrong-ip", "--ca", pki / "root.pem", f"127.0.0.1:{server.port}")


def test_missing_intermediate(pki, tmp_path):
    alone = tmp_path / "alone.pem"
    alone.write_text((pki / "aia.key").read_text() + (pki / "aia.pem").read_text())
    with Serve("--echo", "--identity", alone) as server:
        answer, _ = refused(5, "missing-intermediate", "--ca", pki / "root.pem", server.place)
        assert "http://aia.example.test/intermediate.der" in json.dumps(answer["error"])


def test_the_system_does_not_trust_it(echo):
    assert cinch("connect", echo.place).returncode == 5


def test_the_system_is_what_the_environment_says(echo, pki):
    connect_json(echo.place, code=0, SSL_CERT_FILE=pki / "root.pem")
    assert cinch("connect", echo.place, SSL_CERT_FILE="/nonexistent").returncode == 2


def test_ca_several_and_directories(echo, pki, tmp_path):
    connect_json("--ca", pki / "other-root.pem", "--ca", pki / "root.pem", echo.place, code=0)
    (tmp_path / "root.pem").write_bytes((pki / "root.pem").read_bytes())
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True)
    connect_json("--ca", tmp_path, echo.place, code=0)


@pytest.mark.parametrize("arguments", [
    ["--ca", "/nonexistent.pem"],
    ["--ca", "/dev/null"],
    ["--ca", "/"],
    ["--cert", "/nonexistent.pem"],
    ["--policy", "no-such-policy"],
    ["--alpn", ""],
])
def test_usage_and_files(echo, arguments):
    done = cinch("connect", *arguments, echo.place)
    assert done.returncode == 2, done.stderr
    assert b"error:" in done.stderr
    connect_json(*arguments, echo.place, code=2)


def test_nobody_there():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        refused(3, "refused", f"127.0.0.1:{one.getsockname()[1]}")


def test_no_such_name():
    answer = connect_json("no-such-name.invalid", code=3)
    assert answer["error"]["cause"] == "dns"


@pytest.mark.parametrize("first", [
    b"HTTP/1.1 400 Bad Request\r\n\r\n", b"220 mail.example.test ESMTP\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n",
])
def test_not_tls(first):
    def say(sock):
        sock.sendall(first)
        sock.recv(65536)
    with Peer(say) as peer:
        done = cinch("connect", "--json", peer.place)
    assert done.returncode == 4
    error = json.loads(done.stdout)["error"]
    assert error["cause"] == "not-tls"
    assert first[:8].decode().strip() in error["evidence"]


def test_no_common_version(pki):
    server = subprocess.Popen(
        ["openssl", "s_server", "-accept", "localhost:0", "-cert", pki / "good.pem", "-key",
         pki / "good.key", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0", "-www"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    try:
        port = next(line.rsplit(b":", 1)[1].strip().decode() for line in server.stdout
                    if line.startswith(b"ACCEPT") and b":" in line)
        refused(4, "no-common-version", "--ca", pki / "root.pem", f"localhost:{port}")
    finally:
        server.kill()
        server.communicate()


def test_no_common_alpn(pki):
    with Serve("--echo", "--alpn", "h2", "--identity", pki / "good-all.pem") as server:
        refused(4, "no-common-alpn", "--ca", pki / "root.pem", "--alpn", "http/1.1", server.place)
        answer = connect_json("--ca", pki / "root.pem", "--alpn", "http/1.1,h2", server.place,
                              code=0)
        assert answer["peer"]["alpn"] == "h2"


def test_timeout():
    release = []

    def wait(sock):
        release.append(sock.recv(65536))
        while sock.recv(65536):
            pass
    with Peer(wait) as peer:
        done = cinch("connect", "--json", "--timeout", "1", peer.place)
    assert done.returncode == 9
    assert json.loads(done.stdout)["error"]["category"] == "timeout"
    assert "the server's hello" in json.loads(done.stdout)["error"]["what"], "the phase"


def test_closed_in_handshake():
    def close(sock):
        sock.recv(65536)
    with Peer(close) as peer:
        done = cinch("connect", "--json", peer.place)
    assert done.returncode == 10
    assert json.loads(done.stdout)["error"]["cause"] in ("closed-in-handshake", "reset")


# ---- client certificates ----

@pytest.fixture(name="mutual", scope="module")
def make_mutual(pki):
    with Serve("--echo", "--identity", pki / "good-all.pem", "--client-ca",
               pki / "root.pem") as server:
        yield server


def test_client_certificate_wanted(mutual, pki):
    refused(8, "client-certificate-wanted", "--ca", pki / "root.pem", mutual.place)
    done = cinch("connect", "--ca", pki / "root.pem", mutual.place, data=b"hello")
    assert done.returncode == 8
    assert done.stdout == b""


def test_client_certificate_refused(mutual, pki):
    refused(8, "client-certificate-refused", "--ca", pki / "root.pem", "--cert",
            pki / "unknown-ca-all.pem", mutual.place)


@pytest.mark.parametrize("files", [
    ["--cert", "client-all.pem"],
    ["--cert", "client-chain.pem", "--key", "client.key"],
    ["--cert", "client-chain.pem", "--key", "client-encrypted.key", "--password-file", "password"],
    ["--cert", "client.p12", "--password-file", "password"],
])
def test_client_certificate_accepted(mutual, pki, files):
    (pki / "password").write_text("cinch\nanother line\n")
    arguments = [one if one.startswith("--") else str(pki / one) for one in files]
    done = cinch("connect", "--quiet", "--ca", pki / "root.pem", *arguments, mutual.place,
                 data=b"hello")
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"hello"
    assert done.stderr == b""


def test_passwords(mutual, pki):
    (pki / "wrong").write_text("wrong\n")
    base = ["connect", "--ca", pki / "root.pem", "--cert", pki / "client-chain.pem", "--key",
            pki / "client-encrypted.key", mutual.place]
    done = subprocess.run([CINCH, *map(str, base)], stdin=subprocess.DEVNULL, env=environment(),
                          capture_output=True, start_new_session=True, check=False)
    assert done.returncode == 2, "no terminal to ask on"
    assert b"password" in done.stderr
    assert cinch(*base, "--password-file", pki / "wrong").returncode == 2
    assert cinch(*base, "--password-file", "/nonexistent").returncode == 2


def test_password_from_the_terminal(mutual, pki):
    arguments = [CINCH, "connect", "--json", "--ca", str(pki / "root.pem"), "--cert",
                 str(pki / "client.p12"), mutual.place]
    child, terminal = pty.fork()
    if child == 0:
        os.execve(CINCH, arguments, environment())
    shown = read_until(terminal, b"Password for ")
    os.write(terminal, b"cinch\n")
    shown += read_until(terminal, None)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, shown
    assert b"Password for" in shown
    assert b"cinch\r\n" not in shown.split(b"{")[0], "the password was shown"


# ---- how it looks ----

def read_until(fd, word):
    """What comes from a terminal, up to WORD or its end."""
    seen = b""
    while word is None or word not in seen:
        assert select.select([fd], [], [], 30)[0], seen
        try:
            piece = os.read(fd, 4096)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    return seen


def on_terminal(*arguments, **more):
    child, terminal = pty.fork()
    if child == 0:
        os.execve(CINCH, [CINCH, *map(str, arguments)], environment(**more))
    seen = read_until(terminal, None)
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), seen


def test_colour_only_where_wanted():
    nobody = ["connect", "--timeout", "5", "localhost:1"]
    assert b"\x1b[" in on_terminal(*nobody, TERM="xterm")[1]
    assert b"\x1b[" in on_terminal(*nobody, TERM="xterm", NO_COLOR="")[1]
    assert b"\x1b[" not in on_terminal(*nobody, TERM="xterm", NO_COLOR="1")[1]
    assert b"\x1b[" not in on_terminal(*nobody, TERM="dumb")[1]
    assert b"\x1b[" not in on_terminal(*nobody)[1]
    assert b"\x1b[" not in cinch(*nobody, TERM="xterm").stderr


def test_pictures_follow_the_locale(echo, pki):
    arguments = ["connect", "--ca", pki / "root.pem", echo.place]
    fancy = cinch(*arguments, LC_ALL="C.UTF-8").stderr.decode()
    plain = cinch(*arguments, LC_ALL="C").stderr
    assert "\u2514\u2500 Cinch Test Intermediate" in fancy
    assert b"`- Cinch Test Intermediate" in plain
    assert max(plain) < 128


def test_the_report(echo, pki):
    done = cinch("connect", "--ca", pki / "root.pem", echo.place)
    lines = done.stderr.decode().splitlines()
    assert lines[0].startswith(f"verified localhost (127.0.0.1:{echo.port}): TLSv1.3, ") or \
        lines[0].startswith(f"verified localhost ([::1]:{echo.port}): TLSv1.3, ")
    assert "localhost" in lines[1] and "expires in 89 days" in lines[1]
    assert lines[3].endswith(", trusted")
    for step in ("dns", "tcp", "hello", "certificate", "finished"):
        assert f"{step} " in lines[4]
    assert len(lines) == 5
    assert done.stdout == b""


def test_quiet(echo, pki):
    done = cinch("connect", "-q", "--ca", pki / "root.pem", echo.place, data=b"x")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"x", b"")
    assert b"error:" in cinch("connect", "-q", echo.place).stderr


def test_insecure(pki):
    with Serve("--echo", "--identity", pki / "wrong-name-all.pem") as server:
        done = cinch("connect", "--insecure", server.place, data=b"x")
        assert (done.returncode, done.stdout) == (0, b"x")
        assert b"warning: --insecure" in done.stderr
        assert b"NOT VERIFIED" in done.stderr
        answer = connect_json("--insecure", server.place, code=0)
        assert answer["peer"]["verified"] is False


def test_servername(echo, pki):
    answer = connect_json("--ca", pki / "root.pem", "--servername", "www.example.test",
                          echo.place, code=0)
    assert answer["peer"]["server_name"] == "www.example.test"
    connect_json("--ca", pki / "root.pem", "--servername", "a.b.example.test", echo.place, code=6)


def test_policy(pki):
    context = server_context(pki / "good-all.pem")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with Peer(lambda tls: tls.recv(1), context) as peer:
        answer = connect_json("--ca", pki / "root.pem", peer.place, code=0)
        assert answer["peer"]["version"] == "TLSv1.2"
    with Peer(lambda tls: tls.recv(1), context) as peer:
        done = cinch("connect", "--policy", "modern", "--ca", pki / "root.pem", peer.place)
        assert done.returncode == 4
        peer.thread.join()
        assert isinstance(peer.error, ssl.SSLError)
        peer.error = None


@pytest.mark.parametrize("host", ["localhost:{}", "https://localhost:{}/path?query", "LOCALHOST:{}",
                                  "127.0.0.1:{}", "[127.0.0.1]:{}"])
def test_ways_to_say_where(echo, pki, host):
    connect_json("--ca", pki / "root.pem", host.format(echo.port), code=0)


def test_ipv6(pki):
    with socket.socket(socket.AF_INET6) as one:
        try:
            one.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
    with Serve("--echo", "--identity", pki / "good-all.pem", listen="[::1]:0") as server:
        assert "[::1]" in server.first
        connect_json("--ca", pki / "root.pem", f"[::1]:{server.port}", code=0)


# ---- the two ends ----

def test_bytes_come_back_as_they_were(echo, pki):
    data = os.urandom(3 << 20)
    done = cinch("connect", "--ca", pki / "root.pem", echo.place, data=data)
    assert done.returncode == 0, done.stderr
    assert done.stdout == data


def test_an_answer_after_the_end_of_input(pki):
    """The server answers late, and must not see our end before that."""
    def answer(tls):
        assert tls.recv(100) == b"question"
        assert quiet_for(tls, 1.0)
        tls.sendall(b"begin, ")
        assert quiet_for(tls, 1.0)
        tls.sendall(b"end")
        assert tls.recv(1) == b""
    with Peer(answer, server_context(pki / "good-all.pem")) as peer:
        done = cinch("connect", "-q", "--ca", pki / "root.pem", peer.place, data=b"question")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"begin, end", b"")


def test_an_answer_to_the_end_itself(pki):
    """Some servers answer when the input is complete: they still get to."""
    def answer(tls):
        while tls.recv(100):
            pass
        tls.sendall(b"that was all")
        tls.unwrap()
    with Peer(answer, server_context(pki / "good-all.pem")) as peer:
        done = cinch("connect", "-q", "--timeout", "1", "--ca", pki / "root.pem", peer.place,
                     data=b"question")
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"that was all"


def test_a_server_that_speaks_first(pki):
    def greet(tls):
        tls.sendall(b"hello there\n")
        assert tls.recv(1) == b""
    with Peer(greet, server_context(pki / "good-all.pem")) as peer:
        done = cinch("connect", "-q", "--ca", pki / "root.pem", peer.place)
    assert (done.returncode, done.stdout) == (0, b"hello there\n")


def test_it_ends_though_the_server_does_not(pki):
    """Nobody answers, and nobody ends: it says so and goes."""
    def ignore(tls):
        assert tls.recv(100) == b"question"
        raw = tls.detach()
        with socket.socket(fileno=raw) as sock:
            sock.settimeout(60)
            while sock.recv(4096):
                pass
    with Peer(ignore, server_context(pki / "good-all.pem")) as peer:
        done = cinch("connect", "-q", "--timeout", "1", "--ca", pki / "root.pem", peer.place,
                     data=b"question")
        peer.thread.join()
        peer.error = None
    assert done.returncode == 0
    assert b"no answer" in done.stderr


def test_the_server_ends_first(pki):
    """Input that is still open does not hold it up."""
    def end(tls):
        tls.sendall(b"bye")
        tls.unwrap()
    with Peer(end, server_context(pki / "good-all.pem")) as peer, \
            subprocess.Popen([CINCH, "connect", "-q", "--ca", str(pki / "root.pem"), peer.place],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             env=environment()) as client:
        assert client.stdout.read() == b"bye"
        assert client.wait(30) == 0


def test_truncation_is_told(pki):
    """What arrived is printed, and that more may be missing."""
    def cut(tls):
        assert tls.recv(100) == b"question"
        tls.sendall(b"half an ans")
        raw = tls.detach()
        socket.socket(fileno=raw).close()
    with Peer(cut, server_context(pki / "good-all.pem")) as peer:
        done = cinch("connect", "--ca", pki / "root.pem", peer.place, data=b"question")
        peer.thread.join()
        peer.error = None
    assert done.stdout == b"half an ans"
    assert done.returncode == 10
    assert b"error:" in done.stderr


def test_output_that_cannot_be_written(echo, pki):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([CINCH, "connect", "-q", "--ca", pki / "root.pem", echo.place],
                              input=b"x", stdout=full, stderr=subprocess.PIPE, env=environment(),
                              check=False)
    assert done.returncode == 10
    assert b"standard output" in done.stderr
