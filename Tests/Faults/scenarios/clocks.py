"""Whoever sets the clock sets no deadline: none falls early, none is late or lost, and the order of changes stays.

The clock on the wall of several sidecars on one file is set back an hour, forward a day, and in steps, at random moments, by a shim; one of
them is killed and started anew now and then. Renders with queuedMs, stallMs and totalMs must fall when their time is up by a clock
that nobody sets, and not before, leases must expire so, and waits (for the locks of another process, for a host that
does not read while the sidecar stops) must neither end early nor go on. Meanwhile other changes are made; seq, versions and updatedAt must be in order.
"""

import contextlib
import mmap
import sqlite3
import struct
import time

from faults import PATIENCE, Faults, Result, check
from load import Load

HOUR = 3_600.0
DAY = 24 * HOUR
#: A deadline falls at most so late while a sidecar runs, by the contract; the rest is for the machine, which has other things to do.
LATEST = 1.0 + 3.0
#: By so much a deadline may seem early: what a clock may be set by without being noticed, in steps.
TOLERANCE = 0.01
#: By the contract, and as above.
STALLED_WITHIN = 5.0 + 3.0


def run(faults: Faults) -> Result:
    clock = WallClock(faults)
    database = "clocks.sqlite"
    rounds = 60 if faults.long else 1
    hosts = [faults.sidecar(database, environment=clock.environment) for _ in range(3)]
    watcher = hosts[0]
    watcher.result("subscribe", {"states": ["failed"]})
    watch = Deadlines(faults, watcher)
    load_ends = []
    loads = [Load(faults.random, [f"load-{part}-{n}" for n in range(10)], f"load-{part}", leasing=0) for part in (0, 1)]
    with faults.in_parallel(
        *(lambda load=load, host=host: load.drive(host, window=4, until=lambda: load_ends) for load, host in zip(loads, hosts)),
        lambda: stopping(faults, clock),
    ) as works:
        try:
            for number in range(rounds):
                hosts[2] = one_round(faults, clock, database, hosts, watch)
                faults.progress(f"round {number + 1} of {rounds}")
            watch.await_all()
            leases(faults, clock, hosts)
            waits(faults, clock, database, hosts)
        finally:
            load_ends.append(True)
        works.join()
    for host in hosts:
        host.close()
    audit = faults.audit(database, others={"watchdog"}, clock_was_set=True)
    early, late = watch.margins()
    return Result(
        did=f"The clock was set {clock.count:,} times, from {clock.least / HOUR:+,.1f} h to {clock.most / HOUR:+,.1f} h, under 3 sidecars that made {audit.changes:,} changes.",
        held=f"All {len(watch.fallen):,} deadlines fell, once each: the first {early * 1e3:,.0f} ms after its time, the last {late * 1e3:,.0f} ms. "
        f"Leases expired in time, waits for locks and for a host took as long as they should, and all {audit.acknowledged:,} acknowledged changes are there, in order.",
        counts={"settings": clock.count, "deadlines": len(watch.fallen), "early": early, "late": late, "changes": audit.changes},
    )


def one_round(faults, clock, database, hosts, watch):
    """Renders with deadlines, and a clock that is set before those fall.

    The pauses let it be set at any moment of a deadline. They wait for nothing: `Deadlines` decides what fell, and when.
    """
    random = faults.random
    for _ in range(12):
        watch.begin(random.choice(hosts), random.choice(("queuedMs", "stallMs", "totalMs", "stallMs after totalMs")), random.randint(700, 2_500))
        if random.random() < 0.5:
            time.sleep(random.uniform(0, 0.1))
        if random.random() < 0.4:
            clock.set_somehow()
    for _ in range(random.randint(2, 5)):
        clock.set_somehow()
        time.sleep(random.uniform(0.05, 0.4))
        watch.go_on(random.choice(hosts))
    if random.random() < 0.5:
        # Nobody remembers how the clock was set before, but the store.
        hosts[2].kill()
        clock.set_somehow()
        hosts[2] = faults.sidecar(database, environment=clock.environment)
        watch.begin(hosts[2], "queuedMs", random.randint(700, 1_500))
    clock.in_steps()
    return hosts[2]


