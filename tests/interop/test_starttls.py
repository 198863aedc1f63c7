"""`cinch connect --starttls` to servers of others: with a certificate that is right, with wrong ones, and
with TLS switched off at the server. What is said under TLS is answered."""

import json
import struct

import pytest

import cli_support
import databases
import programs
import services

XMPP = (b"<?xml version='1.0'?><stream:stream to='localhost' version='1.0' xmlns='jabber:%s' "
        b"xmlns:stream='http://etherx.jabber.org/streams'>")
# StartupMessage of version 3.0 for the user postgres.
STARTUP = b"\0\3\0\0user\0postgres\0database\0postgres\0\0"
# An anonymous bind.
BIND = bytes.fromhex("300c020102600702010304008000")
# HandshakeResponse41: the second packet of the client's, for root without a password.
LOGIN = (struct.pack("<IIB23x", 0x88a01, 1 << 24, 45) + b"root\0" + b"\0"
         + b"mysql_native_password\0")

# Protocol: the server, the name of its port, what to say under TLS, what stands in the answer.
PLACES = {
    "smtp": (services.Postfix, "smtp", b"EHLO a.test\r\nQUIT\r\n", b"221 2.0.0 Bye"),
    "lmtp": (services.Dovecot, "lmtp", b"LHLO a.test\r\nQUIT\r\n", b"221 2.0.0 Bye"),
    "imap": (services.Dovecot, "imap", b"a login alice cinch\r\nb logout\r\n", b"b OK"),
    "pop3": (services.Dovecot, "pop3", b"USER alice\r\nPASS cinch\r\nQUIT\r\n", b"+OK Logging out"),
    "sieve": (services.Dovecot, "sieve", b"LOGOUT\r\n", b"SASL"),
    "ftp": (services.Vsftpd, "ftp", b"USER ftp\r\nQUIT\r\n", b"221 Goodbye"),
    "xmpp": (databases.Prosody, "xmpp", XMPP % b"client", b"mechanisms"),
    "xmpp-server": (databases.Prosody, "xmpp_server", XMPP % b"server", b"stream:features"),
    "ldap": (databases.Slapd, "ldap", BIND, bytes.fromhex("02010261070a0100")),
    "postgres": (databases.Postgres, "tls", struct.pack("!I", len(STARTUP) + 4) + STARTUP,
                 b"server_version"),
    "mysql": (databases.Mariadb, "tls", struct.pack("<I", len(LOGIN) | 2 << 24) + LOGIN,
              b"\0\0\3\0\0\0\2\0"),
}
WRONG = {"wrong-name": (6, "wrong-host-name"), "expired": (7, "expired"),
         "unknown-ca": (5, "unknown-issuer")}


@pytest.fixture(scope="module")
def start(pki):
    """Starts a server once, for all tests with the same one."""
    running = {}

    def get(kind, *args, **options):
        key = (kind, args, tuple(options.items()))
        if key not in running:
            running[key] = kind(pki, *args, **options)
            running[key].__enter__()
        return running[key]

    yield get
    for server in running.values():
        server.__exit__()


@pytest.mark.parametrize("protocol", PLACES)
def test_talks_under_tls(start, pki, protocol):
    kind, name, question, answer = PLACES[protocol]
    server = start(kind)
    report = programs.connect(server[name], "--starttls", protocol, "--ca", pki / "root.pem",
                              "--timeout", "10", stdin=question)
    assert answer in report.out, report.text
    assert f"upgraded from {protocol}\n".encode() in report.err
    assert b"verified localhost" in report.err


@pytest.mark.parametrize("protocol", PLACES)
def test_reports(start, pki, protocol):
    server = start(PLACES[protocol][0])
    outcome = programs.connect(server[PLACES[protocol][1]], "--starttls", protocol, "--ca",
                               pki / "root.pem")
    assert outcome.json["starttls"] == protocol and outcome.json["peer"]["verified"], outcome.text


@pytest.mark.parametrize("certificate", WRONG)
@pytest.mark.parametrize("protocol", PLACES)
def test_refuses_certificates(start, pki, protocol, certificate):
    server = start(PLACES[protocol][0], certificate)
    assert programs.refused(server[PLACES[protocol][1]], "--starttls", protocol, "--ca",
                            pki / "root.pem") == WRONG[certificate]


