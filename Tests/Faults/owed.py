"""What is owed for bytes on stdin: the contract's sections 1, 4 and 7, read anew. It shares no code with the sidecar.

`Owing` takes the stream in pieces, as it is written, and says for each line whether an answer is owed, with which id,
and which outcomes are possible. The state of renders it does not know: of a request that is right in itself it takes a
result, or a refusal that the state may be the reason for. `fault` compares an answer with that.
"""

import json
import math
import re
import sys

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602
INVALID_TRANSITION, CONFLICT, STALE_RENDER, UNKNOWN_SUBSCRIPTION, SHUTTING_DOWN = -32001, -32002, -32003, -32006, -32007
#: The result, among codes.
RESULT = None
KINDS = {
    PARSE_ERROR: "parseError", INVALID_REQUEST: "invalidRequest", METHOD_NOT_FOUND: "methodNotFound",
    INVALID_PARAMS: "invalidParams", INVALID_TRANSITION: "invalidTransition", CONFLICT: "conflict",
    STALE_RENDER: "staleRender", UNKNOWN_SUBSCRIPTION: "unknownSubscription", SHUTTING_DOWN: "shuttingDown",
}
EVENTS = {"start", "progress", "complete", "fail", "cancel"}
STATES = {"idle", "queued", "rendering", "completed", "failed"}
#: The methods that take effect without an id.
ACTING = {"transition", "regenerate", "releaseLease", "unsubscribe", "shutdown"}
DEEPEST = 512
LONGEST_BATCH = 1_000
LONGEST_TIME = 31_622_400_000

# A line may be nested twice as deep as is read, and must be refused for that and not for Python's limit.
sys.setrecursionlimit(max(sys.getrecursionlimit(), 3_000))


class NotJSON(Exception):
    """A line that is no JSON in UTF-8, as the contract has it."""


def _no_constant(name):
    raise NotJSON(name)


def _integer(digits):
    return int(digits) if len(digits) < 400 else math.copysign(math.inf, -1 if digits.startswith("-") else 1)


def _sound(pairs):
    """An object, of which each text was looked at, also under keys that come twice."""
    for name, value in pairs:
        _check_texts(name)
        _check_texts(value)
    return dict(pairs)


def _check_texts(value):
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise NotJSON("a lone surrogate") from None
    elif isinstance(value, list):
        for element in value:
            _check_texts(element)


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
_CAREFUL = json.JSONDecoder(parse_constant=_no_constant, parse_int=_integer, object_pairs_hook=_sound)
#: What the quick decoder does not do as the contract has it: halves of surrogate pairs, very long numbers.
_DELICATE = re.compile(rb"\\u[dD][89a-fA-F]|\d{300}")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def depth(value):
    """How many arrays and objects are nested in a value."""
    deepest = 0
    waiting = [(value, 1)]
    while waiting:
        value, level = waiting.pop()
        if isinstance(value, dict):
            inner = value.values()
        elif isinstance(value, list):
            inner = value
        else:
            continue
        deepest = max(deepest, level)
        waiting.extend((element, level + 1) for element in inner)
    return deepest


def read(line):
    """The value of a line; raises NotJSON."""
    delicate = _DELICATE.search(line)
    try:
        value = (_CAREFUL if delicate else _DECODER).decode(line.decode())
    except (ValueError, RecursionError) as error:
        raise NotJSON(str(error)) from None
    if delicate:
        _check_texts(value)
    if line.count(b"[") + line.count(b"{") > DEEPEST and depth(value) > DEEPEST:
        raise NotJSON("too deep")
    return value


# Params

def _is_integer(value, least=0, most=2**53 - 1):
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return least <= value <= most and value == int(value)


def _is_text(value, most=200):
    return isinstance(value, str) and 1 <= len(value.encode()) <= most and not _CONTROL.search(value)


def _is_object(value):
    return isinstance(value, dict)


def _is_list(value, most, fits):
    return isinstance(value, list) and 1 <= len(value) <= most and all(map(fits, value))


def _is_word(words):
    return lambda value: isinstance(value, str) and value in words


def _is_finite(value):
    """Whether a double holds every number in a value."""
    if isinstance(value, dict):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        try:
            float(value)
        except OverflowError:
            return False
    return True


def _is_metadata(value):
    """True, False, or None where it depends on how numbers are spelled."""
    if not isinstance(value, dict) or depth(value) > 8 or not _is_finite(value):
        return False
    size = len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())
    if size < 3_000:
        return True
    return None if 3_000 <= size <= 40_000 and _has_number(value) or abs(size - 16_384) < 2 else size <= 16_384


def _has_number(value):
    if isinstance(value, (dict, list)):
        return any(map(_has_number, value.values() if isinstance(value, dict) else value))
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _context(event):
    def fits(value):
        if not isinstance(value, dict) or not CONTEXT.keys() >= value.keys():
            return False
        verdict = True
        for name, member in value.items():
            if member is None:
                continue
            check, events = CONTEXT[name]
            fitting = check(member)
            if fitting is False or (events and event not in events):
                return False
            verdict = verdict and fitting
        return verdict
    return fits


