"""Checks that openrpc.json, state-machine.json, the transcripts and the README in protocol/ agree with each other.

    python3 validate.py [FOLDER]

FOLDER is the protocol folder, by default that of this repository. Needs the package jsonschema.
"""
import base64
import copy
import json
import re
import sys
from pathlib import Path

from jsonschema import Draft7Validator
from jsonschema.exceptions import SchemaError

# The members of OpenRPC 1.3's objects: those it requires, those it allows besides.
MEMBERS = {
    "document": ("openrpc info methods", "components"),
    "info": ("title version", "description"),
    "method": ("name params result", "summary description paramStructure errors examples"),
    "notification": ("name params", "summary description paramStructure examples"),
    "content descriptor": ("name schema", "description required"),
    "error": ("code message", "data"),
    "example pairing": ("name params", "description result"),
    "example": ("name value", "description summary"),
}
# What this project wants of every method and notification besides.
DESCRIBED = ("summary", "description", "paramStructure", "examples")

READING_ERRORS = ("ParseError", "InvalidRequest")
# A transcript has no means to bring these about.
NEVER_IN_A_TRANSCRIPT = {"InternalError", "StoreBusy", "StoreUnavailable"}

STEPS = {"story", "note", "start", "send", "sendRaw", "sendBytes", "receive", "restart"}
PLACEHOLDER = re.compile(r"<(?:(time|text|integer|number|any)|text:([A-Z]+)|([A-Z]+))>")
# Stands for anything: no fault of its own counts.
ANY = {}
SAMPLES = {"time": "2026-01-02T03:04:05.678Z", "text": "some text", "integer": 7, "number": 7.5, "any": ANY}
# A captured text may be a time, so its sample is one.
CAPTURED = SAMPLES["time"]
UNREADABLE = object()

passed = failed = 0


def check(what, problems):
    """Count one check, and print what is wrong."""
    global passed, failed
    problems = list(problems)
    passed, failed = passed + (not problems), failed + bool(problems)
    for problem in problems:
        print(f"FAIL {what}: {problem}")


def equal(expected, got):
    return [] if expected == got else [f"expected {expected}, got {got}"]


def walk(value):
    """A JSON value and everything inside it."""
    yield value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from walk(child)


# openrpc.json


class Document:
    """The OpenRPC document, with its schemas closed: here nothing may appear that it does not describe."""

    def __init__(self, content):
        self.content = content
        self.methods = {m["name"]: m for m in content["methods"]}
        self.notifications = {n["name"]: n for n in content["x-notifications"]}
        self.errors = content["components"]["errors"]
        self.error_names = {e["code"]: name for name, e in self.errors.items()}
        self.closed = copy.deepcopy(content)
        for part in walk(self.closed):
            if isinstance(part, dict) and part.get("type") == "object" and "properties" in part:
                part.setdefault("additionalProperties", False)

    def resolve(self, reference):
        target = self.content
        for name in reference.removeprefix("#/").split("/"):
            target = target[name]
        return target

    def descriptors(self):
        for method in [*self.methods.values(), *self.notifications.values()]:
            yield from method["params"]
            yield from [method["result"]] if "result" in method else []

    def declared_errors(self, method):
        return {e["$ref"].rpartition("/")[2] for e in self.methods[method]["errors"]}

    def problems(self, schema, value):
        validator = Draft7Validator({"allOf": [schema], "components": self.closed["components"]})
        return [e for e in validator.iter_errors(value) if e.instance is not ANY]

    def params_problems(self, method, params):
        descriptors = self.closed_method(method)["params"]
        schema = {
            "type": "object",
            "properties": {d["name"]: d["schema"] for d in descriptors},
            "required": [d["name"] for d in descriptors if d["required"]],
            "additionalProperties": False,
        }
        return self.problems(schema, {} if params is None else params)

    def result_problems(self, method, result):
        return self.problems(self.closed_method(method)["result"]["schema"], result)

    def closed_method(self, name):
        return next(m for m in self.closed["methods"] + self.closed["x-notifications"] if m["name"] == name)


def texts(errors):
    return [f"{e.json_path} {e.message}" for e in errors]


def member_problems(kind, value):
    required, optional = (set(names.split()) for names in MEMBERS[kind])
    yield from (f"{kind} without {name}" for name in sorted(required - set(value)))
    unknown = (name for name in set(value) - required - optional if not name.startswith("x-"))
    yield from (f"{kind} with unknown {name}" for name in sorted(unknown))


