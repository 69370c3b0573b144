"""Whoever writes to the database with a SQL shell keeps to the table too, and everybody hears of it.

Beside running sidecars with subscriptions, a `sqlite3` shell tries what it may not do: each statement must be aborted with
a readable reason and leave no trace. What is legal must have the effect of its event, be in the log with actor `sql`, and
reach the subscribers of every process: alone, several in one transaction, and never if rolled back. Then come many
statements, legal and not, each judged by a model of the table; and at last shells and sidecars race over the same renders.
"""

import dataclasses
import re
import sqlite3
import threading

import auditor
from faults import Faults, Result, check
from load import Load

IDS = [f"r{number}" for number in range(8)]
STATES = ("queued", "rendering", "completed", "failed")
EVENTS = auditor.EVENTS
RANKS = {"fail": "failed", "cancel": "failed", "start": "queued", "progress": "rendering", "complete": "completed"}
END = "state = 'failed', event = 'cancel', error = 'by hand', version = version + 1"
AGAIN = "state = 'queued', event = 'start', error = NULL, attempt = attempt + 1, version = version + 1"
COLUMNS = "id, state, progress, metadata, run, attempt, version, seq, created_at, updated_at, started_at, event"
NEXT = "(SELECT max(seq) + 1 FROM transitions)"
LONG = "hex(zeroblob(5000))"

