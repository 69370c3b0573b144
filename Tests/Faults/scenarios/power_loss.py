"""A power cut loses nothing that was acknowledged, and with --synchronous normal only the newest of it.

A library between the sidecars and the system writes down all that is done to the files, in its order, and each answer
(`shims/disk_journal.c`). From this the state is built that a power cut at any moment may leave (`disk.py`): what was not
synced is kept, dropped, reordered or torn at 512 bytes, and so are lengths and entries of the folder. A sidecar opens what is
left, and the auditor judges by the answers that had left before the cut. The cuts fall into the making of a database,
group commits of two processes, checkpoints, the beginning anew of the write-ahead log, and the closing; and again into the
recovery of what a cut has left. In some recordings syncs fail on the way, which leave what they happen to leave.

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
RECOVERY = "in the recovery from a cut"
PLACES = (
    "while the file is made", "in a commit", "around a sync", "behind an answer", "in a checkpoint", "where the log begins anew",
    "around an entry of the folder", RECOVERY,
)
#: Of so many cuts one is followed by three others in the recovery from it.
RECOVERED_OF = 6


def run(faults: Faults) -> Result:
    power = Power(faults)
    rounds, few, many = (20, 20, 40) if faults.long else (1, 5, 14)
    for number in range(rounds):
        with power.recording(f"full-{number}") as recording:
            power.cut(recording, many)
            power.cut(recording, few, syncs=False)
        with power.recording(f"full-large-{number}", large=True) as recording:
            power.cut(recording, few)
        with power.recording(f"failing-{number}", failing=True) as recording:
            power.cut(recording, many)
        with power.recording(f"normal-{number}", normal=True) as recording:
            power.cut(recording, few)
        if faults.long:
            with power.recording(f"normal-large-{number}", normal=True, large=True) as recording:
                power.cut(recording, few)
            for normal in (False, True):
                with power.recording(f"failing-large-{number}-{normal}", normal=normal, failing=True, large=True) as recording:
                    power.cut(recording, few)
    for place in PLACES:
        check(power.places[place] > 0, f"no cut {place}")
    figures = power.figures
    places = ", ".join(f"{power.places[place]:,} {place}" for place in PLACES)
    return Result(
        did=f"{power.places.total():,} power cuts ({places}), {figures['full cuts']:,} with FULL and {figures['normal cuts']:,} with NORMAL; "
        f"{figures['failing cuts']:,} of them in recordings in which {figures['failed syncs']:,} syncs failed.",
        held=f"With FULL all {figures['acknowledged']:,} changes that were acknowledged at a cut are there; with NORMAL {figures['lost']:,} "
        f"of the newest are missing, and never another. Of {figures['refused']:,} changes that a failed sync refused, none is there once "
        f"another sync has succeeded. Of a disk that does not sync, each of {figures['lies']:,} cuts was found out.",
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
    #: By call, the number of the record from which on its outcome is known for sure.
    known: dict
    #: The log of changes at the end.
    log: list
    #: By place, the moments to cut at.
    moments: dict
    #: Whether syncs failed on the way.
    failing: bool

    def __post_init__(self):
        self.in_flight = {call: Call(call.connection, call.number, call.method, call.params, call.called) for call in self.calls}

    def calls_at(self, moment):
        """The calls as they were known at a moment: what had not been answered then was in flight."""
        return [call if self.known.get(call, moment) < moment else self.in_flight[call] for call in self.calls]


@dataclasses.dataclass
class Cut:
    """The power fails before a record of a recording."""

    recording: Recording
    moment: int
    place: str
    #: What is kept, as disk.CHOICES has it.
    choice: str
    syncs: bool
    random: randomness.Random

    def __str__(self):
        return f"a cut {self.place}, before call {self.moment} of {self.recording.database}, with what was not synced {self.choice}"

    def left(self, model):
        """The files that it leaves of a model that is at its moment."""
        return model.left(disk.choose(self.choice, self.random, model.unsynced()))


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

    def recording(self, name, **kind):
        return _Discarding(self, self.record(f"{name}.sqlite", **kind))

    def journaling(self, database):
        """The environment of sidecars whose work on a database is written down, and where."""
        path = os.path.realpath(self.faults.folder / database)
        journal = self.faults.folder / f"{database}.journal"
        return {"LD_PRELOAD": self.shim, "FAULTS_DATABASE": path, "FAULTS_JOURNAL": journal}, journal

    def record(self, database, normal=False, large=False, failing=False):
        path = self.faults.folder / database
        environment, journal = self.journaling(database)
        if failing:
            # Two in a row fail what was to undo the first, too. A large log is to be begun anew, for which some have to succeed.
            period, length = (self.random.randint(6, 12), 1) if large else (self.random.randint(3, 7), self.random.choice((1, 2)))
            environment["FAULTS_FAILING_SYNCS"] = f"{period} {length}"
        # Small groups make more commits of as many changes, and so more syncs that can fail.
        windows = (1, 2, 8) if failing else (2, 16, 64)
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
            self.drive(sidecars, Load, 40, windows)
            kill(sidecars, journal)
            for count in (2, 1):
                sidecars = start(count)
                self.drive(sidecars, Load, 60, windows)
                close(sidecars)
        calls = self.faults.calls(database)
        self.faults.audit(database)
        records = self.read(journal)
        recording = Recording(database, normal, calls, records, self.outcomes(records, calls), log_of(path), moments(records, database), failing)
        if failing:
            failed = sum(record.kind == disk.FAILED_SYNC for record in records)
            check(failed > 0, "no sync failed")
            self.figures["failed syncs"] += failed
            self.figures["refused"] += sum(call.kind == "storeUnavailable" for call in calls)
        return recording

    def drive(self, sidecars, kind, count, windows=(2, 16, 64), until=None):
        self.drives += 1
        chosen = [self.random.choice(windows) for _ in sidecars]
        # Names of their own, because actors and keys are made of them.
        loads = [kind(self.random, [f"r{n}" for n in range(40)], f"{sidecar.name}.{self.drives}", reading=0.05) for sidecar in sidecars]
        with self.faults.in_parallel(
            *(
                lambda load=load, sidecar=sidecar, window=window: load.drive(sidecar, count, window, until)
                for load, sidecar, window in zip(loads, sidecars, chosen)
            )
        ):
            pass

    def read(self, journal, before=None):
        """The records of a journal. Without a cut they yield the very files: nothing that was done to them is missing."""
        records = disk.read_journal(journal)
        journal.unlink()
        model = disk.Disk(before)
        for number, record in enumerate(records):
            model.apply(number, record)
        for name, content in model.left(disk.everything).items():
            check((journal.parent / name).read_bytes() == content, f"{name} is not what its journal says: a call is missing in it")
        return records

    def outcomes(self, records, calls):
        """By call, the number of the record from which on its outcome is known.

        It is the end of its answer. Of what a failed sync refused, which may be on the disk all the same, it is the next sync that
        brings to the disk what was written over it.
        """
        names = {sidecar.pid: sidecar.name for sidecar in self.faults.sidecars}
        by_number = {(call.connection, call.number): call for call in calls}
        rests = collections.defaultdict(bytes)
        known = {}
        # By process, the file whose sync failed last; by such a file, what it may still hold; the files that were written since.
        failed, open_calls, written = {}, {}, set()
        for number, record in enumerate(records):
            if record.kind == disk.FAILED_SYNC:
                failed[record.process] = record.inode
                open_calls.setdefault(record.inode, [])
                written.discard(record.inode)
            elif record.kind == disk.WRITE:
                written.add(record.inode)
            elif record.kind == disk.SYNC and record.inode in written:
                known |= dict.fromkeys(open_calls.pop(record.inode, ()), number)
            elif record.kind == disk.ANSWER:
                *lines, rests[record.process] = (rests[record.process] + record.data).split(b"\n")
                for line in lines:
                    call = by_number.pop((names[record.process], json.loads(line)["id"]))
                    if call.kind == "storeUnavailable" and failed.get(record.process) in open_calls:
                        open_calls[failed[record.process]].append(call)
                    else:
                        known[call] = number
        check(not by_number, f"answers are not in the journal: {list(by_number.values())[:3]}")
        return known

    # Cutting

    def cut(self, recording, count, syncs=True):
        """Cuts so many times at moments of a recording, and has two at a time judged."""
        if syncs:
            cuts = [self.choose_moment(recording.moments) for _ in range(count)]
        else:
            # The disk lies from the first answer on, and all that it has not synced is gone at a cut many answers later.
            answers = recording.moments["behind an answer"]
            cuts = [(moment, "behind an answer") for moment in self.random.choices(answers[len(answers) // 2 :], k=count)]
        model = disk.Disk(kept=self.choose_kept, syncs_until=None if syncs else min(recording.known.values()))
        with concurrent.futures.ThreadPoolExecutor(2) as workers:
            judging = collections.deque()
            for moment, place in follow(model, recording.records, cuts):
                choice = self.random.choice(CHOICES) if syncs else "dropped"
                cut = Cut(recording, moment, place, choice, syncs, randomness.Random(self.random.getrandbits(64)))
                self.count += 1
                judging.append(workers.submit(self.judge, cut, f"cut-{self.count}.sqlite", cut.left(model), syncs and self.count % RECOVERED_OF == 0))
                if len(judging) > 3:
                    judging.popleft().result()
                self.faults.progress(f"{self.count:,} cuts")
            for judged in judging:
                judged.result()

    def choose_kept(self, unsynced):
        """What a sync that fails brings to the disk all the same."""
        return disk.choose(self.random.choice(CHOICES), randomness.Random(self.random.getrandbits(64)), unsynced)

    def choose_moment(self, moments):
        # The place that had the fewest, so that each has its share, though one has a thousand times the moments of another.
        place = min(sorted(moments), key=lambda place: (self.places[place], self.random.random()))
        self.places[place] += 1
        return self.random.choice(moments[place]), place

    def judge(self, cut, database, files, cutting_recovery):
        """Has a sidecar open what a cut has left, and the auditor say whether it should be so."""
        recording = cut.recording
        path = self.faults.folder / database
        before = write(files, recording.database, path)
        known = recording.calls_at(cut.moment)
        environment, journal = self.journaling(database) if cutting_recovery else (None, None)
        findings, rows = self.findings(recording, database, known, environment)
        newest = max((call.result["seq"] for call in known if call.succeeded and call.method in ("transition", "regenerate")), default=0)
        if not cut.syncs:
            check(findings, f"{cut}: the disk did not sync, and nobody misses anything")
        elif findings:
            write(files, recording.database, path)
            self.faults.fail_with(f"{cut} (the files before they were opened: {path})", findings)
        with self.counting:
            if not cut.syncs:
                self.figures["lies"] += 1
            elif recording.normal:
                self.figures["normal cuts"] += 1
                self.figures["lost"] += max(0, newest - len(rows))
            else:
                self.figures["full cuts"] += 1
                self.figures["acknowledged"] += newest
            self.figures["failing cuts"] += recording.failing
        if cutting_recovery:
            self.cut_recovery(cut, database, known, before, journal)
        self.faults.remove(database)
        for name in os.listdir(self.faults.folder):
            if name.startswith(f"{database}-"):
                os.remove(self.faults.folder / name)

    def cut_recovery(self, cut, database, known, before, journal):
        """Cuts the power again at moments of what a sidecar did to the files that a cut had left."""
        records = self.read(journal, before)
        calls = self.faults.calls(database)
        outcomes = {call: -1 for call in known} | self.outcomes(records, calls)
        recovery = Recording(
            database, cut.recording.normal, [*known, *calls], records, outcomes, log_of(self.faults.folder / database), {}, cut.recording.failing
        )
        model = disk.Disk(before)
        moments = [(moment, RECOVERY) for moment in cut.random.choices(range(len(records) + 1), k=3)]
        for number, (moment, place) in enumerate(follow(model, records, moments)):
            again = Cut(recovery, moment, place, cut.random.choice(CHOICES), True, cut.random)
            self.judge(again, f"{database.removesuffix('.sqlite')}-{number}.sqlite", again.left(model), False)
            with self.counting:
                self.places[RECOVERY] += 1

    def findings(self, recording, database, known, environment):
        """(what is wrong with what a cut has left, the log of changes that was left)."""
        sidecar = self.faults.sidecar(database, environment=environment)
        try:
            sidecar.result("transition", {"id": f"after {database}", "event": "start", "actor": f"after {database}"})
            sidecar.close()
        except CheckFailed as error:
            sidecar.discard()
            return [f"it is not opened, or takes no change: {error}"], []
        rows = log_of(self.faults.folder / database)[:-1]
        findings = self.faults.judge(database, known, lost=recording.normal).findings
        # What a failed sync refused may be there, which the auditor judges.
        if not recording.failing and rows != recording.log[: len(rows)]:
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
    """Writes the files of a database of this name under another one. Returns them by inode: (name, content)."""
    written = {}
    for file, content in files.items():
        copy = path.with_name(path.name + file.removeprefix(name))
        copy.write_bytes(content)
        written[copy.stat().st_ino] = (copy.name, content)
    return written


def follow(model, records, cuts):
    """Takes a model of the disk through all records, and yields each (moment, place) when it is there."""
    waiting = sorted(cuts, reverse=True)
    for moment, record in enumerate([*records, None]):
        while waiting and waiting[-1][0] == moment:
            yield waiting.pop()
        if record:
            model.apply(moment, record)


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


def moments(records, database):
    """By place, the moments to cut at: a cut at n is before record n."""
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
        elif record.kind in (disk.SYNC, disk.FAILED_SYNC):
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
