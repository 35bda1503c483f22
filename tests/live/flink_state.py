"""Events of the services FIRST to LAST in two windows, 100 in each, with latencies that spread as a lognormal distribution (sigma 0.6)."""

import random
import sys
import time

WINDOW_MS = 10_000
REQUESTS = 100


def main(first, last):
    rng = random.Random(first)
    # Both windows began a minute ago, so that no clock says that they are ahead.
    begun = (int(time.time()) // 600 * 600 - 600) * 1_000
    for window in range(2):
        for request in range(REQUESTS):
            for service in range(first, last):
                latency = int((2_000 + service * 977 % 50_000) * rng.lognormvariate(0, 0.6))
                status = 503 if rng.random() < 0.01 else 200
                print(f'{{"ts":{begun + window * WINDOW_MS + request},"svc":"service-{service:05}","status":{status},"lat_us":{latency}}}')


main(*map(int, sys.argv[1:]))
