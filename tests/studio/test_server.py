"""The studio as a process: what it serves, what it refuses, what it leaves behind. With the models that ship."""

import asyncio
import base64
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import httpx
import numpy as np
import psutil
import pytest
from PIL import Image

from anime_app.studio.folder import PREFIX
from anime_app.studio.translation import translated
from anime_model.runtime.palettes import PALETTES
from benchmarks.studio import API, NETWORK, PHOTO, Busy, Server, Visitor, jpeg, server, visit

gradio = pytest.importorskip("gradio", reason="the studio needs Gradio: pip install '.[studio]'")
pytestmark = pytest.mark.slow
UPLOAD = 2  # MB
ORDER = {"network": NETWORK}
OWN = ("draw", "grade", "keep")  # what the page's script asks for


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    """Where the studio makes its folder."""
    return tmp_path_factory.mktemp("place")


@pytest.fixture(scope="module")
def studio(place) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TMPDIR", str(place))
        with server("--max-upload", str(UPLOAD), "--max-pixels", "4_000_000") as running:
            yield running


@pytest.fixture
def folder(studio, place) -> Path:
    return next(place.glob(f"{PREFIX}*"))


@pytest.fixture
def client(studio) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=studio.url) as client:
        yield client


def in_a_loop(work: Coroutine) -> object:
    """In a thread of its own: the browser of the tests before has a loop running in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def visited(studio: Server, work) -> object:
    async def run() -> object:
        async with visit(studio.url) as visitor:
            return await work(visitor)

    return in_a_loop(run())


async def drawn(visitor: Visitor, data: bytes, name: str = "photo.jpg", **wanted) -> bytes:
    await visitor.ask([await visitor.upload(data, name)], **wanted)
    return await visitor.fetch((await visitor.drawn())[-1])


def put(client: httpx.Client, data: bytes, name: str = "photo.jpg", **headers: str) -> httpx.Response:
    """A photo as the page's script sends it."""
    return client.post("/studio/photo", params={"name": name}, content=data, headers=headers)


def problem(client: httpx.Client, data: bytes, name: str) -> list[str]:
    """What the page says of a photo that cannot be drawn, in English and Chinese."""
    key = put(client, data, name).json()["key"]
    return said(client, "draw", {"key": key, "name": name, "order": ORDER})[-1]["problem"]


def said(client: httpx.Client, kind: str, asked: object) -> list[dict]:
    """All that the server says to a request of the page's script."""
    answer = client.post(f"/studio/{kind}", json=asked)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def put_and_drawn(client: httpx.Client, data: bytes, name: str, order: object) -> list[dict]:
    """All that the server says to a photo that comes with an order."""
    answer = client.post("/studio/photo", params={"name": name, "order": json.dumps(order)}, content=data)
    return [json.loads(line) for line in answer.text.splitlines()]


def mapped(running: Server) -> bool:
    return any("onnxruntime" in file.path for file in running.process.memory_maps())


def test_every_look_draws_the_same_photo_in_its_size_and_differently(studio):
    async def all_looks(visitor: Visitor) -> list[bytes]:
        return [await drawn(visitor, jpeg(96, 0), look=look) for look in ("plain", *PALETTES)]

    made = visited(studio, all_looks)
    assert {Image.open(io.BytesIO(data)).size for data in made} == {(96, 96)}
    assert len(set(made)) == len(made)


def test_at_strength_zero_the_drawing_is_the_photo(studio):
    made = visited(studio, lambda visitor: drawn(visitor, jpeg(96, 1), strength=0))
    before, after = (np.asarray(Image.open(io.BytesIO(data))).astype(int) for data in (jpeg(96, 1), made))
    assert np.abs(before - after).mean() < 1.5  # once more through JPEG


def test_it_listens_on_this_computer_only(studio):
    listening = {c.laddr.ip for c in studio.process.net_connections() if c.status == "LISTEN"}
    assert listening == {"127.0.0.1"}


def test_a_request_under_a_foreign_name_is_refused(client):
    assert client.get("/", headers={"Host": "studio.example"}).status_code == 400
    assert client.get("/", headers={"Host": "localhost"}).status_code == 200


def test_a_page_elsewhere_cannot_read_answers(client):
    answer = client.get("/config", headers={"Origin": "https://studio.example"})
    assert "access-control-allow-origin" not in answer.headers


