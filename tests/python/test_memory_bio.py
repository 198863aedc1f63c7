"""MemoryBIO, side by side with CPython's own."""

import random

import _ssl
import pytest

from cinch import _cinch


@pytest.fixture(params=[_ssl, _cinch], ids=["stock", "cinch"])
def module(request):
    return request.param


def test_reads_what_was_written(module):
    bio = module.MemoryBIO()
    assert bio.write(b"foo") == 3
    assert bio.write(bytearray(b"bar")) == 3
    assert bio.pending == 6
    assert [bio.read(2), bio.read(0), bio.read(-7), bio.read()] == [b"fo", b"", b"obar", b""]


def test_end_of_file_comes_after_the_bytes(module):
    bio = module.MemoryBIO()
    assert not bio.eof
    bio.write(b"foo")
    bio.write_eof()
    assert not bio.eof
    assert bio.read() == b"foo"
    assert bio.eof and bio.read() == b""
    with pytest.raises(module.SSLError, match=r"cannot write\(\) after write_eof\(\)"):
        bio.write(b"x")


@pytest.mark.parametrize("value", ["foo", None, True, 1])
def test_refuses_what_is_not_bytes(module, value):
    with pytest.raises(TypeError):
        module.MemoryBIO().write(value)


def test_refuses_bytes_with_gaps(module):
    with pytest.raises(BufferError):
        module.MemoryBIO().write(memoryview(bytearray(b"noncontig"))[::-2])


def test_takes_no_arguments(module):
    with pytest.raises(TypeError):
        module.MemoryBIO(1)
    with pytest.raises(TypeError):
        module.MemoryBIO(size=1)


def test_attributes_are_read_only(module):
    bio = module.MemoryBIO()
    for name in ("eof", "pending"):
        with pytest.raises(AttributeError):
            setattr(bio, name, 1)


@pytest.mark.parametrize("seed", range(20))
def test_does_what_a_plain_buffer_does(seed):
    """Whatever the pieces are, also when the buffer grows and moves in between."""
    chance = random.Random(seed)
    bio, expected = _cinch.MemoryBIO(), b""
    for _ in range(300):
        if chance.random() < 0.55:
            piece = chance.randbytes(chance.choice([0, 1, 100, 1000, 5000]))
            assert bio.write(piece) == len(piece)
            expected += piece
        else:
            size = chance.choice([0, 1, 7, 800, 20000])
            assert bio.read(size) == expected[:size]
            expected = expected[size:]
        assert bio.pending == len(expected)
    assert bio.read() == expected