#: What must be aborted: the statement, and words of the reason.
BREACHES = (
    ("UPDATE renders SET state = 'completed', event = 'complete', version = version + 1 WHERE id = 'queued'", "no such transition"),
    ("UPDATE renders SET state = 'queued', event = 'start', attempt = attempt + 1, version = version + 1 WHERE id = 'rendering'", "no such transition"),
    ("UPDATE renders SET state = 'completed', event = 'progress', version = version + 1 WHERE id = 'rendering'", "no such transition"),
    ("UPDATE renders SET state = 'failed', error = 'x' WHERE id = 'rendering'", "version must grow by one"),
    (f"UPDATE renders SET {END}, version = version + 2 WHERE id = 'rendering'", "version must grow by one"),
    (f"UPDATE renders SET {END}, version = 1 WHERE id = 'rendering'", "version must grow by one"),
    ("UPDATE renders SET progress = 50", "version must grow by one"),
    ("UPDATE renders SET deadline_at = NULL", "version must grow by one"),
    ("UPDATE renders SET stall_ms = NULL, queued_ms = NULL", "version must grow by one"),
    ("UPDATE renders SET actor = 'me'", "version must grow by one"),
    (f"UPDATE renders SET {END} WHERE id = 'completed'", "a finished run is not edited"),
    ("UPDATE renders SET video_url = 'https://else', version = version + 1 WHERE id = 'completed'", "a finished run is not edited"),
    ("UPDATE renders SET error = 'nicer', version = version + 1 WHERE id = 'failed'", "no such transition"),
    (f"UPDATE renders SET {END}, run = run + 1 WHERE id = 'rendering'", "a new run begins from completed or failed"),
    (f"UPDATE renders SET {END}, run = 7 WHERE id = 'rendering'", "run must stay"),
    (f"UPDATE renders SET {END}, attempt = 9 WHERE id = 'rendering'", "attempt grows by one"),
    ("UPDATE renders SET id = 'mine' WHERE id = 'queued'", "version must grow by one"),
    (f"UPDATE renders SET id = 'mine', {END} WHERE id = 'queued'", "id, row and created_at stay"),
    (f"UPDATE renders SET created_at = 1, {END} WHERE id = 'queued'", "id, row and created_at stay"),
    (f"UPDATE renders SET row = 1000, {END} WHERE id = 'queued'", "id, row and created_at stay"),
    ("UPDATE renders SET rowid = 9223372036854775807 WHERE id = 'queued'", "version must grow by one"),
    (f"UPDATE renders SET oid = 1000, {END} WHERE id = 'queued'", "id, row and created_at stay"),
    (f"UPDATE renders SET seq = {NEXT}, {END} WHERE id = 'queued'", "seq is given to a change by the log"),
    (f"UPDATE renders SET updated_at = 9223372036854775807, {END} WHERE id = 'queued'", "are given to a change by the log"),
    (f"UPDATE renders SET started_at = 0, {END} WHERE id = 'queued'", "are given to a change by the log"),
    (f"UPDATE renders SET metadata = '{{\"a\":1}}', {END} WHERE id = 'queued'", "metadata stays"),
    (f"UPDATE renders SET metadata = '{{nonsense}}', {END} WHERE id = 'queued'", "metadata stays"),
    (f"UPDATE renders SET total_ms = 1, {END} WHERE id = 'queued'", "are set by a start only"),
    (f"UPDATE renders SET {AGAIN}, total_ms = -1 WHERE id = 'failed'", "total_ms must be NULL, or from 1"),
    (f"UPDATE renders SET {AGAIN}, stall_ms = 9223372036854775807 WHERE id = 'failed'", "stall_ms must be NULL, or from 1"),
    (f"UPDATE renders SET progress = 99, {END} WHERE id = 'rendering'", "progress stays with the events fail and cancel"),
    (f"UPDATE renders SET render_id = 'another', {END} WHERE id = 'rendering'", "render_id stays as long as the attempt"),
    (f"UPDATE renders SET render_id = NULL, {END} WHERE id = 'rendering'", "render_id stays as long as the attempt"),
    (f"UPDATE renders SET {AGAIN}, render_id = 'old' WHERE id = 'failed'", "this render_id belongs to another attempt"),
    (f"UPDATE OR IGNORE renders SET {AGAIN}, render_id = 'old' WHERE id = 'failed'", "this render_id belongs to another attempt"),
    (f"UPDATE OR REPLACE renders SET {AGAIN}, render_id = 'old' WHERE id = 'failed'", "this render_id belongs to another attempt"),
    (f"UPDATE renders SET {AGAIN}, render_id = {LONG} WHERE id = 'failed'", "render_id must have 1 to 200 bytes"),
    (f"UPDATE renders SET {AGAIN}, render_id = char(7) WHERE id = 'failed'", "no control characters"),
    (f"UPDATE renders SET {AGAIN}, render_id = CAST(x'ff' AS TEXT) WHERE id = 'failed'", "bytes of UTF-8"),
    (f"UPDATE renders SET {END}, error = {LONG} WHERE id = 'rendering'", "error must have at most 8192 bytes"),
    (f"UPDATE renders SET {END}, bucket_name = NULL WHERE id = 'rendering'", "bucket_name is not taken back"),
    (f"UPDATE renders SET {END}, error = NULL WHERE id = 'rendering'", "CHECK constraint failed"),
    ("UPDATE renders SET event = 'progress', version = version + 1, progress = 101 WHERE id = 'rendering'", "CHECK constraint failed: progress"),
    (f"UPDATE renders SET {END}, actor = 5.5, actor = '' WHERE id = 'rendering'", "actor must have 1 to 200 bytes"),
    ("DELETE FROM renders", "renders are not deleted"),
    ("DELETE FROM renders WHERE id = 'completed'", "renders are not deleted"),
    ("UPDATE transitions SET error = 'never was'", "the log is not edited"),
    ("UPDATE transitions SET seq = seq + 1000 WHERE seq = (SELECT max(seq) FROM transitions)", "the log is not edited"),
    ("DELETE FROM transitions WHERE id = 'failed'", "nothing is deleted from the log"),
    ("DELETE FROM transitions", "nothing is deleted from the log"),
    ("INSERT INTO transitions SELECT * FROM transitions WHERE seq = 1", "the log only grows at its end"),
    ("INSERT OR REPLACE INTO transitions SELECT * FROM transitions WHERE seq = 1", "the log only grows at its end"),
    ("DELETE FROM render_ids", "nothing is deleted from render_ids"),
    ("UPDATE render_ids SET id = 'x'", "render_ids is not edited"),
    ("INSERT INTO render_ids VALUES ('rendering', 'made-up')", "kept by the changes of renders"),
    ("UPDATE leases SET holder = 'thief'", "another holder takes the next token"),
    ("UPDATE leases SET token = 1", "token stays, or grows by one"),
    ("DELETE FROM leases", "a lease is not deleted"),
    ("UPDATE clock SET setting = setting - 3600000", "clock is kept by renderstate itself"),
    ("DELETE FROM clock", "clock is kept by renderstate itself"),
    ("INSERT OR REPLACE INTO clock VALUES (1, 'boot', 0)", "clock is kept by renderstate itself"),
    ("DELETE FROM pruned", "pruned is kept by renderstate itself"),
    ("INSERT INTO pruned_renders (id, version) VALUES ('free', 9)", "pruned_renders is kept by renderstate itself"),
    ("INSERT OR REPLACE INTO leases VALUES ('poller', 'thief', 1, 0)", "there is a lease of this name already"),
) + tuple(
    (f"INSERT {clause} INTO renders ({COLUMNS}) VALUES ({values})", reason)
    for clause, values, reason in (
        ("", f"'new', 'completed', 100, '{{}}', 1, 1, 1, {NEXT}, 1, 1, 1, 'complete'", "a render begins with event start"),
        ("", f"'new', 'queued', 0, '{{}}', 1, 1, 5, {NEXT}, 1, 1, 1, 'start'", "a render begins with version 1"),
        ("", "'new', 'queued', 0, '{}', 1, 1, 1, 1, 1, 1, 1, 'start'", "the log only grows at its end"),
        ("", f"'new', 'queued', 7, '{{}}', 1, 1, 1, {NEXT}, 1, 1, 1, 'start'", "a render begins with progress 0"),
        ("", f"'new', 'queued', 0, '{{x}}', 1, 1, 1, {NEXT}, 1, 1, 1, 'start'", "metadata begins as {}"),
        ("", f"'new', 'queued', 0, '{{}}', 1, 1, 1, {NEXT}, 9e18, 9e18, 9e18, 'start'", "not in the future"),
        ("", f"'', 'queued', 0, '{{}}', 1, 1, 1, {NEXT}, 1, 1, 1, 'start'", "id must have 1 to 200 bytes"),
        ("", f"CAST(x'61ff' AS TEXT), 'queued', 0, '{{}}', 1, 1, 1, {NEXT}, 1, 1, 1, 'start'", "id must have 1 to 200 bytes of UTF-8"),
        ("", f"NULL, 'queued', 0, '{{}}', 1, 1, 1, {NEXT}, 1, 1, 1, 'start'", "NOT NULL constraint failed"),
        ("OR REPLACE", f"'rendering', 'queued', 0, '{{}}', 1, 1, 1, {NEXT}, 1, 1, 1, 'start'", "this id has a render already"),
        ("OR IGNORE", f"'rendering', 'queued', 0, '{{}}', 1, 1, 1, {NEXT}, 1, 1, 1, 'start'", "this id has a render already"),
    )
) + ((f"INSERT INTO renders (row, {COLUMNS}) VALUES (9223372036854775807, 'new', 'queued', 0, '{{}}', 1, 1, 1, {NEXT}, 1, 1, 1, 'start')", "row is given by the table"),)


