"""cinch serve: HTTP and its limits, what it does not serve, how it starts and stops."""

import email.utils
import http.client
import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import threading

import pytest

from cli_support import MKPKI, Serve, cinch, client_context, connect_json, quiet_for


@pytest.fixture(name="pki", scope="module")
def make_pki(tmp_path_factory):
    where = tmp_path_factory.mktemp("pki")
    subprocess.run([MKPKI, str(where)], check=True)
    return where


TEXT = b"0123456789" * 10


@pytest.fixture(name="site", scope="module")
def make_site(tmp_path_factory, pki):
    where = tmp_path_factory.mktemp("site")
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.txt").write_text("secret")
    www = where / "www"
    (www / "sub").mkdir(parents=True)
    (www / "empty").mkdir()
    (www / "with-index").mkdir()
    (www / "odd-index" / "index.html").mkdir(parents=True)
    (www / "with-index" / "index.html").write_text("<p>the index")
    (www / "text.txt").write_bytes(TEXT)
    (www / "nothing").write_bytes(b"")
    (www / "page.HTML").write_text("x")
    (www / "sub" / "a <b>&'\"c.txt").write_text("odd")
    (www / "sub" / "b\u00fccher.txt").write_text("books")
    (www / "sub" / "javascript:alert(1)").write_text("x")
    (www / "..almost").write_text("hidden")
    (www / ".hidden").write_text("hidden")
    (www / "link").symlink_to(outside / "secret.txt")
    (www / "linked").symlink_to(outside)
    (www / "sub" / "up").symlink_to("..")
    os.mkfifo(www / "pipe")
    (where / "beside.txt").write_text("secret")
    with Serve("--identity", pki / "good-all.pem", www) as server:
        server.www = www
        server.context = client_context(pki / "root.pem")
        yield server


def connect(site):
    raw = socket.create_connection(("localhost", site.port), 30)
    return site.context.wrap_socket(raw, server_hostname="localhost")


def get(site, path, method="GET", **headers):
    """Status, headers and body of one request."""
    client = http.client.HTTPSConnection("localhost", site.port, context=site.context, timeout=30)
    try:
        client.request(method, path,
                       headers={name.replace("_", "-"): value for name, value in headers.items()})
        reply = client.getresponse()
        return reply.status, reply.headers, reply.read()
    finally:
        client.close()


def raw(site, request):
    """All that comes back to REQUEST until the server ends."""
    with connect(site) as tls:
        tls.sendall(request)
        answer = b""
        while piece := tls.recv(65536):
            answer += piece
        return answer


def status_of(answer):
    return int(answer.split(b" ", 2)[1])


# ---- files ----

def test_get(site):
    status, headers, body = get(site, "/text.txt")
    assert (status, body) == (200, TEXT)
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert headers["Content-Length"] == "100"
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert email.utils.parsedate_to_datetime(headers["Date"])
    assert email.utils.parsedate_to_datetime(headers["Last-Modified"])
    assert headers["ETag"].startswith('"')


def test_head(site):
    _, by_get, _ = get(site, "/text.txt")
    status, headers, body = get(site, "/text.txt", "HEAD")
    assert (status, body) == (200, b"")
    for name in ("Content-Length", "Content-Type", "ETag", "Last-Modified"):
        assert headers[name] == by_get[name]
    for path in ("/", "/missing", "/sub"):
        answer = raw(site, f"HEAD {path} HTTP/1.0\r\n\r\n".encode())
        assert answer.endswith(b"\r\n\r\n"), "a HEAD has no body"


def test_an_empty_file(site):
    assert get(site, "/nothing")[2] == b""
    assert get(site, "/nothing", Range="bytes=0-0")[0] == 416


@pytest.mark.parametrize("name, kind", [
    ("page.HTML", "text/html; charset=utf-8"), ("nothing", "application/octet-stream"),
])
def test_types(site, name, kind):
    assert get(site, "/" + name)[1]["Content-Type"] == kind


