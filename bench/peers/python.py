"""python.py: Python's ssl, its own or the one on libcinch. The work is that of ../peer.c, byte for byte."""

import asyncio
import json
import resource
import socket
import ssl
import sys
import time

import _ssl

import streams
from streams import COUNT, LAST, LEAST_SPACE, LOOK_BYTES, WARM, WARM_BYTES

TRIP_BYTES, WARM_TRIPS = 64, 200
WARM_IDLE, IDLE = 50, 400
CONTEXTS = 200
CIPHERS = {"aes128": "ECDHE+AES128+AESGCM", "aes256": "ECDHE+AES256+AESGCM", "chacha": "ECDHE+CHACHA20"}
NOT_POSSIBLE = 3


class Tally:
    """What is counted, and how long it took by both clocks."""

    def __init__(self):
        self.agreed = ""
        self.memory = self.first = 0
        self.start()

    def start(self):
        self.count, self.wall, self.cpu = 0, -time.monotonic(), -time.process_time()

    def go_on(self):
        self.wall -= time.monotonic()
        self.cpu -= time.process_time()

    def stop(self):
        self.cpu += time.process_time()
        self.wall += time.monotonic()

    def over(self, seconds):
        return self.wall + time.monotonic() >= seconds


def make_context(server, work, directory, key):
    trust, name = f"{directory}/{key}-ca.pem", key if server else f"client-{key}"
    if server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    else:
        context = ssl.create_default_context(cafile=trust)
    if server or work == "mutual":
        context.load_cert_chain(f"{directory}/{name}.crt", f"{directory}/{name}.key")
    if server and work == "mutual":
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(trust)
    return context


class End:
    def __init__(self, role, work, version, suite, key, directory, seconds, number, port=None):
        self.server, self.work = role == "server", work
        self.seconds, self.size = float(seconds), int(number)
        self.session = None
        self.tally = Tally()
        self.context = make_context(self.server, work, directory, key)
        if work != "default":
            self.set_algorithms(version, suite)
        if self.server:
            self.listener = socket.create_server(("127.0.0.1", 0))
            print(self.listener.getsockname()[1], flush=True)
        else:
            self.address = "127.0.0.1", int(port)

    def set_algorithms(self, version, suite):
        """Those of TLS 1.3 cannot be chosen."""
        version = ssl.TLSVersion.TLSv1_2 if version == "1.2" else ssl.TLSVersion.TLSv1_3
        self.context.minimum_version = self.context.maximum_version = version
        self.context.set_ciphers(CIPHERS[suite])
        if self.work != "resumed":
            self.context.options |= ssl.OP_NO_TICKET
            if self.server:
                self.context.num_tickets = 0

    def open(self):
        if self.server:
            raw, _ = self.listener.accept()
        else:
            raw = socket.create_connection(self.address)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.server:
            return self.context.wrap_socket(raw, server_side=True)
        return self.context.wrap_socket(raw, server_hostname="localhost", session=self.session)

    def check(self, tls, resumed):
        self.tally.agreed = tls.cipher()[0]
        if tls.session_reused != resumed:
            sys.exit(f"python: resumed: {tls.session_reused}")

    def write_bulk(self, tls, data, least, timed):
        sent, look = 0, least
        while True:
            tls.sendall(data)
            sent += self.size
            if sent < look:
                continue
            if not timed or self.tally.over(self.seconds):
                return sent
            look = sent + LOOK_BYTES

    def serve_bulk(self):
        with self.open() as tls:
            data = bytes(self.size)
            self.write_bulk(tls, data, WARM_BYTES, False)
            tls.sendall(WARM)
            read(tls, 1)
            self.tally.start()
            self.tally.count = self.write_bulk(tls, data, 1, True)
            tls.sendall(LAST)
            read_end(tls)
            self.tally.stop()

    def connect_bulk(self):
        with self.open() as tls:
            self.check(tls, False)
            space = bytearray(max(self.size, LEAST_SPACE))
            read_bulk(tls, space)
            self.tally.start()
            tls.sendall(COUNT)
            self.tally.count = read_bulk(tls, space)
            self.tally.stop()
            end(tls)

    def serve_trips(self):
        with self.open() as tls:
            data = b""
            while data[:1] != LAST:
                data = read(tls, TRIP_BYTES)
                tls.sendall(data)
                if data[:1] == WARM:
                    self.tally.start()
                else:
                    self.tally.count += 1
            self.tally.stop()
            read_end(tls)

    def connect_trips(self):
        with self.open() as tls:
            self.check(tls, False)
            for _ in range(WARM_TRIPS):
                trip(tls, WARM)
            self.tally.start()
            while not self.tally.over(self.seconds):
                trip(tls, COUNT)
                self.tally.count += 1
            trip(tls, LAST)
            self.tally.count += 1
            self.tally.stop()
            end(tls)

    def serve_handshakes(self):
        what = b""
        while what != LAST:
            with self.open() as tls:
                what = read(tls, 1)
                tls.sendall(what)
                read_end(tls)
            if what == WARM:
                self.tally.start()
            else:
                self.tally.count += 1
        self.tally.stop()

    def connect_once(self, what, resumed):
        with self.open() as tls:
            tls.sendall(what)
            read(tls, 1)
            self.tally.stop()
            self.check(tls, resumed)
            self.tally.go_on()
            if self.work == "resumed":
                self.session = tls.session
            end(tls)

    def connect_handshakes(self):
        resumed = self.work == "resumed"
        self.connect_once(WARM, False)
        self.connect_once(WARM, resumed)
        self.tally.start()
        while not self.tally.over(self.seconds):
            self.connect_once(COUNT, resumed)
            self.tally.count += 1
        self.connect_once(LAST, resumed)
        self.tally.count += 1
        self.tally.stop()

    def hold(self):
        open_ones, data = [], bytes(self.size)
        self.tally.start()
        for number in range(IDLE):
            if number == WARM_IDLE:
                before = resident()
            tls = self.open()
            if not self.server:
                tls.sendall(data)
            read(tls, self.size)
            if self.server:
                tls.sendall(data)
            open_ones.append(tls)
        self.tally.memory = (resident() - before) / (IDLE - WARM_IDLE)
        self.tally.count = IDLE
        self.tally.stop()
        if not self.server:
            self.check(open_ones[0], False)
        for tls in open_ones:
            (read_end if self.server else end)(tls)


