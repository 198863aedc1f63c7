/* cause.c: what is known of each cause: its name, its category, what can usually be done. */
#include "base/fail.h"

#include <stddef.h>

#define CLOCK_HINT "check this machine's clock as well"

static const cinch_cause_entry causes[CINCH_CAUSE_COUNT] = {
    [CINCH_CAUSE_NONE] = {"none", CINCH_CATEGORY_NONE, ""},
    [CINCH_CAUSE_MISUSE] = {"misuse", CINCH_CATEGORY_USAGE,
                            "correct the calling program; the header of the function called says "
                            "what it expects"},
    [CINCH_CAUSE_BAD_SETTING] = {"bad-setting", CINCH_CATEGORY_USAGE,
                                 "correct the value; the setting before it is still in force"},
    [CINCH_CAUSE_NO_HOST_NAME] = {"no-host-name", CINCH_CATEGORY_USAGE,
                                  "give the name or address of the server, so that its certificate "
                                  "can be checked against it"},
    [CINCH_CAUSE_BAD_HOST_NAME] = {"bad-host-name", CINCH_CATEGORY_USAGE,
                                   "give a host name such as example.com, or an address such as "
                                   "192.0.2.1 or 2001:db8::1, and nothing else"},
    [CINCH_CAUSE_NO_IDENTITY] = {"no-identity", CINCH_CATEGORY_USAGE,
                                 "give the server a certificate and its key, for example with "
                                 "cinch_context_identity_file()"},
    [CINCH_CAUSE_FILE_UNREADABLE] = {"file-unreadable", CINCH_CATEGORY_FILE,
                                     "check the path and its permissions"},
    [CINCH_CAUSE_NOT_PEM] =
        {"not-pem", CINCH_CATEGORY_FILE,
         "give a PEM file: text with lines such as -----BEGIN CERTIFICATE-----"},
    [CINCH_CAUSE_KEY_WHERE_CERTIFICATE] = {"key-where-certificate", CINCH_CATEGORY_FILE,
                                           "give the file with the certificate here; keep private "
                                           "keys out of files that others read"},
    [CINCH_CAUSE_CERTIFICATE_WHERE_KEY] = {"certificate-where-key", CINCH_CATEGORY_FILE,
                                           "give the file with the private key here"},
    [CINCH_CAUSE_NO_CERTIFICATE] = {"no-certificate", CINCH_CATEGORY_FILE,
                                    "add the certificate, in PEM"},
    [CINCH_CAUSE_NO_KEY] = {"no-key", CINCH_CATEGORY_FILE,
                            "add the private key to the file, or name the file that holds it"},
    [CINCH_CAUSE_BAD_CERTIFICATE] = {"bad-certificate", CINCH_CATEGORY_FILE,
                                     "get the file again from where it came; it is damaged or was "
                                     "cut short"},
    [CINCH_CAUSE_BAD_KEY] = {"bad-key", CINCH_CATEGORY_FILE,
                             "get the file again from where it came; it is damaged or was cut "
                             "short"},
    [CINCH_CAUSE_PASSWORD_MISSING] = {"password-missing", CINCH_CATEGORY_FILE,
                                      "give the password of the key, or a key without one"},
    [CINCH_CAUSE_PASSWORD_WRONG] = {"password-wrong", CINCH_CATEGORY_FILE,
                                    "give the right password"},
    [CINCH_CAUSE_KEY_MISMATCH] = {"key-mismatch", CINCH_CATEGORY_FILE,
                                  "use the key that the certificate was requested with, or have a "
                                  "certificate issued for this key"},
    [CINCH_CAUSE_CHAIN_GAP] =
        {"chain-gap", CINCH_CATEGORY_FILE,
         "add the missing intermediate certificate, or take out the ones that "
         "do not belong to this chain"},
    [CINCH_CAUSE_WEAK_IDENTITY] = {"weak-identity", CINCH_CATEGORY_FILE,
                                   "have a certificate issued for a new key: ECDSA P-256, or RSA "
                                   "with at least 2048 bits, signed with SHA-256 or better"},
    [CINCH_CAUSE_NO_ANCHORS] = {"no-anchors", CINCH_CATEGORY_FILE,
                                "install the distribution's CA certificates (ca-certificates), or "
                                "name the file with the issuers to trust"},
    [CINCH_CAUSE_BAD_REVOCATION] = {"bad-revocation", CINCH_CATEGORY_FILE,
                                    "get the revocation list or OCSP response again from where it "
                                    "came"},
    [CINCH_CAUSE_DNS] = {"dns", CINCH_CATEGORY_NETWORK,
                         "check the spelling of the name and this machine's DNS settings"},
    [CINCH_CAUSE_REFUSED] = {"refused", CINCH_CATEGORY_NETWORK,
                             "check that the server is running and the port is right"},
    [CINCH_CAUSE_UNREACHABLE] = {"unreachable", CINCH_CATEGORY_NETWORK,
                                 "check the network, the routes and the firewalls between the two"},
    [CINCH_CAUSE_NETWORK] = {"network", CINCH_CATEGORY_NETWORK,
                             "check the network between the two machines"},
    [CINCH_CAUSE_NOT_TLS] = {"not-tls", CINCH_CATEGORY_NEGOTIATION,
                             "check the port: the other side does not speak TLS there"},
    [CINCH_CAUSE_NO_COMMON_VERSION] = {"no-common-version", CINCH_CATEGORY_NEGOTIATION,
                                       "enable TLS 1.2 or TLS 1.3 on the side that lacks it"},
    [CINCH_CAUSE_NO_COMMON_CIPHER] = {"no-common-cipher", CINCH_CATEGORY_NEGOTIATION,
                                      "enable an ECDHE suite with AES-GCM or ChaCha20-Poly1305 on "
                                      "the side that lacks it, and give the server a certificate "
                                      "of a kind that the client accepts"},
    [CINCH_CAUSE_NO_COMMON_GROUP] = {"no-common-group", CINCH_CATEGORY_NEGOTIATION,
                                     "enable X25519 or P-256 on the side that lacks both"},
    [CINCH_CAUSE_NO_COMMON_SIGALG] = {"no-common-signature-algorithm", CINCH_CATEGORY_NEGOTIATION,
                                      "give the server a certificate of a kind that the client "
                                      "accepts, or enable its signature algorithm on the client"},
    [CINCH_CAUSE_NO_COMMON_ALPN] = {"no-common-alpn", CINCH_CATEGORY_NEGOTIATION,
                                    "configure one application protocol that both sides speak; it "
                                    "may also be the wrong port"},
    [CINCH_CAUSE_UNKNOWN_SERVER_NAME] = {"unknown-server-name", CINCH_CATEGORY_NEGOTIATION,
                                         "check the name, and whether the server is configured for "
                                         "it"},
    [CINCH_CAUSE_HANDSHAKE_REFUSED] = {"handshake-refused", CINCH_CATEGORY_NEGOTIATION,
                                       "look at what was offered above, and at the other side's "
                                       "log: it refused without saying why"},
    [CINCH_CAUSE_STARTTLS_NOT_OFFERED] =
        {"starttls-not-offered", CINCH_CATEGORY_NEGOTIATION,
         "do not go on in the clear: this may be an attack; have TLS enabled at the server"},
    [CINCH_CAUSE_STARTTLS_REFUSED] =
        {"starttls-refused", CINCH_CATEGORY_NEGOTIATION,
         "do not go on in the clear: this may be an attack; look at the server's log"},
    [CINCH_CAUSE_SELF_SIGNED] =
        {"self-signed", CINCH_CATEGORY_TRUST,
         "if this is the server you mean, get its certificate in a safe way "
         "and trust that file; else do not go on"},
    [CINCH_CAUSE_UNKNOWN_ISSUER] =
        {"unknown-issuer", CINCH_CATEGORY_TRUST,
         "if you know this issuer, get its certificate in a safe way and "
         "trust that file; else do not go on"},
    [CINCH_CAUSE_MISSING_INTERMEDIATE] =
        {"missing-intermediate", CINCH_CATEGORY_TRUST,
         "configure the server to send the intermediate certificate "
         "after its own (often called \"fullchain\")"},
    [CINCH_CAUSE_WRONG_PURPOSE] = {"wrong-purpose", CINCH_CATEGORY_TRUST,
                                   "have a certificate issued for this use: extendedKeyUsage "
                                   "serverAuth for servers, clientAuth for clients"},
    [CINCH_CAUSE_TOO_WEAK] =
        {"too-weak", CINCH_CATEGORY_TRUST,
         "have the certificate issued again: ECDSA P-256, or RSA with at least "
         "2048 bits, signed with SHA-256 or better"},
    [CINCH_CAUSE_BAD_SIGNATURE] = {"bad-signature", CINCH_CATEGORY_TRUST,
                                   "do not go on: the certificate was changed or forged, or its "
                                   "issuer has a new key under the old name"},
    [CINCH_CAUSE_REVOKED] = {"revoked", CINCH_CATEGORY_TRUST,
                             "do not go on: the issuer has withdrawn the certificate"},
    [CINCH_CAUSE_CHAIN_RULE] = {"chain-rule", CINCH_CATEGORY_TRUST,
                                "have the certificate issued again as RFC 5280 asks"},
    [CINCH_CAUSE_PEER_DISTRUSTS_US] =
        {"peer-distrusts-us", CINCH_CATEGORY_TRUST,
         "make the other side trust the issuer of our certificate, or "
         "use one that it trusts, with all intermediates"},
    [CINCH_CAUSE_NO_CRL] =
        {"no-crl", CINCH_CATEGORY_TRUST,
         "get the issuer's current revocation list and put it where this program "
         "reads them; " CLOCK_HINT},
    [CINCH_CAUSE_OCSP] =
        {"ocsp", CINCH_CATEGORY_TRUST,
         "have the server send a current OCSP response (\"OCSP stapling\"); do not "
         "go on without one"},
    [CINCH_CAUSE_WRONG_HOST_NAME] = {"wrong-host-name", CINCH_CATEGORY_NAME,
                                     "connect to one of the names that the certificate is for, or "
                                     "have it issued for this name"},
    [CINCH_CAUSE_WRONG_IP] =
        {"wrong-ip", CINCH_CATEGORY_NAME,
         "connect by name, or have the certificate issued for this address (as "
         "an iPAddress entry)"},
    [CINCH_CAUSE_EXPIRED] = {"expired", CINCH_CATEGORY_VALIDITY,
                             "have the certificate renewed and the server reloaded; " CLOCK_HINT},
    [CINCH_CAUSE_NOT_YET_VALID] = {"not-yet-valid", CINCH_CATEGORY_VALIDITY,
                                   "wait until it is valid; " CLOCK_HINT},
    [CINCH_CAUSE_CLIENT_CERTIFICATE_WANTED] = {"client-certificate-wanted",
                                               CINCH_CATEGORY_CLIENT_CERTIFICATE,
                                               "give the client an identity: a certificate and key "
                                               "that this server accepts"},
    [CINCH_CAUSE_CLIENT_CERTIFICATE_REFUSED] =
        {"client-certificate-refused", CINCH_CATEGORY_CLIENT_CERTIFICATE,
         "use a client certificate that this server accepts, "
         "with its intermediates"},
    [CINCH_CAUSE_CLIENT_CERTIFICATE_MISSING] = {"client-certificate-missing",
                                                CINCH_CATEGORY_CLIENT_CERTIFICATE,
                                                "configure the client with a certificate that this "
                                                "server trusts"},
    [CINCH_CAUSE_TIMEOUT] = {"timeout", CINCH_CATEGORY_TIMEOUT,
                             "check whether the other side is alive and the path to it is free; "
                             "raise the limit if it is only slow"},
    [CINCH_CAUSE_CLOSED_IN_HANDSHAKE] =
        {"closed-in-handshake", CINCH_CATEGORY_CLOSED,
         "look at the other side's log; a proxy or firewall between "
         "the two may do this as well"},
    [CINCH_CAUSE_RESET] =
        {"reset", CINCH_CATEGORY_CLOSED,
         "look at the other side's log: it died, or something between the two cut "
         "the connection"},
    [CINCH_CAUSE_TRUNCATED] =
        {"truncated", CINCH_CATEGORY_CLOSED,
         "take the data as incomplete unless its own format tells that all is "
         "there; the other side should say close_notify"},
    [CINCH_CAUSE_ALERT_RECEIVED] = {"alert-received", CINCH_CATEGORY_PROTOCOL,
                                    "look at the other side's log: it found a fault"},
    [CINCH_CAUSE_DAMAGED_RECORD] = {"damaged-record", CINCH_CATEGORY_PROTOCOL,
                                    "try again; if it happens again, something between the two "
                                    "changes bytes"},
    [CINCH_CAUSE_PROTOCOL] =
        {"protocol", CINCH_CATEGORY_PROTOCOL,
         "look for what differs at the other side: its TLS software breaks the "
         "protocol, or something between the two changes bytes"},
    [CINCH_CAUSE_STARTTLS_DIALOGUE] =
        {"starttls-dialogue", CINCH_CATEGORY_PROTOCOL,
         "check that the port is the one of this protocol; something between the two may also "
         "have changed what was said"},
    [CINCH_CAUSE_STARTTLS_INJECTION] =
        {"starttls-injection", CINCH_CATEGORY_PROTOCOL,
         "do not go on: close the connection; if no attacker is there, the other side is broken, "
         "and its authors should hear of CVE-2011-0411"},
    [CINCH_CAUSE_MEMORY] = {"memory", CINCH_CATEGORY_MEMORY,
                            "give the program more memory, or have it do less at once"},
    [CINCH_CAUSE_SYSTEM] = {"system", CINCH_CATEGORY_INTERNAL,
                            "look at the system's own words below"},
    [CINCH_CAUSE_SIGNER] = {"signer", CINCH_CATEGORY_INTERNAL,
                            "look at the program or device that has the private key of our "
                            "certificate; the peer is not to blame"},
    [CINCH_CAUSE_INTERNAL] = {"internal", CINCH_CATEGORY_INTERNAL,
                              "report this with the details below: it should not happen"},
};

const cinch_cause_entry *cinch_cause_lookup(cinch_cause cause)
{
    if ((unsigned)cause >= CINCH_CAUSE_COUNT || causes[cause].name == NULL)
        return &causes[CINCH_CAUSE_INTERNAL];
    return &causes[cause];
}

const char *cinch_cause_name(cinch_cause cause)
{
    if ((unsigned)cause >= CINCH_CAUSE_COUNT)
        return "unknown";
    return cinch_cause_lookup(cause)->name;
}

const char *cinch_status_name(cinch_status status)
{
    static const char *const names[] = {"ok",        "want-read", "want-write", "eof",
                                        "truncated", "timeout",   "failed",     "want-signature"};

    return (unsigned)status < sizeof names / sizeof names[0] ? names[status] : "unknown";
}

const char *cinch_category_name(cinch_category category)
{
    static const char *const names[] = {"none",    "usage",       "file",
                                        "network", "negotiation", "trust",
                                        "name",    "validity",    "client-certificate",
                                        "timeout", "closed",      "protocol",
                                        "memory",  "internal"};

    return (unsigned)category < sizeof names / sizeof names[0] ? names[category] : "unknown";
}
