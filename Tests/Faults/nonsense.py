"""Sessions of nonsense: seeded lines made by a grammar and by mutation, and the talk with a sidecar that is judged line by line.

`converse` is a whole session, to be run in a process of its own: making lines and judging answers costs more than answering them.
"""

import collections
import json
import os
import pathlib
import random as randomness
import select
import subprocess
import threading

import auditor
from load import Load
from owed import Owing, fault
from sidecar import PATIENCE, CheckFailed

#: Bytes that mean something, somewhere.
TOKENS = (
    b'"', b"{", b"}", b"[", b"]", b":", b",", b"\\", b"\0", b"\r", b"\n", b"\t", b" ", b"-", b"0", b"9", b"e", b".", b"\x7f", b"\x80", b"\xff",
    b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\xf0\x9f\x8e\xac", b"\xc2\x85", b"\\u0000", b"\\ud800",
    b"\\udc00", b"\\ud83d\\ude00", b"\\u00e9", b"e\xcc\x81", b"\\x", b"null", b"true", b"NaN", b"Infinity", b"-0", b"1e400", b"1e-400", b"01",
    b"0.1", b"1E+2", b"9" * 20, b"9" * 400, b"9007199254740993", b"-9223372036854775808", b"18446744073709551616", b'"id":7,', b'"id":null,',
    b'"id":{},', b'"jsonrpc":"2.0",', b'"method":"ping",', b'"params":{},', b'"params":null,', b'"params":[],', b'"result":1,', b'"error":{},',
    b'"context":{},', b'"x":', b"[[[[", b"]]]]", b"\r\n", b"\n\n", b"\xfe\xff", b"\0{\0}",
)
#: Lines as they are.
LINES = (
    b"", b" ", b"\t \r", b"\0", b"\0" * 100, b"\xef\xbb\xbf", b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"ping"}', b"nonsense", b"null", b"true",
    b"0", b"-", b'""', b'"', b"[]", b"[[]]", b"{}", b"[{}]", b"[1,2,3]", b"[" * 512 + b"]" * 512, b"[" * 513 + b"]" * 513, b"[" * 700, b"]" * 50,
    b'{"jsonrpc":"2.0","id":1,"method":"ping","deep":' + b"[" * 511 + b"]" * 511 + b"}",
    b'{"jsonrpc":"2.0","id":1,"method":"ping","deep":' + b"[" * 512 + b"]" * 512 + b"}",
    b'{"jsonrpc":"2.0","id":1,"method":"ping","params":' + b'{"a":' * 63 + b"1" + b"}" * 63 + b"}",
    '{"jsonrpc":"2.0","id":1,"method":"ping"}'.encode("utf-16"), '{"jsonrpc":"2.0","id":1,"method":"ping"}'.encode("utf-32-le"),
    b'{"jsonrpc":"2.0","id":"\\ud800","method":"ping"}', b'{"jsonrpc":"2.0","id":"\xff","method":"ping"}', b'{"jsonrpc":"2.0","id":1e400,"method":"ping"}',
    b'{"jsonrpc":"2.0","id":123456789012345678901234567890,"method":"ping"}', b'{"jsonrpc":"2.0","id":-0.0,"method":"ping"}',
    b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping","method":"stats","params":[],"params":null}',
    b'{"jsonrpc":"2.0","id":"' + b"x" * 300 + b'","method":"ping"}', b'{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}',
    b'{"jsonrpc":"2.0","id":1,"result":{}}', b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}', b'{"jsonrpc":"2.0","result":1}',
    b'{"jsonrpc":"2.0","method":"ping"}', b'{"jsonrpc":"2.0","method":"transition","params":{"id":"told","event":"start"}}', b"// comment", b"/**/{}",
    b"[" + b",".join([b'{"jsonrpc":"2.0","id":1,"method":"ping"}'] * 1_000) + b"]", b"[" + b",".join([b'{"jsonrpc":"2.0","method":"ping"}'] * 1_001) + b"]",
    b"{" + b",".join(b'"k%d":%d' % (n, n) for n in range(300)) + b"}", b'{"jsonrpc":"2.0","id":1,"method":"' + b"e\xcc\x81" * 300 + b'"}',
)
SHUTDOWNS = (b'{"jsonrpc":"2.0","id":"bye","method":"shutdown"}', b'{"jsonrpc":"2.0","method":"shutdown"}', b'[{"jsonrpc":"2.0","id":0,"method":"shutdown"},1]')
NAMES = (
    "id", "ids", "event", "context", "expectedVersion", "expectedState", "expectedAttempt", "idempotencyKey", "actor", "timeouts", "states", "cursor",
    "limit", "afterSeq", "untilTerminal", "subscription", "name", "holder", "ttlMs", "client", "renderId", "bucketName", "progress", "videoUrl", "error",
    "metadata", "queuedMs", "stallMs", "totalMs", "Id", "", "\u0000", "evénement",
)
METHODS = (
    "transition", "regenerate", "getStatus", "getStatuses", "listStatuses", "getHistory", "unsubscribe", "acquireLease", "releaseLease", "initialize",
    "stats", "ping", "ping\u0000", "Ping", "", "rpc.stop", "getstatus",
)
IDS = [f"n{number}" for number in range(12)]
#: The most subscriptions of a session: each is told of what changes.
MOST_SUBSCRIPTIONS = 12
#: Lines that a sidecar gets before the next one takes over.
LINES_A_SIDECAR = 25_000


