"""However host or sidecar end, what was answered stays, and within 2 s nothing of them is left.

Sidecars under pipelined load lose their host in every way: it exits, is killed, is stopped, or is gone while another
process keeps stdin and stdout open; stdout is closed; SIGTERM and SIGINT come in the middle of a group, in the first
milliseconds, and while the store waits for locks that another process holds for good; SIGPIPE, which is nothing; and
SIGKILL to one that was stopped behind the gate. Each sidecar must be gone within 2 s of its death, with the exit
code of the contract, nothing acknowledged may be missing, the next sidecar must find no lock, and at the end no
process may be left.
"""

import collections
import ctypes
import fcntl
import os
import pathlib
import random as randomness
import signal
import sqlite3
import sys
import time

from faults import HERE, PATIENCE, CheckFailed, Faults, Result, check
from load import Load

#: The contract's time from the death of a host to that of its sidecar, in seconds.
GONE_WITHIN = 2.0
#: What a sidecar may take where its stdout takes nothing, by the contract.
STALLED_WITHIN = 5.0 + GONE_WITHIN
#: The deaths by their names, and how often each is died in one round.
DEATHS = {
    "signal_at_the_start": 8, "signal_in_a_group": 3, "host_killed": 2, "host_exits": 2, "host_killed_at_the_start": 3, "host_vanishes": 1,
    "host_vanishes_unread": 1, "stdout_closed": 2, "host_stopped": 1, "sigpipe": 1, "signal_at_a_lock": 1, "host_lost_at_a_lock": 1,
    "death_before_the_gate": 2, "stopped_behind_the_gate": 2,
}
SET_CHILD_SUBREAPER = 36
#: A host that keeps nothing: stdin and stdout of the sidecar are those of the harness.
DETACHED_HOST = ("sh", "-c", 'exec 3<&0; "$@" <&3 & wait', "host")


def run(faults: Faults) -> Result:
    lanes = [Lane(faults, number) for number in range(4 if faults.long else 2)]
    deaths = [name for name, times in DEATHS.items() for _ in range(times)] + ["signal_while_stdout_is_full"] * faults.long
    faults.random.shuffle(deaths)
    spawns = 1_000 // len(lanes) if faults.long else 0
    with Orphanage():
        with faults.in_parallel(*(lambda lane=lane: lane.go(deaths[lane.number::len(lanes)], spawns) for lane in lanes)) as works:
            works.join(patience=7_200)
        left = survivors(faults.folder)
        check(not left, f"processes are left: {left}")
    kinds, figures = collections.Counter(), collections.Counter()
    for lane in lanes:
        kinds += lane.kinds
        figures += lane.figures
    slowest, how = max(lane.slowest for lane in lanes)
    return Result(
        did=f"{figures['spawns']:,} sidecars that made {figures['changes']:,} changes, and {kinds.total():,} deaths: "
        + ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items())) + ".",
        held=f"All {figures['acknowledged']:,} acknowledged changes are there. Every sidecar was gone in time, the slowest after {slowest:.2f} s ({how}), "
        f"and none is left. {figures['unborn']:,} ended by the signal before they had opened anything, all others with code 0.",
        counts={"slowest": slowest, **figures, **kinds},
    )


class Orphanage:
    """Makes orphaned sidecars children of this process, so that it learns their exit codes."""

    def __enter__(self):
        self._set(1)

    def __exit__(self, *_):
        self._set(0)

    def _set(self, value):
        check(ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, value, 0, 0, 0) == 0, "orphans cannot be taken in")


