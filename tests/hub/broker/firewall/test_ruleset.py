"""The text of the packet filter; tests/journeys/test_firewall.py loads it between networks."""

from ipaddress import ip_address, ip_network

from hub.broker.firewall.ruleset import OpenPorts, ruleset_text


def lines_of(opened: OpenPorts) -> list[str]:
    return [line.strip() for line in ruleset_text(opened).splitlines()]


def test_every_port_that_is_open_is_named_once() -> None:
    lines = lines_of(OpenPorts((8883, 8443), (443, 8884)))
    assert "tcp dport { 8443, 8883 } jump homes" in lines
    assert [line for line in lines if line.endswith("accept") and "dport" in line] == [
        "ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept",
        "tcp dport 22 accept",
        "tcp dport { 443, 8443, 8883, 8884 } accept",
    ]


def test_ssh_is_open_to_the_given_networks_alone_and_relays_are_not_limited() -> None:
    lines = lines_of(
        OpenPorts(
            (8443,),
            ssh=2222,
            ssh_from=(ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")),
            relays=(ip_address("10.77.0.1"),),
            answers_names=True,
        )
    )
    assert [line for line in lines if "2222" in line] == [
        "ip saddr 192.0.2.0/24 tcp dport 2222 accept",
        "ip6 saddr 2001:db8::/32 tcp dport 2222 accept",
    ]
    assert lines[lines.index("chain homes {") + 1] == "ip saddr 10.77.0.1 return"
    assert "udp dport 5353 accept" in lines
