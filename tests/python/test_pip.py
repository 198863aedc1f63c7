"""pip install ./python, without the net."""

import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

import programs

SOURCE = pathlib.Path(os.environ["CINCH_SOURCE"])
BUILD = pathlib.Path(os.environ["CINCH_BUILD"])

# Looked for, and not imported: setuptools would take over pytest's distutils.
MISSING = [name for name in ("pip", "setuptools", "wheel") if importlib.util.find_spec(name) is None]

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"missing: {' '.join(MISSING)}")


def run(*arguments, **variables):
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment.update({key: str(value) for key, value in variables.items()})
    return subprocess.run([sys.executable, *map(str, arguments)], env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A directory for PYTHONUSERBASE with the package in it."""
    directory = tmp_path_factory.mktemp("pip")
    base = directory / "base"
    shutil.copytree(SOURCE / "python", directory / "python")
    site = run("-c", "import site; print(site.getusersitepackages())", PYTHONUSERBASE=base)
    done = run("-m", "pip", "install", "--no-index", "--no-build-isolation", "--no-deps",
               "--no-cache-dir", "--target", site.stdout.strip(), directory / "python",
               PKG_CONFIG_PATH=BUILD / "meson-uninstalled")
    assert done.returncode == 0, done.stdout
    return base


def test_an_installed_package_works(base):
    done = run("-m", "cinch", "--status", PYTHONUSERBASE=base)
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("ssl is on libcinch\n") and str(base) in done.stdout


SHOW = "import sys; print('cinch' in sys.modules, sys.modules.get('_ssl'))"


@pytest.mark.parametrize("value, wanted", [("1", True), ("0", False), ("", False)])
def test_the_variable_decides(base, value, wanted):
    done = run("-c", SHOW, PYTHONUSERBASE=base, CINCH_PYTHON=value)
    assert done.stdout.startswith(f"{wanted} ") and ("_cinch" in done.stdout) == wanted, done.stdout


def test_without_the_variable_nothing_is_imported(base):
    assert run("-c", SHOW, PYTHONUSERBASE=base).stdout == "False None\n"


def test_python_that_ignores_the_environment_ignores_the_variable(base):
    assert "_cinch" not in run("-E", "-c", SHOW, PYTHONUSERBASE=base, CINCH_PYTHON="1").stdout


@pytest.mark.parametrize("module", programs.present("requests"))
def test_a_program_of_others_needs_the_variable_only(module, base, pki):
    with programs.OpensslServer(pki, "good") as server:
        done = run(programs.HERE / "client.py", module, "localhost", server.port, pki / "root.pem",
                   PYTHONUSERBASE=base, CINCH_PYTHON="1")
        assert done.returncode == 0 and '"status": 200' in done.stdout, done.stdout
        assert f'"extension": "{base}/' in done.stdout, done.stdout
        done = run(programs.HERE / "client.py", module, "localhost", server.port, pki / "other-root.pem",
                   PYTHONUSERBASE=base, CINCH_PYTHON="1")
        assert '"requests.exceptions.SSLError"' in done.stdout, done.stdout
