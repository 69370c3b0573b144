"""A power cut loses nothing that was acknowledged, and with --synchronous normal only the newest of it.

A library between the sidecars and the system writes down all that is done to the files, in its order, and each answer
(`shims/disk_journal.c`). From this the state is built that a power cut at any moment may leave (`disk.py`): what was not
synced is kept, dropped, reordered or torn at 512 bytes, and so are lengths and entries of the folder. A sidecar opens what is
left, and the auditor judges by the answers that had left before the cut. The cuts fall into the making of a database,
group commits of two processes, checkpoints, the beginning anew of the write-ahead log, and the closing.

That the judge can fail is shown, too: of a disk that says it has synced, and has not, it must miss acknowledged changes.
"""

import collections
import concurrent.futures
import dataclasses
import fcntl
import json
import os
import random as randomness
import shutil
import sqlite3
import threading

import disk
from faults import Call, CheckFailed, Faults, Result, check
from load import Load

#: How often each choice of what is kept is made.
CHOICES = ["dropped"] * 3 + ["kept"] + ["in order"] * 2 + ["only late"] + ["some calls"] * 3 + ["some sectors"] * 3
PLACES = (
    "while the file is made", "in a commit", "around a sync", "behind an answer", "in a checkpoint", "where the log begins anew",
    "around an entry of the folder",
)


def run(faults: Faults) -> Result:
    power = Power(faults)
    rounds, few, many = (25, 20, 60) if faults.long else (1, 5, 14)
    for number in range(rounds):
        with power.recording(f"full-{number}") as recording:
            power.cut(recording, many)
            power.cut(recording, few, syncs=False)
        with power.recording(f"full-large-{number}", large=True) as recording:
            power.cut(recording, few)
        with power.recording(f"normal-{number}", normal=True) as recording:
            power.cut(recording, few)
        if faults.long:
            with power.recording(f"normal-large-{number}", normal=True, large=True) as recording:
                power.cut(recording, few)
    for place in PLACES:
        check(power.places[place] > 0, f"no cut {place}")
    figures = power.figures
    places = ", ".join(f"{power.places[place]:,} {place}" for place in PLACES)
    return Result(
        did=f"{power.places.total():,} power cuts ({places}), {figures['full cuts']:,} with FULL and {figures['normal cuts']:,} with NORMAL.",
        held=f"With FULL all {figures['acknowledged']:,} changes that were acknowledged at a cut are there; with NORMAL {figures['lost']:,} "
        f"of the newest are missing, and never another. Of a disk that does not sync, each of {figures['lies']:,} cuts was "
        "found out.",
        counts=dict(figures),
    )


class LargeLoad(Load):
    """Every change carries metadata of about ten pages, so that the write-ahead log is soon due for a checkpoint."""

    def _context(self, id, belief, event):
        context = super()._context(id, belief, event)
        context["metadata"] = {"fill": self.random.choice("abc") * 15_000}
        return context


@dataclasses.dataclass
class Recording:
    """What was done to a database, asked and answered."""

    database: str
    normal: bool
    calls: list
    records: list
    #: By call, the number of the record with which its answer had left.
    answered: dict
    #: The log of changes at the end.
    log: list
    #: By place, the moments to cut at: a cut at n is before record n.
    moments: dict

    def __post_init__(self):
        self.unanswered = {call: Call(call.connection, call.number, call.method, call.params, call.called) for call in self.calls}

    def calls_at(self, moment):
        """The calls as they were known at a moment: what had not been answered then was in flight."""
        return [call if self.answered.get(call, moment) < moment else self.unanswered[call] for call in self.calls]


