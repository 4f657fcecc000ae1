"""The C client, compiled and connected to a board in software by a pseudo-terminal."""

import os
import random
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from link_cases import Damage, decisions_of, random_identity, random_images
from soft_board import SoftBoard, scores_of
from terminal import served

from sbgen.clients import FOLDER

#: Classifies the images of a file at a serial port, whole and in pieces; prints an answer a line.
_PROGRAM = r"""
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "sbgen_link.h"

static int write_all(void *port, const uint8_t *data, size_t size) {
  while (size) {
    const ssize_t done = write(*(int *)port, data, size);
    if (done <= 0) return 1;
    data += done, size -= (size_t)done;
  }
  return 0;
}

static int read_one(void *port) {
  struct pollfd input = {*(int *)port, POLLIN, 0};
  uint8_t byte;
  if (poll(&input, 1, TIMEOUT) <= 0 || read(*(int *)port, &byte, 1) != 1) return -1;
  return byte;
}

int main(int argc, char **argv) {
  int port = open(argv[1], O_RDWR | O_NOCTTY), error;
  FILE *images = fopen(argv[2], "rb");
  sbgen_link link = {{write_all, read_one, 0}};
  int32_t scores[300];
  uint32_t decision, alone;
  uint8_t image[4096];
  (void)argc;
  link.port.port = &port;
  for (int tries = 0; (error = sbgen_identify(&link)) && tries < 20; tries++) {}
  if (error) return printf("identify %d\n", error), 1;
  printf("%u %u\n", (unsigned)link.identity.pixels, (unsigned)link.identity.outputs);
  while (fread(image, 1, link.identity.pixels, images) == link.identity.pixels) {
    error = sbgen_classify(&link, image, &decision, scores);
    for (int tries = 0; !error; tries++) {
      error = sbgen_begin(&link, 0);
      for (uint32_t n = 0; n < link.identity.pixels && !error; n += 3)
        error = sbgen_pixels(&link, image + n, link.identity.pixels - n < 3 ? link.identity.pixels - n : 3);
      if (!error) error = sbgen_end(&link, &alone, NULL);
      if (!error || tries == 9) break;
      error = 0;
    }
    if (error) {
      printf("error %d\n", error);
      continue;
    }
    printf("%u", (unsigned)decision);
    for (int n = 0; n < link.identity.outputs; n++) printf(" %ld", (long)scores[n]);
    if (alone != decision) printf(" but %u alone", (unsigned)alone);
    printf("\n");
  }
  return 0;
}
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("client")
    (folder / "main.c").write_text(_PROGRAM)
    strict = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
    c = FOLDER / "c"
    subprocess.run(
        [compiler, *strict, "-c", c / "sbgen_link.c", "-o", folder / "link.o"], check=True, timeout=100
    )
    sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command = ["-D_DEFAULT_SOURCE", "-DTIMEOUT=300", f"-I{c}", folder / "main.c", c / "sbgen_link.c"]
    for flags in sanitize, []:  # not every compiler has the libraries
        done = subprocess.run(
            [compiler, "-std=c99", "-g", *flags, *command, "-o", folder / "client"], check=False, timeout=100
        )
        if done.returncode == 0:
            return folder / "client"
    raise AssertionError("the client must compile")


def ask(program, board, images, folder, damage=lambda line: line):
    """What the client prints of images at a board."""
    (folder / "images.bin").write_bytes(images.tobytes())
    with served(lambda data: damage(board.feed(damage(data)) + board.rest())) as port:
        done = subprocess.run(
            [program, port, folder / "images.bin"], check=False, capture_output=True, text=True, timeout=300
        )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def lines(identity, images):
    out = []
    for scores, decision in zip(
        scores_of(identity, images).tolist(), decisions_of(identity, images), strict=True
    ):
        bits = sum(int(bit) << n for n, bit in enumerate(decision)) if decision.ndim else int(decision)
        out.append(" ".join(map(str, [bits & 0xFFFFFFFF, *scores])))
    return out


@pytest.mark.parametrize("seed", range(20))
def test_any_board(seed, program, tmp_path):
    print("seed", seed)
    board = SoftBoard(random_identity(random.Random(seed)))
    images = random_images(board.identity, 10, seed)
    first, *answers = ask(program, board, images, tmp_path)
    assert first == f"{board.identity.pixels} {board.identity.outputs}"
    assert answers == lines(board.identity, images)
    assert board.refusals == []


@pytest.mark.parametrize("seed", range(3))
def test_damage_costs_no_truth(seed, program, tmp_path):
    print("seed", seed)
    board = SoftBoard(random_identity(random.Random(seed), outputs=(1, 2, 3)))
    images = random_images(board.identity, 40, seed)
    _, *answers = ask(program, board, images, tmp_path, Damage(seed, 0.003))
    right = [answer == line for answer, line in zip(answers, lines(board.identity, images), strict=False)]
    wrong = [
        answer
        for answer, line in zip(answers, lines(board.identity, images), strict=False)
        if answer != line and "error" not in answer
    ]
    assert wrong == [] and sum(right) > 10


def test_an_old_board(program, tmp_path):
    board = SoftBoard()
    board.answer_identity = struct.pack("<BBHI8s", 1, 2, 3, 11, bytes(8))
    with served(lambda data: board.feed(data) + board.rest()) as port:
        done = subprocess.run([program, port, os.devnull], check=False, capture_output=True, timeout=300)
    assert done.stdout == b"identify -2\n"
