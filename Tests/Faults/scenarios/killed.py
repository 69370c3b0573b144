"""A sidecar may be killed at any moment: what it acknowledged stays, and nothing is half done.

Several sidecars on one file are under pipelined load and are killed with SIGKILL at random instants, one or all
of them, also while they make or open the file and while they checkpoint it; others follow on the same file. The
auditor then compares the file with what was answered.
"""

import time

from faults import Faults, Result, check
from load import Load

#: After so many kills the file is audited and a new one is begun.
KILLS_PER_FILE = 40


def run(faults: Faults) -> Result:
    kills = 2_000 if faults.long else 40
    done = changes = acknowledged = in_flight = unknown = 0
    while done < kills:
        count = min(KILLS_PER_FILE, kills - done)
        database = f"killed-{done}.sqlite"
        kill_often(faults, database, count)
        audit = faults.audit(database)
        check(audit.acknowledged > 0, "no change was acknowledged before any of the kills")
        faults.remove(database)
        done += count
        changes += audit.changes
        acknowledged += audit.acknowledged
        in_flight += audit.in_flight
        unknown += audit.unknown
        faults.progress(f"{done} of {kills} kills, {changes:,} changes")
    return Result(
        did=f"{done:,} kills under {changes:,} changes.",
        held=f"All {acknowledged:,} acknowledged changes are there; of {in_flight:,} changes in flight {unknown:,} had happened.",
        counts={"kills": done, "changes": changes, "acknowledged": acknowledged, "in_flight": in_flight, "unknown": unknown},
    )


def kill_often(faults, database, count):
    while count > 0:
        sidecars = [faults.sidecar(database) for _ in range(min(count, 3))]
        loads = [Load(faults.random, [f"r{n}" for n in range(30)], sidecar.name) for sidecar in sidecars]
        works = [lambda load=load, sidecar=sidecar: load.drive(sidecar) for load, sidecar in zip(loads, sidecars)]
        with faults.in_parallel(*works):
            for sidecar in sidecars:
                time.sleep(faults.random.uniform(0, 0.1))
                sidecar.kill()
        count -= len(sidecars)
