"""Whether a history of calls and answers could have been made by one store that does one thing at a time.

A history is linearizable if each operation can be given a moment between its call and its answer, at which it
takes effect at once, so that everything that was answered is right. In general that is a hard search. Here it is
not, because the answers tell the order: seq orders all changes of the store, and an observation names the
version that it saw. What is left are bounds of moments:

- a change comes after its call and after the change of the seq before
- an observation comes after its call and after the changes that made the versions it saw
- the next change of a render comes after every observation of the version before

Each only says that something is not before something else, so the earliest moments that satisfy all are found in
one pass in the order of seq; and the history is linearizable if and only if each of them is before its answer.

It is judged for all renders together, not only for each by itself: seq is in the order of commits.
"""

import collections
import dataclasses

NEVER = float("inf")


@dataclasses.dataclass
class Change:
    """A change that was accepted: it made this version of this id."""

    id: str
    version: int
    seq: int
    called: float
    #: None if no answer came, but the change is in the log.
    answered: float | None
    #: The expectedVersion of the request, or None.
    expected: int | None = None
    #: What to call it in a finding.
    source: object = None


@dataclasses.dataclass
class Observation:
    """An answer, also a refusal, that tells the version of one id or more at one moment."""

    versions: dict
    called: float
    answered: float
    source: object = None


def check(changes, observations):
    """What is wrong with a history, as texts; none if it is linearizable."""
    findings = []
    ordered = sorted(changes, key=lambda change: change.seq)
    seq_of = {}
    seqs = {}
    versions = collections.Counter()
    for change in ordered:
        if change.seq in seqs:
            findings.append(f"seq {change.seq} was given twice: {_name(seqs[change.seq])} and {_name(change)}")
        seqs[change.seq] = change
        key = (change.id, change.version)
        if key in seq_of:
            findings.append(f"two winners of version {change.version} of {change.id}: {_name(seqs[seq_of[key]])} and {_name(change)}")
            continue
        seq_of[key] = change.seq
        versions[change.id] += 1
        if change.version != versions[change.id]:
            findings.append(f"version {versions[change.id]} of {change.id} should be next in the order of seq: {_name(change)}")
        if change.expected is not None and change.expected != change.version - 1:
            findings.append(f"a lost update, version {change.expected} was expected: {_name(change)}")
    if findings:
        return findings

    # Each observation stands behind the last of the changes that it saw.
    behind = collections.defaultdict(list)
    for observation in observations:
        last = 0
        for id, version in observation.versions.items():
            if version and (id, version) not in seq_of:
                findings.append(f"version {version} of {id} was seen, and nobody made it: {_name(observation)}")
                break
            last = max(last, seq_of.get((id, version), 0))
        else:
            for id, version in observation.versions.items():
                if seq_of.get((id, version + 1), NEVER) < last:
                    findings.append(f"there was no moment at which all of this was so: {_name(observation)}")
                    break
            else:
                behind[last].append(observation)

    #: By id, the earliest moment for its next change, because the version before was seen until then, and by whom.
    seen_until = {}
    now = -NEVER

    def observe(observation):
        moment = max(now, observation.called)
        if moment > observation.answered:
            findings.append(
                f"an early view, of what must have come after its answer, or one that goes backwards: {_name(observation)}"
            )
            return
        for id in observation.versions:
            if moment > seen_until.get(id, (-NEVER, None))[0]:
                seen_until[id] = (moment, observation)

    for observation in behind[0]:
        observe(observation)
    for change in ordered:
        held_up, by = seen_until.get(change.id, (-NEVER, None))
        moment = max(now, change.called, held_up)
        if change.answered is not None and moment > change.answered:
            if moment == held_up:
                findings.append(f"a stale view: {_name(by)}; answered before that was {_name(change)}")
            else:
                findings.append(f"answered before one with a smaller seq was called: {_name(change)}")
            # Judged on as if it were right, or everything behind it would be found, too.
            moment = change.answered
        now = max(now, moment)
        for observation in behind[change.seq]:
            observe(observation)
    return findings


def _name(operation):
    return str(operation.source if operation.source is not None else operation)


def history(calls, unknown=()):
    """Changes and observations of a journal. `unknown` are (call, row of the log) of changes without an answer."""
    changes = []
    observations = []

    def observe(call, *statuses):
        seen = {status["id"]: status["version"] for status in statuses}
        if seen:
            observations.append(Observation(seen, call.called, call.answered, call))

    def change(call, version, seq):
        expected = call.params.get("expectedVersion")
        changes.append(Change(call.params["id"], version, seq, call.called, call.answered, expected, call))

    for call in calls:
        if call.in_flight:
            continue
        if call.error is not None:
            status = (call.error.get("data") or {}).get("status")
            if status:
                observe(call, status)
        elif call.method in ("transition", "regenerate"):
            if call.result["replayed"]:
                observe(call, call.result["status"])
            else:
                change(call, call.result["version"], call.result["seq"])
        elif call.method == "getStatus":
            observe(call, call.result)
        elif call.method in ("getStatuses", "listStatuses"):
            observe(call, *call.result["statuses"])
    for call, row in unknown:
        change(call, row["version"], row["seq"])
    return changes, observations
