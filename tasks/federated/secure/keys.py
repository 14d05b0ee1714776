"""Keys: X25519 agreement, what follows from an agreed secret, and encryption from one device to another."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SECRET_BYTES = 32


class Refused(Exception):
    """A device does not do what the server asks: the round cannot go on with it."""


class KeyPair:
    """An X25519 pair (RFC 7748). ``secret`` is what is shared among neighbours, so that they can bring it back."""

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self._private = X25519PrivateKey.from_private_bytes(secret)
        self.public = self._private.public_key().public_bytes_raw()

    def agree(self, public: bytes, purpose: str) -> bytes:
        """32 bytes that the owner of the other key gets as well, and nobody else (HKDF-SHA256, RFC 5869). Raises Refused on a key of low order."""
        try:
            agreed = self._private.exchange(X25519PublicKey.from_public_bytes(public))
        except ValueError as error:
            raise Refused("a public key is no key") from error
        return derived(agreed, purpose)


def derived(secret: bytes, purpose: str) -> bytes:
    """32 bytes for one purpose."""
    return HKDF(SHA256(), SECRET_BYTES, salt=None, info=f"assay secure aggregation: {purpose}".encode()).derive(secret)


def seal(key: bytes, sender: int, receiver: int, content: bytes) -> bytes:
    """Encrypt for one receiver. A key is of one round and one pair, and seals once in each direction, so the direction is a nonce that never returns."""
    nonce, names = _address(sender, receiver)
    return ChaCha20Poly1305(key).encrypt(nonce, content, names)


def unseal(key: bytes, sender: int, receiver: int, sealed: bytes) -> bytes:
    """Undo ``seal``. Raises Refused where the content was changed, or is from or for somebody else."""
    nonce, names = _address(sender, receiver)
    try:
        return ChaCha20Poly1305(key).decrypt(nonce, sealed, names)
    except InvalidTag as error:
        raise Refused(f"shares from device {sender} to device {receiver} were changed on their way") from error


def _address(sender: int, receiver: int) -> tuple[bytes, bytes]:
    return int(sender < receiver).to_bytes(12, "big"), sender.to_bytes(8, "big") + receiver.to_bytes(8, "big")
