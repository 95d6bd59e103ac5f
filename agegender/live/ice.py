"""ICE servers: what browser and server ask for a way to reach each other.

STUN is free and tells each its own address, which is enough in most homes. A server in a data centre often
needs TURN, which relays the video, costs its owner money and hence wants credentials. These are made anew
each time from whichever account the environment names (Streamlit sets root-level secrets as environment
variables); the names are those that streamlit-webrtc and FastRTC read as well.
"""

from __future__ import annotations

import base64
import json
import logging
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

LOG = logging.getLogger(__name__)

TIMEOUT_S = 3.0
"""How long a provider may take to answer: a page waits for it."""

LIFE_S = 86_400
"""For how long credentials are asked to be good: as long as a page may stay open before START."""

STUN: tuple[dict[str, Any], ...] = (
    {"urls": ["stun:stun.l.google.com:19302", "stun:stun.cloudflare.com:3478"]},
)
"""Servers for everybody, which cost nothing and relay nothing."""

CLOUDFLARE_URL = "https://rtc.live.cloudflare.com/v1/turn/keys/{}/credentials/generate-ice-servers"
TWILIO_URL = "https://api.twilio.com/2010-04-01/Accounts/{}/Tokens.json"
HUGGING_FACE_URL = "https://fastrtc-turn-server-login.hf.space/credentials"
HUGGING_FACE_TURN = "turn:gradio-turn.com:80"


@dataclass(frozen=True, slots=True)
class IceServers:
    """`servers` are dictionaries as WebRTC's `iceServers` wants them; `note`, if any, is for the page."""

    servers: tuple[dict[str, Any], ...]
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Provider:
    """Who lends relays: the variables that name an account, and how to ask with their values."""

    name: str
    variables: tuple[str, ...]
    ask: Callable[..., tuple[dict[str, Any], ...]]


def ice_servers(environment: Mapping[str, str]) -> IceServers:
    """Return the servers for one connection, asking whichever provider has an account in the environment.

    AGEGENDER_ICE comes first: `none` for no servers at all (one machine, one network), or a JSON list of
    servers of one's own. Never raises: what does not work leaves public STUN, and a note.
    """
    own = environment.get("AGEGENDER_ICE", "").strip()
    if own:
        return _own(own)
    notes = []
    for provider in PROVIDERS:
        values = [environment.get(variable, "").strip() for variable in provider.variables]
        if all(values):
            try:
                return IceServers(provider.ask(*values))
            except (OSError, HTTPException, ValueError, KeyError, TypeError, AttributeError) as error:
                LOG.warning("No relay servers from %s: %s", provider.name, type(error).__name__)
                notes.append(f"{provider.name} gave no relay servers; its secrets may have expired.")
        elif any(values):
            missing = provider.variables[values.index("")]
            notes.append(f"{provider.name} is not asked for relay servers, as {missing} is not set.")
    return IceServers(STUN, " ".join(notes) or None)


def _own(text: str) -> IceServers:
    if text.lower() == "none":
        return IceServers(())
    try:
        return IceServers(_checked(json.loads(text)))
    except (ValueError, TypeError, KeyError, AttributeError):
        return IceServers(STUN, "AGEGENDER_ICE is no JSON list of ICE servers, so it is not used.")


def _ask_cloudflare(key_id: str, token: str) -> tuple[dict[str, Any], ...]:
    url = CLOUDFLARE_URL.format(urllib.parse.quote(key_id, safe=""))
    body = json.dumps({"ttl": LIFE_S}).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return _checked(_fetch(url, headers, body)["iceServers"])


def _ask_twilio(account: str, token: str) -> tuple[dict[str, Any], ...]:
    login = base64.b64encode(f"{account}:{token}".encode()).decode()
    url = TWILIO_URL.format(urllib.parse.quote(account, safe=""))
    body = urllib.parse.urlencode({"Ttl": LIFE_S}).encode()
    return _checked(_fetch(url, {"Authorization": f"Basic {login}"}, body)["ice_servers"])


def _ask_hugging_face(token: str) -> tuple[dict[str, Any], ...]:
    found = _fetch(HUGGING_FACE_URL, {"X-HF-Access-Token": token}, None)
    relay = {"urls": HUGGING_FACE_TURN, "username": found["username"], "credential": found["credential"]}
    return _checked([relay, *STUN])


def _fetch(url: str, headers: dict[str, str], body: bytes | None) -> Any:
    # Cloudflare turns urllib's own name away as if the key were wrong.
    request = urllib.request.Request(url, body, {"User-Agent": "agegender", **headers})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
        return json.loads(response.read(100_000))


def _checked(servers: Any) -> tuple[dict[str, Any], ...]:
    """Return the servers with nothing in them but what browser and server know; ValueError for nonsense."""
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


PROVIDERS = (
    Provider("Cloudflare", ("CLOUDFLARE_TURN_KEY_ID", "CLOUDFLARE_TURN_KEY_API_TOKEN"), _ask_cloudflare),
    Provider("Twilio", ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"), _ask_twilio),
    Provider("Hugging Face", ("HF_TOKEN",), _ask_hugging_face),
)
