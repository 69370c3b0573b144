"""A full disk refuses changes and loses nothing: reads go on, and with room again so do changes, without a restart.

The database lies on a filesystem of 4 MB, or, where none may be mounted, under a file size limit of as much. Changes
fill it, until they are refused as storeUnavailable. Then room is made, and the same process must take changes again;
several times over, and with a second process on the same file.
"""

import os
import resource

from faults import Faults, Result, check

MEGABYTE = 1_000_000


def run(faults: Faults) -> Result:
    rounds = 40 if faults.long else 4
    disk = Disk(faults)
    try:
        return fill(faults, disk, rounds)
    finally:
        disk.remove()


def fill(faults, disk, rounds):
    database = disk.folder / "full.sqlite"
    sidecars = [faults.sidecar(database, environment={}), faults.sidecar(database)]
    for sidecar in sidecars:
        sidecar.result("ping")
    refused = served = read = 0
    for number in range(rounds):
        disk.limit(sidecars)
        # Large ones, so that it is soon full; each of its own render, so that each is legal.
        full = False
        for attempt in range(20_000):
            sidecar = sidecars[attempt % 2]
            call = sidecar.ask("transition", change(f"r{number}-{attempt}"))
            if call.succeeded:
                served += 1
                continue
            check(call.kind == "storeUnavailable", f"a full disk should be storeUnavailable: {call}")
            check(call.error["data"]["retryable"] is True, f"a full disk may be tried again: {call}")
            full = True
            break
        check(full, "the disk did not fill up")
        # Full for everybody, again and again, also for the smallest change; and nothing is half done.
        for sidecar in sidecars:
            for _ in range(5):
                sidecar.refusal("transition", change(f"refused-{number}"), kind="storeUnavailable")
                refused += 1
            check(sidecar.result("getStatus", {"id": f"refused-{number}"})["version"] == 0, "a refused change is there")
            for id in (f"r{number}-0", f"r{number}-{attempt - 1}"):
                status = sidecar.result("getStatus", {"id": id})
                check(status["state"] == "queued" and status["version"] == 1, f"on a full disk {id} reads {status}")
                read += 1
            check(len(sidecar.result("listStatuses", {"limit": 10})["statuses"]) == 10, "the list is short on a full disk")
        disk.make_room(sidecars)
        for sidecar in sidecars:
            sidecar.result("transition", change(f"after-{number}-{sidecar.name}", small=True))
            served += 1
        faults.progress(f"round {number + 1} of {rounds}")
    for sidecar in sidecars:
        sidecar.close()
    audit = faults.audit(database)
    return Result(
        did=f"{rounds} times a disk of {disk.size} filled up under two processes ({disk.kind}).",
        held=f"{refused} changes were refused as storeUnavailable, {read} reads of those before went on, and each time the first change after room was "
        f"made succeeded, without a restart. All {audit.acknowledged:,} acknowledged changes are there.",
        counts={"served": served, "refused": refused},
    )


def change(id, small=False):
    metadata = {} if small else {"text": "x" * 12_000}
    return {"id": id, "event": "start", "actor": id, "context": {"metadata": metadata}}


class Disk:
    """A folder that can be full, and have room again."""

    def __init__(self, faults):
        self.faults = faults
        self.folder = faults.folder / "disk"
        self.folder.mkdir()
        self.limit_bytes = 4 * MEGABYTE
        options = ("-t", "tmpfs", "-o", "size=4m", "tmpfs", self.folder)
        self.is_mounted = os.geteuid() == 0 and faults.command("mount", *options).returncode == 0
        self.kind = "tmpfs" if self.is_mounted else "file size limit"
        self.size = "4 MB"
        self.ballast = None

    def limit(self, sidecars):
        """Makes the room small: from now on it can be full."""
        if not self.is_mounted:
            for sidecar in sidecars:
                _, hard = resource.prlimit(sidecar.pid, resource.RLIMIT_FSIZE)
                resource.prlimit(sidecar.pid, resource.RLIMIT_FSIZE, (self.limit_bytes, hard))
            return
        # What is free now but for one megabyte is held by something else.
        state = os.statvfs(self.folder)
        spare = state.f_bavail * state.f_frsize - MEGABYTE
        if spare > 0 and self.ballast is None:
            self.ballast = self.folder / "ballast"
            self.ballast.write_bytes(bytes(spare))

    def make_room(self, sidecars):
        if not self.is_mounted:
            self.limit_bytes += 4 * MEGABYTE
            for sidecar in sidecars:
                _, hard = resource.prlimit(sidecar.pid, resource.RLIMIT_FSIZE)
                resource.prlimit(sidecar.pid, resource.RLIMIT_FSIZE, (self.limit_bytes, hard))
            return
        if self.ballast is not None:
            self.ballast.unlink()
            self.ballast = None
        # Another megabyte for each round: what was written stays.
        size = os.statvfs(self.folder).f_blocks * os.statvfs(self.folder).f_frsize + 2 * MEGABYTE
        done = self.faults.command("mount", "-o", f"remount,size={size}", self.folder)
        check(done.returncode == 0, f"the disk cannot be made larger: {done.stderr.decode()}")

    def remove(self):
        for sidecar in self.faults.sidecars:
            sidecar.discard()
        if self.is_mounted:
            self.faults.command("umount", self.folder)