def test_a_large_file_by_curl(site, pki, tmp_path):
    content = os.urandom(9 << 20)
    (site.www / "large.bin").write_bytes(content)
    try:
        subprocess.run(["curl", "-sS", "--fail", "--cacert", pki / "root.pem", "-o",
                        tmp_path / "got", f"https://{site.place}/large.bin"], check=True)
        assert (tmp_path / "got").read_bytes() == content
        _, _, part = get(site, "/large.bin", Range="bytes=5000000-9000000")
        assert part == content[5000000:9000001]
    finally:
        (site.www / "large.bin").unlink()


@pytest.mark.parametrize("path, status", [
    ("/missing", 404), ("/text.txt/", 404), ("/text.txt/x", 404), ("/sub/missing", 404),
    ("/.hidden", 404), ("/%2ehidden", 404), ("/..almost", 404),
    ("/link", 404), ("/linked/", 404), ("/linked/secret.txt", 404), ("/sub/up/text.txt", 404),
    ("/pipe", 404),
    ("/../beside.txt", 404), ("/sub/../../beside.txt", 404), ("/sub/../text.txt", 404),
    ("/%2e%2e/beside.txt", 404), ("/..%2fbeside.txt", 400), ("/sub%2f..%2f..%2fbeside.txt", 400),
    ("/%2e%2e%2fbeside.txt", 400), ("/..%5cbeside.txt", 404), ("//../beside.txt", 404),
    ("/%c0%ae%c0%ae/beside.txt", 404),
    ("/text.txt%00", 400), ("/%", 400), ("/%4", 400), ("/%zz", 400),
    ("/" + "x" * 255, 404), ("/" + "x" * 300, 404), ("/" + "d/" * 500, 404),
    ("/text.txt?query", 200), ("/./text.txt", 200), ("//text.txt", 200), ("/te%78t.txt", 200),
])
def test_paths(site, path, status):
    answer = raw(site, f"GET {path} HTTP/1.0\r\n\r\n".encode())
    assert status_of(answer) == status
    assert b"secret" not in answer and b"hidden" not in answer.split(b"\r\n\r\n", 1)[1]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read(site):
    file = site.www / "closed.txt"
    file.write_text("x")
    file.chmod(0)
    try:
        assert get(site, "/closed.txt")[0] == 403
    finally:
        file.unlink()


# ---- directories ----

def test_a_list(site):
    status, headers, body = get(site, "/")
    text = body.decode()
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    for name in ("text.txt", "sub/", "with-index/"):
        assert f'href="{name}"' in text
    for name in (".hidden", "..almost", "link", "linked", "pipe", "../"):
        assert f'href="{name}"' not in text
    assert text.index('href="with-index/"') < text.index('href="nothing"'), "directories first"


def test_names_never_become_markup(site):
    text = get(site, "/sub/")[2].decode()
    assert "a &lt;b&gt;&amp;&#39;&quot;c.txt" in text
    assert 'href="a%20%3Cb%3E%26%27%22c.txt"' in text
    assert 'href="javascript%3Aalert%281%29"' in text
    assert "<b>" not in text
    assert 'href="b%C3%BCcher.txt"' in text
    assert 'href="../"' in text
    assert get(site, "/sub/a%20%3Cb%3E%26%27%22c.txt")[2] == b"odd"
    assert get(site, "/sub/b%C3%BCcher.txt")[2] == b"books"


def test_index(site):
    assert get(site, "/with-index/")[2] == b"<p>the index"
    assert b'href="index.html/"' in get(site, "/odd-index/")[2]
    assert b"<table>" in get(site, "/empty/")[2]


@pytest.mark.parametrize("path, where", [
    ("/sub", "/sub/"), ("/sub?q", "/sub/"), ("//sub", "/sub/"), ("//sub//", None),
    ("/%73ub", "/sub/"),
])
def test_redirects_stay_here(site, path, where):
    answer = raw(site, f"GET {path} HTTP/1.0\r\n\r\n".encode())
    if where is None:
        assert status_of(answer) == 200
    else:
        assert status_of(answer) == 301
        assert f"\r\nLocation: {where}\r\n".encode() in answer


