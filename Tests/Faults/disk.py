"""A disk whose power is cut: what was done to the files of a database, and what of it may be left.

`shims/disk_journal.c` writes down all that was done, in its order. `Disk` follows it up to any moment, and yields a state
of the files that a power cut at this moment may leave: what was synced is there, and of the rest whatever is
chosen, sector by sector. The length of a file and the entries of the folder are chosen apart from the data.

After a sync that failed, the system takes what was written before it for written, and never tries again: what of it is on
the disk is chosen then, and only what is written once more may follow (A. Rebello et al., "Can Applications Recover from fsync
Failures?", USENIX ATC 2020).
"""

import dataclasses
import struct

CREATE, UNLINK, WRITE, TRUNCATE, SYNC, SYNC_FOLDER, ANSWER, FAILED_SYNC = range(1, 9)
#: What a disk writes as a whole or not at all, in bytes.
SECTOR = 512
_HEADER = struct.Struct("<IIQQQ")


@dataclasses.dataclass(slots=True)
class Record:
    """One call, as the journal has it."""

    kind: int
    process: int
    inode: int
    #: Where it was written, or the new length.
    offset: int
    #: What was written, or the name of a file.
    data: bytes


def read_journal(path):
    """The records of a journal, in their order."""
    content = path.read_bytes()
    records = []
    position = 0
    while position < len(content):
        kind, process, inode, offset, size = _HEADER.unpack_from(content, position)
        position += _HEADER.size
        records.append(Record(kind, process, inode, offset, content[position : position + size]))
        position += size
    return records


class _File:
    """What a sync has brought to the disk, and the calls since then, by their numbers."""

    def __init__(self, durable=b""):
        self.durable = bytearray(durable)
        self.pending = []

    def unsynced(self):
        """What a cut may take away, as of a Disk."""
        return [(number, record.offset // SECTOR, -(-(record.offset + len(record.data)) // SECTOR)) for number, record in self.pending]

    def fail_to_sync(self, kept):
        self.durable = self.left(kept)
        self.pending = []

    def sync(self):
        for _, record in self.pending:
            if record.kind == TRUNCATE:
                del self.durable[record.offset :]
                self.durable.extend(bytes(record.offset - len(self.durable)))
            else:
                self.durable.extend(bytes(max(0, record.offset - len(self.durable))))
                self.durable[record.offset : record.offset + len(record.data)] = record.data
        self.pending = []

    def left(self, kept):
        """The content after a cut. A sector that is kept has with it all that was written to it before."""
        size = length = len(self.durable)
        seen, left = {}, {}
        for number, record in self.pending:
            if record.kind == TRUNCATE:
                # What was cut off reads as zeros where the file grows again.
                data, offset, end = bytes(max(0, size - record.offset)), record.offset, record.offset
            else:
                data, offset, end = record.data, record.offset, max(size, record.offset + len(record.data))
            for sector in range(offset // SECTOR, -(-(offset + len(data)) // SECTOR)):
                start = sector * SECTOR
                before = seen.get(sector)
                if before is None:
                    before = bytes(self.durable[start : start + SECTOR]).ljust(SECTOR, b"\0")
                piece = data[max(0, start - offset) : start + SECTOR - offset]
                at = max(0, offset - start)
                seen[sector] = before[:at] + piece + before[at + len(piece) :]
                if kept(number, sector):
                    left[sector] = seen[sector]
            if end != size:
                size = end
                if kept(number, None):
                    length = size
        content = bytearray(self.durable)
        content.extend(bytes(max(0, -(-length // SECTOR) * SECTOR - len(content))))
        for sector, data in left.items():
            if sector * SECTOR < len(content):
                content[sector * SECTOR : (sector + 1) * SECTOR] = data
        del content[length:]
        return content


class Disk:
    """The files at a moment of the journal.

    - files: what is there at the start, by inode: (name, content).
    - kept: makes of what was not synced a choice of what a sync that fails brings to the disk all the same.
    - syncs_until: the number of the record from which on it says that it has synced, and has not; None for never.
    """

    def __init__(self, files=None, kept=lambda unsynced: everything, syncs_until=None):
        self._kept = kept
        self._syncs_until = syncs_until
        self._files = {inode: _File(content) for inode, (_, content) in (files or {}).items()}
        #: By name, what stood there since the folder was synced: (number, file or None).
        self._entries = {name: [(-1, self._files[inode])] for inode, (name, _) in (files or {}).items()}

    def apply(self, number, record):
        """Takes the next record, with its number in the journal."""
        syncs = self._syncs_until is None or number < self._syncs_until
        if record.kind == CREATE:
            self._files[record.inode] = _File()
            self._entries.setdefault(record.data.decode(), [(-1, None)]).append((number, self._files[record.inode]))
        elif record.kind == UNLINK:
            self._entries[record.data.decode()].append((number, None))
        elif record.kind in (WRITE, TRUNCATE):
            self._files[record.inode].pending.append((number, record))
        elif record.kind == SYNC and syncs:
            self._files[record.inode].sync()
        elif record.kind == FAILED_SYNC:
            file = self._files[record.inode]
            file.fail_to_sync(self._kept(file.unsynced()))
        elif record.kind == SYNC_FOLDER and syncs:
            self._entries = {name: versions[-1:] for name, versions in self._entries.items()}

    def unsynced(self):
        """What a cut may take away: (number, first sector, sector after the last), in the order in which it was done;
        None for sectors where it is an entry of the folder."""
        found = [(number, None, None) for versions in self._entries.values() for number, _ in versions[1:]]
        for file in {file for versions in self._entries.values() for _, file in versions if file}:
            found += file.unsynced()
        return sorted(found, key=lambda entry: entry[0])

    def left(self, kept):
        """The files after a cut, as bytes by name.

        `kept(number, sector)` says whether a sector that the call of this number wrote reached the disk; with None for
        the sector, whether the length or the entry of the folder did.
        """
        files = {}
        for name, versions in self._entries.items():
            file = versions[0][1]
            for number, later in versions[1:]:
                if kept(number, None):
                    file = later
            if file is not None:
                files[name] = file.left(kept)
        return files


def everything(_number, _sector):
    """As if all had been synced."""
    return True


def nothing(_number, _sector):
    """Only what was synced."""
    return False


def _in_order(random, unsynced):
    """All up to one call, which is torn at the border of a sector."""
    last, first, end = random.choice(unsynced)
    border = random.randint(first, end) if first is not None else 0
    has_length = random.random() < 0.5
    return lambda number, sector: number < last or number == last and (has_length if sector is None else sector < border)


def _only_late(random, unsynced):
    """What came last, and nothing of what came before."""
    first, _, _ = random.choice(unsynced)
    return lambda number, _: number >= first


def _calls(random, unsynced):
    """Some calls, and not the others."""
    share = random.choice((0.1, 0.5, 0.9))
    chosen = {number for number, _, _ in unsynced if random.random() < share}
    return lambda number, _: number in chosen


def _sectors(random, _unsynced):
    """Some sectors, and not the others."""
    share = random.choice((0.1, 0.5, 0.9))
    return lambda _number, _sector: random.random() < share


#: By name, what makes of randomness and of what is not synced a choice of what is kept.
CHOICES = {
    "dropped": lambda _random, _unsynced: nothing,
    "kept": lambda _random, _unsynced: everything,
    "in order": _in_order,
    "only late": _only_late,
    "some calls": _calls,
    "some sectors": _sectors,
}


def choose(name, random, unsynced):
    """What is kept, chosen in a way that has this name."""
    return CHOICES[name](random, unsynced) if unsynced else nothing
