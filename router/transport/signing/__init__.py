"""Credential chains of the clouds: AWS (SigV4), Google and Entra, by their vendors' libraries.

Primitives::

    Signers     puts the credential of a provider's cloud on a request
    Chain       one cloud's credentials: found by its library, kept until they expire

Those libraries are large, and they block: `signers` alone loads them, when a provider first needs one,
and runs them in threads of their own (`threads`), with a bound on the time. An explicit API key replaces
the chain; then nothing here is asked.
"""

from router.transport.signing.signers import Signers

__all__ = ["Signers"]
