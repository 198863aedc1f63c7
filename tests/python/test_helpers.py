"""The functions of the module, side by side with CPython's own."""

import warnings

import _ssl
import pytest

from cinch import _cinch


def outcome(function, *arguments, **keywords):
    try:
        return function(*arguments, **keywords)
    except Exception as error:  # what is compared is which one it is
        return type(error).__name__, str(error)


@pytest.mark.parametrize("name, arguments", [
    ("txt2obj", ("1.3.6.1.5.5.7.3.1",)),
    ("txt2obj", ("serverauth",)),
    ("txt2obj", ("serverAuth", True)),
    ("txt2obj", ("", True)),
    ("txt2obj", ("1.2.3.4.5.6",)),
    ("nid2obj", (129,)),
    ("nid2obj", (0,)),
    ("nid2obj", (-1,)),
    ("nid2obj", (100000,)),
    ("get_default_verify_paths", ()),
    ("RAND_status", ()),
    ("RAND_add", ("text", 75.0)),
    ("RAND_add", (b"bytes", 75)),
    ("RAND_bytes", (-5,)),
    ("RAND_bytes", (0,)),
    ("_test_decode_cert", ("/nonexistent",)),
    ("_test_decode_cert", ("/dev/null",)),
])
def test_gives_what_stock_gives(name, arguments):
    assert outcome(getattr(_cinch, name), *arguments) == outcome(getattr(_ssl, name), *arguments)


def test_takes_keywords():
    assert _cinch.txt2obj(txt="serverAuth", name=True)[0] == 129


def test_random_bytes_differ():
    first, second = _cinch.RAND_bytes(32), _cinch.RAND_bytes(32)
    assert len(first) == len(second) == 32 and first != second


@pytest.mark.parametrize("wrong", ["x", None, 1.5])
def test_random_bytes_want_a_number(wrong):
    with pytest.raises(TypeError):
        _cinch.RAND_bytes(wrong)


def test_too_many_random_bytes():
    with pytest.raises(OverflowError):
        _cinch.RAND_bytes(1 << 40)


@pytest.mark.skipif(not hasattr(_ssl, "RAND_pseudo_bytes"), reason="Python 3.12 and later")
def test_pseudo_random_bytes_are_deprecated():
    with pytest.warns(DeprecationWarning):
        data, strong = _cinch.RAND_pseudo_bytes(16)
    assert len(data) == 16 and strong is True
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DeprecationWarning):
            _cinch.RAND_pseudo_bytes(16)
