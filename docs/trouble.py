#!/usr/bin/python3
"""trouble.py PORT HOW [ARGUMENT]: takes one connection on localhost and makes trouble.
PORT 0 is any free one; it prints where it listens.

    silent          says nothing, until the client goes
    say TEXT        says TEXT instead of TLS
    lines TEXT...   begins in the clear: says each text, \\n between its lines, and hears an answer
    alert NUMBER    answers with a TLS alert (RFC 8446, 6)
    garbage         answers with something that only looks like TLS
    close           closes after the client's first bytes
    reset           resets the connection then
    cut CERT        a TLS server that ends without close_notify
    leave           is a client itself: says hello, reads the answer, ends without close_notify
    damage PORT     passes everything on to PORT, but changes a byte of what comes back
"""

import socket
import ssl
import struct
import sys


def damage(client, port):
    """Lets the unprotected ServerHello pass and flips one bit in the first protected record."""
    server = socket.create_connection(("localhost", port))
    server.sendall(client.recv(65536))
    while True:
        head = server.recv(5, socket.MSG_WAITALL)
        if len(head) < 5:
            return
        body = bytearray(server.recv(struct.unpack("!H", head[3:])[0], socket.MSG_WAITALL))
        protected = head[0] == 23
        if protected:
            body[-1] ^= 1
        client.sendall(head + body)
        if protected:
            client.recv(65536)
            return


def go(client):
    """Ends the connection in an orderly way, so that what the client says is not answered by a reset."""
    client.shutdown(socket.SHUT_WR)
    while client.recv(65536):
        pass
    client.close()


def say_lines(client, texts):
    for text in texts:
        client.sendall(text.replace("\\n", "\r\n").encode() + b"\r\n")
        client.recv(65536)


def cut(client, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    protected = context.wrap_socket(client, server_side=True)
    # Without the TLS object nobody says close_notify.
    go(socket.socket(fileno=protected.detach()))


def leave(port):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    protected = context.wrap_socket(socket.create_connection(("localhost", port)))
    protected.sendall(b"hello\n")
    protected.recv(65536)
    go(socket.socket(fileno=protected.detach()))


def main():
    port, how, argument = int(sys.argv[1]), sys.argv[2], "".join(sys.argv[3:4])
    if how == "leave":
        leave(port)
        return
    with socket.create_server(("localhost", port)) as listener:
        print(f"listening on localhost:{listener.getsockname()[1]}", flush=True)
        client = listener.accept()[0]
    if how == "cut":
        cut(client, argument)
        return
    if how == "lines":
        say_lines(client, sys.argv[3:])
        go(client)
        return
    if how == "damage":
        damage(client, int(argument))
        return
    client.recv(65536)
    if how == "silent":
        client.recv(65536)
    elif how == "say":
        client.sendall(argument.encode() + b"\r\n")
    elif how == "alert":
        client.sendall(bytes((21, 3, 3, 0, 2, 2, int(argument))))
    elif how == "garbage":
        client.sendall(bytes((22, 3, 3, 0, 4, 99, 0, 0, 0)))
    elif how == "reset":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        return
    elif how != "close":
        sys.exit(__doc__)
    go(client)


main()
