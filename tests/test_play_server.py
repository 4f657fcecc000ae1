"""`sbgen play`: who may ask its server, and what it answers."""

import argparse
import base64
import json
import re
import socket
import sys

import numpy as np
import pytest

from sbgen import cli
from sbgen.boards.messages import Identity, Results
from sbgen.commands import play as command
from sbgen.compiler import exchange, reference
from sbgen.compiler.random_network import random_images, random_network
from sbgen.errors import LinkError
from sbgen.play import answerers

testclient = pytest.importorskip(
    "starlette.testclient", reason="Starlette is not installed; try: pip install 'sbgen[play]'"
)
from sbgen.play import page, server

NETWORK = random_network(5, largest=16)
DIGEST = exchange.digest(NETWORK)


class Link:
    """A board at the end of a link; `wrong` is added to each score."""

    def __init__(self, *, digest=DIGEST, wrong=0, ends=False):
        self.digest, self.wrong, self.ends = bytes.fromhex(digest)[:8], wrong, ends
        self.asked = 0

    def identify(self):
        return Identity(lanes=1, outputs=NETWORK.outputs, pixels=NETWORK.pixels, digest=self.digest)

    def classify(self, images):
        if self.ends:
            raise LinkError("the board must stay plugged in, but its port ended")
        self.asked += len(images)
        for scores in reference.evaluate(NETWORK, images)[0]:
            yield Results(scores=scores[None] + self.wrong, labels=np.zeros(1, np.int64))


def client(link=None, *, host="127.0.0.1", name="127.0.0.1"):
    asked = [answerers.reference(NETWORK)]
    if link is not None:
        asked.append(answerers.board(link, NETWORK, name="the board"))
    played = server.Played(network=NETWORK, page="the page", answerers=asked, token="secret")
    return testclient.TestClient(
        server.application(played), base_url=f"http://{name}:8000", client=(host, 50000)
    )


class TestWhoMayAsk:
    @pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
    def test_this_machine_with_the_token(self, name):
        answer = client(name=name).get("/?token=secret")
        assert (answer.status_code, answer.text) == (200, "the page")
        assert "default-src 'none'" in answer.headers["content-security-policy"]

    @pytest.mark.parametrize("path", ["/", "/?token=", "/?token=Secret", "/?tokens=secret", "/?token=%C3%A9"])
    def test_without_the_token_no_one(self, path):
        answer = client().get(path)
        assert answer.status_code == 403 and "token" in answer.text

    @pytest.mark.parametrize("path", ["answer", "rate", "elsewhere"])
    def test_without_the_token_no_path(self, path):
        assert client().post(f"/{path}", content=b"").status_code == 403

    def test_no_other_machine(self):
        answer = client(host="192.168.1.7").get("/?token=secret")
        assert answer.status_code == 403 and "the machine that it runs on" in answer.text

    @pytest.mark.parametrize("name", ["example.org", "127.0.0.1.example.org", "10.0.0.1"])
    def test_no_other_name(self, name):
        answer = client(name=name).get("/?token=secret")
        assert answer.status_code == 403 and "another name" in answer.text

    def test_the_socket_is_reached_from_this_machine_alone(self):
        with command._listen(0) as listener:
            assert listener.getsockname()[0] == "127.0.0.1"


def outputs_of(answer):
    """The outputs of each layer in an answer."""
    for layer in answer["layers"]:
        data, size = base64.b64decode(layer["data"]), int(np.prod(layer["shape"]))
        values = np.unpackbits(np.frombuffer(data, np.uint8), count=size) if layer["bits"] else None
        yield (np.frombuffer(data, "<i8") if values is None else values).reshape(layer["shape"])


