"""What an observer sees: cinch connect --wire, cinch wire, and tshark of the same connection."""

import json
import random
import resource
import shutil
import struct
import subprocess
import xml.etree.ElementTree

import pytest

import capture
from programs import CINCH, GnutlsServer, OpensslServer, Running, Serve, connect, run

REQUEST = b"GET / HTTP/1.0\r\n\r\n"
VERSIONS = {"TLSv1.2": "-tls1_2", "TLSv1.3": "-tls1_3"}


def openssl_server(pki, version):
    return OpensslServer("-cert", pki / "good.pem", "-key", pki / "good.key", "-cert_chain",
                         pki / "intermediate.pem", "-alpn", "http/1.1", VERSIONS[version], "-www")


def cinch_pieces(pki, version):
    """Our client with openssl s_server."""
    with openssl_server(pki, version) as server, capture.Tap(server.port) as tap:
        outcome = connect(tap.port, "--ca", pki / "root.pem", "--alpn", "h2,http/1.1",
                          stdin=REQUEST)
        assert outcome.code == 0, outcome.text
        return list(tap.pieces)


def openssl_pieces(pki, version):
    """openssl s_client with our server; old fields in its hello."""
    with Serve("--echo", "--identity", pki / "good-all.pem") as server, \
            capture.Tap(server.port) as tap:
        outcome = run("openssl", "s_client", "-connect", f"localhost:{tap.port}", "-servername",
                      "www.example.test", "-CAfile", pki / "root.pem", "-alpn", "http/1.1",
                      VERSIONS[version])
        assert outcome.code == 0, outcome.text
        server.agreed()
        return list(tap.pieces)


def gnutls_pieces(pki, version):
    """gnutls-cli with our server: a client of another make."""
    priority = f"NORMAL:-VERS-ALL:+VERS-{version.replace('TLSv', 'TLS')}"
    with Serve("--echo", "--identity", pki / "good-all.pem") as server, \
            capture.Tap(server.port) as tap:
        outcome = run("gnutls-cli", "--x509cafile", pki / "root.pem", "--priority", priority,
                      "-p", tap.port, "localhost", stdin=b"hello\n")
        assert outcome.code == 0, outcome.text
        server.agreed()
        return list(tap.pieces)


def gnutls_server_pieces(pki, version):
    """Our client with gnutls-serv."""
    priority = f"NORMAL:-VERS-ALL:+VERS-{version.replace('TLSv', 'TLS')}"
    with GnutlsServer("--http", "--disable-client-cert", "--priority", priority, "--x509certfile",
                      pki / "good-chain.pem", "--x509keyfile", pki / "good.key") as server, \
            capture.Tap(server.port) as tap:
        outcome = connect(tap.port, "--ca", pki / "root.pem", stdin=REQUEST)
        assert outcome.code == 0, outcome.text
        return list(tap.pieces)


MAKERS = {"cinch-openssl": cinch_pieces, "openssl-cinch": openssl_pieces,
          "gnutls-cinch": gnutls_pieces, "cinch-gnutls": gnutls_server_pieces}


@pytest.fixture(name="pieces", scope="module")
def make_pieces(pki):
    return {version: cinch_pieces(pki, version) for version in VERSIONS}


def read(path, *args, code=0):
    outcome = run(CINCH, "wire", "--json", *args, path)
    assert outcome.code == code, outcome.text
    answer = outcome.json
    assert answer["exit_code"] == code and answer["ok"] is (code == 0)
    return answer


def events(path, *args):
    connections = read(path, *args)["connections"]
    assert len(connections) == 1 and connections[0]["missing"] == 0
    assert not [event for event in connections[0]["wire"] if event["kind"] == "problem"]
    return connections[0]["wire"]


def walk(fields):
    for field in fields:
        yield field
        yield from walk(field.get("fields", []))


def values(seen, message, name):
    """All values of the fields NAME in messages of a name."""
    return [field.get("value", "") for event in seen
            if event["kind"] == "message" and event["name"] == message
            for field in walk(event["fields"]) if field["name"] == name]


