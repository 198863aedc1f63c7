"""measure.py DIRECTORY SECONDS: one round of what bench/python/run compares, in this process, with the ssl
that it has. It prints JSON: handshakes per second, MB per second, microseconds for a context. The seconds are
those of the processor, with both ends in this process: other load does not count."""

import asyncio
import json
import pathlib
import socket
import ssl
import sys
import threading
import time

import _ssl

CHUNK = 1 << 18


def contexts(directory, key, version):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(directory / f"{key}.crt", directory / f"{key}.key")
    client = ssl.create_default_context(cafile=directory / f"{key}-ca.pem")
    for context in (server, client):
        context.minimum_version = context.maximum_version = version
    # The same work for both: one suite.
    client.set_ciphers("ECDHE+AESGCM+AES128")
    return server, client


def shake(server, client):
    """One full handshake in memory: no scheduler, no network."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [client.wrap_bio(down, up, server_hostname="localhost"),
             server.wrap_bio(up, down, server_side=True)]
    left = list(sides)
    while left:
        for side in list(left):
            try:
                side.do_handshake()
                left.remove(side)
            except ssl.SSLWantReadError:
                pass
    assert not sides[0].session_reused


def handshakes(directory, key, version, seconds):
    server, client = contexts(directory, key, version)
    shake(server, client)
    count, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        shake(server, client)
        count += 1
    return count / (time.process_time() - start)


def bulk(directory, seconds):
    """sendall() in a thread, recv_into() in this one, over a pair of sockets."""
    server, client = contexts(directory, "p256", ssl.TLSVersion.TLSv1_3)
    here, there = socket.socketpair()
    data, stop = bytes(CHUNK), threading.Event()

    def send():
        with server.wrap_socket(there, server_side=True) as out:
            while not stop.is_set():
                out.sendall(data)
            out.unwrap()
    thread = threading.Thread(target=send)
    thread.start()
    with client.wrap_socket(here, server_hostname="localhost") as tls:
        space, count, start = bytearray(CHUNK), 0, time.process_time()
        while time.process_time() - start < seconds:
            count += tls.recv_into(space)
        spent = time.process_time() - start
        stop.set()
        while tls.recv_into(space):
            pass
        tls.unwrap()
    thread.join()
    return count / spent / 1e6


async def streams(directory, seconds):
    """The same with asyncio, whose TLS is in memory."""
    server, client = contexts(directory, "p256", ssl.TLSVersion.TLSv1_3)
    data, stop = bytes(CHUNK), asyncio.Event()

    async def send(_, writer):
        while not stop.is_set():
            writer.write(data)
            await writer.drain()
        writer.close()
    listener = await asyncio.start_server(send, "127.0.0.1", 0, ssl=server)
    port = listener.sockets[0].getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client,
                                                   server_hostname="localhost")
    count, start = 0, time.process_time()
    while time.process_time() - start < seconds:
        count += len(await reader.read(CHUNK))
    spent = time.process_time() - start
    stop.set()
    while await reader.read(CHUNK):
        pass
    writer.close()
    listener.close()
    return count / spent / 1e6


def default_contexts():
    """How long the first one takes, and later ones, with the system's authorities."""
    times = []
    for _ in range(6):
        start = time.process_time()
        ssl.create_default_context()
        times.append((time.process_time() - start) * 1e6)
    return times[0], min(times[1:])


def main():
    directory, seconds = pathlib.Path(sys.argv[1]), float(sys.argv[2])
    found = {"extension": _ssl.__file__}
    found["context, first"], found["context, later"] = default_contexts()
    for version in ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2:
        for key in "p256", "rsa":
            name = f"handshakes, {version.name}, {key}"
            found[name] = handshakes(directory, key, version, seconds)
    found["bulk, sockets"] = bulk(directory, seconds)
    found["bulk, asyncio"] = asyncio.run(streams(directory, seconds))
    print(json.dumps(found))


main()
