"""How fast the whole way is, beside what others need for a part of it; not a test.

`python -m benchmarks --points 200000` makes a market day, measures and prints the table. Every
number is a ratio in one run, on the same files, on the same machine, and no timer fails anything.
"""
