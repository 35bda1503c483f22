"""Compares what Flink and flowdeck made of the same events, pane by pane, then says how fast each was.

Every pane must be equal: counts, errors, sum, least, greatest and every bin of the sketch. Prints JSON lines as the
other benchmarks do, and fails when a pane differs or a bound is not kept.
"""

import json
import pathlib
import sys


def panes(path):
    """Panes by window and service; Flink leaves its files unfinished, with a dot before the name."""
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    found = {}
    for file in files:
        for line in file.read_text().splitlines():
            pane = json.loads(line)
            pane["bins"] = {int(bin): count for bin, count in pane["bins"].items()}
            found[pane.pop("start_ms"), pane.pop("svc")] = pane
    return found


def report(name, value, unit, bound=None):
    kept = None if bound is None else value >= bound
    print(json.dumps({"name": name, "value": round(value, 2), "unit": unit, "bound": bound, "kept": kept}))
    return kept is not False


def main(folder, few, many):
    flink, flowdeck = panes(folder / "flink-many"), panes(folder / "flowdeck-many.jsonl")
    different = [key for key in flink.keys() | flowdeck.keys() if flink.get(key) != flowdeck.get(key)]
    for key in sorted(different)[:5]:
        print(f"{key}: Flink {flink.get(key)}, flowdeck {flowdeck.get(key)}", file=sys.stderr)
    report("panes of Flink", len(flink), "panes")
    report("events in them", sum(pane["n"] for pane in flink.values()), "events")
    ok = report("equal panes", len(flink) - len(different), "panes", len(flink)) and len(flink) > 0
    _, first, second = [json.loads(line) for line in (folder / "flink.jsonl").read_text().splitlines()]
    ours = [json.loads(line) for line in (folder / "flowdeck.jsonl").read_text().splitlines()]
    for clock, words in [("clock_s", "by the clock"), ("processor_s", "by processor time of all threads")]:
        # The slope leaves out what a job takes to start; ours has nothing to leave out.
        rate = (many - few) / (second[clock] - first[clock])
        own = many / min(run[clock] for run in ours)
        report(f"Flink SQL, parallelism 1, {words}", rate, "events/s")
        report(f"flowdeck, one thread, {words}, best of {len(ours)}", own, "events/s")
        # Other work on the machine lengthens the clock of whoever runs then, so only processor time has a bound.
        bound = 4 if clock == "processor_s" else None
        ok &= report(f"flowdeck to Flink SQL, {words}", own / rate, "times", bound)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
