"""Our client behind proxies that cut, split and change what passes. Whatever they do, nothing may
be reported as fine that was not."""

import concurrent.futures

import pytest

from programs import Serve, connect
from wire import (VERSIONS, Proxy, TlsServer, byte_by_byte, cut_down_at, flip_at, record_at,
                  server_context, unchanged)

TEXT = b"".join(b"line %d of the answer\n" % number for number in range(20))

# What a cut or changed connection may be called.
SENSIBLE = {"closed-in-handshake", "truncated", "reset", "damaged-record", "protocol",
            "alert-received", "handshake-refused", "timeout", "not-tls", "no-common-version",
            "no-common-cipher", "no-common-group", "no-common-signature-algorithm",
            "no-common-alpn", "bad-certificate", "bad-signature", "chain-rule", "unknown-issuer",
            "missing-intermediate", "wrong-host-name", "wrong-purpose", "expired",
            "not-yet-valid", "too-weak", "peer-distrusts-us", "client-certificate-wanted",
            "unknown-server-name"}


@pytest.fixture(params=VERSIONS)
def version(request):
    return request.param


def quiet_server(pki, version):
    """After the handshake it sends nothing at all, so that all that it sends is handshake."""
    context = server_context(pki, version)
    context.num_tickets = 0
    return TlsServer(context, lambda connection: connection.recv(1))


def answering_server(pki, version):
    def talk(connection):
        connection.recv(1)
        connection.sendall(TEXT)
        connection.unwrap()
    return TlsServer(server_context(pki, version), talk)


def report(proxy, pki):
    """The exit code and cause, which must make sense together."""
    outcome = connect(proxy.port, "--ca", pki / "root.pem", "--timeout", "2")
    answer = outcome.json
    assert answer["exit_code"] == outcome.code and answer["ok"] == (outcome.code == 0), outcome.text
    if outcome.code == 0:
        assert answer["peer"]["verified"] and answer["peer"]["version"] in VERSIONS
        return 0, None
    error = answer["error"]
    assert error["what"] and error["remedy"] and error["exit_code"] == outcome.code
    assert error["cause"] in SENSIBLE, error
    assert outcome.code in (4, 5, 6, 7, 9, 10), error
    # A chain that was not verified is not shown as one.
    assert not answer.get("peer", {}).get("verified") or answer["peer"]["cipher"]
    return outcome.code, error["cause"]


def in_parallel(check, positions):
    """Some of these wait for a time limit, so they wait together."""
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        return list(pool.map(check, positions))


def length_of_handshake(pki, version):
    with quiet_server(pki, version) as server, \
            Proxy(server.port, unchanged) as proxy:
        assert report(proxy, pki) == (0, None)
        return len(proxy.seen["down"])


def test_cut_in_the_handshake(pki, version):
    # Signatures differ by a few bytes in length.
    length = length_of_handshake(pki, version) - 8
    assert length > 500

    with quiet_server(pki, version) as server:
        def check(limit):
            with Proxy(server.port, cut_down_at(limit)) as proxy:
                code, cause = report(proxy, pki)
            assert (code, cause) in ((10, "closed-in-handshake"), (10, "reset")), limit
        in_parallel(check, [*range(0, length, 17), length - 1, length])


def test_cut_in_the_data(pki, version):
    """All that is printed is the beginning of what was sent."""
    with answering_server(pki, version) as server:
        with Proxy(server.port, unchanged) as proxy:
            outcome = connect(proxy.port, "--ca", pki / "root.pem", stdin=b"x")
            assert (outcome.code, outcome.out) == (0, TEXT), outcome.text
            length = len(proxy.seen["down"]) - 8

        def check(limit):
            with Proxy(server.port, cut_down_at(limit)) as proxy:
                outcome = connect(proxy.port, "--ca", pki / "root.pem", stdin=b"x")
            assert outcome.code == 10, (limit, outcome.text)
            assert b"error:" in outcome.err
            assert outcome.out in (b"", TEXT)
            return outcome.out
        printed = in_parallel(check, range(length, length - 600, -23))
    assert b"" in printed and TEXT in printed


@pytest.mark.parametrize("direction", ["down", "up"])
def test_changed_byte(pki, version, direction):
    length = length_of_handshake(pki, version) if direction == "down" else 250
    with quiet_server(pki, version) as server:
        def check(target):
            with Proxy(server.port, flip_at(target, direction)) as proxy:
                code, _ = report(proxy, pki)
                stream = proxy.seen[direction]
            if code == 0:
                # The version in the header of a record in the clear is protected by nothing and
                # means nothing (RFC 8446, 5.1). And a handshake may be shorter than the last one.
                kind, start = record_at(stream, target)
                header = kind in (20, 22) and target - start in (1, 2)
                # With TLS 1.3 a client is done before the server has looked at what it said last:
                # of a damaged Finished it learns only if it is still there when the alert comes.
                too_late = version == "TLSv1.3" and direction == "up" and kind == 23
                assert target >= len(stream) or header or too_late
            return code
        codes = in_parallel(check, range(0, length, 19))
    assert codes.count(0) <= 3


def test_changed_byte_in_the_data(pki, version):
    with answering_server(pki, version) as server:
        with Proxy(server.port, unchanged) as proxy:
            connect(proxy.port, "--ca", pki / "root.pem", stdin=b"x")
            length = len(proxy.seen["down"]) - 8

        def check(target):
            with Proxy(server.port, flip_at(target, "down")) as proxy:
                outcome = connect(proxy.port, "--ca", pki / "root.pem", "--timeout", "2",
                                  stdin=b"x")
            assert outcome.code == 10 and outcome.out in (b"", TEXT), (target, outcome.text)
        in_parallel(check, range(length, length - 400, -41))


def test_byte_by_byte(pki, version):
    """Every byte in a packet of its own, both ways."""
    with answering_server(pki, version) as server, Proxy(server.port, byte_by_byte) as proxy:
        outcome = connect(proxy.port, "--ca", pki / "root.pem", stdin=b"x")
        assert (outcome.code, outcome.out) == (0, TEXT), outcome.text


def test_byte_by_byte_between_ours(pki, web):
    with Serve("--identity", pki / "good-all.pem", web) as server, \
            Proxy(server.port, byte_by_byte) as proxy:
        request = b"GET /hello.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        outcome = connect(proxy.port, "--ca", pki / "root.pem", stdin=request)
        assert outcome.code == 0, outcome.text
        assert outcome.out.endswith(b"\r\n\r\nhello, interop\n")


def test_cut_seen_by_our_server(pki):
    """The client's side is cut at every few bytes; the server says so and goes on."""
    with Serve("--echo", "--identity", pki / "good-all.pem") as server:
        for limit in range(0, 240, 40):
            def change(direction, position, data, limit=limit):
                if direction == "up" and position + len(data) > limit:
                    return [data[:max(limit - position, 0)], None]
                return [data]
            with Proxy(server.port, change) as proxy:
                assert report(proxy, pki)[0] == 10
            assert server.failed()["cause"] in ("closed-in-handshake", "reset")
        peer = connect(server.port, "--ca", pki / "root.pem")
        assert peer.code == 0
