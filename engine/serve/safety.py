"""Who may do what, how often, and where the server may fetch from: one YAML file.

.. code-block:: yaml

    keys:
      - {name: shop, sha256: 9f86…0a08, scopes: [read, events]}
      - {name: office, sha256: 60303…752, scopes: [admin], rate: {per_s: 5, burst: 20}}
    rate: {per_s: 200, burst: 400}
    image_origins: ["https://cdn.shop.example"]
    pseudonym_key: pseudonym.key
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from engine.errors import DataError
from engine.pseudonyms import Pseudonyms
from engine.serve.keys import ApiKey, Scope
from engine.serve.rates import Rate

SETTINGS_VARIABLE, KEYS_VARIABLE = "VITRINE_SAFETY", "VITRINE_API_KEYS"
LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
LOG = logging.getLogger(__name__)

Origin = Annotated[
    str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?$", to_lower=True)
]


class Safety(BaseModel):
    """Settings; without any, whoever is on this machine may do everything, and nobody else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: tuple[ApiKey, ...] = ()
    anonymous: frozenset[Scope] = frozenset()
    """What a request without a key may do, from anywhere."""
    rate: Rate | None = None
    """Of each key that names none of its own."""
    anonymous_rate: Rate | None = None
    """Of each address that asks without a key."""
    proxies: int = Field(0, ge=0, le=10)
    """Reverse proxies of the shop's own in front; so many entries of ``X-Forwarded-For`` are
    believed."""
    image_origins: tuple[Origin, ...] = ()
    """Where pictures of items may be fetched from, such as ``https://cdn.shop.example``; from
    nowhere else is anything fetched."""
    pseudonym_key: Path | None = None
    """File with the secret that user ids are hashed with, as ``vitrine ingest --pseudonymise``
    was given; relative to the settings."""

    @model_validator(mode="after")
    def _names_once(self) -> Safety:
        names = [key.name for key in self.keys]
        if len(set(names)) != len(names):
            raise ValueError("two keys have the same name")
        return self

    @classmethod
    def read(cls, path: Path) -> Safety:
        """Settings from a YAML file.

        Raises:
            DataError: It cannot be read, or a key is unknown or out of bounds.
        """
        try:
            given = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
            found = cls.model_validate(given)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}") from error
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f": line {mark.line + 1}" if mark else ""
            raise DataError(f"{path} cannot be read as YAML{line}") from None  # it might be secret
        except ValidationError as error:
            raise DataError(f"{path}: {_told(error)}") from error
        if found.pseudonym_key is None:
            return found
        secret = path.parent / found.pseudonym_key
        return found.model_copy(update={"pseudonym_key": secret})

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] = os.environ, *, settings: Path | None = None
    ) -> Safety:
        """Of the file that ``VITRINE_SAFETY`` names, and the keys of ``VITRINE_API_KEYS``.

        The latter is ``name:scope+scope:sha256``, several divided by commas.

        Args:
            environment: Names both.
            settings: A file to be read in the place of the named one.

        Raises:
            DataError: Either cannot be read.
        """
        path = settings or environment.get(SETTINGS_VARIABLE)
        listed = environment.get(KEYS_VARIABLE)
        found = cls.read(Path(path)) if path else cls()
        if not listed:
            return found
        try:
            keys = [_key(entry) for entry in listed.split(",") if entry.strip()]
            return cls.model_validate({**found.model_dump(), "keys": (*found.keys, *keys)})
        except ValidationError as error:
            raise DataError(f"{KEYS_VARIABLE}: {_told(error)}") from error

    @cached_property
    def pseudonyms(self) -> Pseudonyms | None:
        """What users are called, if the settings name a secret.

        Raises:
            DataError: The secret cannot be read.
        """
        return None if self.pseudonym_key is None else Pseudonyms.open(self.pseudonym_key)

    @property
    def is_local_only(self) -> bool:
        """Whether only this machine is answered."""
        return not self.keys and not self.anonymous

    def warn_of(self, host: str) -> None:
        """Say in the log what listening there means."""
        if host in LOCAL_HOSTS:
            return
        if self.is_local_only:
            LOG.warning(
                "listening on %s without API keys: only requests from this machine are answered. "
                "Name keys in the file of %s, or in %s",
                host,
                SETTINGS_VARIABLE,
                KEYS_VARIABLE,
            )
        elif self.anonymous:
            scopes = ", ".join(sorted(self.anonymous))
            LOG.warning("listening on %s: whoever reaches it may, without a key: %s", host, scopes)


def _key(entry: str) -> ApiKey:
    name, _, rest = entry.strip().partition(":")
    scopes, _, sha256 = rest.partition(":")
    return ApiKey.model_validate({"name": name, "scopes": scopes.split("+"), "sha256": sha256})


def _told(error: ValidationError) -> str:
    """What is wrong, without what was given: it might be a secret."""
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
