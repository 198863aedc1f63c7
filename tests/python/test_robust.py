"""Connections in trouble: slow, cut, interrupted, hostile, forgotten. _ssl is the extension here."""

import errno
import gc
import os
import select
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import weakref

import pytest

import duo as talk


@pytest.fixture(scope="module")
def contexts(pki):
    return talk.client_context(pki), talk.server_context(pki)


@pytest.fixture
def pair(contexts):
    """Two SSLSockets on a socketpair, after the handshake."""
    left, right = socket.socketpair()
    box = []
    thread = threading.Thread(target=lambda: box.append(contexts[1].wrap_socket(right, server_side=True)))
    thread.start()
    client = contexts[0].wrap_socket(left, server_hostname="localhost")
    thread.join()
    # The tickets, so that nothing is on the way.
    box[0].sendall(b".")
    assert client.recv(1) == b"."
    yield client, box[0]
    client.close()
    box[0].close()


def narrow(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)


# ---- time ----

def test_timeouts_of_each_call(contexts, pair):
    client, server = pair
    client.settimeout(0.01)
    with pytest.raises(TimeoutError, match="read operation timed out"):
        client.recv(1)
    narrow(client)
    with pytest.raises(TimeoutError, match="write operation timed out"):
        client.sendall(bytes(4_000_000))
    left, right = socket.socketpair()
    left.settimeout(0.01)
    with pytest.raises(TimeoutError, match="handshake operation timed out"):
        contexts[0].wrap_socket(left, server_hostname="localhost")
    left.close(), right.close()


def test_a_connection_goes_on_after_a_timeout(pair):
    client, server = pair
    client.settimeout(0.01)
    with pytest.raises(TimeoutError):
        client.recv(1)
    server.sendall(b"late")
    client.settimeout(5)
    assert client.recv(10) == b"late"


# ---- non-blocking ----

@pytest.mark.parametrize("more", [0, 1, 70000])
def test_a_write_that_has_to_be_repeated(pair, more):
    """The same data again, or more of it: what arrives is what was written, once."""
    client, server = pair
    narrow(client)
    client.setblocking(False)
    server.setblocking(False)
    data = b"".join(b"%07d " % number for number in range(40000))
    sent, wanted, got = 0, 30000, bytearray()
    refused = 0
    while len(got) < len(data):
        if sent < len(data):
            try:
                sent += client.send(data[sent:sent + wanted])
                wanted = 30000
            except ssl.SSLWantWriteError:
                refused += 1
                wanted += more
                select.select([server], [], [], 0)
        try:
            got += server.recv(5000)
        except ssl.SSLWantReadError:
            pass
    assert refused > 0 and bytes(got) == data


def test_less_data_than_before_is_refused(pair):
    client, server = pair
    narrow(client)
    client.setblocking(False)
    with pytest.raises(ssl.SSLWantWriteError):
        while True:
            client.send(bytes(30000))
    with pytest.raises(ssl.SSLError):
        client.send(b"x")


# ---- memory ----

def test_bytes_one_at_a_time(contexts):
    to_client, to_server, from_client, from_server = (ssl.MemoryBIO() for _ in range(4))
    client = contexts[0].wrap_bio(to_client, from_client, server_hostname="localhost")
    server = contexts[1].wrap_bio(to_server, from_server, server_side=True)

    def until_done(*calls):
        results = {}
        while len(results) < len(calls):
            for call in calls:
                try:
                    if call not in results:
                        results[call] = call()
                except ssl.SSLWantReadError:
                    pass
            to_server.write(from_client.read(1))
            to_client.write(from_server.read(1))
        return [results[call] for call in calls]

    until_done(client.do_handshake, server.do_handshake)
    client.write(b"slowly")
    assert until_done(lambda: server.read(10)) == [b"slowly"]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_cut_anywhere(pki, version):
    """Whatever the place where the server's bytes end, the client gets an error and no data."""
    client, server = talk.client_context(pki), talk.server_context(pki, **talk.only(version))
    ends = []
    for cut in range(0, 4000, 97):
        pair = talk.Duo(client, server)
        to_client, left = ssl.MemoryBIO(), cut
        end = client.wrap_bio(to_client, pair.to_server, server_hostname="localhost")
        status = None
        for _ in range(6):
            try:
                end.do_handshake()
                status = "done"
                break
            except ssl.SSLWantReadError:
                pass
            try:
                pair.server.do_handshake()
            except ssl.SSLWantReadError:
                pass
            piece = pair.to_client.read()[:left]
            left -= len(piece)
            to_client.write(piece)
            if left == 0:
                to_client.write_eof()
                try:
                    end.do_handshake()
                    status = "done"  # that was exactly all of it
                except ssl.SSLEOFError:
                    status = "cut"
                break
        ends.append(status)
    assert ends[0] == "cut" and set(ends) <= {"cut", "done"} and ends.count("cut") > 5


