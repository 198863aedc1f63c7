"""The commands of docs/python.md work, and what it shows is what comes out."""

import os
import pathlib
import re
import subprocess
import sys

import pytest

SOURCE = pathlib.Path(os.environ["CINCH_SOURCE"])
TEXT = (SOURCE / "docs" / "python.md").read_text()
SETUP = re.search(r"^```sh setup\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL).group(1)
COMMANDS = re.findall(r"^```sh run\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
SHOWN = re.search(r"^```text\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL).group(1)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """What each block prints, one after the other in one shell."""
    build = os.environ["CINCH_BUILD"]
    setup = SETUP.replace("$PWD/build", build)
    between = "printf '\\n--next--\\n'\n"
    script = "set -e\n" + setup + "".join(between + block for block in COMMANDS)
    # The page's python3 is the one that the extension was built for.
    bin = tmp_path_factory.mktemp("bin")
    (bin / "python3").symlink_to(sys.executable)
    done = subprocess.run(["bash", "-c", script], text=True, capture_output=True, timeout=120,
                          cwd=tmp_path_factory.mktemp("desk"),
                          env={**os.environ, "PATH": f"{bin}:{os.environ['PATH']}",
                               "TMPDIR": str(tmp_path_factory.mktemp("tmp"))})
    assert done.returncode == 0, done.stdout + done.stderr
    return [part.strip("\n") for part in done.stdout.split("--next--")[1:]]


def test_status(outputs):
    assert outputs[0].startswith("ssl is on libcinch\n")
    assert "ssl is on libcinch\n" in outputs[2]


def test_programs_run(outputs):
    assert "/cinch/_cinch." in outputs[1] and "OpenSSL" in outputs[1]


def test_the_error_is_as_shown(outputs):
    assert outputs[3] == SHOWN.strip("\n")


def test_reports_and_audits(outputs):
    assert outputs[4].startswith("TLSv1.3 TLS_AES_128_GCM_SHA256 ")
    assert "danger name-check-off " in outputs[4]
