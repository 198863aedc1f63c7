"""Nothing stays behind. CINCH_CONNECTIONS=10000 makes the long one longer. _ssl is the extension here."""

import gc
import os
import ssl

import pytest

import duo as talk

CONNECTIONS = int(os.environ.get("CINCH_CONNECTIONS", "2000"))
SANITIZED = "asan" in os.environ.get("LD_PRELOAD", "")
# What the allocator may keep; a connection that stays takes more than 10 kB.
SPARE = 2_000_000


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def growth(work, times):
    for _ in range(times // 5 + 20):
        work()
    gc.collect()
    before = resident()
    for _ in range(times):
        work()
    gc.collect()
    return resident() - before


def flat(work, times):
    """Once more if it grew: what was the allocator's does not grow again."""
    return any(growth(work, times) < SPARE for _ in range(2))


pytestmark = pytest.mark.skipif(SANITIZED, reason="the sanitizer keeps what is freed")


@pytest.fixture(scope="module")
def contexts(pki):
    return talk.client_context(pki), talk.server_context(pki)


def test_connections_leave_nothing(contexts):
    client, server = contexts
    sessions = []

    def work():
        pair = talk.Duo(client, server, session=sessions.pop() if len(sessions) > 1 else None)
        pair.handshake().echo()
        sessions.append(pair.client.session)
        pair.client.getpeercert(), pair.client.cipher(), pair.server.shared_ciphers()
        pair.client._sslobj.report(), pair.client._sslobj.get_verified_chain()
        pair.close()

    assert flat(work, CONNECTIONS)


def test_failed_connections_leave_nothing(pki, contexts):
    bad = talk.server_context(pki, "expired")

    def work():
        with pytest.raises(ssl.SSLError):
            talk.Duo(contexts[0], bad).handshake()
        with pytest.raises(ssl.SSLWantReadError):
            talk.Duo(*contexts).client.do_handshake()

    assert flat(work, CONNECTIONS // 4)


def test_contexts_leave_nothing(pki):
    def work():
        client, server = talk.client_context(pki), talk.server_context(pki)
        server.sni_callback = lambda sock, name, context: setattr(sock, "context", server)
        client._msg_callback = lambda *message: client
        talk.Duo(client, server).handshake().echo()
        client.get_ca_certs(), client.audit(), server.get_ciphers()

    assert flat(work, CONNECTIONS // 10)
