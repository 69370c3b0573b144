"""What a scenario works with: its folder, its randomness, its sidecars, and the audit at the end."""

import dataclasses
import os
import pathlib
import random
import subprocess
import sys
import threading
import time

import auditor
from sidecar import PATIENCE, Call, CheckFailed, Sidecar

__all__ = ["Call", "CheckFailed", "Faults", "PATIENCE", "Result", "Sidecar", "check"]

HERE = pathlib.Path(__file__).resolve().parent


@dataclasses.dataclass
class Result:
    """What a scenario has to show: a row of the table in the README."""

    #: What was done, one sentence with figures.
    did: str
    #: What held, in a few words.
    held: str
    #: The figures by name, for reading by programs.
    counts: dict = dataclasses.field(default_factory=dict)


def check(condition, message):
    """Raises CheckFailed if the condition does not hold."""
    if not condition:
        raise CheckFailed(message)


class Faults:
    """The ground on which one scenario runs."""

    def __init__(self, name, program, folder, seed, long):
        self.name = name
        #: The path of the sidecar's program.
        self.program = str(program)
        #: A new folder on a real disk, this scenario's own. It is kept if the scenario fails.
        self.folder = pathlib.Path(folder)
        self.seed = seed
        #: Whether this is the long form.
        self.long = long
        #: All randomness of the scenario comes from here.
        self.random = random.Random(f"{seed}/{name}")
        self.sidecars = []
        self._databases = {}
        self._count = 0
        self._lock = threading.Lock()
        self._began = time.monotonic()
        self._progress_at = 0.0

    # Sidecars

    def sidecar(self, database, *arguments, environment=None, before=(), name=None, reading=True, remembering=True,
                program=None):
        """Starts a sidecar on a database: a path, or a name in the folder of the scenario.

        `arguments` go behind `serve --database PATH`; `environment` is added to a small one (LD_PRELOAD and such);
        `before` stands before the program (`["unshare", "-m", "…"]`); with `reading=False` nothing is read from its
        stdout until `read_on()`; with `remembering=False` its calls are not kept for the audit, which then can only
        look at the file (`lost=True`).
        """
        database = self.folder / database
        with self._lock:
            self._count += 1
            name = name or f"s{self._count}"
        command = [*before, program or self.program, "serve", "--database", str(database), *map(str, arguments)]
        sidecar = Sidecar(
            command, name, self.folder / f"{name}.stderr", self.environment(environment), self.folder, reading, remembering
        )
        with self._lock:
            self.sidecars.append(sidecar)
            self._databases.setdefault(database, []).append(sidecar)
        return sidecar

    def environment(self, added=None):
        """What a child gets: the whitelist, and what is added."""
        kept = {name: os.environ[name] for name in ("HOME", "PATH", "LANG", "TZ") if name in os.environ}
        kept["TMPDIR"] = str(self.folder)
        kept.update({name: str(value) for name, value in (added or {}).items()})
        return kept

    def run(self, *arguments, environment=None, input=None, patience=PATIENCE):
        """Runs the program with other arguments to its end: a CompletedProcess with bytes in stdout and stderr."""
        return self.command(self.program, *arguments, environment=environment, input=input, patience=patience)

    def command(self, *command, environment=None, input=None, patience=PATIENCE):
        """Runs any program to its end, in the folder of the scenario."""
        try:
            return subprocess.run(
                [str(part) for part in command], capture_output=True, cwd=self.folder, timeout=patience, input=input,
                env=self.environment(environment), check=False,
            )
        except subprocess.TimeoutExpired:
            raise CheckFailed(f"{command[0]} is still running after {patience:.0f} s") from None

    def compile(self, source, *flags):
        """Compiles a C source beside the scenarios, and returns the path of what came of it.

        With `-shared -fPIC` among the flags it can be named in LD_PRELOAD.
        """
        output = self.folder / pathlib.Path(source).stem
        done = self.command("cc", "-O2", "-Wall", "-Wextra", "-Werror", HERE / source, "-o", output, *flags, "-ldl")
        check(done.returncode == 0, f"cc does not compile {source}: {done.stderr.decode()}")
        return output

    # Judging

    def calls(self, database):
        """The journal of a database: all calls of all its sidecars."""
        return [call for sidecar in self._databases.get(self.folder / database, []) for call in sidecar.calls]

    def audit(self, database, earlier=(), **allowed):
        """Has the independent auditor judge a database by the journals of all its sidecars, which must be gone.

        It works on a copy, so the sidecars that come after find what a crash has left. Returns an
        `auditor.Audit` with figures; raises CheckFailed with what it found. `earlier` are the calls of the sidecars of the
        file that this one is a copy of. `allowed` goes to `auditor.audit`: `others={"watchdog", "sql"}` names actors
        whose changes stand in no journal.
        """
        result = self.judge(database, earlier, **allowed)
        if result.findings:
            self.fail_with(f"the audit of {os.path.basename(database)} found {len(result.findings)} faults", result.findings)
        return result

    def judge(self, database, earlier=(), **allowed):
        """The same, for who expects findings: they are in what is returned."""
        database = self.folder / database
        sidecars = self._databases.get(database, [])
        for sidecar in sidecars:
            check(sidecar.ended, f"{sidecar.name} still runs; an audit comes after all sidecars are gone")
        return auditor.audit(
            database, [*earlier, *self.calls(database)],
            violations=[text for sidecar in sidecars for text in sidecar.violations], **allowed,
        )

    def fail_with(self, title, findings):
        """Raises CheckFailed with the first of these texts; all of them, in full, are put into the folder."""
        file = self.folder / "findings.txt"
        file.write_text("\n".join(findings) + "\n", errors="backslashreplace")
        shown = "".join(f"\n  - {text if len(text) <= 500 else text[:500] + ' …'}" for text in findings[:5])
        raise CheckFailed(f"{title}:{shown}\n  all of them in full: {file}")

    def keep_journals(self):
        """Puts what each sidecar was asked last, and answered, into the folder, for looking at after a failure."""
        for sidecar in self.sidecars:
            with open(self.folder / f"{sidecar.name}.journal", "w", errors="backslashreplace") as file:
                for call in sidecar.calls[-20_000:]:
                    file.write(f"{call.called} {call.answered} {call}\n")

    def remove(self, database):
        """Removes a database that has been audited, with the journals of its sidecars, so that a long form does
        not fill disk and memory."""
        database = self.folder / database
        for sidecar in self._databases.pop(database, []):
            sidecar.discard()
            self.sidecars.remove(sidecar)
            pathlib.Path(sidecar.stderr_path).unlink(missing_ok=True)
        for end in ("", "-wal", "-shm", ".lock"):
            pathlib.Path(f"{database}{end}").unlink(missing_ok=True)

    # Working

    def in_parallel(self, *works):
        """Starts each of these on a thread of its own. Leaving the returned object's `with` waits for all of
        them, and raises the first error."""
        return Threads(works)

    def seconds(self):
        """How long the scenario has been running."""
        return time.monotonic() - self._began

    def progress(self, text):
        """Tells on stderr how far a long form is; at most once in ten seconds."""
        if self.long and self.seconds() - self._progress_at >= 10:
            self._progress_at = self.seconds()
            print(f"{self.seconds():7.0f} s  {self.name}: {text}", file=sys.stderr, flush=True)

    def end(self):
        """Ends all that was started."""
        for sidecar in self.sidecars:
            sidecar.discard()


class Threads:
    """Works that go on beside the one that started them."""

    def __init__(self, works):
        self._errors = []
        self._threads = [threading.Thread(target=self._run, args=(work,), daemon=True) for work in works]
        for thread in self._threads:
            thread.start()

    def _run(self, work):
        try:
            work()
        except BaseException as error:
            self._errors.append(error)

    @property
    def failed(self):
        """Whether one of them has ended with an error, which `join` will raise."""
        return bool(self._errors)

    def join(self, patience=PATIENCE):
        for thread in self._threads:
            thread.join(patience)
            if thread.is_alive():
                raise CheckFailed(f"a part of the load has not ended after {patience:.0f} s")
        if self._errors:
            raise self._errors[0]

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.join()
        else:
            # The error that is on its way says more; the threads end with their sidecars.
            pass
