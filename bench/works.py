"""What bench/run can measure: its names, and what they mean."""

import collections
import re

SIZES = [64, 1024, 16384, 262144]
SUITES = {"aes128": "AES-128-GCM", "aes256": "AES-256-GCM", "chacha": "ChaCha20-Poly1305"}
KEYS = {"p256": "P-256", "rsa": "RSA 2048"}
NUMBERS = [1, 2, 4, 8]
ANY = "any"

# A work of the programs, and its other arguments.
Work = collections.namedtuple("Work", "kind suite key number", defaults=("aes128", "p256", 1))

ALL = {
    **{f"bulk-{suite}-{size}": Work("bulk", suite, "p256", size) for suite in SUITES for size in SIZES},
    **{f"streams-{suite}-262144": Work("streams", suite, "p256", 262144) for suite in SUITES},
    "trips": Work("trips"),
    **{f"{kind}-{key}": Work(kind, "aes128", key) for kind in ("full", "resumed", "mutual") for key in KEYS},
    **{f"default-{key}": Work("default", ANY, key) for key in KEYS},
    "idle": Work("idle"),
    "idle-16384": Work("idle", number=16384),
    "context": Work("context", ANY, ANY),
    "ready": Work("ready", ANY, ANY),
    **{f"{kind}-{n}": Work(kind, number=n) for kind in ("threads", "processes") for n in NUMBERS},
}
# Those that tell little that others do not are measured if asked for.
USUAL = [name for name in ALL
         if name not in ("mutual-rsa", "default-rsa", "streams-aes128-262144", "streams-chacha-262144",
                         *(f"bulk-{suite}-{size}" for suite in ("aes128", "chacha") for size in (64, 1024)))]

PYTHONS = ["python-cinch", "python"]


def versions(name, chosen):
    """Where the library chooses, that is one; and more threads do the same with both."""
    kind = ALL[name].kind
    if kind in ("default", "context", "ready"):
        return [ANY]
    if kind in ("threads", "processes"):
        return [max(chosen)]
    return chosen


def makes_sense(name, peer):
    """What plain TCP has of handshakes would only make the others look alike."""
    kind = ALL[name].kind
    if peer == "tcp":
        return kind in ("bulk", "trips")
    return kind != "streams" or peer in PYTHONS


def suite_of(text):
    """Whatever the library calls it."""
    for name, pattern in {"chacha": "CHACHA20", "aes256": "AES.?256", "aes128": "AES.?128"}.items():
        if re.search(pattern, text):
            return name
    return "no suite"


def unit(name):
    """Of the two ends' cost."""
    kind = ALL[name].kind
    return {"bulk": "CPU s/GiB", "streams": "CPU s/GiB", "idle": "KB"}.get(kind, "CPU us")


def title(version, name):
    work = ALL[name]
    key, suite = KEYS.get(work.key), SUITES.get(work.suite)
    what = {
        "bulk": f"{suite}, writes of {work.number} bytes",
        "streams": f"asyncio's streams, {suite}, writes of {work.number} bytes",
        "trips": "64 bytes there and back",
        "full": f"full handshakes, {key}",
        "resumed": f"resumed handshakes, {key}",
        "mutual": f"full handshakes, {key}, the client has a certificate too",
        "default": f"full handshakes, {key}, with each library's own defaults",
        "idle": "an idle connection" + (f", after {work.number} bytes there and back" if work.number > 1 else ""),
        "context": "a client's default context, with the system's authorities",
        "ready": "a client's default context and a connection that could begin",
        "threads": f"full handshakes, {key}, served by {work.number} thread{'s' if work.number > 1 else ''}",
        "processes": f"full handshakes, {key}, served by {work.number} process{'es' if work.number > 1 else ''}",
    }[work.kind]
    return what if version == ANY else f"TLS {version}, {what}"
