"""An HTTP server that misbehaves on purpose: python3 tests/jobs/fault_server.py FOLDER [share of
faulty answers] [port]

Serves the files of a folder with keep-alive, ETag, Range and If-Range.  What goes wrong is decided
by fault(path, nth), nth being how often that path was asked for before: one of KINDS, or None."""
import email.utils
import hashlib
import http.server
import os
import socket
import struct
import sys
import threading
import time

HTML = b"<!DOCTYPE html>\n<html><body>Please log in to the network.</body></html>\n"
KINDS = ["404", "410", "403", "500", "503", "503-after", "429", "429-date", "reset", "reset-early", "cut", "long", "short", "flip", "html",
         "html-lie", "stall", "drip", "redirect", "loop", "file", "wrong-range", "ignore-range", "416", "empty", "chunked", "chunked-cut"]
# A single answer of these kinds must not stop a fetch.
PASSING = ["500", "503", "503-after", "429", "429-date", "reset", "reset-early", "cut", "long", "short", "flip", "html", "html-lie", "redirect",
           "wrong-range", "ignore-range", "416", "empty", "chunked", "chunked-cut"]


def some(share, kinds, seed=0):
    """fault(path, nth): a share of the answers, chosen by seed, path and nth, so that runs are
    alike."""
    def fault(path, nth):
        h = hashlib.sha256(f"{seed} {path} {nth}".encode()).digest()
        return kinds[h[4] % len(kinds)] if int.from_bytes(h[:4], "big") < share * 2**32 else None
    return fault


