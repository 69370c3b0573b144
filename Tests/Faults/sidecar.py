"""A sidecar process over raw pipes, and the journal of what it was asked and what it answered.

A thread reads its answers, so that whoever sends can send on: requests are pipelined. Every request becomes
a `Call` with the times of its call and its answer by the monotonic clock: the call is timed before its first
byte is written, the answer after its last byte was read. What has no answer when the process is gone was in
flight, and may have happened or not.
"""

import collections
import json
import os
import signal
import subprocess
import threading
import time

#: Ends a wait that would last for ever, so that its scenario fails. No promise is measured by it.
PATIENCE = 120.0


class CheckFailed(Exception):
    """Something that was promised does not hold; the message says what."""


class Call:
    """One request and what came of it."""

    __slots__ = ("connection", "number", "method", "params", "called", "answered", "result", "error")

    def __init__(self, connection, number, method, params, called):
        #: The name of the sidecar that was asked.
        self.connection = connection
        #: The id of the request, counted from 1 in the order of writing.
        self.number = number
        self.method = method
        self.params = params
        #: Nanoseconds of the monotonic clock; `answered` is None as long as there is no answer.
        self.called = called
        self.answered = None
        self.result = None
        self.error = None

    @property
    def succeeded(self):
        return self.answered is not None and self.error is None

    @property
    def refused(self):
        return self.answered is not None and self.error is not None

    @property
    def in_flight(self):
        return self.answered is None

    @property
    def kind(self):
        """The kind of the error, or None."""
        return self.error["data"]["kind"] if self.error and self.error.get("data") else None

    def __str__(self):
        outcome = "no answer" if self.in_flight else json.dumps(self.error or self.result)
        return f"{self.connection} request {self.number}: {self.method} {json.dumps(self.params)} -> {outcome}"

    def __repr__(self):
        return str(self)