class Power:
    """Records, cuts and judges, and keeps count."""

    def __init__(self, faults):
        self.faults = faults
        self.random = faults.random
        self.shim = faults.compile("shims/disk_journal.c", "-shared", "-fPIC")
        self.places = collections.Counter()
        self.figures = collections.Counter()
        self.count = self.drives = 0
        self.counting = threading.Lock()

    # Recording

    def recording(self, name, normal=False, large=False):
        return _Discarding(self, self.record(f"{name}.sqlite", normal, large))

    def record(self, database, normal, large):
        path = os.path.realpath(self.faults.folder / database)
        journal = self.faults.folder / f"{database}.journal"
        environment = {"LD_PRELOAD": self.shim, "FAULTS_DATABASE": path, "FAULTS_JOURNAL": journal}
        arguments = ("--synchronous", "normal") if normal else ()

        def start(count):
            return [self.faults.sidecar(database, *arguments, environment=environment) for _ in range(count)]

        if large:
            sidecars = start(2)
            self.drive(sidecars, Load, 10)
            begun = checkpoints(path)
            self.drive(sidecars, LargeLoad, 2_000, until=lambda: checkpoints(path) > begun)
            check(checkpoints(path) > begun, "the write-ahead log was never begun anew")
            self.drive(sidecars, LargeLoad, 20)
            close(sidecars)
        else:
            sidecars = start(2)
            self.drive(sidecars, Load, 40)
            kill(sidecars, journal)
            for count in (2, 1):
                sidecars = start(count)
                self.drive(sidecars, Load, 60)
                close(sidecars)
        calls = self.faults.calls(database)
        self.faults.audit(database)
        records = disk.read_journal(journal)
        journal.unlink()
        self.check_model(path, records)
        names = {sidecar.pid: sidecar.name for sidecar in self.faults.sidecars}
        return Recording(database, normal, calls, records, answers(records, calls, names), log_of(path), moments(records, database))

    def drive(self, sidecars, kind, count, until=None):
        self.drives += 1
        windows = [self.random.choice((2, 16, 64)) for _ in sidecars]
        # Names of their own, because actors and keys are made of them.
        loads = [kind(self.random, [f"r{n}" for n in range(40)], f"{sidecar.name}.{self.drives}", reading=0.05) for sidecar in sidecars]
        with self.faults.in_parallel(
            *(
                lambda load=load, sidecar=sidecar, window=window: load.drive(sidecar, count, window, until)
                for load, sidecar, window in zip(loads, sidecars, windows)
            )
        ):
            pass

    def check_model(self, path, records):
        """Without a cut, the journal yields the very files: nothing that was done to them is missing in it."""
        model = disk.Disk()
        for number, record in enumerate(records):
            model.apply(number, record)
        for name, content in model.left(disk.everything).items():
            with open(os.path.join(os.path.dirname(path), name), "rb") as file:
                check(file.read() == content, f"{name} is not what its journal says: a call is missing in it")

    # Cutting

    def cut(self, recording, count, syncs=True):
        """Cuts so many times at moments of a recording, and has two at a time judged."""
        if syncs:
            cuts = [self.choose_moment(recording.moments) for _ in range(count)]
        else:
            # The disk lies from the first answer on, and all that it has not synced is gone at a cut many answers later.
            lies_from = min(recording.answered.values())
            answers = recording.moments["behind an answer"]
            cuts = [("behind an answer", moment) for moment in self.random.choices(answers[len(answers) // 2 :], k=count)]
        model = disk.Disk()
        waiting = sorted(((moment, place) for place, moment in cuts), reverse=True)
        with concurrent.futures.ThreadPoolExecutor(2) as workers:
            judging = collections.deque()
            for moment, record in enumerate([*recording.records, None]):
                if not syncs and moment == lies_from:
                    model.syncs = False
                while waiting and waiting[-1][0] == moment:
                    _, place = waiting.pop()
                    choice = self.random.choice(CHOICES) if syncs else "dropped"
                    files = model.left(disk.choose(choice, randomness.Random(self.random.getrandbits(64)), model.unsynced()))
                    self.count += 1
                    judging.append(workers.submit(self.judge, recording, f"cut-{self.count}.sqlite", moment, choice, place, files, syncs))
                    if len(judging) > 3:
                        judging.popleft().result()
                    self.faults.progress(f"{self.count:,} cuts")
                if record:
                    model.apply(moment, record)
            for judged in judging:
                judged.result()

    def choose_moment(self, moments):
        # The place that had the fewest, so that each has its share, though one has a thousand times the moments of another.
        place = min(sorted(moments), key=lambda place: (self.places[place], self.random.random()))
        self.places[place] += 1
        return place, self.random.choice(moments[place])

    def judge(self, recording, database, moment, choice, place, files, syncs):
        """Has a sidecar open what a cut has left, and the auditor say whether it should be so."""
        path = self.faults.folder / database
        write(files, recording.database, path)
        what = f"a cut {place}, before call {moment} of {recording.database}, with what was not synced {choice}"
        known = recording.calls_at(moment)
        findings, rows = self.findings(recording, database, known)
        newest = max((call.result["seq"] for call in known if call.succeeded and call.method in ("transition", "regenerate")), default=0)
        lost = max(0, newest - len(rows))
        if not syncs:
            check(findings, f"{what}: the disk did not sync, and nobody misses anything")
        elif findings:
            write(files, recording.database, path)
            self.faults.fail_with(f"{what} (the files before they were opened: {path})", findings)
        with self.counting:
            if not syncs:
                self.figures["lies"] += 1
            elif recording.normal:
                self.figures["normal cuts"] += 1
                self.figures["lost"] += lost
            else:
                self.figures["full cuts"] += 1
                self.figures["acknowledged"] += newest
        self.faults.remove(database)
        for name in os.listdir(self.faults.folder):
            if name.startswith(f"{database}-"):
                os.remove(self.faults.folder / name)

    def findings(self, recording, database, known):
        """(what is wrong with what a cut has left, the log of changes that was left)."""
        sidecar = self.faults.sidecar(database)
        try:
            sidecar.result("transition", {"id": "after the cut", "event": "start", "actor": "after the cut"})
            sidecar.close()
        except CheckFailed as error:
            sidecar.discard()
            return [f"it is not opened, or takes no change: {error}"], []
        rows = log_of(self.faults.folder / database)[:-1]
        findings = self.faults.judge(database, known, lost=recording.normal).findings
        if rows != recording.log[: len(rows)]:
            findings.append(f"the log of {len(rows)} changes is not the beginning of the one of {len(recording.log)}")
        return findings, rows


class _Discarding:
    """A recording, and its database removed behind it."""

    def __init__(self, power, recording):
        self.power, self.recording = power, recording

    def __enter__(self):
        return self.recording

    def __exit__(self, kind, *_):
        if kind is None:
            self.power.faults.remove(self.recording.database)


def checkpoints(path):
    """How often the write-ahead log was begun anew: the number that its head bears (sqlite.org/fileformat2.html#walformat)."""
    with open(f"{path}-wal", "rb") as file:
        return int.from_bytes(file.read(16)[12:])


def close(sidecars):
    for sidecar in sidecars:
        sidecar.close()


def kill(sidecars, journal):
    """Kills them while none is between a call and its record in the journal."""
    with open(journal, "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for sidecar in sidecars:
            sidecar.kill()


def write(files, name, path):
    """Writes the files of a database of this name under another one."""
    for file, content in files.items():
        with open(f"{path}{file.removeprefix(name)}", "wb") as out:
            out.write(content)


def log_of(path):
    """The rows of the log, from a copy: who closes the file last changes it."""
    copy = f"{path}-copy"
    for end in ("", "-wal"):
        if os.path.exists(f"{path}{end}"):
            shutil.copyfile(f"{path}{end}", f"{copy}{end}")
    connection = sqlite3.connect(copy)
    try:
        return connection.execute("SELECT * FROM transitions ORDER BY seq").fetchall()
    finally:
        connection.close()
        for end in ("", "-wal", "-shm"):
            if os.path.exists(f"{copy}{end}"):
                os.remove(f"{copy}{end}")


def answers(records, calls, names):
    """By call, the number of the record that ends its answer."""
    by_number = {(call.connection, call.number): call for call in calls}
    rests = collections.defaultdict(bytes)
    found = {}
    for number, record in enumerate(records):
        if record.kind != disk.ANSWER:
            continue
        *lines, rests[record.process] = (rests[record.process] + record.data).split(b"\n")
        for line in lines:
            found[by_number[names[record.process], json.loads(line)["id"]]] = number
    for call in calls:
        check(call in found, f"an answer is not in the journal: {call}")
    return found


def moments(records, database):
    """By place, the moments to cut at."""
    found = collections.defaultdict(list)
    names = {}
    first_answer = next(number for number, record in enumerate(records) if record.kind == disk.ANSWER)
    written = 0
    for number, record in enumerate(records):
        name = names.get(record.inode)
        if record.kind in (disk.CREATE, disk.UNLINK):
            name = names[record.inode] = record.data.decode()
        if number <= first_answer:
            found["while the file is made"].append(number)
        elif record.kind in (disk.CREATE, disk.UNLINK, disk.SYNC_FOLDER):
            found["around an entry of the folder"] += [number, number + 1]
        elif record.kind == disk.SYNC:
            found["around a sync"] += [number, number + 1]
        elif record.kind == disk.ANSWER:
            found["behind an answer"].append(number + 1)
        elif record.kind == disk.WRITE and name == database:
            found["in a checkpoint"].append(number + 1)
        elif record.kind == disk.WRITE:
            found["in a commit"].append(number + 1)
        if record.kind == disk.WRITE and name == f"{database}-wal":
            if record.offset == 0 and written > 0:
                found["where the log begins anew"] += range(number, min(number + 40, len(records)))
            written = record.offset
        elif record.kind == disk.CREATE:
            written = 0
    return found
