"""nginx, Caddy and HAProxy with the configurations that docs/proxies.md prints."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.real import programs
from tests.support import certificates
from tests.support.ports import free_port

PAGE = (Path(__file__).parents[2] / "docs" / "proxies.md").read_text(encoding="utf-8")
HOST = "start.acme.example"
Edit = Callable[[str], str]
# nginx has no temporary folders of its own outside Debian's, and as root it must stay root to use ours.
NGINX_MAIN = """
daemon off;
pid {folder}/nginx.pid;
{user}
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder};
    proxy_temp_path {folder};
    fastcgi_temp_path {folder};
    uwsgi_temp_path {folder};
    scgi_temp_path {folder};
    {example}
}}
"""
CADDY_GLOBAL = "{{\n    admin off\n    auto_https disable_redirects\n}}\n{example}"


def example(language: str) -> str:
    """Return the page's only code block in that language."""
    [block] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(block)


def _nginx(folder: Path, text: str, port: int) -> list[str]:
    path = folder / "nginx.conf"
    user = "user root;" if Path("/proc/self").stat().st_uid == 0 else ""
    text = text.replace("listen 443", f"listen 127.0.0.1:{port}")
    path.write_text(NGINX_MAIN.format(folder=folder, user=user, example=text))
    return [
        programs.path_of("nginx"),
        "-c",
        str(path),
        "-e",
        str(folder / "nginx.log"),
        "-p",
        str(folder),
    ]


def _caddy(folder: Path, text: str, port: int) -> list[str]:
    path = folder / "Caddyfile"
    path.write_text(CADDY_GLOBAL.format(example=text.replace("localhost {", f"localhost:{port} {{", 1)))
    return [programs.path_of("caddy"), "run", "--adapter", "caddyfile", "--config", str(path)]


def _haproxy(folder: Path, text: str, port: int) -> list[str]:
    path = folder / "haproxy.cfg"
    path.write_text(text.replace("bind :443", f"bind 127.0.0.1:{port}"))
    return [programs.path_of("haproxy"), "-db", "-f", str(path)]


COMMANDS = {"nginx": ("nginx", _nginx), "caddy": ("caddyfile", _caddy), "haproxy": ("haproxy", _haproxy)}


@contextmanager
def run_proxy(name: str, folder: Path, foyer_url: str, edit: Edit = str) -> Iterator[tuple[str, Path]]:
    """Run the proxy in front of Foyer, and yield its URL and its certificate's authority.

    It has the page's example, with other addresses and after `edit`; everything else is the program's default.
    """
    folder.mkdir(exist_ok=True)
    _, certificate = certificates.self_signed(folder, "localhost")
    key = folder / "key.pem"
    bundle = folder / "bundle.pem"
    bundle.write_bytes(certificate.read_bytes() + key.read_bytes())
    language, command = COMMANDS[name]
    text = edit(example(language))
    text = text.replace(f"/etc/ssl/{HOST}.pem", str(bundle)).replace(f"/etc/ssl/{HOST}.key", str(key))
    text = text.replace("127.0.0.1:8000", f"127.0.0.1:{urlsplit(foyer_url).port}").replace(HOST, "localhost")
    port = free_port()
    with programs.run(command(folder, text, port), port, folder / "output.log"):
        yield f"https://localhost:{port}", certificate
