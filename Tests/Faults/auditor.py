"""The independent auditor: decides from the database file and the journals whether the contract was kept.

It shares no code with the store. It knows the table from `protocol/state-machine.json`, the rest of section 2
of the contract from its own `follow` below, and the tables' columns from the schema. It opens a copy of the
files, after all sidecars are gone, so that what a crash has left stays as it is for the next sidecar.

What it decides:
- the file is whole (integrity_check), seq counts from 1 without a gap, version counts from 1 without a gap per id
- every change goes along a row of the table, and is what section 2 makes of the state before
- the chain of previous_seq is right, and renderIds belong to one attempt each
- replaying the log from its start yields every row of renders, field by field, and render_ids
- every acknowledged change is in the log, with the seq, version and values of its answer, and is what was asked
- every status, change and history that was ever answered is one that the log yields
- nothing that was refused is in the log, and a refusal tells the truth about the render
- an idempotency key was applied at most once
- each token of a lease had one holder, and no acknowledged lease is lost
- the requests of one connection took effect in the order of their writing
- every other row belongs to a request that was in flight when its sidecar ended: an unknown outcome
"""

import collections
import dataclasses
import datetime
import json
import pathlib
import shutil
import sqlite3
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
MACHINE = json.loads((ROOT / "protocol/state-machine.json").read_text())
EVENTS = ("start", "progress", "complete", "fail", "cancel")
TABLE = {
    (state, event): row["target"]
    for state, node in MACHINE["states"].items()
    for event, row in node.get("on", {}).items()
}
TERMINAL = {name for name, node in MACHINE["states"].items() if "terminal" in node.get("tags", ())}
PROCESSING = {name: node["meta"]["processingStatus"] for name, node in MACHINE["states"].items()}
APPLICATION_ID = int.from_bytes(b"rsta", "big")
#: The most findings that are kept; one fault tends to have many consequences.
MOST_FINDINGS = 200


@dataclasses.dataclass
class Audit:
    """What an audit found, and its figures."""

    findings: list = dataclasses.field(default_factory=list)
    #: Rows of the log, and renders.
    changes: int = 0
    renders: int = 0
    #: Changes whose answers came, and requests that were answered as done before (replayed).
    acknowledged: int = 0
    repeated: int = 0
    #: Requests without an answer, and those of them whose change is in the log.
    in_flight: int = 0
    unknown: int = 0
    #: Those, as (call, row of the log).
    unknown_calls: list = dataclasses.field(default_factory=list)
    #: Refusals by kind.
    refused: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    #: Leases that were granted or renewed.
    leases: int = 0
    #: Statuses in answers that were compared with the log.
    statuses: int = 0
    #: Changes by actors that stand in no journal and were allowed.
    others: int = 0

    def find(self, text):
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(text)


def audit(database, calls, others=(), violations=(), lost=False, clock_was_set=False):
    """Audits a database file by the journal `calls`. Returns an Audit; everything that is wrong is in its findings.

    - others: actors whose changes stand in no journal, like "watchdog" and "sql"; all but the watchdog make theirs
      in a SQL shell.
    - violations: what the harness saw on the wire that is not as the contract says.
    - lost: that acknowledged changes at the end of the log may be missing, as after a power cut with
      `--synchronous normal`; then nothing is compared with the journals, only the file with itself.
    - clock_was_set: that the clock on the wall was set, and with it when an attempt was started and is to end.
    """
    result = Audit()
    for text in violations:
        result.find(text)
    with tempfile.TemporaryDirectory(prefix="renderstate-audit.") as folder:
        copy = pathlib.Path(folder) / "copy.sqlite"
        shutil.copyfile(database, copy)
        if pathlib.Path(f"{database}-wal").exists():
            shutil.copyfile(f"{database}-wal", f"{copy}-wal")
        try:
            file = _File(copy)
        except sqlite3.Error as error:
            result.find(f"the file cannot be read: {error}")
            return result
    _audit_file(file, result, {"sql", *others} - {"watchdog"}, clock_was_set)
    if not lost:
        _Journal(file, calls, others, result).compare()
    return result


