"""A damaged or foreign file is refused with a clear line, or a typed error: never made anew, and never a crash.

A sound database is made, and all that it answers is noted. Copies of it are then damaged: cut off, overwritten,
turned into something else, with single bytes flipped (1,000 of them in the long form), with a write-ahead log that is
missing, cut off, flipped or another database's. A sidecar must refuse to open each of them with one line and exit
code 1, or answer with the truth or a typed error. An answer that is neither is allowed only where SQLite's own
integrity_check sees the damage, which `renderstate doctor` and `sqlite3` tell, or where no check of SQLite's could:
inside a value. Those are counted apart.
"""

import collections
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess

from faults import CheckFailed, Faults, Result, check
from load import Load

IDS = [f"r{n}" for n in range(40)]
ENDS = ("", "-wal", "-shm", ".lock")
APPLICATION_ID = 0x72737461
#: The most that the sidecar may say while it refuses a file: a line.
LONGEST_LINE = 600


def run(faults: Faults) -> Result:
    sound = Sound(faults)
    refused = [expect_refused(faults, *case) for case in foreign_files(faults, sound)]
    check_links(faults, sound)
    check_emptied(faults, sound)
    tally = collections.Counter()
    for number, damage in enumerate(damages(faults, sound, flips=1_000 if faults.long else 40, cuts=200 if faults.long else 12)):
        tally[judge(faults, sound, damage, number)] += 1
        faults.progress(f"{number + 1} damaged files: {dict(tally)}")
    total = sum(tally.values())
    return Result(
        did=f"{len(refused)} files that are no database of ours, and {total:,} damaged copies of one.",
        held=f"All of the first were refused with a line, and stayed as they were. Of the others {tally['refused']:,} were refused on opening, "
        f"{tally['error']:,} where they were read, {tally['true']:,} answered with the truth; {tally['seen']:,} gave another answer where integrity_check sees the damage, "
        f"and {tally['value']:,} inside a value, where it cannot.",
        counts=dict(tally),
    )


class Sound:
    """A sound database: its files, and all that it answers."""

    def __init__(self, faults):
        load = Load(faults.random, IDS, "sound", reading=0)
        sidecar = faults.sidecar("sound.sqlite")
        load.drive(sidecar, count=400)
        sidecar.close()
        # The file without a log beside it, and what a kill leaves, with one.
        self.file = faults.folder / "sound.sqlite"
        self.folder = faults.folder / "killed"
        self.folder.mkdir()
        self.logged = self.folder / "logged.sqlite"
        shutil.copy(self.file, self.logged)
        sidecar = faults.sidecar(self.logged)
        load.name = "logged"
        load.drive(sidecar, count=100)
        sidecar.kill()
        self.truth = {}
        for file in (self.file, self.logged):
            copy = copied(faults, file, "truth")
            self.truth[file] = answers(faults, copy)[1]
            check(self.truth[file] is not None, "the sound database is not answered for")


def requests():
    for id in IDS:
        yield "getStatus", {"id": id}
        yield "getHistory", {"id": id, "limit": 1_000}
    yield "listStatuses", {"limit": 1_000}


def copied(faults, file, name):
    """A copy of a database, with what stands beside it."""
    copy = faults.folder / f"{name}.sqlite"
    for end in ENDS:
        pathlib.Path(f"{copy}{end}").unlink(missing_ok=True)
        # SQLite makes the -shm anew from the -wal, as after a crash.
        if end != "-shm" and os.path.exists(f"{file}{end}"):
            shutil.copy(f"{file}{end}", f"{copy}{end}")
    return copy


def answers(faults, database):
    """Asks for everything: (exit code, a list of results or errors, stderr). No list where it was not opened."""
    lines = "".join(
        json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}) + "\n"
        for number, (method, params) in enumerate(requests())
    )
    done = faults.run("serve", "--database", database, input=lines.encode())
    words = done.stderr.decode("utf-8", "replace")
    if done.returncode == 1:
        check(done.stdout == b"", f"a file that is not opened has answers: {done.stdout[:200]!r}")
        return 1, None, words
    check(done.returncode == 0, f"{database.name}: exit code {done.returncode}; {words[-500:]}")
    found = []
    for number, line in enumerate(done.stdout.decode().split("\n")[:-1]):
        message = json.loads(line)
        check(message["id"] == number, f"an answer out of order: {line[:200]}")
        found.append(message.get("result") or message["error"])
    check(len(found) == len(list(requests())), f"{len(found)} answers")
    return 0, found, words


