"""Nothing grows without end: file descriptors, threads, memory, the write-ahead log and the messages on stderr.

One sidecar is asked again and again, and subscribes and unsubscribes; another one on the same file watches all
changes. Both are measured all the while, and the second half is compared with the first. In the long form that is
1,000,000 requests and 100,000 subscriptions in 30 minutes. The log of changes does grow: it is what was asked for.
"""

import os
import time

from faults import Faults, Result, check
from load import Load

MIB = 1 << 20


def run(faults: Faults) -> Result:
    requests, subscriptions, seconds = (1_000_000, 100_000, 1_800) if faults.long else (20_000, 2_000, 5)
    worker = faults.sidecar("leaks.sqlite", remembering=False)
    watcher = faults.sidecar("leaks.sqlite", remembering=False)
    watched = Watched(watcher)
    load = Load(faults.random, [f"r{n}" for n in range(4_000)], "load", illegal=0.05)
    warm_up(faults, worker, load)

    meters = [Meter(worker), Meter(watcher)]
    rounds = seconds * 10
    began = time.monotonic()
    sent = subscribed = 0
    for number in range(rounds):
        want = subscriptions * (number + 1) // rounds
        names = subscribe(faults, worker, want - subscribed)
        subscribed = want
        want = requests * (number + 1) // rounds
        sent += load.drive(worker, count=want - sent)
        for call in worker.send_all([("unsubscribe", {"subscription": name}) for name in names]):
            worker.wait(lambda call=call: not call.in_flight, "an answer to unsubscribe")
            check(call.succeeded, f"should have succeeded: {call}")
        # The rest of its tenth of a second.
        time.sleep(max(0, began + (number + 1) / 10 - time.monotonic()))
        if number % 5 == 0:
            watched.count()
            worker.notifications.clear()
            for meter in meters:
                meter.read(second_half=number >= rounds // 2, wal=faults.folder / "leaks.sqlite-wal")
            faults.progress(f"{sent:,} requests, {subscribed:,} subscriptions; {meters[0]}")
    duration = time.monotonic() - began
    for meter in meters:
        meter.compare()
    watched.wait_for(worker.result("stats")["store"]["seq"])
    check(worker.result("stats")["subscriptions"] == 0, "a subscription is left")
    worker.close()
    watcher.close()
    audit = faults.audit("leaks.sqlite", lost=True)
    took = f"{duration / 60:.0f} min" if faults.long else f"{duration:.0f} s"
    return Result(
        did=f"{sent:,} requests and {subscribed:,} times subscribe and unsubscribe in {took}, with a second process that watched.",
        held=f"The most in the first half and in the second: {meters[0]}; of the one that watched {meters[1]}. "
        f"It was told all {audit.changes:,} changes.",
        counts={"requests": sent, "subscriptions": subscribed, "changes": audit.changes},
    )


def warm_up(faults, sidecar, load):
    """Goes on until the write-ahead log was brought into the file once: then it has the length that it keeps, and
    what is remembered of renders is full."""
    path = faults.folder / "leaks.sqlite"
    before = os.stat(path).st_mtime_ns
    load.drive(sidecar, until=lambda: os.stat(path).st_mtime_ns != before, window=256)
    check(os.stat(path).st_mtime_ns != before, "there was no checkpoint")


def subscribe(faults, sidecar, count):
    """Subscribes in all ways, and returns the names."""
    head = sidecar.result("stats")["store"]["seq"]
    ids = [f"r{faults.random.randrange(4_000)}" for _ in range(3)]
    ways = ({}, {"ids": ids}, {"states": ["completed", "failed"]}, {"ids": ids, "untilTerminal": True}, {"afterSeq": max(0, head - 5)})
    calls = sidecar.send_all([("subscribe", ways[faults.random.randrange(len(ways))]) for _ in range(count)]) if count else []
    for call in calls:
        sidecar.wait(lambda call=call: not call.in_flight, "an answer to subscribe")
        check(call.succeeded, f"should have succeeded: {call}")
    return [call.result["subscription"] for call in calls]


class Watched:
    """What the watcher was told: every change, each as itself or, where it fell far behind, counted as skipped."""

    def __init__(self, sidecar):
        self.sidecar = sidecar
        self.seq = self.told = sidecar.result("subscribe", {})["seq"]

    def count(self):
        notifications = self.sidecar.notifications
        count = len(notifications)
        for _, _, params in notifications[:count]:
            check(params["change"]["seq"] > self.seq, f"after seq {self.seq} the watcher was told {params}")
            self.seq = params["change"]["seq"]
            self.told += 1 + params["skipped"]
        del notifications[:count]

    def wait_for(self, seq):
        notifications = self.sidecar.notifications
        self.sidecar.wait(
            lambda: self.seq >= seq or (notifications and notifications[-1][2]["change"]["seq"] >= seq), f"seq {seq} to be told"
        )
        self.count()
        check(self.told == seq, f"the watcher was told {self.told} of {seq} changes")


class Meter:
    """The most that a sidecar had of each, in each half."""

    def __init__(self, sidecar):
        self.sidecar = sidecar
        self.most = ({}, {})

    def read(self, second_half, wal):
        half = self.most[second_half]
        for name, value in (
            ("descriptors", self.sidecar.descriptors()), ("threads", self.sidecar.threads()),
            ("memory", self.sidecar.resident_bytes()), ("write-ahead log", os.stat(wal).st_size),
            ("stderr", os.stat(self.sidecar.stderr_path).st_size),
        ):
            half[name] = max(value, half.get(name, 0))

    def compare(self):
        first, second = self.most
        for name in ("descriptors", "threads", "stderr"):
            check(second[name] <= first[name], f"{self.sidecar.name}: {name} grow: {self}")
        for name in ("memory", "write-ahead log"):
            check(second[name] <= first[name] * 1.1 + MIB, f"{self.sidecar.name}: {name} grows: {self}")

    def __str__(self):
        def shown(name, half):
            value = half.get(name, 0)
            return f"{value / MIB:.1f}" if name in ("memory", "write-ahead log") else f"{value}"

        units = {"memory": " MiB of memory", "write-ahead log": " MiB of write-ahead log", "stderr": " bytes on stderr"}
        return ", ".join(
            f"{shown(name, self.most[0])} and {shown(name, self.most[1])}{units.get(name, ' ' + name)}" for name in self.most[0]
        )