class _File:
    """What stands in the tables, as rows by name."""

    def __init__(self, path):
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            # Texts that are no UTF-8 must be found, not fail the audit.
            connection.text_factory = lambda data: data.decode("utf-8", "backslashreplace")
            self.integrity = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            self.application_id = connection.execute("PRAGMA application_id").fetchone()[0]
            self.log = self._rows(connection, "SELECT * FROM transitions ORDER BY seq")
            self.renders = self._rows(connection, "SELECT * FROM renders")
            self.leases = self._rows(connection, "SELECT * FROM leases")
            self.render_ids = {tuple(row) for row in connection.execute("SELECT id, render_id FROM render_ids")}
        finally:
            connection.close()
        #: By id, the statuses that the log yields, by version from 1 on; filled by the replay.
        self.history = {}

    @staticmethod
    def _rows(connection, statement):
        cursor = connection.execute(statement)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row)) for row in cursor]

    def status(self, id, version):
        """The status of an id at a version, as the log yields it; None if the log does not have it."""
        if version == 0:
            return idle(id)
        versions = self.history.get(id, ())
        return versions[version - 1] if version <= len(versions) else None


def idle(id):
    return {
        "id": id, "state": "idle", "progress": 0, "renderId": None, "bucketName": None, "videoUrl": None, "error": None,
        "metadata": {}, "run": 0, "attempt": 0, "version": 0, "lastEvent": None, "processingStatus": None, "seq": 0,
        "createdAt": None, "updatedAt": None,
    }