# ---- ranges and conditions ----

@pytest.mark.parametrize("wanted, status, first, last", [
    ("bytes=0-0", 206, 0, 0), ("bytes=10-19", 206, 10, 19), ("bytes=90-", 206, 90, 99),
    ("bytes=90-1000", 206, 90, 99), ("bytes=-1", 206, 99, 99), ("bytes=-1000", 206, 0, 99),
    ("bytes=0-" + "9" * 40, 206, 0, 99), ("BYTES=0-1", 206, 0, 1),
    ("bytes=100-", 416, 0, 0), ("bytes=" + "9" * 40 + "-", 416, 0, 0), ("bytes=-0", 416, 0, 0),
    ("bytes=5-4", 200, 0, 99), ("bytes=0-1,5-6", 200, 0, 99), ("bytes=", 200, 0, 99),
    ("bytes=-", 200, 0, 99), ("bytes=a-b", 200, 0, 99), ("lines=0-1", 200, 0, 99),
    ("bytes=0x1-2", 200, 0, 99), ("bytes=--1", 200, 0, 99), ("bytes=1-2 ", 206, 1, 2),
])
def test_ranges(site, wanted, status, first, last):
    got, headers, body = get(site, "/text.txt", Range=wanted)
    assert got == status
    if status == 206:
        assert body == TEXT[first:last + 1]
        assert headers["Content-Range"] == f"bytes {first}-{last}/100"
        assert headers["Content-Length"] == str(last - first + 1)
    elif status == 416:
        assert headers["Content-Range"] == "bytes */100"
    else:
        assert body == TEXT
        assert "Content-Range" not in headers


def test_a_range_of_a_head_is_passed_over(site):
    assert get(site, "/text.txt", "HEAD", Range="bytes=0-1")[0] == 200


def test_conditions(site):
    _, headers, _ = get(site, "/text.txt")
    etag, modified = headers["ETag"], headers["Last-Modified"]
    old = "Sat, 01 Jan 2000 00:00:00 GMT"
    new = "Fri, 01 Jan 2100 00:00:00 GMT"
    for condition in ({"If_None_Match": etag}, {"If_None_Match": "*"},
                      {"If_None_Match": f'"x", W/{etag}'}, {"If_Modified_Since": modified},
                      {"If_Modified_Since": new}, {"If_None_Match": etag, "If_Modified_Since": old}):
        status, headers, body = get(site, "/text.txt", **condition)
        assert (status, body) == (304, b""), condition
        assert headers["ETag"] == etag
        assert "Content-Length" not in headers
    for condition in ({"If_None_Match": '"x"'}, {"If_Modified_Since": old},
                      {"If_Modified_Since": "yesterday"},
                      {"If_None_Match": '"x"', "If_Modified_Since": new}):
        assert get(site, "/text.txt", **condition)[0] == 200, condition


def test_if_range(site):
    _, headers, _ = get(site, "/text.txt")
    for value, status in ((headers["ETag"], 206), (headers["Last-Modified"], 206), ('"x"', 200),
                          ("W/" + headers["ETag"], 200), ("Sat, 01 Jan 2000 00:00:00 GMT", 200)):
        assert get(site, "/text.txt", Range="bytes=0-1", If_Range=value)[0] == status


# ---- requests ----

HOST = b"Host: localhost\r\n"


