/*
 * ldap.c: the StartTLS operation of LDAP (RFC 4511, 4.14). Messages are in BER with definite lengths
 * (5.1), which need not be the shortest: Active Directory always uses four bytes.
 */
#include "starttls/upgrade.h"

#include <string.h>

#define OID "1.3.6.1.4.1.1466.20037"
#define REQUEST_ID 1

enum {
    TAG_INTEGER = 0x02,
    TAG_OCTETS = 0x04,
    TAG_ENUM = 0x0a,
    TAG_SEQUENCE = 0x30,
    TAG_RESPONSE = 0x78, /* [APPLICATION 24] */
    TAG_NAME = 0x8a,     /* [10] */
    TAG_VALUE = 0x8b,    /* [11] */
    TAG_CONTROLS = 0xa0, /* [0] */
    TAG_REFERRAL = 0xa3, /* [3] */
    RESULT_PROTOCOL = 2, /* "I do not know that operation" */
    RESULT_REFERRAL = 10,
    LENGTH_BYTES = 4
};

void cinch_ldap_begin(cinch_upgrade *upgrade)
{
    static const char request[] = "\x30\x1d\x02\x01\x01\x77\x18\x80\x16" OID;

    cinch_upgrade_say(upgrade, CINCH_STEP_CONSENT, request, sizeof request - 1);
}

size_t cinch_ldap_consent(unsigned char *out, int id)
{
    /* An INTEGER of four bytes, of which not the first nine bits may be 0 (X.690, 8.3.2). */
    unsigned char number[] = {(unsigned char)(id >> 24), (unsigned char)(id >> 16),
                              (unsigned char)(id >> 8), (unsigned char)id};
    static const unsigned char fine[] = {TAG_ENUM, 1, 0, TAG_OCTETS, 0, TAG_OCTETS, 0};
    size_t skip = 0;
    size_t at = 0;

    while (skip < 3 && number[skip] == 0 && number[skip + 1] < 0x80)
        skip++;
    size_t id_size = sizeof number - skip;
    size_t name_size = sizeof OID - 1;
    size_t body = sizeof fine + 2 + name_size;

    out[at++] = TAG_SEQUENCE;
    out[at++] = (unsigned char)(2 + id_size + 2 + body);
    out[at++] = TAG_INTEGER;
    out[at++] = (unsigned char)id_size;
    memcpy(out + at, number + skip, id_size);
    at += id_size;
    out[at++] = TAG_RESPONSE;
    out[at++] = (unsigned char)body;
    memcpy(out + at, fine, sizeof fine);
    at += sizeof fine;
    out[at++] = TAG_NAME;
    out[at++] = (unsigned char)name_size;
    for (size_t i = 0; i < name_size; i++)
        out[at++] = (unsigned char)OID[i];
    return at;
}

/* ---- reading ---- */

typedef struct part {
    const unsigned char *at;
    size_t size;
} part;

/* How many bytes the header at AT has, and what it heads; 0 if SIZE bytes are too few, -1 if it is bad. */
static int read_header(const unsigned char *at, size_t size, unsigned char *tag, size_t *length)
{
    if (size < 2)
        return 0;
    *tag = at[0];
    if (at[1] < 0x80) {
        *length = at[1];
        return 2;
    }
    size_t bytes = at[1] & 0x7fu;
    if (bytes == 0 || bytes > LENGTH_BYTES)
        return -1;
    if (size < 2 + bytes)
        return 0;
    *length = 0;
    for (size_t i = 0; i < bytes; i++)
        *length = *length << 8 | at[2 + i];
    return 2 + (int)bytes;
}

/* Takes the element with TAG from the start of FROM, into CONTENT. 0 if it is not there. */
static int next(part *from, unsigned char tag, part *content)
{
    unsigned char got = 0;
    size_t length = 0;
    int header = read_header(from->at, from->size, &got, &length);

    if (header <= 0 || got != tag || length > from->size - (size_t)header)
        return 0;
    content->at = from->at + header;
    content->size = length;
    from->at += (size_t)header + length;
    from->size -= (size_t)header + length;
    return 1;
}

