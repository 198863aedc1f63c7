"""pip, unchanged, on libcinch: it fetches from an index over HTTPS, whose authority it must know."""

import sys
import zipfile

import pytest

import programs

if not programs.present("pip"):
    pytest.skip("pip is missing", allow_module_level=True)

WHEEL = "parcel-1.0-py3-none-any.whl"


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """The directory of an index with one package in it."""
    directory = tmp_path_factory.mktemp("index")
    place = directory / "simple" / "parcel"
    place.mkdir(parents=True)
    with zipfile.ZipFile(place / WHEEL, "w") as wheel:
        info = "parcel-1.0.dist-info"
        wheel.writestr("parcel.py", "CONTENT = 'of the parcel'\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: parcel\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"parcel.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n")
    (place / "index.html").write_text(f'<!DOCTYPE html><html><body><a href="{WHEEL}">{WHEEL}</a></body></html>')
    return directory


def pip(verb, port, ca, *more):
    """pip's own process, which has to say that its ssl is on libcinch."""
    code = "import runpy, _ssl; print('extension', _ssl.__file__); " \
           "runpy.run_module('pip', run_name='__main__')"
    environment = programs.environment(PIP_CERT=ca, PIP_CONFIG_FILE="/dev/null")
    done = programs.run(sys.executable, "-c", code, verb, "--no-deps",
                        "--no-cache-dir", "--disable-pip-version-check", "--retries", "0",
                        "--index-url", f"https://localhost:{port}/simple/", *more, "parcel",
                        env=environment)
    assert f"extension {programs.PACKAGE}/cinch/_cinch." in done.stdout, done.stdout
    return done


def test_downloads_and_installs(pki, index, tmp_path):
    with programs.PythonServer(pki, "index", ours=False, directory=index) as server:
        done = pip("download", server.port, pki / "root.pem", "--dest", tmp_path)
        assert done.returncode == 0 and (tmp_path / WHEEL).exists(), done.stdout
        done = pip("install", server.port, pki / "root.pem", "--target", tmp_path / "there")
        assert done.returncode == 0 and (tmp_path / "there" / "parcel.py").exists(), done.stdout


@pytest.mark.parametrize("certificate, anchor", [("good", "other-root"), ("expired", "root"),
                                                 ("wrong-name", "root")])
def test_refuses(certificate, anchor, pki, index, tmp_path):
    with programs.PythonServer(pki, "index", ours=False, certificate=certificate,
                               directory=index) as server:
        done = pip("download", server.port, pki / f"{anchor}.pem", "--dest", tmp_path)
    assert done.returncode != 0 and not (tmp_path / WHEEL).exists(), done.stdout
    assert "problem confirming the ssl certificate" in done.stdout.lower(), done.stdout
