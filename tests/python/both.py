"""Runs a piece of a program twice, each time in a process of its own: on the ssl that Python came with,
and on libcinch. What stock Python has wrong is shown to be wrong there, so that the test means something."""

import json
import os
import pathlib
import subprocess
import sys
import textwrap

PRELUDE = """
import json, ssl, sys
from duo import *
pki = sys.argv[1]
def tell(**facts):
    print(json.dumps(facts))
def outcome(what, *arguments, **more):
    try:
        what(*arguments, **more)
        return "done"
    except (ssl.SSLError, OSError) as error:
        return getattr(error, "reason", None) or type(error).__name__
"""


def run(text, pki, ours, **variables):
    """What TEXT told, as a dict."""
    first = "import cinch; cinch.install()\n" if ours else ""
    path = f"{pathlib.Path(__file__).parent}:{os.environ['CINCH_PYTHON_PACKAGE']}"
    done = subprocess.run([sys.executable, "-c", first + PRELUDE + textwrap.dedent(text), pki],
                          env={**os.environ, "PYTHONPATH": path, **variables}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def stock(text, pki, **variables):
    return run(text, pki, False, **variables)


def ours(text, pki, **variables):
    return run(text, pki, True, **variables)
