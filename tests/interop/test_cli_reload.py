"""cinch serve: certificates that are renewed while it runs."""

import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import time

import pytest

from cli_support import MKPKI, TIMEOUT, Serve, cinch, client_context
from test_revocation import Office


@pytest.fixture(name="pki", scope="module")
def make_pki(tmp_path_factory):
    where = tmp_path_factory.mktemp("pki")
    subprocess.run([MKPKI, str(where)], check=True)
    return where


@pytest.fixture(name="issued", scope="module")
def make_issued(tmp_path_factory):
    """Two identities for localhost from one CA."""
    where = tmp_path_factory.mktemp("ca")
    assert cinch("ca", "init", "--dir", where / "ca").returncode == 0
    for name in ("old", "new"):
        done = cinch("ca", "issue", "--dir", where / "ca", "--out", where / f"{name}.pem",
                     "localhost")
        assert done.returncode == 0, done.stderr
    (where / "ca.pem").symlink_to(where / "ca" / "cinch-ca.pem")
    return where


def parts(path):
    """Key and certificates of a PEM with everything."""
    key, certificates = [], []
    for block in path.read_text().split("-----BEGIN ")[1:]:
        (key if "PRIVATE KEY" in block.split("\n")[0] else certificates).append(
            "-----BEGIN " + block)
    return "".join(key), "".join(certificates)


