"""Python's memory runs out, one allocation at a time: what comes of it is a MemoryError or a connection as it
was asked for, never one that is less. _ssl is the extension here."""

import ssl

import pytest

import duo as talk

starve = pytest.importorskip("_testcapi", reason="Python is installed without _testcapi")

PROTOCOL = "cinch-test"
AFTER_THE_LAST = 50


def contexts(pki):
    made = talk.client_context(pki), talk.server_context(pki)
    for context in made:
        context.set_alpn_protocols([PROTOCOL])
    return made


def make(client, server, bios):
    return [client.wrap_bio(*bios, server_hostname="localhost"),
            server.wrap_bio(*reversed(bios), server_side=True)]


def check(ends):
    """They agree on the one protocol that there is, and the client knows whom it has."""
    for end in ends * 3:
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            pass
    assert [end.selected_alpn_protocol() for end in ends] == [PROTOCOL] * 2
    assert ends[0].getpeercert()["subjectAltName"]


def test_connections_are_made_whole_or_not_at_all(pki):
    # Python itself imports codecs the first time, and says something else when that fails.
    check(make(*contexts(pki), [ssl.MemoryBIO(), ssl.MemoryBIO()]))
    failures = last = number = 0
    while number <= last + AFTER_THE_LAST:
        subject = (*contexts(pki), [ssl.MemoryBIO(), ssl.MemoryBIO()])
        ends = None
        starve.set_nomemory(number, number + 1)
        try:
            ends = make(*subject)
        except MemoryError:
            failures, last = failures + 1, number
        finally:
            starve.remove_mem_hooks()
        if ends is not None:
            check(ends)
        number += 1
    assert failures > 10
