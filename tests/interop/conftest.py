"""What the tests against other programs share."""

import pathlib

import pytest

import certs
import programs


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    """The directory with the standard family of certificates, as mkpki.c lists them."""
    directory = tmp_path_factory.mktemp("pki")
    outcome = programs.run(programs.MKPKI, directory)
    assert outcome.code == 0, outcome.text
    return pathlib.Path(directory)


@pytest.fixture(scope="session")
def workshop(tmp_path_factory):
    """Makes the certificates that the standard family does not have, with other programs' code."""
    return certs.Workshop(tmp_path_factory.mktemp("workshop"))


@pytest.fixture(scope="session")
def web(tmp_path_factory):
    """A directory to serve."""
    directory = tmp_path_factory.mktemp("web")
    (directory / "hello.txt").write_text("hello, interop\n")
    (directory / "other.txt").write_text("another file\n")
    return pathlib.Path(directory)