def run(faults: Faults) -> Result:
    scene = Scene(faults)
    prepare(scene)
    for statement, reason in BREACHES:
        expect_abort(scene, statement, reason)
    legal(scene)
    transactions(scene)
    scene.expect_told()
    mixture = Mixture(scene)
    mixture.run(6_000 if faults.long else 150)
    scene.expect_told()
    raced = race(scene, 2_000 if faults.long else 40)
    scene.expect_told()
    for sidecar in scene.sidecars:
        sidecar.close()
    audit = faults.audit("sql.sqlite", others={"sql", "ops"})
    return Result(
        did=f"{len(BREACHES)} kinds of illegal statements, and {mixture.statements:,} of a mixture, by `sqlite3` beside {len(scene.sidecars)} sidecars; "
        f"{raced:,} more in a race with them.",
        held=f"Each illegal one was aborted with its reason ({len(BREACHES) + mixture.aborted:,}), each legal one ({audit.others:,} changes) is in the log and "
        f"reached the subscribers of all processes. All {audit.acknowledged:,} acknowledged changes of the sidecars are there.",
        counts={"aborted": len(BREACHES) + mixture.aborted, "by hand": audit.others},
    )


class Scene:
    """Two sidecars on one database, each with a subscription to everything, and a shell beside them."""

    def __init__(self, faults):
        self.faults = faults
        self.path = faults.folder / "sql.sqlite"
        self.sidecars = [faults.sidecar("sql.sqlite") for _ in range(2)]
        self.names = [sidecar.result("subscribe", {})["subscription"] for sidecar in self.sidecars]
        self.some = self.sidecars[1].result("subscribe", {"ids": IDS[:3], "states": ["failed", "queued"]})["subscription"]
        self.changes = Load(faults.random, IDS, "host", reading=0.1, leasing=0.05, illegal=0.1)

    def ask(self, method, params):
        return self.faults.random.choice(self.sidecars).ask(method, params)

    def shell(self, *statements, before=()):
        """Has `sqlite3` run statements, one a line. Returns the reasons by line, from 0, of those that it refused."""
        script = "\n".join((*before, *statements)) + "\n"
        # Somebody else's shell does not know our gate, and waits for SQLite's locks. That it moves nothing out of the
        # write-ahead log is for SQLite before 3.51.3, which may lose commits of others meanwhile.
        done = self.faults.command(
            "sqlite3", "-batch", "-cmd", ".timeout 60000", "-cmd", "PRAGMA wal_autocheckpoint = 0", "-cmd", ".mode list", self.path, input=script.encode()
        )
        refused = {}
        for line in done.stderr.decode().splitlines():
            found = re.match(r"(?:Runtime error|Error|Parse error) near line (\d+): (.*)", line)
            check(found, f"sqlite3 says: {line}; {script}")
            refused[int(found[1]) - 1 - len(before)] = found[2]
        check((done.returncode != 0) == bool(refused), f"sqlite3 ends with {done.returncode}: {done.stderr}; {script}")
        return refused

    def rows(self, statement, *parameters):
        connection = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        try:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(statement, parameters)]
        finally:
            connection.close()

    def dump(self):
        return [self.rows(f"SELECT * FROM {table}") for table in ("renders", "transitions", "render_ids", "leases", "clock", "pruned", "pruned_renders")]

    def log(self, after=0):
        return self.rows("SELECT * FROM transitions WHERE seq > ? ORDER BY seq", after)

    def expect_told(self):
        """Every subscriber has been told of every change, once and in order, as it is in the log."""
        log = self.log()
        for sidecar, name in [*zip(self.sidecars, self.names), (self.sidecars[1], self.some)]:
            wanted = log if name != self.some else [row for row in log if row["id"] in IDS[:3] and row["state"] in ("failed", "queued")]
            told = lambda: [params for _, method, params in list(sidecar.notifications) if method == "status" and params["subscription"] == name]  # noqa: B023, E731
            sidecar.wait(lambda: len(told()) >= len(wanted), f"{len(wanted)} changes to be told")  # noqa: B023
            for row, params in zip(wanted, told(), strict=True):
                wrong = auditor.difference(auditor.change_of(row), params["change"])
                check(not wrong and params["skipped"] == 0, f"{sidecar.name} was told something else than the log says: {wrong}: {params}")

    def status(self, id):
        """What all sidecars say of a render, which must be one thing."""
        first, *others = (sidecar.result("getStatus", {"id": id}) for sidecar in self.sidecars)
        check(all(other == first for other in others), f"the sidecars do not agree on {id}: {first} and {others}")
        return first


