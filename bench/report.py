"""The tables: medians, how Cellblock compares, and whether its target was met in this run."""

import json
import os
import platform
import statistics


class Row:
    """What one contestant took. target: Cellblock's median must be at most this times the row's; at_most: a bound for
    the row itself."""

    def __init__(self, name, values, target=None, at_most=None):
        self.name = name
        self.values = sorted(values)
        self.target = target
        self.at_most = at_most

    @property
    def p50(self):
        return statistics.median(self.values)


class Table:
    def __init__(self, title, unit, rows):
        self.title = title
        self.unit = unit
        self.rows = [row for row in rows if row.values]

    @property
    def ours(self):
        return next(row for row in self.rows if row.name == "cellblock").p50


def compare(table, row):
    """1/36 of it, or 2.4 times it."""
    if row.name == "cellblock" or not row.p50:
        return ""
    value = table.ours / row.p50
    return f"1/{1 / value:.0f}" if value < 0.095 else f"1/{1 / value:.1f}" if value < 1 else f"{value:.2f} x"


def verdict(table, row):
    if row.at_most is not None:
        return f"at most {row.at_most:g} {table.unit}".rstrip(), row.p50 <= row.at_most
    if row.target is not None:
        goal = f"1/{1 / row.target:.0f}" if row.target < 1 else f"{row.target:g} x"
        return f"at most {goal}", table.ours <= row.p50 * row.target
    return "", None


def show(tables, field, seconds):
    missed = 0
    for table in tables:
        print(f"\n{table.title}")
        print(f"  {'':26} {'p50 ' + table.unit:>10} {'min':>10} {'p99':>10} {'n':>5}   {'cellblock is':>12}  target")
        for row in sorted(table.rows, key=lambda r: r.p50):
            goal, met = verdict(table, row)
            p99 = row.values[min(len(row.values) - 1, len(row.values) * 99 // 100)]
            word = "" if met is None else "met" if met else "MISSED"
            missed += met is False
            print(
                f"  {row.name:26} {row.p50:10.3f} {row.values[0]:10.3f} {p99:10.3f} {len(row.values):5}   "
                f"{compare(table, row):>12}  "
                f"{goal}{': ' if goal else ''}{word}".rstrip()
            )
    for name, why in field.problems.items():
        print(f"\nleft out: {name}: {why}")
    load = os.getloadavg()[0]
    print(
        f"\n{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}, load {load:.1f}; "
        f"{seconds:.0f} s. "
        f"Targets missed: {missed}. Ratios are of medians of this run; other figures depend on the machine."
    )


def save(tables, path):
    data = [
        {
            "title": t.title,
            "unit": t.unit,
            "rows": [
                {
                    "name": r.name,
                    "p50": r.p50,
                    "min": r.values[0],
                    "n": len(r.values),
                    "cellblock_ratio": t.ours / r.p50 if r.p50 else None,
                    "target": verdict(t, r)[0] or None,
                    "met": verdict(t, r)[1],
                }
                for r in t.rows
            ],
        }
        for t in tables
    ]
    with open(path, "w") as f:
        json.dump(data, f, indent=1)
