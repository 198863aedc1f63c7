/*
 * audit.h: the inside of an audit. Each file of this directory looks at one part of the settings and
 * reports what it finds by the id that table.c has for it.
 */
#ifndef CINCH_AUDIT_AUDIT_H
#define CINCH_AUDIT_AUDIT_H

#include "base/arena.h"
#include "context/context.h"

#include <cinch/audit.h>

/* A few names out of many, for a sentence: "a, b, c and 4 more". */
typedef struct cinch_audit_names {
    char text[400];
    size_t count;
} cinch_audit_names;

/* A finding, and at which other hosts it was found as well. */
typedef struct cinch_audit_entry {
    cinch_audit_finding finding;
    cinch_audit_names also;
} cinch_audit_entry;

/* An audit at work. After a failure for want of memory there is no result at all. */
typedef struct cinch_audit_work {
    const cinch_settings *settings;
    const char *place; /* the host whose settings or identity these are; NULL for the first one's */
    int64_t now;
    cinch_arena arena;
    cinch_audit_entry *entries;
    size_t count;
    struct cinch_audit_seen *seen; /* contexts of hosts; see hosts.c */
    int depth;
    int failed;
} cinch_audit_work;

/*
 * cinch_audit_add reports the finding ID. FORMAT says what exactly was found; NULL: the sentence of the
 * table. An id is there once: what is found at a second host is added to it.
 */
void cinch_audit_add(cinch_audit_work *work, const char *id, const char *format, ...)
    CINCH_PRINTF(3, 4);

#define CINCH_AUDIT_NAMES 4

void cinch_audit_name(cinch_audit_names *names, const char *name);

/* cinch_audit_add_names is cinch_audit_add() with the table's sentence and NAMES behind it. */
void cinch_audit_add_names(cinch_audit_work *work, const char *id, const cinch_audit_names *names);

/* cinch_audit_look looks at SETTINGS, those of WORK or of a host. */
cinch_status cinch_audit_look(cinch_audit_work *work, const cinch_settings *settings,
                              cinch_error *err);

/* cinch_audit_settings copies the settings of CTX. */
cinch_settings *cinch_audit_settings(cinch_context *ctx, cinch_error *err);

/* The parts; what fails for another reason than memory sets ERR. */
cinch_status cinch_audit_policy(cinch_audit_work *work, cinch_error *err);
cinch_status cinch_audit_trust(cinch_audit_work *work, cinch_error *err);
cinch_status cinch_audit_hosts(cinch_audit_work *work, cinch_error *err);
void cinch_audit_identity(cinch_audit_work *work, const cinch_identity *identity);
void cinch_audit_rules(cinch_audit_work *work);
void cinch_audit_access(cinch_audit_work *work);
void cinch_audit_revocation(cinch_audit_work *work);

/* cinch_audit_must_staple looks whether IDENTITY demands a response that is not sent (RFC 7633). */
void cinch_audit_must_staple(cinch_audit_work *work, const cinch_identity *identity);

/* What is weak in a cipher suite, by the facts that OpenSSL tells about it. */
typedef struct cinch_suite_facts {
    int cipher; /* NIDs */
    int exchange;
    int digest; /* of the MAC; NID_undef for AEAD */
    int is_aead;
} cinch_suite_facts;

/* cinch_audit_suite gives the ids of what is weak in a suite, NULL at the end of at most 6. */
void cinch_audit_suite(const cinch_suite_facts *facts, const char *ids[6]);

/* cinch_audit_public_name tells whether NAME can be one of the public DNS: not "localhost", "x.test". */
int cinch_audit_public_name(const char *name);

#endif
