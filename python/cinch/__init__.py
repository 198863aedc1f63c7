"""Puts the standard library's ssl module on libcinch.

    import cinch
    cinch.install()     # before anything imports ssl

After that `import ssl` and all that uses it, http.client, asyncio, requests and the like, make their
connections with libcinch. Without touching the program: `python3 -m cinch program.py`, or
CINCH_PYTHON=1 in the environment where the package is installed.
"""

import sys

__version__ = "0.1.0"
__all__ = ["audit", "install", "report", "status", "__version__"]


def install():
    """Puts libcinch in the place of the module _ssl. Doing it twice is fine.

    RuntimeError if the program has imported ssl already: what that holds cannot be exchanged.
    """
    present = sys.modules.get("_ssl")
    if present is None and "ssl" not in sys.modules:
        sys.modules["_ssl"] = _extension()
    elif not _is_ours(present):
        name = "ssl" if "ssl" in sys.modules else "_ssl"
        raise RuntimeError(
            f"cinch.install() comes too late: {name} is imported already, with "
            f"{_origin(present)}. Call it first thing in the program, before every import that may "
            f"lead to ssl, or run the program with `python3 -m cinch`, or set CINCH_PYTHON=1."
        )


def status():
    """Tells whether ssl is on libcinch here, and with which versions."""
    return Status()


def report(sock):
    """What was agreed on SOCK, an ssl.SSLSocket or ssl.SSLObject, and who is there: a dict.

    version, cipher, cipher_bits, group, signature_algorithm, alpn, server_name, host, resumed, verified,
    chain (as it was verified) and sent (as it came), both of Certificates, and times of the handshake in
    microseconds. What is not known is empty. ValueError if there is no connection, TypeError if it is not
    on libcinch.
    """
    inner = _inside(sock, "_sslobj")
    if inner is None:
        raise ValueError("there is no TLS connection on this socket")
    return _method(inner, "report")()


def audit(context):
    """What is weak in CONTEXT, an ssl.SSLContext, the worst first: a list of dicts.

    id, severity, what, why, since, source and remedy; docs/audit.md explains each id. TypeError if it is
    not on libcinch.
    """
    return _method(context, "audit")()


class Status:
    """What status() found out; str() of it is for people."""

    def __init__(self):
        extension = _extension()
        #: Whether ssl uses, or will use, libcinch.
        self.installed = _is_ours(sys.modules.get("_ssl"))
        #: The version of libcinch that this process runs with.
        self.libcinch = extension.CINCH_VERSION
        #: The version of OpenSSL below it.
        self.openssl = extension.OPENSSL_VERSION
        #: The file of the extension module.
        self.extension = extension.__file__
        #: Which _ssl the program has; None as long as none is imported.
        self.origin = _origin(sys.modules["_ssl"]) if "_ssl" in sys.modules else None

    def __str__(self):
        if self.installed:
            first = "ssl is on libcinch"
        elif self.origin is None:
            first = "ssl is not on libcinch: nothing has called cinch.install()"
        else:
            first = f"ssl is not on libcinch, but on {self.origin}"
        return (f"{first}\nlibcinch:  {self.libcinch}\nOpenSSL:   {self.openssl}\n"
                f"extension: {self.extension}")

    def __repr__(self):
        return f"<cinch.Status installed={self.installed} libcinch={self.libcinch!r}>"


def _extension():
    from cinch import _cinch
    return _cinch


def _inside(sock, name):
    try:
        return getattr(sock, name)
    except AttributeError:
        raise TypeError(f"not a socket or object of ssl: {type(sock).__name__}") from None


def _method(thing, name):
    extension = _extension()
    if not isinstance(thing, (extension._SSLContext, extension._SSLSocket)):
        raise TypeError(f"not on libcinch: {type(thing).__name__}; call cinch.install() first thing in "
                        f"the program")
    return getattr(thing, name)


def _is_ours(module):
    return module is not None and module is sys.modules.get("cinch._cinch")


def _origin(module):
    if module is None:
        return "another _ssl"
    return getattr(module, "__file__", None) or "the _ssl that is built into Python"
