#!/usr/bin/env python3
"""Writes the scripts of cases.json into a folder: the same ones every time.

A script is events of some services, out of order by up to `skew_ms`, with the watermark moved between bundles.
With `edges`, times and watermarks are at and beside the bounds of windows.
"""
import json
import math
import random
import sys
from pathlib import Path


def latency(dice):
    """From a microsecond to an hour, most about 20 ms."""
    return min(3_600_000_000, max(1, int(math.exp(dice.gauss(9.9, 2.0)))))


def event_time(dice, case, now):
    time = now - dice.randrange(case["skew_ms"] + 1)
    if case["edges"]:
        window = case["window_ms"]
        time = time // window * window + dice.choice([0, 1, window - 1, window, window // 2])
    return time


def next_watermark(dice, case, now):
    """Never where Beam's SDKs differ: exactly at the end of a window plus the lateness."""
    window = case["window_ms"]
    mark = now - dice.randrange(case["skew_ms"] // 2 + 1)
    if case["edges"]:
        mark = mark // window * window + dice.choice([-1, 0, 1])
    return mark + 1 if (mark - case["lateness_ms"]) % window == 0 else mark


def script(case):
    dice = random.Random(case["seed"])
    now, mark = case["from_ms"], None
    left = case["events"]
    while left > 0:
        for _ in range(min(left, dice.randrange(1, 60))):
            left -= 1
            now += dice.randrange(case["step_ms"] + 1)
            yield {"e": {"ts": event_time(dice, case, now), "svc": dice.choice("abcde"),
                         "status": dice.choice([200] * 8 + [404, 500, 503]), "lat_us": latency(dice)}}
        if dice.random() < 0.8:
            proposed = next_watermark(dice, case, now)
            if mark is None or proposed > mark:
                mark = proposed
                yield {"wm": mark}


def main(folder):
    for case in json.loads(Path(__file__).with_name("cases.json").read_text()):
        lines = (json.dumps(line, separators=(",", ":")) + "\n" for line in script(case))
        Path(folder, case["name"] + ".script.jsonl").write_text("".join(lines))


if __name__ == "__main__":
    main(sys.argv[1])