def test_the_page_forbids_the_browser_to_call_elsewhere(client):
    page = client.get("/")
    assert "connect-src 'self'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "googleapis" not in page.text


def test_no_file_outside_its_folder_can_be_read(client, folder, tmp_path):
    (folder / "link.txt").symlink_to("/etc/passwd")
    shutil.copy("pyproject.toml", secret := tmp_path / "secret.txt")
    asked = ["/etc/passwd", str(Path("pyproject.toml").resolve()), "pyproject.toml", str(secret), f"{folder}/link.txt"]
    asked += [str(file) for file in (Path(gradio.__file__).parent / "icons").glob("*.svg")]
    asked += [f"{folder}/../../../etc/passwd", f"{folder}/%2e%2e/%2e%2e/etc/passwd", "http://127.0.0.1/", "C:/x"]
    for name in asked:
        for prefix in ("/file=", "/file%3D"):
            answer = client.get(API + prefix + name)
            assert answer.status_code in (403, 404), name
            assert "root:" not in answer.text


def test_no_file_outside_its_folder_can_be_drawn(studio, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "private.png")
    for path in (str(tmp_path / "private.png"), "http://127.0.0.1:1/a.png", "https://example.org/a.png"):
        with pytest.raises(aiohttp.ClientResponseError) as error:
            visited(studio, lambda visitor, path=path: visitor.ask([path]))
        assert error.value.status == 403


def test_gradio_itself_refuses_such_a_file_too(tmp_path):
    """The second lock behind the guard: it holds only while Gradio believes that it was launched."""
    program = (
        "import pathlib, sys, gradio as gr; from anime_app.studio import launch; "
        "launch.prepare(pathlib.Path(sys.argv[1])); "
        "from anime_app.studio.app import application; from anime_app.studio.settings import Studio; "
        "from gradio.context import LocalContext; from gradio.processing_utils import _check_allowed; "
        "app = application(Studio(), pathlib.Path(sys.argv[1])); "
        "LocalContext.blocks.set(next(iter(gr.Blocks.get_instances()))); "
        "_check_allowed(sys.argv[2], True)"
    )
    ran = subprocess.run([sys.executable, "-c", program, str(tmp_path), "/etc/passwd"], capture_output=True, text=True)
    assert "InvalidPathError" in ran.stderr


def test_the_queue_has_no_back_door(studio, client):
    order = {"data": [], "fn_index": visited(studio, Visitor.event), "session_hash": "x"}
    for path in ("run/make", "run/predict", "api/make", "call/make"):
        assert client.post(f"{API}/{path}", json=order).status_code == 404


def test_what_is_no_picture_is_one_clear_line(client):
    english, chinese = problem(client, b"no picture", "notes.jpg")
    assert "not a picture that can be read" in english
    assert "不是可以读取的图片" in chinese


def test_a_bomb_is_one_clear_line(client):
    stream = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(stream, "PNG")
    english, _ = problem(client, stream.getvalue(), "bomb.png")
    assert "20000 x 20000 pixels, more than the bound of 4 million" in english


def test_programs_hear_what_is_wrong(studio):
    async def ask(visitor: Visitor) -> list[str]:
        await visitor.ask([await visitor.upload(b"no picture", "notes.jpg")])
        return await visitor.drawn()

    with pytest.raises(RuntimeError, match="not a picture that can be read"):
        visited(studio, ask)


@pytest.mark.parametrize("name", ["a.svg", "a.exe", "a.html", "a"])
def test_only_kinds_of_pictures_are_taken(client, folder, name):
    before = set(folder.rglob("*"))
    assert "not a kind of picture" in put(client, jpeg(16, 0), name).json()["problem"][0]
    assert set(folder.rglob("*")) <= before


