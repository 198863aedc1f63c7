"""select() and what is left in a socket: data that is here must be seen. _ssl is the extension here."""

import select
import socket
import ssl
import threading

import pytest

import duo as talk

SECONDS = 20


@pytest.fixture(params=["1.2", "1.3"])
def pair(pki, request):
    left, right = socket.socketpair()
    server_context = talk.server_context(pki, **talk.only(request.param))
    box = []
    thread = threading.Thread(
        target=lambda: box.append(server_context.wrap_socket(right, server_side=True)))
    thread.start()
    client = talk.client_context(pki).wrap_socket(left, server_hostname="localhost")
    thread.join()
    yield client, box[0]
    client.close()
    box[0].close()


def wait(sock):
    ready, _, _ = select.select([sock], [], [], SECONDS)
    assert ready, "nothing to read, as select() has it"


@pytest.mark.parametrize("size", [1 << 18, 20000, 16384, 1000, 1])
def test_all_that_was_sent_is_seen(pair, size):
    client, server = pair
    sent = [bytes([i]) * n for i, n in enumerate([16384, 16384, 100, 1, 16384, 64, 65, 30000, 1])]
    writer = threading.Thread(target=lambda: [server.sendall(part) for part in sent])
    writer.start()
    client.setblocking(False)
    got, wanted = b"", b"".join(sent)
    while len(got) < len(wanted):
        if client.pending() == 0:
            wait(client)
        try:
            got += client.recv(size)
        except ssl.SSLWantReadError:
            pass
    writer.join()
    assert got == wanted


def test_the_end_is_seen_while_the_transport_stays(pair):
    client, server = pair
    server.sendall(bytes(40000))
    server.setblocking(False)
    with pytest.raises(ssl.SSLWantReadError):
        server.unwrap()
    client.setblocking(False)
    got = 0
    while True:
        if client.pending() == 0:
            wait(client)
        try:
            part = client.recv(1 << 18)
        except ssl.SSLWantReadError:
            continue
        if part == b"":
            break
        got += len(part)
    assert got == 40000


def test_what_follows_the_end_stays_in_the_socket(pair):
    client, server = pair
    server.sendall(bytes(40000))
    server.setblocking(False)
    with pytest.raises(ssl.SSLWantReadError):
        server.unwrap()
    raw = socket.socket(fileno=server.detach())
    raw.sendall(b"in the clear")
    got = 0
    while got < 40000:
        got += len(client.recv(1 << 18))
    assert client.recv(10) == b""
    plain = client.unwrap()
    assert plain.recv(100) == b"in the clear"
    raw.close()


def test_many_records_in_one_call(pair):
    client, server = pair
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 19)
    server.sendall(bytes(100000))
    # One record has 16 KiB at most, and all of them are here.
    assert len(client.recv(1 << 18)) == 100000


def test_a_cut_within_a_record_ends(pair):
    client, server = pair
    client.suppress_ragged_eofs = False
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 19)
    server.sendall(bytes(100000))
    raw = socket.socket(fileno=server.detach())
    # The head of one more record, a part of it, and the end.
    raw.sendall(b"\x17\x03\x03\x10\x00" + bytes(1000))
    raw.close()
    got = 0
    with pytest.raises(ssl.SSLEOFError):
        while True:
            part = client.recv(1 << 18)
            assert part
            got += len(part)
    assert got == 100000
