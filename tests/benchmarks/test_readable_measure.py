"""The figures by which generated source is judged."""

from __future__ import annotations

from benchmarks.readable import measured

TEXT = '''"""A docstring."""

from torch import nn


class One(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc_1 = nn.Linear(2, 3)

    def forward(self, x, y):
        # a comment
        x = self.fc_1(x)
        return x + y


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 5)

    def forward(self, x, y):
        x = self.head(x)
        return x + y
'''


def test_figures_of_a_source() -> None:
    found = measured(TEXT)
    assert (found.lines, found.classes, found.longest, found.arguments) == (15, 2, 3, 2)
    assert found.numbered == 25
    assert found.ruff == 0


def test_twins_differ_in_names_and_numbers_only() -> None:
    assert measured(TEXT).twins == 2
    different = TEXT.partition("class Two")[0] + '''class Two(nn.Module):
    def forward(self, x):
        y = x.exp()
        z = y.log(2)
        x = y.softmax(z)
        return x.relu()
'''  # fmt: skip
    assert measured(different).twins == 0
