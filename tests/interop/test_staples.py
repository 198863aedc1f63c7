"""Stapled OCSP responses of openssl's for two hosts with two kinds of key each, as s_client gets them."""

import re

import pytest

import programs
from programs import Running, Serve

KEYS = {"ec": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"), "rsa": ("-newkey", "rsa:2048")}
SIGALGS = {"ec": "ecdsa_secp256r1_sha256", "rsa": "rsa_pss_rsae_sha256"}
NAMES = ("localhost", "www.test")
EACH = [(name, key) for name in NAMES for key in KEYS]


def openssl(*args):
    done = programs.run("openssl", *args)
    assert done.code == 0, done.text
    return done.text


class Site:
    """A CA, and what it says of four certificates."""

    def __init__(self, here):
        self.here, self.ca, self.serials = here, here / "ca" / "cinch-ca.pem", {}
        assert programs.run(programs.CINCH, "ca", "init", "--dir", here / "ca").code == 0
        for host in EACH:
            self.issue(*host)

    def path(self, name, key, kind):
        return self.here / f"{name}-{key}.{kind}"

    def issue(self, name, key):
        """A new certificate and a response about it, one after the other."""
        ca_key, pem = self.here / "ca" / "cinch-ca.key", self.path(name, key, "pem")
        fresh, private = pem.with_suffix(".new"), pem.with_suffix(".key")
        openssl("req", "-x509", "-CA", self.ca, "-CAkey", ca_key, *KEYS[key], "-nodes", "-days", "30",
                "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-addext",
                "extendedKeyUsage=serverAuth", "-addext", "basicConstraints=critical,CA:FALSE",
                "-keyout", private, "-out", fresh)
        serial = openssl("x509", "-in", fresh, "-noout", "-serial").strip().split("=")[1]
        index, request = self.here / "index", self.here / "request.der"
        index.write_text(f"V\t301231000000Z\t\t{serial}\tunknown\t/CN={name}\n")
        openssl("ocsp", "-issuer", self.ca, "-cert", fresh, "-no_nonce", "-reqout", request)
        openssl("ocsp", "-index", index, "-rsigner", self.ca, "-rkey", ca_key, "-CA", self.ca,
                "-reqin", request, "-ndays", "1", "-respout", self.path(name, key, "ocsp"))
        fresh.write_text(private.read_text() + fresh.read_text() + self.ca.read_text())
        fresh.rename(pem)
        self.serials[name, key] = serial


@pytest.fixture(name="site", scope="module")
def make_site(tmp_path_factory):
    return Site(tmp_path_factory.mktemp("site"))


def stapled(site, server, version, name, key):
    """The serial number that the response which s_client gets is about; None without a response."""
    suites = ("-cipher", f"ECDHE-{'ECDSA' if key == 'ec' else 'RSA'}-AES128-GCM-SHA256") \
        if version == "-tls1_2" else ()
    with Running("openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-servername", name,
                 "-sigalgs", SIGALGS[key], *suites, "-CAfile", site.ca, "-verify_hostname", name,
                 "-status", version) as client:
        found = client.wait_for(r"OCSP response: no response sent|Serial Number: (\w+)").group(1)
        client.wait_for(r"Verify return code: 0")
        client.end_input()
        client.wait()
    return None if found is None else found.decode()


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_each_with_its_own(site, version):
    arguments = []
    for host in EACH:
        arguments += ["--identity", site.path(*host, "pem")]
    for host in reversed(EACH[1:]):
        arguments += ["--ocsp", site.path(*host, "ocsp")]
    with Serve("--echo", *arguments) as server:
        for host in EACH:
            assert stapled(site, server, version, *host) == \
                (None if host == EACH[0] else site.serials[host])


def test_all_are_renewed(site):
    arguments = []
    for host in EACH:
        arguments += ["--identity", site.path(*host, "pem"), "--ocsp", site.path(*host, "ocsp")]
    with Serve("--echo", *arguments) as server:
        for host in EACH:
            before = site.serials[host]
            site.issue(*host)
            server.wait_for('reloaded","file":"' + re.escape(str(site.path(*host, "pem"))))
            assert site.serials[host] != before
            # Contexts look for new responses once in a second.
            while (found := stapled(site, server, "-tls1_3", *host)) != site.serials[host]:
                assert found is None
        for host in EACH:
            assert stapled(site, server, "-tls1_3", *host) == site.serials[host]


def test_a_response_for_none_of_them(site, tmp_path):
    other = Site(tmp_path)
    path = other.path(*EACH[0], "ocsp")
    done = programs.run(programs.CINCH, "serve", "--listen", "localhost:0", "--identity",
                        site.path(*EACH[0], "pem"), "--identity", site.path(*EACH[1], "pem"),
                        "--ocsp", path)
    assert done.code == 2
    assert "about none of the certificates" in done.text and str(path) in done.text
