"""A signal ends what it may end at once, and waits for what must be whole."""

import os
import signal

import pytest

from vitalbench.errors import Interrupted
from vitalbench.interrupt import Interrupt

SIGNALS = [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1]


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_outside_a_step_a_signal_ends_the_run_with_its_own_exit_code(number):
    with Interrupt("USR1"), pytest.raises(Interrupted, match=number.name) as caught:
        send(number)
    assert caught.value.exit_code == 128 + number


@pytest.mark.parametrize("number", SIGNALS)
def test_within_a_step_it_waits(number):
    done = []
    with Interrupt("USR1") as interrupt, pytest.raises(Interrupted), interrupt.held():
        send(number)
        done.append("the step")
        assert interrupt.asked == number
    assert done == ["the step"]


def test_a_held_run_is_released_for_what_may_be_broken_off():
    with Interrupt("USR1") as interrupt, pytest.raises(Interrupted), interrupt.held():
        with interrupt.released():
            send(signal.SIGTERM)
        pytest.fail("the signal was not obeyed")
    with Interrupt("USR1") as interrupt, pytest.raises(Interrupted), interrupt.held():
        send(signal.SIGTERM)
        with interrupt.released():
            pytest.fail("what was noted before is obeyed before anything begins")


def test_an_error_within_a_step_is_not_hidden_by_a_signal():
    with Interrupt("USR1") as interrupt, pytest.raises(ZeroDivisionError), interrupt.held():
        send(signal.SIGTERM)
        raise ZeroDivisionError


def test_the_scheduler_s_signal_is_the_one_configured_and_handlers_come_back():
    before = [signal.getsignal(number) for number in (*SIGNALS, signal.SIGUSR2)]
    with Interrupt("USR2"):
        assert signal.getsignal(signal.SIGUSR1) == before[2]
        with pytest.raises(Interrupted, match="SIGUSR2"):
            send(signal.SIGUSR2)
    assert [signal.getsignal(number) for number in (*SIGNALS, signal.SIGUSR2)] == before
