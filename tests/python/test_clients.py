"""Debian's HTTP clients, unchanged, on libcinch: what they get, what they refuse, and that their users see
the exceptions that they know."""

import sys

import pytest

import programs

# The library, and the exception that its users catch.
USUAL = {
    "urllib": "urllib.error.URLError",
    "http": "ssl.SSLCertVerificationError",
    "requests": "requests.exceptions.SSLError",
    "urllib3": "urllib3.exceptions.MaxRetryError",
    "aiohttp": "aiohttp.client_exceptions.ClientConnectorCertificateError",
    "httpx": "httpx.ConnectError",
    "tornado": "ssl.SSLCertVerificationError",
    "websockets": "ssl.SSLCertVerificationError",
}
CLIENTS = programs.present(*USUAL)
FETCHERS = [name for name in CLIENTS if name != "websockets"]

# What those raise that switch the check of the name off, and have one of their own: urllib3 before 2.0.
OWN_CHECK = "urllib3.util.ssl_match_hostname.CertificateError"

# The certificate, the authority that the client trusts, what OpenSSL calls it.
REFUSED = {
    "wrong-name": ("wrong-name", "root", 62),
    "expired": ("expired", "root", 10),
    "unknown-ca": ("unknown-ca", "root", 20),
    "other-anchor": ("good", "other-root", 20),
    "self-signed": ("self-signed", "root", 18),
}


@pytest.fixture(scope="module", params=["tls1_3", "tls1_2"])
def good(request, pki):
    with programs.OpensslServer(pki, "good", f"-{request.param}") as server:
        return programs.clients(FETCHERS, server.port, pki / "root.pem")


@pytest.fixture(scope="module", params=REFUSED)
def bad(request, pki):
    certificate, anchor, code = REFUSED[request.param]
    with programs.OpensslServer(pki, certificate) as server:
        ours, stock = (programs.clients(CLIENTS, server.port, pki / f"{anchor}.pem", ours=here)
                       for here in (True, False))
    return ours, stock, code


@pytest.mark.parametrize("name", FETCHERS)
def test_what_openssl_serves_arrives(name, good):
    answer = good[name]
    assert answer.get("status") == 200 and "<HTML>" in answer["body"], answer
    assert answer["size"] > 1000


@pytest.mark.parametrize("name", CLIENTS)
def test_a_certificate_that_is_not_right_is_refused(name, bad):
    answer, stock, code = bad[0][name], bad[1][name], bad[2]
    assert USUAL[name] in answer["bases"], answer
    assert (answer["error"], answer["bases"]) == (stock["error"], stock["bases"])
    if code != 62 or OWN_CHECK not in stock["error"]:
        assert answer["reason"] == "CERTIFICATE_VERIFY_FAILED", answer
        assert answer["code"] == stock["code"] == code


@pytest.mark.parametrize("name", [name for name in CLIENTS if name == "websockets"])
def test_websockets_talk_to_stock_python(name, pki):
    with programs.PythonServer(pki, name, ours=False) as server:
        answer = programs.client(name, server.port, pki / "root.pem")
        assert (answer.get("status"), answer.get("size")) == (200, 300000), answer


@pytest.mark.parametrize("module", programs.present("requests"))
def test_a_program_needs_no_change(module, pki, tmp_path):
    """`python3 -m cinch PROGRAM` with one that knows nothing of it."""
    with programs.OpensslServer(pki, "good") as server:
        done = programs.run(sys.executable, "-m", "cinch", programs.HERE / "client.py", module,
                            "localhost", server.port, pki / "root.pem",
                            env=programs.environment(False, PYTHONPATH=programs.PACKAGE))
    assert done.returncode == 0 and '"status": 200' in done.stdout, done.stdout
    assert f"{programs.PACKAGE}/cinch/_cinch." in done.stdout


@pytest.mark.parametrize("name", programs.present("tornado.test"))
def test_tornados_own_tests(name):
    """Those of its that use TLS."""
    done = programs.run(sys.executable, "-c", """
import sys, _ssl
assert sys.argv.pop(1) in _ssl.__file__
import tornado.testing
tornado.testing.main()
""", f"{programs.PACKAGE}/cinch/_cinch.", *TORNADO, env=programs.environment(ASYNC_TEST_TIMEOUT=60))
    assert done.returncode == 0 and "\nOK" in done.stdout, done.stdout[-4000:]


TORNADO = ["tornado.test.iostream_test", "tornado.test.httpserver_test",
           "tornado.test.simple_httpclient_test", "tornado.test.tcpclient_test"]
