"""Writes spans as the collector's exporter does in JSON, and the same with the names of protobuf: `COUNT SPANS PLAIN`.

Each record holds those of two services that ended within some seconds, in no order. COUNT spans answer; as many besides are
of clients, which do not count. Some services have attributes before and after their name, some records nothing at all.
"""

import json
import random
import sys
import time

SERVER, CLIENT, CONSUMER = 2, 3, 5
ERROR = 2
NAMES = {SERVER: "SPAN_KIND_SERVER", CLIENT: "SPAN_KIND_CLIENT", CONSUMER: "SPAN_KIND_CONSUMER"}


def spans(rng, end_ms, kinds):
    for kind in kinds:
        end = int((end_ms - rng.uniform(0, 4_000)) * 1_000_000)
        yield kind, end - int(rng.lognormvariate(16, 2)), end, ERROR if rng.random() < 0.1 else rng.choice([0, 1])


def attributes(rng, service, value):
    pairs = [("host.name", "a"), ("service.name", service), ("service.version", "7")]
    return [{"key": key, "value": {value: text}} for key, text in rng.sample(pairs, 3)]


def main(count, collector, plain):
    rng, written = random.Random(7), 0
    first = (int(time.time()) - 900) * 1_000
    with open(collector, "w", encoding="utf-8") as collector, open(plain, "w", encoding="utf-8") as plain:
        while written < int(count):
            end_ms = first + 800_000 * written // int(count)
            groups, same = [], []
            for _ in range(2):
                wanted = min(rng.randint(1, 5), int(count) - written)
                written += wanted
                kinds = [rng.choice([SERVER, CONSUMER]) for _ in range(wanted)] + [CLIENT] * wanted
                service, some = f"service-{rng.randint(0, 40)}", list(spans(rng, end_ms, kinds))
                of = lambda value: {"attributes": attributes(rng, service, value)}
                groups.append({"resource": of("stringValue"), "scopeSpans": [{"spans": [
                    {"kind": NAMES[kind] if rng.random() < 0.5 else kind, "startTimeUnixNano": str(begin),
                     "endTimeUnixNano": str(end), "status": {"code": code} if code else {}, "name": "x"}
                    for kind, begin, end, code in some]}]})
                same.append({"resource": of("string_value"), "scope_spans": [{"spans": [
                    {"kind": kind, "start_time_unix_nano": begin, "end_time_unix_nano": end, "status": {"code": code}}
                    for kind, begin, end, code in some]}]})
            collector.write(json.dumps({"resourceSpans": groups}) + "\n")
            plain.write(json.dumps({"resource_spans": same}) + "\n")
            if rng.random() < 0.01:
                collector.write('{"resourceSpans": []}\n{}\n')
                plain.write('{"resource_spans": []}\n')


main(*sys.argv[1:])