@pytest.mark.parametrize("request_, status", [
    (b"GET /text.txt HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n", 200),
    (b"\r\n\r\nGET /text.txt HTTP/1.0\r\n\r\n", 200),
    (b"GET /text.txt HTTP/1.0\n\n", 200),
    (b"GET https://localhost/text.txt HTTP/1.0\r\n\r\n", 200),
    (b"GET https://localhost HTTP/1.0\r\n\r\n", 200),
    (b"GET /text.txt HTTP/1.1\r\n\r\n", 400),
    (b"GET /text.txt HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
    (b"GET text.txt HTTP/1.0\r\n\r\n", 400),
    (b"GET * HTTP/1.0\r\n\r\n", 400),
    (b"GET /text.txt HTTP/1.0\r\nbroken\r\n\r\n", 400),
    (b"GET /text.txt HTTP/1.0\r\nRange: bytes=0-1\r\n folded\r\n\r\n", 400),
    (b"GET /te\0xt.txt HTTP/1.0\r\n\r\n", 400),
    (b"GET /text.txt HTTP/1.0\r\nX: \0\r\n\r\n", 400),
    (b"garbage\r\n\r\n", 501),
    (b"BREW /pot HTTP/1.0\r\n\r\n", 501),
    (b"POST /text.txt HTTP/1.1\r\nContent-Length: 5\r\n" + HOST + b"\r\nhello", 405),
    (b"PUT /text.txt HTTP/1.0\r\n\r\n", 405),
    (b"DELETE /text.txt HTTP/1.0\r\n\r\n", 405),
    (b"OPTIONS * HTTP/1.0\r\n\r\n", 405),
    (b"CONNECT localhost:443 HTTP/1.1\r\n" + HOST + b"\r\n", 405),
    (b"GET /text.txt HTTP/1.1\r\nContent-Length: 5\r\n" + HOST + b"\r\nhello", 413),
    (b"GET /text.txt HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + HOST + b"\r\n0\r\n\r\n", 413),
    (b"GET /text.txt HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n" + HOST +
     b"\r\n0\r\n\r\n", 400),
    (b"GET /text.txt HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n" + HOST + b"\r\n", 200),
    (b"GET /" + b"x" * 9000 + b" HTTP/1.0\r\n\r\n", 414),
    (b"GET /text.txt HTTP/1.0\r\nX: " + b"x" * 15000 + b"\r\n\r\n", 200),
    (b"GET /text.txt HTTP/1.0\r\nX: " + b"x" * 17000 + b"\r\n\r\n", 431),
    (b"GET /text.txt HTTP/1.0\r\n" + b"X: y\r\n" * 5000 + b"\r\n", 431),
    (b"x" * 20000, 431),
    (b"GET /text.txt HTTP/2.0\r\n\r\n", 505),
])
def test_requests(site, request_, status):
    answer = raw(site, request_)
    assert status_of(answer) == status, answer[:200]
    assert b"\r\nConnection: close\r\n" in answer
    assert (b"\r\nAllow: GET, HEAD\r\n" in answer) == (status == 405)


def test_keep_alive(site):
    client = http.client.HTTPSConnection("localhost", site.port, context=site.context, timeout=30)
    client.connect()
    port = client.sock.getsockname()[1]
    for path in ("/text.txt", "/missing", "/sub/", "/text.txt"):
        client.request("GET", path)
        client.getresponse().read()
        assert client.sock.getsockname()[1] == port
    client.close()


def test_requests_sent_together(site):
    one = b"GET /text.txt HTTP/1.1\r\n" + HOST + b"\r\n"
    last = b"GET /text.txt HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n"
    answer = raw(site, one * 300 + last)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 301
    assert answer.count(TEXT) == 301


def test_a_thousand_requests_are_enough(site):
    answer = raw(site, (b"HEAD /text.txt HTTP/1.1\r\n" + HOST + b"\r\n") * 1100)
    assert answer.count(b"HTTP/1.1 200 OK\r\n") == 1000
    assert answer.count(b"Connection: close\r\n") == 1


def test_a_request_byte_by_byte(site):
    with connect(site) as tls:
        for byte in b"GET /text.txt HTTP/1.0\r\n\r\n":
            tls.sendall(bytes([byte]))
        answer = b""
        while piece := tls.recv(65536):
            answer += piece
    assert answer.endswith(TEXT)


def test_nothing_after_a_refused_request(site):
    """What follows a body that was not read must not be taken for a request."""
    answer = raw(site, b"GET /text.txt HTTP/1.1\r\nContent-Length: 40\r\n" + HOST + b"\r\n" +
                 b"GET /sub/ HTTP/1.1\r\n" + HOST + b"\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_a_file_that_shrinks_is_not_passed_off_as_whole(site):
    file = site.www / "shrinking.bin"
    file.write_bytes(bytes(48 << 20))
    try:
        with connect(site) as tls:
            tls.sendall(b"GET /shrinking.bin HTTP/1.0\r\n\r\n")
            got = len(tls.recv(65536))
            os.truncate(file, 1 << 20)
            try:
                while piece := tls.recv(1 << 20):
                    got += len(piece)
            except OSError:
                pass
        assert got < 48 << 20
    finally:
        file.unlink()
    assert get(site, "/text.txt")[0] == 200


# ---- connections ----

def test_one_line_for_each_connection(pki, site):
    with Serve("--identity", pki / "good-all.pem", site.www) as server:
        server.context = site.context
        get(server, "/text.txt")
        line = server.connection_line()
        assert "TLSv1.3 TLS_" in line and line.endswith(" http/1.1 for localhost")
        with socket.create_connection(("localhost", server.port)) as sock:
            sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while sock.recv(1000):
                pass
        assert "failed: " in (line := server.connection_line()) and "(not-tls)" in line
        cinch("connect", server.place)
        assert "(peer-distrusts-us)" in server.connection_line()


def test_json_lines(pki, site):
    with Serve("--json", "--identity", pki / "good-all.pem", site.www) as server:
        server.context = site.context
        first = json.loads(server.first)
        assert first["event"] == "listening" and first["port"] == server.port
        get(server, "/text.txt")
        second = json.loads(server.line())
        assert second["event"] == "connection"
        assert second["peer"]["version"] == "TLSv1.3"
        assert second["peer"]["alpn"] == "http/1.1"
        cinch("connect", server.place)
        third = json.loads(server.line())
        assert third["event"] == "failed"
        assert third["error"]["cause"] == "peer-distrusts-us"


def test_a_client_that_says_nothing_holds_up_nobody(site):
    with socket.create_connection(("localhost", site.port)):
        assert get(site, "/text.txt")[0] == 200


def test_256_connections_and_no_more(site):
    """The 257th waits until one of the others ends."""
    many = [connect(site) for _ in range(256)]
    try:
        with socket.create_connection(("localhost", site.port), 30) as waiting:
            shaken = threading.Event()

            def shake():
                with site.context.wrap_socket(waiting, server_hostname="localhost") as tls:
                    shaken.set()
                    tls.sendall(b"GET /nothing HTTP/1.0\r\n\r\n")
                    while tls.recv(1000):
                        pass
            thread = threading.Thread(target=shake)
            thread.start()
            assert not shaken.wait(0.5)
            many.pop().close()
            assert shaken.wait(30)
            thread.join()
    finally:
        for one in many:
            one.close()
    assert get(site, "/text.txt")[0] == 200


def test_client_certificates(pki, site):
    with Serve("--client-ca", pki / "root.pem", "--identity", pki / "good-all.pem",
               site.www) as server:
        context = client_context(pki / "root.pem")
        context.load_cert_chain(pki / "client-all.pem")
        server.context = context
        assert get(server, "/text.txt")[2] == TEXT
        assert "client client@example.test" in server.connection_line()
        server.context = client_context(pki / "root.pem")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            get(server, "/text.txt")
        assert "client-certificate-missing" in server.connection_line()


def test_policy_and_alpn(pki, site):
    with Serve("--policy", "modern", "--identity", pki / "good-all.pem", site.www) as server:
        context = client_context(pki / "root.pem")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(socket.create_connection(("localhost", server.port)),
                                server_hostname="localhost")
        assert "(no-common-version)" in server.connection_line()
        answer = connect_json("--ca", pki / "root.pem", "--alpn", "h2", server.place, code=4)
        assert answer["error"]["cause"] == "no-common-alpn"


@pytest.mark.parametrize("arguments", [
    ["--cert", "good-chain.pem", "--key", "good.key"],
    ["--cert", "good-chain.pem", "--key", "good-encrypted.key", "--password-file", "password"],
    ["--identity", "good.p12", "--password-file", "password"],
])
def test_identities(pki, site, arguments):
    (pki / "password").write_text("cinch")
    files = [one if one.startswith("--") else pki / one for one in arguments]
    with Serve(*files, site.www) as server:
        server.context = site.context
        assert get(server, "/text.txt")[0] == 200


@pytest.mark.parametrize("arguments", [
    ["/nonexistent"], ["/dev/null"], ["--identity", "/nonexistent", "/"],
    ["--identity", "/dev/null", "/"], ["--client-ca", "/nonexistent", "/"],
    ["--policy", "none", "/"],
])
def test_what_it_cannot_use(arguments, tmp_path):
    done = cinch("serve", "--listen", "localhost:0", *arguments, home=tmp_path)
    assert done.returncode == 2
    assert b"error:" in done.stderr
    assert done.stdout == b""


def test_a_port_that_is_taken(site, tmp_path):
    done = cinch("serve", "--listen", site.place, "/", home=tmp_path)
    assert done.returncode == 3
    assert str(site.port).encode() in done.stderr


# ---- a certificate made on the spot ----

def test_development_certificate(tmp_path, site):
    with Serve(site.www, home=tmp_path) as server:
        ca = tmp_path / "cinch" / "cinch-ca.pem"
        assert server.first == f"listening on https://localhost:{server.port}/"
        assert str(ca) in server.line(), "the CA is new, and told"
        server.line()
        assert server.line().strip() == f"cinch connect --ca '{ca}' {server.place}"
        assert server.line().strip() == f"curl --cacert '{ca}' https://{server.place}/"
        subprocess.run(["curl", "-sS", "--fail", "--cacert", ca, "-o", "/dev/null",
                        f"https://{server.place}/text.txt"], check=True)
        connect_json("--ca", ca, f"127.0.0.1:{server.port}", code=0)
        files = sorted(os.listdir(tmp_path / "cinch"))
        assert files == ["cinch-ca.key", "cinch-ca.pem"], "the server's key is never written"
        assert stat.S_IMODE(os.stat(tmp_path / "cinch" / "cinch-ca.key").st_mode) == 0o600
    before = ca.read_bytes()
    with Serve(site.www, home=tmp_path):
        assert ca.read_bytes() == before, "the CA is used again"


# ---- the end ----

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_with_clients_connected(pki, site, number):
    with Serve("--identity", pki / "good-all.pem", site.www) as server:
        server.context = site.context
        idle = connect(server)
        halfway = socket.create_connection(("localhost", server.port))
        with connect(server) as asking:
            asking.sendall(b"GET /text.txt HTTP/1.1\r\nHost: localhost\r\n")
            assert server.stop(number) == ""
        halfway.close()
        idle.close()


def test_once(pki, site):
    with Serve("--once", "--identity", pki / "good-all.pem", site.www) as server:
        server.context = site.context
        assert get(server, "/text.txt")[0] == 200
        assert server.process.wait(30) == 0


# ---- echo ----

def test_echo(pki):
    with Serve("--echo", "--identity", pki / "good-all.pem") as server:
        assert server.first == f"listening on {server.place}"
        context = client_context(pki / "root.pem")
        raw_socket = socket.create_connection(("localhost", server.port), 30)
        with context.wrap_socket(raw_socket, server_hostname="localhost") as tls:
            tls.sendall(b"hello")
            assert tls.recv(100) == b"hello"
            assert quiet_for(tls, 0.2)
            assert tls.unwrap(), "the server says its end, too"