class Nonsense:
    """Makes lines. `line()` is one without its end, but a mutated one may have ends in it."""

    def __init__(self, random):
        self.random = random
        self.load = Load(random, IDS, f"n{random.randrange(10**6)}", leasing=0.1, clocks=100_000)
        self.pool = [self._request() for _ in range(200)] + [self._typed() for _ in range(600)] + list(LINES)

    def line(self):
        chance = self.random.random()
        if chance < 0.25:
            return self._request()
        if chance < 0.45:
            line = self._typed()
            # What is bred from is renewed all the time.
            self.pool[self.random.randrange(len(self.pool))] = line
            return line
        if chance < 0.46:
            return self.random.choice(LINES)
        if chance < 0.48:
            return self._batch()
        return self._mutant()

    def _request(self):
        """A request that might be meant."""
        method, params = self.load.next()
        id = b"" if self.random.random() < 0.1 else b'"id":%d,' % self.load.count
        return b'{"jsonrpc":"2.0",%b"method":"%b","params":%b}' % (id, method.encode(), _text(params))

    def _typed(self):
        """A message with values where others should be."""
        random = self.random
        message = {"jsonrpc": "2.0"}
        if random.random() < 0.03:
            message["jsonrpc"] = self._value()
        if random.random() < 0.9:
            message["id"] = random.randrange(10**6) if random.random() < 0.7 else self._value()
        message["method"] = random.choice(METHODS)
        if random.random() < 0.02:
            message["method"] = self._value()
        chance = random.random()
        if chance < 0.3:
            method, params = self.load.next()
            message["method"] = method
            params = dict(params)
            if random.random() < 0.9:
                params[random.choice(NAMES if random.random() < 0.2 else tuple(params))] = self._value()
            message["params"] = params
        elif chance < 0.4:
            message["method"] = "subscribe"
            message["params"] = {"ids": [random.choice(IDS)], random.choice(NAMES): self._value(), "untilTerminal": True}
        elif chance < 0.9:
            message["params"] = {random.choice(NAMES): self._value() for _ in range(random.randrange(4))}
        elif chance < 0.95:
            message["params"] = self._value()
        if random.random() < 0.03:
            message[random.choice(("result", "error", "x", "Params"))] = self._value()
        return _text(message)

    def _value(self, levels=2):
        random = self.random
        chance = random.randrange(14 if levels else 11)
        if chance < 3:
            return random.choice(IDS)
        if chance < 5:
            return random.choice(("", "x" * random.choice((1, 199, 200, 201, 2_050)), "\u0000", "\x1f", "\x85", "ü\u2028🎬", "e\u0301", "start", "failed", "s1", "a\\\"b"))
        if chance < 8:
            return random.choice((0, 1, -1, 5.0, 0.5, 100, 100.5, -0.0, 2**53 - 1, 2**53, 2**63, -(2**63), 10**30, 1e300, 31_622_400_000, 31_622_400_001))
        if chance < 11:
            return random.choice((None, True, False, [], {}))
        if chance < 12:
            return [self._value(levels - 1) for _ in range(random.choice((1, 2, 5)))]
        return {random.choice(NAMES): self._value(levels - 1) for _ in range(random.choice((1, 2, 5)))}

    def _batch(self):
        some = [self._request() if self.random.random() < 0.5 else self._mutant() if self.random.random() < 0.1 else self._typed() for _ in range(self.random.randrange(1, 9))]
        return b"[" + b",".join(some) + b"]"

    def _mutant(self):
        """A line of the pool with bytes changed, cut out, put in, doubled, or grown together with another."""
        random = self.random.random
        pool = self.pool
        line = pool[int(random() * len(pool))]
        if len(line) > 2_000 and random() < 0.9:
            line = pool[int(random() * 800)]
        while True:
            size = len(line) or 1
            at = int(random() * size)
            chance = random()
            if chance < 0.25:
                line = line[:at] + bytes((int(random() * 256),)) + line[at + 1:]
            elif chance < 0.5:
                line = line[:at] + TOKENS[int(random() * len(TOKENS))] + line[at:]
            elif chance < 0.65:
                line = line[:at] + line[at + 1 + int(random() * 8):]
            elif chance < 0.75:
                line = line[:at]
            elif chance < 0.85:
                line = line[:at] + line[int(random() * size):]
            else:
                other = pool[int(random() * 800)]
                line = line[:at] + other[int(random() * (len(other) or 1)):]
            if random() < 0.6:
                return line