# ---- hostile peers ----

HOSTILE = {
    "text": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "zeros": bytes(100),
    "huge record": b"\x16\x03\x03\xff\xff" + bytes(65535),
    "huge message": b"\x16\x03\x03\x00\x04\x02\xff\xff\xff" + bytes(70000),
    "empty records": b"\x16\x03\x03\x00\x00" * 100,
    "alert": b"\x15\x03\x03\x00\x02\x02\x28",
    "half an alert": b"\x15\x03\x03\x00\x01\x02",
    "ccs": b"\x14\x03\x03\x00\x01\x01" * 100,
    "data": b"\x17\x03\x03\x00\x05hello",
}


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("what", HOSTILE)
def test_nonsense_is_an_error(contexts, what, side):
    pair = talk.Duo(*contexts)
    end, line = (pair.client, pair.to_client) if side == "client" else (pair.server, pair.to_server)
    if side == "client":
        with pytest.raises(ssl.SSLWantReadError):
            end.do_handshake()
    line.write(HOSTILE[what])
    line.write_eof()
    with pytest.raises(ssl.SSLError) as caught:
        end.do_handshake()
    assert not isinstance(caught.value, ssl.SSLWantReadError)
    for use in (lambda: end.read(10), lambda: end.write(b"x"), end.do_handshake):
        with pytest.raises(ssl.SSLError):
            use()


@pytest.mark.parametrize("place", [5, 6, 40, -1])
def test_a_changed_byte_is_an_error(contexts, place):
    pair = talk.Duo(*contexts).handshake().echo()
    pair.server.write(b"this is what was said, and nothing else")
    record = bytearray(pair.to_client.read())
    record[place] ^= 1
    pair.to_client.write(record)
    with pytest.raises(ssl.SSLError) as caught:
        pair.client.read(100)
    # OpenSSL 3.2 and newer say first which of their layers it was.
    newer = ssl.OPENSSL_VERSION_INFO >= (3, 2)
    assert caught.value.reason == ("RECORD_LAYER_FAILURE" if newer else
                                   "DECRYPTION_FAILED_OR_BAD_RECORD_MAC")


def test_a_reset_is_an_error_of_the_system(contexts):
    listener = socket.create_server(("127.0.0.1", 0))
    left = socket.create_connection(listener.getsockname())
    right = listener.accept()[0]
    right.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    right.close()
    with pytest.raises(OSError) as caught:
        contexts[0].wrap_socket(left, server_hostname="localhost")
    assert caught.value.errno in (errno.ECONNRESET, errno.EPIPE)
    left.close(), listener.close()


# ---- signals ----

class Alarm:
    """SIGALRM, again and again from the moment on when the main thread may be waiting."""

    def __init__(self, handler):
        self.handler = handler

    def __enter__(self):
        self.before = signal.signal(signal.SIGALRM, self.handler)
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)

    def __exit__(self, *unused):
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self.before)


def test_a_call_goes_on_after_a_signal(pair):
    client, server = pair
    seen = []

    def handler(number, frame):
        seen.append(number)
        if len(seen) == 3:
            # The handler may use the connection, which only waits.
            client.sendall(b"from the handler")
            server.sendall(b"answer")

    with Alarm(handler):
        assert client.recv(100) == b"answer"
    assert len(seen) >= 3 and server.recv(100) == b"from the handler"


