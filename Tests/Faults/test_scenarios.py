"""Every scenario says what it is for, there and in the README."""

import re
import unittest

from faults import HERE
from main import promise, scenarios


class ScenariosTest(unittest.TestCase):
    def test_every_scenario_has_its_promise_and_its_row_in_the_readme(self):
        rows = re.findall(r"^\| `(\w+)` \|", (HERE / "README.md").read_text().split("## Results")[0], re.MULTILINE)
        known = scenarios()
        self.assertEqual(sorted(rows), sorted(known))
        for name, module in known.items():
            with self.subTest(name):
                self.assertTrue(callable(module.run))
                self.assertTrue(promise(module).endswith("."))


if __name__ == "__main__":
    unittest.main()
