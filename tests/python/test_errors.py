"""The exceptions, side by side with CPython's own."""

import pickle

import _ssl
import pytest

from cinch import _cinch

KINDS = [name for name in dir(_ssl) if name.startswith("SSL") and name.endswith("Error")]


def test_there_are_seven():
    assert len(KINDS) == 7


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_is_like_stock(name):
    stock, ours = getattr(_ssl, name), getattr(_cinch, name)
    assert [kind.__name__ for kind in ours.__mro__] == [kind.__name__ for kind in stock.__mro__]
    assert (ours.__module__, ours.__qualname__) == ("ssl", name)
    assert ours.__doc__ == stock.__doc__


@pytest.mark.parametrize("arguments", [(), ("text",), (1, "text"), (1, 2), (2, "text", "file")])
def test_the_text_is_the_second_argument(arguments):
    stock, ours = _ssl.SSLError(*arguments), _cinch.SSLError(*arguments)
    assert str(ours) == str(stock)
    assert repr(ours) == repr(stock)
    assert (ours.errno, ours.strerror, ours.args) == (stock.errno, stock.strerror, stock.args)


def test_what_explains_is_none_without_an_explanation():
    error = _cinch.SSLError(1, "text")
    for name in ("explanation", "evidence", "remedy", "cause", "alert_sent", "alert_received"):
        assert getattr(error, name) is None


def test_can_be_derived_and_copied(monkeypatch):
    import ssl
    monkeypatch.setattr(ssl, "SSLError", _cinch.SSLError)
    error = pickle.loads(pickle.dumps(_cinch.SSLError(1, "text")))
    assert type(error) is _cinch.SSLError and str(error) == "text"

    class Derived(_cinch.SSLCertVerificationError):
        pass

    assert isinstance(Derived(1, "x"), ValueError)
