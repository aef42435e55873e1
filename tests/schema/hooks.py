"""Signs schemathesis in as each call wants it: by the API key, or by a token that is made for the call, since calls revoke
tokens."""

import os

import requests
import schemathesis

ADDRESS = os.environ["ADDRESS"]
API_KEY = os.environ["API_KEY"]
GROUP = os.environ["GROUP"]
EVERY_SCOPE = "read signal invoke session control topics operate"


def bearer(secret):
    return {"Authorization": f"Bearer {secret}"}


@schemathesis.auth(refresh_interval=None)
class SignIn:
    def get(self, case, context):
        wanted = {name for way in context.operation.definition.raw.get("security", []) for name in way}
        if "token" in wanted:
            topics = {"publish": ["#"], "subscribe": ["#"]}
            wish = {"group": GROUP, "subject": "the tests of the schema", "scope": EVERY_SCOPE, "topics": topics}
            answer = requests.post(f"{ADDRESS}/v1/tokens", json=wish, headers=bearer(API_KEY), timeout=10)
            answer.raise_for_status()
            return answer.json()["token"]
        return API_KEY if "api_key" in wanted else None

    def set(self, case, data, context):
        if data:
            case.headers.update(bearer(data))
