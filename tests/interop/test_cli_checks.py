"""How strictly the command checks the other side: clients let in, relaxed rules, pins, lists."""

import subprocess

import pytest

from cli_support import MKPKI, Serve, cinch, connect_json
from test_revocation import Office


@pytest.fixture(name="office", scope="module")
def make_office(tmp_path_factory):
    return Office(tmp_path_factory.mktemp("office"))


@pytest.fixture(name="pki", scope="module")
def make_pki(tmp_path_factory):
    where = tmp_path_factory.mktemp("pki")
    subprocess.run([MKPKI, str(where)], check=True)
    return where


def come(office, server, who, code, cause=None):
    """A client with the certificate of WHO, or none, asks; what cinch connect says of it."""
    mine = ("--cert", office.here / f"{who}.pem") if who else ()
    answer = connect_json("--ca", office.ca, *mine, server.place, code=code)
    assert cause is None or answer["error"]["cause"] == cause
    return answer


def serve(office, *arguments):
    return Serve("--echo", "--identity", office.here / "server.pem", "--client-ca", office.ca,
                 *arguments)


def test_client_certificates_may_be_optional(office, tmp_path):
    other = Office(tmp_path)
    with serve(office, "--client-auth", "optional") as server:
        come(office, server, None, 0)
        assert "client" not in server.connection_line()
        come(office, server, "alice", 0)
        assert "client alice" in server.connection_line()
        # A bad one is refused all the same.
        done = cinch("connect", "--json", "--ca", office.ca, "--cert", other.here / "alice.pem",
                     server.place)
        assert done.returncode == 8
    with serve(office, "--client-auth", "required") as server:
        come(office, server, None, 8)
        come(office, server, "alice", 0)


@pytest.mark.parametrize("rule", ["dns:alice", "dns:*.example.test", "uri:spiffe://example.test/",
                                  "cn:alice", "email:alice@example.test"])
def test_who_is_let_in(office, rule):
    """What openssl sees in the certificate of Alice decides; Bob's never has it."""
    text = subprocess.run(["openssl", "x509", "-in", office.here / "alice.pem", "-noout", "-text"],
                          check=True, stdout=subprocess.PIPE).stdout.decode()
    kind, value = rule.split(":", 1)
    there = {"dns": f"DNS:{value}", "cn": f"CN = {value}", "email": f"email:{value}",
             "uri": f"URI:{value}"}[kind] in text.replace("CN=", "CN = ")
    with serve(office, "--allow", rule) as server:
        come(office, server, "alice", 0 if there else 8)
        come(office, server, "bob", 8)


def spki(office, name):
    key = subprocess.run(["openssl", "x509", "-in", office.here / f"{name}.pem", "-noout",
                          "-pubkey"], check=True, stdout=subprocess.PIPE).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key, check=True,
                         stdout=subprocess.PIPE).stdout
    return subprocess.run(["sha256sum"], input=der, check=True,
                          stdout=subprocess.PIPE).stdout.decode().split()[0]


def test_let_in_by_key_and_several_rules(office):
    with serve(office, "--allow", "dns:nobody.test", "--allow",
               "spki:" + spki(office, "bob")) as server:
        come(office, server, "bob", 0)
        come(office, server, "alice", 8)
    done = cinch("serve", "--client-ca", office.ca, "--allow", "dns:no name")
    assert done.returncode == 2 and b"cannot be a rule on clients" in done.stderr


def test_pins(office):
    with Serve("--echo", "--identity", office.here / "server.pem") as server:
        pin, other = spki(office, "server"), spki(office, "bob")
        for pins in ((pin, other), (other, pin)):
            connect_json("--ca", office.ca, "--pin", pins[0], "--reserve", pins[1], server.place,
                         code=0)
        answer = connect_json("--ca", office.ca, "--pin", other, "--reserve", "0" * 64,
                              server.place, code=5)
        assert answer["error"]["cause"] == "chain-rule" and "pin" in str(answer["error"])
        connect_json("--ca", office.ca, "--pin", "x", "--reserve", pin, server.place, code=2)


def test_a_rule_is_relaxed(office, tmp_path):
    """A server's certificate without extendedKeyUsage, and a client's."""
    config = tmp_path / "extensions"
    config.write_text("subjectAltName=DNS:localhost\nauthorityKeyIdentifier=keyid\n")
    odd = tmp_path / "odd.pem"
    subprocess.run(["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-keyout", odd, "-subj", "/CN=localhost", "-out",
                    tmp_path / "odd.csr"], check=True, capture_output=True)
    issued = subprocess.run(["openssl", "x509", "-req", "-in", tmp_path / "odd.csr", "-CA",
                             office.ca, "-CAkey", office.here / "ca" / "cinch-ca.key", "-days",
                             "9", "-extfile", config], check=True, capture_output=True).stdout
    with odd.open("ab") as out:
        out.write(issued)
    with Serve("--echo", "--identity", odd) as server:
        answer = connect_json("--ca", office.ca, server.place, code=5)
        assert "eku-required" in str(answer["error"])
        connect_json("--ca", office.ca, "--relax", "serial", server.place, code=5)
        connect_json("--ca", office.ca, "--relax", "serial", "--relax", "eku-required",
                     server.place, code=0)
    for relaxed, code in ((), 8), (("--relax", "eku-required"), 0):
        with serve(office, *relaxed) as server:
            connect_json("--ca", office.ca, "--cert", odd, server.place, code=code)


def test_what_is_asked_of_lists(office, tmp_path):
    other = Office(tmp_path)
    with Serve("--echo", "--identity", office.here / "server.pem") as server:
        others = ("--ca", office.ca, "--crl", other.list())
        for rule, code in ((), 5), (("--crl-rule", "leaf"), 5), (("--crl-rule", "chain"), 5), \
                (("--crl-rule", "soft"), 0):
            connect_json(*others, *rule, server.place, code=code)
        connect_json("--ca", office.ca, "--crl", office.list("server"), "--crl-rule", "soft",
                     server.place, code=5)
    with serve(office, "--crl", other.list(), "--crl-rule", "soft") as server:
        come(office, server, "alice", 0)
    with serve(office, "--crl", other.list()) as server:
        come(office, server, "alice", 8)
