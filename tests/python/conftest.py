"""What the tests of the Python package share."""

import os
import pathlib
import subprocess

import pytest


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    """The directory with the standard family of certificates, as mkpki.c lists them."""
    directory = pathlib.Path(tmp_path_factory.mktemp("pki"))
    subprocess.run([os.environ["MKPKI"], directory], check=True)
    return directory
