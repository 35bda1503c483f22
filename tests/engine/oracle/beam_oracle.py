#!/usr/bin/env python3
"""What Apache Beam makes of a script: one JSON line for each pane of a service in a window.

Replays the script by Beam's own Python DirectRunner (TestStream), with exact quantiles in place of a sketch.
Lines of a script, in order of arrival (integers; time in milliseconds):
  {"e":{"ts":1200,"svc":"a","status":200,"lat_us":1234}}   an event
  {"wm":10000}                                             the watermark advances; never back
Usage: beam_oracle.py script.jsonl WINDOW_MS LATENESS_MS accumulating|discarding > panes.jsonl

Scripts keep off one instant: when the watermark is exactly at end + lateness, Beam's Java SDK drops and its Python
SDK keeps. The engine does as Java does.
"""
import json
import sys

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.test_stream import TestStream
from apache_beam.transforms import trigger
from apache_beam.transforms.window import FixedWindows, TimestampedValue
from apache_beam.utils.timestamp import Duration, Timestamp


def timestamp(millis):
    """Exact: Beam's Python timestamps are whole microseconds."""
    return Timestamp(micros=millis * 1000)


class Aggregate(beam.CombineFn):
    """Counts, and all latencies, so that quantiles are exact."""

    def create_accumulator(self):
        return (0, 0, ())

    def add_input(self, total, event):
        return (total[0] + 1, total[1] + (event["status"] >= 500), total[2] + (event["lat_us"],))

    def merge_accumulators(self, totals):
        count, errors, latencies = 0, 0, ()
        for total in totals:
            count, errors, latencies = count + total[0], errors + total[1], latencies + total[2]
        return (count, errors, latencies)

    def extract_output(self, total):
        latencies = sorted(total[2])

        def quantile(share):
            return latencies[min(len(latencies) - 1, int(share * (len(latencies) - 1)))]

        return dict(n=total[0], err=total[1], sum=sum(latencies), min=latencies[0], max=latencies[-1],
                    p50=quantile(.5), p95=quantile(.95), p99=quantile(.99))


class Print(beam.DoFn):
    TIMINGS = {0: "early", 1: "on_time", 2: "late", 3: "unknown"}

    def process(self, pair, window=beam.DoFn.WindowParam, pane=beam.DoFn.PaneInfoParam):
        line = dict(start=int(window.start.micros // 1000), svc=pair[0], pane=self.TIMINGS[int(pane.timing)],
                    idx=pane.index, **pair[1])
        print(json.dumps(line, separators=(",", ":")), flush=True)


def stream(path):
    """The script as Beam's test source; the events between two watermarks are one bundle."""
    test_stream = TestStream(coder=beam.coders.FastPrimitivesCoder())
    batch = []
    for text in open(path):
        line = json.loads(text)
        if "e" in line:
            batch.append(TimestampedValue(line["e"], timestamp(line["e"]["ts"])))
            continue
        if batch:
            test_stream, batch = test_stream.add_elements(batch), []
        test_stream = test_stream.advance_watermark_to(timestamp(line["wm"]))
    if batch:
        test_stream = test_stream.add_elements(batch)
    return test_stream.advance_watermark_to_infinity()


def main(path, window_ms, lateness_ms, mode):
    accumulation = {"accumulating": trigger.AccumulationMode.ACCUMULATING,
                    "discarding": trigger.AccumulationMode.DISCARDING}[mode]
    # Named, since the default may choose a runner whose binary is downloaded.
    options = PipelineOptions(["--streaming", "--runner", "BundleBasedDirectRunner"])
    with beam.Pipeline(options=options) as pipeline:
        (pipeline | stream(path) | beam.Map(lambda event: (event["svc"], event))
         | beam.WindowInto(FixedWindows(Duration(micros=window_ms * 1000)),
                           trigger=trigger.AfterWatermark(late=trigger.AfterCount(1)),
                           accumulation_mode=accumulation,
                           allowed_lateness=Duration(micros=lateness_ms * 1000))
         | beam.CombinePerKey(Aggregate()) | beam.ParDo(Print()))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
