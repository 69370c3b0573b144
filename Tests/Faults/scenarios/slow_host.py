"""A host that does not read costs nobody anything, and misses nothing once it reads again.

A host subscribes in several ways and then takes nothing more from its stdout, while other processes make changes on
the same file: 1,000,000 in the long form. Its sidecar's memory must grow by less than 32 MiB. When it reads again,
each of its subscriptions must tell the latest state of each render, in the order of the log, and what it was told and
what it was told to have skipped must add up to all changes that match.
"""

import sqlite3
import time

from faults import Faults, Result, check
from load import Load

MIB = 1 << 20
IDS = [f"r{n}" for n in range(400)]
STATES = ("queued", "rendering", "completed", "failed")


def run(faults: Faults) -> Result:
    changes = 1_000_000 if faults.long else 40_000
    database = "slow.sqlite"
    host = faults.sidecar(database)
    writers = [faults.sidecar(database, remembering=False) for _ in range(2)]
    loads = [Load(faults.random, IDS[part::2], f"w{part}", reading=0, illegal=0, leasing=0) for part in (0, 1)]

    # As fast as they are while everybody reads.
    before = drive(faults, writers, loads, changes // 10)
    some = faults.random.sample(IDS, 20)
    watches = [
        Watch(host, {}), Watch(host, {"ids": some}), Watch(host, {"states": ["completed", "failed"]}),
        Watch(host, {"ids": some, "states": ["rendering"]}),
    ]
    host.drain()
    at_rest = host.resident_bytes()
    host.stop_reading()
    # Whatever it is asked now fills its pipe, and then waits.
    host.send_all([("ping", {})] * 50)
    while_blocked = drive(faults, writers, loads, changes)
    grown = host.resident_bytes() - at_rest
    check(grown < 32 * MIB, f"the memory of a sidecar that nobody reads grew by {grown / MIB:.1f} MiB")

    head = writers[0].result("stats")["store"]["seq"]
    host.read_on()
    newest = {render["id"]: render for render in writers[0].result("getStatuses", {"ids": IDS})["statuses"]}
    for watch in watches:
        watch.expect(host, log(faults.folder / database), head, newest)
    most = max(grown, host.resident_bytes() - at_rest)
    host.drain()
    for sidecar in (host, *writers):
        sidecar.close()
    faults.audit(database, lost=True)
    return Result(
        did=f"{head - watches[0].seq:,} changes by 2 processes while a host with 4 subscriptions read nothing.",
        held=f"Its sidecar grew by {most / MIB:.1f} MiB. Reading again it was told the latest state of all {len(IDS)} renders, by "
        f"{watches[0].told:,} notifications that counted {watches[0].skipped:,} as skipped. The others made {while_blocked:,.0f} changes a "
        f"second meanwhile, and {before:,.0f} before.",
        counts={"changes": head - watches[0].seq, "grown": most, "told": watches[0].told, "skipped": watches[0].skipped},
    )


def drive(faults, writers, loads, changes):
    """Has the writers make so many changes in all, and returns how many a second that were; requests that are refused are none."""
    first = writers[0].result("stats")["store"]["seq"]
    began = time.monotonic()

    def work(writer, load):
        def go():
            while (rest := first + changes - writer.result("stats")["store"]["seq"]) > 0:
                faults.progress(f"{rest:,} more changes")
                load.drive(writer, count=min(rest // len(writers) + 1, 2_000), window=256)
        return go

    with faults.in_parallel(*(work(writer, load) for writer, load in zip(writers, loads))) as threads:
        threads.join(patience=7_200)
    seconds = time.monotonic() - began
    return (writers[0].result("stats")["store"]["seq"] - first) / seconds


def log(path):
    """(seq, id, state) of all changes, read beside the sidecars."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT seq, id, state FROM transitions ORDER BY seq").fetchall()
    finally:
        connection.close()


class Watch:
    """A subscription, and what it was told."""

    def __init__(self, sidecar, filters):
        answer = sidecar.result("subscribe", filters)
        self.name = answer["subscription"]
        self.seq = answer["seq"]
        self.ids = filters.get("ids")
        self.states = filters.get("states")
        self.told = self.skipped = 0

    def matches(self, id, state):
        return (self.ids is None or id in self.ids) and (self.states is None or state in self.states)

    def expect(self, sidecar, log, head, newest):
        """Waits until all that matches up to `head` was told, and checks that it was."""
        matching = [(seq, id) for seq, id, state in log if self.seq < seq <= head and self.matches(id, state)]
        last = {id: seq for seq, id in matching}
        mine = lambda: [  # noqa: E731
            params for _, method, params in list(sidecar.notifications)
            if method == "status" and params["subscription"] == self.name
        ]
        check(matching, f"nothing matched {self.name}")
        until = matching[-1][0]
        sidecar.wait(lambda: any(params["change"]["seq"] >= until for params in mine()[-1:]), f"{self.name} to be told of seq {until}", 1_800)
        seq, seen = self.seq, {}
        for params in mine():
            change = params["change"]
            if change["seq"] > head:
                break
            check(change["seq"] > seq, f"{self.name} was told seq {change['seq']} after {seq}")
            check(self.matches(change["id"], change["state"]), f"{self.name} was told what does not match: {params}")
            seq = change["seq"]
            seen[change["id"]] = change
            self.told += 1
            self.skipped += params["skipped"]
        check(
            self.told + self.skipped == len(matching),
            f"{self.name} was told {self.told} and skipped {self.skipped} of {len(matching)} changes",
        )
        check({id: change["seq"] for id, change in seen.items()} == last, f"{self.name} was not told the newest change of each render")
        for id, change in seen.items():
            if newest[id]["seq"] == change["seq"]:
                check(newest[id]["state"] == change["state"], f"{self.name} was told another state of {id} than getStatuses")
