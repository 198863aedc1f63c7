"""Runs CPython's own suites, with our extension as `_ssl` or with CPython's, and reads what they say."""

import collections
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
MOST_EXCEPTIONS = 5
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

Suite = collections.namedtuple("Suite", "name ran skipped options")
Outcome = collections.namedtuple("Outcome", "code ran skipped failed skips text")


def lines(name):
    text = (HERE / name).read_text()
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def load_suites():
    """The suites of this version of Python, by name."""
    suites = {}
    for line in lines("suites.txt"):
        version, _, name, ran, skipped, *options = line.split()
        if version == VERSION:
            suites[name] = Suite(name, int(ran), int(skipped), options)
    return suites


def load_exceptions(version=VERSION):
    """The reason for each test that may fail with this version of Python."""
    fields = [line.split(None, 2) for line in lines("exceptions.txt")]
    return {test: reason for found, test, reason in fields if found == version}


def belongs(test, suite):
    return test.startswith(f"test.{suite}.")


def extension():
    (found,) = pathlib.Path(os.environ["CINCH_PYTHON_PACKAGE"], "cinch").glob("_cinch*.so")
    return found


def run_cpython(arguments, directory, path):
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, *map(str, arguments)], env=environment, cwd=directory,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace")
    return done.returncode, done.stdout


def run_suite(suite, directory, stock=False):
    options = ["-v", "--tempdir", directory, *suite.options, suite.name]
    if stock:
        code, text = run_cpython(["-m", "test", *options], directory, "")
    else:
        path = f"{HERE / 'shadow'}:{os.environ['CINCH_PYTHON_PACKAGE']}"
        code, text = run_cpython([HERE / "cpython.py", extension(), *options], directory, path)
    return read_outcome(code, text)


def read_outcome(code, text):
    found = re.findall(r"^Ran (\d+) tests? in .*\n\n(?:OK|FAILED)(?: \((.*)\))?$", text, re.MULTILINE)
    assert len(found) == 1, f"exit status {code}, and no result in:\n{text[-8000:]}"
    ran, counts = found[0]
    skipped = re.search(r"skipped=(\d+)", counts)
    # A sub-test, or a class that could not be set up, has its name in there as well.
    failed = set(re.findall(r"^(?:FAIL|ERROR): .*?\(([\w.]+)\)", text, re.MULTILINE))
    if "unexpected successes" in counts:
        failed.add("unexpected successes")
    skips = set(re.findall(r"^\w+ \(([\w.]+)\)(?:\n.*)? \.\.\. skipped ", text, re.MULTILINE))
    return Outcome(code, int(ran), int(skipped[1]) if skipped else 0, failed, skips, text)
