"""cinch audit, and docs/audit.md, which shows its table."""

import json
import os
import pathlib

import pytest

from cli_support import cinch

DOCUMENT = pathlib.Path(os.environ["CINCH_SOURCE"]) / "docs" / "audit.md"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    assert cinch("ca", "init", home=home).returncode == 0
    assert cinch("ca", "issue", "localhost", home=home, cwd=home).returncode == 0
    return home


def audit(*arguments, code, **more):
    done = cinch("audit", "--json", *arguments, **more)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    answer = json.loads(done.stdout)
    assert answer["exit_code"] == code
    assert answer["ok"] is (code == 0)
    return answer


def ids(answer):
    return [finding["id"] for finding in answer["findings"]]


def test_nothing_weak(home):
    assert audit("--client", code=0)["findings"] == []
    assert audit("--identity", home / "localhost.pem", code=0)["findings"] == []
    done = cinch("audit", "--identity", home / "localhost.pem")
    assert (done.returncode, done.stdout) == (0, b"nothing weak found\n")


def test_notes_are_no_failure():
    assert ids(audit(code=0)) == ["identity-missing"]
    assert "tls-1.3-missing" in ids(audit("--client", "--max", "1.2", code=0))


@pytest.mark.parametrize("arguments, wanted", [
    (["--min", "1.0"], "tls-1.0"),
    (["--min", "1.1", "--max", "1.1"], "tls-1.1"),
    (["--ciphers", "AES128-GCM-SHA256"], "cipher-no-forward-secrecy"),
    (["--ciphers", "ECDHE-RSA-AES128-SHA256"], "cipher-cbc"),
    (["--level", "0"], "security-level-none"),
    (["--level", "0", "--sigalgs", "RSA+SHA1:ECDSA+SHA256"], "signature-sha1"),
    (["--level", "1", "--groups", "X25519:P-192"], "security-level-low"),
    (["--client", "--insecure"], "verification-off"),
])
def test_what_is_weak(arguments, wanted):
    answer = audit(*arguments, code=10)
    assert wanted in ids(answer)
    severities = [finding["severity"] for finding in answer["findings"]]
    assert severities == sorted(severities, key=["danger", "warning", "note"].index)
    for finding in answer["findings"]:
        assert all(finding[name] for name in ("what", "why", "source", "remedy"))


def test_as_text():
    done = cinch("audit", "--ciphers", "AES128-GCM-SHA256")
    assert done.returncode == 10
    lines = done.stdout.decode().splitlines()
    assert lines[0] == ("warning cipher-no-forward-secrecy: cipher suites without forward secrecy: "
                        "AES128-GCM-SHA256")
    assert "  remedy: take suites that begin with ECDHE" in lines
    assert lines[-1] == "0 dangers, 1 warning, 1 note"
    assert b"\x1b" not in done.stdout


def test_client_certificates(home):
    ca = home / "cinch" / "cinch-ca.pem"
    assert audit("--identity", home / "localhost.pem", "--client-ca", ca, code=0)["findings"] == []
    assert audit("--client", "--ca", ca, code=0)["findings"] == []
    assert ids(audit("--client", "--ca", home / "localhost.crt", code=0)) == ["anchor-not-ca"]


def test_what_cannot_be_used(tmp_path):
    answer = audit("--identity", tmp_path / "none.pem", code=2)
    assert answer["error"]["what"]
    assert audit("--ciphers", "NONSENSE", code=2)["error"]["remedy"]
    assert audit("--level", "5", code=2)["error"]["what"]
    done = cinch("audit", "--ciphers", "NONSENSE")
    assert done.returncode == 2
    assert done.stderr.startswith(b"error:")


@pytest.mark.parametrize("arguments, hint", [
    (["x"], b"unexpected argument x"),
    (["--min", "2"], b"takes 1.0, 1.1, 1.2 or 1.3"),
    (["--level", "6"], b"takes a number from 0 to 5"),
    (["--ca", "x"], b"add --client"),
    (["--insecure"], b"add --client"),
    (["--client", "--client-ca", "x"], b"leave out --client"),
    (["--key", "x"], b"--key needs --cert"),
    (["--identity", "x", "--key", "y"], b"use --cert with --key"),
    (["--identity", "x", "--key-uri", "y:"], b"use --cert with --key or --key-uri"),
    (["--cypher", "x"], b"did you mean --ciphers?"),
])
def test_usage(arguments, hint):
    done = cinch("audit", *arguments)
    assert done.returncode == 2
    assert hint in done.stderr


def table():
    return json.loads(cinch("audit", "--list", "--json").stdout)["findings"]


def test_the_list():
    names = [finding["id"] for finding in table()]
    assert len(names) > 40
    assert len(set(names)) == len(names)
    text = cinch("audit", "--list").stdout.decode()
    assert all(f" {name}: " in text for name in names)


def test_the_document_is_the_table():
    rows = [f"| `{f['id']}` | {f['severity']} | {f['what']} | {f['why']} | {f['since']} "
            f"| {f['source']} | {f['remedy']} |" for f in table()]
    found = [line for line in DOCUMENT.read_text().splitlines() if line.startswith("| `")]
    assert found == rows
