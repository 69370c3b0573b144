"""Whatever call on the files fails, the answer is a typed error and never a wrong one, and the next request works.

A library between a sidecar and the system (`shims/failing_calls.c`) lets the Nth read, write, sync, ftruncate, open or mmap of
the database's files fail, with EIO, ENOSPC, EINTR or half done: once, from then on until the disk is mended under the running sidecar,
and from then on for good. In the long form N counts up from 1, until there is no such call in a whole run. The runs begin with no
file, and with one that a killed sidecar has left, whose write-ahead log is to be recovered. Afterwards another sidecar opens the
file, and the auditor judges.
"""

import collections
import concurrent.futures
import errno
import itertools
import mmap
import os
import shutil
import struct
import threading

from faults import CheckFailed, Faults, Result, check

CALLS = ("read", "write", "sync", "ftruncate", "open", "mmap")
HALF = 0
ERRORS = {errno.EIO: "EIO", errno.ENOSPC: "ENOSPC", errno.EINTR: "EINTR", HALF: "half done"}
#: What may happen to which call.
POSSIBLE = {
    "read": (errno.EIO, errno.EINTR, HALF), "write": (errno.EIO, errno.ENOSPC, errno.EINTR, HALF),
    "sync": (errno.EIO, errno.ENOSPC, errno.EINTR), "ftruncate": (errno.EIO, errno.ENOSPC, errno.EINTR),
    "open": (errno.EIO, errno.ENOSPC, errno.EINTR), "mmap": (errno.EIO, errno.ENOSPC, errno.EINTR),
}
ONCE, MENDED, FOR_GOOD = "once", "from then on until it is mended", "from then on"
FOR_EVER = 2**62


def run(faults: Faults) -> Result:
    failing = Failing(faults)
    grounds = {"new": failing.attempt("new", None).calls, "crashed": failing.attempt("crashed", None).calls}
    for ground, calls in grounds.items():
        for call in CALLS:
            check(calls[call] > 0, f"a whole run on a {ground} file makes no {call}")
    plan = [
        (ground, call, error, mode)
        for ground in grounds for call in CALLS for error in POSSIBLE[call] for mode in (ONCE, MENDED, FOR_GOOD)
    ]
    with concurrent.futures.ThreadPoolExecutor(2) as workers:
        if faults.long:
            done = [workers.submit(failing.exhaust, *way) for way in plan]
        else:
            # One N for each, half of them once.
            done = [
                workers.submit(failing.attempt, ground, Fault(call, error, mode, faults.random.randint(1, grounds[ground][call])))
                for ground, call, error, mode in plan if mode == ONCE or faults.random.random() < 0.5
            ]
        for way in concurrent.futures.as_completed(done):
            way.result()
    figures = failing.figures
    counted = ", ".join(f"{failing.faults_of[call]:,} of {call}" for call in CALLS)
    return Result(
        did=f"{figures['runs']:,} runs in which a call failed ({counted}), on new files and on what a killed sidecar left.",
        held=f"{figures['unopened']:,} times the sidecar did not start and said why in a line, {figures['refused']:,} requests were refused as "
        f"storeUnavailable, and nothing that was refused is there; {figures['unnoticed']:,} runs did not notice. Wherever the fault was over, "
        f"the next request worked, without a restart. All {figures['acknowledged']:,} acknowledged changes are there.",
        counts=dict(figures),
    )


class Fault:
    """Which call fails, and how."""

    def __init__(self, call, error, mode, number):
        self.call, self.error, self.mode, self.number = call, error, mode, number

    def __str__(self):
        return f"{ERRORS[self.error]} of {self.call} number {self.number}, {self.mode}"


class State:
    """What is shared with the process under test: `struct state` of the library."""

    LAYOUT = struct.Struct(f"<qqiiq{len(CALLS)}q")

    def __init__(self, path, fault):
        self.path = path
        content = bytearray(self.LAYOUT.size)
        if fault:
            last = fault.number if fault.mode == ONCE else FOR_EVER
            self.LAYOUT.pack_into(content, 0, fault.number, last, CALLS.index(fault.call), fault.error, 0, *[0] * len(CALLS))
        path.write_bytes(content)
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 0)

    def mend(self):
        struct.pack_into("<q", self.memory, 8, 0)

    @property
    def failed(self):
        return self.LAYOUT.unpack_from(self.memory)[4]

    @property
    def calls(self):
        """How often each call was made."""
        return dict(zip(CALLS, self.LAYOUT.unpack_from(self.memory)[5:]))