def prepare(scene):
    """A render in each state, and a lease."""
    def change(id, event, **context):
        check(scene.ask("transition", {"id": id, "event": event, "actor": f"{id} {event}", "context": context}).succeeded, f"{id} {event}")

    scene.sidecars[0].result("acquireLease", {"name": "poller", "holder": "host", "ttlMs": 86_400_000})
    scene.sidecars[0].result("releaseLease", {"name": "poller", "holder": "host"})
    scene.sidecars[0].result("acquireLease", {"name": "poller", "holder": "other", "ttlMs": 86_400_000})
    for id in STATES:
        change(id, "start", metadata={"of": id})
    change("rendering", "progress", renderId="current", bucketName="bucket", progress=40)
    change("completed", "progress", renderId="done")
    change("completed", "complete", videoUrl="https://there")
    change("failed", "progress", renderId="old", bucketName="bucket")
    change("failed", "fail")
    change("failed", "start", renderId="newer")
    change("failed", "fail", error="again")


def expect_abort(scene, statement, reason):
    before = scene.dump()
    refused = scene.shell(f"{statement};")
    check(0 in refused, f"was not aborted: {statement}")
    check(reason in refused[0] and len(refused[0]) < 200, f"was aborted with {refused[0]!r} and not {reason!r}: {statement}")
    check(scene.dump() == before, f"was aborted and left a trace: {statement}")


