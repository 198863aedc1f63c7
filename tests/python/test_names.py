"""Every name of CPython's own _ssl is in ours, with the same value."""

import _ssl

import pytest

from cinch import _cinch

OTHER_VALUES = {
    # The suites of libcinch's default policy, whatever a distribution has chosen.
    "_DEFAULT_CIPHERS",
    # The headers that the module was built with, which may be older or newer.
    "_OPENSSL_API_VERSION",
    # The module itself.
    "__doc__", "__file__", "__loader__", "__name__", "__package__", "__spec__",
}

# OpenSSL does not install the headers of these, and nothing of them reaches a program of TLS.
WITHOUT_HEADER = {"DSO", "PROP", "SM2"}

DICTIONARIES = ("err_codes_to_names", "err_names_to_codes", "lib_codes_to_names")


def test_there_are_all_names():
    assert set(dir(_ssl)) <= set(dir(_cinch))


@pytest.mark.parametrize("name", sorted(set(dir(_ssl)) - OTHER_VALUES))
def test_a_constant_has_the_same_value(name):
    stock, ours = getattr(_ssl, name), getattr(_cinch, name)
    if isinstance(stock, (int, str, tuple)):
        assert (type(ours), ours) == (type(stock), stock)
    else:
        assert callable(ours) == callable(stock)


@pytest.mark.skipif(not hasattr(_ssl, "lib_codes_to_names"), reason="Python 3.12 and later")
def test_the_libraries_have_the_same_names():
    assert _cinch.lib_codes_to_names == _ssl.lib_codes_to_names


@pytest.mark.skipif(not hasattr(_ssl, "err_codes_to_names"), reason="Python 3.12 and later")
def test_the_reasons_have_the_same_names():
    missing = set()
    for code, name in _ssl.err_codes_to_names.items():
        library = _ssl.lib_codes_to_names[code[0]]
        if library in WITHOUT_HEADER:
            continue
        if code in _cinch.err_codes_to_names:
            assert _cinch.err_codes_to_names[code] == name
        else:
            missing.add((library, name))
    # CPython's table knows reasons of other versions of OpenSSL as well.
    assert len(missing) < 20, sorted(missing)


@pytest.mark.skipif(not hasattr(_cinch, "err_names_to_codes"), reason="Python 3.12 and later")
def test_names_lead_to_codes():
    assert _cinch.err_names_to_codes["CERTIFICATE_VERIFY_FAILED"] == (20, 134)
    assert _cinch.err_codes_to_names[(9, 108)] == "NO_START_LINE"


def test_default_ciphers_are_forward_secret():
    assert all(suite.startswith("ECDHE-") for suite in _cinch._DEFAULT_CIPHERS.split(":"))


def test_types_are_immutable():
    for kind in (_cinch.MemoryBIO, _cinch.Certificate):
        with pytest.raises(TypeError, match="immutable type"):
            kind.something = 1
    with pytest.raises(TypeError, match="cannot create"):
        _cinch.Certificate()