class Lane:
    """One death after the other, on a file of its own."""

    def __init__(self, faults, number):
        self.faults = faults
        self.number = number
        self.random = randomness.Random(faults.random.getrandbits(64))
        self.kinds = collections.Counter()
        self.figures = collections.Counter()
        #: Seconds and kind of the death that took longest, of those that have 2 s.
        self.slowest = (0.0, "none")
        self.files = 0
        self.changes = 0
        self.opening = self._time_to_open()

    def go(self, deaths, spawns):
        """Dies all these deaths, and again until there were so many spawns."""
        self._begin_file()
        while True:
            for name in deaths:
                getattr(self, name)()
                self.faults.progress(f"lane {self.number}: {self.figures['spawns']:,} spawns")
            if self.figures["spawns"] >= spawns:
                break
            self._audit_file()
            self._begin_file()
        self._audit_file()

    # The deaths

    def signal_at_the_start(self):
        """On a new file, so that it can be seen what was begun."""
        database = self._new_database("start")
        sidecar = self._spawn(database)
        time.sleep(self.random.uniform(0, self.opening))
        began = self._signal(sidecar)
        code = self._expect_gone(sidecar, sidecar.pid, began, "signal at the start", {0, -signal.SIGTERM, -signal.SIGINT})
        if code != 0:
            check(not (self.faults.folder / database).exists(), "a signal ended a sidecar after it had begun its file")
            self.figures["unborn"] += 1
        else:
            # What it left can be opened.
            heir = self._spawn(database)
            heir.result("ping")
            heir.close()
        self.faults.remove(database)

    def signal_in_a_group(self):
        sidecar = self._spawn(self.database)
        with self._loaded(sidecar):
            began = self._signal(sidecar)
            self._expect_gone(sidecar, sidecar.pid, began, "signal in a group")

    def host_killed(self):
        host = self._host()
        with self._loaded(host) as child:
            host.process.kill()
            self._expect_gone(host, child, time.monotonic(), "host killed")

    def host_exits(self):
        host = self._host("exits", self.random.randint(1, 30))
        child = child_of(host)
        with self._driving(host):
            host.process.wait(PATIENCE)
            self._expect_gone(host, child, time.monotonic(), "host exits")

    def host_killed_at_the_start(self):
        host = self._host()
        child = child_of(host)
        time.sleep(self.random.uniform(0, self.opening))
        host.process.kill()
        self._expect_gone(host, child, time.monotonic(), "host killed at the start")

    def host_vanishes(self):
        """Its pipes stay open, in another process."""
        host = self._spawn(self.database, before=DETACHED_HOST)
        with self._loaded(host) as child:
            host.process.kill()
            self._expect_gone(host, child, time.monotonic(), "host vanished")

    def host_vanishes_unread(self):
        """The same, and stdout takes nothing."""
        host = self._spawn(self.database, before=DETACHED_HOST, reading=False)
        child = child_of(host)
        await_start(child)
        with self._driving(host, window=100_000, count=3_000):
            time.sleep(self.random.uniform(0, 0.1))
            host.process.kill()
            self._expect_gone(host, child, time.monotonic(), "host vanished, stdout full")

    def stdout_closed(self):
        """By a host that goes on for ever."""
        host = self._host("turns-deaf", self.random.randint(1, 30))
        with self._driving(host):
            host.wait_for_end()
            self._expect_gone(host, host.pid, time.monotonic(), "stdout closed")

    def host_stopped(self):
        """It answers nobody for a while; then it goes on, and misses nothing."""
        host = self._host()
        with self._loaded(host):
            host.process.send_signal(signal.SIGSTOP)
            time.sleep(self.random.uniform(0, 0.2))
            # Who serves the same file meanwhile is not held up.
            other = self._spawn(self.database)
            self._change(other)
            other.close()
            host.process.send_signal(signal.SIGCONT)
            self._change(host)
            host.close_stdin()
            self._expect_gone(host, host.pid, time.monotonic(), "host stopped for a while")

    def sigpipe(self):
        sidecar = self._spawn(self.database)
        with self._loaded(sidecar):
            sidecar.process.send_signal(signal.SIGPIPE)
            self._change(sidecar)
            began = self._signal(sidecar)
            self._expect_gone(sidecar, sidecar.pid, began, "signal after SIGPIPE")

    def signal_at_a_lock(self):
        """The store waits for a lock that is never let go: what was asked is refused as storeBusy, or was done before."""
        sidecar = self._spawn(self.database, "--busy-timeout", "10m")
        sidecar.result("ping")
        with self._lock():
            calls = sidecar.send_all([self._start(), ("getStatus", {"id": "locked"}), self._start()])
            time.sleep(self.random.uniform(0, 0.1))
            began = self._signal(sidecar)
            self._expect_gone(sidecar, sidecar.pid, began, "signal at a lock")
        for call in calls:
            check(call.in_flight or call.succeeded or call.kind == "storeBusy", f"refused otherwise than as storeBusy: {call}")

    def host_lost_at_a_lock(self):
        vanishes = self.random.random() < 0.5
        arguments = ("--busy-timeout", "10m")
        host = self._spawn(self.database, *arguments, before=DETACHED_HOST) if vanishes else self._host(arguments=arguments)
        child = child_of(host)
        host.result("ping")
        with self._lock():
            host.send(*self._start())
            time.sleep(self.random.uniform(0, 0.1))
            host.process.kill()
            self._expect_gone(host, child, time.monotonic(), "host lost at a lock")

    def death_before_the_gate(self):
        """The database cannot be opened yet, and nobody waits for it any more."""
        vanishes = self.random.random() < 0.5
        with self._lock(gate=True):
            sidecar = self._spawn(self.database, "--busy-timeout", "10m", before=DETACHED_HOST if vanishes else ())
            pid = child_of(sidecar) if vanishes else sidecar.pid
            await_start(pid)
            sidecar.send(*self._start())
            if vanishes:
                sidecar.process.kill()
                began = time.monotonic()
            else:
                began = self._signal(sidecar)
            self._expect_gone(sidecar, pid, began, "death before the gate")

    def stopped_behind_the_gate(self):
        """Stopped somewhere, perhaps with all locks: others are refused in time, and go on when it is killed."""
        sidecar = self._spawn(self.database)
        sidecar.result("ping")
        other = self._spawn(self.database, "--busy-timeout", "1s")
        other.result("ping")
        with self._loaded(sidecar):
            sidecar.process.send_signal(signal.SIGSTOP)
            call = other.ask(*self._start())
            check(call.succeeded or call.kind == "storeBusy", f"refused otherwise than as storeBusy: {call}")
            sidecar.kill()
        until = time.monotonic() + PATIENCE
        while (call := other.ask(*self._start())).kind == "storeBusy" and time.monotonic() < until:
            pass
        check(call.succeeded, f"the locks of a killed sidecar are still there: {call}")
        began = self._signal(other)
        self._expect_gone(other, other.pid, began, "signal after another's death")

    def signal_while_stdout_is_full(self):
        sidecar = self._spawn(self.database, reading=False)
        await_start(sidecar.pid)
        sidecar.send_all([("rpc.discover", {})] * 60)
        began = self._signal(sidecar)
        self._expect_gone(sidecar, sidecar.pid, began, "signal, stdout full", within=STALLED_WITHIN)

    # Their parts

    def _new_database(self, purpose):
        self.files += 1
        return f"deaths-{self.number}-{self.files}-{purpose}.sqlite"

    def _begin_file(self):
        self.database = self._new_database("file")
        first = self._spawn(self.database)
        self._change(first)
        first.close()

    def _audit_file(self):
        # One more finds no lock, and ends in peace.
        last = self._spawn(self.database)
        self._change(last)
        last.close()
        audit = self.faults.audit(self.database)
        for name in ("changes", "acknowledged", "in_flight", "unknown"):
            self.figures[name] += getattr(audit, name)
        self.faults.remove(self.database)

    def _time_to_open(self):
        """Seconds from the start to the first answer."""
        database = self._new_database("timed")
        began = time.monotonic()
        sidecar = self.faults.sidecar(database)
        sidecar.result("ping")
        duration = time.monotonic() - began
        sidecar.close()
        self.faults.remove(database)
        return duration

    def _spawn(self, database, *arguments, **options):
        self.figures["spawns"] += 1
        return self.faults.sidecar(database, *arguments, **options)

    def _host(self, fate="exits", pieces=0, arguments=()):
        kind = self.random.choice(("pipes", "sockets"))
        host = (sys.executable, "-I", "-S", HERE / "peers/host.py", kind, fate, pieces)
        return self._spawn(self.database, *arguments, before=[str(part) for part in host])

    def _signal(self, sidecar):
        """Asks it to stop; the time."""
        sidecar.process.send_signal(self.random.choice((signal.SIGTERM, signal.SIGINT)))
        return time.monotonic()

    def _change(self, sidecar):
        """A change that must succeed."""
        sidecar.result(*self._start())

    def _start(self):
        self.changes += 1
        name = f"change-{self.number}-{self.changes}"
        return "transition", {"id": name, "event": "start", "actor": name}

    def _driving(self, sidecar, window=64, count=None):
        load = Load(self.random, [f"r{number}" for number in range(30)], sidecar.name)
        return self.faults.in_parallel(lambda: load.drive(sidecar, window=window, count=count))

    def _loaded(self, sidecar):
        """Under load for a moment: the sidecar's own process id, in a `with` that waits for the load's end."""
        return Loaded(self, sidecar)

    def _lock(self, gate=None):
        """Holds the gate's lock file, or SQLite's own lock."""
        is_gate = self.random.random() < 0.5 if gate is None else gate
        return GateHeld(self.faults.folder / f"{self.database}.lock") if is_gate else WriteLockHeld(self.faults.folder / self.database)

    def _expect_gone(self, sidecar, pid, began, kind, codes=frozenset({0}), within=GONE_WITHIN):
        """Waits until the sidecar's process is gone; returns its exit code, which is checked, as is the time."""
        if pid == sidecar.pid:
            try:
                code = sidecar.process.wait(PATIENCE)
            except Exception:
                raise CheckFailed(f"{kind}: {sidecar.name} is still there after {PATIENCE:.0f} s") from None
        else:
            code = exit_code(pid, kind)
        took = time.monotonic() - began
        sidecar.wait_until_gone()
        self._note(kind, took, code, codes, within)
        return code

    def _note(self, kind, took, code, codes, within=GONE_WITHIN):
        check(code in codes, f"{kind}: the exit code is {code}")
        check(took < within, f"{kind}: gone after {took:.2f} s only")
        self.kinds[kind] += 1
        if within == GONE_WITHIN:
            self.slowest = max(self.slowest, (took, kind))


