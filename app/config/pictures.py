"""Reads the pictures of a brand: PNG, and SVG that neither runs anything nor loads anything."""

import re
import struct
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

MAX_BYTES = 100 * 1024
MAX_SIDE = 4096
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
SVG_NAMESPACE = "{http://www.w3.org/2000/svg}"
# What runs, what loads, and what would show a page inside the picture.
FORBIDDEN_ELEMENTS = {"script", "foreignobject", "iframe", "object", "embed", "audio", "video", "handler", "listener"}
# The picture's own parts, and bitmaps inside it.
OWN_ADDRESS = re.compile(r"#|data:image/(png|jpeg|gif|webp);base64,")
URL_IN_STYLE = re.compile(r"url\(\s*['\"]?([^'\")]*)", re.IGNORECASE)
LENGTH = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)(?:px)?\s*")


@dataclass(frozen=True)
class Picture:
    """A picture that is served as it is, with its size in CSS pixels."""

    content: bytes = field(repr=False)
    mimetype: str
    width: float
    height: float

    @cached_property
    def file_name(self) -> str:
        """The name under which the picture is served: another picture has another one."""
        suffix = "svg" if self.mimetype == "image/svg+xml" else "png"
        return f"{sha256(self.content).hexdigest()[:20]}.{suffix}"

    def width_at(self, height: int) -> int:
        """Return its width where it is so high."""
        return max(round(self.width * height / self.height), 1)


def load(path: Path) -> Picture:
    """Return the picture in the file. ValueError says what is wrong with it."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise ValueError(f"{path.name} has {len(content) // 1024} KB, and may have {MAX_BYTES // 1024}")
    return _read_png(path.name, content) if content.startswith(PNG_SIGNATURE) else _read_svg(path.name, content)


def _read_png(name: str, content: bytes) -> Picture:
    # https://www.w3.org/TR/png-3/#11IHDR: it comes first.
    if len(content) < 24 or content[12:16] != b"IHDR":
        raise ValueError(f"{name} is a damaged PNG")
    width, height = struct.unpack(">II", content[16:24])
    return _sized(name, Picture(content, "image/png", width, height))


def _read_svg(name: str, content: bytes) -> Picture:
    root = _parse(name, content)
    for element in root.iter():
        if fault := _find_fault(element):
            raise ValueError(f"{name} has {fault}. Export it as a plain SVG, or as a PNG")
    width, height = _size(root)
    if not width or not height:
        raise ValueError(f"{name} has no size: give its <svg> a viewBox")
    return _sized(name, Picture(content, "image/svg+xml", width, height))


def _sized(name: str, picture: Picture) -> Picture:
    if not 1 <= min(picture.width, picture.height) <= max(picture.width, picture.height) <= MAX_SIDE:
        raise ValueError(f"{name} is {picture.width:g} × {picture.height:g}; each side may have 1 to {MAX_SIDE} pixels")
    return picture


class _Parts(TreeBuilder):
    """Refuses what comes before the root and could load a style sheet."""

    def pi(self, target: str, text: str | None = None) -> Element:  # noqa: ARG002  # as its base has it
        raise ValueError(f"a processing instruction <?{target[:40]}?>")


def _parse(name: str, content: bytes) -> Element:
    # An entity could stand for anything; a document type as drawing programs write it declares none.
    if b"<!ENTITY" in content.upper():
        raise ValueError(f"{name} declares entities. Export it as a plain SVG, or as a PNG")
    parser = XMLParser(target=_Parts())  # noqa: S314  # no entities
    try:
        parser.feed(content)
        root: Element = parser.close()
    except ParseError:
        raise ValueError(f"{name} is neither a PNG nor an SVG") from None
    except ValueError as error:
        raise ValueError(f"{name} has {error}. Export it as a plain SVG, or as a PNG") from None
    if root.tag != f"{SVG_NAMESPACE}svg":
        raise ValueError(f'{name} is not an SVG: it must begin with <svg xmlns="http://www.w3.org/2000/svg">')
    return root


def _find_fault(element: Element) -> str | None:
    local_name = element.tag.rpartition("}")[2]
    if local_name.lower() in FORBIDDEN_ELEMENTS:
        return f"the element <{local_name}>"
    if local_name == "style" and (fault := _find_fault_in_style("".join(element.itertext()))):
        return fault
    for attribute, value in element.items():
        attribute_name = attribute.rpartition("}")[2].lower()
        if attribute_name.startswith("on"):
            return f"the attribute {attribute_name}, which runs a script"
        if attribute_name in {"href", "src"} and not OWN_ADDRESS.match(value.strip()):
            return f"the address {value[:60]} in it: a picture may load nothing"
        if fault := _find_fault_in_style(value):
            return fault
    return None


def _find_fault_in_style(style: str) -> str | None:
    # A backslash would spell both in other letters.
    if "@import" in style.lower() or "\\" in style:
        return "a style that may load another one"
    foreign = [url for url in URL_IN_STYLE.findall(style) if not OWN_ADDRESS.match(url.strip())]
    return f"the address {foreign[0][:60]} in a style: a picture may load nothing" if foreign else None


def _size(root: Element) -> tuple[float, float]:
    """Return width and height: those of the root, or of its viewBox. Zero where there is none."""
    box = re.split(r"[\s,]+", root.get("viewBox", "").strip())
    try:
        sides = (float(box[2]), float(box[3])) if len(box) == 4 else (0.0, 0.0)
    except ValueError:
        sides = (0.0, 0.0)
    lengths = [LENGTH.fullmatch(root.get(name, "")) for name in ("width", "height")]
    if all(lengths) and not all(sides):
        return float(lengths[0][1]), float(lengths[1][1])  # type: ignore[index]
    return sides
