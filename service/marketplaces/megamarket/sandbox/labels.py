"""What is stuck on boxes, as HTML and as a PDF: a page for each."""

from collections.abc import Sequence
from html import escape


def html(codes: Sequence[str]) -> str:
    """A page that a browser prints."""
    pages = "".join(f'<div style="page-break-after:always"><h1>{escape(code)}</h1></div>' for code in codes)
    return f'<!DOCTYPE html>\n<html><head><meta charset="UTF-8"/><title>Маркировочный лист</title></head>{pages}</html>'


def pdf(codes: Sequence[str]) -> bytes:
    """The same as a PDF, the plainest that viewers open."""
    pages = range(4, 4 + 2 * len(codes), 2)
    kids = " ".join(f"{page} 0 R" for page in pages)
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Kids[{kids}]/Count {len(codes)}>>",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    for page, code in zip(pages, codes, strict=True):
        text = f"BT /F1 14 Tf 20 100 Td ({code}) Tj ET"
        look = f"/MediaBox[0 0 280 200]/Resources<</Font<</F1 3 0 R>>>>/Contents {page + 1} 0 R"
        objects += [f"<</Type/Page/Parent 2 0 R{look}>>", f"<</Length {len(text)}>>\nstream\n{text}\nendstream"]
    written, places = "%PDF-1.4\n", []
    for at, one in enumerate(objects, 1):
        places.append(len(written))
        written += f"{at} 0 obj\n{one}\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    size = len(objects) + 1
    trailer = f"trailer\n<</Size {size}/Root 1 0 R>>\nstartxref\n{len(written)}\n%%EOF\n"
    return f"{written}xref\n0 {size}\n0000000000 65535 f \n{table}{trailer}".encode("ascii")
