"""Behind the gate nothing is lost or damaged by a checkpoint that overlaps a commit, though the SQLite underneath can do that.

SQLite before 3.51.3 loses commits, or damages the file, when one connection checkpoints while another's commit begins the
write-ahead log anew (sqlite.org/wal.html#walresetbug). Sidecars and other programs commit to one file as fast as they can, and others
checkpoint all the time, each held up for a moment where the overlap does harm, in rounds of a new file each: behind the gate, and
beside that the same load with the gate's locks taken away. Each file is then checked as a whole and compared with what was
acknowledged. Behind the gate nothing may be wrong; without it is seen whether the load is one that does harm.
"""

import collections
import contextlib
import random
import sqlite3
import subprocess
import time

import auditor
from faults import PATIENCE, CheckFailed, Faults, Result, check
from load import Load

#: How long the long form goes on, both halves beside each other.
LONG_MINUTES = 30
ROUND_SECONDS = 6
#: In each half: programs that commit, programs that checkpoint, and sidecars.
WRITERS, CHECKPOINTERS, SIDECARS = 2, 2, 2


def run(faults: Faults) -> Result:
    peer = faults.compile("peers/wal_peer.c", "-lsqlite3")
    behind = Half(faults, "gate", peer, {})
    without = Half(faults, "free", peer, {"LD_PRELOAD": faults.compile("shims/no_gate.c", "-shared", "-fPIC")})
    until = time.monotonic() + (LONG_MINUTES * 60 if faults.long else 1)
    with faults.in_parallel(lambda: behind.go_on(until), lambda: without.go_on(until)) as halves:
        while time.monotonic() < until and not halves.failed:
            faults.progress(f"behind the gate {behind.harm}; without it {without.harm}")
            time.sleep(0.5)
        halves.join(patience=600)
    for name in ("commits", "changes", "checkpoints"):
        check(behind.figures[name] > 0, f"behind the gate there were no {name}")
    figures = without.figures
    return Result(
        did=f"Behind the gate {behind}. Beside that, without the gate, {without}.",
        held=f"Behind the gate nothing is damaged or missing. Without it {figures['bad']} of {figures['rounds']} files came to harm: "
        f"{figures['damaged']} were damaged, {figures['lost']} were whole and had lost acknowledged commits.",
        counts={**behind.figures, **{f"{name}_without_gate": count for name, count in figures.items()}},
    )


class Half:
    """The load, with the gate or without, round after round."""

    def __init__(self, faults, kind, peer, environment):
        self.faults = faults
        #: "gate" or "free", as the peers call it.
        self.kind = kind
        self.peer = peer
        self.environment = environment
        self.random = random.Random(faults.random.getrandbits(64))
        self.figures = collections.Counter()

    def __str__(self):
        figures = self.figures
        rounds = "1 round" if figures["rounds"] == 1 else f"{figures['rounds']} rounds"
        return (
            f"{figures['commits']:,} commits of {WRITERS} programs and {figures['changes']:,} changes by {SIDECARS} sidecars met "
            f"{figures['checkpoints']:,} checkpoints of {CHECKPOINTERS} programs, in {rounds}"
        )

    @property
    def harm(self):
        figures = self.figures
        return f"{figures['commits']:,} commits, {figures['bad']} of {figures['rounds']} files harmed"

    def go_on(self, until):
        while time.monotonic() < until:
            self.round(f"{self.kind}-{self.figures['rounds']}.sqlite")

    def round(self, database):
        faults = self.faults
        path = faults.folder / database
        self.make(database)
        sidecars = [
            faults.sidecar(database, "--synchronous", "normal", environment=self.environment, name=f"{self.kind}-{self.figures['rounds']}-{n}")
            for n in range(SIDECARS)
        ]
        for sidecar in sidecars:
            sidecar.ask("ping")
        with contextlib.ExitStack() as ending:
            peers = [
                ending.enter_context(Peer(self.peer, path, work, number, self.kind))
                for work, count in (("write", WRITERS), ("checkpoint", CHECKPOINTERS)) for number in range(count)
            ]
            until = time.monotonic() + ROUND_SECONDS
            loads = [Load(self.random, [f"{sidecar.name}-{n}" for n in range(40)], sidecar.name, leasing=0) for sidecar in sidecars]
            # One request at a time, so that each change is a commit.
            with faults.in_parallel(
                *(
                    lambda load=load, sidecar=sidecar: load.drive(sidecar, window=1, until=lambda: time.monotonic() > until)
                    for load, sidecar in zip(loads, sidecars)
                )
            ):
                pass
            for peer in peers:
                peer.end()
        for sidecar in sidecars:
            sidecar.close_stdin()
            code = sidecar.wait_until_gone()
            check(code == 0 or self.kind == "free", f"{sidecar.name} exited with {code}; {sidecar.last_words()}")
        self.judge(database, peers)
        faults.remove(database)

    def make(self, database):
        """A file with a table for the other programs."""
        first = self.faults.sidecar(database)
        first.ask("ping")
        first.close()
        with contextlib.closing(sqlite3.connect(self.faults.folder / database)) as connection:
            connection.execute("CREATE TABLE peers (writer INTEGER, number INTEGER, text TEXT, PRIMARY KEY (number, writer)) WITHOUT ROWID")

    def judge(self, database, peers):
        path = self.faults.folder / database
        damaged = [f"a program that {peer.work}s: {peer.error}" for peer in peers if peer.error]
        lost = []
        calls = self.faults.calls(database)
        try:
            findings = auditor.audit(path, calls).findings
        except Exception as error:
            # In a damaged file there may be anything.
            if self.kind == "gate":
                raise
            findings = [f"the file cannot be read: {error!r}"]
        for text in findings:
            (damaged if text.startswith(("integrity_check", "the file cannot be read")) else lost).append(text)
        lost += [] if damaged else self.missing(path, peers)
        figures = self.figures
        figures["rounds"] += 1
        figures["commits"] += sum(peer.done for peer in peers if peer.work == "write")
        figures["checkpoints"] += sum(peer.done for peer in peers if peer.work == "checkpoint")
        changes = sum(call.succeeded and call.method in ("transition", "regenerate") for call in calls)
        figures["changes"] += changes
        figures["bad"] += bool(damaged or lost)
        figures["damaged"] += bool(damaged)
        figures["lost"] += bool(lost) and not damaged
        if self.kind == "gate":
            if damaged or lost:
                self.faults.fail_with(f"behind the gate {database} was damaged or lost commits", damaged + lost)

    @staticmethod
    def missing(path, peers):
        """Acknowledged rows of the other programs that are not there."""
        with contextlib.closing(sqlite3.connect(path)) as connection:
            counts = dict(connection.execute("SELECT writer, count(*) FROM peers GROUP BY writer"))
        return [
            f"of {peer.done} acknowledged rows of writer {peer.number} {counts.get(peer.number, 0)} are there"
            for peer in peers if peer.work == "write" and counts.get(peer.number, 0) != peer.done
        ]


class Peer:
    """One of the other programs."""

    def __init__(self, program, path, work, number, gate):
        self.work = work
        self.number = number
        self.done = 0
        self.error = ""
        self.process = subprocess.Popen(
            [program, path, work, str(number), gate], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def end(self):
        """Has it end, and reads what it has to tell."""
        try:
            out, _ = self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            raise CheckFailed(f"a program that {self.work}s has not ended after {PATIENCE:.0f} s") from None
        if self.process.returncode != 0:
            self.error = f"exit code {self.process.returncode}"
            return
        done, _, self.error = out.rstrip("\n").partition(" ")
        self.done = int(done)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