class WallClock:
    """The clock on the wall of all sidecars that have its environment."""

    def __init__(self, faults):
        self.faults = faults
        path = faults.folder / "clock-setting"
        path.write_bytes(struct.pack("=q", 0))
        with open(path, "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 8)
        self.environment = {"LD_PRELOAD": faults.compile("shims/clock.c", "-shared", "-fPIC"), "CLOCK_FILE": path}
        self.ahead = self.least = self.most = 0.0
        self.count = 0

    def set(self, ahead):
        """Sets it so many seconds ahead of what it should be."""
        self.ahead = ahead
        self.count += 1
        self.least, self.most = min(self.least, ahead), max(self.most, ahead)
        self._memory[:8] = struct.pack("=q", int(ahead * 1e9))

    def set_somehow(self):
        """Back an hour, forward a day, right again, or by a little."""
        random = self.faults.random
        by = random.choice((-HOUR, -HOUR, DAY, DAY, -DAY, -self.ahead, random.uniform(-5, 5), random.uniform(-2 * HOUR, 2 * HOUR)))
        # Not for ever in one direction: times have four digits of years.
        self.set(self.ahead + by if abs(self.ahead + by) < 30 * DAY else 0.0)

    def in_steps(self):
        """As a daemon does it that sets it right bit by bit, at its own pace."""
        step = self.faults.random.choice((-0.7, -0.02, 0.02, 0.3, 20.0))
        for _ in range(20):
            self.set(self.ahead + step)
            time.sleep(0.005)


class Deadlines:
    """Renders that are to fall, and when they did, by a clock that nobody sets."""

    def __init__(self, faults, watcher):
        self.faults = faults
        self.watcher = watcher
        #: By render: the name of its clock, its limit in seconds, and when the clock began: not before, and not after.
        self.pending = {}
        #: By render, when its fall was told, and its error.
        self.told = {}
        #: How long after its time each was told of, at least and at most.
        self.fallen = []
        self._read = 0

    def begin(self, host, kind, milliseconds):
        name = f"timed-{len(self.pending)}"
        stalls = kind.startswith("stallMs")
        timeouts = {"stallMs" if stalls else kind: milliseconds}
        if kind == "stallMs after totalMs":
            # A total that would come first if it were counted by a clock that was set.
            timeouts["totalMs"] = 3 * milliseconds
        self._change(host, name, "start", milliseconds, kind, timeouts)
        if stalls or self.faults.random.random() < 0.3 and kind == "totalMs":
            self._change(host, name, "progress", milliseconds, kind)

    def go_on(self, host):
        """One of those that wait has an event, from which its stallMs counts anew."""
        waiting = [name for name, (kind, *_) in self.pending.items() if kind == "stallMs" and name not in self._look()]
        if waiting:
            name = self.faults.random.choice(waiting)
            kind, limit, *_ = self.pending[name]
            self._change(host, name, "progress", limit * 1_000, kind, may_fail=True)

    def _change(self, host, name, event, milliseconds, kind, timeouts=None, may_fail=False):
        params = {"id": name, "event": event, "actor": f"{name}-{event}-{time.monotonic_ns()}"}
        if timeouts:
            params["timeouts"] = timeouts
        call = host.ask("transition", params)
        check(call.succeeded or may_fail and call.kind == "invalidTransition", f"should have succeeded: {call}")
        if call.succeeded and (event == "start" or kind.startswith("stallMs")):
            self.pending[name] = (kind, milliseconds / 1_000, call.called / 1e9, call.answered / 1e9)

    def _look(self):
        """Takes in what was told since the last look."""
        news = self.watcher.notifications[self._read:]
        self._read += len(news)
        for at, method, params in news:
            if method == "status" and params["change"]["actor"] == "watchdog":
                change = params["change"]
                check(change["id"] not in self.told, f"a deadline of {change['id']} fell twice")
                self.told[change["id"]] = (at / 1e9, change["error"])
        return self.told

    def await_all(self):
        """Waits until all have fallen, and looks at when they did."""
        self.watcher.wait(lambda: len(self._look()) >= len(self.pending), "all deadlines to fall", patience=60)
        told = self.told
        check(told.keys() == self.pending.keys(), f"others fell than should have: {told.keys() ^ self.pending.keys()}")
        for name, (kind, limit, earliest, latest) in self.pending.items():
            at, error = told[name]
            check(kind.split()[0] in error, f"{name} fell by another clock than {kind}: {error}")
            check(at - earliest > limit - TOLERANCE, f"{kind} of {name} fell {limit - (at - earliest):.3f} s early: after {at - earliest:.3f} s and not {limit} s")
            check(at - latest < limit + LATEST, f"{kind} of {name} fell late: after {at - latest:.3f} s and not {limit} s")
            self.fallen.append((at - earliest - limit, at - latest - limit))

    def margins(self):
        """The least and the most time between a deadline and its fall, in seconds."""
        return min(least for least, _ in self.fallen), max(most for _, most in self.fallen)


def leases(faults, clock, hosts):
    """A lease is had as long as it was taken for, and no longer."""
    for jump in (DAY, -HOUR, -DAY):
        name = f"lease-{jump}"
        long = {"name": name, "holder": "first", "ttlMs": 600_000}
        check(hosts[0].result("acquireLease", long)["acquired"], "a free lease was refused")
        short = {"name": f"{name}-short", "holder": "first", "ttlMs": 300}
        call = hosts[0].ask("acquireLease", short)
        clock.set(clock.ahead + jump)
        check(not hosts[1].result("acquireLease", {**long, "holder": "second"})["acquired"], f"a lease expired when the clock was set by {jump / HOUR:+.0f} h")
        until = time.monotonic() + LATEST
        while not hosts[1].result("acquireLease", {**short, "holder": "second"})["acquired"]:
            check(time.monotonic() < until, f"a lease does not expire after the clock was set by {jump / HOUR:+.0f} h")
        check(time.monotonic() - call.called / 1e9 > 0.3 - TOLERANCE, f"a lease expired early, after the clock was set by {jump / HOUR:+.0f} h")


def waits(faults, clock, database, hosts):
    """A lock is waited for as long as --busy-timeout says."""
    patient = faults.sidecar(database, "--busy-timeout", "30s", environment=clock.environment)
    impatient = faults.sidecar(database, "--busy-timeout", "400ms", environment=clock.environment)
    for sidecar in (patient, impatient):
        sidecar.result("ping")
    with contextlib.closing(sqlite3.connect(faults.folder / database, isolation_level=None, timeout=PATIENCE)) as other:
        other.execute("BEGIN IMMEDIATE")
        calls = [sidecar.send("transition", {"id": f"wait-{sidecar.name}", "event": "start", "actor": sidecar.name}) for sidecar in (patient, impatient)]
        time.sleep(0.2)
        clock.set(clock.ahead - HOUR)
        impatient.wait(lambda: calls[1].answered is not None, "storeBusy", patience=60)
        check(calls[1].kind == "storeBusy", f"should have been busy: {calls[1]}")
        clock.set(clock.ahead + DAY)
        time.sleep(0.2)
        check(calls[0].in_flight, f"a lock was not waited for to the end: {calls[0]}")
        other.execute("ROLLBACK")
    patient.wait(lambda: calls[0].answered is not None, "the lock", patience=60)
    check(calls[0].succeeded, f"should have waited: {calls[0]}")
    patient.close()
    impatient.close()


def stopping(faults, clock):
    """A host that reads nothing holds up a stop for 5 s, whatever the clock is set to; one that reads late misses nothing."""
    sidecars = [faults.sidecar(f"stopping-{number}.sqlite", environment=clock.environment, reading=False) for number in (0, 1)]
    for sidecar in sidecars:
        calls = sidecar.send_all([("rpc.discover", {})] * 30)
        sidecar.close_stdin()
    stalled, late = sidecars
    began = time.monotonic()
    time.sleep(1.5)
    late.read_on()
    check(late.wait_until_gone() == 0 and not calls[-1].in_flight, "a host that reads late missed an answer")
    check(stalled.process.wait(PATIENCE) == 0, "a stop that nobody reads should end with code 0")
    took = time.monotonic() - began
    check(5.0 - TOLERANCE < took < STALLED_WITHIN, f"a host that reads nothing held up a stop for {took:.1f} s, and not 5 s")
    stalled.discard()
