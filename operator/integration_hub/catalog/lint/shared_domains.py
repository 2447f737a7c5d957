"""Domains below which anybody can have a host: to end with one says nothing of whose host it is.

A short list of what is common, beside the rule for 'co.uk' and its like; no copy of the Public Suffix List. It is only
read where definitions are written, so what it lacks is no hole of its own: whoever reviews a definition looks, too.
"""

from __future__ import annotations

import re
from typing import Final

from integration_hub.config.hosts import owned_domain

_HOSTING: Final = frozenset(
    {
        "appspot.com", "azureedge.net", "azurewebsites.net", "blob.core.windows.net", "blogspot.com",
        "cloudfront.net", "deno.dev", "elasticbeanstalk.com", "firebaseapp.com", "fly.dev", "github.io",
        "gitlab.io", "glitch.me", "herokuapp.com", "netlify.app", "ngrok-free.app", "ngrok.app", "ngrok.io",
        "onrender.com", "pages.dev", "r2.dev", "replit.app", "run.app", "storage.googleapis.com", "surge.sh",
        "trycloudflare.com", "up.railway.app", "vercel.app", "web.app", "workers.dev",
    }
)  # fmt: skip

_HOSTING_BY_REGION: Final = re.compile(
    r"(s3|s3-website|execute-api)(\.[a-z0-9-]+)?\.amazonaws\.com(\.cn)?"
    r"|[a-z0-9-]+\.(elb|elasticbeanstalk)\.(amazonaws\.)?com|elb\.amazonaws\.com"
    r"|lambda-url\.[a-z0-9-]+\.on\.aws|[a-z0-9-]+\.cloudapp\.azure\.com"
)

BOTH: Final = frozenset({"amazonaws.com", "amazonaws.com.cn"})
"""Below these the vendor's own hosts, like 's3.eu-west-1', stand beside those of customers, like 'BUCKET.s3'."""


def is_shared(domain: str) -> bool:
    """Tell whether anybody can have a host just below a domain, for what is known here."""
    below = f"any.{domain}"
    is_suffix = owned_domain(below) == below
    return domain in _HOSTING or is_suffix or _HOSTING_BY_REGION.fullmatch(domain) is not None
