"""Contexts and connections in many threads at a time: contexts change while they are used, connections
are looked at while they are read. On the stock module the like is not defined, and not shown."""

import gc
import itertools
import socket
import ssl
import threading

import pytest

import duo as talk


class Workers:
    """Threads that stop at the first failure or when the last of the counted ones is done."""

    def __init__(self):
        self.stop = threading.Event()
        self.failures = []
        self.endless, self.counted = [], []

    def run(self, work, *arguments):
        try:
            work(*arguments)
        except BaseException as error:
            self.failures.append(error)
            self.stop.set()

    def until_stopped(self, work):
        def repeat():
            while not self.stop.is_set():
                work()
        self.endless.append(threading.Thread(target=self.run, args=(repeat,)))

    def add(self, work, *arguments):
        self.counted.append(threading.Thread(target=self.run, args=(work, *arguments)))

    def go(self):
        for thread in self.endless + self.counted:
            thread.start()
        for thread in self.counted:
            thread.join()
        self.stop.set()
        for thread in self.endless:
            thread.join()
        if self.failures:
            raise self.failures[0]


def test_a_context_changes_while_it_is_used(pki):
    server, client = talk.server_context(pki), talk.client_context(pki)
    protocols = itertools.cycle([["a"], ["b"]])
    suites = itertools.cycle(["ECDHE+AESGCM", "ECDHE+CHACHA20"])
    versions = itertools.cycle([ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    workers = Workers()

    def change():
        for context in (server, client):
            context.set_alpn_protocols(next(protocols))
            context.set_ciphers(next(suites))
        server.maximum_version = next(versions)
        server.load_cert_chain(f"{pki}/good-chain.pem", f"{pki}/good.key")
        client.load_verify_locations(f"{pki}/root.pem")
        server.num_tickets = 1 + next(lengths) % 3

    lengths = itertools.count()
    done = []

    def connect():
        for _ in range(25):
            pair = talk.Duo(client, server)
            try:
                pair.handshake().echo(b"y" * 100)
            except ssl.SSLError as error:
                # One side is from before a change of suites, the other from after it.
                assert error.reason in ("NO_SHARED_CIPHER", "NO_SUITABLE_KEY_SHARE",
                                        "SSLV3_ALERT_HANDSHAKE_FAILURE", "UNSUPPORTED_PROTOCOL"), error
                continue
            ends = pair.client, pair.server
            assert len({end.version() for end in ends}) == 1
            assert len({end.cipher() for end in ends}) == 1
            assert len({end.selected_alpn_protocol() for end in ends}) == 1
            assert pair.client.getpeercert()["subjectAltName"][0] == ("DNS", "localhost")
            done.append(1)

    workers.until_stopped(change)
    for _ in range(4):
        workers.add(connect)
    workers.go()
    assert len(done) > 10


def test_the_context_that_was_chosen_changes_while_it_is_used(pki):
    """What sni_callback has chosen stays alive until the handshake is done with it."""
    inner, outer = talk.server_context(pki, num_tickets=1), talk.server_context(pki)
    client = talk.client_context(pki)
    counter = itertools.count()
    workers = Workers()

    def choose(sock, name, context):
        sock.context = inner

    def change():
        inner.num_tickets = next(counter) % 2 + 1
        inner.set_alpn_protocols([f"p{next(counter) % 5}"])

    outer.sni_callback = choose

    def connect():
        for _ in range(40):
            talk.Duo(client, outer).handshake().echo()

    workers.until_stopped(change)
    for _ in range(4):
        workers.add(connect)
    workers.go()


def socket_pair(pki, **settings):
    left, right = socket.socketpair()
    server = talk.server_context(pki, **settings)
    box = []
    thread = threading.Thread(target=lambda: box.append(server.wrap_socket(right, server_side=True)))
    thread.start()
    client = talk.client_context(pki).wrap_socket(left, server_hostname="localhost")
    thread.join()
    return client, box[0]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_connection_is_looked_at_while_it_is_read(pki, version):
    client, server = socket_pair(pki, **talk.only(version))
    workers = Workers()
    size, chunk = 300, b"z" * 5000

    def look():
        client.cipher(), client.version(), client.getpeercert(), client.session, client.pending()
        client._sslobj.get_unverified_chain(), client.get_channel_binding(), client.shared_ciphers()
        client._sslobj.report()

    def read():
        left = size * len(chunk)
        while left > 0:
            left -= len(client.recv(65536))

    def write():
        for _ in range(size):
            server.sendall(chunk)

    workers.until_stopped(look)
    workers.add(read)
    workers.add(write)
    workers.go()
    client.close(), server.close()


def test_one_thread_writes_while_another_waits_for_data(pki):
    client, server = socket_pair(pki)
    got = []
    reader = threading.Thread(target=lambda: got.append(client.recv(100)))
    reader.start()
    for number in range(50):
        client.sendall(b"%03d" % number)
    assert server.recv(1000).startswith(b"000")
    server.sendall(b"now")
    reader.join()
    assert got == [b"now"]
    client.close(), server.close()


def test_the_context_of_a_connection_changes_while_its_handshake_begins(pki):
    contexts = [talk.server_context(pki), talk.server_context(pki)]
    client = talk.client_context(pki)
    for number in range(60):
        pair = talk.Duo(client, contexts[0])
        barrier = threading.Barrier(2)
        workers = Workers()

        def swap():
            barrier.wait()
            for _ in range(5):
                pair.server.context = contexts[1]

        def handshake():
            barrier.wait()
            pair.handshake()

        workers.add(swap)
        workers.add(handshake)
        workers.go()
        pair.echo()
    gc.collect()
