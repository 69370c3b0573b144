"""No input brings a crash, a hang or a wrong count of answers, also none that a fuzzer finds by looking where it leads.

The long form builds two fuzzers out of the program's own modules, with libFuzzer of the Swift toolchain: one reads lines, one
gives whole sessions to a sidecar. They begin with the conversations in `protocol/transcripts`, and grow inputs that reach
code no other has reached. The short form plays the conversations, whole and mutated, to the ordinary program over pipes.
"""

import collections
import json
import re
import subprocess
import threading

from faults import HERE, Faults, Result, check
from nonsense import TOKENS, Talk

ROOT = HERE.parents[1]
LINES = 10_000_000
SESSIONS = 300_000
#: How many processes share the sessions. Most of a session is waiting: the system takes 6 ms to close an inotify descriptor.
SHARES = 4
#: The longest input, so that the fuzzers spend their time on many and not on long ones.
LONGEST = 2_048
PATIENCE = 4 * 3_600.0


def run(faults: Faults) -> Result:
    seeds = [session(path) for path in sorted((ROOT / "protocol/transcripts").glob("*.jsonl"))]
    check(len(seeds) > 10, "the transcripts are gone")
    return fuzz(faults, seeds) if faults.long else replay(faults, seeds)


def session(path):
    """What a transcript sends, as bytes."""
    lines = []
    for line in path.read_text().splitlines():
        step = json.loads(line)
        if "send" in step:
            lines.append(json.dumps(step["send"], separators=(",", ":"), ensure_ascii=False).encode())
        elif "sendRaw" in step:
            lines.append(str(step["sendRaw"]).encode("utf-8", "surrogatepass"))
    return b"\n".join(lines) + b"\n"


def replay(faults, seeds):
    """Plays each session as it is, and mutated, each to a sidecar of its own."""
    random = faults.random
    played = answers = 0
    for seed in seeds:
        for input in (seed, mutated(random, seed), mutated(random, mutated(random, random.choice(seeds)))):
            talk = Talk(faults.program, faults.folder / "replayed.sqlite", environment=faults.environment())
            try:
                talk.send(input, (lambda: random.randrange(1, 400)) if random.random() < 0.3 else None)
                talk.end()
            except Exception:
                (faults.folder / "input").write_bytes(input)
                raise
            finally:
                talk.discard()
            played += 1
            answers += talk.answers
    return Result(
        did=f"{played} sessions made of the {len(seeds)} transcripts, over pipes.", held=f"{answers} answers were owed and came.", counts={"answers": answers}
    )


def mutated(random, input):
    """The input with a few bytes changed, tokens put in, and stretches cut out or doubled."""
    for _ in range(random.randrange(1, 6)):
        at = random.randrange(len(input) + 1)
        end = min(len(input), at + random.choice((0, 0, 1, 10, 200)))
        input = input[:at] + random.choice((random.choice(TOKENS), random.randbytes(1), b"", input[at:end] * 2)) + input[end:]
    return input


def fuzz(faults, seeds):
    """Builds the fuzzers and runs them, side by side."""
    scratch = ROOT / ".build/fuzzers"
    build = (
        "swift", "build", "--package-path", ROOT, "--scratch-path", scratch, "-c", "release", "--sanitize", "fuzzer", "--product",
    )
    for name in ("LineFuzzer", "SessionFuzzer"):
        done = faults.command(*build, name, environment={"RENDERSTATE_FUZZERS": "1"}, patience=PATIENCE)
        check(done.returncode == 0, f"{name} cannot be built: {done.stdout.decode()[-2_000:]}{done.stderr.decode()[-2_000:]}")
    dictionary = faults.folder / "dictionary"
    words = [*TOKENS, *(b'"%b"' % word for word in sorted(set(re.findall(rb'"(\w+)"', b"".join(seeds)))))]
    dictionary.write_text("".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in words))
    counting = threading.Lock()
    inputs, edges = collections.Counter(), collections.Counter()
    corpora = {name: faults.folder / f"{name}.corpus" for name in ("LineFuzzer", "SessionFuzzer")}

    def plant(name, pieces):
        corpora[name].mkdir()
        for number, piece in enumerate(pieces):
            (corpora[name] / f"seed-{number}").write_bytes(piece)

    def go(name, runs):
        seed = faults.random.randrange(1, 2**31)
        artifacts = f"{name}-{seed}-"
        command = (
            scratch / "release" / name, f"-runs={runs}", f"-max_len={LONGEST}", f"-seed={seed}", f"-dict={dictionary}", "-timeout=30",
            "-rss_limit_mb=2048", f"-artifact_prefix={faults.folder}/{artifacts}", corpora[name],
        )
        # So that libFuzzer sees the end itself, and keeps the input.
        environment = faults.environment({"SWIFT_BACKTRACE": "enable=no"})

        def work():
            words = collections.deque(maxlen=50)
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=faults.folder, env=environment) as fuzzer:
                for line in fuzzer.stderr:
                    words.append(line.decode("utf-8", "replace"))
                    if status := re.match(rb"#(\d+)\s.*\bcov: (\d+)", line):
                        with counting:
                            inputs[name, seed] = int(status[1])
                            edges[name] = max(edges[name], int(status[2]))
                        faults.progress(f"{count('LineFuzzer'):,} inputs to the parser of lines, {count('SessionFuzzer'):,} sessions")
            found = sorted(str(path) for path in faults.folder.glob(f"{artifacts}*"))
            check(fuzzer.returncode == 0 and not found, f"{name} found {found}: {''.join(words)}")
        return work

    def count(name):
        with counting:
            return sum(number for (fuzzer, _), number in inputs.items() if fuzzer == name)

    plant("SessionFuzzer", seeds)
    # For lines the first byte says where they are cut.
    plant("LineFuzzer", [b"\x20" + line for seed in seeds for line in seed.split(b"\n")])
    with faults.in_parallel(go("LineFuzzer", LINES), *(go("SessionFuzzer", SESSIONS // SHARES) for _ in range(SHARES))) as threads:
        threads.join(patience=PATIENCE)
    counts = {name: count(name) for name in corpora}
    corpus = {name: len(list(folder.iterdir())) for name, folder in corpora.items()}
    return Result(
        did=f"{counts['LineFuzzer']:,} inputs to the parser of lines, {counts['SessionFuzzer']:,} sessions, both grown by libFuzzer from {len(seeds)} "
        "transcripts.",
        held=f"No crash, no hang, as many answers as owed. The inputs that led somewhere new are {corpus['LineFuzzer']:,} and {corpus['SessionFuzzer']:,}; "
        f"they reach {edges['LineFuzzer']:,} and {edges['SessionFuzzer']:,} edges of the code.",
        counts={"inputs": counts, "corpus": corpus, "edges": dict(edges)},
    )
