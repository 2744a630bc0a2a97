"""A list of integers is built, then, once tracing has started, each is replaced by its negative.

    late_start.py GATE SAID

The program ends with as many integers as it began with. A tracer that knows only what it saw
itself would report a million integers of growth.
"""
import os
import sys
import time

gate = os.open(sys.argv[1], os.O_RDONLY)
said = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def step(word):
    os.write(said, f"{word} {time.monotonic_ns()}.\n".encode())
    os.read(gate, 1)


values = list(range(10**6))
step("built")
for position, value in enumerate(values):
    values[position] = -value
step("replaced")
