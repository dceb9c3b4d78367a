"""litellm, imported late (2 s), silent, and with TLS verified whatever the environment says."""

from __future__ import annotations

import importlib
import logging
import os
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

from grasp_bench.services.exchange import watch

# They print requests, and so prompts and keys, when somebody asks for debugging output.
TALKATIVE = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy", "openai", "httpx", "httpcore", "aiohttp")
LISTENERS = (
    "callbacks", "input_callback", "success_callback", "failure_callback", "_async_input_callback",
    "_async_success_callback", "_async_failure_callback",
)  # fmt: skip
CONNECTION_LIMITS = ("AIOHTTP_CONNECTOR_LIMIT", "AIOHTTP_CONNECTOR_LIMIT_PER_HOST")
MOST_CONNECTIONS = 4096  # the highest concurrency


def open_litellm() -> Any:
    """The module `litellm`; call it before each series of requests, for TLS is settled here."""
    _verify_tls()
    return _import_litellm()


def _verify_tls() -> None:
    """litellm reads SSL_VERIFY for each client that it makes: a bundle of certificates may stay there."""
    asked = os.environ.get("SSL_VERIFY")
    if asked is not None and not Path(asked).is_file():
        os.environ["SSL_VERIFY"] = "True"


@lru_cache(maxsize=1)
def _import_litellm() -> Any:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else the import fetches a map from the network
    os.environ.pop("LITELLM_LOG", None)
    for name in CONNECTION_LIMITS:  # read at import; the slots are what limits connections
        os.environ.setdefault(name, str(MOST_CONNECTIONS))
    litellm: Any = importlib.import_module("litellm")
    litellm.telemetry = False
    litellm.suppress_debug_info = True  # "Give Feedback / Get Help" at each error
    litellm.set_verbose = False
    # Nobody is told of requests. (`turn_off_message_logging` would copy every answer three times to hide
    # it from nobody: a sixth of a call's CPU.)
    for name in LISTENERS:
        setattr(litellm, name, [])
    litellm.drop_params = True  # what a provider does not know (seed, top_p) is left out
    litellm.num_retries = None
    litellm.DEFAULT_MAX_RETRIES = 0  # what embedding requests take a max_retries of 0 for
    litellm.ssl_verify = True
    _watch_transports()
    litellm.cache = None
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    # pydantic shows the value that it wonders at: an answer.
    warnings.filterwarnings("ignore", message="Pydantic serializer warnings")
    return litellm


def _watch_transports() -> None:
    """Have every HTTP transport that litellm makes noted in the current Exchange."""
    handler: Any = importlib.import_module("litellm.llms.custom_httpx.http_handler").AsyncHTTPHandler
    make = handler.create_async_transport

    def make_watched(*arguments: Any, **settings: Any) -> Any:
        transport = make(*arguments, **settings)
        if transport is not None:  # httpx's own, where aiohttp is turned off
            watch(transport)
        return transport

    handler.create_async_transport = staticmethod(make_watched)
