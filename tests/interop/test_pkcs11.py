"""Keys in a token: SoftHSM2's, which pkcs11-provider finds by URI."""

import os
import pathlib
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from programs import CINCH, OpensslServer, Serve, agreed, at_terminal, connect, run

PIN = "731946"
KINDS = {"ec": "p256", "rsa": "rsa"}
VERSIONS = {"-tls1_2": "TLSv1.2", "-tls1_3": "TLSv1.3"}
SOFTHSM = next(path for path in sorted(pathlib.Path("/usr/lib").glob("**/libsofthsm2.so")))

# The quirks are SoftHSM2's: it uses the same libcrypto, which at the end is gone before it.
CONFIG = f"""
openssl_conf = start
[start]
providers = providers
[providers]
default = default_provider
pkcs11 = pkcs11_provider
[default_provider]
activate = 1
[pkcs11_provider]
pkcs11-module-path = {SOFTHSM}
pkcs11-module-quirks = no-deinit no-operation-state
activate = 1
"""


class Token:
    """A token with two keys and their certificates, all by the same two names."""

    def __init__(self, directory, workshop):
        self.directory = directory
        self.root = workshop.root()
        self.leaves = {name: workshop.server(kind) for name, kind in KINDS.items()}
        (directory / "tokens").mkdir()
        config, store = directory / "openssl.cnf", directory / "softhsm2.conf"
        config.write_text(CONFIG)
        store.write_text(f"directories.tokendir = {directory / 'tokens'}\n")
        store_only = dict(os.environ, SOFTHSM2_CONF=str(store))
        self.env = dict(store_only, OPENSSL_CONF=str(config))
        self.tool(store_only, "softhsm2-util", "--init-token", "--free", "--label", "cinch", "--pin",
                  PIN, "--so-pin", "5678")
        for number, (name, leaf) in enumerate(self.leaves.items(), 1):
            self.tool(store_only, "softhsm2-util", "--import", leaf.key, "--token", "cinch",
                      "--label", name, "--id", f"0{number}", "--pin", PIN)
            self.tool(store_only, "p11tool", f"--provider={SOFTHSM}", "--login", f"--set-pin={PIN}",
                      "--write", f"--load-certificate={leaf.path}", f"--label={name}",
                      f"--id=0{number}", "pkcs11:token=cinch")
        self.pin = self.secret("pin", PIN)

    @staticmethod
    def tool(env, *args):
        outcome = run(*args, env=env)
        assert outcome.code == 0, outcome.text

    def secret(self, name, text):
        path = self.directory / name
        path.write_text(f"{text}\n")
        return path

    def uri(self, name, more=""):
        return f"pkcs11:token=cinch;object={name}{more}"

    def key(self, name):
        """The options for a key, its certificate and the PIN."""
        return ["--cert", self.leaves[name].path, "--key-uri", self.uri(name), "--password-file",
                self.pin]


@pytest.fixture(scope="module")
def token(tmp_path_factory, workshop):
    return Token(tmp_path_factory.mktemp("token"), workshop)


def s_client(port, root, *args):
    return run("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-verify_hostname",
               "localhost", "-CAfile", root, "-verify_return_error", *args, stdin=b"")


@pytest.mark.parametrize("option", VERSIONS)
@pytest.mark.parametrize("name", KINDS)
def test_server(token, name, option):
    with Serve("--echo", *token.key(name), env=token.env) as server:
        outcome = s_client(server.port, token.root.path, option)
        assert outcome.code == 0, outcome.text
        assert "Verify return code: 0 (ok)" in outcome.text
        assert server.agreed()["version"] == VERSIONS[option]
        peer = agreed(server.port, "--ca", token.root.path)
        assert peer["signature_algorithm"].startswith({"ec": "ecdsa", "rsa": "rsa"}[name])