def resident():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def read(tls, size):
    data = b""
    while len(data) < size:
        more = tls.recv(size - len(data))
        if not more:
            sys.exit("python: the other end wrote too little")
        data += more
    return data


def read_end(tls):
    if tls.recv(1):
        sys.exit("python: the other end wrote too much")
    end(tls)


def read_bulk(tls, space):
    total = 0
    while True:
        n = tls.recv_into(space)
        if n == 0:
            sys.exit("python: the other end wrote too little")
        total += n
        if space[n - 1]:
            return total - 1


def trip(tls, what):
    tls.sendall(what.ljust(TRIP_BYTES, b"\0"))
    read(tls, TRIP_BYTES)


def end(tls):
    """Says close_notify and waits for the other one's, as programs with this module do."""
    tls.unwrap().close()


def about():
    which = "Python's own" if "cinch" not in (_ssl.__file__ or "") else "on libcinch"
    return f"Python {sys.version.split()[0]}, ssl {which}, {ssl.OPENSSL_VERSION}"


def make_contexts(ready):
    """The first one in this process, and later ones; READY: each with a connection that could begin."""
    def make():
        context = ssl.create_default_context()
        if ready:
            context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")
    tally = Tally()
    make()
    tally.stop()
    tally.first = tally.cpu
    tally.start()
    while tally.count < CONTEXTS and (tally.count < 5 or not tally.over(0.5)):
        make()
        tally.count += 1
    tally.stop()
    return tally


def run(this):
    kinds = {"bulk": "bulk", "trips": "trips", "streams": "streams", "idle": "idle"}
    kind = kinds.get(this.work, "handshakes")
    if kind == "idle":
        this.hold()
    elif kind == "streams":
        asyncio.run((streams.serve if this.server else streams.connect)(this))
    else:
        getattr(this, ("serve_" if this.server else "connect_") + kind)()
    return this.tally


def main():
    if len(sys.argv) == 2:
        tally = make_contexts(sys.argv[1] == "ready")
    elif sys.argv[2] in ("threads", "processes"):
        sys.exit(NOT_POSSIBLE)
    else:
        tally = run(End(*sys.argv[1:]))
    print(json.dumps({"about": about(), "agreed": tally.agreed, "count": tally.count,
                      "seconds": tally.wall, "cpu": tally.cpu, "memory": tally.memory, "first": tally.first}))


main()
