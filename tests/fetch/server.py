"""An HTTP server for tests of downloads: what each path does is a function; what was asked is kept."""

import os
import shutil
import ssl
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        server = self.server.owner
        path = self.path if self.path.startswith("/") else "/" + self.path.split("/", 3)[3]
        server.requests.append((self.path, dict(self.headers)))
        action = server.actions.get(path, server.otherwise)
        try:
            if action is None:
                self.answer(404, b"no such file")
            else:
                action(self)
        except OSError:
            self.close_connection = True

    def do_CONNECT(self):
        self.server.owner.requests.append((self.path, dict(self.headers)))
        self.answer(407, b"")
        self.close_connection = True

    def answer(self, status, body, *headers, length=None):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def raw(self, data):
        self.wfile.write(data)
        self.close_connection = True

    def drip(self, data, seconds=0.05):
        self.close_connection = True
        for i in range(len(data)):
            self.wfile.write(data[i : i + 1])
            if self.server.owner.stopping.wait(seconds):
                return


class Quiet(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address):
        pass

    def finish_request(self, request, client_address):
        if self.owner.context:
            request = self.owner.context.wrap_socket(request, server_side=True)
        self.RequestHandlerClass(request, client_address, self)


class Server:
    def __init__(self, test, certificate=None):
        self.actions, self.requests, self.otherwise = {}, [], None
        self.stopping = threading.Event()
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate)
        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.http.owner = self
        self.host = "127.0.0.1:%d" % self.http.server_address[1]
        self.url = "%s://%s" % ("https" if certificate else "http", self.host)
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        test.addCleanup(self.stop)

    def stop(self):
        self.stopping.set()
        self.http.shutdown()
        self.http.server_close()

    def seen(self, name):
        """The values of a header, in the order of the requests."""
        return [headers.get(name) for _, headers in self.requests]

    def paths(self):
        return [path for path, _ in self.requests]


def certificate(test):
    """A file with a key and a certificate of its own for 127.0.0.1, or None without openssl."""
    if not shutil.which("openssl"):
        return None
    folder = tempfile.mkdtemp(prefix="cellblock-certificate-")
    test.addCleanup(shutil.rmtree, folder, True)
    key, out, both = [os.path.join(folder, name) for name in ("key.pem", "cert.pem", "both.pem")]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
               "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", out]  # fmt: skip
    if subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
        return None
    with open(both, "wb") as file:
        for name in (key, out):
            with open(name, "rb") as part:
                file.write(part.read())
    return both