def first(kind, times=1):
    return lambda path, nth: kind if nth < times else None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def handle(self):
        try:
            super().handle()
        except (ConnectionError, BrokenPipeError):
            pass

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        headers.setdefault("Content-Length", str(len(body)))
        for k, v in headers.items():
            if v is not None:
                self.send_header(k, v)
        self.end_headers()
        self.put(body)

    def put(self, body):
        self.wfile.write(body)
        self.wfile.flush()
        self.server.owner.count(len(body))

    def hang_up(self, reset=False):
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close() if reset else self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def do_GET(self):
        owner = self.server.owner
        path = self.path.split("?")[0]
        kind = owner.enter(path, self.headers.get("Range"))
        try:
            if path.startswith("/elsewhere"):
                path, kind = path[len("/elsewhere"):], None
            if self.headers.get("User-Agent", "") == "":
                return self.reply(400)
            name = os.path.join(owner.root, path.lstrip("/"))
            if not os.path.isfile(name):
                return self.reply(404, b"no such file\n")
            with open(name, "rb") as f:
                self.serve(f.read(), kind, path)
        finally:
            owner.leave()

    def serve(self, body, kind, path):
        etag = '"' + hashlib.md5(body).hexdigest() + '"'
        ask, unless = self.headers.get("Range"), self.headers.get("If-Range")
        begin = 0
        if ask and kind != "ignore-range" and unless in (None, etag):
            begin = int(ask[len("bytes="):].rstrip("-"))
            if begin >= len(body):
                return self.reply(416, Content_Range=f"bytes */{len(body)}")
        status = 206 if begin else 200
        more = {"ETag": etag, "Content_Type": "application/x-bzip2"}
        if begin:
            more["Content_Range"] = f"bytes {begin}-{len(body) - 1}/{len(body)}"
        rest = body[begin:]
        half = rest[:len(rest) // 2]
        if kind in ("404", "410", "403", "500", "503", "416"):
            return self.reply(int(kind), b"an error page\n")
        if kind == "503-after":
            return self.reply(503, Retry_After="1")
        if kind == "429":
            return self.reply(429, Retry_After="1")
        if kind == "429-date":
            return self.reply(429, Retry_After=email.utils.formatdate(time.time() + 1.5, usegmt=True))
        if kind == "reset-early":
            return self.hang_up(reset=True)
        if kind in ("html", "html-lie"):
            return self.reply(200, HTML, Content_Type="text/html" if kind == "html" else "application/x-bzip2")
        if kind == "empty":
            return self.reply(200)
        if kind == "redirect":
            return self.reply(302, Location="/elsewhere" + path)
        if kind == "loop":
            return self.reply(302, Location=path)
        if kind == "file":
            return self.reply(302, Location="file:///etc/hostname")
        if kind == "wrong-range" and begin:
            more["Content_Range"] = f"bytes {begin + 1}-{len(body) - 1}/{len(body)}"
            return self.reply(206, rest[1:], **more)
        if kind == "flip":
            rest = rest[:-9] + bytes([rest[-9] ^ 0x55]) + rest[-8:]
        if kind == "short":
            rest = half
        if kind in ("chunked", "chunked-cut"):
            self.reply(status, b"", Content_Length=None, Transfer_Encoding="chunked", **more)
            self.put(b"%x\r\n%b\r\n" % (len(half), half))
            if kind == "chunked-cut":
                return self.hang_up()
            return self.put(b"%x\r\n%b\r\n0\r\n\r\n" % (len(rest) - len(half), rest[len(half):]))
        length = str(len(rest) + (1000 if kind == "long" else 0))
        if kind not in ("cut", "reset", "stall", "drip", "long"):
            return self.trickle(status, rest, length, more)
        self.reply(status, b"", Content_Length=length, **more)
        if kind == "drip":
            for i in range(0, len(rest), 10):
                self.put(rest[i:i + 10])
                time.sleep(0.1)
            return None
        self.put(rest if kind == "long" else half)
        if kind == "stall":
            self.server.owner.closing.wait(60)
        if kind == "reset":
            time.sleep(0.05)  # what was sent arrives before the reset
        return self.hang_up(reset=kind == "reset")

    def trickle(self, status, rest, length, more):
        """At the server's rate, if it has one."""
        rate = self.server.owner.rate
        if not rate:
            return self.reply(status, rest, Content_Length=length, **more)
        self.reply(status, b"", Content_Length=length, **more)
        for i in range(0, len(rest), 4096):
            self.put(rest[i:i + 4096])
            time.sleep(4096 / rate)
        return None


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def get_request(self):
        got = super().get_request()
        self.owner.connected(got[0])
        return got

    def shutdown_request(self, request):
        self.owner.gone(request)
        super().shutdown_request(request)

    def handle_error(self, *_):
        pass


def closed(connection):
    """Has the other side said its last?"""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


class FaultServer:
    """with FaultServer(folder, fault) as web: web.url, web.log [(seconds, path, range, kind)],
    web.most_open, web.most_busy, web.bytes."""

    def __init__(self, root, fault=None, rate=None, port=0):
        self.root, self.fault, self.rate = root, fault or (lambda path, nth: None), rate
        self.lock, self.closing = threading.Lock(), threading.Event()
        self.log, self.asked = [], {}
        self.open = set()
        self.most_open = self.busy = self.most_busy = self.bytes = 0
        self.server = Server(("127.0.0.1", port), Handler)
        self.server.owner = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def connected(self, request):
        """One more; those that the client has closed do not count, though their threads may not
        have seen it yet."""
        with self.lock:
            self.open.add(request)
            self.most_open = max(self.most_open, sum(not closed(r) for r in self.open))

    def gone(self, request):
        with self.lock:
            self.open.discard(request)

    def enter(self, path, ask):
        with self.lock:
            nth = self.asked.get(path, 0)
            self.asked[path] = nth + 1
            kind = self.fault(path, nth)
            self.busy += 1
            self.most_busy = max(self.most_busy, self.busy)
            self.log.append((time.monotonic(), path, ask, kind))
        return kind

    def leave(self):
        with self.lock:
            self.busy -= 1

    def count(self, n):
        with self.lock:
            self.bytes += n

    def close(self):
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


if __name__ == "__main__":
    SHARE = float(sys.argv[2]) if len(sys.argv) > 2 else 0.1
    SERVER = FaultServer(sys.argv[1], some(SHARE, PASSING), port=int(sys.argv[3]) if len(sys.argv) > 3 else 0)
    print(SERVER.url, flush=True)
    threading.Event().wait()