def replace(path, content):
    """All at once, as careful programs do."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(content)
    fresh.chmod(0o600)
    fresh.rename(path)


def shown(server, ca):
    """The certificate that a client gets, in DER."""
    raw = socket.create_connection(("localhost", server.port), TIMEOUT)
    with client_context(ca).wrap_socket(raw, server_hostname="localhost") as tls:
        return tls.getpeercert(binary_form=True)


def leaf(path):
    return ssl.PEM_cert_to_DER_cert(parts(path)[1].split("-----END CERTIFICATE-----")[0]
                                    + "-----END CERTIFICATE-----\n")


def about_files(server):
    """The next line that is not about a connection."""
    while True:
        line = server.line()
        if line.startswith(("reloaded ", "kept ")) or '"file"' in line:
            return line


def test_reloads_and_refuses(issued, tmp_path):
    identity = tmp_path / "site.pem"
    shutil.copy(issued / "old.pem", identity)
    with Serve("--echo", "--identity", identity) as server:
        assert shown(server, issued / "ca.pem") == leaf(issued / "old.pem")
        replace(identity, "half written")
        line = about_files(server)
        assert line.startswith(f"kept the old {identity}: ") and line.endswith("(not-pem)")
        assert shown(server, issued / "ca.pem") == leaf(issued / "old.pem")
        replace(identity, (issued / "new.pem").read_text())
        assert about_files(server) == f"reloaded {identity}"
        assert shown(server, issued / "ca.pem") == leaf(issued / "new.pem")


def test_connections_go_on(issued, tmp_path):
    identity = tmp_path / "site.pem"
    shutil.copy(issued / "old.pem", identity)
    with Serve("--echo", "--identity", identity) as server:
        raw = socket.create_connection(("localhost", server.port), TIMEOUT)
        with client_context(issued / "ca.pem").wrap_socket(raw, server_hostname="localhost") as tls:
            tls.sendall(b"before")
            assert tls.recv(100) == b"before"
            replace(identity, (issued / "new.pem").read_text())
            assert about_files(server) == f"reloaded {identity}"
            tls.sendall(b"after")
            assert tls.recv(100) == b"after"


def test_two_files_one_after_the_other(issued, tmp_path):
    cert, key = tmp_path / "site.crt", tmp_path / "site.key"
    old_key, old_chain = parts(issued / "old.pem")
    new_key, new_chain = parts(issued / "new.pem")
    cert.write_text(old_chain)
    key.write_text(old_key)
    with Serve("--json", "--echo", "--cert", cert, "--key", key) as server:
        replace(key, new_key)
        event = json.loads(about_files(server))
        assert event["event"] == "refused" and event["file"] == str(cert)
        assert event["error"]["cause"] == "key-mismatch" and event["error"]["remedy"]
        assert shown(server, issued / "ca.pem") == leaf(issued / "old.pem")
        replace(cert, new_chain)
        assert json.loads(about_files(server)) == {"event": "reloaded", "file": str(cert)}
        assert shown(server, issued / "ca.pem") == leaf(issued / "new.pem")


def test_links_as_of_kubernetes(issued, tmp_path):
    for number, name in (("..1", "old"), ("..2", "new")):
        (tmp_path / number).mkdir()
        key, chain = parts(issued / f"{name}.pem")
        (tmp_path / number / "tls.key").write_text(key)
        (tmp_path / number / "tls.crt").write_text(chain)
    (tmp_path / "..data").symlink_to("..1")
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).symlink_to(pathlib.Path("..data") / name)
    with Serve("--echo", "--cert", tmp_path / "tls.crt", "--key", tmp_path / "tls.key") as server:
        assert shown(server, issued / "ca.pem") == leaf(issued / "old.pem")
        (tmp_path / "..data_tmp").symlink_to("..2")
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")
        assert about_files(server) == f"reloaded {tmp_path / 'tls.crt'}"
        assert shown(server, issued / "ca.pem") == leaf(issued / "new.pem")


def test_the_password_file_is_read_again(pki, tmp_path):
    key, password = tmp_path / "site.key", tmp_path / "password"
    shutil.copy(pki / "good.key", key)
    password.write_text("none is needed\n")
    with Serve("--echo", "--cert", pki / "good-chain.pem", "--key", key, "--password-file",
               password) as server:
        replace(key, (pki / "good-encrypted.key").read_text())
        assert about_files(server).endswith("(password-wrong)")
        password.write_text("cinch\n")
        replace(key, (pki / "good-encrypted.key").read_text() + "\n")
        assert about_files(server) == f"reloaded {pki / 'good-chain.pem'}"


def test_the_ca_of_clients(pki, tmp_path):
    ca = tmp_path / "ca.pem"
    shutil.copy(pki / "root.pem", ca)
    with Serve("--echo", "--identity", pki / "good-all.pem", "--client-ca", ca) as server:
        replace(ca, "no longer")
        assert about_files(server).startswith(f"kept the old {ca}: ")
        replace(ca, (pki / "root.pem").read_text() + "# renewed\n")
        assert about_files(server) == f"reloaded {ca}"


def test_revocation_lists(tmp_path):
    """A client that is put on the list while the server runs is let in no more."""
    office = Office(tmp_path)
    crl = tmp_path / "live.crl"
    crl.write_bytes(office.list().read_bytes())
    with Serve("--echo", "--identity", office.here / "server.pem", "--client-ca", office.ca,
               "--crl", crl) as server:
        alice = ["--ca", office.ca, "--cert", office.here / "alice.pem", server.place]
        assert cinch("connect", *alice).returncode == 0
        replace(crl, "no list")
        assert about_files(server).startswith(f"kept the old {crl}: ")
        assert cinch("connect", *alice).returncode == 0
        replace(crl, office.list("alice").read_text())
        assert about_files(server) == f"reloaded {crl}"
        # The server looks once in a second.
        deadline = time.monotonic() + TIMEOUT
        while cinch("connect", *alice).returncode == 0:
            assert time.monotonic() < deadline


def test_a_pipe_is_read_once(pki):
    """As a shell makes one of <(command)."""
    reading, writing = os.pipe()
    os.write(writing, (pki / "good-all.pem").read_bytes())
    os.close(writing)
    path = f"/dev/fd/{reading}"
    os.set_inheritable(reading, True)
    process = subprocess.Popen([os.environ["CINCH"], "serve", "--echo", "--listen", "localhost:0",
                                "--identity", path], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, pass_fds=[reading])
    os.close(reading)
    try:
        assert process.stdout.readline().startswith(b"listening on localhost:")
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 0, errors
