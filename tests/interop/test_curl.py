"""libcurl with a context, against servers of others: each scheme with the right certificate and wrong ones."""

import json
import os
import pathlib

import pytest

import services
from programs import OpensslServer, run

PROGRAMS = pathlib.Path(os.environ["CINCH_BUILD"]) / "tests" / "interop"

# mkpki's certificates, and what Cinch says of them.
REFUSED = {"wrong-name": "wrong-host-name", "unknown-ca": "unknown-issuer", "expired": "expired",
           "self-signed": "self-signed"}
CERTIFICATES = ["good", *REFUSED]


def talk(pki, *args, anchor="root", program="curl_talk"):
    return run(PROGRAMS / program, pki / f"{anchor}.pem", *args)


def error(outcome):
    assert outcome.code != 0, outcome.text
    told = json.loads(outcome.out)
    assert told["what"] and told["remedy"] and told["exit_code"] == outcome.code
    return told


def check(certificate, outcome, text):
    if certificate == "good":
        assert outcome.code == 0 and text in outcome.out.decode().replace("\r", ""), outcome.text
    else:
        told = error(outcome)
        assert told["cause"] == REFUSED[certificate], told
        assert "certificate" in told["evidence"]


@pytest.fixture(scope="module", params=CERTIFICATES)
def mail(request, pki):
    with services.Postfix(pki, request.param) as postfix, services.Dovecot(pki, request.param) as dovecot:
        yield request.param, postfix, dovecot


@pytest.fixture(scope="module")
def nginx(pki):
    with services.Nginx(pki) as server:
        yield server


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_smtp(pki, mail, scheme):
    certificate, server, _ = mail
    outcome = talk(pki, f"to={services.ADDRESS}", f"upload=Subject: {scheme}\r\n\r\nhello\r\n",
                   f"{scheme}://localhost:{server[scheme]}")
    check(certificate, outcome, "")
    if certificate == "good":
        text = server.mail()
        assert "using TLSv1.3" in text and f"Subject: {scheme}" in text


@pytest.mark.parametrize("scheme", ["imap", "imaps", "pop3", "pop3s"])
def test_imap_and_pop3(pki, mail, scheme):
    certificate, _, server = mail
    path = "INBOX;MAILINDEX=1" if scheme.startswith("imap") else "1"
    outcome = talk(pki, f"user={services.USER}:{services.PASSWORD}",
                   f"{scheme}://localhost:{server[scheme]}/{path}")
    check(certificate, outcome, "hello, interop\n")
    if certificate != "good":
        assert "method=PLAIN" not in server.log


@pytest.mark.parametrize("certificate", CERTIFICATES)
@pytest.mark.parametrize("scheme", ["ftp", "ftps"])
def test_ftp(pki, certificate, scheme):
    """The server wants the session of the control connection for the data."""
    with services.Vsftpd(pki, certificate) as server:
        url = f"{scheme}://localhost:{server[scheme]}"
        check(certificate, talk(pki, f"{url}/hello.txt"), "hello, interop\n")
        check(certificate, talk(pki, "upload=upwards", f"{url}/incoming/up"), "")
        if certificate == "good":
            assert server.uploaded("up") == b"upwards"


@pytest.mark.parametrize("certificate", CERTIFICATES)
@pytest.mark.parametrize("args", [(), ("careless=1",)])
def test_https(pki, certificate, args):
    with services.Nginx(pki, certificate) as server:
        url = f"https://localhost:{server['https']}"
        check(certificate, talk(pki, *args, f"{url}/hello.txt"), "hello, interop\n")
        if certificate == "good":
            assert talk(pki, f"{url}/tls").out == b"TLSv1.3 . HTTP/2.0\n"


@pytest.mark.parametrize("host, cause", [("127.0.0.1", None), ("a.example.test", None),
                                         ("other.example", "wrong-host-name")])
def test_hosts(pki, nginx, host, cause):
    outcome = talk(pki, f"resolve={host}:{nginx['https']}:127.0.0.1",
                   f"https://{host}:{nginx['https']}/hello.txt")
    if cause is None:
        assert outcome.out == b"hello, interop\n"
    else:
        assert error(outcome)["cause"] == cause


def test_wrong_address(pki):
    with services.Nginx(pki, "wrong-name") as server:
        told = error(talk(pki, f"https://127.0.0.1:{server['https']}/"))
    assert told["cause"] == "wrong-ip" and "127.0.0.1" in told["what"]


def test_client_certificates(pki, nginx):
    url = f"https://localhost:{nginx['mutual']}/who"
    assert b"No required SSL certificate was sent" in talk(pki, url).out
    outcome = talk(pki, f"identity={pki / 'client-all.pem'}", url)
    assert outcome.out == b"CN=Test Client,O=Cinch Tests\n"


def test_server_insists_on_a_certificate(pki):
    with OpensslServer("-www", "-cert", pki / "good-chain.pem", "-key", pki / "good.key", "-cert_chain",
                       pki / "good-chain.pem", "-Verify", "1", "-verify_return_error") as server:
        told = error(talk(pki, f"https://localhost:{server.port}/"))
    assert told["cause"] == "client-certificate-wanted", told


