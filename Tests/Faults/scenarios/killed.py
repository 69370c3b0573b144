"""A sidecar may be killed at any moment: what it acknowledged stays, and nothing is half done.

Up to four sidecars on one file are under pipelined load and are killed with SIGKILL at random instants: some of
them while the others go on, all of them, while they make the file, open it, bring it up from schema 1, write a
checkpoint into it, and close it. Others follow on the same file. The auditor then compares the file with what
was answered; changes whose answer never came may have happened or not, and are counted apart.
"""

import collections
import os
import signal
import sqlite3
import time

from faults import HERE, CheckFailed, Faults, Result, check
from load import Load

SCHEMA_1 = HERE.parent / "RenderStoreTests/Schema1.sql"
#: After so many kills the file is audited and a new one is begun.
KILLS_PER_FILE = 40


def run(faults: Faults) -> Result:
    killer = Killer(faults)
    kills = 2_000 if faults.long else 40
    while killer.done < kills:
        killer.ruin(f"killed-{killer.done}.sqlite", min(KILLS_PER_FILE, kills - killer.done))
        faults.progress(f"{killer.done} of {kills} kills, {killer.figures['changes']:,} changes")
    figures = killer.figures
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in killer.kinds.items())
    return Result(
        did=f"{killer.done:,} kills ({kinds}) of sidecars that made {figures['changes']:,} changes in {killer.files} "
        f"{'file' if killer.files == 1 else 'files'}.",
        held=f"All {figures['acknowledged']:,} acknowledged changes are there, and the logs yield all {figures['renders']:,} renders. "
        f"Of {figures['in_flight']:,} changes without an answer {figures['unknown']:,} had happened, as a whole.",
        counts={"kills": killer.done, "files": killer.files, **figures, **killer.kinds},
    )


