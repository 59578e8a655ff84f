"""Telling analyticsd what happened, when it was our own doing: LabelEvent (docs/protocol.md).

SPDX-License-Identifier: MIT
"""

import os

PATIENCE_MS = 1000


def _text_or_file(given):
    if os.path.exists(given):
        with open(given, encoding="ascii") as file:
            given = file.read()
    return given


def _key_of(text, name):
    for line in text.splitlines():
        word, _, value = line.partition("=")
        if word.strip() == name:
            return value.strip().encode()
    return text.strip().encode()


class Labels:
    """Labels one object: ("host", "port name") or a link id. Over tcp with the keys of the environment, as the commands
    take them."""

    def __init__(self, endpoint, port=None, link=None, note=""):
        import msgpack  # pylint: disable=import-outside-toplevel
        import zmq  # pylint: disable=import-outside-toplevel
        self._zmq, self._msgpack = zmq, msgpack  # not needed by who labels nothing
        self._endpoint, self._note = endpoint, note
        self._object = {"link_id": link} if link else {"host": port[0], "name": port[1]}

    def _arm(self, socket):
        server, own = os.environ.get("LINKCAST_CURVE_SERVER"), os.environ.get("LINKCAST_CURVE_KEY")
        if server and own and self._endpoint.startswith("tcp://"):
            text = _text_or_file(own)
            socket.curve_publickey, socket.curve_secretkey = _key_of(text, "public"), _key_of(text, "secret")
            socket.curve_serverkey = _key_of(_text_or_file(server), "public")

    def tell(self, fault, from_ns, to_ns):
        """Returns None, or what was wrong."""
        request = {"op": "LabelEvent", **self._object, "event": fault, "failure": True, "from_ns": from_ns,
                   "to_ns": to_ns, "note": self._note}
        with self._zmq.Context() as context, context.socket(self._zmq.REQ) as socket:
            socket.setsockopt(self._zmq.LINGER, 0)
            self._arm(socket)
            socket.connect(self._endpoint)
            socket.send(self._msgpack.packb(request))
            if not socket.poll(PATIENCE_MS):
                return f"{self._endpoint} does not answer"
            reply = self._msgpack.unpackb(socket.recv())
        return None if reply["ok"] else f"{reply['error']['code']}: {reply['error']['message']}"


def add_arguments(parser):
    """The options that say what is labelled, and where."""
    parser.add_argument("--label-port", metavar="HOST:NAME", help="label the faults of this port in analyticsd")
    parser.add_argument("--label-link", metavar="ID", help="label the faults of this link in analyticsd")
    parser.add_argument("--api", metavar="ENDPOINT",
                        default=os.environ.get("LINKCAST_API") or "ipc:///run/linkcast/api",
                        help="where analyticsd answers (default: $LINKCAST_API, else %(default)s)")


def from_arguments(parser, arguments, note):
    """Labels, or None when nothing is to be labelled."""
    if arguments.label_port and arguments.label_link:
        parser.error("--label-port and --label-link exclude each other")
    if arguments.label_link:
        return Labels(arguments.api, link=arguments.label_link, note=note)
    if not arguments.label_port:
        return None
    host, _, name = arguments.label_port.partition(":")  # names of ports hold colons, too
    if not host or not name:
        parser.error(f"--label-port '{arguments.label_port}': expected HOST:NAME")
    return Labels(arguments.api, port=(host, name), note=note)
