"""What a certificate says, word for word as CPython's own module says it."""

import glob
import subprocess
import sysconfig

import _ssl
import pytest

from cinch import _cinch

FILES = sorted(glob.glob(sysconfig.get_path("stdlib") + "/test/**/*.pem", recursive=True)
               + glob.glob("/etc/ssl/certs/*.pem"))

# Names of every kind, several attributes in one relative name, and addresses of every sort.
CONFIGURATION = """
[req]
distinguished_name = dn
prompt = no
string_mask = utf8only
utf8 = yes
[dn]
C = DE
+O = Zwei
OU = Büro
CN = some.example
[all]
subjectAltName = DNS:some.example,email:a@b.example,URI:https://u.example/,RID:1.2.3.4,\
IP:192.0.2.1,IP:::1,IP:2001:db8::ab:cd,dirName:there,otherName:1.2.3.4;UTF8:x
authorityInfoAccess = OCSP;URI:http://o.example/,OCSP;URI:http://p.example/,\
caIssuers;URI:http://i.example/,OCSP;email:a@b.example
crlDistributionPoints = URI:http://c.example/a,here
[here]
fullname = URI:http://c.example/b
[there]
C = UK
CN = somewhere
[relative]
crlDistributionPoints = point
[point]
relativename = alone
[alone]
CN = somewhere
[none]
"""


def outcome(module, path):
    try:
        return module._test_decode_cert(path)
    except Exception as error:  # what is compared is which one it is
        return type(error).__name__, str(error)


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    directory = tmp_path_factory.mktemp("made")
    (directory / "configuration").write_text(CONFIGURATION)

    def run(section, *more):
        path = directory / f"{section}.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-keyout", directory / "key.pem", "-out", path,
             "-config", directory / "configuration", "-extensions", section, *more],
            check=True, capture_output=True)
        return str(path)

    return run


@pytest.mark.parametrize("path", FILES)
def test_a_file_of_this_machine(path):
    assert outcome(_cinch, path) == outcome(_ssl, path)


def test_every_kind_of_name(make):
    told = _cinch._test_decode_cert(make("all"))
    assert told == _ssl._test_decode_cert(make("all", "-set_serial", "0x0a")) | {
        "serialNumber": told["serialNumber"], "notBefore": told["notBefore"],
        "notAfter": told["notAfter"]}
    kinds = [kind for kind, _ in told["subjectAltName"]]
    assert kinds == ["DNS", "email", "URI", "Registered ID", "IP Address", "IP Address",
                     "IP Address", "DirName", "othername"]
    assert ("IP Address", "2001:DB8:0:0:0:0:AB:CD") in told["subjectAltName"]
    assert told["OCSP"] == ("http://o.example/", "http://p.example/")
    assert told["caIssuers"] == ("http://i.example/",)
    assert told["crlDistributionPoints"] == ("http://c.example/a", "http://c.example/b")
    assert any(len(relative) == 2 for relative in told["subject"])


@pytest.mark.parametrize("serial", ["0x0a", "0x00", "-5", "0xabc", "0x" + "fe" * 18])
def test_serial_numbers(make, serial):
    path = make("none", "-set_serial", serial)
    assert _cinch._test_decode_cert(path) == _ssl._test_decode_cert(path)


def test_a_point_relative_to_its_issuer_has_no_address(make):
    """CPython's own module takes such a name for a list of names."""
    assert "crlDistributionPoints" not in _cinch._test_decode_cert(make("relative"))
