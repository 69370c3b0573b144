"""The program touches no memory that is not there, and no two threads touch the same at once.

The whole Swift suite, and the programs that it starts, are built and run under address sanitizer, and again under thread
sanitizer. Each takes a build of its own, so this is part of the long form only.

The thread sanitizer does not see `Synchronization.Mutex`, which waits by futex(2) within a library that is not instrumented:
it tells of a race wherever one guards something, also in ten lines that count right. So nothing is told of the
sources that have one. The queues between the threads of a sidecar are guarded by conditions, which it sees.
"""

import re
import shutil

from faults import HERE, Faults, Result, check

LONG_ONLY = True
ROOT = HERE.parents[1]
PATIENCE = 4 * 3_600.0
#: Tests of programs that may write small files only: the thread sanitizer maps a file of its own at the start of each, and then
#: ends it by SIGBUS.
SKIPPED = {"address": (), "thread": ("BackupTests/fileSizeLimit", "TransferTests/endedImport", "BenchTests/fullDisk")}
#: By which variable each is told its options.
VARIABLES = {"address": "ASAN_OPTIONS", "thread": "TSAN_OPTIONS"}
#: What a sanitizer says of a finding, whatever else the tests print.
FINDING = re.compile(r"^.*(?:(?:ERROR|WARNING): \w+Sanitizer|SUMMARY: \w+Sanitizer).*$", re.MULTILINE)


def run(faults: Faults) -> Result:
    unseen = mutexes()
    suppressions = faults.folder / "suppressions"
    suppressions.write_text("".join(f"race:{source}\n" for source in unseen))
    # Some tests start programs without the PATH on which the symbolizer is.
    common = f"external_symbolizer_path={make_symbolizer(faults.folder)}"
    options = {
        # What was freed is kept back up to 4 MB, so that the tests of how much memory is held still tell. What is not freed at
        # the end of a process is no leak.
        "address": f"{common}:detect_leaks=0:quarantine_size_mb=4",
        "thread": f"{common}:suppressions={suppressions}",
    }
    tests = {}

    def go(name):
        def work():
            tests[name] = suite(faults, name, options[name])
        return work

    # Most of the time the tests wait.
    with faults.in_parallel(*map(go, options)) as threads:
        threads.join(patience=PATIENCE)
    return Result(
        did=f"The Swift suite under address and thread sanitizer: {tests['address']:,} and {tests['thread']:,} tests.",
        held=f"No finding. {len(SKIPPED['thread'])} tests cannot run under the thread sanitizer, and {len(unseen)} sources are left out of it.",
        counts=tests,
    )


def suite(faults, name, options):
    """Runs the suite under a sanitizer; returns how many tests passed."""
    reports = faults.folder / f"{name}.report"
    # The programs that the tests start write theirs into files, too: a test may throw their stderr away.
    environment = {VARIABLES[name]: f"{options}:log_path={reports}"}
    skipping = [word for test in SKIPPED[name] for word in ("--skip", test)]
    done = faults.command(
        "swift", "test", "--package-path", ROOT, "--scratch-path", ROOT / f".build/{name}", "--sanitize", name, *skipping, environment=environment,
        patience=PATIENCE,
    )
    output = (done.stdout + done.stderr).decode("utf-8", "replace")
    (faults.folder / f"{name}.output").write_text(output)
    findings = [text for path in sorted(faults.folder.glob(f"{name}.report*")) for text in FINDING.findall(path.read_text(errors="replace"))]
    if findings:
        faults.fail_with(f"{name} sanitizer has {len(findings)} findings", findings)
    failed = re.findall(r"^.*(?:recorded an issue|\berror:).*$", output, re.MULTILINE)
    check(done.returncode == 0, f"the suite fails under {name} sanitizer, see {name}.output: {failed[:10]}")
    passed = sum(int(count) for count in re.findall(r"Test run with (\d+) tests", output))
    check(passed > 0, f"no test has run under {name} sanitizer, see {name}.output")
    return passed


def make_symbolizer(folder):
    """Makes a program that names the sources of a finding, and stands in no folder of a test; returns its path.

    The thread sanitizer starts it beside any program, also for what it is not to tell of. It ends soon after that program, which
    has promised to leave no process in its folder.
    """
    symbolizer = shutil.which("llvm-symbolizer")
    check(symbolizer, "llvm-symbolizer is not on PATH; it is part of LLVM, and without it no source is named")
    # The sanitizers know it by this name.
    program = folder / "llvm-symbolizer"
    program.write_text(f'#!/bin/sh\ncd / && exec "{symbolizer}" "$@"\n')
    program.chmod(0o700)
    return program


def mutexes():
    """The sources in which a Mutex guards something."""
    sources = (path for folder in ("Sources", "Tests") for path in (ROOT / folder).rglob("*.swift"))
    return sorted(str(path.relative_to(ROOT)) for path in sources if re.search(r"\bMutex[<(]", path.read_text()))