def number(value):
    """65 of "x (0x41)"."""
    return int(value.split("(0x")[1].rstrip(")"), 16)


def ours(path, *args):
    """What cinch wire saw, in the form that theirs() has it in."""
    seen = events(path, *args)
    result = {}
    for side in ("client", "server"):
        result[side] = [(event["content_type"], event["size"] - 5) for event in seen
                        if event["kind"] == "record" and event["from"] == side]
    result["messages"] = [(event["from"], event["fields"][0]["value"].split("(")[1].rstrip(")"))
                          for event in seen
                          if event["kind"] == "message" and event["content_type"] == 22]
    result["names"] = values(seen, "ClientHello", "host_name")
    result["suites"] = [number(value) for value in values(seen, "ClientHello", "cipher_suite")]
    result["chosen"] = [number(value) for value in values(seen, "ServerHello", "cipher_suite")]
    result["alpn"] = values(seen, "ClientHello", "protocol_name") + \
        values(seen, "ServerHello", "protocol_name")
    result["groups"] = [number(value) for value in values(seen, "ClientHello", "named_group")]
    result["sigalgs"] = [number(value) for value in values(seen, "ClientHello", "signature_scheme")]
    result["serials"] = [int(value, 16) for value in values(seen, "Certificate", "serial")]
    return result


def shown(element, name):
    return [field.get("show") for field in element.iter("field") if field.get("name") == name]


def theirs(path, *args):
    """What tshark saw."""
    done = subprocess.run(["tshark", "-r", str(path), "-d", f"tcp.port=={capture.SERVER},tls", "-T",
                           "pdml", *args], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    result = {name: [] for name in ("client", "server", "messages", "names", "suites", "chosen",
                                    "alpn", "groups", "sigalgs", "serials")}
    for frame in xml.etree.ElementTree.fromstring(done.stdout).iter("packet"):
        ports = shown(frame, "tcp.srcport")
        side = "client" if ports == [str(capture.CLIENT)] else "server"
        for proto in frame.iter("proto"):
            if proto.get("name") != "tls":
                continue
            for record in proto.iter("field"):
                if record.get("name") == "tls.record":
                    take_record(record, side, result)
    return result


def take_record(record, side, result):
    # What the record calls itself, also where tshark knows better.
    kind = (shown(record, "tls.record.opaque_type") + shown(record, "tls.record.content_type"))[0]
    result[side].append((int(kind), int(shown(record, "tls.record.length")[0])))
    kinds = shown(record, "tls.handshake.type")
    result["messages"] += [(side, kind) for kind in kinds]
    result["names"] += shown(record, "tls.handshake.extensions_server_name")
    result["chosen" if "2" in kinds else "suites"] += [
        int(value, 0) for value in shown(record, "tls.handshake.ciphersuite")]
    result["alpn"] += shown(record, "tls.handshake.extensions_alpn_str")
    if "1" in kinds:
        result["groups"] += [int(value, 0) for value in
                             shown(record, "tls.handshake.extensions_supported_group")]
        result["sigalgs"] += [int(value, 0) for value in
                              shown(record, "tls.handshake.sig_hash_alg")]
    result["serials"] += [int(value.replace(":", ""), 16) for value in
                          shown(record, "x509af.serialNumber")]


@pytest.mark.skipif(not shutil.which("tshark"), reason="there is no tshark")
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("maker", MAKERS)
def test_tshark_sees_the_same(pki, tmp_path, maker, version):
    path = capture.write(tmp_path / "a.pcap", capture.packets(MAKERS[maker](pki, version)))
    mine, other = ours(path), theirs(path)
    assert mine == other
    # Whether the end of the client is among them depends on who closes first.
    assert len(mine["client"]) >= 3 and len(mine["server"]) >= 4 and mine["suites"]
    assert mine["names"] in (["localhost"], ["www.example.test"])
    assert len(mine["serials"]) == (2 if version == "TLSv1.2" else 0)


SUITES = {"TLSv1.3": ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                      "TLS_CHACHA20_POLY1305_SHA256"],
          "TLSv1.2": ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
                      "ECDHE-ECDSA-CHACHA20-POLY1305"]}


