#!/usr/bin/env python3
"""Charts of what `concmap-bench run|latency|limits --json` wrote: one page without need of a network, and SVG files."""

import argparse
import collections
import html
import io
import json
import pathlib
import statistics
import sys

try:
    import matplotlib
except ImportError:
    sys.exit("concmap-bench: reports need matplotlib (Debian: python3-matplotlib)")

matplotlib.use("svg")
matplotlib.rcParams["svg.fonttype"] = "none"  # text stays text
import matplotlib.pyplot as plt  # noqa: E402

OURS = ("sharded", "anchored", "leftright", "multimap", "locked", "partitioned", "swap")
STYLE = """body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } td, th { padding: 0.1rem 0.8rem; text-align: right; }
td:first-child, th:first-child { text-align: left; } .ours { font-weight: bold; } svg { max-width: 100%; height: auto; }"""


def label(row):
    return row["map"] + ("+batch" if row["variant"] == "batch" else "")


def is_ours(name):
    return name.split("+")[0] in OURS


class Palette:
    """The same colour for a map in every chart; ours are strong, the others pale."""

    def __init__(self, names):
        ours = [n for n in names if is_ours(n)]
        others = [n for n in names if not is_ours(n)]
        strong = plt.get_cmap("Dark2")
        pale = plt.get_cmap("tab20")
        self.colours = {n: strong(i % 8) for i, n in enumerate(ours)}
        self.colours.update({n: pale(i % 20) for i, n in enumerate(others)})

    def line(self, name):
        ours = is_ours(name)
        return {"color": self.colours[name], "linewidth": 2.5 if ours else 1.2, "marker": "o" if ours else ".",
                "linestyle": "-" if ours else "--", "zorder": 3 if ours else 2}


def in_order(rows):
    return list(dict.fromkeys(label(row) for row in rows))


def what(row):
    return f"{row['workload']}, 2^{row['capacity_log2']}, {row['key']} → {row['value']} B"


def medians(rows, value):
    """{(map, threads): median of value(row)}"""
    groups = collections.defaultdict(list)
    for row in rows:
        groups[label(row), row["threads"]].append(value(row))
    return {key: statistics.median(values) for key, values in groups.items()}


def grouped(rows, key):
    groups = collections.defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups


def throughput_chart(rows, palette):
    figure, axes = plt.subplots(figsize=(9, 4.5), layout="constrained")
    values = medians(rows, lambda row: row["mops"])
    threads = sorted({row["threads"] for row in rows})
    names = in_order(rows)
    if len(threads) > 1:
        for name in names:
            points = [(t, values[name, t]) for t in threads if (name, t) in values]
            axes.plot(*zip(*points), label=name, **palette.line(name))
        axes.set_xticks(threads)
        axes.set_xlabel("threads")
        axes.set_ylim(bottom=0)
        axes.set_ylabel("million operations a second")
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small")
    else:
        bars(axes, [(name, values[name, threads[0]]) for name in names], palette, "million operations a second")
    axes.set_title(what(rows[0]) + ("" if len(threads) > 1 else f", {threads[0]} threads"))
    return figure


def bars(axes, pairs, palette, unit):
    pairs = sorted(pairs, key=lambda pair: pair[1])
    axes.barh([name for name, _ in pairs], [value for _, value in pairs],
              color=[palette.colours[name] for name, _ in pairs])
    axes.set_xlabel(unit)


def memory_chart(rows, palette):
    figure, axes = plt.subplots(figsize=(9, 4.5), layout="constrained")
    least = min(row["threads"] for row in rows)
    held = [row for row in rows if row["threads"] == least and row["entries"] > 0]
    values = medians(held, lambda row: row["resident_bytes"] / row["entries"])
    bars(axes, [(name, value) for (name, _), value in values.items()], palette, "resident bytes an entry")
    axes.set_title(what(rows[0]))
    return figure


