"""The command line itself: help, hints, exit status, output that cannot be written."""

import os
import subprocess

import pytest

from cli_support import CINCH, cinch, environment


@pytest.mark.parametrize("arguments, hint", [
    ([], b"usage: cinch"),
    (["conect", "localhost"], b"did you mean connect?"),
    (["frobnicate"], b"there is no subcommand frobnicate"),
    (["--json"], b"after a subcommand"),
    (["help", "sarve"], b"did you mean serve?"),
    (["connect"], b"where to?"),
    (["connect", "a", "b"], b"more than one host: b"),
    (["connect", "--jsn", "localhost"], b"did you mean --json?"),
    (["connect", "--frobnicate", "localhost"], b"unknown option --frobnicate"),
    (["connect", "-x", "localhost"], b"unknown option -x"),
    (["connect", "localhost", "--ca"], b"--ca needs an argument"),
    (["connect", "--json=1", "localhost"], b"takes no argument"),
    (["connect", "--timeout", "soon", "localhost"], b"takes a number"),
    (["connect", "--timeout", "0", "localhost"], b"takes a number"),
    (["connect", "--key", "k.pem", "localhost"], b"--key needs --cert"),
    (["connect", "--cert", "c", "--key", "k", "--key-uri", "u:", "localhost"], b"either at --key"),
    (["connect", "--starttls", "smpt", "localhost"], b"knows no smpt; did you mean smtp?"),
    (["connect", "--starttls", "gopher", "localhost"], b"--starttls knows no gopher\n"),
    (["connect", "--starttls", "smtp", "https://localhost/"], b"https URL has no --starttls"),
    (["connect", "http://localhost/"], b"not HOST"),
    (["connect", "user@localhost"], b"not HOST"),
    (["connect", "localhost:"], b"not HOST"),
    (["connect", "[::1"], b"not HOST"),
    (["connect", ""], b"not HOST"),
    (["connect", ":443"], b"not HOST"),
    (["serve", "a", "b"], b"more than one directory"),
    (["serve", "--echo", "a"], b"--echo serves no directory"),
    (["serve", "--identity", "a", "--key", "b"], b"use --cert with --key"),
    (["serve", "--key", "b"], b"--key needs --cert"),
    (["serve", "--identity", "a", "--key-uri", "b:"], b"use --cert with --key or --key-uri"),
    (["serve", "--listen", "a/b"], b"not HOST:PORT"),
    (["connect", "--relax", "x", "localhost"], b"no rule x; the rules are eku-required, leaf-not-ca"),
    (["serve", "--relax", "x"], b", eku-pure, encoding\n"),
    (["audit", "--relax", "x"], b"the rules are"),
    (["verify", "--relax", "x"], b"the rules are"),
    (["serve", "--relax", "serial"], b"it needs --client-ca"),
    (["serve", "--client-auth", "optional"], b"--client-auth needs --client-ca"),
    (["serve", "--client-auth", "maybe"], b"takes optional or required, not maybe"),
    (["serve", "--allow", "dns:a"], b"--allow needs --client-ca"),
    (["serve", "--client-ca", "a", "--allow", "a"], b"--allow takes dns:NAME, "),
    (["serve", "--crl-rule", "hard"], b"takes soft, leaf or chain, not hard"),
    (["connect", "--crl-rule", "soft", "a"], b"--crl-rule needs --crl"),
    (["connect", "--pin", "0", "a"], b"--pin needs --reserve"),
    (["connect", "--reserve", "0", "a"], b"--reserve needs --pin"),
    (["connect", "--insecure", "--relax", "serial", "a"], b"nor --relax"),
    (["audit", "--pin", "0", "--reserve", "1"], b"--pin is for a client"),
    (["audit", "--client", "--ocsp", "a"], b"--ocsp is for a server"),
    (["audit", "--ocsp", "a"], b"--ocsp needs --identity"),
    (["wire"], b"which capture?"),
    (["connect", "--wire-hax", "a"], b"did you mean --wire-hex?"),
    (["ca"], b"init, issue or trust"),
    (["ca", "isue", "a"], b"did you mean issue?"),
    (["ca", "issue"], b"at least one name"),
    (["ca", "init", "x"], b"unexpected argument x"),
    (["ca", "trust", "x"], b"unexpected argument x"),
    (["version", "x"], b"unexpected argument x"),
])
def test_usage(arguments, hint):
    done = cinch(*arguments)
    assert done.returncode == 2
    assert hint in done.stderr
    assert done.stdout == b""


@pytest.mark.parametrize("arguments", [
    ["--help"], ["-h"], ["help"], ["connect", "--help"], ["serve", "-h"], ["ca", "--help"],
    ["ca", "init", "--help"], ["ca", "issue", "--help"], ["ca", "trust", "--help"],
    ["version", "--help"], ["help", "connect"], ["wire", "--help"],
])
def test_help(arguments):
    done = cinch(*arguments)
    assert done.returncode == 0
    assert done.stdout.startswith(b"usage: cinch")
    assert done.stderr == b""
    assert max(map(len, done.stdout.decode().splitlines())) <= 100


def test_version():
    done = cinch("version")
    assert done.stdout.startswith(b"cinch ")
    assert cinch("--version").stdout == done.stdout
    verbose = cinch("version", "--verbose").stdout.decode()
    for word in ("OpenSSL 3.", "default", "modern", "AES-GCM", "libidn2", "jansson", "http-parser",
                 "libpcap"):
        assert word in verbose


def test_output_that_cannot_be_written():
    with open("/dev/full", "wb") as full:
        done = subprocess.run([CINCH, "version"], stdout=full, stderr=subprocess.PIPE,
                              env=environment(), check=False)
    assert done.returncode == 10
    assert b"cannot write" in done.stderr


def test_started_without_standard_files(tmp_path):
    """A socket or a key must not get the number of a closed standard file."""
    def close_all():
        for fd in (0, 1, 2):
            os.close(fd)
    done = subprocess.run([CINCH, "ca", "init"], preexec_fn=close_all, env=environment(tmp_path),
                          check=False)
    assert done.returncode == 0
    assert b"BEGIN CERTIFICATE" in (tmp_path / "cinch" / "cinch-ca.pem").read_bytes()
    assert b"made a" not in (tmp_path / "cinch" / "cinch-ca.key").read_bytes()
