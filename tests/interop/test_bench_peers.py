"""bench/run and the programs that it compares: that they do the work, and do the same work."""

import itertools
import json
import os
import pathlib
import shutil
import subprocess
import xml.etree.ElementTree

import pytest

SOURCE = pathlib.Path(os.environ["CINCH_SOURCE"])
BUILD = pathlib.Path(os.environ["CINCH_BUILD"])
TIMEOUT = 60
WORKS = ["bulk", "trips", "full", "resumed", "idle"]
PYTHON = ["/usr/bin/python3", SOURCE / "bench" / "peers" / "python.py"]
PEERS = {
    "cinch": [BUILD / "bench" / "bench_cinch"],
    "openssl": [BUILD / "bench" / "bench_openssl"],
    "python": PYTHON,
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    directory = tmp_path_factory.mktemp("certificates")
    environment = {**os.environ, "XDG_DATA_HOME": str(directory)}
    for words in ["ca", "init"], ["ca", "issue", "localhost"]:
        subprocess.run([os.environ["CINCH"], *words], check=True, cwd=directory, env=environment)
    shutil.copy(directory / "cinch" / "cinch-ca.pem", directory / "ca.pem")
    shutil.copy(directory / "localhost.crt", directory / "p256.crt")
    shutil.copy(directory / "localhost.pem", directory / "p256.key")
    return directory


def pair(server, client, work, version, certificates):
    """One run, with the ends of two peers."""
    rest = [work, version, certificates, "p256", "0.05", "1000"]
    with subprocess.Popen([*PEERS[server], "server", *rest], stdout=subprocess.PIPE, text=True) as one:
        try:
            port = one.stdout.readline().strip()
            two = subprocess.run([*PEERS[client], "client", *rest, port], stdout=subprocess.PIPE,
                                 text=True, timeout=TIMEOUT, check=True)
            out, _ = one.communicate(timeout=TIMEOUT)
        finally:
            one.kill()
    assert one.returncode == 0
    return json.loads(out), json.loads(two.stdout)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("server, client", itertools.permutations(PEERS, 2))
def test_the_ends_of_different_peers_agree(server, client, version, certificates):
    for work in WORKS:
        # TLS 1.2: Cinch gives out no tickets, and asks for none.
        if work == "resumed" and version == "1.2" and "cinch" in (server, client):
            continue
        # Memory does not depend on the version in any way that is of interest here.
        if work == "idle" and version == "1.2":
            continue
        one, two = pair(server, client, work, version, certificates)
        assert one["count"] == two["count"] > 0
        assert work == "idle" or two["seconds"] >= 0.05
        assert (one["memory"] > 0) is (two["memory"] > 0) is (work == "idle")
        assert min(one["cpu"], two["cpu"]) > 0
        assert work == "idle" or "GCM" in two["agreed"]
        if work == "bulk":
            assert one["count"] % 1000 == 0


def run(*arguments):
    return subprocess.run([SOURCE / "bench" / "run", BUILD, *map(str, arguments)], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=3 * TIMEOUT,
                          check=False)


def test_what_comes_out(tmp_path):
    done = run("--peers", "cinch,openssl,tcp", "--works", "bulk-16384,trips,full,resumed",
               "--versions", "1.3,1.2", "--rounds", 2, "--seconds", "0.05", "--out", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads((tmp_path / "bench.json").read_text())
    found = {(entry["version"], entry["work"], entry["peer"]) for entry in report["results"]}
    assert found == {(version, work, peer) for version in ("1.3", "1.2")
                     for work in ("bulk-16384", "trips", "full", "resumed")
                     for peer in ("cinch", "openssl", "tcp")
                     if peer != "tcp" or work not in ("full", "resumed")}
    for entry in report["results"]:
        assert len(entry["runs"]) == 2
        rates = [run["count"] / run["seconds"] for run in entry["runs"]]
        unit = 1e6 if entry["work"].startswith("bulk") else 1
        assert entry["rate"]["lowest"] == pytest.approx(min(rates) / unit)
        assert entry["rate"]["median"] == pytest.approx(sum(rates) / 2 / unit)
        assert entry["peer"] == "tcp" or "AES_128_GCM" in entry["suite"]
    assert "TLS 1.3, throughput, writes of 16384 bytes" in done.stdout
    if shutil.which("gnuplot"):
        root = xml.etree.ElementTree.parse(tmp_path / "bench.svg").getroot()
        assert "openssl" in "".join(root.itertext())


@pytest.mark.parametrize("arguments, hint", [
    (["--peers", "nonsense"], "there is no nonsense"),
    (["--works", "bulk-5"], "there is no bulk-5"),
    (["--rounds", "0"], "at least one round"),
])
def test_usage(arguments, hint):
    done = run(*arguments)
    assert done.returncode == 2
    assert hint in done.stderr