def latency_chart(rows, kind, palette):
    """Nanoseconds over the share of slower operations, both logarithmic: the tail is to the right."""
    figure, axes = plt.subplots(figsize=(9, 4.5), layout="constrained")
    for name in in_order(rows):
        curves = [row["latency"][kind]["ns"] for row in rows if label(row) == name and kind in row["latency"]]
        if not curves:
            continue
        points = [(1 / (1 - q), statistics.median(curve[i][1] for curve in curves))
                  for i, (q, _) in enumerate(curves[0]) if q < 1]
        axes.plot(*zip(*points), label=name, **palette.line(name))
    axes.set(xscale="log", yscale="log", ylabel="nanoseconds", xlabel="percentile",
             title=f"{kind}: {what(rows[0])}, {rows[0]['threads']} threads")
    ticks = [(2, "50"), (10, "90"), (100, "99"), (1000, "99.9"), (10000, "99.99"), (100000, "99.999")]
    axes.set_xticks([x for x, _ in ticks], [text for _, text in ticks])
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize="small")
    return figure


def table(header, lines):
    rows = "".join("<tr" + (' class="ours"' if is_ours(line[0]) else "") + ">"
                   + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in line) + "</tr>\n" for line in lines)
    return "<table><tr>" + "".join(f"<th>{html.escape(cell)}</th>" for cell in header) + "</tr>\n" + rows + "</table>\n"


def throughput_table(rows):
    values = medians(rows, lambda row: row["mops"])
    threads = sorted({row["threads"] for row in rows})
    lines = [[name] + [f"{values[name, t]:.1f}" if (name, t) in values else "" for t in threads]
             for name in in_order(rows)]
    return table(["M ops/s"] + [f"x{t}" for t in threads], lines)


class Page:
    def __init__(self, output):
        self.output = output
        self.parts = []

    def add(self, text):
        self.parts.append(text)

    def chart(self, figure, name):
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg")
        plt.close(figure)
        svg = buffer.getvalue()
        file = self.output.with_name(f"{self.output.stem}-{name}.svg")
        file.write_text(svg)
        self.parts.append("<figure>" + svg[svg.index("<svg"):] + "</figure>\n")

    def write(self):
        self.output.write_text("<!DOCTYPE html>\n<html lang='en'><meta charset='utf-8'><title>concmap-bench</title>"
                               f"<style>{STYLE}</style>\n<h1>concmap beside its peers</h1>\n" + "".join(self.parts)
                               + "</html>\n")


def add_machine(page, machine):
    page.add("<p>" + html.escape(", ".join(f"{key}: {value}" for key, value in machine.items())) + "</p>\n")


def add_runs(page, rows, palette):
    for i, group in enumerate(grouped(rows, what).values()):
        page.add(f"<h2>{html.escape(what(group[0]))}</h2>\n")
        page.chart(throughput_chart(group, palette), f"throughput-{i + 1}")
        page.add(throughput_table(group))
        if any(row["resident_bytes"] and row["entries"] for row in group):
            page.chart(memory_chart(group, palette), f"memory-{i + 1}")


def add_latencies(page, rows, palette):
    for i, group in enumerate(grouped(rows, lambda row: (what(row), row["threads"])).values()):
        page.add(f"<h2>Latency: {html.escape(what(group[0]))}, {group[0]['threads']} threads</h2>\n")
        for kind in dict.fromkeys(kind for row in group for kind in row["latency"]):
            page.chart(latency_chart(group, kind, palette), f"latency-{i + 1}-{kind}")


def load(name):
    try:
        with open(name, encoding="utf-8") as file:
            data = json.load(file)
        return data["machine"], data.get("results", []), data.get("limits", [])
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(f"concmap-bench: {name} is no file of results: {error}")


def fill(page, loaded, rows, palette):
    add_machine(page, loaded[0][0])
    limits = [limit for _, _, some in loaded for limit in some]
    if limits:
        page.add("<h2>What the machine allows</h2>\n")
        page.add(table(["limit", "", ""], [[x["name"], f"{x['value']:.1f} {x['unit']}", x["summary"]] for x in limits]))
    add_runs(page, [row for row in rows if "latency" not in row], palette)
    add_latencies(page, [row for row in rows if "latency" in row], palette)


def main():
    parser = argparse.ArgumentParser(prog="concmap-bench report")
    parser.add_argument("files", nargs="+", metavar="FILE.json")
    parser.add_argument("-o", metavar="REPORT.html", default="report.html", dest="output")
    arguments = parser.parse_args()
    loaded = [load(name) for name in arguments.files]
    rows = [row for _, results, _ in loaded for row in results]
    page = Page(pathlib.Path(arguments.output))
    palette = Palette(in_order(rows))
    try:
        fill(page, loaded, rows, palette)
        page.write()
    except OSError as error:
        sys.exit(f"concmap-bench: cannot write the report: {error}")
    print(page.output)


main()
