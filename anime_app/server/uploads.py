"""What a request brings: one picture or many, as raw bytes, as a form or as a zip."""

import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from anime_app.bounds import Refused
from anime_app.server.settings import MB, Service
from anime_app.server.work import Options

FIELDS = 16  # of a form, beside its files
BLOCK = 1 << 16
ENTRY = b"PK\x01\x02"  # begins an entry of a zip's list of files
ENTRIES = 20  # times as many as there may be pictures: folders are entries too, and a zip inside has a list of its own
Upload = tuple[str, bytes]
Member = tuple[str, bytes | Refused]  # what cannot be unpacked is its reason


async def read(request: Request, service: Service, most: int) -> tuple[list[Upload], Options]:
    """Names and bytes of at most `most` files, and the options of the query and the form. Raises `Refused`."""
    given: dict[str, Any] = dict(request.query_params)
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        files = []
        try:
            async with request.form(max_files=most, max_fields=FIELDS, max_part_size=BLOCK) as form:
                for name, value in form.multi_items():
                    if isinstance(value, UploadFile):
                        files.append((value.filename or "", await value.read()))
                    else:
                        given[name] = value
        except HTTPException as error:  # starlette's word for a form that cannot be read
            raise Refused(422, f"not a form that can be read ({error.detail})") from error
    else:
        body = await request.body()
        files = [("", body)] if body else []
    if not files:
        raise Refused(422, "there is no picture: send one as the body, or as the file of a form")
    for name, data in files:
        if len(data) > service.max_upload and not is_zip(data):
            raise Refused(413, f"{name or 'picture'}: too large: at most {service.max_upload / MB:g} MB")
    return files, options(given)


def options(given: dict[str, Any]) -> Options:
    """Raises `Refused` in one line that names the field."""
    try:
        return Options.model_validate(given)
    except ValidationError as error:
        raise Refused(422, error_text(error.errors())) from error


def error_text(errors: Sequence[Any]) -> str:
    """The first of pydantic's complaints as one line."""
    first = errors[0]
    where = next((str(part) for part in reversed(first["loc"]) if part not in ("query", "body")), "request")
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"


def is_zip(data: bytes) -> bool:
    return data.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def unpacked(data: bytes, service: Service) -> Iterator[Member]:
    """The files of a zip by their names, or why one cannot be unpacked.

    Raises `Refused` for what is no zip, and past the bounds of all files together, whatever the zip says of itself.
    """
    if (entries := data.count(ENTRY)) > ENTRIES * service.batch:  # before a list of millions is made of them
        raise Refused(413, f"{entries} entries, more than {ENTRIES * service.batch}")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        inside = [item for item in archive.infolist() if not item.is_dir()]
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError) as error:
        raise Refused(422, f"not a zip that can be read ({error})") from error
    if len(inside) > service.batch:
        raise Refused(413, f"{len(inside)} files, more than {service.batch}")
    left = service.max_batch
    for item in inside:
        found = bytearray()
        try:
            for block in _blocks(archive, item):
                found += block
                left -= len(block)
                if left < 0:
                    raise Refused(413, f"all files unpack to more than {service.max_batch / MB:g} MB")
                if len(found) > service.max_upload:
                    break
        except Unpackable as error:
            yield item.filename, Refused(422, str(error))
            continue
        if len(found) > service.max_upload:
            yield item.filename, Refused(413, f"unpacks to more than {service.max_upload / MB:g} MB")
        else:
            yield item.filename, bytes(found)


class Unpackable(ValueError):
    """A file of a zip that is damaged, locked, or packed in a way that is not read."""


def _blocks(archive: zipfile.ZipFile, item: zipfile.ZipInfo) -> Iterator[bytes]:
    """Raises `Unpackable`."""
    try:
        with archive.open(item) as file:
            while block := file.read(BLOCK):
                yield block
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError, ValueError) as error:
        raise Unpackable(f"cannot be unpacked ({str(error)[:100]})") from error
    except (zlib.error, lzma.LZMAError) as error:
        raise Unpackable("cannot be unpacked") from error