def time_text(milliseconds):
    moment = datetime.datetime.fromtimestamp(milliseconds // 1000, datetime.timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03}Z"


def cut_error(text):
    """An error text as it is kept: 8,192 bytes at most, an ellipsis included where it was cut."""
    data = text.encode("utf-8", "surrogatepass")
    if len(data) <= 8_192:
        return text
    return data[: 8_192 - 3].decode("utf-8", "ignore") + "…"


def merge(metadata, change):
    merged = dict(metadata)
    for name, value in (change or {}).items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = value
    return merged


def parse(text):
    return None if text is None else json.loads(text)


def follow(before, action, context):
    """What an accepted event makes of a status, without its seq and time: section 2 of the contract.

    The context has all its keys: renderId, bucketName, progress, videoUrl, error, metadata; None where absent.
    """
    event = "start" if action == "regenerate" else action
    after = dict(before)
    after["version"] = before["version"] + 1
    after["lastEvent"] = event
    after["state"] = TABLE[("idle" if action == "regenerate" else before["state"], event)]
    after["processingStatus"] = PROCESSING[after["state"]]
    after["metadata"] = merge(before["metadata"], context["metadata"])
    if event == "start":
        if action == "regenerate":
            after["run"], after["attempt"] = before["run"] + 1, 1
        else:
            after["run"], after["attempt"] = max(1, before["run"]), before["attempt"] + 1
        after["progress"] = 0
        after["error"] = after["videoUrl"] = None
        after["renderId"], after["bucketName"] = context["renderId"], context["bucketName"]
        return after
    if event == "progress" and context["progress"] is not None:
        after["progress"] = max(before["progress"], context["progress"])
    elif event == "complete":
        after["progress"], after["videoUrl"] = 100, context["videoUrl"]
    elif event == "fail":
        after["error"] = "Render failed" if context["error"] is None else cut_error(context["error"])
    elif event == "cancel":
        after["error"] = "Render cancelled" if context["error"] is None else cut_error(context["error"])
    for name in ("renderId", "bucketName"):
        if context[name] is not None:
            after[name] = context[name]
    return after


def context_of(params):
    given = (params or {}).get("context") or {}
    return {
        name: given.get(name) for name in ("renderId", "bucketName", "progress", "videoUrl", "error", "metadata")
    }


#: The keys of a status and the columns of the log and of renders.
COLUMNS = {
    "id": "id", "state": "state", "progress": "progress", "renderId": "render_id", "bucketName": "bucket_name",
    "videoUrl": "video_url", "error": "error", "run": "run", "attempt": "attempt", "version": "version", "seq": "seq",
}


def difference(expected, found):
    """The first keys in which two objects differ, as text; None if they are equal."""
    keys = [key for key in {**expected, **found} if expected.get(key, "absent") != found.get(key, "absent")]
    if not keys:
        return None
    return ", ".join(
        f"{key} should be {str(expected.get(key, 'absent'))[:80]!r} and is {str(found.get(key, 'absent'))[:80]!r}"
        for key in keys[:3]
    )


def _audit_file(file, result, by_hand, clock_was_set):
    """The file by itself."""
    result.changes = len(file.log)
    result.renders = len(file.renders)
    if file.integrity != ["ok"]:
        result.find(f"integrity_check: {'; '.join(file.integrity[:5])}")
    if file.application_id != APPLICATION_ID:
        result.find(f"application_id is {file.application_id:#x}")

    started = {}
    owners = {}
    keys = {}
    for number, row in enumerate(file.log, 1):
        where = f"the log at seq {row['seq']} (render {row['id']}, version {row['version']}, {row['action']})"
        if row["seq"] != number:
            result.find(f"{where}: seq should be {number}; the log has a gap or a row too many")
            return
        versions = file.history.setdefault(row["id"], [])
        before = versions[-1] if versions else idle(row["id"])
        if row["version"] != before["version"] + 1:
            result.find(f"{where}: the version before is {before['version']}: versions are not gapless")
        if row["previous_seq"] != before["seq"]:
            result.find(f"{where}: previous_seq is {row['previous_seq']} and should be {before['seq']}")
        action = row["action"]
        if row["event"] != ("start" if action == "regenerate" else action) or row["event"] not in EVENTS:
            result.find(f"{where}: the event is {row['event']}")
            continue
        begins_run = action == "regenerate" and before["state"] in TERMINAL
        # A new run by hand, in a SQL shell, has the event for its action.
        if row["actor"] in by_hand and row["run"] == before["run"] + 1 and before["state"] in TERMINAL:
            begins_run, action = True, "regenerate"
        previous = "idle" if begins_run else before["state"]
        if row["previous_state"] != previous:
            result.find(f"{where}: previous_state is {row['previous_state']}, and the state before was {previous}")
        if (previous, row["event"]) not in TABLE:
            result.find(f"{where}: illegal transition, {row['event']} in state {previous}")
            versions.append(_status_of(row, before))
            continue
        if row["at"] < before.get("at", 0):
            result.find(f"{where}: its time is before the one of the change before")
        try:
            metadata = parse(row["metadata"])
            if metadata is not None and not isinstance(metadata, dict):
                raise ValueError("not an object")
        except ValueError as error:
            result.find(f"{where}: metadata is no JSON: {error}")
            metadata = None

        # What the row says it was given, as far as the values after it can tell.
        context = {
            "renderId": row["render_id"], "bucketName": row["bucket_name"], "progress": row["progress"],
            "videoUrl": row["video_url"], "error": row["error"], "metadata": metadata,
        }
        after = follow(before, action, context)
        after["seq"], after["at"] = row["seq"], row["at"]
        after["updatedAt"] = time_text(row["at"])
        after["createdAt"] = before["createdAt"] or after["updatedAt"]
        wrong = difference({key: after[key] for key in COLUMNS}, {key: row[column] for key, column in COLUMNS.items()})
        if wrong:
            result.find(f"{where}: {wrong}")
        _check_fence(row, before, owners, where, result)
        if row["idempotency_key"] is not None:
            key = (row["id"], row["idempotency_key"])
            if key in keys:
                result.find(f"{where}: idempotency key {key[1]} was applied at seq {keys[key]} already")
            keys[key] = row["seq"]
        if row["event"] == "start":
            started[row["id"]] = row["at"]
        versions.append(after)

    _audit_renders(file, None if clock_was_set else started, result, by_hand)
    expected = {(id, render_id) for (id, render_id) in owners}
    for pair in sorted(expected - file.render_ids)[:5]:
        result.find(f"render_ids has no row {pair}, and the log has")
    for pair in sorted(file.render_ids - expected)[:5]:
        result.find(f"render_ids has a row {pair}, and the log has not")


def _check_fence(row, before, owners, where, result):
    """A renderId belongs to the attempt that first named it."""
    if row["render_id"] is None:
        return
    owner = owners.setdefault((row["id"], row["render_id"]), (row["run"], row["attempt"]))
    if owner != (row["run"], row["attempt"]):
        result.find(f"{where}: renderId {row['render_id']} belongs to run {owner[0]}, attempt {owner[1]}")
    if row["event"] != "start" and before["renderId"] not in (None, row["render_id"]):
        result.find(f"{where}: renderId {before['renderId']} was replaced within an attempt")


def _status_of(row, before):
    """A status by a row that cannot be followed, so that the replay can go on."""
    after = dict(before)
    after.update({key: row[column] for key, column in COLUMNS.items()})
    after["lastEvent"], after["at"], after["updatedAt"] = row["event"], row["at"], time_text(row["at"])
    after["createdAt"] = before["createdAt"] or after["updatedAt"]
    after["processingStatus"] = PROCESSING.get(row["state"])
    return after


def _audit_renders(file, started, result, by_hand):
    """Every row of renders is what the log yields, and no render of the log is missing.

    `started` tells by id when the attempt was started; None if the clock was set, and deadlines were moved with it.
    """
    rows = {row["id"]: row for row in file.renders}
    if len(rows) != len(file.renders):
        result.find("renders has an id twice")
    for id in sorted(file.history.keys() - rows.keys())[:5]:
        result.find(f"render {id} is in the log and not in renders")
    for id, row in rows.items():
        if id not in file.history:
            result.find(f"render {id} is in renders and not in the log")
            continue
        last = file.history[id][-1]
        expected = {key: last[key] for key in COLUMNS}
        expected |= {"metadata": last["metadata"], "lastEvent": last["lastEvent"]}
        expected |= {"createdAt": last["createdAt"], "updatedAt": last["updatedAt"]}
        found = {key: row[column] for key, column in COLUMNS.items()}
        try:
            found["metadata"] = parse(row["metadata"])
        except ValueError:
            found["metadata"] = row["metadata"]
        found |= {"lastEvent": row["event"], "createdAt": time_text(row["created_at"])}
        found |= {"updatedAt": time_text(row["updated_at"])}
        if started is not None:
            expected["startedAt"], found["startedAt"] = started.get(id), row["started_at"]
        wrong = difference(expected, found)
        if wrong:
            result.find(f"render {id} is not what the log yields: {wrong}")
        if started is not None:
            _check_deadline(row, file.log[row["seq"] - 1] if 0 < row["seq"] <= len(file.log) else None, result, by_hand)


def _check_deadline(row, last, result, by_hand):
    """The first of the clocks that run; after a change by hand, any moment that is past."""
    candidates = []
    if row["state"] == "queued" and row["queued_ms"] is not None:
        candidates.append(row["started_at"] + row["queued_ms"])
    if row["state"] == "rendering" and row["stall_ms"] is not None:
        candidates.append(row["updated_at"] + row["stall_ms"])
    if row["state"] in ("queued", "rendering") and row["total_ms"] is not None:
        candidates.append(row["started_at"] + row["total_ms"])
    expected = min(candidates, default=None)
    is_past = last is not None and last["actor"] in by_hand and row["deadline_at"] == 0
    if row["deadline_at"] != expected and not is_past:
        result.find(f"render {row['id']}: deadline_at is {row['deadline_at']}, by its clocks it is {expected}")


class _Journal:
    """The file beside what the sidecars were asked and what they answered."""

    CHANGES = ("transition", "regenerate")

    def __init__(self, file, calls, others, result):
        self.file = file
        self.calls = calls
        self.others = set(others)
        self.result = result
        #: By seq, the call that made the change.
        self.made_by = {}

    def compare(self):
        for call in self.calls:
            if call.refused:
                self._refusal(call)
            elif call.succeeded:
                self._answer(call)
            elif call.method in self.CHANGES:
                self.result.in_flight += 1
        self._unknown_outcomes()
        self._order()
        self._leases()

    # What was answered

    def _answer(self, call):
        answer = call.result
        if call.method in self.CHANGES:
            self._change(call, answer)
        elif call.method == "getStatus":
            self._status(call, answer, call.params["id"])
        elif call.method == "getStatuses":
            if [status["id"] for status in answer["statuses"]] != call.params["ids"]:
                self.result.find(f"not in the order asked: {call}")
            for status in answer["statuses"]:
                self._status(call, status, status["id"])
        elif call.method == "listStatuses":
            for status in answer["statuses"]:
                self._status(call, status, status["id"])
        elif call.method == "getHistory":
            self._history(call, answer["changes"])

    def _status(self, call, status, id):
        """A status that was answered is one that the log yields."""
        self.result.statuses += 1
        if status["id"] != id:
            self.result.find(f"a status of another render: {call}")
            return
        expected = self.file.status(id, status["version"])
        if expected is None:
            self.result.find(f"version {status['version']} of render {id} was answered and is not in the log: {call}")
            return
        wrong = difference({key: value for key, value in expected.items() if key != "at"}, status)
        if wrong:
            self.result.find(f"a status is not what the log yields: {wrong}: {call}")

    def _history(self, call, changes):
        last = call.params.get("afterSeq") or 0
        for change in changes:
            if change["seq"] <= last or change["seq"] > len(self.file.log):
                self.result.find(f"seq {change['seq']} after {last} in a history; the log ends at {len(self.file.log)}: {call}")
                return
            last = change["seq"]
            wrong = difference(change_of(self.file.log[change["seq"] - 1]), change)
            if wrong or change["id"] != call.params["id"]:
                self.result.find(f"a history is not what the log says: {wrong}: {call}")

    def _change(self, call, answer):
        """An acknowledged change is in the log as answered, and is what was asked."""
        id = call.params["id"]
        key = call.params.get("idempotencyKey")
        action = "regenerate" if call.method == "regenerate" else call.params["event"]
        seq = answer["seq"]
        row = self.file.log[seq - 1] if 0 < seq <= len(self.file.log) else None
        if row is None or (row["id"], row["version"]) != (id, answer["version"]):
            self.result.find(f"an acknowledged change is missing from the log: {call}")
            return
        if (row["previous_state"], row["action"]) != (answer["previousState"], action):
            self.result.find(f"the log says {row['action']} from {row['previous_state']}: {call}")
        self._status(call, answer["status"], id)
        if answer["replayed"]:
            self.result.repeated += 1
            if key is None or row["idempotency_key"] != key:
                self.result.find(f"answered as done before, and the log has another key, {row['idempotency_key']}: {call}")
            return
        self.result.acknowledged += 1
        if answer["status"]["version"] != answer["version"]:
            self.result.find(f"the status is not the one right after the change: {call}")
        if seq in self.made_by:
            self.result.find(f"seq {seq} was acknowledged twice: {self.made_by[seq]} and {call}")
            return
        self.made_by[seq] = call
        if not self._is_of(row, call):
            self.result.find(f"the row of the log is another change: {call}; the log: {row}")
        before = self.file.status(id, answer["version"] - 1)
        wrong = self._effect(before, action, call.params, row)
        if wrong:
            self.result.find(f"the change is not what was asked: {wrong}: {call}")
        unmet = unmet_expectation(call.params, before)
        if unmet:
            self.result.find(f"accepted although {unmet}: {call}")

    @staticmethod
    def _is_of(row, call):
        """Whether a row carries what the request does."""
        action = "regenerate" if call.method == "regenerate" else call.params.get("event")
        asked = (call.params.get("id"), action, call.params.get("idempotencyKey"), call.params.get("actor"))
        return asked == (row["id"], row["action"], row["idempotency_key"], row["actor"])

    def _effect(self, before, action, params, row):
        """How a row differs from what section 2 makes of the state before and the request; None if not."""
        context = context_of(params)
        try:
            expected = follow(before, action, context)
        except KeyError:
            return f"{action} is not possible in state {before['state']}"
        expected["seq"] = row["seq"]
        found = {key: row[column] for key, column in COLUMNS.items()}
        wrong = difference({key: expected[key] for key in COLUMNS}, found)
        if not wrong and parse(row["metadata"]) != context["metadata"]:
            wrong = f"metadata should be {context['metadata']} and is {row['metadata']}"
        return wrong

    # What was refused

    def _refusal(self, call):
        error = call.error
        kind = call.kind
        self.result.refused[kind] += 1
        if kind == "internalError":
            self.result.find(f"a defect of the sidecar's own: {call}")
        status = (error.get("data") or {}).get("status")
        if kind not in ("invalidTransition", "conflict", "staleRender"):
            return
        if not status:
            self.result.find(f"refused without the current status: {call}")
            return
        self._status(call, status, call.params["id"])
        if kind == "conflict" and not unmet_expectation(call.params, status):
            self.result.find(f"refused as a conflict, and what was expected holds: {call}")
        if kind == "invalidTransition":
            action = "regenerate" if call.method == "regenerate" else call.params["event"]
            state = status["state"]
            if action == "regenerate":
                possible = state not in ("queued", "rendering")
            else:
                possible = (state, action) in TABLE
            if possible:
                self.result.find(f"refused as not possible, and the table has the row: {call}")
            allowed = [event for event in EVENTS if (state, event) in TABLE]
            if error["data"].get("allowedEvents") != allowed:
                self.result.find(f"allowedEvents should be {allowed}: {call}")

    # What nobody acknowledged

    def _unknown_outcomes(self):
        """Every row that no answer tells of belongs to a request in flight, and to each of those at most one."""
        in_flight = collections.defaultdict(list)
        refused = {}
        for call in self.calls:
            if call.method not in self.CHANGES or not isinstance(call.params, dict):
                continue
            action = "regenerate" if call.method == "regenerate" else call.params.get("event")
            key = (call.params.get("id"), action, call.params.get("idempotencyKey"), call.params.get("actor"))
            if call.in_flight:
                in_flight[key].append(call)
            elif call.refused and call.params.get("actor") is not None:
                refused[key] = call
        for row in self.file.log:
            if row["seq"] in self.made_by:
                continue
            key = (row["id"], row["action"], row["idempotency_key"], row["actor"])
            before = self.file.status(row["id"], row["version"] - 1)
            for call in in_flight[key]:
                if before and not self._effect(before, row["action"], call.params, row) \
                        and not unmet_expectation(call.params, before):
                    in_flight[key].remove(call)
                    self.made_by[row["seq"]] = call
                    self.result.unknown += 1
                    self.result.unknown_calls.append((call, row))
                    break
            else:
                if row["actor"] in self.others:
                    self.result.others += 1
                elif key in refused:
                    self.result.find(f"was refused and is in the log at seq {row['seq']}: {refused[key]}")
                else:
                    self.result.find(f"nobody asked for the change in the log at seq {row['seq']}: {row}")

    def _order(self):
        """The requests of one connection took effect in the order of their writing."""
        last = {}
        for seq in sorted(self.made_by):
            call = self.made_by[seq]
            before = last.get(call.connection)
            if before is not None and before.number > call.number:
                self.result.find(f"took effect in another order than written: {before} came to the log before {call}")
            last[call.connection] = call


    def _leases(self):
        """Each token had one holder, and the last one that was told is in the file, or a later one."""
        holders = {}
        last = {}
        for call in self.calls:
            if call.method != "acquireLease" or not call.succeeded:
                continue
            name, answer = call.params["name"], call.result
            self.result.leases += answer["acquired"]
            if answer["acquired"] != (answer["holder"] == call.params["holder"]):
                self.result.find(f"a lease granted and not had, or refused to its holder: {call}")
            holder = holders.setdefault((name, answer["token"]), answer["holder"])
            if holder != answer["holder"]:
                self.result.find(f"token {answer['token']} of lease {name} had two holders, {holder} and another: {call}")
            last[name] = max(last.get(name, 0), answer["token"])
        rows = {row["name"]: row for row in self.file.leases}
        for name, token in last.items():
            row = rows.get(name, {"token": 0})
            if row["token"] < token:
                self.result.find(f"an acknowledged lease is lost: {name} had token {token}, in the file it has {row['token']}")
            elif row["token"] == token and row["holder"] != holders[(name, token)]:
                self.result.find(f"token {token} of lease {name} had two holders, {holders[(name, token)]} and {row['holder']}")


def unmet_expectation(params, status):
    """What a request expects and a status does not have; None if all holds."""
    for name, key in (("expectedVersion", "version"), ("expectedState", "state"), ("expectedAttempt", "attempt")):
        if params.get(name) is not None and params[name] != status[key]:
            return f"{name} is {params[name]} and {key} {status[key]}"
    return None


def change_of(row):
    """A row of the log as the wire tells it."""
    change = {key: row[column] for key, column in COLUMNS.items()}
    change |= {"event": row["event"], "previousState": row["previous_state"], "actor": row["actor"]}
    change |= {"metadata": parse(row["metadata"]), "at": time_text(row["at"])}
    return change
