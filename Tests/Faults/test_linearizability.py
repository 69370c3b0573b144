"""The checker finds what is broken in histories made by hand, and decides like a search through all orders."""

import itertools
import random
import unittest

from linearizability import NEVER, Change, Observation, check


def change(version, called, answered, id="a", seq=None, expected=None):
    return Change(id, version, version if seq is None else seq, called, answered, expected)


def seen(version, called, answered, id="a"):
    return Observation({id: version}, called, answered)


class LinearizabilityTest(unittest.TestCase):
    def assert_broken(self, text, changes, observations=()):
        findings = check(changes, observations)
        self.assertTrue(any(text in finding for finding in findings), findings)

    def assert_whole(self, changes, observations=()):
        self.assertEqual(check(changes, observations), [])

    def test_changes_one_after_the_other(self):
        self.assert_whole([change(1, 0, 1), change(2, 2, 3)], [seen(0, -2, -1), seen(1, 1, 2), seen(2, 4, 5)])

    def test_changes_at_the_same_time_may_take_any_order(self):
        self.assert_whole([change(1, 0, 10), change(2, 0, 10)], [seen(1, 0, 10), seen(2, 0, 10), seen(0, 0, 10)])

    def test_a_lost_update(self):
        # Both have read version 1 and say so, and both were accepted.
        self.assert_broken("a lost update", [change(1, 0, 1), change(2, 2, 5, expected=1), change(3, 2, 5, expected=1)])

    def test_two_winners_of_one_version(self):
        self.assert_broken("two winners", [change(1, 0, 1), change(2, 2, 5, seq=2), change(2, 2, 5, seq=3)])

    def test_one_seq_for_two_changes(self):
        self.assert_broken("was given twice", [change(1, 0, 1, seq=1), change(1, 0, 1, id="b", seq=1)])

    def test_a_version_that_nobody_made(self):
        self.assert_broken("version 2 of a should be next", [change(1, 0, 1), change(3, 2, 3)])
        self.assert_broken("nobody made it", [change(1, 0, 1)], [seen(2, 2, 3)])

    def test_versions_against_the_order_of_seq(self):
        self.assert_broken("should be next", [change(1, 0, 9, seq=2), change(2, 0, 9, seq=1)])

    def test_a_stale_read(self):
        self.assert_broken("a stale view", [change(1, 0, 1), change(2, 2, 3)], [seen(1, 4, 5)])

    def test_a_read_of_a_version_before_it_was_asked_for(self):
        self.assert_broken("an early view", [change(1, 0, 1), change(2, 6, 7)], [seen(2, 2, 3)])

    def test_answers_against_the_order_of_calls(self):
        # The second was called after the first was answered, and came before it.
        self.assert_broken("smaller seq", [change(2, 0, 1), change(1, 2, 3)])

    def test_a_read_that_goes_backwards(self):
        changes = [change(1, 0, 1), change(2, 2, 100)]
        self.assert_whole(changes, [seen(1, 3, 4), seen(2, 5, 6)])
        self.assert_broken("an early view", changes, [seen(2, 3, 4), seen(1, 5, 6)])

    def test_a_refusal_tells_what_was_at_a_moment_of_its_own(self):
        self.assert_broken("a stale view", [change(1, 0, 1), change(2, 2, 3), change(3, 4, 5)], [seen(1, 4, 5)])

    def test_a_change_without_an_answer_may_come_late(self):
        self.assert_whole([change(1, 0, 1), change(2, 2, None)], [seen(1, 50, 51), seen(2, 52, 53)])
        self.assert_broken("an early view", [change(1, 0, 1), change(2, 2, None)], [seen(2, 1, 1.5)])

    def test_the_order_of_seq_is_that_of_time_over_all_renders(self):
        self.assert_broken("smaller seq", [change(1, 0, 1, id="a", seq=2), change(1, 2, 3, id="b", seq=1)])

    def test_one_answer_about_several_renders_is_of_one_moment(self):
        changes = [change(1, 0, 9, id="a", seq=1), change(1, 0, 9, id="b", seq=2)]
        for versions in ({"a": 0, "b": 0}, {"a": 1, "b": 0}, {"a": 1, "b": 1}):
            self.assert_whole(changes, [Observation(versions, 0, 9)])
        self.assert_broken("there was no moment", changes, [Observation({"a": 0, "b": 1}, 0, 9)])

    def test_it_decides_like_a_search_through_all_orders(self):
        chance = random.Random(1)
        outcomes = []
        for _ in range(4_000):
            changes, observations = story(chance)
            expected = search(changes, observations)
            outcomes.append(expected)
            self.assertEqual(check(changes, observations) == [], expected, (changes, observations))
        # Both happen often, or this shows nothing.
        self.assertGreater(min(outcomes.count(True), outcomes.count(False)), 500)


def story(chance):
    """A few operations on two renders, often right and often not."""
    count = chance.randint(1, 4)
    versions = {"a": 0, "b": 0}
    changes = []
    for seq in range(1, count + 1):
        id = chance.choice("ab")
        versions[id] += 1
        # Mostly in the order of seq.
        called = chance.uniform(0, 4) + seq * 2
        answered = None if chance.random() < 0.1 else called + chance.uniform(0, 6)
        changes.append(Change(id, versions[id], seq, called, answered))
    observations = []
    for _ in range(chance.randint(0, 3)):
        ids = chance.choice((["a"], ["b"], ["a", "b"]))
        called = chance.uniform(0, 2 * count + 6)
        observations.append(Observation(
            {id: chance.randint(0, versions[id]) for id in ids}, called, called + chance.uniform(0, 6)
        ))
    return changes, observations


def search(changes, observations):
    """Linearizability as it is defined: is there an order that agrees with the times, and in which one store that
    does one thing at a time gives these answers?"""
    operations = [*changes, *observations]
    for order in itertools.permutations(operations):
        if agrees_with_times(order) and gives_the_answers(order):
            return True
    return False


def agrees_with_times(order):
    for index, first in enumerate(order):
        for second in order[index + 1:]:
            if (NEVER if second.answered is None else second.answered) < first.called:
                return False
    return True


def gives_the_answers(order):
    versions = {"a": 0, "b": 0}
    seq = 0
    for operation in order:
        if isinstance(operation, Change):
            seq += 1
            versions[operation.id] += 1
            if (operation.seq, operation.version) != (seq, versions[operation.id]):
                return False
        elif any(versions[id] != version for id, version in operation.versions.items()):
            return False
    return True


if __name__ == "__main__":
    unittest.main()
