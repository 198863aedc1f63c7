"""docs/causes.md: it has every cause, and its commands show them."""

import ctypes
import json
import os
import pathlib
import re
import signal
import socket
import subprocess

import pytest

import programs

SOURCE = pathlib.Path(os.environ["CINCH_SOURCE"])
BUILD = pathlib.Path(os.environ["CINCH_BUILD"])
TEXT = (SOURCE / "docs" / "causes.md").read_text()
SETUP = re.search(r"^```sh setup\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL).group(1)

# Nobody can wait for these to happen; the page says so.
WITHOUT = {"memory", "system", "signer", "internal"}

# The reader waits until the server listens; so does this. A server that is gone is not waited for.
LISTENING = r"""
listening() {
    local hex
    printf -v hex %04X "$1"
    until grep -qs ":$hex [0-9A-F]*:0000 0A" /proc/net/tcp /proc/net/tcp6; do
        kill -0 $! 2>/dev/null || return
    done
}
"""

WRAPPER = """#!/bin/sh
command=$1
shift
case $command in
connect|serve) exec {cinch} "$command" --json "$@" ;;
*) exec {cinch} "$command" "$@" ;;
esac
"""


def sections():
    """What stands under each heading of the third level."""
    parts = re.split(r"^##+ (.*)\n", TEXT, flags=re.MULTILINE)
    levels = re.findall(r"^(##+) ", TEXT, re.MULTILINE)
    return {name: text for level, name, text in zip(levels, parts[1::2], parts[2::2])
            if level == "###"}


SECTIONS = sections()
BLOCKS = {name: block.group(1) for name, text in SECTIONS.items()
          if (block := re.search(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))}


def cause_names():
    library = ctypes.CDLL(str(BUILD / "src" / "libcinch.so"))
    library.cinch_cause_name.restype = ctypes.c_char_p
    names = []
    while (name := library.cinch_cause_name(len(names) + 1).decode()) != "unknown":
        names.append(name)
    return names


def test_every_cause_has_its_section():
    assert sorted(SECTIONS) == sorted(cause_names())


def test_every_cause_has_its_command():
    assert sorted(set(SECTIONS) - set(BLOCKS)) == sorted(WITHOUT)
    assert TEXT.count("*No command shows") == 1


def test_the_contents_name_every_cause():
    contents = TEXT[TEXT.index("\n- [Usage]"):TEXT.index("\n## Usage")]
    listed = re.findall(r"[a-z][a-z-]+", re.sub(r"\[.*?\]\(.*?\)", "", contents))
    assert listed == list(SECTIONS)


def with_waiting(block):
    """The commands, with a wait behind each server."""
    lines = []
    for command in re.sub(r"\\\n\s*", "", block).splitlines():
        lines.append(command)
        if command.endswith(" &"):
            port = re.search(r"\$PORT|\$\(\(PORT \+ 1\)\)", command).group()
            lines.append(f"listening {port}")
    return "\n".join(lines)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """What the page calls the source tree, with a command that speaks JSON in front."""
    tree = tmp_path_factory.mktemp("tree")
    (tree / "build").symlink_to(BUILD)
    (tree / "docs").symlink_to(SOURCE / "docs")
    (tree / "json").mkdir()
    wrapper = tree / "json" / "cinch"
    wrapper.write_text(WRAPPER.format(cinch=programs.CINCH))
    wrapper.chmod(0o755)
    return tree


def free_ports():
    """A free port with a free one behind it."""
    while True:
        port = programs.free_port()
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port + 1))
                return port
            except (OSError, OverflowError):
                pass


def run_script(tree, block):
    script = "\n".join((LISTENING, SETUP, f"PATH={tree}/json:$PATH",
                        f"PORT={free_ports()}", with_waiting(block), "wait"))
    with subprocess.Popen(["/bin/bash", "-c", script], cwd=tree, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          start_new_session=True, env={**os.environ, "TMPDIR": str(tree)}) as shell:
        try:
            # Two pipes, so that nobody's words come between the parts of a JSON line.
            out, err = shell.communicate(timeout=programs.LIMIT)
        except subprocess.TimeoutExpired:
            out, err = b"", b"(it did not end)"
        finally:
            try:
                os.killpg(shell.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    return (out + err).decode(errors="replace")


def causes_in(output):
    found = []
    for line in output.splitlines():
        try:
            report = json.loads(line)
            error = report.get("error", report)
            assert error["what"] and error["remedy"]
            found.append(error["cause"])
        except (ValueError, AttributeError, KeyError):
            pass
    return found


@pytest.mark.parametrize("cause", BLOCKS)
def test_its_command_shows(tree, cause):
    # Again if another program took the port in between.
    for _ in range(3):
        output = run_script(tree, BLOCKS[cause])
        if cause in causes_in(output):
            break
    assert cause in causes_in(output), output
