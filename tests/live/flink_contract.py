"""Compares the rows of two topics, as a console consumer printed them with their keys. The last row of a key holds."""

import json
import sys

SAME = ["version", "key", "spec_sha", "gamma", "n", "err", "min", "max", "sum", "bins"]


def rows(path):
    found = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            key, text = line.rstrip("\n").split("\t", 1)
            row = json.loads(text)
            assert row["key"] == key, line
            found[key] = {name: row[name] for name in SAME}
    return found


def main(ours, theirs, events):
    ours, theirs = rows(ours), rows(theirs)
    different = [key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)]
    for key in sorted(different)[:5]:
        print(f"{key}: flowdeck {ours.get(key)}, Flink {theirs.get(key)}", file=sys.stderr)
    counted = sum(row["n"] for row in theirs.values())
    for name, value, bound in [
        ("rows of flowdeck", len(ours), None),
        ("rows of Flink", len(theirs), None),
        ("events in the rows of Flink", counted, int(events)),
        ("rows that differ", len(different), 0),
    ]:
        print(json.dumps({"name": name, "value": value, "bound": bound, "kept": bound is None or value == bound}))
    return 0 if ours and not different and counted == int(events) else 1


sys.exit(main(*sys.argv[1:]))
