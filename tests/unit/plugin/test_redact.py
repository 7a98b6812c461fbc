"""What a support bundle does not have."""

from plugin.core.redact import HIDDEN, LAST_APPLIED, redacted
from purelb.api.annotations import BGP_LAST_GOOD


def test_passwords_and_foreign_variables_are_hidden() -> None:
    """Wherever they stand."""
    body = {
        "metadata": {
            "annotations": {LAST_APPLIED: "{}", BGP_LAST_GOOD: "{}", "a": "b"},
            "managedFields": [1],
        },
        "spec": {
            "neighbors": [{"config": {"authPassword": "secret", "peerAsn": 1}}],
            "containers": [
                {
                    "env": [
                        {"name": "API_KEY", "value": "secret"},
                        {"name": "PURELB_LEASE_DURATION", "value": "10s"},
                        {"name": "FROM", "valueFrom": {}},
                    ]
                }
            ],
        },
    }
    assert redacted(body) == {
        "metadata": {"annotations": {"a": "b"}},
        "spec": {
            "neighbors": [{"config": {"authPassword": HIDDEN, "peerAsn": 1}}],
            "containers": [
                {
                    "env": [
                        {"name": "API_KEY", "value": HIDDEN},
                        {"name": "PURELB_LEASE_DURATION", "value": "10s"},
                        {"name": "FROM", "valueFrom": {}},
                    ]
                }
            ],
        },
    }
