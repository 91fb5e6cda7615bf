"""The two loops of `overhead`, on asyncio: spawn and join, and one poll.

Prints a line a round: microseconds for each of spawn+join, spawn+join in debug
mode, poll, poll in debug mode. `ROUNDS` rounds, the arms taking turns.
"""

import asyncio
import time

ROUNDS = 15
TIMES = 400


async def nothing():
    return 1


async def spawn_join():
    start = time.thread_time()
    for _ in range(TIMES):
        await asyncio.create_task(nothing())
    return time.thread_time() - start


async def yields():
    start = time.thread_time()
    for _ in range(TIMES):
        await asyncio.sleep(0)
    return time.thread_time() - start


async def poll():
    return await asyncio.create_task(yields())


def run(loop, debug):
    return asyncio.run(loop(), debug=debug) / TIMES * 1e6


for _ in range(ROUNDS):
    print(*(run(loop, debug) for loop in (spawn_join, poll) for debug in (False, True)))