CONTEXT = {
    "renderId": (_is_text, None),
    "bucketName": (_is_text, None),
    "progress": (lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 100, {"progress"}),
    "videoUrl": (lambda value: _is_text(value, 2_048), {"complete"}),
    "error": (lambda value: isinstance(value, str), {"fail", "cancel"}),
    "metadata": (_is_metadata, None),
}


def _timeouts(event):
    def fits(value):
        return isinstance(value, dict) and event == "start" and {"queuedMs", "stallMs", "totalMs"} >= value.keys() and all(
            member is None or _is_integer(member, 0, LONGEST_TIME) for member in value.values()
        )
    return fits


def _change(event):
    params = {
        "id!": _is_text, "context": _context(event), "expectedVersion": _is_integer, "expectedState": _is_word(STATES),
        "idempotencyKey": _is_text, "actor": _is_text, "timeouts": _timeouts(event),
    }
    return params


_TRANSITIONS = {event: {**_change(event), "event!": _is_word(EVENTS), "expectedAttempt": _is_integer} for event in EVENTS}
_REGENERATE = _change("start")
_LIMIT = lambda value: _is_integer(value, 1, 1_000)  # noqa: E731
_IDS = lambda value: _is_list(value, 1_000, _is_text)  # noqa: E731
_SOME_STATES = lambda value: _is_list(value, 5, _is_word(STATES))  # noqa: E731
#: The params of each method: a name with ! is required.
PARAMS = {
    "getStatus": {"id!": _is_text},
    "getStatuses": {"ids!": _IDS},
    "listStatuses": {"states": _SOME_STATES, "cursor": lambda value: None if isinstance(value, str) else False, "limit": _LIMIT},
    "getHistory": {"id!": _is_text, "afterSeq": _is_integer, "limit": _LIMIT},
    "subscribe": {
        "ids": _IDS, "states": _SOME_STATES, "afterSeq": _is_integer, "untilTerminal": lambda value: isinstance(value, bool),
    },
    "unsubscribe": {"subscription!": lambda value: isinstance(value, str)},
    "acquireLease": {"name!": _is_text, "holder!": _is_text, "ttlMs!": lambda value: _is_integer(value, 1, LONGEST_TIME)},
    "releaseLease": {"name!": _is_text, "holder!": _is_text},
    "initialize": {"client": _is_object},
    "stats": {}, "ping": {}, "rpc.discover": {}, "shutdown": {},
}
METHODS = PARAMS.keys() | {"transition", "regenerate"}
_CHANGING = frozenset((RESULT, INVALID_TRANSITION, CONFLICT, STALE_RENDER))
_ONLY = {code: frozenset((code,)) for code in (*KINDS, RESULT)}
_UNSURE = frozenset((RESULT, INVALID_PARAMS))
_UNSUBSCRIBING = frozenset((RESULT, UNKNOWN_SUBSCRIPTION))


def _judge(params, rules):
    """Whether an object keeps to rules by name: True, False, or None where one of them can't tell."""
    known = 0
    verdict = True
    for name, fits in rules.items():
        required = name[-1] == "!"
        name = name[:-1] if required else name
        if name in params:
            known += 1
            value = params[name]
        else:
            value = None
        if value is None:
            if required:
                return False
            continue
        fitting = fits(value)
        if fitting is False:
            return False
        verdict = verdict and fitting
    return verdict if known == len(params) else False


def outcomes(method, params):
    """The codes a request may be answered with, RESULT among them; params None if they are absent or null."""
    if method not in METHODS:
        return _ONLY[METHOD_NOT_FOUND]
    if params is None:
        params = {}
    elif not isinstance(params, dict):
        return _ONLY[INVALID_PARAMS]
    if method == "transition":
        event = params.get("event")
        rules = _TRANSITIONS.get(event) if isinstance(event, str) else None
        verdict = _judge(params, rules) if rules else False
    else:
        verdict = _judge(params, _REGENERATE if method == "regenerate" else PARAMS[method])
    if method == "subscribe" and verdict and params.get("untilTerminal") and params.get("ids") is None:
        verdict = False
    if verdict is False:
        return _ONLY[INVALID_PARAMS]
    if method == "transition" or method == "regenerate":
        # A key that did something else before, or metadata too large with what was there.
        if verdict is None or params.get("idempotencyKey") is not None or (params.get("context") or {}).get("metadata"):
            return _CHANGING | _UNSURE
        return _CHANGING
    if method == "unsubscribe":
        return _UNSUBSCRIBING
    return _ONLY[RESULT] if verdict else _UNSURE


