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


def test_command_lines_of_others_are_hidden_and_ours_are_not() -> None:
    """An IPAM sidecar may get the token of its provider there; so may a probe, by a header."""
    probe = {"httpGet": {"port": 1, "httpHeaders": [{"name": "Authorization", "value": "secret"}]}}
    ours = {"name": "allocator", "args": ["--log-level=debug"]}
    others = {"name": "ipam", "command": ["run"], "args": ["--key", "secret"], "probe": probe}
    assert redacted({"containers": [ours, others]}) == {
        "containers": [
            ours,
            {
                "name": "ipam",
                "command": [HIDDEN],
                "args": [HIDDEN],
                "probe": {"httpGet": {"port": 1, "httpHeaders": [HIDDEN]}},
            },
        ]
    }


def test_logins_in_urls_are_hidden_wherever_they_stand() -> None:
    """In an annotation, or in the message of an Event."""
    found = redacted({"message": ["asked https://jane:secret@ipam.example/a?b, and http://x:1/@c"]})
    assert found == {"message": [f"asked https://{HIDDEN}@ipam.example/a?b, and http://x:1/@c"]}