def legal(scene):
    """Legal changes, one by one: the effect of the event, in the log by sql, and told."""
    def expect(statement, actor="sql", **values):
        head = scene.log()[-1]["seq"]
        refused = scene.shell(f"{statement};")
        check(not refused, f"was refused: {refused}: {statement}")
        log = scene.log(head)
        check(len(log) == 1 and log[0]["actor"] == actor, f"the log has {log}: {statement}")
        status = scene.status(log[0]["id"])
        check(status["seq"] == head + 1, f"the status is of seq {status['seq']}: {statement}")
        for name, value in values.items():
            check(status[name] == value, f"{name} is {status[name]!r} and should be {value!r}: {statement}")
        scene.expect_told()

    time = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
    expect(
        f"INSERT INTO renders ({COLUMNS}, queued_ms) VALUES ('by hand', 'queued', 0, '{{}}', 1, 1, 1, {NEXT}, {time}, {time}, {time}, 'start', 86400000)",
        state="queued", version=1, progress=0,
    )
    expect(f"UPDATE renders SET {END} WHERE id = 'queued'", state="failed", error="by hand", lastEvent="cancel", version=2, metadata={"of": "queued"})
    expect("UPDATE renders SET event = 'progress', progress = 30, version = version + 1 WHERE id = 'rendering'", progress=40, renderId="current")
    expect("UPDATE renders SET event = 'progress', progress = 60, version = version + 1, actor = 'ops' WHERE id = 'rendering'", "ops", progress=60)
    expect(
        "UPDATE renders SET state = 'completed', event = 'complete', video_url = 'https://x', version = version + 1 WHERE id = 'rendering'",
        state="completed", progress=100, videoUrl="https://x",
    )
    # A new attempt, and a new run, take nothing over from the one before.
    expect(f"UPDATE renders SET {AGAIN} WHERE id = 'failed'", state="queued", attempt=3, progress=0, renderId=None, bucketName=None)
    late = scene.ask("transition", {"id": "failed", "event": "progress", "actor": "late", "context": {"renderId": "newer"}})
    check(late.kind == "staleRender", f"a late report of an old attempt was not told: {late}")
    expect(
        "UPDATE renders SET state = 'queued', event = 'start', run = run + 1, attempt = 1, version = version + 1, video_url = NULL, "
        "render_id = 'second' WHERE id = 'completed'",
        state="queued", run=2, attempt=1, progress=0, renderId="second", videoUrl=None,
    )
    # A deadline that was set by hand is kept.
    status = scene.status("by hand")
    check(status["state"] == "queued", f"a render begun by hand is {status}")
    check(not scene.shell("UPDATE leases SET expires_at = 0 WHERE name = 'poller';"), "a lease cannot be freed by hand")
    lease = scene.sidecars[0].result("acquireLease", {"name": "poller", "holder": "third", "ttlMs": 86_400_000})
    check(lease["acquired"] and lease["token"] == 3, f"a lease that was freed by hand: {lease}")


