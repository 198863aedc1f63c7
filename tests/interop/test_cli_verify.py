"""cinch verify: what openssl's own commands make, judged without a connection."""

import json
import subprocess

import pytest

from cli_support import cinch

LEAF = """basicConstraints=CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth
subjectAltName=DNS:localhost
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
"""


def openssl(*arguments, cwd):
    subprocess.run(["openssl", *map(str, arguments)], cwd=cwd, check=True,
                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)


NEW = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@pytest.fixture(scope="module", name="made")
def make_all(tmp_path_factory):
    """A CA as `openssl req -x509` makes it, and a request."""
    folder = tmp_path_factory.mktemp("verify")
    openssl("req", "-x509", *NEW, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj",
            "/CN=Quick CA", cwd=folder)
    openssl("req", *NEW, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=localhost",
            cwd=folder)
    return folder


def issue(made, name, extensions, *more):
    (made / f"{name}.ext").write_text(extensions)
    openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-out",
            f"{name}.pem", "-days", "10", "-extfile", f"{name}.ext", *more, cwd=made)
    return made / f"{name}.pem"


def judge(path, *arguments, cwd):
    done = cinch("verify", path, "--json", *arguments, cwd=cwd)
    return done.returncode, json.loads(done.stdout)


def server(made, path, *arguments):
    return judge(path, "--ca", made / "ca.pem", "--host", "localhost", *arguments, cwd=made)


def test_accepted(made):
    path = issue(made, "good", LEAF)
    assert server(made, path) == (0, {"accepted": True})
    done = cinch("verify", path, "--ca", made / "ca.pem", "--host", "localhost", cwd=made)
    assert done.returncode == 0 and b"accepted" in done.stdout
    done = cinch("verify", path, "--ca", made / "ca.pem", "--host", "localhost", "-q", cwd=made)
    assert done.returncode == 0 and done.stdout == b""


@pytest.mark.parametrize("rule,extensions", [
    ("eku-required", LEAF.replace("extendedKeyUsage=serverAuth\n", "")),
    ("eku-pure", LEAF.replace("serverAuth", "serverAuth,codeSigning")),
    ("key-identifiers", LEAF.replace("authorityKeyIdentifier=keyid\n",
                                     "authorityKeyIdentifier=none\n")),
    ("leaf-not-ca", LEAF.replace("digitalSignature", "digitalSignature,keyCertSign")),
    ("subject-alt-name", LEAF.replace("DNS:localhost", "critical,DNS:localhost")),
    ("name-constraints", LEAF + "nameConstraints=permitted;DNS:localhost\n"),
    ("key-usage", LEAF.replace("digitalSignature", "keyAgreement")),
])
def test_each_rule_and_its_name(made, rule, extensions):
    path = issue(made, rule, extensions)
    code, answer = server(made, path)
    assert code == 5 and answer["error"]["cause"] == "chain-rule"
    assert f'"{rule}"' in answer["error"]["what"]
    assert "CINCH_RULE_" + rule.upper().replace("-", "_") in answer["error"]["remedy"]
    assert server(made, path, "--relax", rule)[0] == 0
    assert server(made, path, "--relax", "serial")[0] == 5


def test_serial(made):
    path = issue(made, "zero", LEAF, "-set_serial", "0")
    assert '"serial"' in server(made, path)[1]["error"]["what"]


def test_name_time_and_client(made):
    path = issue(made, "plain", LEAF)
    assert judge(path, "--ca", made / "ca.pem", "--host", "other.test", cwd=made)[0] == 6
    for when in ("2015-01-01", "2015-01-01T00:00:00Z", "1420070400"):
        assert server(made, path, "--time", when)[0] == 7
    code, answer = judge(path, "--ca", made / "ca.pem", "--client", cwd=made)
    assert code == 5 and answer["error"]["cause"] == "wrong-purpose"
    path = issue(made, "client", LEAF.replace("serverAuth", "clientAuth"))
    assert judge(path, "--ca", made / "ca.pem", "--client", cwd=made)[0] == 0


def test_its_own_anchor(made):
    """The usual shortcut: one self-signed certificate, copied to the other side."""
    openssl("req", "-x509", *NEW, "-keyout", "self.key", "-out", "self.pem", "-subj",
            "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", cwd=made)
    path = made / "self.pem"
    assert judge(path, "--ca", path, "--host", "localhost", cwd=made)[0] == 0
    assert judge(path, "--ca", path, "--host", "other.test", cwd=made)[0] == 6
    assert judge(path, "--ca", made / "ca.pem", "--host", "localhost", cwd=made)[0] == 5


@pytest.mark.parametrize("arguments", [
    (), ("good.pem",), ("good.pem", "--client"), ("good.pem", "more.pem", "--host", "x"),
    ("good.pem", "--host", "x", "--time", "yesterday"), ("good.pem", "--host", "x", "--relax", "all"),
    ("good.pem", "--host", "x", "--time", "2015-13-01"), ("good.pem", "--client", "--host", "x"),
    ("none.pem", "--host", "localhost"), ("leaf.key", "--host", "localhost"),
])
def test_usage(made, arguments):
    assert cinch("verify", *arguments, cwd=made).returncode == 2
