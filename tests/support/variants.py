"""Other specs than the shipped one: what the vendor may publish next, and what that has to end in."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

from attrs import frozen

from prism_image import ROOT

Spec = dict[str, Any]
SHIPPED: Spec = json.loads((ROOT / "openapi.json").read_text("utf-8"))
SAFE, WRAPPER, BREAKING = "safe", "needs the wrapper", "breaking"
REQUEST, SUCCESS, ERROR = "TextToImageRequest", "ImageGenerationSuccessResponse", "ImageGenerationErrorResponse"
PROCESSING = "ImageGenerationProcessingResponse"


@frozen
class Variant:
    """A spec, the class of its worst change, how it ends without and with `accept`, and what is said."""

    edit: Callable[[Spec], object]
    worst: str | None
    exit_code: int
    said: str
    """Stands in the JSON report, in a change or in the refusal."""
    accept: str = ""
    """What has it written; empty where it is written without, or nothing has."""


def edited(variant: Variant) -> Spec:
    """Return the shipped spec, edited."""
    spec = copy.deepcopy(SHIPPED)
    variant.edit(spec)
    return spec


def double(place: Spec, keyword: str) -> None:
    """Change a number, whatever it is by now."""
    place[keyword] *= 2


def halve(place: Spec, keyword: str) -> None:
    """Lower a number, whatever it is by now."""
    place[keyword] //= 2


def schema(spec: Spec, name: str) -> Spec:
    found: Spec = spec["components"]["schemas"][name]
    return found


def fields(spec: Spec, name: str = REQUEST) -> Spec:
    found: Spec = schema(spec, name)["properties"]
    return found


def post(spec: Spec) -> Spec:
    found: Spec = spec["paths"]["/text2img"]["post"]
    return found


def branches(spec: Spec) -> list[Spec]:
    found: list[Spec] = post(spec)["responses"]["200"]["content"]["application/json"]["schema"]["oneOf"]
    return found


def _new_operation(spec: Spec, operation_id: str = "upscale") -> None:
    spec["paths"]["/upscale"] = {"post": {**copy.deepcopy(post(spec)), "operationId": operation_id}}


def _required(spec: Spec) -> None:
    fields(spec)["plan"] = {"type": "string"}
    schema(spec, REQUEST)["required"].append("plan")


def _in_30(spec: Spec) -> None:
    spec["openapi"] = "3.0.3"
    fields(spec)["seed"] = {"type": "integer", "nullable": True, "description": fields(spec)["seed"]["description"]}


def _queued(spec: Spec) -> None:
    status = {"type": "string", "enum": ["queued"]}
    spec["components"]["schemas"]["QueuedResponse"] = {
        "type": "object",
        "required": ["status", "ticket"],
        "properties": {"status": status, "ticket": {"type": "string"}},
    }
    branches(spec).append({"$ref": "#/components/schemas/QueuedResponse"})


def _renamed_schema(spec: Spec) -> None:
    spec["components"]["schemas"]["Text2ImgRequest"] = spec["components"]["schemas"].pop(REQUEST)
    content = post(spec)["requestBody"]["content"]["application/json"]
    content["schema"] = {"$ref": "#/components/schemas/Text2ImgRequest"}


def _renamed_error(spec: Spec) -> None:
    text = json.dumps(spec).replace(ERROR, "ErrorResponse")
    spec.clear()
    spec.update(json.loads(text))


def _security(spec: Spec) -> None:
    spec["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    spec["security"] = [{"bearer": []}]


VARIANTS: dict[str, Variant] = {
    # --- fields --------------------------------------------------------------------------------
    "an optional request field is added": Variant(
        lambda spec: fields(spec).update(zeta={"type": "string"}), WRAPPER, 1, "text2img.zeta: the spec has", "wrapper"
    ),
    "a required request field is added": Variant(_required, BREAKING, 3, "required field added", "breaking"),
    "a request field is removed": Variant(
        lambda spec: fields(spec).pop("clip_skip"), BREAKING, 3, "field removed", "breaking"
    ),
    "a request field is renamed": Variant(
        lambda spec: fields(spec).update(clip_layers=fields(spec).pop("clip_skip")),
        BREAKING,
        3,
        "field renamed",
        "breaking",
    ),
    "a request field is removed that the overlay corrects": Variant(
        lambda spec: fields(spec).pop("track_id"),
        BREAKING,
        3,
        "TextToImageRequest.properties.track_id, matches nothing",
    ),
    "an answer field is added": Variant(
        lambda spec: fields(spec, SUCCESS).update(cost={"type": "number"}), SAFE, 0, "field added"
    ),
    "an answer field is removed": Variant(
        lambda spec: fields(spec, SUCCESS).pop("proxy_links"), BREAKING, 3, "field removed", "breaking"
    ),
    "an answer field is renamed": Variant(
        lambda spec: fields(spec, PROCESSING).update(fetch_results=fields(spec, PROCESSING).pop("fetch_result")),
        BREAKING,
        3,
        "field renamed",
        "breaking",
    ),
    "a field is called by a reserved word": Variant(
        lambda spec: fields(spec).update({"from": {"type": "string"}, "class": {"type": "integer"}}),
        WRAPPER,
        1,
        "text2img.class: the spec has this field",
        "wrapper",
    ),
    "an answer field is called by a reserved word": Variant(
        lambda spec: fields(spec, SUCCESS).update({"import": {"type": "string"}}), SAFE, 0, "SuccessResponse.import"
    ),
    "a field is called like the generated code": Variant(
        lambda spec: fields(spec, SUCCESS).update({"to_dict": {"type": "string"}}),
        SAFE,
        1,
        "has a field 'to_dict', which is a word of the generated code",
    ),
    "a field deep inside is called like the generated code": Variant(
        lambda spec: fields(spec, SUCCESS).update(
            extra={
                "type": "object",
                "additionalProperties": {"type": "object", "properties": {"d": {"type": "string"}}},
            }
        ),
        SAFE,
        1,
        "has a field 'd', which is a word of the generated code",
    ),
    # --- operations ----------------------------------------------------------------------------
    "an operation is added": Variant(_new_operation, WRAPPER, 1, "upscale: the spec has this operation", "wrapper"),
    "an operation is added with capitals in its name": Variant(
        lambda spec: _new_operation(spec, "upscaleImage"), WRAPPER, 1, "upscaleImage: the spec has", "wrapper"
    ),
    "an operation is added without a name": Variant(
        lambda spec: spec["paths"].update({"/upscale": {"post": {"responses": {"200": {"description": "d"}}}}}),
        WRAPPER,
        1,
        "POST /upscale has no operationId",
    ),
    "an operation is removed": Variant(
        lambda spec: (
            spec["paths"].update({"/other": {"get": {"responses": {"200": {"description": "d"}}}}})
            or spec["paths"].pop("/text2img")
        ),
        BREAKING,
        3,
        "operation removed",
    ),
    "an operation is renamed": Variant(
        lambda spec: spec["paths"].update({"/text-to-image": spec["paths"].pop("/text2img")}),
        BREAKING,
        3,
        "operation renamed",
    ),
    "another method": Variant(
        lambda spec: spec["paths"].update({"/text2img": {"put": post(spec)}}), BREAKING, 3, "operation renamed"
    ),
    # --- bounds, defaults, enums ---------------------------------------------------------------
    "a bound is widened": Variant(
        lambda spec: double(fields(spec)["width"], "maximum"),
        WRAPPER,
        1,
        "text2img.width: maximum is ",
        "wrapper",
    ),
    "a bound is narrowed": Variant(
        lambda spec: halve(fields(spec)["samples"], "maximum"),
        BREAKING,
        3,
        '"maximum"',
        "breaking",
    ),
    "a bound is new": Variant(
        lambda spec: fields(spec)["prompt"].update(maxLength=2000), BREAKING, 3, '"maxLength"', "breaking"
    ),
    "a bound is gone": Variant(
        lambda spec: fields(spec)["num_inference_steps"].pop("maximum"), WRAPPER, 1, "maximum is None", "wrapper"
    ),
    "a default is another": Variant(
        lambda spec: double(fields(spec)["clip_skip"], "default"),
        WRAPPER,
        1,
        "text2img.clip_skip: default is ",
        "wrapper",
    ),
    "a default has the wrong type": Variant(
        lambda spec: fields(spec)["width"].update(default="wide"),
        None,
        1,
        "TextToImageRequest.properties.width has a default that its own schema refuses: 'wide'",
    ),
    "a default is not in the enum": Variant(
        lambda spec: fields(spec)["safety_checker"].update(default="maybe"), None, 1, "'maybe' is not one of"
    ),
    "a request enum has one more": Variant(
        lambda spec: fields(spec)["safety_checker"].update(enum=["yes", "no", "zeta"]),
        WRAPPER,
        1,
        "enum is ['no', 'yes', 'zeta']",
        "wrapper",
    ),
    "a request enum has one less": Variant(
        lambda spec: fields(spec)["use_karras_sigmas"].update(enum=["yes"]), BREAKING, 3, '"enum"', "breaking"
    ),
    "a request field has an enum now": Variant(
        lambda spec: fields(spec)["scheduler"].update(enum=["DPMSolverMultistepScheduler"]),
        BREAKING,
        3,
        '"enum"',
        "breaking",
    ),
    "an answer enum has one more": Variant(
        lambda spec: fields(spec, PROCESSING)["status"].update(enum=["processing", "queued"]),
        WRAPPER,
        1,
        "ImageGenerationProcessingResponse.status: widened (enum)",
        "wrapper",
    ),
    # --- types, and required or not ------------------------------------------------------------
    "a request type is another": Variant(
        lambda spec: (
            fields(spec)["guidance_scale"].update(type="string", default="7.5")
            or [fields(spec)["guidance_scale"].pop(bound) for bound in ("minimum", "maximum")]
        ),
        BREAKING,
        3,
        '"type"',
        "breaking",
    ),
    "an answer type is another": Variant(
        lambda spec: fields(spec, PROCESSING)["webhook_status"].update(type="integer"),
        BREAKING,
        3,
        '"type"',
        "breaking",
    ),
    "a request field is required": Variant(
        lambda spec: schema(spec, REQUEST)["required"].append("width"), BREAKING, 3, '"required"', "breaking"
    ),
    "a request field is required no more": Variant(
        lambda spec: schema(spec, REQUEST)["required"].remove("model_id"), WRAPPER, 1, '"required"', "wrapper"
    ),
    "an answer field is required": Variant(
        lambda spec: schema(spec, PROCESSING).update(required=["eta"]), SAFE, 0, '"required"'
    ),
    "an answer type is another, and an example of ours is not": Variant(
        lambda spec: fields(spec, PROCESSING)["eta"].update(type="string"), BREAKING, 3, "12 is not of type 'string'"
    ),
    "an answer field is required no more": Variant(
        lambda spec: schema(spec, ERROR)["required"].remove("message"), WRAPPER, 1, '"required"', "wrapper"
    ),
    # --- branches, null ------------------------------------------------------------------------
    "an answer has one more branch": Variant(_queued, WRAPPER, 1, "branch added", "wrapper"),
    "an answer has one branch less": Variant(lambda spec: branches(spec).pop(1), WRAPPER, 1, "branch removed"),
    "a request field has one more branch": Variant(
        lambda spec: fields(spec)["seed"]["oneOf"].append({"type": "string"}), WRAPPER, 1, "text2img.seed", "wrapper"
    ),
    "null in the form of 3.1": Variant(
        lambda spec: fields(spec)["negative_prompt"].update(type=["string", "null"]),
        WRAPPER,
        1,
        "text2img.negative_prompt: nullable is True",
        "wrapper",
    ),
    "null in the form of 3.0": Variant(
        lambda spec: fields(spec)["negative_prompt"].update(nullable=True),
        WRAPPER,
        1,
        "text2img.negative_prompt: nullable is True",
        "wrapper",
    ),
    "the same, in OpenAPI 3.0": Variant(_in_30, SAFE, 0, "means the same"),
    "a null is gone": Variant(
        lambda spec: fields(spec).update(seed={"type": "integer"}), BREAKING, 3, '"type"', "breaking"
    ),
    # --- documents -----------------------------------------------------------------------------
    "another version and other words": Variant(
        lambda spec: (spec["info"].update(version="6.1.0"), fields(spec)["width"].update(description="Pixels.")),
        SAFE,
        0,
        "6.1.0",
    ),
    "the keys in another order": Variant(lambda spec: spec.update(info=spec.pop("info")), SAFE, 0, "means the same"),
    "a schema has another name": Variant(_renamed_schema, WRAPPER, 1, "matches nothing"),
    "a schema has a title": (
        Variant(
            lambda spec: schema(spec, REQUEST).update(title="Text To Image"),
            WRAPPER,
            1,
            "generated class has another name",
            "wrapper",
        )
    ),
    "an operation has a tag": Variant(
        lambda spec: post(spec).update(tags=["Pony Images"]), WRAPPER, 1, "cannot import name 'text2img'", "wrapper"
    ),
    "a schema has another name that the overlay refers to": Variant(
        _renamed_error, WRAPPER, 1, "the reference '#/components/schemas/ImageGenerationErrorResponse' leads nowhere"
    ),
    "two operations that become one function": Variant(
        lambda spec: _new_operation(spec, "text2img-"), WRAPPER, 1, "both become text2img.py"
    ),
    "two operations of one name": Variant(lambda spec: _new_operation(spec, "text2img"), WRAPPER, 1, "text2img"),
    "a recursive schema in a request": Variant(
        lambda spec: fields(spec).update(parent={"$ref": f"#/components/schemas/{REQUEST}"}),
        WRAPPER,
        1,
        "text2img.parent: the spec has this field",
        "wrapper",
    ),
    "a recursive schema in an answer": Variant(
        lambda spec: fields(spec, SUCCESS).update(
            parent={"oneOf": [{"$ref": f"#/components/schemas/{SUCCESS}"}, {"type": "null"}]}
        ),
        SAFE,
        0,
        "ImageGenerationSuccessResponse.parent",
    ),
    "a schema that is nothing but itself": Variant(
        lambda spec: spec["components"]["schemas"].update(
            A={"$ref": "#/components/schemas/B"}, B={"$ref": "#/components/schemas/A"}
        ),
        None,
        1,
        "refers to itself",
    ),
    "a reference that leads nowhere": Variant(
        lambda spec: fields(spec).update(style={"$ref": "#/components/schemas/Style"}), None, 1, "leads nowhere"
    ),
    "a reference to another file": Variant(
        lambda spec: fields(spec).update(style={"$ref": "style.json"}), None, 1, "which is not in the document"
    ),
    "a type that is none": Variant(
        lambda spec: fields(spec)["width"].update(type="int"), None, 1, "properties.width.type is no JSON Schema"
    ),
    "another server": Variant(
        lambda spec: spec["servers"][0].update(url="https://api.elsewhere.example/v6"), BREAKING, 3, "the API key goes"
    ),
    "another way to say who calls": Variant(_security, BREAKING, 3, "told in another way who calls", "breaking"),
    "an answer of another status": Variant(
        lambda spec: post(spec)["responses"].update({"422": {"$ref": "#/components/responses/StandardErrorResponse"}}),
        WRAPPER,
        1,
        "code added",
        "wrapper",
    ),
    "Swagger 2": Variant(
        lambda spec: spec.pop("openapi") and spec.update(swagger="2.0"), None, 1, "this is Swagger 2.0"
    ),
    "a body that may be missing": Variant(
        lambda spec: post(spec)["requestBody"].pop("required"), WRAPPER, 1, "POST /text2img body: widened", "wrapper"
    ),
    "a named size with another bound": Variant(
        lambda spec: (
            spec["components"]["schemas"].update(Size={"type": "integer", "minimum": 1024, "maximum": 1504}),
            fields(spec).update(width={"$ref": "#/components/schemas/Size", **fields(spec)["width"]}),
        ),
        BREAKING,
        3,
        '"maximum"',
    ),
    "texts of an answer are encoded": Variant(
        lambda spec: fields(spec, SUCCESS)["output"]["items"].update(contentEncoding="base64"),
        BREAKING,
        3,
        "contentEncoding",
        "breaking",
    ),
    "the service calls back": Variant(
        lambda spec: post(spec).update(
            callbacks={"done": {"{$request.body#/webhook}": {"post": {"responses": {"200": {"description": "d"}}}}}}
        ),
        WRAPPER,
        1,
        "POST /text2img: notice",
        "wrapper",
    ),
    "OpenAPI 4": Variant(lambda spec: spec.update(openapi="4.0.0"), None, 1, "openapi is '4.0.0'"),
    "no operation": Variant(lambda spec: spec.update(paths={}), None, 1, "has no operation"),
    # --- what the overlay says too ---------------------------------------------------------------
    "the vendor ships what an action adds": Variant(
        lambda spec: fields(spec)["samples"].update(minimum=1),
        SAFE,
        1,
        "TextToImageRequest.properties.samples, says what the vendor now",
        "overlay",
    ),
    "the vendor ships another thing than an action adds": Variant(
        lambda spec: post(spec).update(operationId="textToImage"),
        WRAPPER,
        1,
        'the vendor has \\"textToImage\\", the action \\"text2img\\"',
    ),
}
