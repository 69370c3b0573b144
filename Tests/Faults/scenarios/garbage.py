"""Whatever comes in, exactly one answer goes out where one is owed: never a crash, never a hang, and memory stays bounded.

Sessions of lines that a grammar and mutation have made (10,000,000 lines in the long form) go through several sidecars over
real pipes, and a model of the contract says for each line which answer is owed. Besides: a line of 100 MB, 100,000 levels of
nesting, half a line before the end, lines exactly at the limit, one byte at a time, and lines that are small and need
much memory when read.
"""

import collections
import concurrent.futures
import itertools
import multiprocessing
import random as randomness

from faults import Faults, Result, check
from nonsense import LINES, Nonsense, Talk, converse
from sidecar import PATIENCE

MIB = 1 << 20
#: The most that a sidecar may have resident, whatever it is sent.
MOST_MEMORY = 128 * MIB
PING = b'{"jsonrpc":"2.0","id":%d,"method":"ping"}'


def run(faults: Faults) -> Result:
    lines = 10_000_000 if faults.long else 30_000
    workers = 4 if faults.long else 2
    with sessions(faults, workers, lines) as figures:
        grown = one_long_line(faults)
        for attack in (deep, unfinished, at_the_limit, one_byte_at_a_time, only_ends):
            attack(faults)
        bloated = bloating(faults)
        counts = figures()
    check(counts["most_memory"] <= MOST_MEMORY, f"a sidecar had {counts['most_memory'] / MIB:.0f} MiB resident while it read nonsense")
    return Result(
        did=f"{counts['lines']:,} lines of nonsense in {counts['sidecars']:,} sessions, a line of {megabytes(faults)} MB, 100,000 levels, lines cut off within.",
        held=f"{counts['answers']:,} answers were owed and came, {counts['errors']:,} of them errors; {counts['changes']:,} changes are sound. The long line "
        f"cost {grown / MIB:.1f} MiB; the most that was resident is {max(counts['most_memory'], bloated) / MIB:.0f} MiB.",
        counts=dict(counts),
    )


class sessions:
    """Sessions of nonsense in processes of their own; the function that `with` gives waits for their figures."""

    def __init__(self, faults, workers, lines):
        self.faults = faults
        self.pool = concurrent.futures.ProcessPoolExecutor(min(workers, 4), multiprocessing.get_context("spawn"))
        # In parts, so that a long form can tell how far it is.
        parts = workers if not faults.long else lines // 250_000
        self.futures = [
            self.pool.submit(
                converse, faults.program, str(faults.folder), f"nonsense-{part}", faults.random.getrandbits(64), lines // parts, faults.environment(),
            )
            for part in range(parts)
        ]

    def __enter__(self):
        return self.figures

    def figures(self):
        total = collections.Counter()
        for future in concurrent.futures.as_completed(self.futures):
            counts = future.result()
            most = max(total["most_memory"], counts["most_memory"])
            total.update(counts)
            total["most_memory"] = most
            self.faults.progress(f"{total['lines']:,} lines")
        return total

    def __exit__(self, *_):
        self.pool.shutdown(cancel_futures=True)


def talk(faults, name, limit=MIB):
    return Talk(faults.program, faults.folder / f"{name}.sqlite", limit=limit, environment=faults.environment())


def megabytes(faults):
    return 100 if faults.long else 20


def one_long_line(faults):
    """A very long line is refused while it is still being written, and costs no memory. Returns what it cost."""
    sidecar = talk(faults, "long")
    try:
        sidecar.send(PING % 1 + b"\n")
        sidecar.wait()
        at_rest = sidecar.memory()
        piece = b"x" * MIB
        sidecar.send(b'{"jsonrpc":"2.0","id":1,"method":"' + piece + piece)
        # The answer comes though the line has no end yet.
        sidecar.wait()
        for _ in range(megabytes(faults) - 2):
            sidecar.send(piece)
        sidecar.send(b'"}\n' + PING % 2 + b"\n")
        sidecar.wait()
        grown = sidecar.memory() - at_rest
        check(grown < 16 * MIB, f"a line of {megabytes(faults)} MB cost {grown / MIB:.1f} MiB")
        sidecar.end()
    finally:
        sidecar.discard()
    return grown


def deep(faults):
    """Nesting: 100,000 levels in all places, and the last level that is read."""
    sidecar = talk(faults, "deep")
    try:
        for levels in (64, 511, 512, 513, 1_000, 100_000):
            for begin, inner, end in ((b"[", b"", b"]"), (b'{"a":', b"1", b"}"), (b'[{"a":', b"", b"}]"), (b"[", b"", b"")):
                nest = begin * levels + inner + end * levels
                for frame in (
                    b"%b", b'{"jsonrpc":"2.0","id":1,"method":"ping","x":%b}', b'{"jsonrpc":"2.0","id":%b,"method":"ping"}',
                    b'{"jsonrpc":"2.0","id":1,"method":"ping","params":%b}', b'{"jsonrpc":"2.0","method":%b}', b"[%b]",
                    b'{"jsonrpc":"2.0","id":1,"method":"transition","params":{"id":"a","event":"start","context":{"metadata":{"m":%b}}}}',
                ):
                    sidecar.send(frame % nest + b"\n")
            sidecar.wait()
        sidecar.end()
    finally:
        sidecar.discard()