def transactions(scene):
    """Several statements in one transaction, some refused, some taken back."""
    one = f"UPDATE renders SET {AGAIN} WHERE id = 'queued';"
    two = f"UPDATE renders SET {END} WHERE id = 'queued';"
    wrong = "DELETE FROM renders;"
    head = scene.log()[-1]["seq"]
    for end, statements, lines, kept in (
        ("COMMIT;", (one, two, one, two), (), 4), ("ROLLBACK;", (one, two), (), 0), ("COMMIT;", (one, wrong, two), (1,), 2),
        ("COMMIT;", (one, "SAVEPOINT s;", two, "ROLLBACK TO s;", two), (), 2), ("", (one, two), (), 0),
        ("COMMIT;", (f"UPDATE renders SET {AGAIN} WHERE id IN ('queued');", wrong, wrong, two), (1, 2), 2),
    ):
        before = scene.dump()
        refused = scene.shell(*statements, end, before=("BEGIN IMMEDIATE;",))
        check(tuple(refused) == lines, f"refused were lines {refused} of {statements}")
        check(len(scene.log(head)) == kept, f"{len(scene.log(head))} changes and not {kept} of {statements} {end}")
        check(kept or scene.dump() == before, f"what was rolled back has left a trace: {statements}")
        head += kept
        scene.expect_told()


@dataclasses.dataclass
class Statement:
    """An UPDATE of one render, and what the model says of it."""

    id: str
    sql: str
    #: "abort", "nothing" (OR IGNORE past a check) or "change".
    verdict: str
    #: The row of renders after it.
    after: dict


