"""A real nginx on loopback, with a prefix, a port and logs of its own; and small packed FITS frames
to serve."""
import bz2
import os
import shutil
import socket
import subprocess
import tempfile
import time

import numpy

NGINX = shutil.which("nginx") or ("/usr/sbin/nginx" if os.path.exists("/usr/sbin/nginx") else None)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Nginx:
    """with Nginx(folder) as web: web.url, web.requests().  extra: further lines for the server,
    such as limit_rate."""

    def __init__(self, root, extra="", log=True):
        self.prefix = tempfile.mkdtemp(prefix="orrery-nginx-")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = os.path.join(self.prefix, "access.log")
        user = "user root;" if os.geteuid() == 0 else ""
        access = f"log_format told '$request_method $uri $status $body_bytes_sent $http_range'; access_log {self.log} told;" if log else "access_log off;"
        temporary = "".join(f"{kind}_temp_path {self.prefix}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        with open(os.path.join(self.prefix, "nginx.conf"), "w") as f:
            f.write(f"""{user} daemon off; worker_processes 1; pid {self.prefix}/pid; error_log {self.prefix}/error.log;
events {{ worker_connections 512; }}
http {{ sendfile on; tcp_nopush on; keepalive_requests 1000000; {access} {temporary}
server {{ listen 127.0.0.1:{self.port}; root {os.path.abspath(root)}; {extra} }} }}
""")
        self.process = subprocess.Popen([NGINX, "-p", self.prefix, "-c", "nginx.conf", "-e", self.prefix + "/error.log"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._wait()

    def _wait(self):
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    with open(self.prefix + "/error.log") as f:
                        raise AssertionError("nginx does not start: " + f.read())
                time.sleep(0.02)

    def requests(self):
        """[(path, status, bytes of body, range or "-")], of requests that have ended."""
        with open(self.log) as f:
            rows = [line.split() for line in f]
        return [(r[1], int(r[2]), int(r[3]), r[4]) for r in rows if len(r) == 5]

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=20)
        shutil.rmtree(self.prefix, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ---- frames ----
def card(key, value):
    text = "T" if value is True else str(value)
    return f"{key:8}= {text:>20}".ljust(80).encode()


def fits(width, height, pixels, extra=()):
    """A FITS file of one float32 image; pixels: big-endian bytes."""
    cards = [card("SIMPLE", True), card("BITPIX", -32), card("NAXIS", 2), card("NAXIS1", width), card("NAXIS2", height), *extra, b"END".ljust(80)]
    header = b"".join(cards)
    header += b" " * (-len(header) % 2880)
    return header + pixels + b"\0" * (-len(pixels) % 2880)


def noise(random, n):
    return numpy.random.default_rng(random.getrandbits(32)).normal(size=n).round(2).astype(">f4").tobytes()


def frame(random, width=64, height=48):
    """Packed with small blocks, so that even a small frame has several."""
    return bz2.compress(fits(width, height, noise(random, width * height)), 1)


def survey(root, random, fields=60, bands="ugriz", size=(64, 48)):
    """Frames under root as SDSS lays them out, and catalogue.csv beside root; {name: bytes} of the
    frames."""
    frames, rows = {}, []
    for i in range(fields):
        run, camcol, field = 1000 + i // 20, 1 + i % 6, 11 + i
        folder = f"301/{run}/{camcol}"
        os.makedirs(os.path.join(root, folder), exist_ok=True)
        for band in bands:
            name = f"{folder}/frame-{band}-{run:06d}-{camcol}-{field:04d}.fits.bz2"
            frames[name] = frame(random, *size)
            with open(os.path.join(root, name), "wb") as f:
                f.write(frames[name])
        for k in range(1 + i % 3):  # several objects in a field: it is fetched once
            rows.append(f"{100000 + 10 * i + k},{10 + 0.01 * i},{0.5 * k},{run},301,{camcol},{field},0.1")
    random.shuffle(rows)
    catalogue = os.path.join(os.path.dirname(os.path.abspath(root)), os.path.basename(root) + ".csv")
    with open(catalogue, "w") as f:
        f.write("objID,ra,dec,run,rerun,camcol,field,z\n" + "\n".join(rows) + "\n")
    return frames, catalogue


TEMPLATE = "/{rerun}/{run}/{camcol}/frame-{band}-{run:06d}-{camcol}-{field:04d}.fits.bz2"
