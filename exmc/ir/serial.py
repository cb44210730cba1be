"""Models as JSON, with arrays by content digest, and the digest of a model."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exmc.errors import ModelError
from exmc.ir.check import check
from exmc.ir.expressions import Apply, Constant, Expression, Reference, Slice
from exmc.ir.laws import DensityBody
from exmc.ir.loops import BODIES, Body
from exmc.ir.model import Model
from exmc.ir.nodes import Argument, Call, Data, Deterministic, Node, Observation, RandomVariable

FORMAT = 1


def dumps(model: Model) -> str:
    """`model` as JSON text that holds its arrays, each once, by digest. `loads` reads it back."""
    document, arrays = to_document(model)
    document["arrays"] = {key: encode_array(a) for key, a in arrays.items()}
    return json.dumps(document, indent=1, ensure_ascii=False)


def loads(text: str) -> Model:
    """The model that `dumps` wrote, checked; raises `ModelError` for text of another format or damaged arrays."""
    try:
        document = json.loads(text)
        arrays = {key: decode_array(a) for key, a in document.pop("arrays").items()}
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise ModelError(f"this is no serialised model: {error}.") from None
    for key, array in arrays.items():
        if array_digest(array) != key:
            raise ModelError(f"the array {key} of this serialised model is damaged.")
    return from_document(document, arrays)


def digest(model: Model) -> str:
    """SHA-256 (hex) of the canonical form of `model`: equal for models that mean the same, data included.

    Where data were read from, and their order, do not count.
    """
    document, _ = to_document(model)
    document["data"].sort(key=lambda entry: entry["name"])
    for entry in document["data"]:
        entry.pop("source")
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def array_digest(array: NDArray[Any]) -> str:
    """SHA-256 (hex) of dtype, shape and little-endian C-order bytes."""
    canonical = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
    head = f"{array.dtype.kind}{array.dtype.itemsize}{array.shape}".encode()
    return hashlib.sha256(head + canonical.tobytes()).hexdigest()


def to_document(model: Model) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """`model` as JSON values, and its arrays by digest."""
    arrays = {array_digest(d.values): d.values for d in model.data.values()}
    document = {
        "format": FORMAT,
        "coords": {dim: list(labels) for dim, labels in model.coords.items()},
        "data": [
            {"name": d.name, "dims": list(d.dims), "array": array_digest(d.values), "source": d.source}
            for d in model.data.values()
        ],
        "nodes": [encode_node(n) for n in model.nodes],
    }
    return document, arrays


def from_document(document: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Model:
    """The model that `to_document` described, checked; raises `ModelError` for another format or a damaged one."""
    if document.get("format") != FORMAT:
        raise ModelError(f"this model was written in format {document.get('format')!r}; this version reads {FORMAT}.")
    try:
        data = {d["name"]: Data(d["name"], arrays[d["array"]], tuple(d["dims"]), d["source"]) for d in document["data"]}
        coords = {dim: tuple(labels) for dim, labels in document["coords"].items()}
        model = Model(tuple(_decode_node(n) for n in document["nodes"]), data, coords)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ModelError(f"this serialised model is damaged: {error!r}.") from None
    check(model)
    return model


def encode_node(node: Node) -> dict[str, Any]:
    """A node as JSON values."""
    if isinstance(node, RandomVariable):
        return {
            "kind": "rv",
            "name": node.name,
            "call": _encode_call(node.call),
            "dims": None if node.dims is None else list(node.dims),
            "shape": None if node.shape is None else list(node.shape),
            "transform": node.transform,
            "centering": node.centering,
            "auxiliary": node.auxiliary,
        }
    if isinstance(node, Deterministic):
        return {
            "kind": "potential" if node.potential else "det",
            "name": node.name,
            "expression": encode(node.expression),
            "dims": None if node.dims is None else list(node.dims),
            "keep": node.keep,
        }
    target = node.target
    return {
        "kind": "obs",
        "name": node.name,
        "target": _encode_call(target) if isinstance(target, Call) else encode(target),
        "value": encode(node.value),
        "weight": None if node.weight is None else encode(node.weight),
        "mask": None if node.mask is None else encode(node.mask),
        "log_jacobian": encode(node.log_jacobian),
        "joint": node.joint,
        "dims": None if node.dims is None else list(node.dims),
    }


def _decode_node(item: dict[str, Any]) -> Node:
    kind = item["kind"]
    if kind == "rv":
        return RandomVariable(
            item["name"],
            _decode_call(item["call"]),
            None if item["dims"] is None else tuple(item["dims"]),
            None if item["shape"] is None else tuple(item["shape"]),
            item["transform"],
            item["centering"],
            item["auxiliary"],
        )
    if kind in ("det", "potential"):
        dims = None if item["dims"] is None else tuple(item["dims"])
        return Deterministic(item["name"], decode(item["expression"]), dims, item["keep"], kind == "potential")
    if kind != "obs":
        raise ModelError(f"there is no node kind {kind!r}.")
    target = item["target"]
    decoded = _decode_call(target) if "distribution" in target else decode(target)
    if not isinstance(decoded, Call | Reference):
        raise ModelError("an observation targets neither a variable nor a distribution.")
    return Observation(
        item["name"],
        decoded,
        decode(item["value"]),
        None if item["weight"] is None else decode(item["weight"]),
        None if item["mask"] is None else decode(item["mask"]),
        decode(item["log_jacobian"]),
        item["joint"],
        None if item["dims"] is None else tuple(item["dims"]),
    )


def _encode_call(call: Call) -> dict[str, Any]:
    return {"distribution": call.distribution, "parameters": [[k, _encode_argument(a)] for k, a in call.parameters]}


def _decode_call(item: dict[str, Any]) -> Call:
    return Call(item["distribution"], tuple((k, _decode_argument(a)) for k, a in item["parameters"]))


def _encode_argument(argument: Argument) -> Any:
    """A parameter: an expression as `encode` writes it, a call, a list of calls, or ``{"text": …}``."""
    if isinstance(argument, Call):
        return _encode_call(argument)
    if isinstance(argument, tuple):
        return [_encode_call(call) for call in argument]
    return {"text": argument} if isinstance(argument, str) else encode(argument)


def _decode_argument(item: Any) -> Argument:
    if isinstance(item, list):
        return tuple(_decode_call(call) for call in item)
    if isinstance(item, dict) and "distribution" in item:
        return _decode_call(item)
    return str(item["text"]) if isinstance(item, dict) and "text" in item else decode(item)


def encode(expression: Expression) -> Any:
    """`expression` as JSON values: a number, ``{"ref": name}``, ``{"slice": […]}`` or ``{"op": …}``."""
    if isinstance(expression, Constant):
        return expression.value
    if isinstance(expression, Reference):
        return {"ref": expression.name}
    if isinstance(expression, Slice):
        return {"slice": [expression.start, expression.stop, expression.step]}
    assert isinstance(expression, Apply)
    return {
        "op": expression.operation,
        "operands": [encode(o) for o in expression.operands],
        "options": [[k, _encode_option(k, v)] for k, v in expression.options],
    }


def decode(item: Any) -> Expression:
    """The expression that `encode` wrote."""
    if isinstance(item, bool | int | float):
        return Constant(item)
    if "ref" in item:
        return Reference(item["ref"])
    if "slice" in item:
        return Slice(*item["slice"])
    options = tuple((k, _decode_option(k, v)) for k, v in item["options"])
    return Apply(item["op"], tuple(decode(o) for o in item["operands"]), options)


def _encode_option(key: str, value: Any) -> Any:
    if key == "law":
        return {"call": _encode_call(value.call), "shape": list(value.shape), "dims": list(value.dims)}
    return encode_body(value) if key == "body" else value


def _decode_option(key: str, item: Any) -> Any:
    if key == "law":
        return DensityBody(_decode_call(item["call"]), tuple(item["shape"]), tuple(item["dims"]))
    if key == "body":
        return _decode_body(item)
    return tuple(item) if isinstance(item, list) else item


def encode_body(body: Body) -> dict[str, Any]:
    """A loop's body as JSON values: its fields by name, formulas as pairs."""
    values = {f.name: getattr(body, f.name) for f in fields(body)}
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
    return {"loop": body.operation, **plain, body.section: [[name, encode(e)] for name, e in body.formulas]}


def _decode_body(item: dict[str, Any]) -> Body:
    kind = BODIES[item["loop"]]
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in item.items() if k != "loop"}
    values[kind.section] = tuple((name, decode(e)) for name, e in item[kind.section])
    return kind(**values)


def encode_array(array: NDArray[Any]) -> dict[str, Any]:
    """An array as JSON values."""
    little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"), copy=False)
    return {
        "dtype": array.dtype.kind + str(array.dtype.itemsize),
        "shape": list(array.shape),
        "base64": base64.b64encode(little.tobytes()).decode(),
    }


def decode_array(item: dict[str, Any]) -> NDArray[Any]:
    """The array that `encode_array` wrote."""
    raw = np.frombuffer(base64.b64decode(item["base64"]), dtype=np.dtype(f"<{item['dtype']}"))
    return raw.reshape(item["shape"]).astype(raw.dtype.newbyteorder("="), copy=False)
