from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeVar, cast

from attrs import define as _attrs_define
from attrs import field as _attrs_field

from ..models.image_to_image_request_safety_checker import (
    ImageToImageRequestSafetyChecker,
    check_image_to_image_request_safety_checker,
)
from ..models.image_to_image_request_use_karras_sigmas import (
    ImageToImageRequestUseKarrasSigmas,
    check_image_to_image_request_use_karras_sigmas,
)
from ..types import UNSET, Unset

T = TypeVar("T", bound="ImageToImageRequest")


@_attrs_define
class ImageToImageRequest:
    """
    Attributes:
        key (str): The API key, as in every request.
        model_id (str): Which Pony model makes the image.
        prompt (str): What the image shows.
        init_image (str): Where the image to begin with can be fetched from.
        negative_prompt (str | Unset): What the image must not show.
        width (int | Unset): Pixels; divisible by 8. Default: 2048.
        height (int | Unset): Pixels; divisible by 8. Default: 2048.
        samples (int | Unset): How many images are made. Default: 1.
        num_inference_steps (int | Unset): How many denoising steps are taken. Default: 30.
        guidance_scale (float | Unset): How closely the prompt is followed. Default: 7.5.
        strength (float | Unset): How much of the first image is given up. Default: 0.7.
        safety_checker (ImageToImageRequestSafetyChecker | Unset): Whether images are checked for explicit content.
            Default: 'yes'.
        seed (int | None | Unset): The same seed gives the same image; null for a random one.
        scheduler (str | Unset): Which scheduler does the denoising. Default: 'DPMSolverMultistepScheduler'.
        use_karras_sigmas (ImageToImageRequestUseKarrasSigmas | Unset): Whether the noise levels are those of Karras et
            al. Default: 'yes'.
        algorithm_type (str | Unset): Which algorithm a DPM solver uses. Default: 'sde-dpmsolver++'.
        clip_skip (int | Unset): How many CLIP layers are skipped. Default: 2.
        webhook (None | str | Unset): Where the service posts to when the job is done.
        track_id (None | str | Unset): Comes back in the webhook.
    """

    key: str
    model_id: str
    prompt: str
    init_image: str
    negative_prompt: str | Unset = UNSET
    width: int | Unset = 2048
    height: int | Unset = 2048
    samples: int | Unset = 1
    num_inference_steps: int | Unset = 30
    guidance_scale: float | Unset = 7.5
    strength: float | Unset = 0.7
    safety_checker: ImageToImageRequestSafetyChecker | Unset = "yes"
    seed: int | None | Unset = UNSET
    scheduler: str | Unset = "DPMSolverMultistepScheduler"
    use_karras_sigmas: ImageToImageRequestUseKarrasSigmas | Unset = "yes"
    algorithm_type: str | Unset = "sde-dpmsolver++"
    clip_skip: int | Unset = 2
    webhook: None | str | Unset = UNSET
    track_id: None | str | Unset = UNSET
    additional_properties: dict[str, Any] = _attrs_field(init=False, factory=dict)

    def to_dict(self) -> dict[str, Any]:
        key = self.key

        model_id = self.model_id

        prompt = self.prompt

        init_image = self.init_image

        negative_prompt = self.negative_prompt

        width = self.width

        height = self.height

        samples = self.samples

        num_inference_steps = self.num_inference_steps

        guidance_scale = self.guidance_scale

        strength = self.strength

        safety_checker: str | Unset = UNSET
        if not isinstance(self.safety_checker, Unset):
            safety_checker = self.safety_checker

        seed: int | None | Unset
        if isinstance(self.seed, Unset):
            seed = UNSET
        else:
            seed = self.seed

        scheduler = self.scheduler

        use_karras_sigmas: str | Unset = UNSET
        if not isinstance(self.use_karras_sigmas, Unset):
            use_karras_sigmas = self.use_karras_sigmas

        algorithm_type = self.algorithm_type

        clip_skip = self.clip_skip

        webhook: None | str | Unset
        if isinstance(self.webhook, Unset):
            webhook = UNSET
        else:
            webhook = self.webhook

        track_id: None | str | Unset
        if isinstance(self.track_id, Unset):
            track_id = UNSET
        else:
            track_id = self.track_id

        field_dict: dict[str, Any] = {}
        field_dict.update(self.additional_properties)
        field_dict.update(
            {
                "key": key,
                "model_id": model_id,
                "prompt": prompt,
                "init_image": init_image,
            }
        )
        if negative_prompt is not UNSET:
            field_dict["negative_prompt"] = negative_prompt
        if width is not UNSET:
            field_dict["width"] = width
        if height is not UNSET:
            field_dict["height"] = height
        if samples is not UNSET:
            field_dict["samples"] = samples
        if num_inference_steps is not UNSET:
            field_dict["num_inference_steps"] = num_inference_steps
        if guidance_scale is not UNSET:
            field_dict["guidance_scale"] = guidance_scale
        if strength is not UNSET:
            field_dict["strength"] = strength
        if safety_checker is not UNSET:
            field_dict["safety_checker"] = safety_checker
        if seed is not UNSET:
            field_dict["seed"] = seed
        if scheduler is not UNSET:
            field_dict["scheduler"] = scheduler
        if use_karras_sigmas is not UNSET:
            field_dict["use_karras_sigmas"] = use_karras_sigmas
        if algorithm_type is not UNSET:
            field_dict["algorithm_type"] = algorithm_type
        if clip_skip is not UNSET:
            field_dict["clip_skip"] = clip_skip
        if webhook is not UNSET:
            field_dict["webhook"] = webhook
        if track_id is not UNSET:
            field_dict["track_id"] = track_id

        return field_dict

    @classmethod
    def from_dict(cls, src_dict: Mapping[str, Any]) -> Self:
        d = dict(src_dict)
        key = d.pop("key")

        model_id = d.pop("model_id")

        prompt = d.pop("prompt")

        init_image = d.pop("init_image")

        negative_prompt = d.pop("negative_prompt", UNSET)

        width = d.pop("width", UNSET)

        height = d.pop("height", UNSET)

        samples = d.pop("samples", UNSET)

        num_inference_steps = d.pop("num_inference_steps", UNSET)

        guidance_scale = d.pop("guidance_scale", UNSET)

        strength = d.pop("strength", UNSET)

        _safety_checker = d.pop("safety_checker", UNSET)
        safety_checker: ImageToImageRequestSafetyChecker | Unset
        if isinstance(_safety_checker, Unset):
            safety_checker = UNSET
        else:
            safety_checker = check_image_to_image_request_safety_checker(
                _safety_checker
            )

        def _parse_seed(data: object) -> int | None | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(int | None | Unset, data)

        seed = _parse_seed(d.pop("seed", UNSET))

        scheduler = d.pop("scheduler", UNSET)

        _use_karras_sigmas = d.pop("use_karras_sigmas", UNSET)
        use_karras_sigmas: ImageToImageRequestUseKarrasSigmas | Unset
        if isinstance(_use_karras_sigmas, Unset):
            use_karras_sigmas = UNSET
        else:
            use_karras_sigmas = check_image_to_image_request_use_karras_sigmas(
                _use_karras_sigmas
            )

        algorithm_type = d.pop("algorithm_type", UNSET)

        clip_skip = d.pop("clip_skip", UNSET)

        def _parse_webhook(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        webhook = _parse_webhook(d.pop("webhook", UNSET))

        def _parse_track_id(data: object) -> None | str | Unset:
            if data is None:
                return data
            if isinstance(data, Unset):
                return data
            return cast(None | str | Unset, data)

        track_id = _parse_track_id(d.pop("track_id", UNSET))

        image_to_image_request = cls(
            key=key,
            model_id=model_id,
            prompt=prompt,
            init_image=init_image,
            negative_prompt=negative_prompt,
            width=width,
            height=height,
            samples=samples,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            strength=strength,
            safety_checker=safety_checker,
            seed=seed,
            scheduler=scheduler,
            use_karras_sigmas=use_karras_sigmas,
            algorithm_type=algorithm_type,
            clip_skip=clip_skip,
            webhook=webhook,
            track_id=track_id,
        )

        image_to_image_request.additional_properties = d
        return image_to_image_request

    @property
    def additional_keys(self) -> list[str]:
        return list(self.additional_properties.keys())

    def __getitem__(self, key: str) -> Any:
        return self.additional_properties[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.additional_properties[key] = value

    def __delitem__(self, key: str) -> None:
        del self.additional_properties[key]

    def __contains__(self, key: str) -> bool:
        return key in self.additional_properties
