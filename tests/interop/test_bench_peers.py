"""bench/run and the programs that it compares: that they do the work, and do the same work."""

import importlib
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import xml.etree.ElementTree

import pytest

SOURCE = pathlib.Path(os.environ["CINCH_SOURCE"])
BUILD = pathlib.Path(os.environ["CINCH_BUILD"])
TIMEOUT = 60
WORKS = ["bulk", "trips", "full", "resumed", "default", "mutual", "idle"]
PYTHON = ["/usr/bin/python3", SOURCE / "bench" / "peers" / "python.py"]
PEERS = {
    "cinch": [BUILD / "bench" / "bench_cinch"],
    "openssl": [BUILD / "bench" / "bench_openssl"],
    "python": PYTHON,
}


sys.path.insert(0, str(SOURCE / "bench"))
bench_certificates, tables, targets = map(importlib.import_module, ("certificates", "tables", "targets"))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    directory = tmp_path_factory.mktemp("certificates")
    bench_certificates.make(directory)
    return directory


def start(peer, role, work, certificates, *, version="1.3", suite="aes128", key="p256", number="1000", port=()):
    return subprocess.Popen([*PEERS[peer], role, work, version, suite, key, certificates, "0.05", number, *port],
                            stdout=subprocess.PIPE, text=True)


def pair(server, client, work, certificates, client_work=None, **more):
    """One run, with the ends of two peers; what they print, None for one that failed."""
    with start(server, "server", work, certificates, **more) as one:
        try:
            port = one.stdout.readline().strip()
            with start(client, "client", client_work or work, certificates, port=[port], **more) as two:
                try:
                    last, _ = two.communicate(timeout=TIMEOUT)
                finally:
                    two.kill()
            first, _ = one.communicate(timeout=TIMEOUT)
        finally:
            one.kill()
    return [json.loads(out) if end.returncode == 0 else None for end, out in ((one, first), (two, last))]


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
        one, two = pair(server, client, work, certificates, version=version)
        assert one["count"] == two["count"] > 0
        assert work == "idle" or two["seconds"] >= 0.05
        assert (one["memory"] > 0) is (two["memory"] > 0) is (work == "idle")
        assert min(one["cpu"], two["cpu"]) > 0
        assert "GCM" in two["agreed"]
        if work == "bulk":
            assert one["count"] % 1000 == 0


@pytest.mark.parametrize("peer", ["cinch", "openssl"])
@pytest.mark.parametrize("suite, name", [("aes128", "AES_128_GCM"), ("aes256", "AES_256_GCM"), ("chacha", "CHACHA20")])
@pytest.mark.parametrize("version, key", [("1.2", "rsa"), ("1.2", "p256"), ("1.3", "rsa")])
def test_suite_and_key(peer, suite, name, version, key, certificates):
    one, two = pair(peer, peer, "full", certificates, version=version, suite=suite, key=key)
    assert one["count"] == two["count"] > 0
    assert name in two["agreed"]
    if version == "1.2":
        assert ("_RSA_" if key == "rsa" else "_ECDSA_") in two["agreed"]


@pytest.mark.parametrize("peer", PEERS)
def test_mutual_is_demanded(peer, certificates):
    one, two = pair(peer, "openssl", "mutual", certificates, "full")
    assert (one, two) == (None, None)


@pytest.mark.parametrize("peer", ["cinch", "openssl"])
@pytest.mark.parametrize("work", ["threads", "processes"])
@pytest.mark.parametrize("number", ["1", "3"])
def test_several_serve(peer, work, number, certificates):
    one, two = pair(peer, peer, work, certificates, number=number)
    # Each of the clients, and the last one.
    assert one["count"] == two["count"] > 2 * int(number) + 2
    assert min(one["cpu"], two["cpu"]) > 0
    assert two["seconds"] >= 0.05


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_streams(version, certificates):
    one, two = pair("python", "python", "streams", certificates, version=version)
    assert one["count"] == two["count"] > 0
    assert one["count"] % 1000 == 0
    assert min(one["cpu"], two["cpu"]) > 0


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("work", ["context", "ready"])
def test_contexts(peer, work):
    done = subprocess.run([*PEERS[peer], work], stdout=subprocess.PIPE, check=True, timeout=TIMEOUT)
    found = json.loads(done.stdout)
    assert found["count"] >= 5
    assert min(found["first"], found["cpu"]) > 0


def run(*arguments):
    return subprocess.run([SOURCE / "bench" / "run", BUILD, *map(str, arguments)], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=3 * TIMEOUT,
                          check=False)


BULK = "bulk-aes256-16384"
HANDSHAKES = ["full-p256", "resumed-rsa"]


