"""Revocation lists and OCSP responses that openssl made, and its servers and clients with ours."""

import os
import pathlib
import re

import pytest

import programs
from programs import OpensslServer, Running, Serve

EXAMPLE = pathlib.Path(os.environ["CINCH_BUILD"]) / "examples" / "example-revocation"

CONFIG = """
[ca]
default_ca = here
[here]
database = {here}/index
crlnumber = {here}/number
default_md = sha256
default_crl_days = 7
certificate = {here}/ca/cinch-ca.pem
private_key = {here}/ca/cinch-ca.key
crl_extensions = list
[list]
authorityKeyIdentifier = keyid
"""


class Office:
    """A CA of `cinch ca`, and openssl's word on its certificates."""

    def __init__(self, here):
        self.here = here
        self.ca = here / "ca" / "cinch-ca.pem"
        programs.run(programs.CINCH, "ca", "init", "--dir", here / "ca")
        for name, args in {"server": ("localhost",), "alice": ("--client", "alice"),
                           "bob": ("--client", "bob")}.items():
            done = programs.run(programs.CINCH, "ca", "issue", "--dir", here / "ca", "--out",
                                here / f"{name}.pem", *args)
            assert done.code == 0, done.text
        (here / "openssl.cnf").write_text(CONFIG.format(here=here))
        (here / "number").write_text("01")

    def openssl(self, *args):
        done = programs.run("openssl", *args)
        assert done.code == 0, done.text
        return done

    def index(self, *revoked):
        """openssl's data base of everybody."""
        lines = []
        for name in ("server", "alice", "bob"):
            serial = self.openssl("x509", "-in", self.here / f"{name}.pem", "-noout",
                                  "-serial").text.strip().split("=")[1]
            state = "R\t301231000000Z\t260101000000Z,keyCompromise" if name in revoked else \
                "V\t301231000000Z\t"
            lines.append(f"{state}\t{serial}\tunknown\t/CN={name}\n")
        (self.here / "index").write_text("".join(lines))

    def list(self, *revoked):
        self.index(*revoked)
        path = self.here / "list.crl"
        self.openssl("ca", "-config", self.here / "openssl.cnf", "-gencrl", "-out", path)
        return path

    def response(self, name, *revoked, days=1):
        self.index(*revoked)
        path, request = self.here / "response.der", self.here / "request.der"
        self.openssl("ocsp", "-issuer", self.ca, "-cert", self.here / f"{name}.pem", "-no_nonce",
                     "-reqout", request)
        self.openssl("ocsp", "-index", self.here / "index", "-rsigner", self.ca, "-rkey",
                     self.here / "ca" / "cinch-ca.key", "-CA", self.ca, "-reqin", request, "-ndays",
                     days, "-respout", path)
        return path


@pytest.fixture(name="office", scope="module")
def make_office(tmp_path_factory):
    return Office(tmp_path_factory.mktemp("office"))


def connect(office, port, *args):
    return programs.run(programs.CINCH, "connect", "--json", "--ca", office.ca, *args,
                        f"localhost:{port}")


def cause(outcome):
    return outcome.json["error"]["cause"] if not outcome.json["ok"] else None


@pytest.fixture(name="version", params=["-tls1_2", "-tls1_3"])
def each_version(request):
    return request.param


def s_server(office, version, *args):
    return OpensslServer("-cert", office.here / "server.pem", "-key", office.here / "server.pem",
                         version, *args)


def test_required_response(office, version):
    with s_server(office, version, "-status_file", office.response("server")) as server:
        assert cause(connect(office, server.port, "--require-ocsp")) is None


def test_no_response(office, version):
    with s_server(office, version) as server:
        done = connect(office, server.port, "--require-ocsp")
        assert cause(done) == "ocsp" and done.code == 5
        assert "the server sent none" in done.json["error"]["evidence"]
        server.wait_for("bad certificate status response")
        assert cause(connect(office, server.port)) is None


@pytest.mark.parametrize("revoked, about, expected, words", [
    (("server",), "server", "revoked", "its key was compromised"),
    ((), "alice", "ocsp", "about another certificate"),
])
def test_refused_response(office, version, revoked, about, expected, words):
    path = office.response(about, *revoked)
    with s_server(office, version, "-status_file", path) as server:
        done = connect(office, server.port, "--require-ocsp")
        assert cause(done) == expected and done.code == 5
        assert words in done.json["error"]["evidence"]


def test_lists(office, version):
    with s_server(office, version) as server:
        assert cause(connect(office, server.port, "--crl", office.list("alice"))) is None
        done = connect(office, server.port, "--crl", office.list("server"))
        assert cause(done) == "revoked"
        assert "its key was compromised" in done.json["error"]["evidence"]
        server.wait_for("certificate revoked")


def test_the_list_of_another(office, version, tmp_path):
    other = Office(tmp_path)
    with s_server(office, version) as server:
        done = connect(office, server.port, "--crl", other.list())
        assert cause(done) == "no-crl"


def test_we_staple(office, version):
    path, whole = office.response("server"), office.here / "whole.pem"
    # curl looks for the issuer among what the server sends, and nowhere else.
    whole.write_text((office.here / "server.pem").read_text() + office.ca.read_text())
    with Serve("--echo", "--identity", whole, "--ocsp", path) as server:
        with Running("openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile",
                     office.ca, "-status", version) as client:
            client.wait_for(r"OCSP Response Status: successful")
            client.wait_for(r"Cert Status: good")
            client.wait_for(r"Verify return code: 0")
            client.end_input()
            client.wait()
        done = programs.run("curl", "--disable", "--silent", "--show-error", "--cacert", office.ca,
                            "--cert-status", "--http0.9", "--max-time", "5",
                            f"https://localhost:{server.port}/")
        # Our echo is no HTTP server; 91 would be "the certificate's status could not be verified".
        assert done.code != 91 and not re.search("(?i)ocsp|certificate status", done.text)


def test_a_bad_response_is_not_served(office):
    path = office.response("alice")
    done = programs.run(programs.CINCH, "serve", "--listen", "localhost:0", "--identity",
                        office.here / "server.pem", "--ocsp", path)
    assert done.code == 2
    assert "about another certificate" in done.text and str(path) in done.text


def test_clients_that_are_listed(office, version):
    with Serve("--echo", "--identity", office.here / "server.pem", "--client-ca", office.ca,
               "--crl", office.list("bob")) as server:
        for name in ("alice", "bob"):
            with Running("openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile",
                         office.ca, "-cert", office.here / f"{name}.pem", "-key",
                         office.here / f"{name}.pem", version, "-quiet", "-no_ign_eof") as client:
                if name == "alice":
                    client.send(b"hello\n")
                    client.wait_for("hello")
                    client.end_input()
                    assert client.wait() == 0
                    server.agreed()
                else:
                    client.wait_for("certificate revoked")
                    error = server.failed()
                    assert error["cause"] == "revoked"
                    assert "its key was compromised" in error["evidence"]


def test_the_example(office, tmp_path):
    with s_server(office, "-tls1_3") as server:
        for make, code, words in ((office.list, 0, b"on no list\n"),
                                  (lambda: office.list("server"), 5, b"withdrawn by its issuer\n"),
                                  (Office(tmp_path).list, 5, b"nobody can tell\n")):
            path = make()
            done = programs.run(EXAMPLE, "localhost", server.port, office.ca, path)
            assert done.code == code and done.out == words, done.text