def method_problems(kind, method):
    yield from member_problems(kind, method)
    yield from (f"no {name}" for name in DESCRIBED if not method.get(name))
    yield from equal("by-name", method.get("paramStructure"))
    for descriptor in method["params"] + ([method["result"]] if "result" in method else []):
        yield from member_problems("content descriptor", descriptor)
        if not descriptor.get("description"):
            yield f"{descriptor['name']} is not described"
    names = [d["name"] for d in method["params"]]
    if len(set(names)) < len(names):
        yield "two params of one name"
    required = [d.get("required") for d in method["params"]]
    yield from equal(sorted(required, reverse=True), required)


def schema_problems(schema):
    try:
        Draft7Validator.check_schema(schema)
    except SchemaError as error:
        yield error.message


def reference_problems(document):
    for part in walk(document.content):
        if isinstance(part, dict) and "$ref" in part:
            try:
                document.resolve(part["$ref"])
            except KeyError:
                yield f"{part['$ref']} leads nowhere"


def example_problems(document, method, example):
    yield from member_problems("example pairing", example)
    for part in example["params"] + ([example["result"]] if "result" in example else []):
        yield from member_problems("example", part)
    params = {p["name"]: p["value"] for p in example["params"]}
    yield from texts(document.params_problems(method["name"], params))
    if "result" in method:
        yield from texts(document.result_problems(method["name"], example["result"]["value"]))


def check_openrpc(document):
    content = document.content
    check("openrpc.json", [*member_problems("document", content), *member_problems("info", content["info"]),
                           *equal("1.3.2", content["openrpc"]), *equal("renderstate", content["info"]["title"])])
    check("openrpc.json references", reference_problems(document))
    names = [m["name"] for m in content["methods"] + content["x-notifications"]]
    check("openrpc.json names", equal(sorted(set(names)), sorted(names)))
    for name, schema in content["components"]["schemas"].items():
        check(f"schema {name}", schema_problems(schema))
    for descriptor in document.descriptors():
        check(f"schema of {descriptor['name']}", schema_problems(descriptor["schema"]))
    codes = [e["code"] for e in document.errors.values()]
    check("error codes", equal(sorted(set(codes)), sorted(codes)))
    for name, error in document.errors.items():
        kind = document.resolve(error["data"]["$ref"])["properties"]["kind"]["const"]
        check(f"error {name}", [*member_problems("error", error), *equal(name[0].lower() + name[1:], kind)])
    for kind, methods in (("method", document.methods), ("notification", document.notifications)):
        for name, method in methods.items():
            check(f"{kind} {name}", method_problems(kind, method))


def check_examples(document):
    for name, method in {**document.methods, **document.notifications}.items():
        for example in method["examples"]:
            check(f"{name}, example «{example['name']}»", example_problems(document, method, example))


# state-machine.json


class Machine:
    def __init__(self, content):
        self.content = content
        self.states = content["states"]
        self.rows = [{"from": state, "event": event, "to": row["target"]}
                     for state, node in self.states.items() for event, row in node.get("on", {}).items()]

    def allowed(self, state):
        return list(self.states[state].get("on", {}))


def check_machine(machine, document):
    schemas = document.content["components"]["schemas"]
    states, events = schemas["State"]["enum"], schemas["Event"]["enum"]
    check("state-machine.json states", equal(states, list(machine.states)))
    check("state-machine.json initial", equal("idle", machine.content["initial"]))
    check("state-machine.json events", equal(set(events), {r["event"] for r in machine.rows}))
    for state, node in machine.states.items():
        allowed = machine.allowed(state)
        check(f"state {state}: order of events", equal([e for e in events if e in allowed], allowed))
        check(f"state {state}: final", equal(not allowed, node.get("type") == "final"))
        check(f"state {state}: described", [] if node.get("description") else ["no description"])
    initialized = document.methods["initialize"]["examples"][0]["result"]["value"]["machine"]
    check("the machine in the example of initialize",
          equal(initialized, {"states": states, "events": events, "transitions": machine.rows}))


