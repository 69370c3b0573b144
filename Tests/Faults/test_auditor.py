"""The auditor finds what is wrong: files and journals that a sidecar made, damaged by hand, one damage each."""

import copy
import os
import pathlib
import random
import shutil
import sqlite3
import tempfile
import unittest

from auditor import audit
from faults import Faults
from load import Load


class AuditorTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="renderstate-faults-auditor."))
        faults = Faults("auditor", os.environ["RENDERSTATE_BIN"], cls.folder, seed=1, long=False)
        first, second = (faults.sidecar("log.sqlite") for _ in range(2))
        ids = ["a", "b", "c", "d"]
        loads = [Load(random.Random(n), ids, sidecar.name, clocks=86_400_000) for n, sidecar in enumerate((first, second))]
        for load, sidecar in zip(loads, (first, second)):
            load.drive(sidecar, 300)
        # What the damages are done to, whatever the load did.
        for id, events in (("queued", ("start",)), ("video", ("start", "progress", "complete"))):
            for number, event in enumerate(events):
                first.result("transition", {
                    "id": id, "event": event, "actor": f"{id}-{number}", "expectedVersion": number,
                    "idempotencyKey": f"{id}-{number}", "timeouts": {"queuedMs": 86_400_000} if event == "start" else None,
                })
        first.refusal("transition", {"id": "video", "event": "cancel", "actor": "too late"}, "invalidTransition")
        first.refusal("transition", {"id": "queued", "event": "fail", "actor": "guess", "expectedVersion": 7}, "conflict")
        first.result("transition", {"id": "video", "event": "start", "actor": "again", "idempotencyKey": "video-0"})
        first.result("acquireLease", {"name": "poller", "holder": "first", "ttlMs": 86_400_000})
        second.result("acquireLease", {"name": "poller", "holder": "second", "ttlMs": 86_400_000})
        first.result("getHistory", {"id": "video"})
        first.result("getStatus", {"id": "video"})
        first.close()
        second.close()
        cls.database = cls.folder / "log.sqlite"
        cls.journal = faults.calls("log.sqlite")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def setUp(self):
        self.damaged = self.folder / f"{self.id()}.sqlite"
        shutil.copy(self.database, self.damaged)
        self.calls = [copy.deepcopy(call) for call in self.journal]

    def sql(self, *statements):
        """Changes the file past everything with which it defends itself."""
        connection = sqlite3.connect(self.damaged, isolation_level=None)
        triggers = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for (name,) in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            cursor = connection.execute(statement)
            self.assertNotEqual(cursor.rowcount, 0, f"changes nothing: {statement}")
        connection.close()

    def call(self, condition):
        """The last call of which this is true."""
        return [call for call in self.calls if condition(call)][-1]

    def acting(self, actor):
        return self.call(lambda call: call.params.get("actor") == actor)

    def assert_found(self, text, **allowed):
        result = audit(self.damaged, self.calls, **allowed)
        self.assertTrue(any(text in finding for finding in result.findings), f"{text!r} is not in {result.findings[:5]}")

    def assert_clean(self, **allowed):
        result = audit(self.damaged, self.calls, **allowed)
        self.assertEqual(result.findings, [])
        return result

    # What is right

    def test_what_is_whole_passes(self):
        result = self.assert_clean()
        self.assertEqual(result.acknowledged, result.changes)
        self.assertGreater(result.acknowledged, 100)
        for kind in ("invalidTransition", "conflict", "staleRender"):
            self.assertGreater(result.refused[kind], 0, kind)
        self.assertGreater(result.repeated, 0)
        self.assertGreater(result.leases, 1)
        self.assertEqual((result.unknown, result.in_flight), (0, 0))

    def test_a_change_in_flight_may_have_happened(self):
        self.acting("video-2").answered = None
        result = self.assert_clean()
        self.assertEqual((result.unknown, result.in_flight), (1, 1))

    def test_a_change_in_flight_may_not_have_happened(self):
        call = copy.deepcopy(self.acting("video-2"))
        call.answered = call.result = None
        call.params["actor"] = "never"
        self.calls.append(call)
        result = self.assert_clean()
        self.assertEqual((result.unknown, result.in_flight), (0, 1))

    def test_a_change_of_an_actor_who_is_allowed_needs_no_journal(self):
        self.calls.remove(self.acting("video-2"))
        self.assert_found("nobody asked")
        self.assertEqual(self.assert_clean(others={"video-2"}).others, 1)

    # The file by itself

    def test_a_version_gap(self):
        self.sql(
            "UPDATE transitions SET version = version + 1 WHERE id = 'video' AND version = 3",
            "UPDATE renders SET version = version + 1 WHERE id = 'video'",
        )
        self.assert_found("versions are not gapless")

    def test_a_seq_gap(self):
        self.sql("DELETE FROM transitions WHERE seq = 5")
        self.assert_found("the log has a gap")

    def test_an_illegal_transition(self):
        self.sql(
            "UPDATE transitions SET event = 'complete', action = 'complete', state = 'completed', progress = 100 "
            "WHERE id = 'video' AND version = 2"
        )
        self.assert_found("illegal transition, complete in state queued")

    def test_a_row_that_goes_nowhere_the_table_knows(self):
        self.sql("UPDATE transitions SET state = 'completed' WHERE id = 'video' AND version = 2")
        self.assert_found("state should be 'rendering'")

    def test_a_wrong_previous_state(self):
        self.sql("UPDATE transitions SET previous_state = 'queued' WHERE id = 'video' AND version = 3")
        self.assert_found("previous_state is queued")

    def test_a_broken_chain(self):
        self.sql("UPDATE transitions SET previous_seq = 1 WHERE id = 'video' AND version = 3")
        self.assert_found("previous_seq is 1")

    def test_a_time_that_goes_back(self):
        self.sql("UPDATE transitions SET at = at - 1000000 WHERE id = 'video' AND version = 3")
        self.assert_found("its time is before")

    def test_every_column_of_a_render_is_compared_with_the_log(self):
        changes = {
            "state": "'failed'", "progress": "99", "render_id": "'x'", "bucket_name": "'x'", "video_url": "'x'", "error": "'x'",
            "metadata": "'{\"x\":1}'", "run": "run + 1", "attempt": "attempt + 1", "version": "version + 1", "seq": "seq - 1",
            "created_at": "created_at - 1", "updated_at": "updated_at + 1", "started_at": "started_at + 1", "event": "'fail'",
        }
        for column, value in changes.items():
            with self.subTest(column=column):
                shutil.copy(self.database, self.damaged)
                self.sql(f"UPDATE renders SET {column} = {value} WHERE id = 'video'")
                self.assert_found("render video is not what the log yields")

    def test_a_wrong_deadline(self):
        self.sql("UPDATE renders SET deadline_at = deadline_at + 1 WHERE id = 'queued'")
        self.assert_found("deadline_at")

    def test_a_deadline_that_is_lost(self):
        self.sql("UPDATE renders SET deadline_at = NULL WHERE id = 'queued'")
        self.assert_found("deadline_at")

    def test_a_render_that_is_missing(self):
        self.sql("DELETE FROM renders WHERE id = 'video'")
        self.assert_found("render video is in the log and not in renders")

    def test_a_render_that_is_not_in_the_log(self):
        self.sql("INSERT INTO renders SELECT NULL, 'ghost', state, progress, render_id, bucket_name, video_url, error, metadata, run, "
                 "attempt, version, seq, created_at, updated_at, started_at, queued_ms, stall_ms, total_ms, deadline_at, event, actor "
                 "FROM renders WHERE id = 'video'")
        self.assert_found("render ghost is in renders and not in the log")

    def test_a_doubled_idempotency_key(self):
        self.sql(
            "DROP INDEX transitions_by_key",
            "UPDATE transitions SET idempotency_key = 'video-0' WHERE id = 'video' AND version = 3",
        )
        self.assert_found("idempotency key video-0 was applied at seq")

    def test_a_render_id_of_an_earlier_attempt(self):
        self.sql(
            "UPDATE transitions SET render_id = (SELECT render_id FROM transitions t WHERE t.id = transitions.id "
            "AND t.seq < transitions.seq AND t.render_id IS NOT NULL AND (t.run, t.attempt) <> (transitions.run, transitions.attempt) "
            "LIMIT 1) WHERE id = 'a' AND render_id IS NOT NULL AND run > 2"
        )
        self.assert_found("belongs to run")

    def test_a_render_id_that_is_not_kept(self):
        self.sql("DELETE FROM render_ids WHERE id = 'a'")
        self.assert_found("render_ids has no row")

    def test_a_page_of_noughts(self):
        with open(self.damaged, "r+b") as file:
            file.seek(3 * 4_096)
            file.write(bytes(4_096))
        result = audit(self.damaged, self.calls)
        self.assertTrue(any("integrity_check" in text or "cannot be read" in text for text in result.findings), result.findings[:3])

    def test_a_file_that_is_no_database(self):
        self.damaged.write_bytes(b"not a database" * 1_000)
        self.assert_found("cannot be read")

    # The file and the journal

    def test_an_acknowledged_change_that_is_lost(self):
        # As if the last commits had never been: the file is whole in itself.
        self.sql(
            "DELETE FROM transitions WHERE id = 'video'",
            "DELETE FROM renders WHERE id = 'video'",
        )
        self.assertEqual(audit(self.damaged, [], lost=True).findings, [])
        self.assert_found("an acknowledged change is missing from the log")

    def test_an_acknowledged_change_in_whose_place_is_another(self):
        self.sql("UPDATE transitions SET actor = 'somebody else' WHERE id = 'video' AND version = 3")
        self.assert_found("the row of the log is another change")

    def test_a_change_that_is_not_what_was_asked(self):
        self.acting("video-2").params["context"] = {"videoUrl": "https://cdn.example/asked.mp4"}
        self.assert_found("the change is not what was asked")

    def test_metadata_that_is_not_what_was_asked(self):
        self.acting("video-2").params["context"] = {"metadata": {"a": 1}}
        self.assert_found("the change is not what was asked: metadata")

    def test_an_answer_with_another_version(self):
        self.acting("video-2").result["version"] += 1
        self.assert_found("an acknowledged change is missing from the log")

    def test_two_answers_with_one_seq(self):
        call = copy.deepcopy(self.acting("video-2"))
        call.number += 1
        self.calls.append(call)
        self.assert_found("was acknowledged twice")

    def test_a_refused_change_that_happened(self):
        call = self.acting("video-2")
        call.result, call.error = None, copy.deepcopy(self.acting("too late").error)
        self.assert_found("was refused and is in the log")

    def test_a_change_that_nobody_asked_for(self):
        self.calls.remove(self.acting("video-2"))
        self.assert_found("nobody asked for the change")

    def test_a_change_in_flight_that_happened_twice(self):
        self.sql("UPDATE transitions SET actor = 'twice', idempotency_key = NULL WHERE id = 'video' AND version = 2")
        self.sql(
            "INSERT INTO transitions SELECT (SELECT max(seq) + 1 FROM transitions), id, event, state, 'rendering', 0, render_id, bucket_name, "
            "NULL, NULL, metadata, run, attempt, version + 1, actor, at, action, NULL, seq, NULL FROM transitions WHERE id = 'video' AND version = 2"
        )
        call = self.acting("video-1")
        call.params["actor"], call.answered, call.params["idempotencyKey"] = "twice", None, None
        del call.params["expectedVersion"]
        self.assert_found("nobody asked for the change")

    def test_an_expected_version_that_did_not_hold(self):
        self.acting("video-2").params["expectedVersion"] = 1
        self.assert_found("accepted although expectedVersion is 1 and version 2")

    def test_a_conflict_where_all_holds(self):
        call = self.acting("guess")
        call.params["expectedVersion"] = 1
        self.assert_found("refused as a conflict, and what was expected holds")

    def test_a_transition_refused_that_the_table_has(self):
        call = self.acting("too late")
        call.params["id"] = "queued"
        call.error["data"]["status"] = copy.deepcopy(self.acting("queued-0").result["status"])
        self.assert_found("refused as not possible, and the table has the row")

    def test_a_refusal_with_a_status_that_never_was(self):
        self.acting("too late").error["data"]["status"]["progress"] = 50
        self.assert_found("a status is not what the log yields: progress")

    def test_a_defect_of_the_sidecar(self):
        self.acting("too late").error = {"code": -32603, "message": "", "data": {"kind": "internalError"}}
        self.assert_found("a defect of the sidecar's own")

    def test_a_repeated_request_that_is_answered_with_another_change(self):
        call = self.acting("again")
        call.result["version"] += 1
        self.assert_found("an acknowledged change is missing")

    def test_a_request_answered_as_repeated_that_was_not(self):
        self.acting("again").params["idempotencyKey"] = "new"
        self.assert_found("answered as done before")

    def test_a_status_that_was_read_and_never_was(self):
        for key, value in (("state", "failed"), ("createdAt", "2020-01-01T00:00:00.000Z"), ("metadata", {"x": 1}), ("version", 9)):
            with self.subTest(key=key):
                self.calls = [copy.deepcopy(call) for call in self.journal]
                self.call(lambda call: call.method == "getStatus" and call.params["id"] == "video").result[key] = value
                self.assert_found("a status is not" if key != "version" else "is not in the log")

    def test_a_history_that_is_not_the_log(self):
        call = self.call(lambda call: call.method == "getHistory" and call.params["id"] == "video")
        call.result["changes"][1]["actor"] = "x"
        self.assert_found("a history is not what the log says")

    def test_a_history_out_of_order(self):
        call = self.call(lambda call: call.method == "getHistory" and call.params["id"] == "video")
        call.result["changes"].reverse()
        self.assert_found("in a history")

    def test_an_acknowledged_lease_that_is_lost(self):
        self.sql("DELETE FROM leases WHERE name = 'poller'")
        self.assert_found("an acknowledged lease is lost")

    def test_a_lease_that_another_has_in_the_file(self):
        self.sql("UPDATE leases SET holder = 'another' WHERE name = 'poller'")
        self.assert_found("had two holders, first and another")

    def test_a_token_with_two_holders(self):
        call = self.call(lambda call: call.params.get("holder") == "second")
        call.result |= {"acquired": True, "holder": "second"}
        self.assert_found("token 1 of lease poller had two holders")

    def test_requests_that_took_effect_in_another_order(self):
        first, second = self.acting("video-1"), self.acting("video-2")
        first.number, second.number = second.number, first.number
        self.assert_found("took effect in another order")

    def test_what_the_harness_saw_is_told(self):
        self.assert_found("a line that is no JSON", violations=["s1 wrote a line that is no JSON"])


if __name__ == "__main__":
    unittest.main()
