"""A visitor of a page in a network namespace: one request a line of JSON comes in, one answer a line goes out."""

import http.client
import json
import sys

MOST_S = 60


def visit(host: str, port: int, asked: dict[str, str]) -> dict[str, object]:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection(host, port, timeout=MOST_S)
    headers = {"Host": f"{host}:{port}", **json.loads(asked.get("headers", "{}"))}
    body = asked.get("body")
    if body is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    connection.request("GET" if body is None else "POST", asked["path"], body, headers)
    answer = connection.getresponse()
    found = {"status": answer.status, "headers": dict(answer.getheaders()), "text": answer.read().decode()}
    connection.close()
    return found


def main() -> None:
    """Answer until the input ends. The address and the port are the arguments."""
    host, port = sys.argv[1], int(sys.argv[2])
    for line in sys.stdin:
        print(json.dumps(visit(host, port, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