@pytest.mark.skipif(not shutil.which("tshark"), reason="there is no tshark")
@pytest.mark.parametrize("version, suite", [(version, suite) for version, suites in SUITES.items()
                                            for suite in suites])
def test_with_a_key_log(pki, tmp_path, version, suite):
    """tshark opens the same records with the same key log, those after an update of keys included."""
    option = "-ciphersuites" if version == "TLSv1.3" else "-cipher"
    log = tmp_path / "keys.txt"
    with Serve("--echo", "--identity", pki / "good-all.pem") as server, \
            capture.Tap(server.port) as tap:
        with Running("openssl", "s_client", "-connect", f"localhost:{tap.port}", "-servername",
                     "localhost", VERSIONS[version], option, suite, "-keylogfile", log) as client:
            client.send(b"hello\n")
            client.wait_for("^hello$")
            if version == "TLSv1.3":
                client.send(b"K\n")  # both sides get new keys
                client.wait_for("KEYUPDATE")
            client.send(b"and more\n")
            client.wait_for("^and more$")
            client.send(b"Q\n")
            assert client.wait() == 0
    path = capture.write(tmp_path / "a.pcap", capture.packets(tap.pieces))
    mine = ours(path, "--key-log", log)
    assert mine == theirs(path, "-o", f"tls.keylog_file:{log}")
    assert mine["messages"].count(("client", "20")) == 1 and len(mine["serials"]) == 2
    assert (("client", "24") in mine["messages"]) is (version == "TLSv1.3")
    found = read(path, "--key-log", log)["connections"][0]
    assert found["closed"] == 0
    data = [event for event in found["wire"] if event["kind"] == "message" and
            event["content_type"] == 23 and event["from"] == "client"]
    assert data[0]["fields"][0]["value"] == b"hello\n".hex()


def test_a_key_log_of_another_connection(tmp_path, pieces):
    path = capture.write(tmp_path / "a.pcap", capture.packets(pieces["TLSv1.3"]))
    log = tmp_path / "keys.txt"
    log.write_text(f"# a comment\nCLIENT_RANDOM {'00' * 32} {'11' * 48}\nnonsense\n")
    found = read(path, "--key-log", log)["connections"][0]
    assert found["closed"] == len([one for one in found["wire"] if one.get("protected")]) > 0
    assert b"stay closed" in run(CINCH, "wire", "--key-log", log, path).out
    log.write_text("CLIENT_RANDOM 00 11\n")
    outcome = run(CINCH, "wire", "--key-log", log, path)
    assert outcome.code == 2 and b"there is no secret in the key log" in outcome.err
    assert run(CINCH, "wire", "--key-log", tmp_path / "none", path).code == 2


@pytest.mark.parametrize("ip, link", [(4, 1), (6, 1), (4, 113), (6, 113)])
@pytest.mark.parametrize("segment", [1, 7, 1400])
def test_links_and_segments(tmp_path, pieces, ip, link, segment):
    frames = capture.packets(pieces["TLSv1.2"], segment, ip=ip, link=link)
    usual = ours(capture.write(tmp_path / "usual.pcap", capture.packets(pieces["TLSv1.2"])))
    assert ours(capture.write(tmp_path / "a.pcap", frames, link)) == usual


def test_out_of_order_and_again(tmp_path, pieces):
    """Neighbours change places, every third packet comes again, and some overlap."""
    frames = capture.packets(pieces["TLSv1.3"], 50)
    usual = ours(capture.write(tmp_path / "usual.pcap", frames))
    mixed = frames[:2]
    for at in range(2, len(frames) - 1, 2):
        mixed += [frames[at + 1], frames[at]]
        if at % 3 == 0:
            mixed.append(frames[at])
    assert ours(capture.write(tmp_path / "mixed.pcap", mixed)) == usual
    # One segment with both the last bytes before it and the first after it.
    first = next(at for at, frame in enumerate(frames) if len(frame) > 54)
    together = capture.packet("up", capture.START["up"], pieces["TLSv1.3"][0][1][:75])
    overlapping = frames[:first + 1] + [together] + frames[first + 1:]
    assert ours(capture.write(tmp_path / "overlapping.pcap", overlapping)) == usual


