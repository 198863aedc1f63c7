/* access.c: who of the trusted is let in, and by what proof: rules for clients, pins, shared secrets. */
#include "audit/audit.h"

#include "context/access.h"
#include "context/psk.h"

/* Random bytes have more of them: 16 with fewer than 8 come once in ten million million. */
#define FEWEST_VALUES 8

/* 1 if SIZE bytes are text, or few values over and over: nobody's random numbers. */
static int is_guessable(const unsigned char *key, size_t size)
{
    unsigned char seen[256] = {0};
    size_t values = 0;
    int is_text = 1;

    for (size_t i = 0; i < size; i++) {
        values += !seen[key[i]];
        seen[key[i]] = 1;
        is_text &= key[i] >= ' ' && key[i] <= '~';
    }
    return is_text || values < FEWEST_VALUES;
}

static void look_at_secrets(cinch_audit_work *work, const cinch_psk *psk)
{
    cinch_audit_names guessable = {0}, small = {0};

    for (size_t i = 0; i < psk->count; i++) {
        const cinch_psk_entry *entry = &psk->entries[i];

        if (is_guessable(entry->key, entry->size))
            cinch_audit_name(&guessable, entry->identity);
        if (entry->size < 32)
            cinch_audit_name(&small, entry->identity);
    }
    if (guessable.count > 0)
        cinch_audit_add_names(work, "psk-guessable", &guessable);
    if (small.count > 0)
        cinch_audit_add_names(work, "psk-short", &small);
    if (psk->weak && (psk->lookup != NULL || psk->offer != NULL))
        cinch_audit_add(work, "psk-unchecked", NULL);
}

/* Each rule is what it looks at, the size in two bytes, and so many bytes. */
static int allows_by_common_name(const cinch_settings *s)
{
    for (size_t at = 0; at + CINCH_ALLOW_HEAD <= s->allow_size;) {
        if (s->allow[at] == CINCH_MATCH_COMMON_NAME)
            return 1;
        at += CINCH_ALLOW_HEAD + ((size_t)s->allow[at + 1] << 8 | s->allow[at + 2]);
    }
    return 0;
}

void cinch_audit_access(cinch_audit_work *work)
{
    const cinch_settings *s = work->settings;

    if (s->pinned && s->skip_verification)
        cinch_audit_add(work, "pins-unverified", NULL);
    if (s->allow_if != NULL && s->skip_verification)
        cinch_audit_add(work, "allow-unverified", NULL);
    if (allows_by_common_name(s))
        cinch_audit_add(work, "allow-common-name", NULL);
    if (s->allow_size > 0 && s->client_auth == CINCH_CLIENT_AUTH_OPTIONAL)
        cinch_audit_add(work, "allow-optional", NULL);
    if (s->psk != NULL)
        look_at_secrets(work, s->psk);
}
