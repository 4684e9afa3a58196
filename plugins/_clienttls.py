"""How connections of ours are encrypted, as the options ``ca_file`` and its like say.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import ssl

from ingestd.plugins import _files


def client_context(
    *, ca_file: str | None, cert_file: str | None, key_file: str | None, insecure: bool
) -> ssl.SSLContext:
    """Read the files.

    Args:
        ca_file: The authority that signed the server's certificate; None for those of the system.
        cert_file: Our own certificate, or None.
        key_file: Its key, or None if that stands in the same file.
        insecure: Whether any certificate is taken.

    Raises:
        OSError: One of them cannot be read, or is of another kind.
    """
    for path in filter(None, (ca_file, cert_file, key_file)):
        _files.check(path)  # OpenSSL would wait for a pipe
    context = ssl.create_default_context(cafile=ca_file)
    if cert_file is not None:
        context.load_cert_chain(cert_file, key_file)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