def test_what_comes_out(tmp_path):
    done = run("--peers", "cinch,openssl,tcp", "--works", f"{BULK},trips,{','.join(HANDSHAKES)},context,threads-2",
               "--versions", "1.3,1.2", "--rounds", 2, "--seconds", "0.05", "--out", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "bench.txt").read_text() in done.stdout
    report = json.loads((tmp_path / "bench.json").read_text())
    found = {(entry["version"], entry["work"], entry["peer"]) for entry in report["results"]}
    assert found == {
        *((version, work, peer) for version in ("1.3", "1.2") for work in (BULK, "trips", *HANDSHAKES)
          for peer in ("cinch", "openssl", "tcp") if peer != "tcp" or work not in HANDSHAKES),
        *(where for peer in ("cinch", "openssl") for where in (("any", "context", peer), ("1.3", "threads-2", peer)))}
    for entry in report["results"]:
        assert len(entry["runs"]) == 2
        if entry["work"] == "context":
            assert entry["first"]["median"] == pytest.approx(sum(run["first"] for run in entry["runs"]) / 2 * 1e6)
            continue
        rates = [run["count"] / run["seconds"] for run in entry["runs"]]
        unit = 1e6 if entry["work"] == BULK else 1
        assert entry["rate"]["lowest"] == pytest.approx(min(rates) / unit)
        assert entry["rate"]["median"] == pytest.approx(sum(rates) / 2 / unit)
        assert entry["peer"] == "tcp" or ("AES_256" if entry["work"] == BULK else "AES_128") in entry["suite"]
    assert "TLS 1.3, AES-256-GCM, writes of 16384 bytes" in done.stdout
    if shutil.which("gnuplot"):
        for name in "bulk-aes256-cpu", "bulk-aes256-rate", "trips", "handshakes", "contexts", "scaling":
            root = xml.etree.ElementTree.parse(tmp_path / f"{name}.svg").getroot()
            assert "openssl" in "".join(root.itertext())


def entry(version, work, peer, server, client, rate, suite="AES_256_GCM"):
    def one(value):
        return {"median": value, "lowest": value, "highest": value}
    return {"version": version, "work": work, "peer": peer, "about": "", "suite": suite, "rate": one(rate),
            "server": one(server), "client": one(client), "both": one(server + client)}


def test_targets():
    lines = list(targets.lines([
        entry("1.3", "bulk-aes256-262144", "cinch", 1, 1, 10),
        entry("1.3", "bulk-aes256-262144", "openssl", 2, 2.2, 5),
        entry("1.3", "bulk-aes256-262144", "tcp", 0.5, 0.5, 20, suite="nothing"),
        entry("1.3", "bulk-aes256-262144", "gnutls", 1, 0.9, 9),
        entry("1.3", "bulk-aes128-262144", "cinch", 1, 1, 10, suite="AES_128_GCM"),
        entry("1.3", "bulk-aes128-262144", "libtls", 0.1, 0.1, 90),
        entry("1.3", "trips", "cinch", 9, 9, 100), entry("1.3", "trips", "libtls", 9, 9, 99),
        entry("1.3", "trips", "openssl", 9, 9, 101)]))

    def line(words):
        return next(line.split() for line in lines if words in line)
    assert line("libssl's / Cinch's")[:2] == ["met", "2.100"]
    assert line("plain TCP's")[:2] == ["MISSED", "2.000"]
    assert line("round trips per second")[:2] == ["MISSED", "0.990"]
    assert line("default context, first")[:2] == ["not", "measured"]
    assert "".join(line("ahead of gnutls")[-4:]) == "in1of1:"
    assert "both ends' CPU s/GiB 2, gnutls 1.9" in " ".join(lines)
    # That one had another suite, which is no comparison of the two.
    assert "".join(line("ahead of libtls")[-4:]) == "in0of1"


def test_another_suite_is_shown():
    told = entry("1.3", "bulk-aes128-16384", "libtls", 1, 1, 10, suite="TLS_AES_256_GCM_SHA384")
    assert "took aes256" in list(tables.lines_of([told]))[1]
    assert "took" not in list(tables.lines_of([{**told, "work": "bulk-aes256-16384"}]))[1]


@pytest.mark.parametrize("arguments, hint", [
    (["--peers", "nonsense"], "there is no nonsense"),
    (["--works", "bulk-aes256-5"], "there is no bulk-aes256-5"),
    (["--rounds", "0"], "at least one round"),
])
def test_usage(arguments, hint):
    done = run(*arguments)
    assert done.returncode == 2
    assert hint in done.stderr
