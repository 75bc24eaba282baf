"""Whom to trust: the certificates of Python's own, and those that are set up for pip, uv, requests or curl."""

import os
import ssl

_bundles = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_trusted = ("PIP_TRUSTED_HOST", "UV_INSECURE_HOST", "UV_ALLOW_INSECURE_HOST")
# Where distributions have them; a Python from elsewhere looks in the place of the machine that it was built on.
_usual = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def _load(context, path):
    try:
        context.load_verify_locations(**{"capath" if os.path.isdir(path) else "cafile": path})
    except OSError:  # ssl.SSLError is one
        pass  # what is missing then is told by the failing connection


class Trust:
    def __init__(self, environ=os.environ):
        self.environ = environ
        self.insecure = {word.lower() for name in _trusted for word in environ.get(name, "").replace(",", " ").split()}
        self.contexts = {}

    def context(self, host, port):
        host = host.lower()
        secure = not self.insecure & {host, "%s:%s" % (host, port), "*"}
        if secure not in self.contexts:
            self.contexts[secure] = self._make(secure)
        return self.contexts[secure]

    def _make(self, secure):
        context = ssl.create_default_context()
        # From 3.13 on Python is stricter with certificates than uv, pip and every browser.
        context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        for name in _bundles:
            if self.environ.get(name):
                _load(context, self.environ[name])
        places = ssl.get_default_verify_paths()
        if not (places.cafile or places.capath):
            for path in filter(os.path.exists, _usual):
                _load(context, path)
        client = self.environ.get("PIP_CLIENT_CERT") or self.environ.get("SSL_CLIENT_CERT")
        if client and os.path.exists(client):
            context.load_cert_chain(client)
        if not secure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context
