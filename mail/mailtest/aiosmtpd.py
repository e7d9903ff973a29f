# aiosmtpd.py DIR PLAIN SUBMISSION TLS SIZE USER DOMAIN…: Python's aiosmtpd on three
# ports of loopback, as Access says. It delivers to DIR/mail/Maildir. DIR/rejects
# has a line "address: reply" for each recipient to refuse. The password is in
# $PASSWORD; SIZE is the largest mail in bytes.
import asyncio
import os
import ssl
import sys
import time

from aiosmtpd.smtp import SMTP, AuthResult

folder, plain, submission, tls, size, user, *domains = sys.argv[1:]
box = os.path.join(folder, "mail", "Maildir")
count = 0


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        with open(os.path.join(folder, "rejects")) as f:
            for line in f:
                refused, _, reply = line.rstrip("\n").partition(": ")
                if refused == address:
                    return reply
        if address.rpartition("@")[2] not in domains:
            return "550 5.7.1 relay not permitted"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        global count
        count += 1
        name = "%.6f.%d_%d.localhost" % (time.time(), os.getpid(), count)
        with open(os.path.join(box, "tmp", name), "wb") as f:
            f.write(envelope.original_content)
        os.rename(os.path.join(box, "tmp", name), os.path.join(box, "new", name))
        return "250 2.0.0 OK " + name


def authenticate(server, session, envelope, mechanism, data):
    ok = data.login == user.encode() and data.password == os.environ["PASSWORD"].encode()
    return AuthResult(success=ok, handled=False)


async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(os.path.join(folder, "cert.pem"), os.path.join(folder, "key.pem"))
    loop = asyncio.get_running_loop()
    for port, wrapped, options in (
        (plain, None, dict(tls_context=context)),
        (submission, None, dict(tls_context=context, require_starttls=True, authenticator=authenticate, auth_required=True)),
        (tls, context, dict(authenticator=authenticate, auth_required=True, auth_require_tls=False)),
    ):
        def factory(options=options):
            return SMTP(Handler(), hostname="localhost", data_size_limit=int(size), enable_SMTPUTF8=True, loop=loop, **options)
        await loop.create_server(factory, "127.0.0.1", int(port), ssl=wrapped)
    await asyncio.Event().wait()


asyncio.run(main())