class Mixture:
    """Seeded statements, several to a transaction, between changes by the sidecars; a model of the table judges them."""

    def __init__(self, scene):
        self.scene = scene
        self.random = scene.faults.random
        self.statements = self.aborted = 0
        for id in IDS:
            scene.sidecars[0].result("transition", {"id": id, "event": "start", "actor": f"begin {id}"})
        self.learn()

    def learn(self):
        """What is true before the next statements."""
        self.renders = {row["id"]: row for row in self.scene.rows("SELECT * FROM renders") if row["id"] in IDS}
        self.named = {(row["id"], row["render_id"]) for row in self.scene.rows("SELECT * FROM render_ids")}
        self.head = self.scene.log()[-1]["seq"]

    def run(self, count):
        while self.statements < count:
            if self.random.random() < 0.3:
                self.scene.changes.drive(self.random.choice(self.scene.sidecars), count=self.random.randrange(1, 6))
                self.learn()
            some = self.random.choice((1, 1, 1, 2, 4))
            kept = self.random.random() < 0.8
            self.transaction(some, kept)
            self.scene.faults.progress(f"{self.statements:,} statements")

    def transaction(self, count, kept):
        statements = []
        renders, named, head = {id: dict(row) for id, row in self.renders.items()}, set(self.named), self.head
        for _ in range(count):
            statement = self.statement()
            statements.append(statement)
            if statement.verdict == "change":
                self.head += 1
                statement.after["seq"] = self.head
                self.renders[statement.id] = statement.after
                if statement.after["render_id"] is not None:
                    self.named.add((statement.id, statement.after["render_id"]))
        end = "COMMIT;" if kept else "ROLLBACK;"
        refused = self.scene.shell(*(statement.sql for statement in statements), end, before=("BEGIN IMMEDIATE;",))
        self.statements += count
        self.aborted += len(refused)
        for number, statement in enumerate(statements):
            check(
                (number in refused) == (statement.verdict == "abort"),
                f"should end with {statement.verdict}: {refused.get(number, 'it passed')}: {[one.sql for one in statements]}",
            )
        expected = [statement.after for statement in statements if statement.verdict == "change"] if kept else []
        log = self.scene.log(head)
        check(len(log) == len(expected), f"{len(log)} changes and not {len(expected)}: {[one.sql for one in statements]}")
        for row, after in zip(log, expected):
            found = {name: row[name] for name in after if name in row and name not in ("actor", "metadata")}
            wrong = auditor.difference({name: after[name] for name in found}, found)
            check(not wrong and row["actor"] == "sql", f"the log has something else than the model: {wrong}: {[one.sql for one in statements]}")
        if not kept:
            self.renders, self.named, self.head = renders, named, head
        id = statements[-1].id
        status = self.scene.status(id)
        wrong = auditor.difference(
            {name: self.renders[id][column] for name, column in auditor.COLUMNS.items()}, {name: status[name] for name in auditor.COLUMNS},
        )
        check(not wrong, f"the sidecars say something else than the model: {wrong}: {[one.sql for one in statements]}")

    def statement(self):
        random = self.random
        id = random.choice(IDS)
        row = self.renders[id]
        legal = [event for event in EVENTS if (row["state"], event) in auditor.TABLE]
        event = random.choice(legal if legal and random.random() < 0.85 else EVENTS)
        given = {
            "event": event, "state": RANKS[event] if random.random() < 0.95 else random.choice(STATES),
            "version": row["version"] + (1 if random.random() < 0.95 else random.choice((-1, 0, 2))),
        }
        if event == "start":
            given["attempt"] = row["attempt"] + 1
            if row["state"] == "completed" or random.random() < 0.2:
                given |= {"run": row["run"] + 1, "attempt": 1}
            if random.random() < 0.2:
                given[random.choice(("queued_ms", "stall_ms", "total_ms"))] = random.choice((None, 86_400_000, 172_800_000, 0, 10**12))
        # The checks of the table want these, unless somebody forgets.
        if random.random() < 0.95:
            given["error"] = "by hand ü🎬" if given["state"] == "failed" else None
            given["video_url"] = "https://cdn.example/v.mp4" if given["state"] == "completed" else None
        if random.random() < 0.4:
            given["progress"] = random.choice((row["progress"], 0.0, random.randrange(101) + 0.5, 100.0, 101.0))
        if random.random() < 0.4:
            old = [render_id for of, render_id in sorted(self.named) if of == id]
            given["render_id"] = random.choice([None, row["render_id"], f"h{random.randrange(10**9)}", f"h{random.randrange(10**9)}", *old[-2:]])
        if random.random() < 0.2:
            given["bucket_name"] = random.choice((None, row["bucket_name"], "b1", "b2"))
        if random.random() < 0.06:
            name, value = random.choice((
                ("attempt", row["attempt"] + 2), ("run", row["run"] + 2), ("created_at", 1), ("started_at", row["started_at"] + 1), ("metadata", '{"a":1}'),
                ("updated_at", row["updated_at"] + 1), ("seq", self.head + 1), ("row", row["row"] + 1_000), ("queued_ms", 700_000), ("render_id", "x\n"),
            ))
            given[name] = value
        clause = random.choice(("",) * 12 + ("OR IGNORE", "OR REPLACE", "OR FAIL"))
        verdict, after = self.judge(row, given, clause)
        text = ", ".join(f"{name} = {literal(value)}" for name, value in given.items())
        return Statement(id, f"UPDATE {clause} renders SET {text} WHERE id = '{id}';", verdict, after)

    def judge(self, row, given, clause):
        """What comes of an update: the contract's table, fencing, and what each event does to the fields."""
        new = {**row, **given}
        event, state = new["event"], new["state"]
        named = new["render_id"] if new["render_id"] != row["render_id"] else None
        clocks = ("queued_ms", "stall_ms", "total_ms")
        new_run = new["run"] == row["run"] + 1
        if new_run:
            legal = row["state"] in auditor.TERMINAL and (event, state, new["attempt"]) == ("start", "queued", 1)
        else:
            legal = (
                new["run"] == row["run"] and auditor.TABLE.get((row["state"], event)) == state
                and new["attempt"] == row["attempt"] + (event == "start")
            )
        if not (
            legal and new["version"] == row["version"] + 1
            and all(new[name] == row[name] for name in ("id", "row", "created_at", "updated_at", "started_at", "deadline_at", "seq", "metadata"))
            and (event == "start" or all(new[name] == row[name] for name in clocks))
            and all(new[name] is None or 1 <= new[name] <= 31_622_400_000 for name in clocks)
            and (event not in ("fail", "cancel") or new["progress"] == row["progress"])
            and (event == "start" or row["render_id"] in (None, new["render_id"]))
            and (event == "start" or row["bucket_name"] is None or new["bucket_name"] is not None)
            and (named is None or (row["id"], named) not in self.named and "\n" not in named)
        ):
            return "abort", row
        if not (0 <= new["progress"] <= 100 and (new["error"] is not None) == (state == "failed") and (new["video_url"] is None or state == "completed")):
            return ("nothing" if clause == "OR IGNORE" else "abort"), row
        if event == "start":
            new["progress"] = 0.0
            if new["render_id"] == row["render_id"]:
                new["render_id"] = None
                if new["bucket_name"] == row["bucket_name"]:
                    new["bucket_name"] = None
        elif event == "complete":
            new["progress"] = 100.0
        else:
            new["progress"] = max(new["progress"], row["progress"])
        # Set by the log, or by the watchdog after it; seq by `transaction`.
        for name in ("seq", "updated_at", "started_at", "deadline_at"):
            new[name] = row[name]
        return "change", new


