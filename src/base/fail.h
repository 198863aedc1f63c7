/* fail.h: how the code of libcinch fills a cinch_error. Every function here accepts a NULL error. */
#ifndef CINCH_BASE_FAIL_H
#define CINCH_BASE_FAIL_H

#include <cinch/error.h>

/*
 * cinch_enter is the first line of every public fallible call: 1 if the call may go on, 0 if ERR is
 * set already (the first error wins). It empties OpenSSL's error queue, so that what is found there
 * later belongs to this call.
 */
int cinch_enter(cinch_error *err);

/* cinch_enter_plain is cinch_enter() for a call that has nothing to do with OpenSSL's error queue. */
int cinch_enter_plain(const cinch_error *err);

/*
 * cinch_error_begin makes LOCAL an error that is not set, without wiping 2 KB that are hardly ever used:
 * cinch_fail() wipes them when it sets it. For what every message passes through.
 */
void cinch_error_begin(cinch_error *local);

/*
 * cinch_fail sets ERR to CAUSE with the sentence FORMAT, the category and the usual remedy of that
 * cause, and returns the status that goes with it (CINCH_FAILED but for timeouts and truncation).
 * An error that is set already stays.
 */
cinch_status cinch_fail(cinch_error *err, cinch_cause cause, const char *format, ...)
    CINCH_PRINTF(3, 4);

/* cinch_fail_evidence adds to the evidence of ERR; give "\n" between lines. */
void cinch_fail_evidence(cinch_error *err, const char *format, ...) CINCH_PRINTF(2, 3);

/* cinch_fail_remedy replaces the usual remedy of ERR. */
void cinch_fail_remedy(cinch_error *err, const char *format, ...) CINCH_PRINTF(2, 3);

/* cinch_fail_system adds errno NUMBER and its text to ERR. */
void cinch_fail_system(cinch_error *err, int number);

/* cinch_fail_openssl adds what stands in OpenSSL's error queue to ERR and empties the queue. */
void cinch_fail_openssl(cinch_error *err);

/* cinch_fail_openssl_code adds OpenSSL's error CODE to ERR; 0 adds nothing. */
void cinch_fail_openssl_code(cinch_error *err, unsigned long code);

/* cinch_fail_memory is cinch_fail() for memory that ran out while doing WHAT ("reading a key"). */
cinch_status cinch_fail_memory(cinch_error *err, const char *what);

/*
 * cinch_fail_crypto is for a call of OpenSSL that failed while doing WHAT and should not have: out
 * of memory if the queue says so, else CINCH_CAUSE_INTERNAL.
 */
cinch_status cinch_fail_crypto(cinch_error *err, const char *what);

/* cinch_fail_null is for an object argument that is NULL; NAME is what it should have been. */
cinch_status cinch_fail_null(cinch_error *err, const char *name);

/* cinch_fail_keep copies FROM to ERR if ERR is not set, and returns FROM's status. */
cinch_status cinch_fail_keep(cinch_error *err, const cinch_error *from);

/* What causes.c knows of one cause. */
typedef struct cinch_cause_entry {
    const char *name;
    cinch_category category;
    const char *remedy;
} cinch_cause_entry;

/* cinch_cause_lookup gives the entry of CAUSE; the one of CINCH_CAUSE_INTERNAL for an unknown one. */
const cinch_cause_entry *cinch_cause_lookup(cinch_cause cause);

/* cinch_alert_meaning says in words what alert DESCRIPTION means. Never NULL. */
const char *cinch_alert_meaning(int description);

#endif