class Killer:
    """Kills sidecars in all these ways, and keeps count."""

    def __init__(self, faults):
        self.faults = faults
        self.random = faults.random
        self.kinds = collections.Counter()
        self.figures = collections.Counter()
        self.files = 0
        # How long it takes to make a file: where the kills aim at.
        self.opening = self.time_to_open("opening.sqlite")

    @property
    def done(self):
        return self.kinds.total()

    def kill(self, sidecar, kind):
        sidecar.kill()
        # Who had ended already was not killed.
        if sidecar.process.returncode == -signal.SIGKILL:
            self.kinds[kind] += 1

    def ruin(self, database, kills):
        """Kills so many on a new file, and audits it."""
        end = self.done + kills
        self.files += 1
        ways = [self.some] * 5 + [self.all] * 2 + [self.at_a_checkpoint, self.while_opening, self.while_closing] * 2 + [self.while_migrating]
        self.random.shuffle(ways)
        for way in [self.while_making, *ways]:
            if self.done < end:
                way(database, end - self.done)
        while self.done < end:
            self.random.choice((self.some, self.all))(database, end - self.done)
        # One more opens what is left, and ends in peace.
        last = self.faults.sidecar(database)
        last.result("transition", {"id": "last", "event": "start", "actor": "last"})
        last.close()
        audit = self.faults.audit(database)
        check(audit.acknowledged > 1, "no change was acknowledged before any of the kills")
        for name in ("changes", "acknowledged", "renders", "in_flight", "unknown"):
            self.figures[name] += getattr(audit, name)
        self.faults.remove(database)

    # The ways

    def while_making(self, database, most):
        """Two at once make the file."""
        for _ in range(min(2, most // 2)):
            self._kill_all(self._start(database, 2), self.opening, "while making the file")

    def while_opening(self, database, most):
        self._kill_all(self._start(database, min(2, most)), self.opening, "while opening it")

    def some(self, database, most):
        """One after the other of those that write, while the others go on; a new one comes for the first."""
        sidecars = self._start(database, min(3, most))
        loads = [Load(self.random, [f"r{n}" for n in range(40)], sidecar.name) for sidecar in sidecars]
        with self._driving(loads, sidecars):
            for sidecar in sidecars:
                time.sleep(self.random.uniform(0, self.opening + 0.08))
                self.kill(sidecar, "under load")

    def all(self, database, most):
        """All that write, at the same moment."""
        sidecars = self._start(database, min(4, most))
        loads = [Load(self.random, [f"r{n}" for n in range(40)], sidecar.name) for sidecar in sidecars]
        with self._driving(loads, sidecars):
            self._kill_all(sidecars, self.opening + 0.15, "under load")

    def at_a_checkpoint(self, database, most):
        """While the write-ahead log is brought into the file. Nothing else writes the file itself, so that is when its
        time changes."""
        sidecars = self._start(database, min(2, most))
        for sidecar in sidecars:
            sidecar.ask("ping")
        # Of many renders each change is a page of its own, and the checkpoint comes soon.
        loads = [Load(self.random, [f"many-{n}" for n in range(4_000)], sidecar.name, illegal=0) for sidecar in sidecars]
        with self._driving(loads, sidecars, window=256):
            self._wait_for_write(database, 30)
            self._kill_all(sidecars, 0.01, "at a checkpoint")

    def while_closing(self, database, most):
        """Between the end of stdin and the exit, when the last one brings the log into the file."""
        sidecar = self._start(database, 1)[0]
        Load(self.random, [f"r{n}" for n in range(40)], sidecar.name).drive(sidecar, 50)
        sidecar.close_stdin()
        if self.random.random() < 0.7:
            self._wait_for_write(database, 1, sidecar)
        else:
            time.sleep(self.random.uniform(0, 0.01))
        self.kill(sidecar, "while closing it")

    def while_migrating(self, database, most):
        """Makes a file of schema 1 of the file, with all that is in it; who opens it next migrates it."""
        last = self.faults.sidecar(database)
        last.ask("ping")
        last.close()
        to_schema_1(self.faults.folder / database)
        copy = f"{database}.timed"
        (self.faults.folder / copy).write_bytes((self.faults.folder / database).read_bytes())
        duration = self.time_to_open(copy)
        for _ in range(min(2, most // 2)):
            self._kill_all(self._start(database, 2), duration, "while migrating it")

    # Their parts

    def time_to_open(self, database):
        """Seconds from the start to the first answer."""
        began = time.monotonic()
        sidecar = self.faults.sidecar(database)
        sidecar.ask("ping")
        duration = time.monotonic() - began
        sidecar.close()
        self.faults.remove(database)
        return duration

    def _start(self, database, count):
        return [self.faults.sidecar(database) for _ in range(count)]

    def _driving(self, loads, sidecars, window=64):
        return self.faults.in_parallel(
            *(lambda load=load, sidecar=sidecar: load.drive(sidecar, window=window) for load, sidecar in zip(loads, sidecars))
        )

    def _kill_all(self, sidecars, within, kind):
        """Signals them all at a moment before `within` seconds are over."""
        time.sleep(self.random.uniform(0, within))
        for sidecar in sidecars:
            sidecar.process.kill()
        for sidecar in sidecars:
            self.kill(sidecar, kind)

    def _wait_for_write(self, database, patience, sidecar=None):
        """Waits until the file itself is written, or the sidecar is gone."""
        path = self.faults.folder / database
        before = os.stat(path).st_mtime_ns
        until = time.monotonic() + patience
        while os.stat(path).st_mtime_ns == before:
            if sidecar is not None and (sidecar.ended or time.monotonic() > until):
                return
            if time.monotonic() > until:
                raise CheckFailed(f"no checkpoint was seen within {patience} s of load")
            time.sleep(0.0002)


def to_schema_1(path):
    """Makes of a file the same one as an older version would have written it."""
    old = path.with_suffix(".schema1")
    tables, trigger, rest = SCHEMA_1.read_text().partition("CREATE TRIGGER")
    connection = sqlite3.connect(old, isolation_level=None)
    connection.executescript(f"PRAGMA journal_mode = WAL; {tables}")
    connection.execute("ATTACH ? AS new", (str(path),))
    connection.executescript(
        f"""
        BEGIN;
        INSERT INTO main.renders
          SELECT row, id, state, progress, render_id, bucket_name, video_url, error, metadata, run, attempt, version, seq,
            created_at, updated_at, started_at, queued_ms, stall_ms, total_ms, deadline_at, event, event, NULL, NULL, NULL
          FROM new.renders;
        INSERT INTO main.transitions
          SELECT seq, id, event, previous_state, state, progress, render_id, bucket_name, video_url, error, metadata, run,
            attempt, version, actor, at, action, idempotency_key
          FROM new.transitions;
        INSERT INTO main.render_ids SELECT * FROM new.render_ids;
        INSERT INTO main.leases SELECT * FROM new.leases;
        {trigger}{rest}
        PRAGMA main.application_id = {int.from_bytes(b"rsta", "big")};
        PRAGMA main.user_version = 1;
        COMMIT;
        DETACH new;
        """
    )
    connection.close()
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    old.replace(path)
