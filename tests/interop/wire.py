"""Servers and proxies in threads, for what no well-behaved program does to a connection."""

import select
import socket
import ssl
import struct
import threading

from programs import LIMIT

VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


class Listener:
    """Accepts on a free port; each connection is handled in a thread of its own. Everything is
    closed when the `with` ends."""

    def __init__(self, handle):
        self.handle = handle
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.open = []
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            connection.settimeout(LIMIT)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.open.append(connection)
            thread = threading.Thread(target=self._one, args=(connection,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def _one(self, connection):
        try:
            self.handle(connection)
        except (OSError, ValueError):
            pass  # the other side went away, which is what many of these tests are about
        finally:
            connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # shutdown() wakes a thread that waits for the socket; close() does not, and may give the
        # number to another socket while that thread still uses it.
        for one in [self.socket, *self.open]:
            try:
                socket.socket.shutdown(one, socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self.threads:
            thread.join(LIMIT)
        for one in [self.socket, *self.open]:
            one.close()


def server_context(pki, version=None, name="good"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / f"{name}-chain.pem", pki / f"{name}.key")
    if version is not None:
        context.minimum_version = context.maximum_version = VERSIONS[version]
    return context


class TlsServer(Listener):
    """A server whose handshakes are Python's; TALK gets the protected connection."""

    def __init__(self, context, talk):
        self.context = context
        self.talk = talk
        super().__init__(self._protect)

    def _protect(self, connection):
        with self.context.wrap_socket(connection, server_side=True,
                                      do_handshake_on_connect=False) as protected:
            self.open.append(protected)
            protected.do_handshake()
            self.talk(protected)


def both_ways(connection, data, size):
    """Sends all of DATA while it receives SIZE bytes, in one thread: two must not use the same SSL
    object of OpenSSL's at the same time, and Python does not keep them from it."""
    received = bytearray()
    rest = memoryview(data)
    connection.setblocking(False)
    while rest or len(received) < size:
        moved = False
        try:
            count = connection.send(rest[:65536]) if rest else 0
            rest = rest[count:]
            moved = count > 0
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        try:
            piece = connection.recv(65536) if len(received) < size else b""
            assert piece or len(received) == size, f"ended after {len(received)} of {size} bytes"
            received += piece
            moved = moved or bool(piece)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        if not moved:
            ready = select.select([connection], [connection] if rest else [], [], LIMIT)
            assert any(ready), "nothing moves"
    connection.settimeout(LIMIT)
    return bytes(received)


def reset(connection):
    """Ends a connection with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Proxy(Listener):
    """Passes on what comes, through CHANGE(direction, position, data): what to send instead, as a
    list of pieces, None among them to cut. Directions are "up", to the server, and "down". What
    came is kept, of the last connection."""

    def __init__(self, port, change):
        self.target = port
        self.change = change
        self.seen = {"up": b"", "down": b""}
        super().__init__(self._relay)

    def _relay(self, client):
        server = socket.create_connection(("127.0.0.1", self.target), timeout=LIMIT)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.open.append(server)
        up = threading.Thread(target=self._pump, args=("up", client, server), daemon=True)
        up.start()
        self._pump("down", server, client)
        up.join(LIMIT)
        server.close()

    def _pump(self, direction, source, sink):
        position = 0
        try:
            while data := source.recv(65536):
                self.seen[direction] += data
                for piece in self.change(direction, position, data):
                    if piece is None:
                        source.shutdown(socket.SHUT_RDWR)
                        sink.shutdown(socket.SHUT_RDWR)
                        return
                    sink.sendall(piece)
                position += len(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for one in (source, sink):
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


def unchanged(_direction, _position, data):
    return [data]


def byte_by_byte(_direction, _position, data):
    return [data[at:at + 1] for at in range(len(data))]


def cut_down_at(limit):
    """So many bytes from the server come through, then both sides see the end."""
    def change(direction, position, data):
        if direction == "up" or position + len(data) <= limit:
            return [data]
        return [data[:max(limit - position, 0)], None]
    return change


def flip_at(target, direction):
    """One bit of one byte is another."""
    def change(this, position, data):
        if this != direction or not position <= target < position + len(data):
            return [data]
        changed = bytearray(data)
        changed[target - position] ^= 0x10
        return [bytes(changed)]
    return change


def record_at(stream, target):
    """Type and start of the TLS record that this byte is in (RFC 8446, 5.1)."""
    start = 0
    while start + 5 <= len(stream):
        end = start + 5 + int.from_bytes(stream[start + 3:start + 5], "big")
        if target < end:
            break
        start = end
    return stream[start], start
