"""What Cinch is to reach, and what one run of bench/run found."""

import works

OTHERS = ["gnutls", "libtls", "mbedtls", "wolfssl"]


def tls(version):
    return f"TLS {version}, " if version else ""


class Found:
    """The medians of a run."""

    def __init__(self, results):
        self.results = results
        self.by_key = {(entry["version"], entry["work"], entry["peer"]): entry for entry in results}

    def ratio(self, version, work, which, one, other):
        """ONE's value divided by OTHER's; None if one of them was not measured."""
        entries = [self.by_key.get((version, work, peer)) for peer in (one, other)]
        if None in entries or not entries[1][which]["median"]:
            return None
        return entries[0][which]["median"] / entries[1][which]["median"]

    def suites(self, version, work, one, other):
        """What is to be known of a comparison of different suites."""
        took = [works.suite_of(self.by_key[version, work, peer]["suite"]) for peer in (one, other)
                if (version, work, peer) in self.by_key]
        return f" (took {took[0]}, {took[1]})" if len(set(took)) > 1 else ""

    def versions(self, work):
        return list(dict.fromkeys(version for version, name, _ in self.by_key if name == work)) or [None]


def ratios(found):
    """(what, the limit, whether more is better, the value or None) of each target that is a number; without a
    limit of what belongs beside one."""
    bulk = "1.3", "bulk-aes256-262144", "both"
    what = "TLS 1.3, AES-256-GCM, 262144 bytes, CPU of both ends"
    yield f"{what}: libssl's / Cinch's", 2.0, True, found.ratio(*bulk, "openssl", "cinch")
    yield f"{what}: Cinch's / plain TCP's", 1.6, False, found.ratio(*bulk, "cinch", "tcp")
    for version in found.versions("trips"):
        yield (f"{tls(version)}round trips per second: Cinch's / libssl's", 1.0, True,
               found.ratio(version, "trips", "rate", "cinch", "openssl"))
    for end, limit in ("server", 1.15), ("client", 1.1):
        yield (f"handshakes with defaults, P-256, CPU of the {end}: libssl's / Cinch's", limit, True,
               found.ratio(works.ANY, "default-p256", end, "openssl", "cinch"))
    for key in works.KEYS:
        for version in found.versions(f"resumed-{key}"):
            for end in "server", "client":
                yield (f"{tls(version)}resumed, {works.KEYS[key]}, CPU of the {end}: libssl's / Cinch's", 1.15,
                       True, found.ratio(version, f"resumed-{key}", end, "openssl", "cinch"))
    for work, words in ("context", "default context"), ("ready", "the same, ready for a connection"):
        for which, limit in ("first", 15), ("later", 500):
            yield (f"{words}, {which}: Python's own / Cinch's", limit if work == "context" else None, True,
                   found.ratio(works.ANY, work, which, "python", "cinch"))
    # Whoever never used its buffers does not have them in memory, libssl too.
    for work, words, limit in ("idle-16384", " after 16384 bytes there and back", 0.45), ("idle", "", None):
        for version in found.versions(work):
            yield (f"{tls(version)}memory of an idle connection{words}, both ends: Cinch's / libssl's", limit, False,
                   found.ratio(version, work, "both", "cinch", "openssl"))
    yield from pythons(found)


def pythons(found):
    for version in found.versions("bulk-aes256-262144"):
        for kind, limit in ("bulk", 1.6), ("streams", 1.3):
            words = "asyncio's streams" if kind == "streams" else "sockets"
            at = version, f"{kind}-aes256-262144"
            yield (f"{tls(version)}Python, {words}, 262144 bytes, CPU of both ends: its own / on Cinch"
                   f"{found.suites(*at, 'python', 'python-cinch')}", limit, True,
                   found.ratio(*at, "both", "python", "python-cinch"))
    for key in works.KEYS:
        for version in found.versions(f"full-{key}"):
            yield (f"{tls(version)}Python, full handshakes, {works.KEYS[key]}, CPU of both ends: its own / on Cinch",
                   1.0, True, found.ratio(version, f"full-{key}", "both", "python", "python-cinch"))


def figures(entry):
    """(what it is called, where it is, whether more is better) of what is compared in a row."""
    if "first" in entry:
        return [("first, us", "first", False), ("later, us", "later", False)]
    cost = [(f"both ends' {works.unit(entry['work'])}", "both", False)]
    kind = works.ALL[entry["work"]].kind
    rate = "MB/s" if kind in ("bulk", "streams") else "per second"
    return cost if kind == "idle" else [*cost, (rate, "rate", True)]


def behind(found, peer):
    """How many rows the two share, and in words those where Cinch needs more than PEER or does less."""
    compared, lost = 0, []
    for entry in found.results:
        ours = found.by_key.get((entry["version"], entry["work"], "cinch"))
        if entry["peer"] != peer or ours is None:
            continue
        # Another suite makes another work of it, where the suite is what is measured.
        if works.ALL[entry["work"]].kind == "bulk" and works.suite_of(ours["suite"]) != works.suite_of(entry["suite"]):
            continue
        compared += 1
        words = [f"{words} {ours[which]['median']:.4g}, {peer} {entry[which]['median']:.4g}"
                 for words, which, more in figures(entry)
                 if (ours[which]["median"] - entry[which]["median"]) * (-1 if more else 1) > 0]
        if words:
            lost.append(f"{works.title(entry['version'], entry['work'])}: {'; '.join(words)}")
    return compared, lost


def verdict_on(value, limit, more):
    if value is None:
        return "not measured"
    if limit is None:
        return "no target"
    return "met" if (value >= limit if more else value <= limit) else "MISSED"


def lines(results):
    found = Found(results)
    for what, limit, more, value in ratios(found):
        number = "-" if value is None else f"{value:.{3 if value < 100 else 0}f}"
        bound = "" if limit is None else f"{'at least' if more else 'at most'} {limit:g}"
        yield f"  {verdict_on(value, limit, more):<13}{number:>9}   {bound:<15}{what}"
    for peer in OTHERS:
        compared, lost = behind(found, peer)
        verdict = "not measured" if not compared else "MISSED" if lost else "met"
        yield (f"  {verdict:<13}ahead of {peer} in every row: behind in {len(lost)} of {compared}"
               f"{':' if lost else ''}")
        yield from (f"    {row}" for row in lost)
