/* consent.c: the server's side: what a client sent too early, and what it is told. */
#include "starttls/upgrade.h"

#include "base/fail.h"

#include <stdio.h>
#include <string.h>

/* A tag goes back to the client as it came: it must not bring a line of its own (RFC 9051, 9). */
static int is_tag(const char *tag)
{
    size_t size = tag != NULL ? strlen(tag) : 0;

    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)tag[i];

        if (c <= ' ' || c >= 0x7f || strchr("(){%*\"\\+", c) != NULL)
            return 0;
    }
    return size > 0 && size <= 64;
}

static cinch_status write_consent(cinch_starttls_protocol protocol,
                                  const cinch_starttls_options *options, void *buf, size_t *n,
                                  cinch_error *err)
{
    const char *tag = options != NULL ? options->tag : NULL;
    int id = options != NULL ? options->message_id : 0;

    if (protocol == CINCH_STARTTLS_IMAP && !is_tag(tag)) {
        cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "\"%s\" is no tag of an IMAP command",
                   tag != NULL ? tag : "");
        cinch_fail_remedy(err, "give the tag of the client's STARTTLS, of 64 characters at most; "
                               "refuse the command if it has none");
        return CINCH_FAILED;
    }
    if (protocol == CINCH_STARTTLS_LDAP && id <= 0) {
        cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "%d is no ID of an LDAP request", id);
        cinch_fail_remedy(err, "give the messageID of the client's StartTLS request");
        return CINCH_FAILED;
    }
    if (protocol == CINCH_STARTTLS_LDAP) {
        *n = cinch_ldap_consent(buf, id);
        return CINCH_OK;
    }
    *n = (size_t)snprintf(buf, CINCH_STARTTLS_CONSENT, "%s%s",
                          protocol == CINCH_STARTTLS_IMAP ? tag : "",
                          cinch_dialect_of(protocol)->consent);
    return CINCH_OK;
}

cinch_status cinch_starttls_consent(cinch_starttls_protocol protocol, const void *rest, size_t size,
                                    const cinch_starttls_options *options, void *buf, size_t *n,
                                    cinch_error *err)
{
    if (!cinch_enter(err))
        return CINCH_FAILED;
    if (buf == NULL || n == NULL)
        return cinch_fail_null(err, "place for the consent");
    *n = 0;
    if (cinch_dialect_of(protocol) == NULL)
        return cinch_fail(err, CINCH_CAUSE_BAD_SETTING, "%d is no protocol with STARTTLS",
                          (int)protocol);
    if (rest == NULL && size > 0)
        return cinch_fail_null(err, "what was read behind the command");
    if (size > 0)
        return cinch_injection_fail(err, "client", "behind the client's request for TLS", rest,
                                    size);
    return write_consent(protocol, options, buf, n, err);
}