def test_a_missing_packet_is_told(tmp_path, pieces):
    frames = capture.packets(pieces["TLSv1.2"], 50)
    hole = next(at for at, frame in enumerate(frames) if b"\x16\x03\x03" in frame[50:])
    path = capture.write(tmp_path / "a.pcap", frames[:hole] + frames[hole + 1:])
    found = read(path)["connections"][0]
    assert found["missing"] == len(frames[hole]) - 54
    problems = [event for event in found["wire"] if event["kind"] == "problem"]
    assert len(problems) == 1 and "are missing in the capture" in problems[0]["text"]


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_a_scan_of_ports(tmp_path):
    """Each of very many connections has to be found again."""
    count = 60000
    syn = capture.packet("up", 999, flags=0x02)
    frames = [syn[:34] + port.to_bytes(2, "big") + syn[36:] for port in range(1, count + 1)]
    path = capture.write(tmp_path / "a.pcap", frames)
    before = cpu_seconds()
    outcome = run(CINCH, "wire", path)
    assert outcome.code == 4 and f"{count} TCP connections".encode() in outcome.err
    assert cpu_seconds() - before < 12


def test_tiny_pieces_that_are_early(tmp_path):
    """Each has to find its place among the others: there cannot be any number of them."""
    frames = [capture.packet("up", capture.START["up"] - 1, flags=0x02)]
    frames += [capture.packet("up", capture.START["up"] + 8 + at, b"x") for at in range(4000)]
    late = [capture.packet("up", capture.START["up"] + 4008 + at, b"x") for at in range(200)]
    whole = [capture.packet("up", capture.START["up"], b"x" * 8)]
    for pieces, missing in (frames + whole, 0), (frames + late + whole, 8):
        found = read(capture.write(tmp_path / "a.pcap", pieces), code=4)["connections"][0]
        assert found["missing"] == missing


def test_packets_cut_by_the_capture(tmp_path, pieces):
    path = capture.write(tmp_path / "a.pcap", capture.packets(pieces["TLSv1.2"]), snap=100)
    found = read(path, code=4)["connections"][0]
    assert found["missing"] > 0
    outcome = run(CINCH, "wire", path)
    assert outcome.code == 4 and b"missing in the capture" in outcome.out
    assert b"there is no TLS in" in outcome.err and b"tcpdump -s 0" in outcome.err


def test_a_capture_without_a_beginning(tmp_path, pieces):
    frames = capture.packets(pieces["TLSv1.2"])[2:]
    assert ours(capture.write(tmp_path / "a.pcap", frames))["names"] == ["localhost"]


def block(kind, body):
    """One of pcapng."""
    body += b"\0" * (-len(body) % 4)
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


@pytest.mark.parametrize("times", [lambda number: 1000 - number, lambda number: -number % 2**64,
                                   lambda number: 2**63 - 1 if number % 2 else 5])
def test_times_that_are_no_times(tmp_path, pieces, times):
    """In whole seconds, going back, or further away than anybody can count."""
    path = tmp_path / "a.pcapng"
    head = struct.pack("<IHHq", 0x1a2b3c4d, 1, 0, -1)
    seconds = struct.pack("<HHIHHB3xHH", 1, 0, 65535, 9, 1, 0, 0, 0)
    with open(path, "wb") as out:
        out.write(block(0x0a0d0d0a, head) + block(1, seconds))
        for number, frame in enumerate(capture.packets(pieces["TLSv1.2"])):
            out.write(block(6, struct.pack("<IIIII", 0, times(number) >> 32, times(number) & 0xffffffff,
                                           len(frame), len(frame)) + frame))
    seen = [event["microseconds"] for event in read(path)["connections"][0]["wire"]]
    assert all(0 <= time <= 2**60 for time in seen), seen


