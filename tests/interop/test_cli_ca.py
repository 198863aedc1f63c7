"""cinch ca: what it makes, how it keeps it, what it refuses."""

import os
import re
import ssl
import stat
import subprocess

import pytest

from cli_support import CINCH, cinch, environment


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


@pytest.fixture(name="home")
def make_home(tmp_path):
    assert cinch("ca", "init", home=tmp_path, cwd=tmp_path).returncode == 0
    return tmp_path


def issue(home, *arguments):
    return cinch("ca", "issue", *arguments, home=home, cwd=home)


def ca_of(home):
    return home / "cinch" / "cinch-ca.pem"


def test_files_are_for_their_reader_only(tmp_path):
    before = os.umask(0)
    try:
        assert cinch("ca", "init", home=tmp_path).returncode == 0
        assert issue(tmp_path, "localhost").returncode == 0
    finally:
        os.umask(before)
    assert mode(tmp_path / "cinch") == 0o700
    assert mode(tmp_path / "cinch" / "cinch-ca.key") == 0o600
    assert mode(ca_of(tmp_path)) == 0o644
    assert mode(tmp_path / "localhost.pem") == 0o600
    assert mode(tmp_path / "localhost.crt") == 0o644
    assert b"PRIVATE" not in ca_of(tmp_path).read_bytes()
    assert b"PRIVATE" not in (tmp_path / "localhost.crt").read_bytes()
    leftovers = sorted(os.listdir(tmp_path / "cinch")) + sorted(os.listdir(tmp_path))
    assert leftovers == ["cinch-ca.key", "cinch-ca.pem", "cinch", "localhost.crt", "localhost.pem"]


def test_the_standard_directory(tmp_path):
    done = cinch("ca", "init", HOME=tmp_path)
    assert done.returncode == 0
    assert (tmp_path / ".local/share/cinch/cinch-ca.key").exists()


def test_init_does_not_replace(home):
    before = (home / "cinch" / "cinch-ca.key").read_bytes()
    done = cinch("ca", "init", home=home)
    assert done.returncode == 2
    assert b"--force" in done.stderr
    assert (home / "cinch" / "cinch-ca.key").read_bytes() == before
    assert cinch("ca", "init", "--force", home=home).returncode == 0
    assert (home / "cinch" / "cinch-ca.key").read_bytes() != before


