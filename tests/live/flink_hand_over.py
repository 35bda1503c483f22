"""Events for a hand-over, and what their rows must say.

`write FILE RATE ENOUGH`: events with the present time, in no order within most of a second, to standard output and to a file, until the
file ENOUGH is there. `check FILE ROWS PANES`: counts them window by window and compares with the rows of a topic, as a console consumer printed
them with their keys, and with the panes that `signals replay` makes of these. The last of a key holds.
"""

import collections
import json
import math
import os
import random
import sys
import time

WINDOW_MS = 2_000
# As the contract has it: a bin is floor(ln v / ln gamma).
LN_GAMMA = math.log(1.01 / 0.99)
SERVICES = 60
PAUSE_S = 0.02
SAME = ["n", "err", "min", "max", "sum", "bins"]


def write(path, rate, enough):
    rng, begun, written = random.Random(11), time.time(), 0
    with open(path, "w", encoding="utf-8") as file:
        while not os.path.exists(enough):
            now = time.time()
            lines = []
            while written < (now - begun) * rate:
                written += 1
                event = {"ts": int((now - rng.uniform(0, 0.9)) * 1_000), "svc": f"service-{rng.randrange(SERVICES)}",
                         "status": 503 if rng.random() < 0.03 else 200, "lat_us": 1 + int(rng.lognormvariate(9, 1.2))}
                lines.append(json.dumps(event, separators=(",", ":")) + "\n")
            text = "".join(lines)
            file.write(text)
            sys.stdout.write(text)
            sys.stdout.flush()
            time.sleep(PAUSE_S)


def counted(path):
    """Rows by service and start of the window."""
    rows = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            start = event["ts"] // WINDOW_MS * WINDOW_MS
            row = rows.setdefault((event["svc"], start),
                                  {"n": 0, "err": 0, "min": math.inf, "max": 0, "sum": 0, "bins": collections.Counter()})
            latency = event["lat_us"]
            row["n"] += 1
            row["err"] += event["status"] >= 500
            row["min"], row["max"] = min(row["min"], latency), max(row["max"], latency)
            row["sum"] += latency
            row["bins"][str(math.floor(math.log(latency) / LN_GAMMA))] += 1
    return {key: {**row, "bins": dict(row["bins"])} for key, row in rows.items()}


def told(path):
    """All rows by service and start of the window, in their order, each with who wrote it."""
    rows = collections.defaultdict(list)
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            key, text = line.rstrip("\n").split("\t", 1)
            row = json.loads(text)
            assert row["key"] == key, line
            service, lane, start = key.rsplit("|", 2)
            assert lane == "", line
            rows[service, int(start)].append((row["engine"].split("/")[0], {name: row[name] for name in SAME}))
    return rows


def say(name, value, bound=None, kept=None):
    if kept is None:
        kept = bound is None or value == bound
    print(json.dumps({"name": name, "value": value, "bound": bound, "kept": kept}))
    return kept


def panes(path):
    """Panes by service and start of the window, and the summary after them."""
    found = {}
    with open(path, encoding="utf-8") as lines:
        *lines, summary = map(json.loads, lines)
    for pane in lines:
        found[pane["svc"], pane["start"]] = {name: pane[name] for name in SAME if name != "bins"}
    return found, summary


def check(events, path, shown):
    rows = told(path)
    # Whoever counted last was stopped with windows open: those after its last one are nobody's.
    last = max(start for _, start in rows)
    expected = {key: row for key, row in counted(events).items() if key[1] <= last}
    writers = {key: {engine for engine, _ in all_of} for key, all_of in rows.items()}
    twice = [all_of for all_of in rows.values() if len(all_of) > 1]
    different = [key for key in expected if key in rows and rows[key][-1][1] != expected[key]]
    for key in different[:5]:
        print(f"{key}: told {rows[key][-1]}, counted {expected[key]}", file=sys.stderr)
    windows = len({start for _, start in expected})
    shown, summary = panes(shown)
    numbers = {key: {name: row[name] for name in SAME if name != "bins"} for key, row in expected.items()}
    say("events", sum(row["n"] for row in expected.values()))
    say("windows of 2 s", windows)
    say("services in a window, least", min(collections.Counter(start for _, start in expected).values()))
    for engine in ["flowdeck", "flink-sql"]:
        mine = {start for (_, start), of in writers.items() if engine in of}
        say(f"windows that {engine} told", len(mine))
    both = {start for (_, start), of in writers.items() if len(of) == 2}
    verdicts = [
        say("windows that both told", len(both), "> 1", len(both) > 1),
        say("rows told more than once that say something else", sum(any(it != all_of[0][1] for _, it in all_of) for all_of in twice), 0),
        say("windows without a row of any service", windows - len({start for _, start in rows}), 0),
        say("rows that are missing", len(expected.keys() - rows.keys()), 0),
        say("rows of what was not there", len(rows.keys() - expected.keys()), 0),
        say("events in rows", sum(all_of[-1][1]["n"] for all_of in rows.values()), sum(row["n"] for row in expected.values())),
        say("rows whose numbers or bins differ from the count", len(different), 0),
        say("windows of services that the console shows otherwise", sum(shown.get(key) != row for key, row in numbers.items()), 0),
        say("rows that the console refuses", sum(summary.values()), 0),
    ]
    say("rows in the topic", sum(map(len, rows.values())))
    say("rows that hold", len(rows))
    return 0 if all(verdicts) and windows > 10 else 1


if sys.argv[1] == "write":
    write(sys.argv[2], int(sys.argv[3]), sys.argv[4])
else:
    sys.exit(check(*sys.argv[2:]))
