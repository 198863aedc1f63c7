"""--key-uri with keys that every OpenSSL finds: in files. test_pkcs11.py has those in tokens."""

import pytest

from programs import CINCH, Serve, agreed, at_terminal, run


@pytest.fixture
def password(tmp_path):
    path = tmp_path / "password"
    path.write_text("cinch\n")
    return path


def test_key(pki):
    with Serve("--echo", "--cert", pki / "good-chain.pem", "--key-uri",
               f"file:{pki / 'good.key'}") as server:
        assert agreed(server.port, "--ca", pki / "root.pem")["version"] == "TLSv1.3"


def test_everything_at_the_uri(pki):
    with Serve("--echo", "--key-uri", f"file:{pki / 'good-all.pem'}") as server:
        assert len(agreed(server.port, "--ca", pki / "root.pem")["chain"]) == 3


def test_client(pki, password):
    with Serve("--echo", "--identity", pki / "good-all.pem", "--client-ca",
               pki / "root.pem") as server:
        agreed(server.port, "--ca", pki / "root.pem", "--cert", pki / "client-chain.pem",
               "--key-uri", f"file:{pki / 'client-encrypted.key'}", "--password-file", password)


def audit(pki, *args):
    return [CINCH, "audit", "--cert", str(pki / "good-chain.pem"), "--key-uri",
            f"file:{pki / 'good-encrypted.key'}", *map(str, args)]


def test_password_from_the_terminal(pki):
    """Asked once, and not shown."""
    status, seen = at_terminal(audit(pki), b"Password for the key: ", b"cinch\n")
    assert status == 0, seen
    assert seen.count(b"Password for") == 1 and b"cinch\r\n" not in seen


def test_no_password(pki):
    outcome = run("setsid", "-w", *audit(pki))
    assert outcome.code == 2
    assert "wants a password or PIN that was not given" in outcome.text


def test_wrong_password(pki, tmp_path):
    (tmp_path / "wrong").write_text("wrong\n")
    outcome = run(*audit(pki, "--password-file", tmp_path / "wrong"))
    assert outcome.code == 2
    assert "is wrong" in outcome.text


def test_no_such_certificate(pki):
    outcome = run(CINCH, "serve", "--cert", pki / "nowhere.pem", "--key-uri",
                  f"file:{pki / 'good.key'}")
    assert outcome.code == 2
    assert "nowhere.pem" in outcome.text
