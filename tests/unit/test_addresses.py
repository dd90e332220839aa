"""Which addresses an answer may send a download to."""

from __future__ import annotations

import pytest

from modelslab_pony._addresses import Guard, is_inside, is_this_machine
from modelslab_pony._files import NotAnImageError

SERVICE = "https://modelslab.com/api/v6/images"

INSIDE = [
    *("127.0.0.1", "127.8.8.8", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "169.254.0.1", "100.64.0.1", "100.100.100.200", "255.255.255.255", "192.0.0.192"),
    "0.0.0.0",  # noqa: S104 - asked for, not listened on
    *("224.0.0.1", "239.255.255.250", "240.0.0.1", "198.18.0.1", "192.0.2.1"),
    *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe"),
    *("2002:7f00:1::", "2002:a00:1::1", "2001:0:a00:1::", "::127.0.0.1"),
    *("localhost", "LOCALHOST", "localhost.", "images.localhost", "127.0.0.1."),
    *("127.1", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "10.1", "0xa9fea9fe", "0"),
]
PUBLIC = ["8.8.8.8", "172.15.0.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]
NAMES = [
    "modelslab.com",
    "pub-3626123a908346a7a8be8d9295f44e26.r2.dev",
    "10.example",
    "localhost.example",
    "xn--bcher-kva.example",
]


@pytest.mark.parametrize("host", INSIDE)
def test_an_inner_address_is_told_in_every_spelling(host: str) -> None:
    """Private, loopback, link-local, shared, reserved, multicast; within IPv6, and as a resolver reads it."""
    assert is_inside(host)


@pytest.mark.parametrize("host", [*PUBLIC, *NAMES, "", "999.1.1.1", "1.2.3.4.5", "\0", "\ud800"])
def test_everything_else_is_not(host: str) -> None:
    """A name may lead anywhere: that is looked at when it is connected to."""
    assert not is_inside(host)


def host_of(address: str) -> str:
    return f"[{address.replace('%', '%25')}]" if ":" in address else address


@pytest.mark.parametrize(
    "host", ["127\u30020\u30020\u30021", "127\uff0e0.0.1", "127\uff610\uff610\uff611", "\uff11\uff10.0.0.1"]
)
def test_what_httpx_makes_of_a_host_is_what_counts(host: str) -> None:
    """It takes the full stops and digits of other scripts for those of an address."""
    with pytest.raises(NotAnImageError, match=r"private network|not an http"):
        Guard(SERVICE).check(f"http://{host}/latest")


def test_a_name_in_another_script_is_judged_by_where_it_leads() -> None:
    """httpx connects to its name in ASCII."""
    with pytest.raises(NotAnImageError, match="private network"):
        Guard(SERVICE).check_peer("https://b\u00fccher.example/a.png", "xn--bcher-kva.example", "10.0.0.3")


@pytest.mark.parametrize("host", INSIDE)
def test_an_answer_leads_nowhere_inside(host: str) -> None:
    """With the service's own base URL."""
    with pytest.raises(NotAnImageError, match="private network") as raised:
        Guard(SERVICE).check(f"https://{host_of(host)}:8443/latest/meta-data")
    assert not raised.value.again


@pytest.mark.parametrize("host", [*PUBLIC, *NAMES])
def test_an_answer_leads_into_the_web(host: str) -> None:
    """Names and public addresses are asked."""
    Guard(SERVICE).check(f"http://{host_of(host)}/a.png")


@pytest.mark.parametrize(
    "url",
    [
        *(
            "file:///etc/passwd",
            "ftp://images.example/a.png",
            "data:image/png;base64,AAAA",
            "gopher://x/",
            "/a.png",
            "",
        ),
        *(
            "//images.example/a.png",
            "images.example/a.png",
            "https://",
            "https:///a.png",
            "http://[::1",
            "http://x:99999/",
        ),
        *("javascript:alert(1)", "jar:http://x/!a", "https://x:port/"),
    ],
)
@pytest.mark.parametrize("base", [SERVICE, "http://127.0.0.1:4010"])
def test_only_http_and_https_are_asked(url: str, base: str) -> None:
    """Also by a client of this machine's own service."""
    with pytest.raises(NotAnImageError, match="not an http"):
        Guard(base).check(url)


@pytest.mark.parametrize(
    "base", ["http://127.0.0.1:4010/v6", "http://localhost", "https://10.0.0.8/api", "https://[fd00::1]/"]
)
def test_a_service_inside_may_lead_inside(base: str) -> None:
    """A simulator on this machine, a gateway in the own network."""
    Guard(base).check("http://10.0.0.9/a.png")


def test_a_name_is_judged_by_where_it_leads() -> None:
    """The address behind it, unless it is that of a proxy, or the base URL's own."""
    guard = Guard(SERVICE)
    guard.check_peer("https://images.example/a.png", "images.example", "8.8.8.8")
    guard.check_peer("https://images.example/a.png", "proxy.example", "10.0.0.3")
    guard.check_peer("https://modelslab.com/a.png", "modelslab.com", "10.0.0.3")
    with pytest.raises(NotAnImageError, match=r"images\.example is inside a private network"):
        guard.check_peer("https://images.example/a.png", "images.example", "10.0.0.3")


def test_a_base_url_that_led_inside_is_itself_inside() -> None:
    """A gateway in the own network is known by its name only, until it was called."""
    guard = Guard("https://gateway.example/v6/images")
    guard.met("proxy.example", "10.0.0.3")
    with pytest.raises(NotAnImageError):
        guard.check("https://10.0.0.9/a.png")
    guard.met("gateway.example", "10.0.0.3")
    guard.check("https://10.0.0.9/a.png")


def test_a_base_url_that_led_into_the_web_opens_nothing() -> None:
    """Each call to the service tells of a public address; an answer of it still leads nowhere inside."""
    guard = Guard(SERVICE)
    guard.met("modelslab.com", "8.8.8.8")
    with pytest.raises(NotAnImageError, match="private network"):
        guard.check("https://10.0.0.9/a.png")
    with pytest.raises(NotAnImageError, match="private network"):
        guard.check_peer("https://images.example/a.png", "images.example", "10.0.0.3")


def test_the_base_urls_own_origin_is_told() -> None:
    """Scheme, host and port, of which the scheme's own may be left out. What a lent client adds goes there alone."""
    assert all(map(Guard(SERVICE).is_base, ["https://modelslab.com/a.png", "https://ModelsLab.com:443/a.png"]))
    assert Guard("http://localhost:80").is_base("http://localhost/a.png")
    others = ["http://modelslab.com/a.png", "https://modelslab.com:8443/a.png", "https://cdn.modelslab.com/a.png"]
    assert not any(map(Guard(SERVICE).is_base, [*others, "http://modelslab.com:443/a.png"]))


def test_this_machine_is_told_by_name_and_address() -> None:
    """http is for it alone."""
    assert all(map(is_this_machine, ["localhost", "127.0.0.1", "127.0.0.2", "::1"]))
    assert not any(map(is_this_machine, ["10.0.0.1", "localhost.example", "modelslab.com", ""]))
