import hashlib
import http.server
import logging
import multiprocessing
import socket
import threading
import time

import pytest

from sr_deepfake.super_resolution import download
from sr_deepfake.super_resolution.download import Published, fetch, is_whole
from sr_deepfake.system.errors import UserError

CONTENT = bytes(range(256)) * 1024  # 256 KiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()
OPTION = "sr_model.weights=FILE"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by the path: /whole, /slow, /cut (less than was promised), /silent (no length), /missing, /garbage."""

    def do_GET(self):
        self.server.asked.append(self.path)
        kind = self.path.split("/")[1]
        if kind == "missing":
            self.send_error(404)
            return
        if kind == "garbage":
            self.wfile.write(b"this is not HTTP\r\n\r\n")
            return
        self.send_response(200)
        if kind != "silent":
            self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        if kind == "slow":
            time.sleep(0.5)
        self.wfile.write(CONTENT[: len(CONTENT) // 2] if kind in ("cut", "silent") else CONTENT)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        served.asked = []
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        served.address = f"http://127.0.0.1:{served.server_port}"
        yield served
        served.shutdown()
        thread.join()


def published(server, kind, sha256=SHA256[:8]):
    return Published(f"{server.address}/{kind}/edsr_x2-{SHA256[:8]}.pt", sha256)


def refusal(offered, path):
    """The message of a download that does not work: one line with the address, the place and the option."""
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(UserError) as caught:
        fetch(offered, path, OPTION)
    message = str(caught.value)
    assert "\n" not in message
    assert offered.url in message
    assert f"put the file at {path} or name it with {OPTION}" in message
    assert (path.read_bytes() if path.is_file() else None) == before  # nothing half-done takes the place
    assert [file for file in path.parent.iterdir() if file.suffix != ".lock" and file != path] == []
    return message


def test_a_file_is_fetched_once(server, tmp_path):
    offered = published(server, "whole")
    path = tmp_path / "deep" / "cache" / offered.name
    assert offered.name == f"edsr_x2-{SHA256[:8]}.pt"
    fetch(offered, path, OPTION)
    fetch(offered, path, OPTION)
    assert path.read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_a_transfer_that_is_cut_off(server, tmp_path):
    message = refusal(published(server, "cut"), tmp_path / "file.pt")
    assert "invalid hash value" in message


def test_half_a_file_of_which_no_length_was_promised(server, tmp_path):
    half = hashlib.sha256(CONTENT[: len(CONTENT) // 2]).hexdigest()
    message = refusal(published(server, "silent"), tmp_path / "file.pt")
    assert f'expected "{SHA256[:8]}", got "{half}"' in message


def test_another_content_than_published(server, tmp_path):
    message = refusal(published(server, "whole", "1bc95232"), tmp_path / "file.pt")
    assert f'expected "1bc95232", got "{SHA256}"' in message


def test_a_file_that_the_server_does_not_have(server, tmp_path):
    assert "the server answers 404 Not Found" in refusal(published(server, "missing"), tmp_path / "file.pt")


def test_an_answer_that_is_not_http(server, tmp_path):
    assert "HTTP" in refusal(published(server, "garbage"), tmp_path / "file.pt")


def test_no_network(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    offered = Published(f"http://127.0.0.1:{port}/file.pt", SHA256)
    assert "the server cannot be reached" in refusal(offered, tmp_path / "file.pt")


def test_a_server_that_says_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        offered = Published(f"http://127.0.0.1:{mute.getsockname()[1]}/file.pt", SHA256)
        assert "timed out" in refusal(offered, tmp_path / "file.pt")


def test_a_cached_file_that_changed_is_fetched_again(server, tmp_path, caplog):
    path = tmp_path / "file.pt"
    path.write_bytes(CONTENT[:-1] + b"?")
    assert not is_whole(path, published(server, "whole"))
    with caplog.at_level(logging.WARNING):
        fetch(published(server, "whole"), path, OPTION)
    assert path.read_bytes() == CONTENT
    assert f"{path} is not the published file" in caplog.text


def test_a_cached_file_that_changed_is_refused_without_a_network(server, tmp_path):
    path = tmp_path / "file.pt"
    path.write_bytes(b"something else")
    refusal(published(server, "missing"), path)


def test_a_cached_file_needs_no_network(tmp_path):
    path = tmp_path / "file.pt"
    path.write_bytes(CONTENT)
    fetch(Published("http://nowhere.invalid/file.pt", SHA256[:8]), path, OPTION)


def test_a_place_that_cannot_be_written(server, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder would be")
    with pytest.raises(UserError, match=r"cannot be used .*paths\.cache=FOLDER.*sr_model\.weights=FILE"):
        fetch(published(server, "whole"), tmp_path / "cache" / "file.pt", OPTION)


def test_processes_that_want_it_at_once_do_not_get_in_each_others_way(server, tmp_path):
    path = tmp_path / "file.pt"
    context = multiprocessing.get_context("fork")
    workers = [
        context.Process(target=fetch, args=(published(server, "slow"), path, OPTION)) for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert path.read_bytes() == CONTENT
    assert len(server.asked) == 1