class Sidecar:
    """A running sidecar. Scenarios get theirs from `Faults.sidecar`."""

    def __init__(self, command, name, stderr_path, environment, folder, reading=True, remembering=True):
        self.name = name
        #: All its Calls, unless it is not to remember them.
        self.calls = []
        self._remembering = remembering
        self._count = 0
        #: Notifications in their order: (nanoseconds of the monotonic clock, method, params).
        self.notifications = []
        #: Lines that answer no request by its id: {"id": null} errors and the like, parsed.
        self.strays = []
        #: What on stdout is not as the contract says. An audit reports them.
        self.violations = []
        #: Where stdout ended in the middle of a line: what a killed process had not finished.
        self.torn = b""
        self.stderr_path = stderr_path
        self._waiting = collections.deque()
        self._sending = threading.Lock()
        self._news = threading.Condition()
        self._ended = False
        self._stdin_broken = False
        with open(stderr_path, "wb") as stderr:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, cwd=folder, env=environment,
                bufsize=0,
            )
        self.stdin = self.process.stdin.fileno()
        self.stdout = self.process.stdout.fileno()
        self._may_read = threading.Event()
        if reading:
            self._may_read.set()
        self._reader = threading.Thread(target=self._read, name=f"reader of {name}", daemon=True)
        self._reader.start()

    @property
    def pid(self):
        return self.process.pid

    # Asking

    def send(self, method, params=None):
        """Writes a request and returns its Call at once."""
        return self.send_all([(method, params)])[0]

    def send_all(self, requests):
        """Writes requests, (method, params) each, in one piece, and returns their Calls at once.

        To a sidecar that is dead already they are recorded as in flight: some of the bytes may have reached it.
        """
        with self._sending:
            called = time.monotonic_ns()
            lines = []
            calls = []
            for method, params in requests:
                self._count += 1
                call = Call(self.name, self._count, method, params, called)
                message = {"jsonrpc": "2.0", "id": call.number, "method": method}
                if params is not None:
                    message["params"] = params
                lines.append(json.dumps(message, separators=(",", ":"), ensure_ascii=False))
                if self._remembering:
                    self.calls.append(call)
                self._waiting.append(call)
                calls.append(call)
            self._write(("\n".join(lines) + "\n").encode("utf-8", "surrogatepass"))
            return calls

    def write(self, data):
        """Writes bytes as they are, outside the journal. False if the sidecar does not take them."""
        with self._sending:
            return self._write(data)

    def _write(self, data):
        if self._stdin_broken:
            return False
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self.stdin, view):]
        except (BrokenPipeError, ValueError, OSError):
            self._stdin_broken = True
            return False
        return True

    def ask(self, method, params=None, patience=PATIENCE):
        """Sends a request, waits for its answer, and returns the Call. Raises if no answer comes."""
        call = self.send(method, params)
        self.wait(lambda: call.answered is not None, f"an answer to {method}", patience)
        return call

    def result(self, method, params=None, patience=PATIENCE):
        """The result of a request that must succeed."""
        call = self.ask(method, params, patience)
        if call.error is not None:
            raise CheckFailed(f"should have succeeded: {call}")
        return call.result

    def refusal(self, method, params=None, kind=None, patience=PATIENCE):
        """The error of a request that must be refused, with this kind if given."""
        call = self.ask(method, params, patience)
        if call.error is None or (kind is not None and call.kind != kind):
            raise CheckFailed(f"should have been refused{f' as {kind}' if kind else ''}: {call}")
        return call.error

    # Waiting

    @property
    def unanswered(self):
        """How many requests have no answer yet."""
        return len(self._waiting)

    @property
    def ended(self):
        """Whether stdout has ended: nothing more will come."""
        return self._ended

    def wait(self, condition, what, patience=PATIENCE):
        """Waits until the condition holds; it is looked at whenever something was read. Raises if stdout ends before."""
        until = time.monotonic() + patience
        with self._news:
            while not condition():
                if self._ended:
                    raise CheckFailed(f"{self.name} ended while it was waited for {what}; {self.last_words()}")
                left = until - time.monotonic()
                if left <= 0:
                    raise CheckFailed(f"{self.name}: waited {patience:.0f} s for {what}; {self.last_words()}")
                self._news.wait(left)

    def wait_for_room(self, window, patience=PATIENCE):
        """Waits until fewer than `window` requests are unanswered. False if stdout ended."""
        until = time.monotonic() + patience
        with self._news:
            while len(self._waiting) >= window and not self._ended:
                left = until - time.monotonic()
                if left <= 0:
                    raise CheckFailed(f"{self.name}: waited {patience:.0f} s for answers; {self.last_words()}")
                self._news.wait(left)
        return not self._ended

    def wait_for_end(self, patience=PATIENCE):
        """Waits until stdout ends."""
        until = time.monotonic() + patience
        with self._news:
            while not self._ended:
                left = until - time.monotonic()
                if left <= 0:
                    raise CheckFailed(f"{self.name}: waited {patience:.0f} s for the end of stdout; {self.last_words()}")
                self._news.wait(left)

    def drain(self, patience=PATIENCE):
        """Waits until every request is answered. False if stdout ended before."""
        return self.wait_for_room(1, patience) or not self._waiting

    def stop_reading(self):
        """Reads stdout no more, from the next piece on, until `read_on`."""
        self._may_read.clear()

    def read_on(self):
        self._may_read.set()

    def _read(self):
        rest = b""
        while True:
            self._may_read.wait()
            try:
                piece = os.read(self.stdout, 262_144)
            except OSError:
                piece = b""
            now = time.monotonic_ns()
            if not piece:
                break
            lines = (rest + piece).split(b"\n")
            rest = lines.pop()
            with self._news:
                for line in lines:
                    self._take(line, now)
                self._news.notify_all()
        with self._news:
            self.torn = rest
            self._ended = True
            self._news.notify_all()

    def _take(self, line, now):
        try:
            message = json.loads(line)
        except ValueError:
            self.violations.append(f"{self.name} wrote a line that is no JSON: {line[:200]!r}")
            return
        if isinstance(message, dict) and "method" in message:
            self.notifications.append((now, message["method"], message.get("params")))
            return
        number = message.get("id") if isinstance(message, dict) else None
        if not isinstance(number, int):
            self.strays.append(message)
            return
        if not self._waiting or self._waiting[0].number != number:
            expected = self._waiting[0].number if self._waiting else "none"
            self.violations.append(f"{self.name} answered request {number} where {expected} was next")
            for call in list(self._waiting):
                if call.number == number:
                    self._waiting.remove(call)
                    break
            else:
                return
        else:
            call = self._waiting.popleft()
        call.result = message.get("result")
        call.error = message.get("error")
        call.answered = now
        if ("result" in message) == ("error" in message):
            self.violations.append(f"{self.name} answered with a result and an error, or neither: {line[:200]!r}")

    # Ending

    def kill(self, number=signal.SIGKILL):
        """Sends a signal. With SIGKILL, waits until the process is gone and all that it wrote is read."""
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.wait_until_gone()

    def wait_until_gone(self, patience=PATIENCE):
        """Waits until the process has ended and its stdout is read to the end; returns its exit code."""
        try:
            code = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            raise CheckFailed(f"{self.name} is still there after {patience:.0f} s; {self.last_words()}") from None
        self._may_read.set()
        self._reader.join(patience)
        if self._reader.is_alive():
            raise CheckFailed(f"{self.name} is gone, but its stdout does not end")
        self.process.stdout.close()
        return code

    def close_stdin(self):
        with self._sending:
            self._stdin_broken = True
            if self.process.stdin and not self.process.stdin.closed:
                self.process.stdin.close()

    def close(self, patience=PATIENCE):
        """Ends stdin; the sidecar must answer everything and exit with code 0."""
        self.close_stdin()
        code = self.wait_until_gone(patience)
        if code != 0:
            raise CheckFailed(f"{self.name} exited with {code} at the end of stdin; {self.last_words()}")
        if self._waiting:
            raise CheckFailed(f"{self.name} exited and left unanswered: {self._waiting[0]}")

    def discard(self):
        """Ends it in any way, and frees what it held. For the end of a scenario."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._may_read.set()
        self._reader.join(10)
        for stream in (self.process.stdin, self.process.stdout):
            if stream and not stream.closed:
                try:
                    stream.close()
                except OSError:
                    pass

    # Looking at it

    def last_words(self):
        """The end of its stderr, for messages."""
        try:
            with open(self.stderr_path, "rb") as file:
                text = file.read()[-600:].decode("utf-8", "replace").strip()
        except OSError:
            text = ""
        return f"its stderr ends: {text}" if text else "its stderr is empty"

    def resident_bytes(self):
        """Resident memory now."""
        with open(f"/proc/{self.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self):
        """How many file descriptors it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))