class Failing:
    """Makes the runs, and keeps count."""

    def __init__(self, faults):
        self.faults = faults
        self.shim = faults.compile("shims/failing_calls.c", "-shared", "-fPIC")
        self.figures = collections.Counter()
        self.faults_of = collections.Counter()
        self.numbers = itertools.count(1)
        self.counting = threading.Lock()
        self.crashed = faults.folder / "crashed.sqlite"
        self.leave_crashed()

    def leave_crashed(self):
        """A file whose newest changes are in the write-ahead log only."""
        sidecar = self.faults.sidecar(self.crashed)
        host = Host(sidecar, "before")
        for _ in range(5):
            host.change()
        sidecar.close()
        sidecar = self.faults.sidecar(self.crashed)
        host = Host(sidecar, "logged", host.versions)
        for _ in range(5):
            host.change()
        sidecar.kill()
        self.versions = host.versions

    def exhaust(self, ground, call, error, mode):
        """Lets one call after the other fail, until there is none left."""
        number = 1
        while self.attempt(ground, Fault(call, error, mode, number)).calls[call] >= number:
            number += 1
            self.faults.progress(f"{self.figures['runs']:,} runs, {ERRORS[error]} of {call} number {number}")

    def attempt(self, ground, fault):
        """One run. Returns how it came out."""
        name = f"run-{next(self.numbers)}"
        try:
            return Run(self, name, ground, fault).run()
        except CheckFailed as error:
            raise CheckFailed(f"{fault or 'no fault'}, on a {ground} file ({name}.sqlite): {error}") from None


class Run:
    """One sidecar with one fault, and another one behind it."""

    def __init__(self, failing, name, ground, fault):
        self.failing, self.faults, self.fault = failing, failing.faults, fault
        self.database = self.faults.folder / f"{name}.sqlite"
        self.versions, self.earlier = {}, []
        if ground == "crashed":
            for end in ("", "-wal", "-shm"):
                shutil.copyfile(f"{failing.crashed}{end}", f"{self.database}{end}")
            self.versions, self.earlier = dict(failing.versions), self.faults.calls(failing.crashed)
        self.state = State(self.faults.folder / f"{name}.state", fault)
        self.name = name

    def run(self):
        environment = {
            "LD_PRELOAD": self.failing.shim, "FAULTS_DATABASE": os.path.realpath(self.database), "FAULTS_STATE": self.state.path,
        }
        sidecar = self.faults.sidecar(self.database, environment=environment, name=f"{self.name}-a")
        host = Host(sidecar, self.name, self.versions)
        sidecar.send("ping")
        opened = sidecar.drain()
        if opened:
            self.work(sidecar, host)
        else:
            check(sidecar.wait_until_gone() == 1, f"at opening, exit code {sidecar.process.returncode} and not 1; {sidecar.last_words()}")
            with open(sidecar.stderr_path, errors="replace") as file:
                words = file.read()
            said = words.count("\n") == 1 and words.startswith("renderstate: ") and str(self.database) in words
            check(said, f"at opening, no clear line: {words!r}")
            check(self.state.failed > 0, f"it did not open, and nothing was wrong: {words!r}")
        # Whoever comes next finds all in order.
        second = self.faults.sidecar(self.database, name=f"{self.name}-b")
        host_of_second = Host(second, f"{self.name}-b", host.versions)
        check(host_of_second.change(), "the next sidecar takes no change")
        host_of_second.read_all()
        second.close()
        audit = self.faults.audit(self.database, self.earlier)
        self.count(opened, host, audit)
        self.calls = self.state.calls
        self.faults.remove(self.database)
        self.state.memory.close()
        self.state.path.unlink()
        return self

    def work(self, sidecar, host):
        """Asks for all kinds of things, one by one and together."""
        once = self.fault is None or self.fault.mode == ONCE
        for step in (host.change, host.read_all, host.change, host.change_together, host.lease, host.change, host.read_all, host.list):
            was = host.refused
            step()
            if once and host.refused > was:
                check(host.refused == 1, "a call failed once, and two requests were refused")
                check(host.again(), "after a call that failed once, the next request is refused")
        check(host.refused == 0 or self.state.failed > 0, "a request was refused, and nothing was wrong")
        if self.fault and self.fault.mode == MENDED:
            self.state.mend()
            was = host.refused
            check(host.change(), "the disk is mended, and a change is refused")
            host.read_all()
            host.change_together()
            check(host.refused == was, "the disk is mended, and a request is refused")
        sidecar.close()

    def count(self, opened, host, audit):
        figures = self.failing.figures
        if not self.state.failed:
            return
        with self.failing.counting:
            figures["runs"] += 1
            self.failing.faults_of[self.fault.call] += self.state.failed
            figures["unopened"] += not opened
            figures["refused"] += host.refused
            figures["unnoticed"] += opened and not host.refused
            figures["acknowledged"] += audit.acknowledged


