"""What a power cut may leave, and what it may not."""

import random
import unittest

from disk import (
    ANSWER, CHOICES, CREATE, FAILED_SYNC, SYNC, SYNC_FOLDER, TRUNCATE, UNLINK, WRITE, Disk, Record, choose, everything, nothing,
)


def disk(*records, **how):
    made = Disk(**how)
    for number, (kind, inode, offset, data) in enumerate(records):
        made.apply(number, Record(kind, 1, inode, offset, data))
    return made


MADE = [(CREATE, 7, 0, b"file"), (SYNC_FOLDER, 1, 0, b"")]


class DiskTest(unittest.TestCase):
    def test_what_was_synced_stays(self):
        made = disk(*MADE, (WRITE, 7, 0, b"synced"), (SYNC, 7, 0, b""), (WRITE, 7, 0, b"later!"), (ANSWER, 9, 0, b"{}\n"))
        self.assertEqual(made.left(nothing), {"file": b"synced"})
        self.assertEqual(made.left(everything), {"file": b"later!"})

    def test_a_sync_is_of_one_file(self):
        made = disk(*MADE, (CREATE, 8, 0, b"other"), (SYNC_FOLDER, 1, 0, b""), (WRITE, 7, 0, b"a"), (WRITE, 8, 0, b"b"), (SYNC, 8, 0, b""))
        self.assertEqual(made.left(nothing), {"file": b"", "other": b"b"})

    def test_a_name_is_there_for_sure_after_a_sync_of_its_folder_only(self):
        made = disk((CREATE, 7, 0, b"file"), (WRITE, 7, 0, b"a"), (SYNC, 7, 0, b""))
        self.assertEqual(made.left(nothing), {})
        self.assertEqual(made.left(everything), {"file": b"a"})
        made = disk(*MADE, (UNLINK, 0, 0, b"file"), (CREATE, 8, 0, b"file"), (WRITE, 8, 0, b"new"), (SYNC, 8, 0, b""))
        self.assertEqual(made.left(nothing), {"file": b""})
        self.assertEqual(made.left(lambda number, _: number == 2), {})
        self.assertEqual(made.left(lambda number, _: number == 3), {"file": b"new"})

    def test_writes_are_torn_at_sectors_and_a_sector_has_all_that_was_written_to_it_before(self):
        made = disk(*MADE, (WRITE, 7, 0, b"a" * 1024), (SYNC, 7, 0, b""), (WRITE, 7, 500, b"b" * 24), (WRITE, 7, 510, b"c" * 4))
        self.assertEqual(made.left(lambda _, sector: sector == 0)["file"], b"a" * 500 + b"b" * 10 + b"cc" + b"a" * 512)
        self.assertEqual(made.left(lambda number, sector: (number, sector) == (4, 1))["file"], b"a" * 512 + b"b" * 12 + b"a" * 500)
        self.assertEqual(made.left(lambda number, sector: (number, sector) == (5, 1))["file"], b"a" * 512 + b"cc" + b"b" * 10 + b"a" * 500)

    def test_the_length_is_apart_from_the_data(self):
        made = disk(*MADE, (WRITE, 7, 0, b"a" * 512), (SYNC, 7, 0, b""), (WRITE, 7, 512, b"b" * 600))
        self.assertEqual(made.left(lambda _, sector: sector is not None)["file"], b"a" * 512)
        self.assertEqual(made.left(lambda _, sector: sector is None)["file"], b"a" * 512 + bytes(600))
        self.assertEqual(made.left(lambda _, sector: sector in (None, 2))["file"], b"a" * 512 + bytes(512) + b"b" * 88)

    def test_what_was_cut_off_reads_as_zeros_where_the_file_grows_again(self):
        made = disk(*MADE, (WRITE, 7, 0, b"a" * 1024), (SYNC, 7, 0, b""), (TRUNCATE, 7, 100, b""), (WRITE, 7, 1023, b"b"))
        self.assertEqual(made.left(everything)["file"], b"a" * 100 + bytes(923) + b"b")
        self.assertEqual(made.left(nothing)["file"], b"a" * 1024)
        self.assertEqual(made.left(lambda number, _: number == 4)["file"], b"a" * 100)
        made.apply(6, Record(SYNC, 1, 7, 0, b""))
        self.assertEqual(made.left(nothing)["file"], b"a" * 100 + bytes(923) + b"b")

    def test_a_sync_that_fails_leaves_what_it_happens_to_and_only_what_is_written_again_can_follow(self):
        records = (*MADE, (WRITE, 7, 0, b"a" * 1024), (FAILED_SYNC, 7, 0, b""), (WRITE, 7, 512, b"b" * 512), (SYNC, 7, 0, b""))
        self.assertEqual(disk(*records[:4]).left(nothing), {"file": b"a" * 1024})
        self.assertEqual(disk(*records[:4], kept=lambda _: nothing).left(everything), {"file": b""})
        self.assertEqual(disk(*records, kept=lambda _: nothing).left(everything), {"file": bytes(512) + b"b" * 512})
        self.assertEqual(
            disk(*records[:4], kept=lambda unsynced: lambda number, sector: sector is None or (number, 0, 2) in unsynced and sector == 1).left(nothing),
            {"file": bytes(512) + b"a" * 512},
        )

    def test_what_is_there_at_the_start_is_synced(self):
        made = disk((WRITE, 7, 1, b"b"), files={7: ("file", b"aaa"), 8: ("other", b"o")})
        self.assertEqual(made.left(nothing), {"file": b"aaa", "other": b"o"})
        self.assertEqual(made.left(everything), {"file": b"aba", "other": b"o"})

    def test_a_disk_that_does_not_sync_keeps_nothing_for_sure(self):
        made = disk(*MADE, (WRITE, 7, 0, b"a"), (SYNC, 7, 0, b""), (WRITE, 7, 0, b"b"), (SYNC, 7, 0, b""), syncs_until=4)
        self.assertEqual(made.left(nothing), {"file": b"a"})

    def test_whatever_is_chosen_each_sector_is_one_that_was_there(self):
        made = disk(*MADE, *((WRITE, 7, 512 * (n % 5), bytes([n]) * 1024) for n in range(1, 40)))
        for name in CHOICES:
            for seed in range(50):
                content = made.left(choose(name, random.Random(seed), made.unsynced())).get("file", b"")
                self.assertIn(len(content), [0, *range(1024, 512 * 7, 512)])
                for sector in range(len(content) // 512):
                    byte = content[sector * 512]
                    self.assertEqual(content[sector * 512 : (sector + 1) * 512], bytes([byte]) * 512)
                    self.assertIn(sector - byte % 5 if byte else 0, (0, 1))


if __name__ == "__main__":
    unittest.main()
