"""The model of what is owed says what the contract says, line by line."""

import json
import unittest

from owed import (
    CONFLICT, INVALID_PARAMS, INVALID_REQUEST, INVALID_TRANSITION, METHOD_NOT_FOUND, PARSE_ERROR, RESULT, SHUTTING_DOWN, STALE_RENDER,
    Owing, fault,
)

PING = b'{"jsonrpc":"2.0","id":%s,"method":"ping"}'
CHANGE = {RESULT, INVALID_TRANSITION, CONFLICT, STALE_RENDER}


def owed(data, limit=1 << 20):
    """What is owed for a whole stream, without the lines."""
    owing = Owing(limit)
    return [one for one, _ in owing.take(data) + owing.end()]


def request(method, **params):
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()


class OwedTest(unittest.TestCase):
    def assert_owed(self, line, *expected, limit=1 << 20):
        self.assertEqual(owed(line, limit), [(id, frozenset(codes)) for id, codes in expected], line[:200])

    def test_what_cannot_be_read_is_owed_a_parse_error_with_a_null_id(self):
        for line in (
            b"nonsense", b'{"id":1', b"\xef\xbb\xbf" + PING % b"1", b'{"id":"\xff"}', b'"\\ud800"', b'["\\ud800\\ud800"]', b'{"\\udc00":1}',
            b'{"a":"\\ud800","a":1}', b"\0", b"NaN", b"[Infinity]", b"01", b"1.", b"[1,]", b'{"a":1,}', b'"\t"', b"[" * 513 + b"]" * 513,
            b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 600 + b"1" + b"}" * 600, b'"\xed\xa0\x80"', b"1" * 500 + b"x",
        ):
            self.assert_owed(line, (None, {PARSE_ERROR}))

    def test_what_is_no_request_is_owed_an_invalid_request_with_the_id_that_can_be_had(self):
        for line, id in (
            (b"1", None), (b'"\\ud83d\\ude00"', None), (b"[]", None), (b"[" * 512 + b"]" * 512, None), (b"{}", None), (b'{"id":7}', 7),
            (b'{"jsonrpc":"2.1","id":"a","method":"ping"}', "a"), (b'{"jsonrpc":"2.0","id":3,"method":4}', 3), (PING % b"true", None),
            (PING % b"[1]", None), (PING % b"1e400", None), (PING % (b"9" * 500), None), (b"[" + b"1," * 1_000 + b"1]", None),
        ):
            if line.startswith(b"[["):
                # An array of one element that is no message.
                self.assertEqual(owed(line), [[(None, {INVALID_REQUEST})]])
            else:
                self.assert_owed(line, (id, {INVALID_REQUEST}))

    def test_ids_come_back(self):
        for text, id in ((b"1", 1), (b"null", None), (b'"x"', "x"), (b"-9223372036854775808", -(2**63)), (b"1.5", 1.5), (b"1e22", 1e22)):
            self.assert_owed(PING % text, (id, {RESULT}))
        self.assert_owed(b'{"id":1,"id":2,"jsonrpc":"2.0","method":"ping"}', (2, {RESULT}))

    def test_nothing_is_owed_for_blank_lines_notifications_and_responses(self):
        self.assert_owed(b"\n \t\r\n\r\n")
        self.assert_owed(b'{"jsonrpc":"2.0","method":"ping"}\n{"jsonrpc":"2.0","method":"transition","params":[]}\n')
        self.assert_owed(b'{"jsonrpc":"2.0","id":1,"result":{}}\n{"jsonrpc":"2.0","id":null,"error":{}}\n')
        self.assert_owed(b'[{"jsonrpc":"2.0","method":"ping"}]')

    def test_params_decide(self):
        for line, codes in (
            (request("ping"), {RESULT}), (request("ping", x=1), {INVALID_PARAMS}), (request("pong"), {METHOD_NOT_FOUND}),
            (request("getStatus", id="a"), {RESULT}), (request("getStatus", id=""), {INVALID_PARAMS}), (request("getStatus"), {INVALID_PARAMS}),
            (request("getStatus", id="ü" * 100), {RESULT}), (request("getStatus", id="ü" * 101), {INVALID_PARAMS}),
            (request("getStatus", id="\x7f"), {INVALID_PARAMS}), (request("getHistory", id="a", limit=5.0), {RESULT}),
            (request("getHistory", id="a", limit=1.5), {INVALID_PARAMS}), (request("getHistory", id="a", limit=True), {INVALID_PARAMS}),
            (request("getStatuses", ids=[]), {INVALID_PARAMS}), (request("getStatuses", ids=["a"] * 1_000), {RESULT}),
            (request("subscribe", untilTerminal=True), {INVALID_PARAMS}), (request("subscribe", untilTerminal=None, ids=None), {RESULT}),
            (request("listStatuses", cursor="x"), {RESULT, INVALID_PARAMS}), (request("listStatuses", cursor=1), {INVALID_PARAMS}),
            (request("acquireLease", name="n", holder="h", ttlMs=0), {INVALID_PARAMS}),
            (request("transition", id="a", event="start"), CHANGE), (request("transition", id="a", event="stop"), {INVALID_PARAMS}),
            (request("transition", id="a", event="start", context={"progress": 1}), {INVALID_PARAMS}),
            (request("transition", id="a", event="start", context={"progress": None}), CHANGE),
            (request("transition", id="a", event="progress", context={"progress": 100.1}), {INVALID_PARAMS}),
            (request("transition", id="a", event="progress", timeouts={}), {INVALID_PARAMS}),
            (request("transition", id="a", event="start", idempotencyKey="k"), CHANGE | {INVALID_PARAMS}),
            (request("transition", id="a", event="fail", context={"error": "x" * 9_000}), CHANGE),
            (request("transition", id="a", event="start", context={"metadata": {"x": "y" * 17_000}}), {INVALID_PARAMS}),
            (request("regenerate", id="a", expectedAttempt=1), {INVALID_PARAMS}),
            (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":null}', {RESULT}),
            (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', {INVALID_PARAMS}),
        ):
            self.assert_owed(line, (1, codes))

    def test_a_line_over_the_limit_is_owed_one_answer_wherever_it_is_cut(self):
        for line, answers in ((b"x" * 10 + b"\r\n", [PARSE_ERROR]), (b"x" * 11 + b"\r\n", [INVALID_REQUEST]), (b"x" * 40, [INVALID_REQUEST])):
            for size in range(1, 13):
                owing = Owing(10)
                found = []
                for start in range(0, len(line), size):
                    found += owing.take(line[start:start + size])
                found += owing.end()
                self.assertEqual([one for one, _ in found], [(None, {code}) for code in answers])

    def test_behind_a_shutdown_requests_are_turned_away(self):
        stop = b'{"jsonrpc":"2.0","id":1,"method":"shutdown"}\n'
        self.assertEqual(owed(stop + PING % b"2" + b"\nx\n"), [(1, {RESULT}), (2, {SHUTTING_DOWN}), (None, {PARSE_ERROR})])
        wrong = b'{"jsonrpc":"2.0","id":1,"method":"shutdown","params":{"x":1}}\n'
        self.assertEqual(owed(wrong + PING % b"2"), [(1, {INVALID_PARAMS}), (2, {RESULT})])

    def test_answers_are_compared(self):
        right = {"jsonrpc": "2.0", "id": 1, "result": {}}
        refused = {"jsonrpc": "2.0", "id": None, "error": {"code": PARSE_ERROR, "message": "m", "data": {"kind": "parseError"}}}
        (ping,), (bad,) = owed(PING % b"1"), owed(b"x")
        (batch,) = owed(b"[1," + PING % b"1" + b"]")
        self.assertIsNone(fault(ping, right))
        self.assertIsNone(fault(bad, refused))
        for one, answer in (
            (ping, refused), (bad, right), (ping, {**right, "id": "1"}), (ping, {**right, "id": True}), (ping, {**right, "error": {}}),
            (ping, {"id": 1, "result": {}}), (ping, [right]), (batch, [right]), (batch, right), (batch, [right, right]),
            (bad, {**refused, "error": {**refused["error"], "data": {"kind": "invalidRequest"}}}),
        ):
            self.assertIsNotNone(fault(one, answer), answer)


if __name__ == "__main__":
    unittest.main()
