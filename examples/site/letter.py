"""A letter: what a visitor wrote to us, as an e-mail. Pure: nothing is sent from here."""

from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage

LONGEST = 10_000


def compose(name: str, email: str, message: str, *, number: int = 0) -> EmailMessage:
    """Raises ValueError, with a sentence for the visitor, if it cannot be sent as it is."""
    if not (name.strip() and email.strip() and message.strip()):
        raise ValueError("Please fill in your name, your address and a message.")
    if len(name) > 200 or len(email) > 200 or len(message) > LONGEST:
        raise ValueError(f"Please keep it short: a message may have {LONGEST:,} characters.")
    letter = EmailMessage()
    letter["From"] = "The site <site@example.org>"
    letter["To"] = "The owner <owner@example.org>"
    letter["Reply-To"] = _reply_to(name, email)
    letter["Subject"] = f"A message from {' '.join(name.split())}"
    # Whatever is delivered at least once may be delivered twice. Every copy bears the number of the one job that sent
    # it, so that a mail reader, or a person, can tell the second copy from a second message.
    letter["Message-ID"] = f"<contact-{number}@example.org>"
    letter.set_content(message)
    return letter


def _reply_to(name: str, email: str) -> Address:
    try:
        address = Address(display_name=" ".join(name.split()), addr_spec=email.strip())
        email.encode("ascii")
    except (ValueError, IndexError, HeaderParseError):
        raise ValueError(f"{email!r} is not an address that we could answer to.") from None
    if not (address.username and address.domain):
        raise ValueError(f"{email!r} is not an address that we could answer to.")
    return address