def test_nothing_in_common(pki):
    with OpensslServer("-www", "-cert", pki / "good-chain.pem", "-key", pki / "good.key", "-tls1_2") as server:
        told = error(talk(pki, "policy=modern", f"https://localhost:{server.port}/"))
    assert told["cause"] == "no-common-version", told


@pytest.mark.parametrize("path", ["https:hello.txt", "http:hello.txt", "follow"])
def test_nothing_goes_in_clear(pki, nginx, path):
    if path == "follow":
        told = error(talk(pki, "follow=1", f"https://localhost:{nginx['https']}/to-clear"))
    else:
        scheme, name = path.split(":")
        told = error(talk(pki, f"{scheme}://localhost:{nginx['http']}/{name}"))
    assert told["cause"] == ("not-tls" if path.startswith("https") else "bad-setting"), told


@pytest.mark.parametrize("args", [(), ("careless=1",)])
def test_servers_without_tls_get_nothing(pki, args):
    user = f"user={services.USER}:{services.PASSWORD}"
    with services.Postfix(pki) as postfix, services.Dovecot(pki, tls=False) as dovecot, \
            services.Vsftpd(pki) as ftp:
        for url, more in ((f"smtp://localhost:{postfix['plain']}", (f"to={services.ADDRESS}", "upload=x")),
                          (f"imap://localhost:{dovecot['imap']}/INBOX;MAILINDEX=1", (user,)),
                          (f"pop3://localhost:{dovecot['pop3']}/1", (user,)),
                          (f"ftp://localhost:{ftp['plain']}/hello.txt", ())):
            told = error(talk(pki, *args, *more, url))
            assert told["cause"] == "not-tls" and "STARTTLS" in told["remedy"], told
        assert "method=PLAIN" not in dovecot.log and "mail=" not in postfix.log


def test_context_that_does_not_fit(pki, nginx):
    told = error(talk(pki, "alpn=h2", f"https://localhost:{nginx['https']}/"))
    assert told["cause"] == "bad-setting" and "ALPN" in told["what"], told


def test_what_libcurl_keeps(pki, nginx):
    outcome = run(PROGRAMS / "curl_reuse", pki / "root.pem", pki / "other-root.pem", nginx["https"])
    assert outcome.code == 0 and outcome.text == "", outcome.text


def test_libcurl_with_gnutls(pki, nginx):
    if not (PROGRAMS / "curl_talk_gnutls").exists():
        pytest.skip("there is no libcurl with GnuTLS")
    told = error(talk(pki, f"https://localhost:{nginx['https']}/hello.txt", program="curl_talk_gnutls"))
    assert told["cause"] == "bad-setting" and "GnuTLS/" in told["evidence"], told


# ---- the examples ----

def example(name, *args, stdin=b""):
    return run(pathlib.Path(os.environ["CINCH_BUILD"]) / "examples" / f"example-{name}", *args, stdin=stdin)


def refuses(certificate, outcome):
    assert outcome.out == b"" and b"remedy:" in outcome.err, outcome.text
    assert outcome.code == {"wrong-name": 6, "expired": 7}.get(certificate, 5), outcome.text


def test_example_https(pki, nginx):
    url = f"https://localhost:{nginx['https']}"
    outcome = example("curl_https", f"{url}/hello.txt", pki / "root.pem")
    assert (outcome.code, outcome.out, outcome.err) == (0, b"hello, interop\n", b""), outcome.text
    refuses("unknown-ca", example("curl_https", f"{url}/hello.txt", pki / "other-root.pem"))
    outcome = example("curl_https", f"{url}/to-clear", pki / "root.pem")
    assert outcome.code == 2 and b"has no TLS" in outcome.err
    outcome = example("curl_https", f"{url}/nothing", pki / "root.pem")
    assert outcome.code == 3 and b"not about TLS" in outcome.err, outcome.text
    assert b"check the network" not in outcome.err


def test_example_smtp(pki, mail):
    certificate, server, _ = mail
    message = b"Subject: by example\r\n\r\nhello\r\n"
    for scheme in ("smtp", "smtps"):
        outcome = example("curl_smtp", f"{scheme}://localhost:{server[scheme]}", "bob@example.test",
                          services.ADDRESS, pki / "root.pem", stdin=message)
        if certificate == "good":
            assert outcome.code == 0, outcome.text
            assert "Subject: by example" in server.mail()
        else:
            refuses(certificate, outcome)


@pytest.mark.parametrize("name, port", [("curl_imap", "imap"), ("curl_pop3", "pop3s")])
def test_example_reads(pki, mail, name, port):
    certificate, _, server = mail
    outcome = example(name, f"localhost:{server[port]}", services.USER, pki / "root.pem",
                      stdin=services.PASSWORD.encode() + b"\n")
    if certificate == "good":
        assert outcome.code == 0 and outcome.out.decode() == services.MAIL, outcome.text
    else:
        refuses(certificate, outcome)
