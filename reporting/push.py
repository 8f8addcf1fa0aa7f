"""Uploads an export to the Hugging Face hub: student and data, each with its card."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

from fdd.errors import FddError, UsageError, brief, one_line
from fdd.network import hub_fault
from fdd.reporting.export import DATA, STUDENT, Exported

_FAULTS = (HfHubHTTPError, httpx2.HTTPError, OSError, ValueError, RuntimeError)
"""What the hub's client raises if an upload fails."""
KINDS = {STUDENT: "model", DATA: "dataset"}
"""Kind of repository by part of an export."""
OURS = ["*.safetensors", "*.safetensors.index.json", "adapter_config.json", "*.jsonl"]
"""Files of an earlier export that would be read together with those of the new one."""


def check(name: str) -> None:
    """Raises `UsageError` if this is no repository name, or if this user cannot write to it."""
    if "/" not in name:
        raise UsageError(f"--push {brief(name)} does not say whose repository it is: give ORG/NAME")
    if fault := hub_fault():
        raise UsageError(f"--push cannot reach the hub: {fault}")
    api, owner = HfApi(), name.partition("/")[0]
    try:
        me = api.whoami()
        api.repo_exists(name)
    except HFValidationError as error:
        raise UsageError(f"--push {brief(name)} is not a repository name: {one_line(str(error))}") from None
    except LocalTokenNotFoundError:
        raise UsageError("--push needs to know who you are: run `hf auth login`, or set HF_TOKEN") from None
    except HfHubHTTPError as error:
        raise UsageError(f"--push: the hub refused ({one_line(str(error))}): check HF_TOKEN") from None
    except _FAULTS as error:
        raise UsageError(f"--push cannot reach the hub: {one_line(str(error))}") from None
    owners = [me["name"], *(each["name"] for each in me.get("orgs", ()))]
    if owner not in owners:
        raise UsageError(f"--push {brief(name)}: you can only write to repositories of {', '.join(owners)}")


def push(done: Exported, name: str) -> Iterator[str]:
    """Uploads the parts of an export and yields the address of each.

    A repository that does not exist is made, and only its owner can see it. In one that exists, weights and
    rows of an earlier export are replaced; other files stay. Raises `FddError` if the hub does not accept an
    upload.
    """
    api = HfApi()
    for part, kind in KINDS.items():
        folder = done.folder / part
        if not folder.is_dir():
            continue
        try:
            address = api.create_repo(name, repo_type=kind, private=True, exist_ok=True)
            api.upload_folder(
                repo_id=name,
                repo_type=kind,
                folder_path=folder,
                delete_patterns=OURS,
                commit_message=f"Round {done.round}, {done.lessons} rationales",
            )
        except _FAULTS as error:
            raise FddError(
                f"the hub did not accept the {kind} ({one_line(str(error))}); the export is complete, so try "
                f"again with `hf upload {name} {folder} --repo-type {kind}`"
            ) from None
        yield str(address)