def unfinished(faults):
    """The input ends somewhere within a line: what stands there is a line."""
    whole = (
        '{"jsonrpc":"2.0","id":"ü🎬","method":"transition","params":{"id":"cut","event":"start","context":{"metadata":{"a":[1,2e5,"\\ud83c\\udfac"]}}}}\r\n'.encode()
    )
    cuts = range(len(whole) + 1) if faults.long else sorted(faults.random.sample(range(len(whole) + 1), 12)) + [len(whole) - 2, len(whole) - 1]
    ends = [whole[:cut] for cut in cuts] + [b"x" * 2_000, b"x" * 701, b"x" * 700 + b"\r", b" " * 5_000, b"\xf0\x9f", b"[" + PING % 1 + b","]
    for end in ends:
        sidecar = talk(faults, "unfinished", limit=700)
        try:
            sidecar.send(PING % 1 + b"\n" + end)
            sidecar.end()
        finally:
            sidecar.discard()


def at_the_limit(faults):
    """Lines just below and above the limit, with both ends of a line, read in pieces of all sizes."""
    for limit in (700, MIB):
        sidecar = talk(faults, "limit", limit)
        try:
            for size, end in itertools.product((limit - 1, limit, limit + 1, limit + 2, 2 * limit), (b"\n", b"\r\n", b"\r\r\n")):
                request = PING % 1
                filled = request[:-1] + b',"x":"' + b"y" * (size - len(request) - 7) + b'"}'
                check(len(filled) == size, f"{len(filled)} and not {size}")
                sizes = faults.random.choice((1, 7, 699, 4_096)) if limit == 700 else faults.random.choice((4_096, 65_536, limit))
                sidecar.send(filled + end, lambda: sizes)
            sidecar.wait()
            sidecar.end()
        finally:
            sidecar.discard()


def one_byte_at_a_time(faults):
    """A session in single bytes, and in pieces of a few."""
    nonsense = Nonsense(randomness.Random(faults.random.getrandbits(64)))
    for size in (1, 3):
        lines = [line for line in LINES if len(line) < 1_500] + [nonsense.line()[:1_000] for _ in range(400 if faults.long else 60)]
        sidecar = talk(faults, "bytes")
        try:
            sidecar.send(b"\n".join(line for line in lines if b"subscribe" not in line) + b"\n", lambda: size)
            sidecar.wait()
            sidecar.end()
        finally:
            sidecar.discard()


def bloating(faults):
    """Lines within the limit that take much more memory when read, one behind the other, in all places. Returns the most resident."""
    sidecar = talk(faults, "bloating")
    fill = {
        b"numbers": (b"1,", b"1"), b"arrays": (b"[1],", b"[1]"), b"empty": (b"[],", b"[]"), b"objects": (b'{"":1},', b"{}"), b"texts": (b'"0123456789abcdef",', b'""'),
    }
    frames = (
        b"%b", b'{"jsonrpc":"2.0","id":1,"method":"nothing","params":{"x":%b}}', b'{"jsonrpc":"2.0","id":1,"method":"ping","x":%b}',
        b'{"jsonrpc":"2.0","id":%b,"method":"ping"}', b'{"jsonrpc":"2.0","method":"nothing","params":{"x":%b}}',
        b'{"jsonrpc":"2.0","id":1,"method":"transition","params":{"id":"a","event":"start","context":{"metadata":{"x":%b}}}}',
    )
    all_cases = list(itertools.product(fill.values(), frames))
    try:
        for (repeated, last), frame in all_cases if faults.long else faults.random.sample(all_cases, 2):
            body = b"[" + repeated * ((MIB - 300) // len(repeated)) + last + b"]"
            members = b"{" + b",".join(b'"%x":%b' % (number, last) for number in range((MIB - 300) // (len(last) + 9))) + b"}"
            for content in (body, members):
                # What is owed is the same each time, and is worked out once.
                sidecar.send_again(frame % content + b"\n", 4 if faults.long else 2)
        # A batch whose answers are many times as long.
        discover = b'{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}'
        sidecar.send(b"[" + b",".join([discover] * (1_000 if faults.long else 50)) + b"]\n")
        sidecar.send(b"\n".join([PING % 1] * 5_000) + b"\n")
        sidecar.wait()
        most = sidecar.memory()
        check(most <= MOST_MEMORY, f"{most / MIB:.0f} MiB are resident after lines that need much memory")
        sidecar.end()
    finally:
        sidecar.discard()
    return most


def only_ends(faults):
    """Nothing but ends of lines and white space is owed nothing."""
    sidecar = talk(faults, "ends")
    try:
        sidecar.send((b"\n" * 1_000 + b"\r\n" * 1_000 + b" \t\r\n" * 1_000) * (100 if faults.long else 10) + PING % 1 + b"\n")
        sidecar.wait()
        check(sidecar.answers == 1, f"{sidecar.answers} answers to blank lines and a ping")
        sidecar.end()
    finally:
        sidecar.discard()
