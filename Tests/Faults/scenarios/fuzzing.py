"""No input brings a crash, a hang or a wrong count of answers, also none that a fuzzer finds by looking where it leads.

The long form builds two fuzzers out of the program's own modules, with libFuzzer of the Swift toolchain: one reads lines, one
gives whole sessions to a sidecar. They begin with the conversations in `protocol/transcripts`, and grow inputs that reach
code no other has reached. The short form plays the conversations, whole and mutated, to the ordinary program over pipes.
"""

import json
import pathlib
import re

from faults import HERE, Faults, Result, check
from nonsense import TOKENS, Talk

ROOT = HERE.parents[1]
LINES = 10_000_000
SESSIONS = 300_000
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
    """Builds the fuzzers and runs both, side by side."""
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
    figures = {}

    def go(name, inputs, first):
        def work():
            corpus = faults.folder / f"{name}.corpus"
            corpus.mkdir()
            for number, seed in enumerate(seeds):
                pieces = [seed] if name == "SessionFuzzer" else seed.split(b"\n")
                for part, piece in enumerate(pieces):
                    (corpus / f"seed-{number}-{part}").write_bytes(first + piece)
            done = faults.command(
                scratch / "release" / name, f"-runs={inputs}", f"-max_len={LONGEST}", f"-seed={faults.random.randrange(1, 2**31)}", f"-dict={dictionary}",
                "-timeout=30", "-rss_limit_mb=2048", f"-artifact_prefix={faults.folder}/{name}-", "-print_final_stats=1", corpus, patience=PATIENCE,
                # So that libFuzzer sees the end itself, and keeps the input.
                environment={"SWIFT_BACKTRACE": "enable=no"},
            )
            words = done.stderr.decode("utf-8", "replace")
            found = sorted(pathlib.Path(faults.folder).glob(f"{name}-*"))
            check(done.returncode == 0 and not found, f"{name} found {[str(path) for path in found]}: {words[-3_000:]}")
            figures[name] = {
                "inputs": int(re.search(r"stat::number_of_executed_units:\s*(\d+)", words)[1]),
                "corpus": len(list(corpus.iterdir())),
                "edges": int(re.findall(r"cov: (\d+)", words)[-1]),
            }
        return work

    # For lines the first byte says where they are cut.
    with faults.in_parallel(go("LineFuzzer", LINES, b"\x20"), go("SessionFuzzer", SESSIONS, b"")) as threads:
        threads.join(patience=PATIENCE)
    lines, sessions = figures["LineFuzzer"], figures["SessionFuzzer"]
    return Result(
        did=f"{lines['inputs']:,} inputs to the parser of lines, {sessions['inputs']:,} sessions, both grown by libFuzzer from {len(seeds)} transcripts.",
        held=f"No crash, no hang, as many answers as owed. The inputs that led somewhere new are {lines['corpus']:,} and {sessions['corpus']:,}; they reach "
        f"{lines['edges']:,} and {sessions['edges']:,} edges of the code.",
        counts=figures,
    )
