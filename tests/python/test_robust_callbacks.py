"""Callbacks that raise, use their own connection again, or let go of everything. _ssl is the extension."""

import contextlib
import gc
import ssl
import sys
import weakref

import pytest

import duo as talk


@pytest.fixture
def contexts(pki):
    return talk.client_context(pki), talk.server_context(pki)


@contextlib.contextmanager
def unraisable():
    """Collects the kinds of what nobody could be told."""
    caught, before = [], sys.unraisablehook
    sys.unraisablehook = lambda what: caught.append(what.exc_type)
    try:
        yield caught
    finally:
        sys.unraisablehook = before


def fail(*unused):
    raise KeyError("from the callback")


def uses(sock):
    return [sock.do_handshake, lambda: sock.read(1), lambda: sock.write(b"x")]


# ---- sni_callback ----

def test_a_name_callback_that_raises_ends_the_handshake(contexts):
    client, server = contexts
    server.sni_callback = fail
    with pytest.raises(ssl.SSLError) as caught, unraisable() as kinds:
        talk.Duo(client, server).handshake()
    assert caught.value.reason in ("CALLBACK_FAILED", "SSLV3_ALERT_HANDSHAKE_FAILURE")
    assert kinds == [KeyError]
    server.sni_callback = None
    talk.Duo(client, server).handshake().echo()


def test_a_name_callback_cannot_use_its_connection(contexts):
    client, server = contexts
    refused = []

    def callback(sock, name, context):
        for use in uses(sock):
            with pytest.raises(ssl.SSLError, match="a callback cannot use"):
                use()
            refused.append(use)
        # Looking, and using another one, is fine.
        assert sock.version() is None and sock.cipher() is None
        server.sni_callback = None
        talk.Duo(client, server).handshake().echo()

    server.sni_callback = callback
    talk.Duo(client, server).handshake().echo()
    assert len(refused) == 3


def test_a_context_without_a_certificate_hands_over(contexts):
    client, server = contexts
    first = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    first.sni_callback = lambda sock, name, context: setattr(sock, "context", server)
    talk.Duo(client, first).handshake().echo()
    first.sni_callback = lambda sock, name, context: None
    with pytest.raises(ssl.SSLError, match="no identity"):
        talk.Duo(client, first).handshake()


def test_a_name_callback_that_lets_go_of_everything(pki):
    client, server = talk.client_context(pki), talk.server_context(pki)
    gone = []

    def callback(sock, name, context):
        gone.append(weakref.ref(context))
        context.sni_callback = None
        sock.context = talk.server_context(pki)
        box.clear()
        gc.collect()

    server.sni_callback = callback
    box = [server]
    del server
    pair = talk.Duo(client, box[0])
    pair.handshake().echo()
    gc.collect()
    assert len(gone) == 1 and gone[0]() is None


def test_a_name_callback_that_puts_itself_out(contexts):
    client, server = contexts

    def callback(sock, name, context):
        nonlocal callback
        server.sni_callback = None
        del callback
        gc.collect()
        return None

    server.sni_callback = callback
    talk.Duo(client, server).handshake().echo()


@pytest.mark.parametrize("answer, reason", [
    (ssl.ALERT_DESCRIPTION_ACCESS_DENIED, "TLSV1_ALERT_ACCESS_DENIED"),
    ("text", "TLSV1_ALERT_INTERNAL_ERROR"),
    (10 ** 30, "TLSV1_ALERT_INTERNAL_ERROR"),
    (-1, "TLSV1_ALERT_INTERNAL_ERROR"),
])
def test_a_name_callback_answers_with_an_alert(contexts, answer, reason):
    client, server = contexts
    server.sni_callback = lambda *unused: answer
    pair = talk.Duo(client, server)
    with pytest.raises(ssl.SSLWantReadError):
        pair.client.do_handshake()
    with pytest.raises(ssl.SSLError), unraisable():
        pair.server.do_handshake()
    with pytest.raises(ssl.SSLError) as caught:
        pair.client.do_handshake()
    assert caught.value.reason == reason


# ---- _msg_callback ----

@pytest.mark.parametrize("at", [1, 3, 9, 20])
def test_what_a_message_callback_raises_comes_out_of_the_call(contexts, at):
    client, server = contexts
    seen = []

    def callback(*message):
        seen.append(message)
        if len(seen) >= at:
            raise KeyError("from the callback")

    client._msg_callback = callback
    with pytest.raises(KeyError), unraisable():
        pair = talk.Duo(client, server).handshake()
        for _ in range(20):
            pair.echo()


def test_a_connection_goes_on_after_a_message_callback_has_raised(contexts):
    client, server = contexts
    client._msg_callback = fail
    pair = talk.Duo(client, server)
    with pytest.raises(KeyError), unraisable():
        pair.client.do_handshake()
    pair.client.context._msg_callback = None
    assert pair.to_server.pending > 0, "the ClientHello left all the same"


def test_a_message_callback_cannot_use_its_connection(contexts):
    client, server = contexts
    refused = []

    def callback(sock, *message):
        for use in uses(sock):
            try:
                use()
            except ssl.SSLError as error:
                refused.append("a callback cannot use" in str(error))
        sock.cipher(), sock.version(), sock.session, sock.pending()

    client._msg_callback = server._msg_callback = callback
    talk.Duo(client, server).handshake().echo()
    assert len(refused) > 20 and all(refused)


def test_a_message_callback_that_lets_go_of_its_connection(contexts):
    client, server = contexts
    box = []
    client._msg_callback = lambda sock, *message: (box.clear(), gc.collect())
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    box.append(client._wrap_bio(to_client, to_server, False, "localhost"))
    with pytest.raises(ssl.SSLWantReadError):
        box[0].do_handshake()
    assert box == [] and to_server.pending > 0


# ---- passwords ----

@pytest.mark.parametrize("answer, kind", [
    (fail, KeyError),
    (lambda: 5, TypeError),
    (lambda: "x" * 2000, ValueError),
    (lambda: "\ud800", UnicodeError),
    (lambda: "", ssl.SSLError),
    (lambda: b"wrong", ssl.SSLError),
])
def test_a_password_callback_of_no_use(pki, answer, kind):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with pytest.raises(kind):
        context.load_cert_chain(f"{pki}/good-chain.pem", f"{pki}/good-encrypted.key", answer)
    context.load_cert_chain(f"{pki}/good-chain.pem", f"{pki}/good-encrypted.key", lambda: "cinch")


def test_a_password_callback_that_uses_the_context(pki):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def callback():
        context.load_cert_chain(f"{pki}/good-all.pem")
        gc.collect()
        return "cinch"

    context.load_cert_chain(f"{pki}/good-chain.pem", f"{pki}/good-encrypted.key", callback)
    talk.Duo(talk.client_context(pki), context).handshake().echo()
