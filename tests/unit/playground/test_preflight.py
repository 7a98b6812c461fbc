"""What a person reads when the system lacks something."""

import pytest

from playground.preflight import forbidden_namespaces, missing_programs, unshare


def test_a_missing_program_is_named_with_the_command_that_installs_it() -> None:
    """For both families of distributions."""
    found = missing_programs({"ip": "/sbin/ip", "unshare": "/u", "nsenter": "/n"}.get)
    assert found == (
        "nft is not installed: apt-get install nftables (Debian, Ubuntu) or "
        "dnf install nftables (Fedora, RHEL)",
    )


@pytest.mark.parametrize(
    ("setting", "value", "command"),
    [
        ("kernel.unprivileged_userns_clone", "0", "kernel.unprivileged_userns_clone=1"),
        (
            "kernel.apparmor_restrict_unprivileged_userns",
            "1",
            "kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        ("user.max_user_namespaces", "0", "user.max_user_namespaces=10000"),
    ],
)
def test_a_setting_that_forbids_user_namespaces_is_named_with_its_remedy(
    setting: str, value: str, command: str
) -> None:
    """Each distribution has another one."""
    (sentence,) = forbidden_namespaces({setting: value}.get)
    assert f"sudo sysctl -w {command}, or run as root" in sentence


def test_namespaces_forbidden_without_a_setting_mean_a_container() -> None:
    """All settings permit them, and yet they fail."""
    (sentence,) = forbidden_namespaces({"user.max_user_namespaces": "96365"}.get)
    assert "--privileged" in sentence


def test_only_ordinary_users_get_a_user_namespace() -> None:
    """Root keeps the user ids of the host, and with them its files."""
    assert "--user" not in unshare(is_root=True)
    assert {"--user", "--map-root-user"} <= set(unshare(is_root=False))


def test_the_playground_ends_with_the_process_that_started_it() -> None:
    """`unshare` kills its child when it is killed itself."""
    assert "--kill-child" in unshare(is_root=True)
