/* audit_ids.h: what test_audit_checks.c causes; test_audit.c causes all the others. */
#ifndef CINCH_TESTS_AUDIT_IDS_H
#define CINCH_TESTS_AUDIT_IDS_H

#define AUDIT_CHECK_IDS                                                                            \
    "psk-guessable", "psk-short", "psk-unchecked", "pins-unverified", "allow-unverified",          \
        "allow-common-name", "allow-optional", "crl-expired", "crl-expires", "crl-endless",        \
        "crl-weak-signature", "crl-soft", "crl-unused", "ocsp-not-sent", "ocsp-expires",           \
        "must-staple", "records-small"

#endif
