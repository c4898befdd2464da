"""What the service answers, and what it refuses in one line."""

import io
import json
import socket
import threading
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from PIL import Image

from anime_app.server.settings import MB
from anime_model.runtime import models
from tests.server.conftest import picture, pixels, until
from tests.tiny_onnx import identity_model, negative_model

STYLIZE, BATCH = "/v1/stylize", "/v1/stylize/batch"


def error(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    said = answer.json()["error"]
    assert "\n" not in said
    assert "Traceback" not in said
    return said


def test_a_picture_as_the_body_comes_back_drawn_in_its_own_format(client):
    data, array = picture()
    answer = client.post(STYLIZE, content=data, headers={"content-type": "image/png"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert np.array_equal(pixels(answer.content), 255 - array)


def test_a_form_is_the_same_and_its_fields_are_options(client):
    data, array = picture()
    form = {"files": {"file": ("a.png", data)}, "data": {"style": "same", "format": "webp", "max_side": "8"}}
    made = Image.open(io.BytesIO(client.post(STYLIZE, **form).content))
    assert (made.format, made.size) == ("WEBP", (8, 6))
    assert np.array_equal(pixels(client.post(STYLIZE, params={"style": "same"}, content=data).content), array)


def test_strength_zero_is_the_photo(client):
    data, array = picture()
    assert np.array_equal(pixels(client.post(STYLIZE, params={"strength": 0}, content=data).content), array)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "gif", "tiff"])
def test_every_format_that_is_asked_for_comes(client, kind):
    answer = client.post(STYLIZE, params={"format": kind}, content=picture()[0])
    assert Image.open(io.BytesIO(answer.content)).format == kind.upper()
    assert answer.headers["content-type"] == f"image/{kind}"


@pytest.mark.parametrize(
    ("wanted", "named"),
    [
        ({"style": "/etc/passwd"}, "style"), ({"style": "ink.onnx"}, "style"), ({"palette": "gold"}, "palette"),
        ({"strength": 2}, "strength"), ({"strength": "nan"}, "strength"), ({"max_side": 0}, "max_side"),
        ({"size": 3}, "size"), ({"format": "exe"}, "format"), ({"colour": "red"}, "colour"),
    ],
)  # fmt: skip
def test_an_option_that_there_is_not_is_named(client, wanted, named):
    assert error(client.post(STYLIZE, params=wanted, content=picture()[0]), 422).startswith(f"{named}: ")


@pytest.mark.parametrize(
    "data", [b"", b"no picture", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\xff\xd8\xff\xe0"]
)
def test_what_is_no_picture_is_said_whatever_it_says_it_is(client, data):
    error(client.post(STYLIZE, content=data, headers={"content-type": "image/jpeg"}), 422)


def test_a_truncated_picture_is_one_line(client):
    for kind in ("PNG", "JPEG", "WEBP", "GIF"):
        data = picture((200, 200), kind)[0]
        assert "picture" in error(client.post(STYLIZE, content=data[: len(data) // 2]), 422)


@pytest.fixture
def sized(serve, tmp_path, monkeypatch) -> Iterator[httpx.Client]:
    """A service of all that ships: `fog`, which inverts, and `ink` too, with a nano network that changes nothing."""
    for name in ("ink", "fog"):
        negative_model(tmp_path / f"{name}.onnx")
    identity_model(tmp_path / "ink-nano.onnx")
    monkeypatch.setattr(models, "WEIGHTS", tmp_path)
    running = serve(styles=("fog", "ink", str(identity_model(tmp_path / "own" / "same.onnx"))))
    with httpx.Client(base_url=running.url, timeout=30) as client:
        yield client


def test_a_style_is_drawn_by_the_network_of_the_size_that_is_asked_for(sized):
    data, array = picture()
    for network, made in (({}, 255 - array), ({"network": "lite"}, 255 - array), ({"network": "nano"}, array)):
        assert np.array_equal(pixels(sized.post(STYLIZE, params=network, content=data).content), made)
    assert list(sized.get("/v1/styles").json()["styles"][0].items())[:2] == [("name", "fog"), ("default", True)]
    form = {"files": {"files": ("a.png", data)}, "data": {"network": "nano"}}  # the first style that has one
    packed = zipfile.ZipFile(io.BytesIO(sized.post(BATCH, **form).content))
    assert np.array_equal(pixels(packed.read("a.png")), array)
    assert 'anime_pixels_total{style="ink-nano"} 384.0' in sized.get("/metrics").text


def test_the_networks_of_a_style_are_told_and_others_refused_in_one_line(sized):
    networks = {style["name"]: style.get("networks") for style in sized.get("/v1/styles").json()["styles"]}
    assert networks == {"ink": ["nano", "lite"], "fog": ["lite"], "same": None}
    for style, network, said in (
        ("ink", "plus", "network: no 'plus' of ink: there is nano, lite"),
        ("fog", "nano", "network: no 'nano' of fog: there is lite"),
        ("same", "lite", "network: no 'lite' of same: it has one size"),
        ("ink-nano", "nano", "style: no 'ink-nano' is served: there is fog, ink, same"),
    ):
        answer = sized.post(STYLIZE, params={"style": style, "network": network}, content=picture()[0])
        assert error(answer, 422) == said


def test_a_bomb_is_refused_before_it_is_decoded(client):
    stream = io.BytesIO()
    Image.new("1", (9000, 9000)).save(stream, "PNG")
    said = error(client.post(STYLIZE, content=stream.getvalue()), 422)
    assert "9000 x 9000 pixels, more than the bound of 1 million" in said
    assert "--max-pixels" not in said


def test_a_form_that_is_broken_is_one_line(client):
    head = {"content-type": "multipart/form-data; boundary=x"}
    for body in (b"", b"--x", b"--x\r\nContent-Disposition: form-data\r\n\r\nabc", b"nothing like it"):
        error(client.post(STYLIZE, content=body, headers=head), 422)
    error(client.post(STYLIZE, content=b"--x", headers={"content-type": "multipart/form-data"}), 422)


def test_two_pictures_at_once_are_for_the_batch(client):
    files = [("file", ("a.png", picture()[0]))] * 2
    error(client.post(STYLIZE, files=files), 422)


def test_a_batch_is_a_zip_of_drawings_with_names_of_their_own(client):
    data, array = picture()
    files = [("files", (name, data)) for name in ("a.png", "A.png", "../../b.png")] + [("files", ("c.png", b"none"))]
    answer = client.post(BATCH, files=files)
    made = zipfile.ZipFile(io.BytesIO(answer.content))
    assert made.namelist() == ["a.png", "A-2.png", "b.png", "errors.json"]
    assert np.array_equal(pixels(made.read("b.png")), 255 - array)
    assert list(json.loads(made.read("errors.json"))) == ["c.png"]


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def test_a_batch_may_come_as_a_zip(client):
    data, array = picture()
    answer = client.post(BATCH, content=packed({"x/a.png": data, "/etc/b.png": data}), params={"format": "png"})
    made = zipfile.ZipFile(io.BytesIO(answer.content))
    assert made.namelist() == ["a.png", "b.png"]
    assert np.array_equal(pixels(made.read("a.png")), 255 - array)


def test_what_is_wrong_with_one_of_many_costs_no_other(client):
    data, array = picture()
    stored = bytearray(packed({"a.png": data, "x/bad.jpg": b"none", "b/flipped.png": data}, zipfile.ZIP_STORED))
    stored[stored.rindex(b"IDAT", 0, stored.index(b"PK\x01\x02")) + 9] ^= 1  # of the last file's pixels
    big = packed({"y/bad.jpg": b"nor this", "big.png": b"\0" * 2 * MB, "b.png": data})
    for content, names, wrong in (
        (bytes(stored), ["a.png"], {"x/bad.jpg": "not a picture", "b/flipped.png": "cannot be unpacked"}),
        (big, ["b.png"], {"y/bad.jpg": "not a picture", "big.png": "unpacks to more than 1 MB"}),
    ):
        made = zipfile.ZipFile(io.BytesIO(client.post(BATCH, content=content).content))
        assert made.namelist() == [*names, "errors.json"]
        assert np.array_equal(pixels(made.read(names[0])), 255 - array)
        said = json.loads(made.read("errors.json"))
        assert said.keys() == wrong.keys()
        assert all(wrong[name] in said[name] for name in wrong)


def test_files_of_one_name_have_a_reason_each(client):
    cut_off = b"PK\x03\x04 and no more"
    sent = [("a.png", picture()[0]), ("broken.zip", cut_off), ("bad.jpg", b"one"), ("bad.jpg", b"two")]
    answer = client.post(BATCH, files=[("files", each) for each in sent])
    made = zipfile.ZipFile(io.BytesIO(answer.content))
    assert made.namelist() == ["a.png", "errors.json"]
    said = json.loads(made.read("errors.json"))
    assert list(said) == ["broken.zip", "bad.jpg", "bad.jpg (2)"]
    assert "not a zip" in said["broken.zip"]


def test_the_kind_of_a_body_is_read_in_any_case(client):
    data, array = picture()
    head = b'--X\r\ncontent-disposition: form-data; name="file"; filename="a.png"\r\n\r\n'
    sent = {"content-type": "Multipart/Form-Data; boundary=X"}
    answer = client.post(STYLIZE, content=head + data + b"\r\n--X--\r\n", headers=sent)
    assert np.array_equal(pixels(answer.content), 255 - array)


@pytest.mark.parametrize("wanted", [None, "png"])
def test_a_heic_comes_back_as_png(client, wanted):
    pillow_heif = pytest.importorskip("pillow_heif")
    stream = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (64, 48), (200, 30, 60))).save(stream)
    answer = client.post(STYLIZE, content=stream.getvalue(), params={"format": wanted} if wanted else {})
    assert answer.headers["content-type"] == "image/png"
    assert abs(int(pixels(answer.content)[20, 20, 0]) - 55) < 6


def test_a_zip_that_unpacks_to_too_much_is_refused_whatever_it_says(client):
    said = error(client.post(BATCH, content=packed({"a.png": b"\0" * 3 * MB})), 413)
    assert "unpacks to more than 1 MB" in said
    several = packed({f"{number}.png": b"\0" * (MB - 1000) for number in range(5)})
    assert "all files unpack to more than 4 MB" in error(client.post(BATCH, content=several), 413)
    assert error(client.post(BATCH, content=packed({f"{number}.png": b"x" for number in range(6)})), 413)


def test_a_zip_of_very_many_entries_is_refused_before_its_list_is_read(client, monkeypatch):
    """Folders and empty names too: each entry costs memory and time before it can be counted in the usual way."""
    many = packed({f"{number}/": b"" for number in range(101)})
    monkeypatch.setattr("anime_app.server.uploads.zipfile", None)
    assert error(client.post(BATCH, content=many), 413) == "101 entries, more than 100"


def test_others_are_answered_while_a_zip_is_unpacked(client, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()

    def slow(data, service):
        begun.set()
        assert go_on.wait(20)
        yield "a.png", picture()[0]

    monkeypatch.setattr("anime_app.server.app.unpacked", slow)
    with ThreadPoolExecutor(1) as pool:
        posted = pool.submit(httpx.post, f"{client.base_url}{BATCH}", content=packed({"a.png": b"x"}), timeout=30)
        try:
            assert begun.wait(20)
            assert client.get("/healthz", timeout=10).json() == {"status": "ok"}
        finally:
            go_on.set()
        assert posted.result().status_code == 200


def test_a_zip_that_lies_or_is_cut_off_is_one_line(client):
    whole = packed({"a.png": picture()[0]})
    lying = bytearray(whole)
    at = whole.index(b"PK\x01\x02") + 24
    lying[at : at + 4] = b"\xff\xff\xff\x7f"  # the size that it will have, as the directory says
    assert client.post(BATCH, content=bytes(lying)).status_code in (200, 422)
    for data in (whole[:-30], whole[: len(whole) // 2], packed({}), whole.replace(b"IDAT", b"XDAT")):
        assert client.post(BATCH, content=data).status_code in (413, 422)


def test_what_there_is(client):
    found = client.get("/v1/styles").json()
    assert [(style["name"], style["default"]) for style in found["styles"]] == [("ink", True), ("same", False)]
    assert "dusk" in found["palettes"]
    assert client.get("/healthz").json() == {"status": "ok"}
    assert "/v1/stylize/batch" in client.get("/openapi.json").json()["paths"]


def test_the_page_calls_nobody_else(client):
    page = client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "default-src 'self'" in page.headers["content-security-policy"]


def test_strangers_addresses_and_methods_are_refused_and_make_no_series(client):
    for path in ("/nothing", "/v1/stylize/../../etc/passwd", "/docs/x", "/redoc"):
        error(client.get(path), 404)
    error(client.delete(STYLIZE), 405)
    assert client.get("/healthz", headers={"host": "service.example"}).status_code == 400
    assert 'route="/nothing"' not in client.get("/metrics").text


def test_what_is_counted(client):
    def value(name: str) -> float:
        lines = client.get("/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    names = ('anime_requests_total{route="/v1/stylize",status="200"}', 'anime_pixels_total{style="ink"}')
    before = [value(name) for name in names]
    client.post(STYLIZE, content=picture((10, 30))[0])
    assert [value(name) for name in names] == [before[0] + 1, before[1] + 300]
    assert value("anime_workers") == 2


def test_a_refusal_is_read_by_a_client_that_is_still_sending(serve):
    """A connection closed over unread bytes is reset, and takes the answer with it."""
    running = serve(token="a secret of the tests")
    body = b"x" * 600_000  # more than the buffers of a connection hold
    head = f"POST {STYLIZE} HTTP/1.1\r\nHost: {running.url[7:]}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", running.port), timeout=10) as client:
            client.sendall(head)
            time.sleep(0.05)  # the service has refused before the body comes
            client.sendall(body)
            assert client.recv(100).startswith(b"HTTP/1.1 401")


def test_without_its_token_nothing_is_given(serve):
    running = serve(token="a secret of the tests")
    with httpx.Client(base_url=running.url) as client:
        for said in ({}, {"authorization": "Bearer x"}, {"authorization": "a secret of the tests"}):
            for answer in (
                client.post(STYLIZE, content=picture()[0], headers=said),
                client.get("/metrics", headers=said),
            ):
                error(answer, 401)
                assert answer.headers["www-authenticate"] == "Bearer"
        right = {"authorization": "Bearer a secret of the tests"}
        assert client.post(STYLIZE, content=picture()[0], headers=right).status_code == 200
        assert client.get("/healthz").status_code == client.get("/docs").status_code == 200


def written(capfd, count: int) -> list[dict]:
    """The log's lines on drawings; they come after the answer."""
    found: list[str] = []

    def come() -> bool:
        found.extend(line for line in capfd.readouterr().err.splitlines() if STYLIZE in line)
        return len(found) >= count

    until(come)
    return list(map(json.loads, found))


def test_each_request_is_one_line_of_json(serve, capfd):
    running = serve(log=True)
    httpx.post(f"{running.url}{STYLIZE}", content=picture()[0], headers={"x-request-id": "mine-1"})
    httpx.post(f"{running.url}{STYLIZE}", content=b"none", headers={"x-request-id": "not {mine}"})
    lines = written(capfd, 2)
    assert [(line["route"], line["status"]) for line in lines] == [(STYLIZE, 200), (STYLIZE, 422)]
    assert (lines[0]["id"], lines[0]["pixels"], lines[0]["style"]) == ("mine-1", 192, "ink")
    assert lines[1]["id"].isalnum()


def test_a_fault_of_the_service_is_a_line_that_tells_nothing(serve, capfd, monkeypatch):
    running = serve(log=True)
    monkeypatch.setattr("anime_app.server.work.Painter.draw", lambda *_: 1 / 0)
    answer = httpx.post(f"{running.url}{STYLIZE}", content=picture()[0])
    assert error(answer, 500) == "something failed in the service"
    assert written(capfd, 1)[0]["error"] == "division by zero"
    assert httpx.get(f"{running.url}/healthz").status_code == 200
