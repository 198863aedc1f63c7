"""Which records are taken from a MemoryBIO: several at once, and none that a program would miss there.
_ssl is the extension here."""

import ssl

import pytest

import duo as talk

RECORD = 16384


@pytest.fixture(params=["1.2", "1.3"])
def pair(pki, request):
    limits = talk.only(request.param)
    return talk.Duo(talk.client_context(pki, **limits),
                    talk.server_context(pki, **limits)).handshake().echo()


def test_one_read_takes_all_that_is_here(pair):
    data = bytes(range(256)) * 300
    pair.server.write(data)
    assert pair.client.read(1 << 18) == data
    assert pair.to_client.pending == 0


def test_what_does_not_fit_stays(pair):
    pair.server.write(bytes(3 * RECORD))
    whole = pair.to_client.pending
    got = len(pair.client.read(2 * RECORD))
    # The space is for what the records hold, and their own size is a little more.
    assert got == RECORD and pair.to_client.pending == whole // 3 * 2
    assert pair.client.pending() == 0
    assert len(pair.client.read(2 * RECORD + 100)) == 2 * RECORD


def test_reads_in_small_pieces(pair):
    data = bytes(range(256)) * 100
    pair.server.write(data)
    got = b""
    while len(got) < len(data):
        got += pair.client.read(1000)
    assert got == data


def test_an_incomplete_record_stays(pair):
    pair.server.write(b"a" * 1000)
    pair.server.write(b"b" * 1000)
    sent = pair.to_client.read()
    pair.to_client.write(sent[:-1])
    assert pair.client.read(5000) == b"a" * 1000
    assert pair.to_client.pending == len(sent) // 2 - 1
    with pytest.raises(ssl.SSLWantReadError):
        pair.client.read(5000)
    pair.to_client.write(sent[-1:])
    assert pair.client.read(5000) == b"b" * 1000


def test_the_end_stays_behind_the_data(pair):
    pair.server.write(bytes(1000))
    with pytest.raises(ssl.SSLWantReadError):
        pair.server.unwrap()
    pair.to_client.write(b"plain text from here on")
    assert len(pair.client.read(5000)) == 1000
    assert pair.to_client.pending > len("plain text from here on")
    assert pair.client.read(5000) == b""
    assert pair.to_client.read() == b"plain text from here on"


def test_a_damaged_record_does_not_spoil_those_before_it(pair):
    pair.server.write(b"a" * 1000)
    pair.server.write(b"b" * 1000)
    sent = bytearray(pair.to_client.read())
    sent[-1] ^= 1
    pair.to_client.write(sent)
    assert pair.client.read(5000) == b"a" * 1000
    for _ in range(2):
        with pytest.raises(ssl.SSLError) as caught:
            pair.client.read(5000)
        assert not isinstance(caught.value, ssl.SSLWantReadError)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_the_handshake_leaves_data_where_it_is(pki, version):
    limits = talk.only(version)
    duo = talk.Duo(talk.client_context(pki, **limits), talk.server_context(pki, **limits))
    # Whoever is done first has data on the way behind its last message.
    first, last, way = ((duo.client, duo.server, duo.to_server) if version == "1.3"
                        else (duo.server, duo.client, duo.to_client))
    for _ in range(10):
        try:
            first.do_handshake()
            break
        except ssl.SSLWantReadError:
            with pytest.raises(ssl.SSLWantReadError):
                last.do_handshake()
    before = way.pending
    first.write(b"early bird" * 10)
    size = way.pending - before
    last.do_handshake()
    assert way.pending == size
    assert last.read(1000) == b"early bird" * 10
