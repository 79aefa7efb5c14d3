"""The oracle: Paddle itself, in a process of its own, answering what an expression computes."""