def machine_problems(machine, message):
    """What in a received message contradicts the table."""
    for part in walk(message):
        if not isinstance(part, dict):
            continue
        if {"event", "previousState", "state"} <= set(part):
            row = {"from": part["previousState"], "event": part["event"], "to": part["state"]}
            if row not in machine.rows:
                yield f"no such row: {row}"
        if "processingStatus" in part:
            yield from equal(machine.states[part["state"]]["meta"]["processingStatus"], part["processingStatus"])
        if part.get("kind") == "invalidTransition":
            allowed = machine.allowed(part["status"]["state"])
            yield from equal(allowed, part["allowedEvents"])
            if part["event"] in allowed:
                yield f"{part['event']} is allowed"


# transcripts


class Transcript:
    """Reads one story step by step, and keeps what the sidecar still owes."""

    def __init__(self, document, machine):
        self.document, self.machine = document, machine
        self.owed, self.captured = [], set()
        self.methods, self.errors, self.notifications = set(), set(), set()

    def problems(self, step, value):
        if step == "send":
            yield from self.send(self.filled(value), raw=False)
        elif step in ("sendRaw", "sendBytes"):
            line = value.encode() if step == "sendRaw" else base64.b64decode(value, validate=True)
            if line.strip():
                yield from self.send(read(line), raw=True)
        elif step == "receive":
            yield from self.receive(value)
        elif step == "restart":
            if value not in ("kill", "eof"):
                yield f"no way to restart: {value}"
            yield from self.end()

    def end(self):
        if self.owed:
            yield f"{len(self.owed)} answers are owed"
            self.owed.clear()

    def send(self, sent, raw):
        batch = sent if isinstance(sent, list) and sent else [sent]
        owed = [message for message in batch if not is_silent(message)]
        if owed:
            self.owed.append((owed if batch is sent else sent, raw))
        for message in batch:
            if isinstance(message, dict) and not raw:
                yield from envelope_problems(message, "method", *({"id", "params"} & set(message)))
            if isinstance(message, dict) and message.get("method") in self.document.methods:
                self.methods.add(message["method"])
                if "id" not in message:
                    yield from texts(self.document.params_problems(message["method"], message.get("params")))

    def receive(self, pattern):
        message = self.filled(pattern)
        yield from machine_problems(self.machine, message)
        if isinstance(message, dict) and "method" in message:
            yield from self.notification(message)
        elif not self.owed:
            yield "nothing is owed"
        else:
            request, raw = self.owed.pop(0)
            if isinstance(request, list) and isinstance(pattern, list):
                yield from equal(len(request), len(message))
                for asked, answer in zip(request, message):
                    yield from self.answer(asked, answer, raw)
            else:
                yield from self.answer(request, message, raw)

    def notification(self, message):
        name = message["method"]
        yield from envelope_problems(message, "method", "params")
        if name not in self.document.notifications:
            yield f"no notification {name}"
        else:
            self.notifications.add(name)
            yield from texts(self.document.params_problems(name, message.get("params")))

    def answer(self, request, answer, raw):
        kind = "error" if isinstance(answer, dict) and "error" in answer else "result"
        problems = list(envelope_problems(answer, "id", kind))
        yield from problems
        if not problems:
            yield from self.error(request, answer, raw) if kind == "error" else self.result(request, answer)

    def result(self, request, answer):
        method = request.get("method") if isinstance(request, dict) else None
        if method not in self.document.methods:
            yield "a result for what is not a request"
            return
        yield from equal(request["id"], answer["id"])
        yield from texts(self.document.params_problems(method, request.get("params")))
        yield from texts(self.document.result_problems(method, answer["result"]))

    def error(self, request, answer, raw):
        error = answer["error"]
        name = self.document.error_names.get(error.get("code"))
        if name is None:
            yield f"no error {error.get('code')}"
            return
        self.errors.add(name)
        yield from equal({"code", "message", "data"}, set(error))
        if not isinstance(error.get("message"), str) or not error["message"]:
            yield "an error without a message"
        yield from texts(self.document.problems(self.document.errors[name]["data"], error.get("data")))
        if not is_request(request) or raw and name in READING_ERRORS:
            if name not in READING_ERRORS:
                yield f"{name} for what is not a request"
            if answer["id"] is not None and answer["id"] != request["id"]:
                yield f"the id {answer['id']} was not given"
            return
        yield from equal(request["id"], answer["id"])
        if request["method"] not in self.document.methods:
            yield from equal("MethodNotFound", name)
            return
        if name not in self.document.declared_errors(request["method"]):
            yield f"{request['method']} does not declare {name}"
        problems = self.document.params_problems(request["method"], request.get("params"))
        if name == "InvalidParams":
            yield from path_problems(error["data"].get("path", ""), problems, request.get("params"))
        else:
            yield from texts(problems)

    def filled(self, value):
        """The value with a sample in place of each placeholder."""
        if isinstance(value, dict):
            return {key: self.filled(child) for key, child in value.items()}
        if isinstance(value, list):
            return [self.filled(child) for child in value]
        match = PLACEHOLDER.fullmatch(value) if isinstance(value, str) else None
        if not match:
            return value
        sample, capture, reuse = match.groups()
        if capture:
            self.captured.add(capture)
        elif reuse and reuse not in self.captured:
            raise ValueError(f"<{reuse}> was never captured")
        return SAMPLES[sample] if sample else CAPTURED


