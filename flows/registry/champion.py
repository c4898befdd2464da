"""Who serves: MLflow's aliases `champion`, `challenger` and `previous` of a style's model, and the reasons as tags."""

import hashlib
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from anime_model.pictures.message import Message
from anime_model.runtime.names import LITE
from flows.machine.hashes import file_md5
from flows.registry.versions import model_name, registry_error

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
NOT_LITE = (
    "{model} {version} is the variant {variant}: only {lite} versions are promoted; --any-variant takes it anyway"
)
NO_ALIAS = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST")


class PromotionError(RuntimeError):
    """What was asked for is not there; the message is one line."""


class ChampionChanged(RuntimeError):
    """Another promotion came first: what was measured against the former champion says nothing about the new one."""


def holder(client: mlflow.MlflowClient, model: str, alias: str) -> ModelVersion | None:
    """The version that an alias stands for, None where it stands for none."""
    try:
        return client.get_model_version_by_alias(model, alias)
    except MlflowException as error:
        if error.error_code in NO_ALIAS:
            return None
        raise


def newest(client: mlflow.MlflowClient, model: str, variant: str = LITE) -> ModelVersion | None:
    """The newest version of a variant: one row, however many versions there are."""
    wanted = f"name='{model}' and tags.variant='{variant}'"
    return next(iter(client.search_model_versions(wanted, max_results=1, order_by=["version_number DESC"])), None)


def candidate(
    client: mlflow.MlflowClient, model: str, version: int | None = None, any_variant: bool = False
) -> ModelVersion:
    """The version to promote: the one asked for, the challenger, or the newest lite one.

    Raises `PromotionError` where there is none, and where it is no lite network though `any_variant` is not set: people
    get small files.
    """
    found = _asked_for(client, model, version)
    variant = found.tags.get("variant", "unknown")
    if variant != LITE and not any_variant:
        raise PromotionError(Message(NOT_LITE, model=model, version=found.version, variant=variant, lite=LITE))
    return found


def _asked_for(client: mlflow.MlflowClient, model: str, version: int | None) -> ModelVersion:
    if version is None:
        found = holder(client, model, CHALLENGER) or newest(client, model)
        if found is None:
            text = "MLflow has no {lite} version of {model}: run `python -m flows.compress` first"
            raise PromotionError(Message(text, lite=LITE, model=model))
        return found
    try:
        return client.get_model_version(model, str(version))
    except MlflowException as error:
        if error.error_code in NO_ALIAS:
            text = "MLflow has no version {version} of {model}: `make mlflow` shows which"
            raise PromotionError(Message(text, version=version, model=model)) from None
        raise


def versions_of(client: mlflow.MlflowClient, model: str, md5: str) -> list[ModelVersion]:
    """All versions of one file, newest first: judged in another way, it is another version."""
    wanted = f"name='{model}' and tags.dvc_md5='{md5}'"
    return sorted(client.search_model_versions(wanted), key=lambda version: int(version.version), reverse=True)


def rolled_back(client: mlflow.MlflowClient, model: str, version: ModelVersion) -> ModelVersion | None:
    """The version of the same file that was rolled back: what was wrong with it is wrong with the file."""
    md5 = version.tags.get("dvc_md5")
    alike = [version, *(versions_of(client, model, md5) if md5 else ())]
    return next((other for other in alike if "rolled_back" in other.tags), None)


@dataclass(frozen=True)
class Nomination:
    """The version that may become the champion, or None and why there is none."""

    version: ModelVersion | None
    why_none: str = ""


def nominate(client: mlflow.MlflowClient, model: str, file: Path) -> Nomination:
    """Makes the newest version of `file`, this workspace's lite network, the challenger.

    Not what another workspace or branch has registered meanwhile, not the champion's file, and no file that was rolled
    back, whatever its version is called now.
    """
    found = next((v for v in versions_of(client, model, file_md5(file)) if v.tags.get("variant") == LITE), None)
    if found is None:
        return Nomination(None, f"{model} has no version of {file.name} as it is here")
    champion = holder(client, model, CHAMPION)
    if champion and champion.tags.get("dvc_md5") == found.tags["dvc_md5"]:
        return Nomination(None, f"nothing new: version {champion.version} is the champion")
    if gone := rolled_back(client, model, found):
        return Nomination(
            None, f"nothing new: version {gone.version} was rolled back ({gone.tags.get('rolled_back_reason', '')})"
        )
    waiting = holder(client, model, CHALLENGER)
    if not waiting or waiting.version != found.version:
        client.set_registered_model_alias(model, CHALLENGER, found.version)
    return Nomination(found)