def _repeatable(id):
    """Whether an answer can carry this id."""
    if isinstance(id, bool):
        return False
    if isinstance(id, float):
        return math.isfinite(id)
    if isinstance(id, int):
        return -(10**300) < id < 10**300 or _is_finite(id)
    return id is None or isinstance(id, str)


_UNREADABLE = (None, _ONLY[PARSE_ERROR])
_NO_REQUEST = (None, _ONLY[INVALID_REQUEST])


class Owing:
    """What is owed for a stream that is written piece by piece."""

    def __init__(self, limit=1 << 20):
        self.limit = limit
        #: Whether a shutdown was read.
        self.stopping = False
        self._partial = b""
        self._discarding = False

    def take(self, data):
        """What is owed for the next bytes: a list of (owed, line); owed is (id, codes), or a list of those for a batch."""
        found = []
        *lines, rest = data.split(b"\n")
        for line in lines:
            if self._discarding:
                self._discarding = False
                continue
            if self._partial:
                line = self._partial + line
                self._partial = b""
            if line.endswith(b"\r"):
                line = line[:-1]
            owed = _NO_REQUEST if len(line) > self.limit else self._line(line)
            if owed is not None:
                found.append((owed, line))
        if not self._discarding:
            self._partial += rest
            size = len(self._partial)
            if size > self.limit + 1 or (size == self.limit + 1 and not self._partial.endswith(b"\r")):
                found.append((_NO_REQUEST, self._partial[:200]))
                self._partial = b""
                self._discarding = True
        return found

    def end(self):
        """What is owed for the end of the stream: its last line may have no end."""
        if self._discarding or not self._partial:
            return []
        owed = _NO_REQUEST if len(self._partial) > self.limit else self._line(self._partial)
        return [] if owed is None else [(owed, self._partial)]

    def _line(self, line):
        if not line.strip(b" \t\r\n"):
            return None
        try:
            value = read(line)
        except NotJSON:
            return _UNREADABLE
        if not isinstance(value, list):
            return self._message(value)
        if not 1 <= len(value) <= LONGEST_BATCH:
            return _NO_REQUEST
        answers = [owed for owed in map(self._message, value) if owed is not None]
        return answers or None

    def _message(self, value):
        if not isinstance(value, dict):
            return _NO_REQUEST
        id = value.get("id")
        repeatable = _repeatable(id)
        refused = (id if repeatable else None, _ONLY[INVALID_REQUEST])
        if value.get("jsonrpc") != "2.0":
            return refused
        method = value.get("method")
        if not isinstance(method, str):
            if "method" not in value and "id" in value and ("result" in value or "error" in value):
                return None
            return refused
        if not repeatable:
            return refused
        params = value.get("params")
        if "id" not in value:
            if method == "shutdown" and outcomes(method, params) == _ONLY[RESULT]:
                self.stopping = True
            return None
        if self.stopping:
            return id, _ONLY[SHUTTING_DOWN]
        codes = outcomes(method, params)
        if method == "shutdown" and codes == _ONLY[RESULT]:
            self.stopping = True
        return id, codes


# Answers

def is_same_id(owed, found):
    if isinstance(owed, bool) or isinstance(found, bool):
        return False
    if isinstance(owed, (int, float)) and isinstance(found, (int, float)):
        if isinstance(owed, int) and -(2**63) <= owed < 2**63:
            return owed == found
        return float(owed) == float(found)
    return type(owed) is type(found) and owed == found


def fault(owed, answer):
    """What is wrong with an answer to a line; None if nothing is."""
    if not isinstance(owed, list):
        return _fault(owed, answer)
    if not isinstance(answer, list) or len(answer) != len(owed):
        return f"a batch is owed an array of {len(owed)}"
    for one, its_answer in zip(owed, answer):
        text = _fault(one, its_answer)
        if text:
            return f"in a batch: {text}"
    return None


def _fault(owed, answer):
    id, codes = owed
    if not isinstance(answer, dict) or answer.get("jsonrpc") != "2.0" or len(answer) != 3 or "id" not in answer:
        return "it is no response"
    if not is_same_id(id, answer["id"]):
        return f"the id should be {id!r}"
    if "result" in answer:
        return None if RESULT in codes else f"it should be refused with {sorted(codes)}"
    error = answer.get("error")
    if not isinstance(error, dict) or not isinstance(error.get("message"), str) or not isinstance(error.get("data"), dict):
        return "its error has no message or no data"
    code, data = error.get("code"), error["data"]
    if code is None or code not in codes:
        return f"it should have {' or '.join(str(code) if code else 'a result' for code in codes)}"
    if data.get("kind") != KINDS[code]:
        return f"its kind should be {KINDS[code]}"
    if code == INVALID_PARAMS and not (str(data.get("path", "")).startswith("params") and isinstance(data.get("reason"), str)):
        return "it does not say which param is wrong, and why"
    if code in (INVALID_TRANSITION, CONFLICT, STALE_RENDER) and not isinstance(data.get("status"), dict):
        return "it does not tell the status"
    return None