@pytest.mark.parametrize("call", ["recv", "send"])
def test_an_exception_of_a_handler_ends_the_call(pair, call):
    client, server = pair

    def handler(number, frame):
        raise KeyError("from the handler")

    narrow(client)
    with pytest.raises(KeyError), Alarm(handler):
        if call == "recv":
            client.recv(100)
        else:
            client.sendall(bytes(4_000_000))
    if call == "recv":
        server.sendall(b"still there")
        assert client.recv(100) == b"still there"


# ---- ends ----

def test_a_socket_that_was_closed(pair):
    client, server = pair
    inner = client._sslobj
    client.close()
    for use in (lambda: inner.read(1), lambda: inner.write(b"x"), inner.shutdown, inner.do_handshake):
        with pytest.raises(ssl.SSLError):
            use()
    assert inner.version() and inner.cipher() and inner.getpeercert()
    with pytest.raises(OSError):
        client.recv(1)


def test_a_socket_that_is_gone(contexts):
    left, right = socket.socketpair()
    inner = contexts[0]._wrap_socket(left, False, "localhost")
    right.close()
    left.close()
    del left
    gc.collect()
    with pytest.raises(ssl.SSLError, match="gone"):
        inner.do_handshake()


def test_the_owner_is_held_weakly(contexts):
    pair = talk.Duo(*contexts)
    inner, owner = pair.client._sslobj, weakref.ref(pair.client)
    assert inner.owner is pair.client
    pair.client = None
    assert owner() is None and inner.owner is None
    inner.owner = pair
    assert inner.owner is pair


def test_nothing_is_left_for_the_collector(pki, contexts):
    talk.Duo(*contexts).handshake().echo().close()
    gc.collect()
    gc.disable()
    try:
        for _ in range(1000):
            pair = talk.Duo(*contexts).handshake().echo()
            pair.client.session, pair.client.getpeercert(), pair.server.context
            pair.close()
        del pair
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_cycles_are_collected(pki):
    """A context that is in its own callbacks, and connections that are in them."""
    gone = []

    def one():
        client, server = talk.client_context(pki), talk.server_context(pki)
        kept = []
        server.sni_callback = lambda sock, name, context: kept.append((sock, context, server))
        server._msg_callback = lambda sock, *rest: kept.append((sock, server))
        client._msg_callback = lambda sock, *rest: kept.append((sock, client))
        pair = talk.Duo(client, server).handshake().echo()
        kept.append(pair)
        client.connection = pair.client
        for thing in (client, server, pair.client, pair.server):
            gone.append(weakref.ref(thing))

    for _ in range(20):
        one()
    gc.collect()
    assert [ref for ref in gone if ref() is not None] == []


def test_a_child_has_connections_of_its_own(pki, contexts):
    pair = talk.Duo(*contexts).handshake()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            pair.echo(b"in the child")
            fresh = talk.Duo(talk.client_context(pki), contexts[1]).handshake().echo()
            status = 0 if fresh.client.version() else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    pair.echo(b"in the parent")


SUB = """
import sys
try:
    import _xxsubinterpreters as interpreters
except ImportError:
    import _interpreters as interpreters
code = '''
import sys
import ssl
from duo import *
pki = sys.argv[1] if len(sys.argv) > 1 else {pki!r}
def secret():
    return "cinch"
context = server_context(pki)
context.load_cert_chain(pki + "/good-chain.pem", pki + "/good-encrypted.key", secret)
names = []
context.sni_callback = lambda sock, name, context: names.append(name)
Duo(client_context(pki), context).handshake().echo().close()
assert names == ["localhost"], names
'''
import ssl
for _ in range(3):
    one = interpreters.create()
    failure = interpreters.run_string(one, code)
    assert failure is None, failure
    interpreters.destroy(one)
exec(code)
print("fine")
"""


def test_several_interpreters(pki):
    done = subprocess.run([sys.executable, "-c", SUB.replace("{pki!r}", repr(str(pki)))], text=True,
                          capture_output=True, timeout=60, cwd=os.path.dirname(__file__),
                          env={**os.environ, "PYTHONPATH": f"{os.path.dirname(__file__)}:{os.environ['PYTHONPATH']}"})
    assert (done.returncode, done.stdout) == (0, "fine\n"), done.stderr
