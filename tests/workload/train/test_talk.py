"""What the driver and a worker say to each other, over a real socket."""

import socket
import threading
from contextlib import closing

import pytest

from flowerexp.errors import JobError, MachineError
from flowerexp.workload.train.talk import Driver, Line, Worker


@pytest.fixture
def driver():
    with closing(Driver("127.0.0.1", 20.0, lambda: None)) as made:
        yield made


def test_they_hear_each_other_and_pass_over_beats(driver):
    def works():
        with closing(Worker(driver.address, 20.0)) as worker:
            worker.beat()
            worker.say("ready")
            worker.wait()
            worker.say("epoch", row={"images": 3})

    thread = threading.Thread(target=works)
    thread.start()
    driver.wait("ready")
    driver.say(**{"is": "go"})
    assert driver.wait("epoch")["row"] == {"images": 3}
    thread.join()


def test_who_does_not_know_the_token_is_not_heard(driver):
    stranger = Line(socket.create_connection(driver.address[:2]))
    stranger.say(token="wrong")
    stranger.say(**{"is": "ready", "by": "a stranger"})
    worker = threading.Thread(target=lambda: Worker(driver.address, 20.0).say("ready", by="the worker"))
    worker.start()
    assert driver.wait("ready")["by"] == "the worker"
    worker.join()
    stranger.close()


def test_a_training_that_has_failed_says_why_and_silence_ends():
    def failed():
        raise JobError("the third worker is gone")

    with closing(Driver("127.0.0.1", 20.0, failed)) as driver, pytest.raises(JobError, match="third worker"):
        driver.wait("ready")
    with closing(Driver("127.0.0.1", 0.1, lambda: None)) as driver:
        with pytest.raises(MachineError, match=r"the workers of a training have sent nothing for 0\.1 s"):
            driver.wait("ready")
        worker = Worker(driver.address, 20.0)
        worker.say("ready")
        with pytest.raises(MachineError, match="have sent nothing"):
            driver.wait("trained")
        worker.close()


def test_a_worker_whose_driver_has_left_ends(driver):
    worker = Worker(driver.address, 20.0)
    worker.say("ready")
    driver.wait("ready")
    driver.close()
    with pytest.raises((MachineError, ConnectionError)):
        worker.wait()
