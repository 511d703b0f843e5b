"""A DNS server on this machine that knows who answers for a few names."""

import socketserver
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from tests.support.local_server import serving


@contextmanager
def serve_nameservers(servers: Mapping[str, list[str]] | None) -> Iterator[str]:
    """Answer with the servers of each name, with NXDOMAIN for any other, with None always SERVFAIL; yield host:port."""

    class Handler(socketserver.DatagramRequestHandler):
        def handle(self) -> None:
            query = dns.message.from_wire(self.rfile.read())
            response = dns.message.make_response(query)
            response.flags |= dns.flags.RA
            name = query.question[0].name
            if servers is None:
                response.set_rcode(dns.rcode.SERVFAIL)
            elif found := servers.get(name.to_text(omit_final_dot=True)):
                values = [f"{server}." for server in found]
                response.answer.append(dns.rrset.from_text_list(name, 60, "IN", "NS", values))
            else:
                response.set_rcode(dns.rcode.NXDOMAIN)
            self.wfile.write(response.to_wire())

    server = socketserver.UDPServer(("127.0.0.1", 0), Handler)
    with serving(server):
        yield f"127.0.0.1:{server.server_address[1]}"