@pytest.mark.parametrize("option", VERSIONS)
@pytest.mark.parametrize("name", KINDS)
def test_client(token, workshop, name, option):
    """The key of a client signs in both versions."""
    client = workshop.once(f"client-{name}", lambda: workshop.sign(
        "/CN=Token Client", token.leaves[name].key, token.root,
        ["basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature",
         "extendedKeyUsage=clientAuth", "subjectKeyIdentifier=hash",
         "authorityKeyIdentifier=keyid", "subjectAltName=DNS:client.test"]))
    leaf = workshop.server("p256")
    with OpensslServer("-cert", leaf.path, "-key", leaf.key, "-CAfile", token.root.path, "-Verify",
                       "2", "-verify_return_error", option) as server:
        peer = agreed(server.port, "--ca", token.root.path, "--cert", client.path, "--key-uri",
                      token.uri(name), "--password-file", token.pin, env=token.env)
        assert peer["version"] == VERSIONS[option]
        server.wait_for("^depth=0 CN *= *Token Client")


@pytest.mark.parametrize("name", KINDS)
def test_many_at_once(token, name):
    """The threads of a server share the token."""
    with Serve("--echo", *token.key(name), env=token.env) as server, ThreadPoolExecutor(4) as pool:
        for peer in pool.map(lambda _: agreed(server.port, "--ca", token.root.path), range(12)):
            assert peer["version"] == "TLSv1.3"


@pytest.mark.parametrize("name", KINDS)
def test_certificate_in_the_token(token, name):
    with Serve("--echo", "--key-uri", token.uri(name), "--password-file", token.pin,
               env=token.env) as server:
        peer = agreed(server.port, "--ca", token.root.path)
        assert peer["chain"][0]["subject"] == "CN=Interop Leaf"


def test_pin_in_the_uri(token):
    uri = token.uri("ec", f";type=private?pin-value={PIN}")
    with Serve("--echo", "--cert", token.leaves["ec"].path, "--key-uri", uri,
               env=token.env) as server:
        agreed(server.port, "--ca", token.root.path)


def test_pin_from_the_terminal(token):
    """Asked by us, once, and not by the provider; and it is not shown."""
    status, seen = at_terminal([CINCH, "audit", "--cert", token.leaves["ec"].path, "--key-uri",
                                token.uri("ec")], b"Password for the key: ", f"{PIN}\n".encode(),
                               env=token.env)
    assert status == 0, seen
    assert seen.count(b"Password for") == 1 and b"Enter PIN" not in seen
    assert PIN.encode() not in seen


def refused(token, *args, name="ec"):
    """What `cinch serve` says of an identity that it cannot use."""
    outcome = run(CINCH, "serve", "--listen", "localhost:0", "--cert", token.leaves[name].path, *args,
                  env=token.env)
    assert outcome.code == 2, outcome.text
    assert not outcome.out
    return outcome.text


def test_wrong_pin(token):
    text = refused(token, "--key-uri", token.uri("ec"), "--password-file",
                   token.secret("wrong", "731947"))
    assert "PIN" in text and "is wrong" in text and '"pkcs11:token=cinch;object=ec"' in text


def test_wrong_pin_in_the_uri(token):
    text = refused(token, "--key-uri", token.uri("ec", "?pin-value=987654"))
    assert "987654" not in text


def test_no_pin(token):
    text = refused(token, "--key-uri", token.uri("ec"), "--password-file",
                   token.directory / "nowhere")
    assert "wants a password or PIN that was not given" in text


def test_no_token(token):
    uri = "pkcs11:token=nobody;object=ec"
    text = refused(token, "--key-uri", uri, "--password-file", token.pin)
    assert f'there is no private key at "{uri}"' in text
    assert "0 objects were found" in text


def test_no_object(token):
    """The provider says no more than for a wrong PIN, and so both are named."""
    text = refused(token, "--key-uri", token.uri("no"), "--password-file", token.pin)
    assert 'the PIN for "pkcs11:token=cinch;object=no" is wrong, or there is no key' in text


@pytest.mark.parametrize("key, name", [("rsa", "ec"), ("ec", "rsa")])
def test_key_of_another(token, key, name):
    text = refused(token, "--key-uri", token.uri(key), "--password-file", token.pin, name=name)
    assert re.search("key .*does not belong|is not for the key|mismatch", text), text


def test_no_provider(token):
    """The remedy names the package."""
    outcome = connect(1, "--cert", token.leaves["ec"].path, "--key-uri", token.uri("ec"))
    assert outcome.code == 2
    error = outcome.json["error"]
    assert "no provider of OpenSSL understands" in error["what"]
    assert "pkcs11-provider" in error["remedy"]