class TestAnswers:
    @pytest.mark.parametrize("seed", range(12))
    def test_of_the_reference(self, seed):
        print("seed", seed)
        network = random_network(seed, largest=16)
        played = server.Played(
            network=network, page="", answerers=[answerers.reference(network)], token="secret"
        )
        asker = testclient.TestClient(
            server.application(played), base_url="http://127.0.0.1", client=("127.0.0.1", 1)
        )
        for image in random_images(seed, network, 3):
            answer = asker.post("/answer?token=secret", content=image.tobytes()).json()
            wanted = reference.run(network, image[None])
            assert answer["scores"] == wanted[-1][0].tolist() and answer["equal"] is True
            assert answer["decision"] == reference.decide(network, wanted[-1])[0].tolist()
            for found, output in zip(outputs_of(answer), wanted, strict=True):
                assert np.array_equal(found, output[0])

    def test_of_a_board(self):
        link = Link()
        image = random_images(1, NETWORK, 1)
        answer = client(link).post("/answer?token=secret&by=1", content=image.tobytes()).json()
        assert answer["scores"] == reference.evaluate(NETWORK, image)[0][0].tolist()
        assert link.asked == 1 and answer["equal"] is True

    def test_of_a_board_that_is_wrong(self):
        image = random_images(1, NETWORK, 1)
        answer = client(Link(wrong=1)).post("/answer?token=secret&by=1", content=image.tobytes()).json()
        assert answer["scores"] == (reference.evaluate(NETWORK, image)[0][0] + 1).tolist()
        assert answer["equal"] is False

    def test_of_a_board_that_is_gone(self):
        answer = client(Link(ends=True)).post(
            "/answer?token=secret&by=1", content=random_images(1, NETWORK, 1).tobytes()
        )
        assert answer.status_code == 503 and "plugged in" in answer.json()["error"]

    def test_a_board_of_another_network_is_refused(self):
        with pytest.raises(LinkError, match=r"must run the network of the folder.*sbgen flash"):
            answerers.board(Link(digest="00" * 32), NETWORK, name="")

    @pytest.mark.parametrize("by", [0, 1])
    def test_rate_counts_what_was_answered(self, by):
        link = Link()
        answer = (
            client(link)
            .post(f"/rate?token=secret&by={by}", content=random_images(1, NETWORK, 1).tobytes())
            .json()
        )
        assert answer["images"] >= 1 and answer["seconds"] > 0
        assert link.asked == (answer["images"] if by else 0)

    @pytest.mark.parametrize("size", [0, NETWORK.pixels - 1, NETWORK.pixels + 1, 1 << 22])
    def test_an_image_of_another_size_is_refused(self, size):
        answer = client().post("/answer?token=secret", content=bytes(size))
        assert answer.status_code == 400 and f"{NETWORK.pixels:,} bytes" in answer.json()["error"]

    @pytest.mark.parametrize("by", ["1", "-1", "x", ""])
    def test_an_unknown_answerer_is_refused(self, by):
        answer = client().post(f"/answer?token=secret&by={by}", content=bytes(NETWORK.pixels))
        assert answer.status_code == 400 and "answerer" in answer.json()["error"]


@pytest.fixture
def folder(tmp_path):
    exchange.save(NETWORK, tmp_path / "network.json")
    report = {
        "board": "icebreaker",
        "files": {},
        "link": {"baud": 12_000_000},
        "model": {"dataset": "digits", "pixel_range": [0, 16]},
    }
    (tmp_path / "report.json").write_text(json.dumps(report))
    return tmp_path


def test_page_names_who_answers(folder):
    from sbgen.built import Built

    text = page.render(Built(folder), answerers=["the reference", "<a board>"], token="</script>")
    assert re.findall(r'<option value="(\d)"( selected)?>(.*)</option>', text) == [
        ("0", "", "the reference"),
        ("1", " selected", "&lt;a board&gt;"),
    ]
    assert text.count("</script>") == 1


class TestCommand:
    def test_folder_must_be_of_a_build(self, tmp_path, capsys):
        assert cli.main(["play", str(tmp_path), "--no-browser"]) == 1
        assert "must be a folder of `sbgen build`" in capsys.readouterr().err

    def test_port_of_the_page_must_be_free(self, folder, capsys):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            assert cli.main(["play", str(folder), "--no-browser", "--http", str(port)]) == 1
        error = capsys.readouterr().err
        assert f"the port {port} of this machine must be free" in error and "--http" in error

    def test_port_of_the_board_must_open(self, folder, tmp_path, capsys):
        pytest.importorskip("serial", reason="pyserial is not installed")
        assert cli.main(["play", str(folder), "--no-browser", "--port", str(tmp_path / "none")]) == 1
        assert "must open at 12,000,000 baud" in capsys.readouterr().err

    def test_extra_is_named(self, folder, monkeypatch, capsys):
        monkeypatch.setitem(sys.modules, "uvicorn", None)
        assert cli.main(["play", str(folder), "--no-browser"]) == 1
        assert "pip install 'sbgen[play]'" in capsys.readouterr().err

    @pytest.mark.parametrize("text", ["-1", "65536", "http"])
    def test_port_is_a_number(self, text):
        with pytest.raises(argparse.ArgumentTypeError):
            command._port(text)
