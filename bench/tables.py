"""What bench/run measured, as medians and as text."""

import re
import statistics

GIB = 2**30


def spread(values):
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def sum_up(work, runs):
    """MB (of 1,000,000 bytes) or things per second, and CPU seconds per GiB or microseconds for each end; or
    KB for each end."""
    bulk = work.startswith("bulk")
    unit = GIB if bulk else 1e6
    cost = {name: [run[f"{name}_memory"] / 1000 if work == "idle" else
                   run[f"{name}_cpu"] / run["count"] * unit for run in runs]
            for name in ("server", "client")}
    return {
        "about": runs[0]["about"], "suite": runs[0]["suite"],
        "rate": spread([run["count"] / run["seconds"] / (1e6 if bulk else 1) for run in runs]),
        "server": spread(cost["server"]), "client": spread(cost["client"]),
        "both": spread([sum(pair) for pair in zip(cost["server"], cost["client"])]),
    }


def title(version, work):
    name, _, size = work.partition("-")
    what = {"bulk": f"throughput, writes of {size} bytes: MB/s, CPU s/GiB",
            "trips": "64 bytes there and back: per second, CPU us",
            "full": "full handshakes: per second, CPU us",
            "resumed": "resumed handshakes: per second, CPU us",
            "idle": "an idle connection: KB"}[name]
    return f"TLS {version}, {what}"


def row(entry, plain):
    """PLAIN is the entry of libssl, or None."""
    rate, both = entry["rate"], entry["both"]["median"]
    digits = 3 if entry["work"].startswith("bulk") else 1
    speed = f"{rate['median']:>9.0f} {'({lowest:.0f} to {highest:.0f})'.format(**rate):<20}"
    text = (f"  {entry['peer']:<13}{'' if entry['work'] == 'idle' else speed:30}"
            f"{entry['server']['median']:>10.{digits}f}{entry['client']['median']:>10.{digits}f}")
    if plain:
        text += f"{plain['both']['median'] / both:>8.2f}"
    return text


def text(report):
    machine = report["machine"]
    lines = [f"{machine['cpu']}, {machine['cores']} cores, {machine['kernel']}, "
             f"load {machine['load']:.2f} before, {report['date']}",
             f"{report['rounds']} rounds of {report['seconds']:g} s, taking turns; medians (lowest to highest); "
             "server, client; what libssl needs for both, divided by what this one does"]
    groups = {}
    for entry in report["results"]:
        groups.setdefault((entry["version"], entry["work"]), []).append(entry)
    for (version, work), entries in groups.items():
        plain = next((entry for entry in entries if entry["peer"] == "openssl"), None)
        lines += ["", title(version, work)]
        lines += [row(entry, plain) for entry in entries]
    abouts = {entry["peer"]: entry["about"] for entry in report["results"]}
    lines += ["", *(f"{peer}: {about}" for peer, about in abouts.items())]
    # Some cannot be told which suite of TLS 1.3 to take.
    others = sorted({f"{entry['peer']} with TLS {entry['version']} took {entry['suite']}"
                     for entry in report["results"] if re.search("AES.256", entry["suite"])})
    return "\n".join(lines + others) + "\n"