def expect_refused(faults, what, file, before=()):
    """Expects exit code 1, one clear line that names the file, and the file as it was."""
    was = file.read_bytes() if file.is_file() else None
    command = [*before, faults.program, "serve", "--database", str(file)]
    done = faults.command(*command, input=b"")
    words = done.stderr.decode("utf-8", "replace")
    check(done.returncode == 1, f"{what}: exit code {done.returncode} and not 1; {words[-300:]}")
    check(done.stdout == b"", f"{what}: it answered {done.stdout[:200]!r}")
    check(words.count("\n") == 1 and len(words) < LONGEST_LINE, f"{what}: not one line: {words!r}")
    names = (file.name, os.path.basename(os.path.realpath(file)))
    check(words.startswith("renderstate: ") and any(name in words for name in names), f"{what}: the line does not name the file: {words!r}")
    check(was is None or file.read_bytes() == was, f"{what}: the file was changed")
    return what


def foreign_files(faults, sound):
    """(what, file, what stands before the program) of what is no database of ours."""
    folder = faults.folder / "foreign"
    folder.mkdir()

    def made(name, content):
        file = folder / f"{name}.sqlite"
        file.write_bytes(content)
        return file

    def altered(name, sql):
        file = folder / f"{name}.sqlite"
        shutil.copy(sound.file, file)
        connection = sqlite3.connect(file)
        connection.executescript(sql)
        connection.close()
        return file

    content = sound.file.read_bytes()
    yield "a text", made("text", b"this is no database\n" * 500), ()
    yield "noise", made("noise", faults.random.randbytes(20_000)), ()
    yield "a single byte", made("byte", b"x"), ()
    yield "a hundred bytes of a database", made("head", content[:100]), ()
    yield "zeros", made("zeros", bytes(8_192)), ()
    yield "a newer schema", altered("newer", "PRAGMA user_version = 1000000"), ()
    yield "a negative schema", altered("negative", "PRAGMA user_version = -1"), ()
    yield "another application's id", altered("other", "PRAGMA application_id = 7"), ()
    yield "no application's id", altered("none", "PRAGMA application_id = 0"), ()
    other = folder / "notes.sqlite"
    connection = sqlite3.connect(other)
    connection.executescript("CREATE TABLE notes (text); INSERT INTO notes VALUES ('mine')")
    connection.close()
    yield "a database of somebody else", other, ()
    (folder / "folder.sqlite").mkdir()
    yield "a folder", folder / "folder.sqlite", ()
    os.mkfifo(folder / "pipe.sqlite")
    yield "a named pipe", folder / "pipe.sqlite", ()
    linked = made("linked", content)
    os.link(linked, folder / "second.sqlite")
    yield "a hard link", folder / "second.sqlite", ()
    readable = made("readable", content)
    readable.chmod(0o444)
    yield "a read-only file", readable, ()
    closed = made("closed", content)
    closed.chmod(0)
    # Root may do everything, unless it gives that up.
    bounded = ("setpriv", "--bounding-set=-dac_override,-dac_read_search") if os.geteuid() == 0 else ()
    yield "a file without permissions", closed, bounded
    (folder / "dangling.sqlite").symlink_to(folder / "nowhere" / "at-all.sqlite")
    yield "a link into a folder that is not there", folder / "dangling.sqlite", ()


def check_links(faults, sound):
    """A symbolic link is the file that it names: one write-ahead log, and one gate."""
    file = copied(faults, sound.file, "named")
    link = faults.folder / "link.sqlite"
    link.symlink_to(file)
    _, found, _ = answers(faults, link)
    check(found == sound.truth[sound.file], "by a link something else is answered")
    check(not os.path.exists(f"{link}.lock") and os.path.exists(f"{file}.lock"), "the link has a gate of its own")


