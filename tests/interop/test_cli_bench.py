"""cinch bench: that its figures are what they say. How fast it is, is no test's business."""

import json
import os
import shutil
import signal
import statistics
import subprocess
import xml.etree.ElementTree

import pytest

from cli_support import CINCH, TIMEOUT, cinch, environment

SHORT = ["--seconds", "0.05", "--rounds", "3"]
SVG = "{http://www.w3.org/2000/svg}"
METRICS = {
    "bulk": ["mb_per_second", "server_cpu_seconds_per_gib", "client_cpu_seconds_per_gib"],
    "handshakes": ["per_second", "server_cpu_microseconds", "client_cpu_microseconds"],
}
with_gnuplot = pytest.mark.skipif(not shutil.which("gnuplot"), reason="no gnuplot here")


def measure(*arguments, **more):
    done = cinch("bench", "--json", *SHORT, *arguments, **more)
    assert done.returncode == 0, (done.returncode, done.stderr)
    assert done.stderr == b""
    return json.loads(done.stdout)


def values(kind, run):
    """What the three metrics are for one run."""
    count = run["bytes" if kind == "bulk" else "handshakes"]
    cpu = [run["server_cpu_seconds"], run["client_cpu_seconds"]]
    if kind == "bulk":
        return [count / run["seconds"] / 1e6, *(spent / count * 2**30 for spent in cpu)]
    return [count / run["seconds"], *(spent / count * 1e6 for spent in cpu)]


def check(answer, rounds=3):
    """The sums are those of the runs, and no run is empty."""
    assert answer["complete"] is True
    for kind, metrics in METRICS.items():
        for case in answer[kind]:
            assert len(case["runs"]) == rounds
            for run in case["runs"]:
                assert all(value > 0 for value in run.values())
                # The time is not cut short, and what both ends did is in it.
                assert run["seconds"] >= answer["settings"]["seconds"] * 0.999
                assert run["server_cpu_seconds"] <= run["seconds"] * 1.5 + 0.05
            rows = [values(kind, run) for run in case["runs"]]
            for metric, column in zip(metrics, zip(*rows)):
                assert case[metric] == pytest.approx({
                    "median": statistics.median(column), "lowest": min(column),
                    "highest": max(column)})


def test_everything():
    answer = measure("--rounds", "1")
    check(answer, rounds=1)
    suites = [(case["version"], case["suite"], case["weak"]) for case in answer["bulk"]]
    assert suites == [
        ("TLS 1.2", "ECDHE-RSA-AES128-GCM-SHA256", False),
        ("TLS 1.2", "ECDHE-RSA-AES256-GCM-SHA384", False),
        ("TLS 1.2", "ECDHE-RSA-CHACHA20-POLY1305", False),
        ("TLS 1.2", "ECDHE-RSA-AES256-SHA", True),
        ("TLS 1.2", "ECDHE-ECDSA-AES128-GCM-SHA256", False),
        ("TLS 1.2", "ECDHE-ECDSA-AES256-GCM-SHA384", False),
        ("TLS 1.2", "ECDHE-ECDSA-CHACHA20-POLY1305", False),
        ("TLS 1.3", "TLS_AES_128_GCM_SHA256", False),
        ("TLS 1.3", "TLS_AES_256_GCM_SHA384", False),
        ("TLS 1.3", "TLS_CHACHA20_POLY1305_SHA256", False),
    ]
    assert [(case["version"], case["key"], case["resumed"]) for case in answer["handshakes"]] == [
        (version, key, resumed) for version in ("TLS 1.2", "TLS 1.3")
        for key in ("rsa2048", "rsa3072", "p256", "p384", "ed25519") for resumed in (False, True)]


def test_what_it_tells_of_the_machine():
    answer = measure("--suite", "TLS_AES_128_GCM_SHA256", "--size", "1000")
    check(answer)
    assert answer["settings"] == {"seconds": 0.05, "rounds": 3, "size": 1000}
    assert answer["machine"]["cores"] == os.cpu_count()
    assert answer["machine"]["kernel"].startswith(os.uname().sysname)
    assert answer["machine"]["cpu"]
    assert answer["openssl"].startswith("OpenSSL 3.")
    assert answer["cinch"] and answer["date"].endswith("Z")
    assert all(run["bytes"] % 1000 == 0 for run in answer["bulk"][0]["runs"])