def read(line):
    """The message in a line, where it can be read."""
    try:
        return json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return UNREADABLE


def is_silent(message):
    """Whether a message gets no answer: a notification, or something shaped like a response."""
    if not isinstance(message, dict):
        return False
    if "method" in message:
        return "id" not in message
    return "result" in message or "error" in message


def is_request(message):
    return (isinstance(message, dict) and message.get("jsonrpc") == "2.0"
            and isinstance(message.get("method"), str) and "id" in message)


def envelope_problems(message, *names):
    if not isinstance(message, dict):
        yield f"expected an object, got {message}"
    else:
        yield from equal({"jsonrpc", *names}, set(message))
        yield from equal("2.0", message.get("jsonrpc"))


def path_problems(path, problems, params):
    """What is wrong with the path of an InvalidParams: it leads to a fault, or else to a param that was given."""
    if problems:
        faults = [e.json_path.replace("$", "params", 1) for e in problems]
        if not any(path.startswith(fault) for fault in faults):
            yield f"{path} is not where the fault is: {faults}"
    else:
        for name in path.split(".")[1:]:
            params = params.get(name) if isinstance(params, dict) else None
        if params is None:
            yield f"{path} was not given"


def check_transcripts(folder, document, machine):
    methods, errors, notifications = set(), set(), set()
    for path in sorted(folder.glob("*.jsonl")):
        transcript = Transcript(document, machine)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            check(f"{path.name}:{number}", step_problems(transcript, number, line))
        check(f"{path.name}, its end", transcript.end())
        methods |= transcript.methods
        errors |= transcript.errors
        notifications |= transcript.notifications
    check("every method is in a transcript", equal(sorted(document.methods), sorted(methods)))
    check("every error is in a transcript", equal(sorted(set(document.errors) - NEVER_IN_A_TRANSCRIPT), sorted(errors)))
    check("every notification is in a transcript", equal(sorted(document.notifications), sorted(notifications)))


def step_problems(transcript, number, line):
    try:
        entry = json.loads(line)
        (step, value), = entry.items()
        if step not in STEPS:
            yield f"unknown step {step}"
        if (step == "story") != (number == 1):
            yield "a story begins with its sentence, and has one"
        if step == "start" and number != 2:
            yield "start comes second"
        yield from transcript.problems(step, value)
    except Exception as error:
        yield f"{type(error).__name__}: {error}"


# README.md


def check_readme(text, document, transcripts):
    for name in [*document.methods, *document.notifications, *(str(code) for code in document.error_names)]:
        check(f"the README on {name}", [] if f"`{name}`" in text else ["not mentioned"])
    for schema in ("State", "Event", "Status", "Change", "Context", "Timeouts"):
        content = document.content["components"]["schemas"][schema]
        for name in content.get("enum") or content["properties"]:
            check(f"the README on {name} of {schema}", [] if f"`{name}`" in text else ["not mentioned"])
    for path in sorted(transcripts.glob("*.jsonl")):
        check(f"the README on {path.stem}", [] if f"`{path.stem}`" in text else ["not mentioned"])


def main():
    default = Path(__file__).resolve().parents[2] / "protocol"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    document = Document(json.loads((folder / "openrpc.json").read_text(encoding="utf-8")))
    machine = Machine(json.loads((folder / "state-machine.json").read_text(encoding="utf-8")))
    check_openrpc(document)
    if not failed:  # A broken document can measure nothing else.
        check_examples(document)
        check_machine(machine, document)
        check_transcripts(folder / "transcripts", document, machine)
        check_readme((folder / "README.md").read_text(encoding="utf-8"), document, folder / "transcripts")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
