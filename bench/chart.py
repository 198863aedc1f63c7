"""What bench/run measured, as pictures: a panel for each work, a bar for each library; and lines for scaling."""

import re
import shutil
import subprocess

import works

ROW, PANEL, HEAD, WIDTH = 20, 78, 70, 620
OURS, OURS_LIGHT, OTHER, OTHER_LIGHT = 0x3a6ea5, 0x9dbbd9, 0x8a8a8a, 0xcfcfcf
LINES = [0x3a6ea5, 0xc0504d, 0x9bbb59, 0x8064a2, 0xf79646, 0x4bacc6]

# A file, the patterns of its works, what its bars tell, and a line about it.
RATE, COST, TIMES = "rate", "cost", "times"
FIGURES = [
    ("bulk-aes256-cpu", "bulk-aes256-.*", COST, "CPU seconds per GiB: dark the server, light the client; less is better"),
    ("bulk-aes256-rate", "bulk-aes256-.*", RATE, "MB/s; more is better"),
    ("bulk-suites-cpu", "bulk-(aes128|chacha)-.*", COST,
     "CPU seconds per GiB: dark the server, light the client; less is better"),
    ("bulk-suites-rate", "bulk-(aes128|chacha)-.*", RATE, "MB/s; more is better"),
    ("streams", "streams-.*", COST, "CPU seconds per GiB: dark the server, light the client; less is better"),
    ("trips", "trips", RATE, "round trips per second; more is better"),
    ("handshakes", "(full|resumed|default|mutual)-.*", COST,
     "CPU us of each: dark the server, light the client; less is better"),
    ("memory", "idle.*", COST, "KB of a connection: dark the server, light the client; less is better"),
    ("contexts", "context|ready", TIMES, "CPU us, on a scale of powers of ten; less is better"),
]


def clean(text):
    """Nothing in it may end a text of gnuplot's."""
    return re.sub(r"[^\w .,;()@/+:\u2019-]", "?", text.replace("'", "\u2019"))


def bars(entry, tells):
    """The label, (from, to, color) of each bar of a row, the text behind it, and the spread of its end."""
    ours = "cinch" in entry["peer"]
    dark, light = (OURS, OURS_LIGHT) if ours else (OTHER, OTHER_LIGHT)
    if tells == RATE:
        return [(entry["peer"], [(0, entry["rate"]["median"], dark)], entry["rate"])]
    if tells == COST:
        server, client = entry["server"]["median"], entry["client"]["median"]
        return [(entry["peer"], [(0, server, dark), (server, server + client, light)], entry["both"])]
    return [(f"{entry['peer']}, {which}", [(0.1, max(entry[which]["median"], 0.1), dark if which == "first" else light)],
             entry[which]) for which in ("first", "later")]


def short(value):
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def panel(number, column, top, height, columns, entries, tells):
    rows = [row for entry in entries for row in bars(entry, tells)]
    boxes, ends, most = [], [], 0
    for i, (label, parts, spread) in enumerate(rows):
        y = len(rows) - 1 - i
        boxes += [f"{y} {low:.6g} {high:.6g} {color}" for low, high, color in parts]
        ends.append(f"{y} {parts[-1][1]:.6g} {spread['lowest']:.6g} {spread['highest']:.6g} "
                    f"\"{clean(label)}\" \"{short(spread['median'])}\"")
        most = max(most, spread["highest"], parts[-1][1])
    left, right = (column + 0.26) / columns, (column + 0.95) / columns
    title = works.title(entries[0]["version"], entries[0]["work"])
    newline = "\n"
    scale = f"set logscale x\nset xrange [0.1:{most * 8:.6g}]" if tells == TIMES else \
        f"unset logscale x\nset xrange [0:{most * 1.15 or 1:.6g}]"
    return (f"$b{number} << EOD\n{newline.join(boxes)}\nEOD\n$e{number} << EOD\n{newline.join(ends)}\nEOD\n"
            f"set title '{clean(title)}'\n{scale}\n"
            f"set lmargin at screen {left:.4f}\nset rmargin at screen {right:.4f}\n"
            f"set tmargin at screen {1 - top / height:.4f}\n"
            f"set bmargin at screen {1 - (top + len(rows) * ROW) / height:.4f}\n"
            f"set yrange [-0.6:{len(rows) - 1}.6]\n"
            f"plot $b{number} using 2:1:2:3:($1-0.35):($1+0.35):4 with boxxyerror fs solid lc rgb variable, "
            f"$e{number} using 2:1:3:4:ytic(5) with xerrorbars pt 0 lc rgb 'black', "
            f"$e{number} using 4:1:6 with labels left offset 0.7,0 font ',9'\n")