@pytest.mark.parametrize("protocol", PLACES)
def test_never_goes_on_in_the_clear(start, pki, protocol):
    kind, name, _, _ = PLACES[protocol]
    if kind in (services.Postfix, services.Vsftpd):
        server, name = start(kind), "plain"
    else:
        server = start(kind, tls=False)
    code, cause = programs.refused(server[name], "--starttls", protocol, "--ca", pki / "root.pem")
    # An FTP server does not say what it has: it refuses AUTH.
    assert (code, cause) == (4, "starttls-refused" if protocol == "ftp" else "starttls-not-offered")


# ---- servers that play a part ----

class Part(cli_support.Peer):
    """A server that says its lines, each behind a command of the client's, and then begins TLS."""

    def __init__(self, *lines, context=None):
        self.lines = lines
        self.later = context
        self.heard = []
        super().__init__(self.play)

    def play(self, raw):
        raw.sendall(self.lines[0])
        for line in self.lines[1:]:
            heard = raw.recv(4096)
            if not heard:
                return
            self.heard.append(heard)
            raw.sendall(line)
        if self.later is None:
            while raw.recv(4096):
                pass
            return
        with self.later.wrap_socket(raw, server_side=True) as tls:
            self.heard.append(tls.recv(4096))
            tls.sendall(b"205 bye\r\n")
            tls.unwrap()


def test_nntp(pki):
    """No server of Debian's can be started for NNTP without a news system's whole set-up."""
    context = cli_support.server_context(pki / "good-all.pem")
    with Part(b"200 news\r\n", b"101 list\r\nVERSION 2\r\nSTARTTLS\r\n.\r\n", b"382 go on\r\n",
              context=context) as server:
        done = cli_support.cinch("connect", "--starttls", "nntp", "--ca", pki / "root.pem", server.place,
                                 data=b"QUIT\r\n")
    assert done.returncode == 0, done.stderr
    assert server.heard == [b"CAPABILITIES\r\n", b"STARTTLS\r\n", b"QUIT\r\n"]
    assert done.stdout == b"205 bye\r\n"


def refused(code, cause, *arguments):
    answer = cli_support.connect_json("--starttls", *arguments, code=code)
    assert answer["error"]["cause"] == cause
    assert answer["starttls"] == arguments[0]
    return answer["error"]


@pytest.mark.parametrize("lines, code, cause", [
    ([b"220 a\r\n", b"250-a\r\n250 HELP\r\n"], 4, "starttls-not-offered"),
    ([b"220 a\r\n", b"250-a\r\n250 STARTTLS\r\n", b"454 no\r\n"], 4, "starttls-refused"),
    ([b"220 a\r\n", b"250-a\r\n250 STARTTLS\r\n", b"220 go\r\n250 fine\r\n"], 10,
     "starttls-injection"),
    ([b"* OK hello\r\n"], 10, "starttls-dialogue"),
])
def test_parts(lines, code, cause):
    with Part(*lines) as server:
        error = refused(code, cause, "smtp", server.place)
    assert error["evidence"] and server.place.split(":")[1] in error["evidence"]


def test_silence_is_told():
    with Part(b"") as server:
        error = refused(9, "timeout", "imap", "--timeout", "1", server.place)
    assert "greeting" in error["what"] and "without STARTTLS" in error["remedy"]


def test_an_end_is_told():
    with cli_support.Peer(lambda raw: raw.sendall(b"+OK hel")) as server:
        error = refused(10, "truncated", "pop3", server.place)
    assert "+OK hel" in error["evidence"]


def test_tls_at_once_is_told():
    """A server that has TLS from the first byte on says what it thinks of plain text with an alert."""
    with Part(b"", bytes((21, 3, 1, 0, 2, 2, 70))) as server:
        error = refused(10, "starttls-dialogue", "ldap", server.place)
    assert "speaks TLS at once" in error["what"]


def test_the_usual_port():
    """Nothing is said to be at port 443."""
    answer = cli_support.cinch("connect", "--json", "--starttls", "nntp", "--timeout", "1", "127.0.0.1")
    assert json.loads(answer.stdout)["port"] == "119"
