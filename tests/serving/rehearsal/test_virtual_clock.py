"""Laws of the virtual loop: everything awaits as it does live, and nobody waits."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.rehearsal.clock import Deadlock, Standstill, VirtualClock, run_virtually

ROUNDING_S = 1e-9
seconds = st.floats(min_value=0.0, max_value=1e5, allow_nan=False)


@given(st.lists(seconds, max_size=20))
def test_a_sleep_takes_its_time_and_none_of_ours(naps):
    async def main():
        loop = asyncio.get_running_loop()
        for nap in naps:
            due = loop.time() + nap
            await asyncio.sleep(nap)
            assert 0 <= loop.time() - due < ROUNDING_S

    run_virtually(main())


@given(st.lists(seconds, min_size=1, max_size=20))
def test_timers_fire_in_the_order_of_their_times_and_none_too_early(delays):
    async def main():
        loop, fired = asyncio.get_running_loop(), []
        for number, delay in enumerate(delays):
            loop.call_later(delay, lambda number=number: fired.append((loop.time(), number)))
        await asyncio.sleep(max(delays) + 1)
        return fired

    fired = run_virtually(main())
    assert [at for at, _ in fired] == sorted(at for at, _ in fired)
    assert sorted(number for _, number in fired) == list(range(len(delays)))
    assert all(0 <= at - delays[number] < ROUNDING_S for at, number in fired)


@given(until=st.floats(min_value=1e-9, max_value=1e5), step=st.floats(min_value=1e-12, max_value=1.0))
def test_who_waits_for_the_rest_of_a_time_arrives(until, step):
    """A loop that fires timers a clock's resolution early would never let the last of it pass."""

    async def main():
        loop, waits = asyncio.get_running_loop(), 0
        while (left_s := until - loop.time()) > 0:
            await asyncio.sleep(left_s - step if left_s > 2 * step else left_s)
            waits += 1
            assert waits < 10_000
        return loop.time()

    assert run_virtually(main()) >= until


def test_a_year_can_be_waited_for():
    async def main():
        await asyncio.sleep(365 * 86_400)
        return asyncio.get_running_loop().time()

    assert run_virtually(main()) == pytest.approx(365 * 86_400)


def test_a_timeout_cuts_what_takes_longer_and_nothing_else():
    async def main():
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(5):
            await asyncio.sleep(4.999)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.Event().wait()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 2)
        return loop.time()

    assert run_virtually(main()) == pytest.approx(4.999 + 5 + 2)


def test_waiting_for_what_nobody_will_do_is_an_error():
    async def main():
        await asyncio.Event().wait()

    with pytest.raises(Deadlock, match="nobody is ready and no timer runs"):
        run_virtually(main())


def test_going_on_without_waiting_is_an_error():
    async def main():
        while True:
            await asyncio.sleep(0)

    with pytest.raises(Standstill, match="time stands still"):
        run_virtually(main())


def test_an_error_that_nobody_waits_for_is_raised_all_the_same():
    async def main():
        asyncio.get_running_loop().call_later(1, lambda: 1 / 0)
        await asyncio.sleep(2)

    with pytest.raises(ZeroDivisionError):
        run_virtually(main())


def test_unix_time_begins_at_the_epoch_that_is_passed_in():
    async def main():
        clock = VirtualClock(asyncio.get_running_loop(), 1_800_000_000.0)
        await asyncio.sleep(90)
        return clock.unix(), clock.monotonic()

    assert run_virtually(main()) == (1_800_000_090.0, 90.0)
