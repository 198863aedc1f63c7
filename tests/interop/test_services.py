"""The servers of others that tests of ours talk to, looked at with clients of others: that they are what
services.py says, so that what fails elsewhere is ours."""

import ftplib
import http.client
import imaplib
import io
import poplib
import smtplib
import socket
import ssl

import pytest

import services
from programs import LIMIT

# As the name says, and a word of what OpenSSL says of it.
REFUSED = {"wrong-name": "mismatch", "unknown-ca": "unable to get local issuer", "expired": "expired"}
CERTIFICATES = ["good", *REFUSED]


@pytest.fixture
def context(pki):
    return ssl.create_default_context(cafile=str(pki / "root.pem"))


def smtp(server, context, begin="smtp"):
    if begin == "smtps":
        client = smtplib.SMTP_SSL("localhost", server[begin], timeout=LIMIT, context=context)
    else:
        client = smtplib.SMTP("localhost", server[begin], timeout=LIMIT)
        if begin == "smtp":
            client.starttls(context=context)
    with client:
        client.sendmail("bob@example.test", [services.ADDRESS], f"Subject: {begin}\r\n\r\nhello\r\n")
    return server.mail()


def imap(server, context, begin="imap"):
    if begin == "imaps":
        client = imaplib.IMAP4_SSL("localhost", server[begin], ssl_context=context, timeout=LIMIT)
    else:
        client = imaplib.IMAP4("localhost", server[begin], timeout=LIMIT)
        if context is not None:
            client.starttls(context)
    with client:
        client.login(services.USER, services.PASSWORD)
        client.select()
        return client.fetch("1", "(RFC822)")[1][0][1].decode()


def pop3(server, context, begin="pop3"):
    if begin == "pop3s":
        client = poplib.POP3_SSL("localhost", server[begin], context=context, timeout=LIMIT)
    else:
        client = poplib.POP3("localhost", server[begin], timeout=LIMIT)
        client.stls(context)
    client.user(services.USER)
    client.pass_(services.PASSWORD)
    lines = client.retr(1)[1]
    client.quit()
    return "\r\n".join(line.decode() for line in lines) + "\r\n"


def sieve(server, context):
    with socket.create_connection(("localhost", server["sieve"]), LIMIT) as plain:
        greeting = answer(plain)
        plain.sendall(b"STARTTLS\r\n")
        answer(plain)
        with context.wrap_socket(plain, server_hostname="localhost") as client:
            return greeting + answer(client)


def lmtp(server, context):
    with socket.create_connection(("localhost", server["lmtp"]), LIMIT) as plain:
        answer(plain, b"220 ")
        plain.sendall(b"LHLO localhost\r\n")
        offer = answer(plain, b"250 ")
        plain.sendall(b"STARTTLS\r\n")
        answer(plain, b"220 ")
        with context.wrap_socket(plain, server_hostname="localhost") as client:
            client.sendall(b"LHLO localhost\r\n")
            return offer + answer(client, b"250 ")


def answer(connection, last=b"OK "):
    """Everything to the end of the line that begins with LAST."""
    text = b""
    while not (text.endswith(b"\n") and text.splitlines()[-1].startswith(last)):
        more = connection.recv(4096)
        assert more, text
        text += more
    return text.decode()


class Reusing(ftplib.FTP_TLS):
    """With the session of the control connection for the data connection, which ftplib does not do."""

    def ntransfercmd(self, cmd, rest=None):
        data, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        return self.context.wrap_socket(data, server_hostname="localhost",
                                        session=self.sock.session), size


class Implicit(Reusing):
    def connect(self, host="", port=0, timeout=LIMIT, source_address=None):
        plain = socket.create_connection((host, port), timeout)
        self.af = plain.family
        self.sock = self.context.wrap_socket(plain, server_hostname=host)
        self.file = self.sock.makefile("r")
        self.welcome = self.getresp()
        return self.welcome

    def auth(self):
        return ""


def ftp(server, context, begin="ftp"):
    client = {"ftp": Reusing, "ftps": Implicit}[begin](context=context)
    client.connect("localhost", server[begin], LIMIT)
    client.login()
    client.prot_p()
    client.storbinary("STOR incoming/up", io.BytesIO(b"upwards\n"))
    lines = []
    client.retrlines("RETR hello.txt", lines.append)
    client.quit()
    return server.uploaded("up") + lines[0].encode()


def https(server, context, path="hello.txt", begin="https"):
    client = http.client.HTTPSConnection("localhost", server[begin], context=context, timeout=LIMIT)
    client.request("GET", f"/{path}")
    answer = client.getresponse().read().decode()
    client.close()
    return answer


@pytest.fixture(scope="module", params=CERTIFICATES)
def mail(request, pki):
    with services.Postfix(pki, request.param) as postfix, services.Dovecot(pki, request.param) as dovecot:
        yield request.param, postfix, dovecot


def check(certificate, talk):
    """What a talk gives with the good certificate; None where it is refused, as it must be."""
    if certificate == "good":
        return talk()
    with pytest.raises(ssl.SSLCertVerificationError, match=REFUSED[certificate]):
        talk()
    return None


@pytest.mark.parametrize("begin", ["smtp", "smtps"])
def test_postfix(mail, context, begin):
    text = check(mail[0], lambda: smtp(mail[1], context, begin))
    assert text is None or "using TLSv1.3" in text and "with ESMTPS" in text and begin in text


def test_postfix_without_tls(pki):
    with services.Postfix(pki) as postfix:
        text = smtp(postfix, None, "plain")
        assert "using TLS" not in text and "with ESMTP " in text


@pytest.mark.parametrize("begin", ["imap", "imaps", "pop3", "pop3s"])
def test_dovecot(mail, context, begin):
    read = imap if begin.startswith("imap") else pop3
    assert check(mail[0], lambda: read(mail[2], context, begin)) in (None, services.MAIL)


@pytest.mark.parametrize("talk", [sieve, lmtp])
def test_dovecot_after_starttls(mail, context, talk):
    text = check(mail[0], lambda: talk(mail[2], context))
    # Offered before, and not any more.
    assert text is None or text.count("STARTTLS") == 1


def test_dovecot_without_tls(pki):
    with services.Dovecot(pki, tls=False) as dovecot:
        assert imap(dovecot, None) == services.MAIL


@pytest.mark.parametrize("certificate", CERTIFICATES)
@pytest.mark.parametrize("begin", ["ftp", "ftps"])
def test_vsftpd(pki, context, certificate, begin):
    with services.Vsftpd(pki, certificate) as server:
        assert check(certificate, lambda: ftp(server, context, begin)) in (None, b"upwards\nhello, interop")


@pytest.mark.parametrize("certificate", CERTIFICATES)
def test_nginx(pki, context, certificate):
    with services.Nginx(pki, certificate) as server:
        text = check(certificate, lambda: https(server, context, "tls"))
        assert text in (None, "TLSv1.3 . HTTP/1.1\n")


def test_nginx_wants_a_certificate(pki, context):
    with services.Nginx(pki) as server:
        assert "No required SSL certificate was sent" in https(server, context, "who", "mutual")
        context.load_cert_chain(pki / "client-all.pem")
        assert https(server, context, "who", "mutual") == "CN=Test Client,O=Cinch Tests\n"
