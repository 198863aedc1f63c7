"""What the tests of connections share."""

import os
import pathlib
import subprocess

import pytest

# In meson.build these have the extension as _ssl; on another they would say nothing.
ON_CINCH = ("test_better_threads.py", "test_robust.py", "test_robust_callbacks.py", "test_leaks.py",
            "test_memory.py", "test_records.py", "test_select.py")


def pytest_collectstart(collector):
    if collector.name in ON_CINCH:
        import _ssl
        assert hasattr(_ssl, "CINCH_VERSION"), f"tests/python/shadow is not on PYTHONPATH: {_ssl}"


@pytest.fixture(scope="session")
def pki(tmp_path_factory):
    """The directory with the standard family of certificates, as mkpki.c lists them."""
    directory = tmp_path_factory.mktemp("pki")
    subprocess.run([os.environ["MKPKI"], directory], check=True)
    return pathlib.Path(directory)