def _text(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


class Talk:
    """A sidecar that is sent bytes, and whose answers are compared with what is owed, in their order."""

    def __init__(self, program, database, *arguments, limit=1 << 20, environment=None, name="talk"):
        self.owing = Owing(limit)
        self.stderr_path = pathlib.Path(f"{database}.{name}.stderr")
        command = [str(program), "serve", "--database", str(database), *map(str, arguments)]
        if limit != 1 << 20:
            command += ["--max-line-bytes", str(limit)]
        with open(self.stderr_path, "wb") as stderr:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, cwd=pathlib.Path(database).parent, bufsize=0, env=environment,
            )
        self.stdin, self.stdout = self.process.stdin.fileno(), self.process.stdout.fileno()
        self.failure = None
        self.answers = self.notifications = self.errors = 0
        self._owed = collections.deque()
        self._seqs = {}
        self._news = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def send(self, data, pieces=None):
        """Writes bytes, in pieces of these sizes if given; returns False if something is wrong already."""
        with self._news:
            self._owed.extend(self.owing.take(data))
        return self._write(data, pieces)

    def _write(self, data, pieces=None):
        view = memoryview(data)
        try:
            while view:
                size = pieces() if pieces else len(view)
                view = view[os.write(self.stdin, view[:size]):]
        except OSError:
            # It has stopped reading: after a shutdown it may; else there will be answers missing.
            return False
        return self.failure is None

    def send_again(self, lines, times):
        """Writes whole lines so many times, one behind the other."""
        owed = self.owing.take(lines)
        with self._news:
            self._owed.extend(owed * times)
        for _ in range(times):
            self._write(lines)

    def wait(self):
        """Waits until all that is owed has come."""
        with self._news:
            while self._owed and not self._ended and not self.failure:
                self._news.wait(1)
        self._check()

    def end(self):
        """Ends stdin and waits for what is owed; nothing may be missing, or be too much, and the exit code must be 0."""
        with self._news:
            self._owed.extend(self.owing.end())
        self.process.stdin.close()
        self._reader.join()
        self._check()
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            raise CheckFailed("the sidecar has closed its stdout and does not end") from None
        if code != 0:
            raise CheckFailed(f"the exit code is {code}; {self._last_words()}")
        if self._owed and not self.owing.stopping:
            raise CheckFailed(f"{len(self._owed)} answers are missing; the first is owed to {shown(self._owed[0][1])}")
        self.process.stdout.close()

    def discard(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(10)
        for stream in (self.process.stdin, self.process.stdout):
            if not stream.closed:
                stream.close()

    def memory(self, field="VmHWM"):
        """The most memory that was resident so far, in bytes."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) * 1024
        raise CheckFailed(f"the sidecar is gone; {self._last_words()}")

    def _check(self):
        if self.failure:
            raise CheckFailed(f"{self.failure}; {self._last_words()}")

    def _last_words(self):
        text = self.stderr_path.read_bytes()[-600:].decode("utf-8", "replace").strip()
        return f"its stderr ends: {text}" if text else "its stderr is empty"

    def _read(self):
        rest = b""
        while True:
            readable, _, _ = select.select([self.stdout], [], [], PATIENCE)
            if not readable and (self._owed or self.process.stdin.closed):
                self._fail(f"nothing came for {PATIENCE:.0f} s; owed is the answer to {shown(self._owed[0][1]) if self._owed else 'nothing'}")
                self.process.kill()
                break
            piece = os.read(self.stdout, 1 << 18) if readable else None
            if piece == b"":
                break
            lines = (rest + (piece or b"")).split(b"\n")
            rest = lines.pop()
            for line in lines:
                if self.failure is None:
                    try:
                        self._take(line)
                    except (KeyError, TypeError) as error:
                        self._fail(f"not as the contract has it ({error!r}): {shown(line)}")
            with self._news:
                self._news.notify_all()
        with self._news:
            if rest and self.failure is None:
                self.failure = f"stdout ends within a line: {shown(rest)}"
            self._ended = True
            self._news.notify_all()

    def _take(self, line):
        try:
            message = json.loads(line)
        except ValueError:
            self._fail(f"a line that is no JSON: {shown(line)}")
            return
        if isinstance(message, dict) and "method" in message:
            self._told(message)
            return
        if not self._owed:
            self._fail(f"an answer that nobody is owed: {shown(line)}")
            return
        owed, asked = self._owed.popleft()
        self.answers += 1
        if isinstance(message, dict) and "error" in message:
            self.errors += 1
        text = fault(owed, message)
        if text:
            self._fail(f"{text}: {shown(line)}; it answers {shown(asked)}")

    def _told(self, message):
        self.notifications += 1
        params = message.get("params")
        if message["method"] == "status":
            name, seq = params["subscription"], params["change"]["seq"]
            if seq <= self._seqs.get(name, 0):
                self._fail(f"{name} was told seq {seq} after {self._seqs[name]}")
            self._seqs[name] = seq
        elif message["method"] != "subscriptionEnded":
            self._fail(f"a notification that there is not: {message['method']}")

    def _fail(self, text):
        self.failure = self.failure or text
        # Whoever writes stops, too.
        self.process.kill()


def shown(data, most=400):
    return repr(data) if len(data) <= most else f"{data[:most]!r}… ({len(data)} bytes)"


def converse(program, folder, name, seed, lines, environment):
    """Sends so many lines to one sidecar after the other on one database, and judges all that comes back.

    Returns figures; raises CheckFailed with what is wrong, and leaves what was sent last in the folder.
    """
    random = randomness.Random(seed)
    nonsense = Nonsense(random)
    database = pathlib.Path(folder) / f"{name}.sqlite"
    counts = collections.Counter(lines=0, answers=0, errors=0, notifications=0, sidecars=0, most_memory=0)
    while counts["lines"] < lines:
        limit = random.choice((1 << 20, 1 << 20, 4_096, 700))
        arguments = ("--synchronous", random.choice(("full", "normal")))
        talk = Talk(program, database, *arguments, limit=limit, environment=environment, name=str(counts["sidecars"]))
        last = collections.deque(maxlen=40)
        try:
            sent = _talk(talk, nonsense, random, min(lines - counts["lines"], LINES_A_SIDECAR), last)
            counts["most_memory"] = max(counts["most_memory"], talk.memory())
            if random.random() < 0.5:
                talk.send(random.choice(SHUTDOWNS) + b"\n" + b"\n".join(nonsense.line() for _ in range(20)))
            elif random.random() < 0.5:
                talk.send(nonsense.line()[:50])
            talk.end()
        except CheckFailed:
            (pathlib.Path(folder) / f"{name}.sent").write_bytes(b"".join(last))
            raise
        finally:
            talk.discard()
        talk.stderr_path.unlink()
        counts["lines"] += sent
        counts["answers"] += talk.answers
        counts["errors"] += talk.errors
        counts["notifications"] += talk.notifications
        counts["sidecars"] += 1
    audit = auditor.audit(database, [], lost=True)
    if audit.findings:
        raise CheckFailed(f"the audit of {name} found {len(audit.findings)} faults: {audit.findings[:3]}")
    counts["changes"] = audit.changes
    return counts


def _talk(talk, nonsense, random, lines, last):
    sent = subscriptions = 0
    while sent < lines:
        some = []
        for _ in range(random.choice((1, 20, 200, 200))):
            line = nonsense.line()
            if b"subscribe" in line and b"unsubscribe" not in line:
                subscriptions += 1
                if subscriptions > MOST_SUBSCRIPTIONS:
                    continue
            some.append(line)
        data = (b"\r\n" if random.random() < 0.1 else b"\n").join(some) + b"\n"
        last.append(data)
        pieces = (lambda: int(random.random() ** 4 * 5_000) + 1) if random.random() < 0.1 else None  # noqa: E731
        if not talk.send(data, pieces):
            break
        # Lines that a mutation has cut in two are two.
        sent += data.count(b"\n")
    talk.wait()
    return sent
