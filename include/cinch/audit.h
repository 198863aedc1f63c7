/*
 * audit.h: what is weak in this context?
 *
 * An audit looks at what a context says and names everything in it that is known to be weak, or about
 * to become a failure: protocol versions, algorithms, keys, certificates, anchors, and checks that were
 * turned off. It makes no connection. A new context for clients has no findings, nor has one for
 * servers with a sound certificate.
 *
 * Threads: an audit may run on any thread; its result is plain data and belongs to the caller.
 */
#ifndef CINCH_AUDIT_H
#define CINCH_AUDIT_H

#include <cinch/context.h>
#include <stddef.h>

CINCH_BEGIN_DECLS

typedef enum cinch_severity {
    CINCH_SEVERITY_NOTE = 0,    /* worth knowing */
    CINCH_SEVERITY_WARNING = 1, /* weak, or about to become a failure */
    CINCH_SEVERITY_DANGER = 2   /* no protection against somebody who tries */
} cinch_severity;

/* One finding. All texts are borrowed from the audit. */
typedef struct cinch_audit_finding {
    const char *id; /* "tls-1.0", "identity-expires", ...: stays the same between versions */
    cinch_severity severity;
    const char *what;   /* what is weak, and where: "suites without forward secrecy: AES128-SHA" */
    const char *why;    /* what somebody can do with it */
    const char *since;  /* since when it is known or deprecated: "2021-03"; "" if not dated */
    const char *source; /* "RFC 8996", ... */
    const char *remedy; /* what to do */
} cinch_audit_finding;

typedef struct cinch_audit {
    const cinch_audit_finding *findings; /* the worst first */
    size_t count;
} cinch_audit;

/*
 * cinch_context_audit looks at everything that CTX says. No findings means that nothing weak is
 * known. Returns NULL and sets ERR on failure. Free it with cinch_audit_free().
 */
CINCH_API cinch_audit *cinch_context_audit(cinch_context *ctx, cinch_error *err);

/* cinch_audit_free frees AUDIT. NULL is fine. */
CINCH_API void cinch_audit_free(cinch_audit *audit);

/*
 * cinch_audit_known gives number INDEX, from 0, of everything that an audit looks for, with a general
 * sentence in `what`; NULL beyond the last. It is never freed.
 */
CINCH_API const cinch_audit_finding *cinch_audit_known(size_t index);

/* cinch_severity_name gives the name of SEVERITY: "note", "warning", "danger". Never NULL. */
CINCH_API const char *cinch_severity_name(cinch_severity severity);

CINCH_END_DECLS

#endif
