"""ICE servers, which help browser and server find a way to reach each other.

STUN is free and tells each side its own address, which is enough in most homes. A server in a data centre
often needs TURN, which relays the video, costs its owner money and therefore requires credentials.
streamlit-webrtc gets them from whichever account the environment names (Streamlit turns root-level secrets
into environment variables). Added here: `AGEGENDER_ICE`, a deadline, a note for the page if a provider fails,
and no cache, which could return credentials that expire while somebody connects.
"""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from streamlit_webrtc import credentials

from agegender.runtime import in_thread

LOG = logging.getLogger(__name__)

TIMEOUT_S = 3.0
"""How long a provider may take to answer, as a page is waiting."""

STUN: tuple[dict[str, Any], ...] = (
    {"urls": ["stun:stun.l.google.com:19302", "stun:stun.cloudflare.com:3478"]},
)
"""Public servers, which cost nothing and relay nothing."""

PROVIDERS: dict[str, tuple[tuple[str, ...], Callable[..., Any]]] = {
    "Cloudflare": (
        ("CLOUDFLARE_TURN_KEY_ID", "CLOUDFLARE_TURN_KEY_API_TOKEN"),
        credentials.get_cloudflare_ice_servers,
    ),
    "Twilio": (("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"), credentials.get_twilio_ice_servers),
    "Hugging Face": (("HF_TOKEN",), credentials.get_hf_ice_servers),
}
"""Relay providers: the variables that name an account, and the function to call with their values."""


@dataclass(frozen=True, slots=True)
class IceServers:
    """`servers` are dicts for WebRTC's `iceServers`; `note`, if any, is for the page."""

    servers: tuple[dict[str, Any], ...]
    note: str | None = None


def ice_servers(environment: Mapping[str, str]) -> IceServers:
    """Servers for one connection, from the first provider that has an account and answers.

    AGEGENDER_ICE takes precedence: `none` for no servers at all (a single machine or network), or a JSON list
    of your own servers. Never raises: after a failure, public STUN and a note remain.
    """
    own = environment.get("AGEGENDER_ICE", "").strip()
    if own:
        return _own(own)
    notes = []
    for name, (variables, ask) in PROVIDERS.items():
        values = [environment.get(variable, "").strip() for variable in variables]
        if all(values):
            try:
                answer = in_thread(partial(inspect.unwrap(ask), *values), "ice-servers").result(TIMEOUT_S)
                return IceServers((*_checked(answer), *STUN))
            except ImportError:
                notes.append(f"{name} is not asked for relay servers: its Python package is not installed.")
            except Exception as error:  # noqa: BLE001 - providers and their libraries raise anything
                LOG.warning("No relay servers from %s: %s", name, type(error).__name__)
                notes.append(f"{name} gave no relay servers; its secrets may have expired.")
        elif any(values):
            missing = variables[values.index("")]
            notes.append(f"{name} is not asked for relay servers, as {missing} is not set.")
    return IceServers(STUN, " ".join(notes) or None)


def _own(text: str) -> IceServers:
    if text.lower() == "none":
        return IceServers(())
    try:
        return IceServers(_checked(json.loads(text)))
    except (ValueError, TypeError, KeyError, AttributeError):
        return IceServers(STUN, "AGEGENDER_ICE is no JSON list of ICE servers, so it is not used.")


def _checked(servers: Any) -> tuple[dict[str, Any], ...]:
    """Keep only the keys that browser and server know; raises `ValueError` for malformed servers."""
    if not isinstance(servers, list) or not servers:
        raise ValueError("no list of ICE servers")
    kept = []
    for server in servers:
        urls = server["urls"]
        for url in [urls] if isinstance(urls, str) else urls:
            if not url.startswith(("stun:", "turn:", "turns:")):
                raise ValueError("an ICE server of an unknown kind")
        kept.append({key: server[key] for key in ("urls", "username", "credential") if key in server})
    return tuple(kept)