def page(width, height, heading, report, body):
    about = f"{report['machine']['cpu']}, {report['machine']['cores']} cores, load " \
            f"{report['machine']['load']:.2f} before, {report['date']}"
    return (f"set encoding utf8\nset terminal svg noenhanced size {width},{height} background rgb 'white' font 'sans-serif,11'\n"
            f"set multiplot title \"{clean(heading)}\\nmedians, with lowest and highest; {clean(about)}\"\n"
            f"unset key\nset grid x\nset border 3\nset tics nomirror\nset xtics autofreq\n{body}unset multiplot\n")


def bar_script(report, entries, tells, heading):
    groups = {}
    for entry in entries:
        groups.setdefault(entry["work"], {}).setdefault(entry["version"], []).append(entry)
    columns = max(len(versions) for versions in groups.values())
    # Works that have one version only stand beside each other too.
    lines, waiting = [], []
    for versions in groups.values():
        if len(versions) < columns or columns == 1:
            waiting += versions.values()
        else:
            lines.append(list(versions.values()))
    columns = max(columns, min(2, len(waiting)))
    lines += [waiting[i:i + columns] for i in range(0, len(waiting), columns)]
    per_entry = 2 if tells == TIMES else 1
    tall = [max(map(len, line)) * per_entry * ROW + PANEL for line in lines]
    height, top, panels = HEAD + sum(tall), HEAD + ROW, []
    for line, space in zip(lines, tall):
        for column, group in enumerate(line):
            panels.append(panel(len(panels), column, top, height, columns, group, tells))
        top += space
    return page(WIDTH * columns, height, heading, report, "".join(panels))


def scaling_script(report, entries):
    """Handshakes per second by how many serve: a line for each library."""
    peers = list(dict.fromkeys(entry["peer"] for entry in entries))
    kinds = list(dict.fromkeys(works.ALL[entry["work"]].kind for entry in entries))
    most, body = max(entry["rate"]["highest"] for entry in entries), ["set key outside right\nset grid y\n"]
    body.append(f"set xrange [0.5:{max(works.NUMBERS) + 0.5}]\nset yrange [0:{most * 1.1:.6g}]\n"
                f"set xtics ({', '.join(map(str, works.NUMBERS))})\n")
    for column, kind in enumerate(kinds):
        plots = []
        for i, peer in enumerate(peers):
            points = [f"{works.ALL[entry['work']].number} {entry['rate']['median']:.6g} "
                      f"{entry['rate']['lowest']:.6g} {entry['rate']['highest']:.6g}" for entry in entries
                      if entry["peer"] == peer and works.ALL[entry["work"]].kind == kind]
            if not points:
                continue
            name = f"$s{column}_{i}"
            body.append(f"{name} << EOD\n" + "\n".join(points) + "\nEOD\n")
            plots.append(f"{name} using 1:2:3:4 with yerrorlines pt 7 ps 0.6 lw {3 if peer == 'cinch' else 1} "
                         f"lc rgb {LINES[i % len(LINES)]} title '{clean(peer)}'")
        if plots:
            body.append(f"set origin {column / len(kinds):.4f},0\nset size {1 / len(kinds):.4f},0.87\n"
                        f"set title 'by number of {kind} of the server'\nplot {', '.join(plots)}\n")
    heading = f"{works.title(entries[0]['version'], entries[0]['work']).partition(', served')[0]}, per second; " \
              "more is better"
    return page(WIDTH * len(kinds), 420, heading, report, "".join(body))


def scripts(report):
    """{file name: what gnuplot is told}"""
    found = {}
    for name, pattern, tells, heading in FIGURES:
        entries = [entry for entry in report["results"] if re.fullmatch(pattern, entry["work"])]
        if entries:
            found[f"{name}.svg"] = bar_script(report, entries, tells, heading)
    scaled = [entry for entry in report["results"] if works.ALL[entry["work"]].kind in ("threads", "processes")]
    if scaled:
        found["scaling.svg"] = scaling_script(report, scaled)
    return found


def draw(report, directory):
    """The names of the files; none if gnuplot is not here."""
    if not shutil.which("gnuplot"):
        return []
    found = scripts(report)
    for name, script in found.items():
        with open(directory / name, "wb") as out:
            subprocess.run(["gnuplot", "-d", "-"], input=script.encode(), stdout=out, check=True)
    return list(found)
