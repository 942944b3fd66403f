"""Megamarket's answers: HTTP 200 for what it took and for what it refused, in every form clients have met."""

from typing import Any

from aiohttp import web

from .shipment import RefusalError

# facts 5: these say result 1 when done; of the others only `success` is looked at
RESULT = {"packing", "shipping", "reject"}


def ok(op: str, data: Any, turn: int) -> web.Response:
    if data is None:
        data = {"result": 1} if op in RESULT or turn % 2 else {}
    return _json({"success": 1, "meta": {"requestId": f"r{turn}"}, "data": data})


def failed(op: str, refused: list[tuple[int, RefusalError]], turn: int) -> web.Response:
    """The error as an array or an object; of some calls also success 1 without result 1."""
    rows = [{"code": error.code, "message": error.text, "shipmentId": str(number), "description": None}
            | ({"itemIndex": str(error.index)} if error.index else {}) for number, error in refused]  # fmt: skip
    success, form = int(op in RESULT and turn % 4 == 3), turn % 3
    error: Any = rows
    if form == 0 and len(rows) == 1:
        error = {"code": rows[0]["code"], "message": rows[0]["message"]}
    elif form == 1:
        error = [{"errorText": row["message"]} | {k: v for k, v in row.items() if k != "message"} for row in rows]
    return _json({"success": success, "meta": {}, "data": {"result": 0} if success else {}, "error": error})


def down(status: int) -> web.Response:
    """No JSON at all."""
    text = "Too Many Requests" if status == 429 else "<html>Service unavailable</html>"
    return web.Response(status=status, text=text, content_type="text/html")


def _json(body: Any) -> web.Response:
    response = web.json_response(body)
    response.force_close()
    return response
