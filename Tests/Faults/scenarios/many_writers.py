"""However many processes write the same renders: each version has one winner, and what all of them were answered
fits one order, the one of seq.

2 to 16 sidecars race over a few renders, first by rounds in which each sends the same change at the same moment,
then with all kinds of requests, with expectedVersion and without, pipelined and one at a time, one of them killed
on the way. The merged history of calls and answers is judged by linearizability.py, the file by the auditor.
"""

import collections
import time

import linearizability
from faults import Faults, Result, check
from load import Load


def run(faults: Faults) -> Result:
    figures = collections.Counter()
    counts = range(2, 17) if faults.long else (2, 5, 16)
    for processes in counts:
        database = f"writers-{processes}.sqlite"
        sidecars = [faults.sidecar(database) for _ in range(processes)]
        figures["races"] += race(sidecars, 200 if faults.long else 30)
        contend(faults, sidecars, seconds=6 if faults.long else 1)
        for sidecar in sidecars[1:]:
            sidecar.close()

        audit = faults.audit(database)
        changes, observations = linearizability.history(faults.calls(database), audit.unknown_calls)
        findings = linearizability.check(changes, observations)
        if findings:
            faults.fail_with(f"the history of {processes} processes is not linearizable", findings)
        check(audit.refused["conflict"] > 0 and audit.refused["invalidTransition"] > 0, "nothing was refused: there was no race")
        figures["changes"] += len(changes)
        figures["observations"] += len(observations)
        figures["conflicts"] += audit.refused["conflict"]
        faults.progress(f"{processes} processes, {figures['changes']:,} changes")
        faults.remove(database)
    return Result(
        did=f"{min(counts)} to {max(counts)} processes raced {figures['races']:,} times for one version, and made {figures['changes']:,} changes "
        f"with {figures['conflicts']:,} conflicts and {figures['observations']:,} reads and refusals.",
        held="Each version had one winner, and each history is linearizable, over all renders together.",
        counts=dict(figures),
    )


def race(sidecars, rounds):
    """Rounds in which all send the same change at once; one wins."""
    id, version = "raced", 0
    for number in range(rounds):
        # With an expectation, and where the table alone lets one win.
        event = ("start", "cancel", "regenerate", "progress", "fail")[number % 5]
        params = {"id": id}
        if event == "progress" or number % 2 == 0:
            params["expectedVersion"] = version
        if event != "regenerate":
            params["event"] = event
        method = "regenerate" if event == "regenerate" else "transition"
        calls = [
            (sidecar, sidecar.send(method, {**params, "actor": f"{sidecar.name}-race-{number}"})) for sidecar in sidecars
        ]
        for sidecar, call in calls:
            sidecar.wait(lambda call=call: not call.in_flight, "an answer in a race")
        winners = [call for _, call in calls if call.succeeded]
        check(len(winners) == 1, f"{len(winners)} of {len(calls)} won version {version + 1}: {winners}")
        version += 1
        for _, call in calls:
            if call.refused:
                check(call.kind in ("conflict", "invalidTransition"), f"refused otherwise than by the race: {call}")
                check(call.error["data"]["status"]["version"] == version, f"the loser sees another version than {version}: {call}")
    return rounds


def contend(faults, sidecars, seconds):
    """All kinds of requests to the same few renders, by all at once; the first is killed in the middle."""
    until = time.monotonic() + seconds
    works = []
    for number, sidecar in enumerate(sidecars):
        load = Load(faults.random, ["x", "y", "z"], sidecar.name, expecting=0.5, reading=0.3)
        # One at a time is what tells most: its call and its answer are close together.
        window = (1, 4, 32)[number % 3]
        works.append(
            lambda load=load, sidecar=sidecar, window=window: load.drive(
                sidecar, window=window, until=lambda: time.monotonic() > until
            )
        )
    with faults.in_parallel(*works):
        time.sleep(faults.random.uniform(0.3, 0.9) * seconds)
        sidecars[0].kill()
