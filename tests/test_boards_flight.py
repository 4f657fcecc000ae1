"""What answers say about requests in flight, without a board."""

import random

import pytest

from sbgen.boards.flight import MOST, Flight, Request
from sbgen.boards.frames import Frame, Reader
from sbgen.errors import LinkError


def request(n=0, answer_bytes=3):
    return Request(command=2, payload=bytes([n % 256]), answer_bytes=answer_bytes, first=n)


def number_of(line):
    (frame,) = Reader().feed(line)
    return frame.sequence


def answer(number, payload=b"abc", command=0x82):
    return Frame(command=command, sequence=number, payload=payload)


def fill(flight, count):
    requests = [request(n) for n in range(count)]
    return requests, [number_of(flight.add(each)) for each in requests]


def test_an_answer_says_what_is_lost_before_it():
    flight = Flight(250)
    requests, numbers = fill(flight, 10)
    assert numbers == [250, 251, 252, 253, 254, 255, 0, 1, 2, 3]
    assert flight.accept(answer(numbers[0])) == (requests[0], [], None)
    assert flight.accept(answer(numbers[4])) == (requests[4], requests[1:4], None)
    assert list(flight) == requests[5:]
    for late in numbers[:5]:
        assert flight.accept(answer(late)) == (None, [], None)


def test_only_an_answer_of_the_right_command_and_length_counts():
    flight = Flight(0)
    _, numbers = fill(flight, 3)
    for wrong in answer(numbers[1], b"ab"), answer(numbers[1], command=0x81), answer(77):
        assert flight.accept(wrong) == (None, [], None)
    assert len(flight) == 3


def test_a_failure_is_about_the_oldest_request():
    """The number of a damaged frame may be another's, whose own answer is still to come."""
    flight = Flight(0)
    requests, numbers = fill(flight, 3)
    failure = Frame(command=0xFF, sequence=numbers[1], payload=b"\x01")
    assert flight.accept(failure) == (None, [], None)
    assert flight.accept(answer(numbers[0])) == (requests[0], [], None)
    assert flight.accept(failure) == (None, [requests[1]], "checksum")
    assert flight.accept(answer(numbers[2])) == (requests[2], [], None)


@pytest.mark.parametrize("code, reason", [(2, "length"), (3, "unknown command"), (6, "unknown want")])
def test_a_request_that_the_board_does_not_know(code, reason):
    flight = Flight(0)
    _, numbers = fill(flight, 2)
    with pytest.raises(LinkError, match=f"refuses an undamaged one: {reason}"):
        flight.accept(Frame(command=0xFF, sequence=numbers[0], payload=bytes([code])))


def test_numbers_in_flight_are_not_used_again():
    flight = Flight(0)
    _, numbers = fill(flight, 3)
    for n in range(600):
        number = number_of(flight.add(request(n)))
        assert number not in numbers
        assert flight._remove(number).first == n


def test_no_more_than_half_of_the_numbers():
    flight = Flight(0)
    fill(flight, MOST)
    with pytest.raises(ValueError, match="at most 128"):
        flight.add(request())
    flight.clear()
    assert len(flight) == 0 and flight.line_bytes == 0


def test_bytes_on_the_line():
    """Those that END bytes fill up included."""
    flight = Flight(0)
    line = flight.add(request(), pace=100)
    assert len(line) == 100 and line.endswith(b"\xc0" * 80)
    short = flight.add(request(), pace=3)
    assert flight.line_bytes == 100 + len(short) and len(short) >= 9
    flight.accept(answer(number_of(line)))
    assert flight.line_bytes == len(short)


@pytest.mark.parametrize("seed", range(20))
def test_any_losses_in_both_directions(seed):
    """A board in order, over a line that loses frames: each request is answered or reported lost, once."""
    print("seed", seed)
    rng = random.Random(seed)
    flight, waiting, settled = Flight(rng.randrange(256)), [], {}
    made = 0
    while made < 500 or len(flight):
        if made < 500 and len(flight) < MOST and rng.random() < 0.6:
            number = number_of(flight.add(request(made)))
            made += 1
            if rng.random() < 0.9:
                waiting.append(answer(number))
            elif rng.random() < 0.5:  # damaged, perhaps in its number
                waiting.append(Frame(command=0xFF, sequence=rng.choice((number, 0, 9)), payload=b"\x01"))
        elif waiting:
            frame = waiting.pop(0)
            if rng.random() < 0.9:
                answered, lost, _ = flight.accept(frame)
                for each, how in [*((each, "lost") for each in lost), (answered, "answered")]:
                    if each is not None:
                        assert each.first not in settled
                        settled[each.first] = how
        else:  # all are lost: a last request brings that out
            last = request(made)
            made += 1
            waiting.append(answer(number_of(flight.add(last))))
    assert sorted(settled) == list(range(made))