@pytest.mark.parametrize("cut", [30, 100, -1, -300])
def test_a_truncated_capture(tmp_path, pieces, cut):
    path = capture.write(tmp_path / "a.pcap", capture.packets(pieces["TLSv1.2"]))
    path.write_bytes(path.read_bytes()[:cut])
    outcome = run(CINCH, "wire", path)
    assert outcome.code == 2
    assert b"error:" in outcome.err and b"truncated" in outcome.err and b"a.pcap" in outcome.err
    assert (b"ClientHello" in outcome.out) is (cut < 0)
    assert read(path, code=2)["error"]["cause"] == "file-unreadable"


def test_what_is_no_capture(tmp_path):
    path = tmp_path / "a.pcap"
    for content, words in ((b"", b"truncated"), (b"not a capture, but long enough\n" * 9, b"format")):
        path.write_bytes(content)
        outcome = run(CINCH, "wire", path)
        assert outcome.code == 2 and words in outcome.err and b"remedy:" in outcome.err
    assert run(CINCH, "wire", tmp_path / "nowhere.pcap").code == 2
    capture.write(path, [], link=147)  # for private use
    outcome = run(CINCH, "wire", path)
    assert outcome.code == 2 and b"link of type unknown (147)" in outcome.err


@pytest.mark.parametrize("seed", range(12))
def test_damaged_captures(tmp_path, pieces, seed):
    """Whatever is in it, the command ends with one of its exit codes."""
    source = random.Random(seed)
    data = bytearray(capture.write(tmp_path / "a.pcap", capture.packets(
        pieces["TLSv1.2"], 300, ip=source.choice([4, 6]))).read_bytes())
    for _ in range(source.choice([1, 10, 100])):
        data[source.randrange(24, len(data))] = source.randrange(256)
    (tmp_path / "b.pcap").write_bytes(data)
    outcome = run(CINCH, "wire", "--hex", tmp_path / "b.pcap")
    assert outcome.code in (0, 2, 4), outcome.text
    assert outcome.out or outcome.err


def test_no_tls_in_it(tmp_path):
    http = [("up", b"GET / HTTP/1.0\r\n\r\n"), ("down", b"HTTP/1.0 200 OK\r\n\r\nhello, everybody\n")]
    path = capture.write(tmp_path / "a.pcap", capture.packets(http))
    outcome = run(CINCH, "wire", path)
    assert outcome.code == 4
    assert b"the client does not speak TLS but plain HTTP" in outcome.out
    assert b"there is no TLS in" in outcome.err
    assert read(path, code=4)["error"]["cause"] == "not-tls"
    capture.write(path, [b"\2" * 12 + b"\x08\x06" + b"\0" * 46])
    assert "1 packets of something else" in read(path, code=4)["error"]["what"]


# ---- the same, live ----

@pytest.mark.parametrize("version", VERSIONS)
def test_live_is_as_captured(pki, tmp_path, version):
    """What --wire shows is what passed by on the socket."""
    with openssl_server(pki, version) as server, capture.Tap(server.port) as tap:
        outcome = connect(tap.port, "--ca", pki / "root.pem", "--wire")
        assert outcome.code == 0, outcome.text
    path = capture.write(tmp_path / "a.pcap", capture.packets(tap.pieces))
    captured = events(path)
    live = outcome.json["wire"]
    for side in ("client", "server"):
        one, other = ([{**event, "microseconds": 0} for event in seen if event["from"] == side]
                      for seen in (live, captured))
        assert one == other