def test_one_of_many_at_once_makes_it(tmp_path):
    many = [subprocess.Popen([CINCH, "ca", "init"], env=environment(tmp_path),
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for _ in range(8)]
    assert sorted(one.wait() for one in many) == [0] + [2] * 7
    assert issue(tmp_path, "localhost").returncode == 0
    assert openssl("verify", "-CAfile", ca_of(tmp_path), tmp_path / "localhost.crt")[0] == 0


def test_issue_needs_a_ca(tmp_path):
    done = issue(tmp_path, "localhost")
    assert done.returncode == 2
    assert b"cinch ca init" in done.stderr
    assert not (tmp_path / "localhost.pem").exists()


def test_the_root_follows_the_profile(home):
    _, text = openssl("x509", "-in", ca_of(home), "-noout", "-text")
    assert "CA:TRUE, pathlen:0" in text
    assert re.search(r"Basic Constraints: critical", text)
    assert re.search(r"Key Usage: critical\s+Certificate Sign, CRL Sign\n", text)
    assert "Subject Key Identifier" in text
    assert "prime256v1" in text
    assert "ecdsa-with-SHA256" in text
    assert openssl("x509", "-in", ca_of(home), "-checkend", str(3640 * 86400))[0] == 0
    assert openssl("x509", "-in", ca_of(home), "-checkend", str(3660 * 86400))[0] == 1


def test_the_root_is_der(home):
    """Programs in Go refuse any other TRUE than DER's (X.690, 11.1). OpenSSL does not mind."""
    der = ssl.PEM_cert_to_DER_cert(ca_of(home).read_text())
    # The extension of basic constraints: critical, CA, no intermediates.
    assert bytes.fromhex("0603551d13 0101ff 0408 3006 0101ff 020100") in der


def test_a_leaf_follows_the_profile(home):
    assert issue(home, "localhost", "127.0.0.1", "::1", "*.example.test",
                 "Bücher.example").returncode == 0
    _, text = openssl("x509", "-in", home / "localhost.crt", "-noout", "-text")
    assert ("DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, "
            "DNS:*.example.test, DNS:xn--bcher-kva.example\n") in text
    assert re.search(r"Basic Constraints: critical\s+CA:FALSE", text)
    assert re.search(r"Key Usage: critical\s+Digital Signature\n", text)
    assert "TLS Web Server Authentication, TLS Web Client Authentication" in text
    assert "Subject Key Identifier" in text and "Authority Key Identifier" in text
    assert "prime256v1" in text
    serial = re.search(r"Serial Number:\s+([0-9a-f:]+)\n", text).group(1)
    assert len(serial.split(":")) == 16
    for purpose in ("sslserver", "sslclient"):
        code, said = openssl("verify", "-x509_strict", "-purpose", purpose, "-CAfile",
                             ca_of(home), home / "localhost.crt")
        assert code == 0, said


def test_the_pem_is_all_that_a_server_needs(home):
    assert issue(home, "localhost").returncode == 0
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(home / "localhost.pem")


def test_serials_differ(home):
    serials = set()
    for _ in range(4):
        assert issue(home, "localhost").returncode == 0
        serials.add(openssl("x509", "-in", home / "localhost.crt", "-noout", "-serial")[1])
    assert len(serials) == 4


@pytest.mark.parametrize("name", [
    "", ".", "a b", "*.test", "*", "a..b", "-a.test", "a-.test", "1.2.3", "1.2.3.4.5", "300.1.1.1",
    "a_b.test", "foo/bar", "x" * 64 + ".test", "*.*.example.test", "w*.example.test",
    "a.*.example.test", "localhost:443", "::1%lo", "user@example.test", "spiffe://a/b",
    "a.test\n", ".".join(["a" * 60] * 5),
])
def test_what_is_no_name(home, name):
    done = issue(home, "--", name)
    assert done.returncode == 2, done.stdout
    assert b"error:" in done.stderr
    assert [file for file in os.listdir(home) if file.endswith((".pem", ".crt"))] == []


def test_a_bad_name_among_good_ones(home):
    assert issue(home, "localhost", "bad name").returncode == 2
    assert not (home / "localhost.pem").exists()


def test_client_certificates(home):
    assert issue(home, "--client", "alice@example.test", "spiffe://example.test/a").returncode == 0
    file = home / "alice@example.test.crt"
    _, text = openssl("x509", "-in", file, "-noout", "-text")
    assert "email:alice@example.test, URI:spiffe://example.test/a" in text
    assert "TLS Web Server Authentication" not in text
    assert openssl("verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", ca_of(home),
                   file)[0] == 0
    assert openssl("verify", "-purpose", "sslserver", "-CAfile", ca_of(home), file)[0] != 0


@pytest.mark.parametrize("arguments", [
    ["--days", "398"], ["--days", "0"], ["--days", "x"], ["--days", "9" * 30], ["--days", ""],
    ["--days", "-1", "--start", "1"], ["--start", "-1"], ["--days"],
])
def test_times_that_make_no_sense(home, arguments):
    assert issue(home, "localhost", *arguments).returncode == 2


def test_times(home):
    def dates(*arguments):
        assert issue(home, "localhost", *arguments).returncode == 0
        _, text = openssl("x509", "-in", home / "localhost.crt", "-noout", "-dates")
        begin, end = (ssl.cert_time_to_seconds(line.split("=")[1]) for line in text.splitlines())
        return begin, end
    day = 86400
    begin, end = dates()
    assert 90 * day < end - begin < 91 * day
    begin, end = dates("--days", "397")
    assert 397 * day < end - begin < 398 * day
    today, _ = dates()
    begin, end = dates("--days", "-1")
    assert -2 * day < end - today < 0 and begin < end
    begin, end = dates("--days", "1", "--start", "2")
    assert day < begin - today < 3 * day and end - begin == day - 1


def test_files_of_others_stay(home):
    (home / "localhost.pem").write_text("precious")
    done = issue(home, "localhost")
    assert done.returncode == 2
    assert b"--force" in done.stderr
    assert (home / "localhost.pem").read_text() == "precious"
    assert not (home / "localhost.crt").exists()
    assert issue(home, "--force", "localhost").returncode == 0
    assert issue(home, "localhost").returncode == 0, "a renewal needs no force"


def test_out(home):
    assert issue(home, "--out", "site/../a.pem", "localhost").returncode == 2, "no such directory"
    assert issue(home, "--out", "a.pem", "localhost").returncode == 0
    assert issue(home, "-o", "b.key", "localhost").returncode == 0
    assert {"a.pem", "a.crt", "b.key"} <= set(os.listdir(home))
    assert mode(home / "b.key") == 0o600
    assert issue(home, "*.example.test").returncode == 0
    assert (home / "_wildcard.example.test.pem").exists()


def test_a_key_that_others_can_read_is_not_used(home):
    os.chmod(home / "cinch" / "cinch-ca.key", 0o640)
    done = issue(home, "localhost")
    assert done.returncode == 2
    assert b"chmod 600" in done.stderr


@pytest.mark.parametrize("content", ["", "garbage\n", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_damaged_ca(home, content):
    (home / "cinch" / "cinch-ca.key").write_text(content)
    done = issue(home, "localhost")
    assert done.returncode == 2
    assert b"cinch ca init --force" in done.stderr


def test_the_public_file_is_made_again(home):
    before = ca_of(home).read_bytes()
    ca_of(home).unlink()
    assert cinch("ca", "trust", home=home).returncode == 0
    assert ca_of(home).read_bytes() == before
    ca_of(home).write_bytes(before[:100])
    assert cinch("ca", "trust", home=home).returncode == 0
    assert ca_of(home).read_bytes() == before


def test_trust_names_the_file(home):
    done = cinch("ca", "trust", "--dir", "cinch", home=home, cwd=home)
    assert done.returncode == 0
    text = done.stdout.decode()
    for word in (f"sudo cp '{ca_of(home)}' /usr/local/share/ca-certificates/",
                 "update-ca-certificates", "update-ca-trust", f"curl --cacert '{ca_of(home)}'",
                 f"SSL_CERT_FILE='{ca_of(home)}'", "certutil"):
        assert word in text


def test_a_directory_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    for where in ("file/ca", "file", ""):
        done = cinch("ca", "init", "--dir", where, cwd=tmp_path)
        assert done.returncode == 2, where
        assert b"error:" in done.stderr


def test_an_expired_ca_is_told(home):
    # Any key with an expired certificate will do.
    assert issue(home, "--days", "-1", "--out", "old.pem", "localhost").returncode == 0
    (home / "cinch" / "cinch-ca.key").write_bytes((home / "old.pem").read_bytes())
    done = issue(home, "localhost")
    assert done.returncode == 2
    assert b"has expired" in done.stderr and b"cinch ca init --force" in done.stderr
