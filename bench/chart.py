"""What bench/run measured, as a picture: a panel for each work, a bar for each library."""

import re
import shutil
import subprocess

import tables

ROW, PANEL, HEAD, WIDTH = 20, 70, 65, 560


def clean(text):
    """Nothing in it may end a text of gnuplot's."""
    return re.sub(r"[^\w .,()@/+:-]", "?", text)


def value(entry):
    return entry["both" if entry["work"] == "idle" else "rate"]


def panel(number, column, top, height, columns, entries):
    rows = len(entries)
    left = (column + 0.24) / columns
    right = (column + 0.95) / columns
    data = "\n".join(
        f"{rows - 1 - i} {value(e)['median']:.6g} {value(e)['lowest']:.6g} {value(e)['highest']:.6g} "
        f"\"{clean(e['peer'])}\" {0x4f81bd if 'cinch' in e['peer'] else 0xb8b8b8}"
        for i, e in enumerate(entries))
    title = tables.title(entries[0]["version"], entries[0]["work"]).partition(", CPU")[0]
    return (f"$d{number} << EOD\n{data}\nEOD\nset title '{clean(title)}'\n"
            f"set lmargin at screen {left:.4f}\nset rmargin at screen {right:.4f}\n"
            f"set tmargin at screen {1 - top / height:.4f}\n"
            f"set bmargin at screen {1 - (top + rows * ROW) / height:.4f}\n"
            f"set yrange [-0.6:{rows - 1}.6]\n"
            f"plot $d{number} using (0):1:(0):2:($1-0.35):($1+0.35):6:ytic(5) with boxxyerror "
            f"fs solid lc rgb variable, "
            f"$d{number} using 2:1:3:4 with xerrorbars pt 0 lc rgb 'black'\n")


def script(report):
    groups = {}
    for entry in report["results"]:
        groups.setdefault((entry["version"], entry["work"]), []).append(entry)
    versions = list(dict.fromkeys(version for version, _ in groups))
    works = list(dict.fromkeys(work for _, work in groups))
    panels, top = [], HEAD + ROW
    tall = {work: max(len(groups.get((v, work), [])) for v in versions) * ROW + PANEL for work in works}
    height = HEAD + sum(tall.values())
    for work in works:
        for column, version in enumerate(versions):
            if (version, work) in groups:
                panels.append(panel(len(panels), column, top, height, len(versions),
                                    groups[version, work]))
        top += tall[work]
    about = f"{report['machine']['cpu']}, load {report['machine']['load']:.2f} before, {report['date']}"
    return (f"set terminal svg noenhanced size {WIDTH * len(versions)},{height} background rgb 'white' "
            "font 'sans-serif,11'\n"
            f"set multiplot title \"medians, with lowest and highest\\n{clean(about)}\"\n"
            "unset key\nset xrange [0:*]\nset grid x\nset border 3\nset tics nomirror\n"
            "set xtics autofreq\n" + "".join(panels) + "unset multiplot\n")


def draw(report, path):
    """False if gnuplot is not here."""
    if not shutil.which("gnuplot"):
        return False
    with open(path, "wb") as out:
        subprocess.run(["gnuplot", "-d", "-"], input=script(report).encode(), stdout=out, check=True)
    return True