def check_emptied(faults, sound):
    """A file that was emptied beside its write-ahead log is no new database: the log would be thrown away."""
    file = copied(faults, sound.logged, "emptied")
    os.truncate(file, 0)
    log = pathlib.Path(f"{file}-wal").read_bytes()
    expect_refused(faults, "a file emptied beside its log", file)
    check(pathlib.Path(f"{file}-wal").read_bytes() == log, "the write-ahead log of an emptied file was changed")


def damages(faults, sound, flips, cuts):
    """(what, file, function that damages a copy)."""
    random = faults.random
    size, log_size = sound.file.stat().st_size, os.path.getsize(f"{sound.logged}-wal")

    def flip(end, at, mask):
        def damage(copy):
            with open(f"{copy}{end}", "r+b") as file:
                file.seek(at)
                byte = file.read(1)[0]
                file.seek(at)
                file.write(bytes([byte ^ mask]))
        return damage

    def cut(end, length):
        return lambda copy: os.truncate(f"{copy}{end}", length)

    def replace(end, content):
        return lambda copy: pathlib.Path(f"{copy}{end}").write_bytes(content)

    for _ in range(flips):
        at, mask = random.randrange(size), random.randrange(1, 256)
        yield f"byte {at} flipped by {mask:#x}", sound.file, flip("", at, mask)
    for _ in range(cuts):
        length = random.choice((random.randrange(512, size), random.randrange(1, size // 4_096) * 4_096))
        yield f"cut off at {length}", sound.file, cut("", length)
    for _ in range(max(flips // 10, 4)):
        at, mask = random.randrange(log_size), random.randrange(1, 256)
        yield f"byte {at} of the log flipped by {mask:#x}", sound.logged, flip("-wal", at, mask)
    for _ in range(max(cuts // 10, 3)):
        length = random.randrange(log_size)
        yield f"the log cut off at {length}", sound.logged, cut("-wal", length)
    yield "no log", sound.logged, lambda copy: os.remove(f"{copy}-wal")
    yield "noise for a log", sound.logged, replace("-wal", random.randbytes(50_000))
    other = pathlib.Path(f"{sound.logged}-wal").read_bytes()
    yield "the log of another database", sound.file, replace("-wal", other)
    yield "noise for the shared memory", sound.logged, replace("-shm", random.randbytes(32_768))


def judge(faults, sound, damage, number):
    """How a damaged copy came off: refused, error, true, seen or value."""
    what, file, do = damage
    copy = copied(faults, file, "damaged")
    do(copy)
    size = copy.stat().st_size
    try:
        code, found, words = answers(faults, copy)
    except CheckFailed as error:
        raise CheckFailed(f"{what}: {error}") from None
    if code == 1:
        check(words.count("\n") == 1, f"{what}: not one line: {words!r}")
        check(copy.stat().st_size == size, f"{what}: a refused file has another size")
        return "refused"
    # What a log that ends early held is gone, as after a power cut without a sync: earlier answers are true, too.
    truths = [sound.truth[file]] + ([sound.truth[sound.file]] if file == sound.logged else [])
    worst = "true"
    for index, answer in enumerate(found):
        if any(answer == truth[index] for truth in truths):
            continue
        if "code" in answer:
            kind = answer["data"]["kind"]
            check(kind == "storeUnavailable", f"{what}: {kind} instead of storeUnavailable: {answer}")
            worst = "error" if worst == "true" else worst
            continue
        if is_older(answer, truths[0][index]) and file == sound.logged:
            continue
        worst = "other"
    if worst != "other":
        return worst
    return "seen" if integrity_check(copy) else "value"


def is_older(answer, truth):
    """Whether an answer is one that was true earlier."""
    if "version" in answer:
        return answer["version"] < truth["version"]
    if "changes" in answer:
        return answer["changes"] == truth["changes"][: len(answer["changes"])]
    return all(isinstance(status, dict) for status in answer["statuses"])


def integrity_check(file):
    """Whether SQLite sees the damage."""
    done = subprocess.run(["sqlite3", str(file), "PRAGMA integrity_check"], capture_output=True, check=False)
    return done.stdout.strip() != b"ok" or done.returncode != 0
