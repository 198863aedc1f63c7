"""What bench/run measured, as medians and as text."""

import statistics

import targets
import works

GIB = 2**30


def spread(values):
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def sum_up(name, runs):
    """MB (of 1,000,000 bytes) or things per second, and CPU seconds per GiB or microseconds for each end; or
    KB for each end; or microseconds for the first and later ones."""
    found = {"about": runs[0]["about"], "suite": runs[0]["suite"]}
    kind = works.ALL[name].kind
    if kind in ("context", "ready"):
        return {**found, **{which: spread([run[which] * 1e6 for run in runs]) for which in ("first", "later")}}
    bulk = kind in ("bulk", "streams")
    unit = GIB if bulk else 1e6
    cost = {end: [run[f"{end}_memory"] / 1000 if kind == "idle" else run[f"{end}_cpu"] / run["count"] * unit
                  for run in runs] for end in ("server", "client")}
    return {
        **found,
        "rate": spread([run["count"] / run["seconds"] / (1e6 if bulk else 1) for run in runs]),
        "server": spread(cost["server"]), "client": spread(cost["client"]),
        "both": spread([sum(pair) for pair in zip(cost["server"], cost["client"])]),
    }


def other_suite(entry):
    """The one that it took although it was to take another; else None."""
    took = works.suite_of(entry["suite"])
    return took if entry["peer"] != "tcp" and works.ALL[entry["work"]].suite not in (works.ANY, took) else None


def columns(entry):
    """(heading, width, text) of each."""
    def number(value, digits):
        return f"{value:.{digits}f}"

    def ends(which, digits):
        return "({} to {})".format(*(number(entry[which][end], digits) for end in ("lowest", "highest")))
    kind = works.ALL[entry["work"]].kind
    if kind in ("context", "ready"):
        return [("first, us", 11, number(entry["first"]["median"], 1)), ("", 22, ends("first", 1)),
                ("later, us", 11, number(entry["later"]["median"], 1)), ("", 22, ends("later", 1))]
    digits = 3 if kind in ("bulk", "streams") else 1
    cost = works.unit(entry["work"])
    found = [] if kind == "idle" else [
        ("MB/s" if digits == 3 else "per s", 9, number(entry["rate"]["median"], 0)), ("", 18, ends("rate", 0))]
    return found + [("server", 10, number(entry["server"]["median"], digits)),
                    ("client", 10, number(entry["client"]["median"], digits)),
                    (f"both, {cost}", 17, number(entry["both"]["median"], digits)),
                    ("", 18, ends("both", digits))]


def ratios(entry, plain):
    """What libssl needs, divided by what this one does."""
    which = ("first", "later") if "first" in entry else ("server", "client", "both")
    found = [plain[each]["median"] / entry[each]["median"] if entry[each]["median"] > 0 else None for each in which]
    return "".join(f"{'-':>9}" if ratio is None else f"{ratio:>9.{2 if ratio < 1000 else 0}f}" for ratio in found)


def lines_of(entries):
    plain = next((entry for entry in entries if entry["peer"] == "openssl"), None)
    head = f"  {'':13}"
    for heading, width, _ in columns(entries[0]):
        head += f"{heading:>{width}}" if heading else " " * width
    if plain:
        which = ("first", "later") if "first" in plain else ("server", "client", "both")
        head += "".join(f"{word:>9}" for word in which) + "  times less than libssl"
    yield head.rstrip()
    for entry in entries:
        line = f"  {entry['peer']:<13}"
        for heading, width, text in columns(entry):
            line += f"{text:>{width}}" if heading else f" {text:<{width - 1}}"
        line += ratios(entry, plain) if plain else ""
        took = other_suite(entry)
        yield line.rstrip() + (f"  * took {took}" if took else "")


def text(report):
    machine = report["machine"]
    lines = [f"{machine['cpu']}, {machine['cores']} cores, {machine['kernel']}, "
             f"load {machine['load']:.2f} before, {report['date']}",
             f"{report['rounds']} rounds of {report['seconds']:g} s, taking turns; medians (lowest to highest)"]
    groups = {}
    for entry in report["results"]:
        groups.setdefault((entry["version"], entry["work"]), []).append(entry)
    for (version, work), entries in groups.items():
        lines += ["", works.title(version, work), *lines_of(entries)]
        if works.ALL[work].kind == "default":
            lines += [f"  {entry['peer']:<13} took {entry['suite']}" for entry in entries]
    if any(other_suite(entry) for entry in report["results"]):
        lines += ["", "* cannot be told which suite of TLS 1.3 to take"]
    lines += ["", "Targets", *targets.lines(report["results"])]
    abouts = {entry["peer"]: entry["about"] for entry in report["results"]}
    lines += ["", *(f"{peer}: {about}" for peer, about in abouts.items())]
    return "\n".join(lines) + "\n"