class Loaded:
    def __init__(self, lane, sidecar):
        self.lane = lane
        self.sidecar = sidecar

    def __enter__(self):
        pid = child_of(self.sidecar) if is_wrapped(self.sidecar) else self.sidecar.pid
        self.threads = self.lane._driving(self.sidecar)
        self.sidecar.wait(lambda: any(not call.in_flight for call in self.sidecar.calls[:1]), "the first answer")
        time.sleep(self.lane.random.uniform(0, 0.06))
        return pid

    def __exit__(self, kind, *_):
        if kind is None:
            self.threads.join()


class GateHeld:
    """Somebody who has passed the gate, and stays."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self.file = open(self.path, "r+b")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_):
        self.file.close()


class WriteLockHeld:
    """Another program with a transaction that it does not end."""

    def __init__(self, path):
        self.path = path

    def __enter__(self):
        self.connection = sqlite3.connect(self.path, isolation_level=None, timeout=PATIENCE, check_same_thread=False)
        self.connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, *_):
        self.connection.execute("ROLLBACK")
        self.connection.close()


# Processes


def is_wrapped(sidecar):
    return "serve" != sidecar.process.args[1]


def child_of(sidecar):
    """The process id of the sidecar behind a host."""
    until = time.monotonic() + PATIENCE
    children = pathlib.Path(f"/proc/{sidecar.pid}/task/{sidecar.pid}/children")
    while time.monotonic() < until:
        found = children.read_text().split()
        if found:
            return int(found[0])
        time.sleep(0.0005)
    raise CheckFailed(f"{sidecar.name}: the host starts no sidecar")


def await_start(pid):
    """Waits until a process has begun to hold signals back, which a sidecar does first of all."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        held = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigBlk:")), 16)
        if held >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.0005)
    raise CheckFailed("a sidecar does not hold SIGTERM back")


def exit_code(pid, kind):
    """The exit code of an orphan, which has become a child of this process."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            found, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            # Its host is still about to go.
            found = 0
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    raise CheckFailed(f"{kind}: the sidecar is still there after {PATIENCE:.0f} s")


def survivors(folder):
    """Processes that serve a file in the folder, and children of this process that nobody has waited for."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            state = (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if str(folder) in command or (state[0] == "Z" and int(state[1]) == os.getpid()):
            found.append(f"{path.name} {state[0]} {command}".strip())
    return found