def nominate_made(root: Path, style: str) -> Nomination:
    """`nominate` for the lite network that the workspace at `root` has made. Raises `RegistryError`."""
    file, model = root / "artifacts" / style / "exports" / f"{LITE}.onnx", model_name(style)
    if not file.is_file():
        return Nomination(None, f"{style} has no {LITE} network here")
    try:
        return nominate(mlflow.MlflowClient(), model, file)
    except MlflowException as error:
        raise registry_error(error) from error


def set_champion(
    client: mlflow.MlflowClient,
    model: str,
    challenger: ModelVersion,
    before: ModelVersion | None,
    tags: Mapping[str, str],
) -> None:
    """`challenger` becomes the champion and `before` is kept as `previous`.

    Tags come first and the alias that serves last but one, so that a kill leaves the old state or the new one. Raises
    `ChampionChanged` where `before` is the champion no longer.
    """
    with only_promotion(model):
        now = holder(client, model, CHAMPION)
        if (now and now.version) != (before and before.version):
            raise ChampionChanged(now.version if now else "none")
        if gone := rolled_back(client, model, challenger):
            _lift(client, model, gone)
        tag(
            client,
            model,
            challenger,
            {**tags, "promoted": now_text(), "champion_before": before.version if before else ""},
        )
        if before:
            client.set_registered_model_alias(model, PREVIOUS, before.version)
        client.set_registered_model_alias(model, CHAMPION, challenger.version)
        waiting = holder(client, model, CHALLENGER)
        if waiting and waiting.version == challenger.version:
            client.delete_registered_model_alias(model, CHALLENGER)


def _lift(client: mlflow.MlflowClient, model: str, gone: ModelVersion) -> None:
    """What stood against a file stands no longer, under none of its versions."""
    for version in {v.version: v for v in (gone, *versions_of(client, model, gone.tags.get("dvc_md5", "")))}.values():
        for key in {"rolled_back", "rolled_back_reason"} & version.tags.keys():
            client.delete_model_version_tag(model, version.version, key)


def roll_back(client: mlflow.MlflowClient, model: str, reason: str) -> tuple[ModelVersion, ModelVersion]:
    """The former champion serves again: (it, the one that had to go, which keeps `reason` as a tag).

    `previous` then stands for the champion before that, so that rolling back again goes one further step back. Raises
    `PromotionError` where there is none.
    """
    with only_promotion(model):
        now = holder(client, model, CHAMPION)
        if now is None:
            raise PromotionError(Message("{model} has no champion: nothing to roll back", model=model))
        former = _former(client, model, now)
        if former is None:
            text = "{model} {version} is the first champion: there is no former one to go back to"
            raise PromotionError(Message(text, model=model, version=now.version))
        tag(client, model, now, {"rolled_back": now_text(), "rolled_back_reason": reason})
        client.set_registered_model_alias(model, CHAMPION, former.version)
        older = _standing(client, model, former.tags.get("champion_before"), {former.version, now.version})
        if older:
            client.set_registered_model_alias(model, PREVIOUS, older)
        else:
            client.delete_registered_model_alias(model, PREVIOUS)
        return former, now


def _former(client: mlflow.MlflowClient, model: str, now: ModelVersion) -> ModelVersion | None:
    """The version behind `previous`; the champion's own record where a kill left both aliases on one version."""
    former = holder(client, model, PREVIOUS)
    version = former.version if former and former.version != now.version else now.tags.get("champion_before")
    standing = _standing(client, model, version, {now.version})
    return client.get_model_version(model, standing) if standing else None


def _standing(client: mlflow.MlflowClient, model: str, version: str | None, passed: set[str]) -> str | None:
    """`version`, or the nearest champion before it, that was not rolled back and is none of `passed`."""
    passed = {str(one) for one in passed}
    while version and version not in passed:
        found = client.get_model_version(model, version)
        if rolled_back(client, model, found) is None:
            return str(version)
        passed.add(str(version))
        version = found.tags.get("champion_before")
    return None


def tag(client: mlflow.MlflowClient, model: str, version: ModelVersion, tags: Mapping[str, str]) -> None:
    for key, value in tags.items():
        client.set_model_version_tag(model, version.version, key, value)


def only_promotion(model: str) -> AbstractContextManager[None]:
    """One change of a model's aliases at a time on this machine, from whichever folder it is made."""
    from anime_model.metrics.latency import alone_on_the_machine  # with ONNX Runtime, which no other question needs

    name = hashlib.sha256(f"{mlflow.get_tracking_uri()} {model}".encode()).hexdigest()[:16]
    return alone_on_the_machine(f"animegan-lite-promote-{os.getuid()}-{name}.lock")


def now_text() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