def test_the_certificate_in_one_and_not_in_the_other(pki):
    for version in VERSIONS:
        with openssl_server(pki, version) as server:
            outside = connect(server.port, "--ca", pki / "root.pem", "--wire").json["wire"]
            inside = connect(server.port, "--ca", pki / "root.pem", "--wire-inside").json
        clear = [event for event in outside if event["name"] == "Certificate"]
        assert len(clear) == (1 if version == "TLSv1.2" else 0)
        assert not [event for event in outside if event.get("inside")]
        found = [event for event in inside["wire"] if event["name"] == "Certificate"]
        assert [event["inside"] for event in found] == [version == "TLSv1.3"]
        assert values(inside["wire"], "Certificate", "serial") == [
            one["serial"] for one in inside["peer"]["sent"]]
        # Right behind the protected record that it was in.
        order = inside["wire"]
        for at, event in enumerate(order):
            if event.get("inside"):
                before = next(one for one in reversed(order[:at])
                              if one["kind"] == "record" and one["from"] == event["from"])
                assert before["protected"] and before["record"] == event["record"]


def test_for_people(pki):
    with openssl_server(pki, "TLSv1.2") as server:
        outcome = connect(server.port, "--ca", pki / "root.pem", "--wire", "--quiet", stdin=REQUEST)
        text = outcome.err.decode()
        assert outcome.code == 0 and "what is clear can be read by anybody" in text
        assert "->  handshake, TLS 1.0," in text and "Certificate: CN=localhost" in text
        assert "host_name: localhost" in text and "protected" in text
        assert "0000  16" not in text
        outcome = connect(server.port, "--ca", pki / "root.pem", "--wire-hex", stdin=REQUEST)
        lines = outcome.err.decode().splitlines()
    assert any(line.startswith("    0000  16 ") and line.endswith("content_type: handshake (22)")
               for line in lines)
    assert any(line.startswith("    0004  03 03 ") and line.endswith("legacy_version: TLS 1.2 (0x0303)")
               for line in lines)
    assert any(line.split()[1:3] == ["c0", "2b"] and "TLS_ECDHE_ECDSA_WITH_AES_128_GCM" in line
               for line in lines)


def test_hex_has_every_byte(pki):
    """The bytes in the lines of each clear message are the message."""
    with openssl_server(pki, "TLSv1.2") as server:
        shown_bytes = connect(server.port, "--ca", pki / "root.pem", "--wire-hex", stdin=REQUEST).err
    found = {}
    name = None
    for line in shown_bytes.decode().splitlines():
        if line.startswith(" " * 19) and line[19] not in " (":
            name = line.strip().split(":")[0]
            found[name] = b""
        elif " ms  " in line:
            name = None
        elif name and line.startswith("    ") and line[4:8].strip():
            assert int(line[4:8], 16) == len(found[name])
            found[name] += bytes.fromhex(line[9:58].split("  ")[0])
    for name, kind in (("ClientHello", 1), ("ServerHello", 2), ("Certificate", 11)):
        data = found[name]
        assert data[0] == kind and int.from_bytes(data[1:4], "big") == len(data) - 4, name


def test_a_server_that_is_not_accepted(pki):
    """The handshake fails, and what passed by is shown all the same."""
    with openssl_server(pki, "TLSv1.3") as server:
        outcome = connect(server.port, "--ca", pki / "other-root.pem", "--wire")
        assert outcome.code == 5, outcome.text
        assert outcome.json["peer"]["sent"] and not outcome.json["peer"]["verified"]
        last = [event for event in outcome.json["wire"] if event["from"] == "client"][-1]
        assert last["name"] == "alert" and last["text"] == "fatal, unknown_ca"
        outcome = connect(server.port, "--ca", pki / "other-root.pem", "--wire", stdin=b"")
        assert outcome.code == 5 and b"ServerHello" in outcome.err and b"remedy:" in outcome.err


def test_usage():
    for args, hint in (((), b"which capture?"), (("a", "b"), b"more than one capture: b"),
                       (("--hax", "a"), b"did you mean --hex?")):
        outcome = run(CINCH, "wire", *args)
        assert outcome.code == 2 and hint in outcome.err
    assert json.loads(run(CINCH, "wire", "--json", "/dev/null").out)["exit_code"] == 2