FOREIGN = [
    {"origin": "https://page.example"},
    {"origin": "http://127.0.0.1:1"},  # another program's page on this computer
    {"origin": "null"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site", "origin": "http://localhost:1"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize(
    "path",
    [
        f"{PHOTO}?name=a.jpg",
        *(f"/studio/{kind}" for kind in OWN),
        *(f"{API}/{name}" for name in ("queue/join", "upload", "cancel")),
    ],
)
def test_a_page_elsewhere_can_ask_for_nothing(client, folder, path, headers):
    before = set(folder.rglob("*"))
    assert client.post(path, content=jpeg(16, 0), headers=headers).status_code == 403
    assert set(folder.rglob("*")) <= before


def test_the_studio_s_own_page_and_programs_may_ask(client, studio):
    own = [{}, {"origin": studio.url}, {"sec-fetch-site": "same-origin", "origin": studio.url}]
    assert all("key" in put(client, jpeg(16, 0), **headers).json() for headers in own)


def test_photos_and_results_have_addresses_that_lead_nowhere_else(client, folder):
    key = put(client, jpeg(16, 0)).json()["key"]
    assert (folder / "photos" / key / "about.json").is_file()
    for name in ("about.json", "photo.jpg", "%2e%2e", "..", "full-0123456789abcdef", "before.jpg"):
        for place in (
            f"/studio/photo/{key}/{name}",
            f"/studio/result/{key}/{name}",
            f"/studio/photo/{'0' * 32}/{name}",
        ):
            assert client.get(place).status_code == 404, place


def test_an_uploaded_page_is_never_shown_as_one(studio, client):
    path = visited(studio, lambda visitor: visitor.upload(b"<script>alert(1)</script>", "a.html"))
    answer = client.get(f"{API}/file={path}")
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-type"] == "application/octet-stream"


def test_a_file_that_is_too_large_is_refused_and_leaves_nothing(studio, client, folder):
    before = set(folder.rglob("*"))
    for size in (UPLOAD * 1_000_000 + 1000, 60_000_000):
        files = {"files": ("a.jpg", b"\0" * size, "image/jpeg")}
        assert client.post(f"{API}/upload", files=files).status_code == 413
        assert put(client, b"\0" * size).status_code == 413

    def unsaid():  # no content-length
        yield from [b"\0" * 100_000] * (UPLOAD * 10 + 1)

    with suppress(httpx.HTTPError):
        assert put(client, unsaid()).status_code == 413
    assert set(folder.rglob("*")) <= before


def test_a_request_that_is_no_upload_is_small(client):
    for path in (f"{API}/queue/join", *(f"/studio/{kind}" for kind in OWN)):
        assert client.post(path, content=b"[" + b" " * 2_000_000 + b"]").status_code == 413
        for odd in (b"no json", b"", b"[" * 100_000, b'"\xff"'):
            assert client.post(path, content=odd).status_code in (400, 422), odd


def test_a_head_that_never_ends_is_cut_off_before_it_fills_the_memory(studio):
    where, sent = urlsplit(studio.url), 0
    with socket.create_connection((where.hostname, where.port), timeout=20) as visitor:
        visitor.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ")
        with suppress(BrokenPipeError, ConnectionResetError):
            while sent < 100_000_000:
                visitor.sendall(b"x" * 10_000)
                sent += 10_000
    assert sent < 10_000_000  # what lay in the sockets' buffers among it


def test_beyond_the_queue_people_are_told_that_it_is_busy():
    async def ask(url: str) -> str:
        async with visit(url) as visitor:
            try:
                return "drawn" if await visitor.shown(jpeg(900, 0)) else "nothing"
            except Busy as busy:
                return str(busy)

    async def rush(url: str) -> list[str]:
        return await asyncio.gather(*(ask(url) for _ in range(12)))

    with server("--queue", "2", "--concurrency", "1") as running:
        answers = in_a_loop(rush(running.url))
        assert in_a_loop(ask(running.url)) == "drawn"
    told = [answer for answer in answers if answer != "drawn"]
    assert len(answers) - len(told) >= 2
    assert told
    assert all("The studio is busy" in answer and "稍后再试" in answer for answer in told)


@pytest.mark.parametrize("kind", OWN)
@pytest.mark.parametrize(
    "asked",
    [
        {}, {"key": "0" * 32}, {"key": ["x"]}, {"key": "../" * 10 + "aa"}, {"key": "/etc"}, {"key": "\0" * 32},
        {"photos": 3}, {"photos": [3, None]}, {"photos": [{"key": {}}]}, {"photos": [{"key": "." * 32}], "kind": {}},
        {"order": {"lines": []}}, {"order": {"size": []}}, {"order": {"palette": {}}}, {"order": {"strength": -1}},
        {"order": [], "name": {"a": "b"}},
    ],
    ids=str,
)  # fmt: skip
def test_an_odd_request_is_one_clear_line(client, kind, asked):
    """A photo that is nobody's is gone; what there is not is named."""
    (last,) = said(client, kind, asked)
    assert set(last) in ({"gone"}, {"problem"})
    if "problem" in last:
        assert all(isinstance(text, str) and "\n" not in text for text in last["problem"])


@pytest.mark.parametrize("kind", OWN)
@pytest.mark.parametrize("asked", [[], 3, None, "x"])
def test_a_request_that_is_no_record_is_refused(client, kind, asked):
    answer = client.post(f"/studio/{kind}", content=json.dumps(asked) if asked is not None else b"")
    assert (answer.status_code, answer.text) == (400, "not a request of this page")


def test_a_request_leads_to_no_other_folder(client, folder):
    """Neither by a key nor by a name inside a zip: all that is made lies with the photo, or in a zip's own folder."""
    key = put(client, jpeg(64, 0)).json()["key"]
    outside = set(folder.rglob("*")) - set((folder / "photos").rglob("*"))
    photos = [{"key": key, "name": "a.jpg", "place": "../../x/../a.jpg"}, {"key": f"../photos/{key}"}, {"key": "zip"}]
    made = said(client, "keep", {"photos": photos, "order": ORDER, "kind": "../full", "zip": True})[-1]["done"]
    assert len(made["problems"]) == 2
    with zipfile.ZipFile(io.BytesIO(client.get(f"/{made['url']}").content)) as archive:
        assert archive.namelist() == ["x/photo-shinkai.jpg"]
    assert set(folder.rglob("*")) - set((folder / "photos").rglob("*")) <= outside


def test_a_zip_that_is_to_be_complete_says_that_a_photo_is_gone(client):
    key = put(client, jpeg(64, 0)).json()["key"]
    asked = {"photos": [{"key": key, "name": "a.jpg"}, {"key": "0" * 32, "name": "b.jpg"}], "order": ORDER, "zip": True}
    assert said(client, "keep", asked | {"complete": True})[-1] == {"gone": True}
    made = said(client, "keep", asked)[-1]["done"]
    assert made["problems"] == [["b.jpg", *translated("cleared away; please put it in again")]]


def test_the_page_gets_a_drawing_its_looks_and_its_files(client):
    key = put(client, jpeg(96, 0)).json()["key"]
    drawn = said(client, "draw", {"key": key, "order": ORDER})[-1]
    assert drawn["seconds"] > 0
    graded = said(client, "grade", {"key": key, "order": ORDER | {"palette": "noir"}})[-1]["done"]
    names = drawn["done"]["before"], drawn["done"]["after"], graded["after"]
    before, plain, noir = (client.get(f"{PHOTO}/{key}/{name}") for name in names)
    assert {answer.headers["content-type"] for answer in (before, plain, noir)} == {"image/jpeg"}
    assert len({answer.content for answer in (before, plain, noir)}) == 3
    kept = said(client, "keep", {"photos": [{"key": key}], "order": ORDER, "kind": "pair"})[-1]["done"]
    assert Image.open(io.BytesIO(client.get(f"/{kept['url']}").content)).size == (192, 96)


def test_a_photo_is_taken_in_and_drawn_by_one_request(client):
    first, *_, last = put_and_drawn(client, jpeg(96, 0), "a.jpg", ORDER)
    done = last["done"]
    head, _, picture = done.pop("picture").partition(",")
    assert (set(first), head) == ({"key"}, "data:image/jpeg;base64")
    assert base64.b64decode(picture) == client.get(f"/studio/photo/{first['key']}/{done['after']}").content
    again = said(client, "draw", {"key": first["key"], "name": "a.jpg", "order": ORDER})[-1]["done"]
    assert again == done, "the photo is there, as any other"


def test_a_photo_whose_drawing_is_long_is_given_its_name_alone(client):
    stream = io.BytesIO()
    Image.new("RGBA", (40, 30), (200, 100, 50, 90)).save(stream, "PNG")
    *_, last = put_and_drawn(client, stream.getvalue(), "a.png", ORDER)
    assert last["done"]["after"].endswith(".png")
    assert "picture" not in last["done"]


@pytest.mark.parametrize(
    ("order", "reason"), [({"network": "nobody"}, "nobody"), (ORDER | {"strength": 7}, "strength"), (5, "no network")]
)
def test_a_photo_with_an_order_that_cannot_be_is_there_and_what_is_wrong_is_named(client, order, reason):
    first, *_, last = put_and_drawn(client, jpeg(96, 0), "a.jpg", order)
    assert reason in last["problem"][0]
    assert "done" in said(client, "draw", {"key": first["key"], "order": ORDER})[-1]


def test_a_photo_that_comes_when_the_line_is_full_need_not_come_again(place):
    async def ask(url: str) -> dict:
        async with visit(url) as visitor:
            drawing = [visitor.told(await slow(visitor)) for _ in range(2)]
            for going in drawing:
                await anext(going)
            asked = {"name": "a.jpg", "order": json.dumps(ORDER)}
            async with visitor.session.post(PHOTO, params=asked, data=jpeg(96, 0)) as answer:
                assert answer.status == 429
                refused = await answer.json()
            for going in drawing:
                await going.aclose()
            assert refused["detail"]
            async with asyncio.timeout(30):
                while True:
                    with suppress(Busy):  # until those who went away have left the line
                        return await visitor.done({"key": refused["key"], "order": ORDER})

    with server("--concurrency", "1", "--queue", "1") as running:
        assert in_a_loop(ask(running.url))["after"].endswith(".jpg")


@pytest.fixture(scope="module")
def narrow() -> Iterator[Server]:
    """A studio that draws one picture at once."""
    with server("--concurrency", "1") as running:
        yield running


async def slow(visitor: Visitor) -> dict:
    """A request whose drawing takes seconds."""
    return {"key": await visitor.take(jpeg(1500, 0)), "order": ORDER | {"lines": "finest"}}


def test_who_waits_hears_the_place_then_the_progress_then_the_end(narrow):
    async def both() -> tuple[list[dict], list[dict]]:
        async with visit(narrow.url) as first, visit(narrow.url) as second:
            asked = [await slow(first), {"key": await second.take(jpeg(96, 0)), "order": ORDER}]
            going = asyncio.create_task(everything(first.told(asked[0])))
            await asyncio.sleep(0.3)
            return await everything(second.told(asked[1])), await going

    waited, went = in_a_loop(both())
    assert waited[0] == {"ahead": 1}
    assert [set(record) for record in went] == [*[{"progress", "seconds"}] * (len(went) - 1), {"done", "seconds"}]
    assert len(went) > 2
    assert went == sorted(went, key=lambda record: record["seconds"])
    assert "done" in waited[-1]
    assert waited[-1]["seconds"] < went[-1]["seconds"], "of the drawing alone, without the wait"


async def everything(records: AsyncIterator[dict]) -> list[dict]:
    return [record async for record in records]


def test_who_goes_away_leaves_the_line_and_ends_the_work(narrow):
    async def leave() -> float:
        async with visit(narrow.url) as visitor:
            drawing, waiting = await slow(visitor), await slow(visitor)
            going = visitor.told(drawing)
            await anext(going)
            behind = visitor.told(waiting)
            assert await anext(behind) == {"ahead": 1}
            await behind.aclose()
            await going.aclose()
            key, start = await visitor.take(jpeg(96, 0)), time.perf_counter()
            await visitor.done({"key": key, "order": ORDER})
            return time.perf_counter() - start

    async def whole() -> float:
        async with visit(narrow.url) as visitor:
            asked, start = await slow(visitor), time.perf_counter()
            await visitor.done(asked)
            return time.perf_counter() - start

    assert in_a_loop(leave()) < in_a_loop(whole()) / 2


def test_looks_and_programs_are_not_kept_waiting_for_ever(narrow):
    """A look never waits for a drawing. A program's picture takes its turn after the page's."""

    async def ask() -> list[str]:
        ended = []
        async with visit(narrow.url) as visitor, visit(narrow.url) as program:
            key = await visitor.take(jpeg(96, 0))
            await visitor.done({"key": key, "order": ORDER})
            going = visitor.told(await slow(visitor))
            await anext(going)

            async def look() -> None:
                await visitor.done({"key": key, "order": ORDER | {"palette": "dusk"}}, "grade")
                ended.append("look")

            async def make() -> None:
                await program.made(jpeg(96, 0))
                ended.append("program")

            async def draw() -> None:
                await everything(going)
                ended.append("drawing")

            await asyncio.gather(look(), make(), draw())
        return ended

    assert in_a_loop(ask()) == ["look", "drawing", "program"]


# Megabytes that a round more may take: of 24 photos the pixels alone, kept, would be 19, of 200 they would be 39. A
# request costs more than drawing a photo of 512 pixels, so that few of large photos prove the same in less time.
@pytest.mark.long
@pytest.mark.parametrize(("requests", "side", "most"), [(24, 512, 12), (200, 256, 20)])
def test_memory_is_flat_while_many_requests_wait(requests: int, side: int, most: float):
    data = jpeg(side, 0)

    async def one(url: str) -> bool:
        async with visit(url) as visitor:
            return bool(await visitor.shown(data))

    async def many(url: str, count: int) -> list[bool]:
        return await asyncio.gather(*(one(url) for _ in range(count)))

    with server("--queue", str(requests)) as running:
        in_a_loop(many(running.url, 12))
        sizes = [running.megabytes()]
        for _ in range(7):  # the allocator settles within some rounds; a leak grows in every one
            assert all(in_a_loop(many(running.url, requests)))
            sizes.append(running.megabytes())
            if len(sizes) > 2 and sizes[-1] - sizes[-2] < most:
                break
    assert sizes[1] - sizes[0] < 60
    assert sizes[-1] - sizes[-2] < most


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_engine_is_loaded_with_the_first_picture_and_nothing_is_left_at_the_end(tmp_path, number, status):
    line = [sys.executable, "-m", "anime_app.cli.command", "studio", "--port", "0"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    heard = lambda: signal.signal(number, signal.SIG_DFL)  # noqa: E731 - a background shell lets its children ignore it
    started = subprocess.Popen(line, stderr=subprocess.PIPE, text=True, env=environment, preexec_fn=heard)
    url = started.stderr.readline().split()[2]
    running = Server(url, psutil.Process(started.pid))
    assert httpx.get(url).status_code == 200
    assert not mapped(running)
    visited(running, lambda visitor: drawn(visitor, jpeg(64, 0)))
    assert mapped(running)
    assert list(tmp_path.rglob("*.jpg"))
    started.send_signal(number)
    said = started.communicate(timeout=60)[1]
    assert (started.returncode, said, list(tmp_path.iterdir())) == (status, "", [])


def test_ctrl_c_says_nothing_of_who_is_still_there(tmp_path):
    """An open page, and a picture that is being drawn."""
    line = [sys.executable, "-m", "anime_app.cli.command", "studio", "--port", "0"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    heard = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    started = subprocess.Popen(line, stderr=subprocess.PIPE, text=True, env=environment, preexec_fn=heard)
    url = started.stderr.readline().split()[2]

    async def watch() -> None:
        async with visit(url) as visitor, visitor.session.get(f"{API}/heartbeat/{visitor.name}") as open_page:
            await open_page.content.readany()
            asked = {"key": await visitor.take(jpeg(1200, 0)), "order": ORDER | {"lines": "finest"}}
            with suppress(aiohttp.ClientError):
                async for record in visitor.told(asked):
                    last.append(record)
                    if len(last) == 1:
                        started.send_signal(signal.SIGINT)

    last: list[dict] = []
    in_a_loop(watch())
    assert last[-1] == {"stopping": True}
    assert (started.communicate(timeout=60)[1], started.returncode) == ("", 130)
    assert list(tmp_path.iterdir()) == []


def test_the_command_stays_light():
    program = "import sys, anime_app.cli.command; anime_app.cli.command.parser(); print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"gradio", "fastapi", "uvicorn", "onnxruntime", "pandas"} & set(ran.stdout.split())


def test_nothing_outside_is_called(studio, folder):
    """Every connection of the process is one with this computer."""
    visited(studio, lambda visitor: drawn(visitor, jpeg(64, 0)))
    kinds = (socket.AF_INET, socket.AF_INET6)
    others = [c.raddr.ip for c in studio.process.net_connections() if c.raddr and c.family in kinds]
    assert set(others) <= {"127.0.0.1", "::1"}