/* A number that is not negative; -1 if it is none, or too large. */
static long number(const part *content)
{
    long value = 0;

    if (content->size == 0 || content->size > 4 || content->at[0] >= 0x80)
        return -1;
    for (size_t i = 0; i < content->size; i++)
        value = value << 8 | content->at[i];
    return value;
}

static const char *result_name(long code)
{
    static const struct {
        long code;
        const char *text;
    } names[] = {
        {1, "operationsError: TLS is there already, or other operations are under way"},
        {8, "strongerAuthRequired"},
        {13, "confidentialityRequired"},
        {50, "insufficientAccessRights"},
        {51, "busy"},
        {52, "unavailable: it has no TLS, for want of a certificate perhaps"},
        {53, "unwillingToPerform"},
        {80, "other"},
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].code == code)
            return names[i].text;
    return "see RFC 4511, appendix A";
}

/* The operation's result: success, or why not. */
static void read_result(cinch_upgrade *upgrade, long id, long result, const part *words,
                        const part *name)
{
    char what[CINCH_ERROR_WHAT];

    if (id == 0) {
        cinch_upgrade_refused(upgrade, "the server ends the connection before TLS", words->at,
                              words->size);
    } else if (id != REQUEST_ID) {
        cinch_upgrade_odd(upgrade, "the server answers message %ld, and ours was %d", id,
                          REQUEST_ID);
    } else if (name->at != NULL &&
               (name->size != sizeof OID - 1 || memcmp(name->at, OID, name->size) != 0)) {
        cinch_upgrade_odd(upgrade, "the server answers another operation than StartTLS");
    } else if (result == 0) {
        cinch_upgrade_consented(upgrade);
    } else if (result == RESULT_PROTOCOL) {
        cinch_upgrade_not_offered(upgrade);
    } else {
        (void)snprintf(what, sizeof what,
                       result == RESULT_REFERRAL
                           ? "the server sends us to another one (referral, %ld) for TLS%s"
                           : "the server refuses to begin TLS: result %ld, %s",
                       result, result == RESULT_REFERRAL ? "" : result_name(result));
        cinch_upgrade_refused(upgrade, what, words->at, words->size);
    }
}

static void read_message(cinch_upgrade *upgrade, part message)
{
    part body, id, response, result, matched, words;
    part name = {NULL, 0};
    part unused;

    if (!next(&message, TAG_SEQUENCE, &body) || !next(&body, TAG_INTEGER, &id) || number(&id) < 0) {
        cinch_upgrade_odd(upgrade, "the server's answer is no LDAP message");
        return;
    }
    if (!next(&body, TAG_RESPONSE, &response) || !next(&response, TAG_ENUM, &result) ||
        number(&result) < 0 || !next(&response, TAG_OCTETS, &matched) ||
        !next(&response, TAG_OCTETS, &words)) {
        cinch_upgrade_odd(upgrade, "the server's answer is no response to an extended operation");
        return;
    }
    (void)next(&response, TAG_REFERRAL, &unused);
    (void)next(&response, TAG_NAME, &name);
    (void)next(&response, TAG_VALUE, &unused);
    (void)next(&body, TAG_CONTROLS, &unused);
    if (response.size != 0 || body.size != 0) {
        cinch_upgrade_odd(upgrade, "there is something left over in the server's answer");
        return;
    }
    read_result(upgrade, number(&id), number(&result), &words, &name);
}

size_t cinch_ldap_take(cinch_upgrade *upgrade, const unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char tag = 0;
        size_t length = 0;

        upgrade->line[upgrade->line_size++] = bytes[i];
        int header = read_header(upgrade->line, upgrade->line_size, &tag, &length);
        if (upgrade->line[0] != TAG_SEQUENCE || header < 0) {
            cinch_upgrade_odd(upgrade, "the server's answer is no LDAP message");
            return i + 1;
        }
        if (header > 0 && length > sizeof upgrade->line - (size_t)header) {
            cinch_upgrade_odd(upgrade, "the server announces a message of %zu bytes", length);
            return i + 1;
        }
        if (header > 0 && upgrade->line_size == (size_t)header + length) {
            part message = {upgrade->line, upgrade->line_size};

            upgrade->line_size = 0;
            read_message(upgrade, message);
            return i + 1;
        }
    }
    return size;
}
