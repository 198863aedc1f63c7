/* rules.c: the plain settings: what is not checked, not kept secret, or kept for long. */
#include "audit/audit.h"

#include "context/psk.h"

#include <cinch/policy.h>
#include <cinch/verify.h>

#define RECORD_SMALL 1024
#define LINEAGE_LONGEST (7 * 86400)

static int has_wildcard(const cinch_identity *identity)
{
    const cinch_certificate *leaf = identity->certificates[0];

    for (size_t i = 0; i < leaf->name_count; i++)
        if (leaf->names[i].kind == CINCH_NAME_DNS && leaf->names[i].text[0] == '*')
            return 1;
    return 0;
}

static void look_at_server(cinch_audit_work *work, const cinch_settings *s)
{
    if (s->identity == NULL && s->hosts == NULL && !cinch_psk_only(s))
        cinch_audit_add(work, "identity-missing", NULL);
    if (s->client_auth == CINCH_CLIENT_AUTH_OPTIONAL)
        cinch_audit_add(work, "client-auth-optional", NULL);
    if (s->alpn != NULL && s->alpn_rule == CINCH_ALPN_OPTIONAL)
        cinch_audit_add(work, "alpn-optional", NULL);
    if (s->server_name_rule == CINCH_SERVER_NAME_ANY && s->identity != NULL &&
        has_wildcard(s->identity))
        cinch_audit_add(work, "server-name-any", NULL);
    if (s->resumption && s->tickets != NULL && cinch_ring_lineage(s->tickets) > LINEAGE_LONGEST)
        cinch_audit_add(work, "tickets-lineage",
                        "sessions can be resumed again and again for %d days",
                        cinch_ring_lineage(s->tickets) / 86400);
    if (s->resumption && s->old_tickets && s->policy->min <= CINCH_TLS_1_2)
        cinch_audit_add(work, "tls12-tickets", NULL);
    if (s->resumption && s->session_ids > 0 && s->policy->min <= CINCH_TLS_1_2)
        cinch_audit_add(work, "session-ids", NULL);
}

/* What a private CA may need; each rule stands for an attack, or for what others refuse. */
static void look_at_profile(cinch_audit_work *work, const cinch_settings *s)
{
    cinch_audit_names names = {0};

    for (int rule = 0; rule < CINCH_RULE_COUNT; rule++)
        if ((s->relaxed & 1u << rule) != 0)
            cinch_audit_name(&names, cinch_rule_name((cinch_rule)rule));
    if (names.count > 0)
        cinch_audit_add_names(work, "rules-relaxed", &names);
}

void cinch_audit_rules(cinch_audit_work *work)
{
    const cinch_settings *s = work->settings;

    /* With pins the server's own key is still proved; access.c says what is not. */
    if (s->skip_verification && !s->pinned)
        cinch_audit_add(work, "verification-off", NULL);
    if (s->skip_name)
        cinch_audit_add(work, "name-check-off", NULL);
    if (s->key_log != NULL)
        cinch_audit_add(work, "key-log", NULL);
    if (s->psk != NULL && !cinch_psk_only(s))
        cinch_audit_add(work, "psk-fallback", NULL);
    if (s->record_size < RECORD_SMALL)
        cinch_audit_add(work, "records-small", "records have at most %d bytes of data",
                        s->record_size);
    look_at_profile(work, s);
    if (s->is_server)
        look_at_server(work, s);
}