class Host:
    """Asks, and knows what has to be answered, since nobody else does."""

    def __init__(self, sidecar, name, versions=None):
        self.sidecar, self.name = sidecar, name
        #: By id of a render, its version after what was acknowledged.
        self.versions = dict(versions or {})
        self.refused = 0
        self.last_refused = []
        self._count = 0

    def change(self):
        """One change, alone. Whether it was accepted."""
        return self._expect(self.sidecar.send_all([self._next()]))

    def change_together(self):
        """Several at once, that are one commit, and a read among them."""
        return self._expect(self.sidecar.send_all([self._next(), self._next(), self._read(), self._next(large=True), self._next()]))

    def again(self):
        """What was refused last, once more."""
        return self._expect(self.sidecar.send_all([(call.method, call.params) for call in self.last_refused]))

    def read_all(self):
        return self._expect(self.sidecar.send_all([("getStatuses", {"ids": [*sorted(self.versions), "nobody"]})]))

    def list(self):
        return self._expect(self.sidecar.send_all([("listStatuses", {"limit": 1_000}), ("getHistory", {"id": min(self.versions, default="nobody")})]))

    def lease(self):
        return self._expect(self.sidecar.send_all([("acquireLease", {"name": self.name, "holder": self.name, "ttlMs": 60_000})]))

    def _next(self, large=False):
        self._count += 1
        id = f"{self.name}.{self._count}"
        context = {"renderId": id, "metadata": {"text": "x" * (12_000 if large else 200)}}
        return "transition", {"id": id, "event": "start", "actor": id, "idempotencyKey": id, "context": context}

    def _read(self):
        return "getStatus", {"id": max(self.versions, default="nobody")}

    def _expect(self, calls):
        """Waits for the answers: each is right, or says that the store is not to be had. Whether all are right."""
        check(self.sidecar.drain(), f"it ended with requests unanswered; {self.sidecar.last_words()}")
        refused = []
        for call in calls:
            if call.refused:
                check(call.kind == "storeUnavailable", f"refused, but not as storeUnavailable: {call}")
                refused.append(call)
            elif call.method == "transition":
                check(call.result["version"] == 1, f"a new render has another version: {call}")
                self.versions[call.params["id"]] = 1
            elif call.method == "getStatus":
                self._right(call, [call.result])
            elif call.method == "getStatuses":
                self._right(call, call.result["statuses"])
            elif call.method == "listStatuses":
                self._right(call, call.result["statuses"])
                check(len(call.result["statuses"]) == len(self.versions), f"renders are missing, or too many: {call}")
            elif call.method == "getHistory":
                check(len(call.result["changes"]) == self.versions.get(call.params["id"], 0), f"changes are missing, or too many: {call}")
            else:
                check(call.result["acquired"], f"nobody else has the lease: {call}")
        self.refused += len(refused)
        self.last_refused = refused or self.last_refused
        return not refused

    def _right(self, call, statuses):
        for status in statuses:
            check(status["version"] == self.versions.get(status["id"], 0), f"a wrong answer: version {status['version']} of {status['id']}: {call}")