@pytest.mark.parametrize("arguments, suites, handshakes", [
    (["--suite", "TLS_AES_256_GCM_SHA384"], ["TLS_AES_256_GCM_SHA384"], []),
    (["--suite", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"], ["ECDHE-RSA-AES256-SHA"], []),
    (["--suite", "ECDHE-ECDSA-CHACHA20-POLY1305", "--size", "64"],
     ["ECDHE-ECDSA-CHACHA20-POLY1305"], []),
    (["--key", "p256", "--version", "1.3"], [], [("TLS 1.3", "p256", False),
                                               ("TLS 1.3", "p256", True)]),
    (["--key", "ed25519", "--key", "p384", "--version", "1.2"], [],
     [("TLS 1.2", "p384", False), ("TLS 1.2", "p384", True),
      ("TLS 1.2", "ed25519", False), ("TLS 1.2", "ed25519", True)]),
    (["--key", "rsa2048", "--suite", "TLS_AES_128_GCM_SHA256", "--version", "1.3"],
     ["TLS_AES_128_GCM_SHA256"], [("TLS 1.3", "rsa2048", False), ("TLS 1.3", "rsa2048", True)]),
    (["--bulk", "--version", "1.3"],
     ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"], []),
])
def test_what_is_asked_for(arguments, suites, handshakes):
    answer = measure(*arguments)
    check(answer)
    assert [case["suite"] for case in answer["bulk"]] == suites
    assert [(case["version"], case["key"], case["resumed"])
            for case in answer["handshakes"]] == handshakes


def test_the_table():
    done = cinch("bench", *SHORT, "--version", "1.2", "--suite", "ECDHE-RSA-AES256-SHA",
                 "--key", "p256")
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode()
    lines = text.splitlines()
    assert lines[0].startswith("cinch ")
    assert "3 rounds of 0.05 s" in text
    assert [line.split()[:4] for line in lines if line.startswith("TLS ")] == [
        ["TLS", "1.2", "ECDHE-RSA-AES256-SHA", "*"],
        ["TLS", "1.2", "ECDSA", "P-256"], ["TLS", "1.2", "ECDSA", "P-256"]]
    # What others have published stands apart from what was measured.
    assert "\nFor orientation, not measured here: years ago 394 MB/s" in text
    assert "\n* CBC" in text
    assert "\x1b" not in text and "\r" not in text


def test_small_figures_are_not_nothing():
    """Nor do small writes take longer than was asked for."""
    done = cinch("bench", *SHORT, "--version", "1.3", "--size", "1", "--suite", "TLS_AES_128_GCM_SHA256")
    row = next(line for line in done.stdout.decode().splitlines() if line.startswith("TLS 1.3"))
    assert 0 < float(row.split()[3]) < 10 and "(0 " not in row, row
    assert len(row) == 81, row  # the columns stand where those of others do


def test_no_note_without_what_it_is_about():
    text = cinch("bench", *SHORT, "--version", "1.3", "--key", "p256").stdout.decode()
    assert "394" not in text and "CBC" not in text


@pytest.mark.parametrize("arguments, hint", [
    (["x"], b"unexpected argument x"),
    (["--suite", "NONSENSE"],
     b"there is no suite NONSENSE here; the suites are ECDHE-RSA-AES128-GCM-SHA256, ECDHE-RSA-"),
    (["--suite", "TLS_AES_128_GCM_SHA255"], b"did you mean TLS_AES_128_GCM_SHA256?"),
    (["--suite", "TLS_AES_128_GCM_SHA256", "--version", "1.2"], b"is not for TLS 1.2"),
    (["--suite", "TLS_AES_128_GCM_SHA256", "--handshakes"], b"--suite is about throughput"),
    (["--key", "p256", "--bulk"], b"--key is about handshakes"),
    (["--key", "rsa"], b"--key takes rsa2048, rsa3072, p256, p384 or ed25519, not rsa"),
    (["--version", "1.1"], b"--version takes 1.2 or 1.3, not 1.1"),
    (["--seconds", "soon"], b"--seconds takes a number, not soon"),
    (["--seconds", "1s"], b"--seconds takes a number, not 1s"),
    (["--seconds", ""], b"--seconds takes a number"),
    (["--seconds", "nan"], b"--seconds takes a number, not nan"),
    (["--seconds", "0.01"], b"--seconds 0.01 is too short: 0.05 to 60"),
    (["--seconds", "61"], b"--seconds 61 is too long"),
    (["--rounds", "0"], b"--rounds takes a number from 1 to 1000, not 0"),
    (["--seconds", "0x1"], b"--seconds takes a number, not 0x1"),
    (["--rounds", "+1"], b"--rounds takes a number from 1 to 1000, not +1"),
    (["--size", "0"], b"--size takes a number from 1 to 16777216, not 0"),
    (["--size", " 5"], b"--size takes a number from 1 to 16777216, not  5"),
    (["--size", "5", "--key", "p256"], b"--size is about throughput"),
    (["--siute", "x"], b"did you mean --suite?"),
    (["--suite", "TLS_AES_128_GCM_SHA256"] * 17, b"--suite is possible 16 times"),
    (["--key", "p256"] * 9, b"--key is possible 8 times"),
])
def test_usage(arguments, hint):
    done = cinch("bench", *arguments)
    assert done.returncode == 2
    assert hint in done.stderr
    assert done.stdout == b""


def texts(path):
    root = xml.etree.ElementTree.parse(path).getroot()
    assert root.tag == SVG + "svg"
    return " ".join("".join(node.itertext()).strip() for node in root.iter(SVG + "text"))


@with_gnuplot
def test_the_plot(tmp_path):
    plot = tmp_path / "it's \"a plot\".svg"
    answer = measure("--suite", "TLS_AES_128_GCM_SHA256", "--key", "p256", "--plot", plot)
    shown = texts(plot)
    assert "TLS 1.3 TLS_AES_128_GCM_SHA256" in shown
    assert "TLS 1.2 ECDSA P-256 resumed" in shown
    assert answer["openssl"] in shown
    # A later one replaces it, whatever is longer.
    measure("--bulk", "--version", "1.3", "--plot", plot)
    assert "P-256" not in texts(plot)
    assert [path.name for path in tmp_path.iterdir()] == [plot.name]


@with_gnuplot
def test_a_plot_that_cannot_be_written(tmp_path):
    # It is noticed before anything is measured: that would take minutes.
    for place in tmp_path, tmp_path / "none" / "a.svg":
        done = cinch("bench", "--seconds", "60", "--rounds", "9", "--plot", place)
        assert done.returncode == 2
        assert f"cannot write {place}".encode() in done.stderr
        assert done.stdout == b""


def test_without_gnuplot(tmp_path):
    done = cinch("bench", "--seconds", "60", "--plot", tmp_path / "a.svg", PATH=tmp_path)
    assert done.returncode == 2
    assert b"gnuplot, which draws the plot, is not there" in done.stderr
    assert b"gnuplot-nox" in done.stderr
    assert list(tmp_path.iterdir()) == []


def fake_gnuplot(tmp_path, script):
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "gnuplot"
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_when_gnuplot_fails(tmp_path):
    path = fake_gnuplot(tmp_path, '[ "$2" = --version ] || exit 3\n')
    plot = tmp_path / "a.svg"
    done = cinch("bench", *SHORT, "--key", "p256", "--plot", plot, PATH=path)
    assert done.returncode == 10
    assert b"the plot could not be drawn" in done.stderr
    assert b"ECDSA P-256" in done.stdout
    assert not plot.exists()


@pytest.mark.parametrize("script", ['echo "<svg>"', ": > /dev/null"])
def test_when_gnuplot_draws_half(tmp_path, script):
    """It does not look whether it could write all of it, as on a full disk."""
    path = fake_gnuplot(tmp_path, script + "\n")
    plot = tmp_path / "a.svg"
    plot.write_text("what was there")
    done = cinch("bench", *SHORT, "--key", "p256", "--plot", plot, PATH=path)
    assert done.returncode == 10
    assert b"the plot could not be drawn" in done.stderr and b"Success" not in done.stderr
    assert plot.read_text() == "what was there"


@with_gnuplot
def test_a_plot_on_a_full_disk():
    done = cinch("bench", *SHORT, "--key", "p256", "--plot", "/dev/full")
    assert done.returncode == 10
    assert b"the plot could not be drawn" in done.stderr and b"No space left" in done.stderr


def start(*arguments, **more):
    return subprocess.Popen([CINCH, "bench", *arguments], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=environment(**more))


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def wait_for(condition, process):
    """Looks until it is so; the process must not end before."""
    while not condition():
        assert process.poll() is None
        os.sched_yield()


def gone(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted(tmp_path, number):
    """The run that is going on is ended; those before it are shown."""
    with start("--json", "--seconds", "1", "--rounds", "1000", "--suite", "TLS_AES_128_GCM_SHA256",
               TMPDIR=tmp_path) as process:
        seen = []

        def second():
            now = children(process.pid)
            if len(now) == 2 and now not in seen:
                seen.append(now)
            return len(seen) == 2
        wait_for(second, process)
        process.send_signal(number)
        out, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode == -number
    assert errors == b""
    answer = json.loads(out)
    assert answer["complete"] is False
    assert 1 <= len(answer["bulk"][0]["runs"]) < 1000
    assert all(gone(pid) for pid in seen[-1])
    assert list(tmp_path.iterdir()) == []


@with_gnuplot
def test_interrupted_before_there_is_anything(tmp_path):
    with start("--seconds", "60", "--suite", "TLS_AES_128_GCM_SHA256", "--plot",
               str(tmp_path / "a.svg"), TMPDIR=tmp_path) as process:
        wait_for(lambda: len(children(process.pid)) == 2, process)
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, out, errors) == (-signal.SIGINT, b"", b"")
    assert list(tmp_path.iterdir()) == []


def test_an_end_that_dies(tmp_path):
    with start("--seconds", "60", "--suite", "TLS_AES_128_GCM_SHA256", TMPDIR=tmp_path) as process:
        wait_for(lambda: len(children(process.pid)) == 2, process)
        os.kill(children(process.pid)[0], signal.SIGKILL)
        out, errors = process.communicate(timeout=TIMEOUT)
    assert process.returncode != 0
    assert out == b""
    assert errors.startswith(b"error:")


def test_nowhere_to_put_the_authority(tmp_path):
    done = cinch("bench", *SHORT, TMPDIR=tmp_path / "none")
    assert done.returncode == 2
    assert b"TMPDIR" in done.stderr