def literal(value):
    if value is None:
        return "NULL"
    # On one line, so that a reason can be told by its line.
    return "'" + value.replace("\n", "' || char(10) || '") + "'" if isinstance(value, str) else str(value)


def race(scene, rounds):
    """Shells and sidecars change the same renders at the same time. Returns how many statements the shells ran."""
    moves = (
        f"UPDATE renders SET {END} WHERE id = '{{id}}' AND state IN ('queued', 'rendering');",
        "UPDATE renders SET state = 'rendering', event = 'progress', progress = progress, version = version + 1 WHERE id = '{id}' AND state IN ('queued', 'rendering');",
        "UPDATE renders SET state = 'completed', event = 'complete', video_url = 'x', version = version + 1 WHERE id = '{id}' AND state = 'rendering';",
        f"UPDATE renders SET {AGAIN} WHERE id = '{{id}}' AND state = 'failed';",
    )
    random = scene.faults.random
    scripts = [
        [[random.choice(moves).format(id=random.choice(IDS)) for _ in range(random.choice((1, 3, 10)))] for _ in range(rounds)] for _ in range(2)
    ]
    loads = [Load(random, IDS, f"racer{number}") for number in range(2)]

    # So many requests of the sidecars for each script of a shell, however slow the machine starts those.
    due = threading.Semaphore(0)
    left = [len(scripts)]

    def shells(script):
        def go():
            try:
                for number, statements in enumerate(script):
                    due.release(2)
                    whole = number % 2 and len(statements) > 1
                    refused = scene.shell(*statements, *(("COMMIT;",) if whole else ()), before=("BEGIN IMMEDIATE;",) if whole else ())
                    check(not refused, f"a legal statement was refused in the race: {refused} of {statements}")
            finally:
                left[0] -= 1
                due.release(2)
        return go

    def drive(sidecar, load):
        def go():
            while left[0] > 0:
                due.acquire()
                load.drive(sidecar, count=12, window=8)
            due.release()
        return go

    with scene.faults.in_parallel(*map(shells, scripts), *map(drive, scene.sidecars, loads)) as threads:
        threads.join(patience=3_600)
    return sum(len(statements) for script in scripts for statements in script)
